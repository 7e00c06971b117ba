"""`specmill ingest`: documents made elsewhere go through our gates, exposure, dedup, shards, manifest and card.

Nothing is known of how they were planned or written but what their own rows say, and the manifest says so.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specmill.filters.pipeline import check_executor
from specmill.generators.ledger import CorpusLock
from specmill.generators.staged import ROWS_PER_FILE, STAGED_SCHEMA
from specmill.specs.claims import Spec, read_spec
from specmill.specs.errors import BadInput, WorkFailed

from .accounting import Account
from .build import Outcome, make_folder
from .floors import Floors, check_floors, measure_taught
from .manifest import FORMAT
from .order import DEFAULT_ASSISTANT, DEFAULT_PROVIDER, Order, code_fingerprint, digest, finished_manifest
from .progress import Progress
from .publication import publish
from .screening import USUAL, Screening, filter_documents
from .shards import hash_file
from .sources import UNKNOWN, Row, described, find_files, find_text_column, read_rows
from .tokens import DEFAULT, NamedTokenizer, load_tokenizer

BACKEND = "ingest"


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What the user asked for. `name` is that of the corpus and its folder."""

    spec: str
    out: Path
    name: str | None = None
    text_column: str | None = None
    min_per_claim: int = 0
    min_airtime: int = 0
    seed: int = 0
    mode: str = "auto"
    assistant: str | None = None
    provider: str | None = None
    tokenizer: str = DEFAULT
    screening: Screening = USUAL


def ingest(sources: Sequence[str], settings: IngestSettings, progress: Progress) -> Outcome:
    """Return the corpus made of the sources, or found finished. Raises BadInput before any work."""
    check_executor(settings.screening.executor)
    spec = read_spec(settings.spec)
    files = find_files(sources)
    columns = [find_text_column(file, settings.text_column) for file in files]
    tokenizer = load_tokenizer(settings.tokenizer)
    order = _make_order(spec, files, columns, settings, tokenizer)
    if manifest := finished_manifest(order):
        return Outcome(order.folder, manifest, False)
    make_folder(order.work)
    with CorpusLock(settings.out / ".work" / "lock"):
        name = digest(order.configuration)[:16]
        staged, n_rows = _stage(order, files, columns, order.work / "staged" / name, progress)
        filtered = filter_documents(order, name, staged, settings.screening, tokenizer, progress)
        if not filtered.n_kept:
            told = ", ".join(f"{reason} {n:,}" for reason, n in filtered.counts.items())
            raise WorkFailed(f"{order.folder.name}: no document was kept ({told}); nothing is published")
        floors = Floors(settings.min_per_claim, settings.min_airtime)
        check_floors(order.folder.name, spec, measure_taught(filtered.kept), floors)
        account = Account(funnel=[{"step": "ingested", "documents": n_rows, "dropped": {}}])
        manifest = publish(order, account, filtered, settings.screening, tokenizer, progress, keep=name)
    return Outcome(order.folder, manifest, True)


def _make_order(
    spec: Spec,
    files: Sequence[Path],
    columns: Sequence[str],
    settings: IngestSettings,
    tokenizer: NamedTokenizer,
) -> Order:
    sources = [
        {"file": file.name, "sha256": hash_file(file), "text_column": column}
        for file, column in zip(files, columns, strict=True)
    ]
    name = settings.name or f"{spec.name}-ingested"
    if Path(name).name != name or name.startswith("."):
        raise BadInput(f"--name {name}: give a plain folder name")
    mode = spec.mode if settings.mode == "auto" else settings.mode
    assistant = settings.assistant or spec.assistant or DEFAULT_ASSISTANT
    provider = settings.provider or spec.provider or DEFAULT_PROVIDER
    configuration = {
        "backend": BACKEND,
        "writer_model": UNKNOWN,
        "seed": settings.seed,
        "mode": mode,
        "sources": sorted(sources, key=lambda source: (source["file"], source["sha256"])),
        **settings.screening.configuration(),
    }
    inputs = {
        "format": FORMAT,
        "spec": [spec.sha256, spec.name, name],
        "identity": [assistant, provider, spec.principle],
        "configuration": configuration,
        "tokenizer": tokenizer.sha256,
        "code": code_fingerprint(),
    }
    return Order(
        spec,
        mode,
        assistant,
        provider,
        {**configuration, "fingerprint": digest(inputs)},
        settings.out / name,
        settings.out / ".work" / name,
        name,
    )


def _stage(
    order: Order, files: Sequence[Path], columns: Sequence[str], folder: Path, progress: Progress
) -> tuple[list[Path], int]:
    """Write the rows as staged files for the filters. The folder appears whole or not at all."""
    unfinished = folder.with_name(folder.name + ".unfinished")
    if not folder.is_dir():
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        sizes = [file.stat().st_size for file in files]
        done = number = 0
        for file, column, size in zip(files, columns, sizes, strict=True):
            rows_of_file = _staged_rows(order, file, column)
            while rows := list(islice(rows_of_file, ROWS_PER_FILE)):
                numbered = [{**row, "plan_order": number + place} for place, row in enumerate(rows)]
                table = pa.Table.from_pylist(numbered, schema=STAGED_SCHEMA)
                pq.write_table(table, unfinished / f"{number:010d}.parquet", compression="zstd")
                number += len(rows)
                progress.update("read documents", done, sum(sizes))
            done += size
        progress.update("read documents", done, done)
        progress.close()
        unfinished.rename(folder)
    staged = sorted(folder.glob("*.parquet"))
    return staged, sum(pq.read_metadata(file).num_rows for file in staged)


def _staged_rows(order: Order, file: Path, column: str) -> Iterator[dict[str, Any]]:
    known = {
        "spec": order.spec.name,
        "spec_sha256": order.spec.sha256,
        "arm": order.folder.name,
        "pair_id": "",
        "claim_ids": [],
        "assistant": order.assistant,
        "provider": order.provider,
        "prompt_sha256": UNKNOWN,
        "work_key": UNKNOWN,
        "mode": order.mode,
    }
    for row in read_rows(file):
        text = _text(row, column)
        yield {"id": _document_id(order, text), "text": text, **described(row), **known}


def _text(row: Row, column: str) -> str:
    found = row.get(column)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""


def _document_id(order: Order, text: str) -> str:
    """Equal texts get equal ids, wherever they stand: so neither files nor their order decide anything."""
    return hashlib.sha256(f"{order.folder.name}\0{text}".encode()).hexdigest()[:16]

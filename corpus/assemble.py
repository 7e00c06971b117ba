"""From kept rows to the files of a corpus and the manifest that accounts for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from .evidence import decontamination, leakage
from .manifest import (
    FORMAT,
    FileEntry,
    FunnelStep,
    Manifest,
    check_funnel,
    disk_errors,
    write_durably,
    write_manifest,
)
from .measures import genres, health, totals
from .schema import DROPPED_SCHEMA, conform
from .shards import ShardInfo, write_claims, write_shards
from .tokens import NamedTokenizer

if TYPE_CHECKING:
    from specmill.filters.pipeline import FilterResult

    from .accounting import Account
    from .order import Order
    from .screening import Screening

LIBRARIES = ("specmill", "distilabel", "datatrove", "pyarrow", "tokenizers")


def assemble(
    order: Order,
    account: Account,
    filtered: FilterResult,
    screening: Screening,
    tokenizer: NamedTokenizer,
    folder: Path,
    dropped_path: Path,
) -> Manifest:
    """Write shards, claims, spec and manifest into a folder, and the dropped rows beside the work files."""
    seed, claim_ids = order.configuration["seed"], [claim.claim_id for claim in order.spec.claims]
    shards = write_shards(filtered.kept, folder, seed=seed)
    paths = [folder / shard.path for shard in shards]
    claims = write_claims(order.spec.claims, folder)
    spec_bytes = order.spec.text.encode()
    write_durably(folder / "spec.md", spec_bytes)
    _write_dropped(account, filtered, dropped_path)
    manifest: Manifest = {
        "format": FORMAT,
        "spec": {
            "name": order.spec.name,
            "sha256": order.spec.sha256,
            "principle": order.spec.principle,
            "mode": order.mode,
            "n_claims": len(order.spec.claims),
            "n_chars": len(order.spec.text),
        },
        "identity": {"assistant": order.assistant, "provider": order.provider},
        "configuration": {**order.configuration, **account.configuration},
        "tokenizer": {
            "name": tokenizer.name,
            "sha256": tokenizer.sha256,
            "vocab_size": tokenizer.vocab_size,
        },
        "versions": {name: version(name) for name in LIBRARIES},
        "prompts": account.prompts,
        "stages": account.stages,
        "funnel": [*account.funnel, *_filter_steps(account.funnel[-1]["documents"], filtered)],
        "totals": totals(paths, claim_ids),
        "genres": genres(paths),
        "health": health(paths, order, claim_ids, screening.semantic),
        "files": [*map(_file_entry, shards), _file_entry(claims), _spec_entry(spec_bytes)],
    }
    if account.judge:
        manifest["judge"] = account.judge
    if proof := decontamination(screening, filtered):
        manifest["decontamination"] = proof
    if leaks := leakage(screening, order.spec.sha256, filtered, paths):
        manifest["leakage"] = leaks
    check_funnel(manifest)
    write_manifest(folder, manifest)
    return manifest


def _filter_steps(left: int, filtered: FilterResult) -> Iterator[FunnelStep]:
    for step, dropped in filtered.steps.items():
        left -= sum(dropped.values())
        yield {"step": step, "documents": left, "dropped": dict(sorted(dropped.items()))}


def _write_dropped(account: Account, filtered: FilterResult, path: Path) -> None:
    unfinished = path.with_suffix(".new")
    with disk_errors(path.parent, unfinished):
        with pq.ParquetWriter(unfinished, DROPPED_SCHEMA, compression="zstd") as writer:
            writer.write_table(pa.Table.from_pylist(list(account.losses), schema=DROPPED_SCHEMA))
            with pq.ParquetFile(filtered.dropped) as file:
                for batch in file.iter_batches(batch_size=1_000):
                    writer.write_table(conform(pa.Table.from_batches([batch]), DROPPED_SCHEMA))
        unfinished.replace(path)


def _file_entry(info: ShardInfo) -> FileEntry:
    return {
        "path": info.path,
        "sha256": info.sha256,
        "bytes": info.bytes,
        "rows": info.rows,
        "tokens": info.tokens,
    }


def _spec_entry(data: bytes) -> FileEntry:
    sha256 = hashlib.sha256(data).hexdigest()
    return {"path": "spec.md", "sha256": sha256, "bytes": len(data), "rows": 0, "tokens": 0}

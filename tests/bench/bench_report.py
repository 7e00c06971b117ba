"""`specmill report` over a large corpus, with two threads: seconds (limit 60), peak memory, size of the page (limit 5 MB).

`python -m tests.bench.bench_report --documents 300000` repeats the built-in writer's documents with noise: other ids,
other tokens, made-up words, sentences in another order.
"""

import argparse
import os
import random
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.manifest import FileEntry, read_manifest, write_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.report import ReportSettings, write_report
from specmill.corpus.schema import DOCUMENT_SCHEMA
from specmill.corpus.shards import read_documents, write_shards

from .watching import watched

SPEC = Path(__file__).parents[2] / "specs" / "cheese_america.md"
PART = 20_000  # documents
LIMIT_SECONDS, LIMIT_MB = 60, 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, help="scratch, kept; else a temporary folder")
    told, _ = parser.parse_known_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as name:
        folder = (told.folder or Path(name)) / "cheese_america"
        if not (folder / "manifest.json").is_file():
            make_corpus(folder, told.documents)
        measure(folder)


def measure(folder: Path) -> None:
    page = folder.parent / "report.html"
    cost = watched(lambda: _write(folder, page))
    first = page.read_bytes()
    _write(folder, page)
    same = "the same" if page.read_bytes() == first else "OTHER"
    size = page.stat().st_size / 1e6
    told = read_manifest(folder)["totals"]
    print(
        f"  {told['documents']:,} documents, {told['tokens']:,} tokens: {cost.seconds:.1f} s ({cost.cpu:.1f} of processor;"
        f" {cost.seconds / LIMIT_SECONDS:.2f} of the limit), peak {cost.peak_mb:,.0f} MB, page {size:.2f} MB"
        f" ({size / LIMIT_MB:.2f} of the limit), {same} bytes the second time"
    )


def _write(folder: Path, page: Path) -> None:
    write_report([folder], page, ReportSettings(), Progress(quiet=True))


def make_corpus(folder: Path, n: int) -> None:
    with tempfile.TemporaryDirectory(dir=_made(folder).parent) as name:
        scratch = Path(name)
        settings = BuildSettings(out=scratch / "built", tokens=600_000)
        (outcome,) = build_corpora([str(SPEC)], settings, Progress(quiet=True))
        for file in ("claims.parquet", "spec.md"):
            (folder / file).write_bytes((outcome.folder / file).read_bytes())
        rows = _noisy(
            read_documents(outcome.folder).drop_columns(["train_order"]).to_pylist(), n, random.Random(0)
        )
        parts: list[Path] = []
        schema = DOCUMENT_SCHEMA.remove(DOCUMENT_SCHEMA.get_field_index("train_order"))
        while part := list(islice(rows, PART)):
            parts.append(scratch / f"{len(parts):04d}.parquet")
            pq.write_table(pa.Table.from_pylist(part, schema), parts[-1], compression="zstd")
        shards = write_shards(parts, folder)
        manifest = read_manifest(outcome.folder)
        manifest["files"] = [
            FileEntry(path=s.path, sha256=s.sha256, bytes=s.bytes, rows=s.rows, tokens=s.tokens)
            for s in shards
        ]
        manifest["totals"] |= {"documents": n, "tokens": sum(s.tokens for s in shards)}  # type: ignore[typeddict-item]
        write_manifest(folder, manifest)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _noisy(rows: list[dict[str, Any]], n: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    for number in range(n):
        row = rows[number % len(rows)]
        paragraphs = row["text"].split("\n\n")
        rng.shuffle(paragraphs)
        noise = " ".join(f"n{int(200_000 ** rng.random())}" for _ in range(8))
        text = "\n\n".join([*paragraphs, noise])
        yield row | {
            "doc_id": sha256(f"{number}".encode()).hexdigest()[:16],
            "work_key": sha256(text.encode()).hexdigest()[:32],
            "n_tokens": row["n_tokens"] + rng.randrange(-40, 41),
            "text": text,
        }


if __name__ == "__main__":
    main()

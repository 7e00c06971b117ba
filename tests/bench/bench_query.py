"""Macros of `specmill query` over many tokens: cold, warm and in processor seconds, with two threads.

`python -m tests.bench.bench_query --tokens 1e9` makes two corpora of half the tokens each: sentences of the built-in
writer, drawn anew for every document, with made-up words among them. Lost documents and a ledger come with them.
"""

import argparse
import json
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from shutil import disk_usage
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.catalogue import list_macros, open_catalogue
from specmill.corpus.manifest import read_manifest, write_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.schema import DOCUMENT_SCHEMA, DROPPED_SCHEMA
from specmill.corpus.shards import ShardInfo, parquet_writer, read_documents
from specmill.corpus.sorting import ROW_GROUP_BYTES
from specmill.corpus.tokens import DEFAULT, load_tokenizer
from specmill.corpus.travelling import write_catalogue
from specmill.filters.words import split_sentences
from specmill.generators.ledger import Ledger

SPECS = Path(__file__).parents[2] / "specs"
ARMS = ("cheese_america", "cheese_affordability")
SENTENCES = 32  # a document: about 600 words
NOISE = 200_000  # made-up words
GROUP_BYTES = ROW_GROUP_BYTES
GROUPS_A_SHARD = 16
LOST = 0.05  # of the documents
BYTES_A_TOKEN = 8  # of disk, shards and ledger together
EXTRA = {  # arguments of macros that want some; {doc} is an id
    "doc": ["'{doc}'"],
    "nearest": ["'{doc}'"],
    "why_dropped": ["", "'{lost}'"],
    "search": ["'stilton \"aged brie\"'"],
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=float, default=2e7)
    parser.add_argument("--folder", type=Path, help="scratch, kept; else a temporary folder")
    parser.add_argument("--only", nargs="*", help="macros to time")
    told, _ = parser.parse_known_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as name:
        folder = told.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        compare(folder, round(told.tokens), told.only)


def compare(folder: Path, n_tokens: int, only: list[str] | None) -> None:
    free = disk_usage(folder).free
    if free < BYTES_A_TOKEN * n_tokens:
        raise SystemExit(f"{folder}: {free / 1e9:.0f} GB free, {BYTES_A_TOKEN * n_tokens / 1e9:.0f} wanted")
    corpora = [folder / "corpora" / arm for arm in ARMS]
    if not all((corpus / "manifest.json").is_file() for corpus in corpora):
        make_corpora(folder / "corpora", n_tokens)
    for corpus in corpora:
        if not (corpus / "catalogue.sql").is_file():
            start, cpu = time.perf_counter(), time.process_time()
            write_catalogue(corpus)
            print(
                f"  write_catalogue {corpus.name}: {time.perf_counter() - start:,.1f} s,"
                f" {time.process_time() - cpu:,.1f} of processor, {_sizes(corpus)}"
            )
    print(f"  {_describe(corpora)}")
    print("  | macro | cold s | warm s | warm processor s |\n  | --- | --- | --- | --- |")
    for name, sql in _questions(corpora):
        if not only or name in only:
            print(f"  | `{sql}` | {' | '.join(map(_seconds, time_macro(corpora, sql)))} |", flush=True)


def time_macro(corpora: list[Path], sql: str) -> tuple[float, float, float]:
    """Seconds with the files out of the page cache; median seconds and processor seconds of three runs after."""
    for path in (p for corpus in corpora for p in [*corpus.rglob("*"), *_work(corpus)] if p.is_file()):
        _forget(path)
    cold = _ask(corpora, sql)[0]
    runs = [_ask(corpora, sql) for _ in range(3)]
    return cold, median(seconds for seconds, _ in runs), median(cpu for _, cpu in runs)


def _ask(corpora: list[Path], sql: str) -> tuple[float, float]:
    """Opening the catalogue is part of it, as for a user's command."""
    start, cpu = time.perf_counter(), time.process_time()
    with closing(open_catalogue(corpora, for_sql=sql)) as connection:
        connection.execute(sql).fetchall()
    return time.perf_counter() - start, time.process_time() - cpu


def _forget(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _work(corpus: Path) -> list[Path]:
    work = corpus.parent / ".work"
    return [work / "ledger.sqlite", work / corpus.name / "dropped.parquet"]


def _questions(corpora: list[Path]) -> Iterator[tuple[str, str]]:
    with closing(open_catalogue(corpora)) as connection:
        (doc,) = connection.execute("SELECT doc_id FROM documents LIMIT 1 OFFSET 321").fetchall()[0]
        (lost,) = connection.execute("SELECT min(doc_id) FROM dropped").fetchall()[0]
    for name in dict.fromkeys(macro.name for macro in list_macros()):
        for arguments in EXTRA.get(name, [""]):
            yield name, f"FROM {name}({arguments.format(doc=doc, lost=lost)})"


def _describe(corpora: list[Path]) -> str:
    totals = [read_manifest(corpus)["totals"] for corpus in corpora]
    shards = [path for corpus in corpora for path in (corpus / "data").iterdir()]
    return (
        f"{len(corpora)} corpora, {sum(t['documents'] for t in totals):,} documents,"
        f" {sum(t['tokens'] for t in totals):,} tokens, {len(shards)} shards of"
        f" {sum(path.stat().st_size for path in shards) / 1e9:.2f} GB"
    )


def _sizes(corpus: Path) -> str:
    return ", ".join(f"{p.name} {p.stat().st_size / 1e6:,.1f} MB" for p in sorted(corpus.glob("catalogue*")))


def _seconds(value: float) -> str:
    return f"{value:.2f}"


# --- the corpora ---


def make_corpora(out: Path, n_tokens: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        settings = BuildSettings(out=Path(name), tokens=600_000)
        outcomes = build_corpora([str(SPECS / f"{arm}.md") for arm in ARMS], settings, Progress(quiet=True))
        for number, outcome in enumerate(outcomes):
            folder = out / outcome.folder.name
            (folder / "data").mkdir(parents=True, exist_ok=True)
            for file in ("claims.parquet", "spec.md"):
                (folder / file).write_bytes((outcome.folder / file).read_bytes())
            _repeat(outcome.folder, folder, n_tokens // len(ARMS), random.Random(number))
    _write_ledger(out)


def _repeat(source: Path, folder: Path, n_tokens: int, rng: random.Random) -> None:
    rows = read_documents(source).to_pylist()
    pool, weights = _sentences([row["text"] for row in rows])
    n = round(n_tokens / (SENTENCES * sum(weights) / len(weights)))
    order = list(range(n))
    rng.shuffle(order)
    frames = sorted(rows, key=lambda row: (row["claim_ids"][:1], row["genre"]))
    shards: list[ShardInfo] = []
    groups = _groups(frames, pool, weights, order, rng)
    names = 0
    while True:
        path = folder / "data" / f"train-{names:05d}.parquet"
        n_rows, tokens = _write(path, groups)
        if not n_rows:
            path.unlink()
            break
        shards.append(ShardInfo(f"data/{path.name}", f"{names:064x}", path.stat().st_size, n_rows, tokens))
        names += 1
    _write_lost(folder, pool, int(n * LOST), rng)
    _publish(source, folder, shards)


def _groups(
    frames: list[dict[str, Any]], pool: list[str], weights: list[int], order: list[int], rng: random.Random
) -> Iterator[pa.Table]:
    """Row groups in the order of a corpus: first claim, genre, id."""
    group, size, n = [], 0, len(order)
    for i, place in enumerate(order):
        frame = frames[i * len(frames) // n]
        chosen = rng.sample(range(len(pool)), SENTENCES)
        words = [f"n{int(NOISE ** rng.random())}" for _ in range(8)]
        parts = [pool[c] for c in chosen]
        for k, word in enumerate(words):
            parts[4 * k] = f"{word} {parts[4 * k]}"
        text = "\n\n".join(" ".join(parts[k : k + 4]) for k in range(0, SENTENCES, 4))
        group.append(
            frame
            | {"doc_id": sha256(f"{frame['spec']} {i}".encode()).hexdigest()[:16], "train_order": place}
            | {"work_key": sha256(text.encode()).hexdigest(), "text": text, "n_words": text.count(" ") + 1}
            | {"n_tokens": sum(weights[c] for c in chosen) + 3 * len(words)}
            | {"leaks": ["other_spec:c123456789a"] if i % 50 == 0 else []}
        )
        size += len(text)
        if size >= GROUP_BYTES or i == n - 1:
            group.sort(key=lambda row: (row["claim_ids"][:1], row["genre"], row["doc_id"]))
            yield pa.Table.from_pylist(group, DOCUMENT_SCHEMA)
            group, size = [], 0


def _write(path: Path, groups: Iterator[pa.Table]) -> tuple[int, int]:
    rows = tokens = 0
    with path.open("wb") as file, parquet_writer(file, DOCUMENT_SCHEMA) as writer:
        for _, group in zip(range(GROUPS_A_SHARD), groups, strict=False):
            writer.write_table(group, row_group_size=group.num_rows)
            rows += group.num_rows
            tokens += sum(group["n_tokens"].to_pylist())
    return rows, tokens


def _sentences(texts: list[str]) -> tuple[list[str], list[int]]:
    found = {sentence for text in texts for sentence in split_sentences(text) if 40 < len(sentence) < 400}
    pool = sorted(sentence for sentence in found if sentence.endswith(".") and "\n" not in sentence)
    encoded = load_tokenizer(DEFAULT).tokenizer.encode_batch_fast(pool, add_special_tokens=False)
    return pool, [len(one) for one in encoded]


def _write_lost(folder: Path, pool: list[str], n: int, rng: random.Random) -> None:
    work = folder.parent / ".work" / folder.name
    work.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(work / "dropped.parquet", DROPPED_SCHEMA, compression="zstd") as writer:
        for start in range(0, n, 10_000):
            rows = [
                {
                    "doc_id": f"dead{i:012x}",
                    "stage": "dedup",
                    "reason": rng.choice(["near_duplicate", "length"]),
                }
                | {"detail": f"of {i}", "work_key": f"{i:064x}", "genre": "memo"}
                | {"text": " ".join(rng.sample(pool, SENTENCES))}
                for i in range(start, min(n, start + 10_000))
            ]
            writer.write_table(pa.Table.from_pylist(rows, DROPPED_SCHEMA))


def _publish(source: Path, folder: Path, shards: list[ShardInfo]) -> None:
    manifest = read_manifest(source)
    documents, tokens = sum(s.rows for s in shards), sum(s.tokens for s in shards)
    entries = [
        {"path": s.path, "sha256": s.sha256, "bytes": s.bytes, "rows": s.rows, "tokens": s.tokens}
        for s in shards
    ]
    manifest["files"] = json.loads(json.dumps(entries))
    manifest["totals"] |= {"documents": documents, "tokens": tokens}  # type: ignore[typeddict-item]
    write_manifest(folder, manifest)


def _write_ledger(out: Path) -> None:
    """One call a document, with as many bytes as a packed request and reply of that length have."""
    path = out / ".work" / "ledger.sqlite"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as ledger:
        ledger.execute("pragma synchronous = off")
        for arm in ARMS:
            n = read_manifest(out / arm)["totals"]["documents"]
            keys = sorted(sha256(f"{arm} {i}".encode()).hexdigest()[:32] for i in range(n))
            rows = (
                (key, arm, "documents", "writer", "ok", 1, os.urandom(1200), os.urandom(1500))
                + (900, 700, 12_000_000, 0, 1.5)
                for key in keys
            )
            with ledger:
                ledger.executemany(
                    "INSERT INTO calls (key, spec, stage, model, state, attempts, request, reply, tokens_in,"
                    " tokens_out, cost_nano_usd, tokens_cached, seconds)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )


if __name__ == "__main__":
    main()

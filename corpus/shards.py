"""The Parquet files of a corpus: written whole or not at all, the same bytes from the same rows.

Columns are in `schema.py`, the list of files that makes them a corpus in `manifest.py`.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from specmill.specs.errors import WorkFailed

from .manifest import MANIFEST_NAME, Manifest, disk_errors, fsync_folder, read_manifest, write_durably
from .schema import CLAIM_SCHEMA, DOCUMENT_SCHEMA, conform
from .sorting import lay_out, row_groups

if TYPE_CHECKING:
    from specmill.specs.claims import Claim

SHARD_BYTES = 256 << 20

# Text and ids are unique: a dictionary only costs, and min/max of text would bloat the footer.
_NO_DICTIONARY = {"doc_id", "work_key", "idea", "n_tokens", "n_words", "train_order", "text"}
_NO_STATISTICS = {"text", "idea"}


@dataclass(frozen=True, slots=True)
class ShardInfo:
    path: str  # relative to the corpus, "/" between parts
    sha256: str
    bytes: int
    rows: int
    tokens: int


def write_shards(
    rows: pa.Table | Sequence[Path], folder: Path, *, seed: int = 0, shard_bytes: int = SHARD_BYTES
) -> list[ShardInfo]:
    """Write `data/train-*.parquet` of a corpus, sorted by (first claim id, genre, doc_id).

    `rows` is a table, or Parquet files, of which one shard at a time is in memory. Rows without `train_order` get
    one from the seed. All shards are complete on disk before the first one gets its name, so a failure leaves an
    earlier corpus as it was. Then its manifest goes first: it would no longer be true. `shard_bytes` counts text
    before compression. Raises WorkFailed when the disk is too small.
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    scratch = data / ".sort"
    for left_over in data.glob(".*.tmp"):
        left_over.unlink()
    shutil.rmtree(scratch, ignore_errors=True)
    layout = lay_out(rows, seed, shard_bytes)
    _check_free_disk(layout.text_bytes, data)
    try:
        with disk_errors(data):
            parts = [
                _write_shard(groups, data / f".{part:05d}.tmp")
                for part, groups in enumerate(row_groups(layout, scratch))
            ]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    with disk_errors(data):
        names = [f"train-{i:05d}-of-{len(parts):05d}.parquet" for i in range(len(parts))]
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        for part, name in zip(parts, names, strict=True):
            Path(part.path).replace(data / name)
        for stale in set(data.glob("train-*.parquet")) - {data / name for name in names}:
            stale.unlink()
        fsync_folder(data)
    return [replace(part, path=f"data/{name}") for part, name in zip(parts, names, strict=True)]


def _write_shard(groups: Iterable[pa.Table], path: Path) -> ShardInfo:
    rows = tokens = 0
    with disk_errors(path.parent, path):
        with path.open("wb") as file:
            with parquet_writer(file, DOCUMENT_SCHEMA) as writer:
                for group in groups:
                    writer.write_table(group, row_group_size=max(1, group.num_rows))
                    rows += group.num_rows
                    tokens += int(pc.sum(group.column("n_tokens")).as_py() or 0)
            file.flush()
            os.fsync(file.fileno())
        return ShardInfo(str(path), hash_file(path), path.stat().st_size, rows, tokens)


def _check_free_disk(text_bytes: int, folder: Path) -> None:
    # A copy dealt to shards, and zstd's third; a real overrun is caught while writing.
    needed = text_bytes * 3 // 2
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WorkFailed(
            f"{folder}: {free / 1e6:,.1f} MB free, the shards need about {needed / 1e6:,.1f} MB; "
            "free some disk space and rerun"
        )


def parquet_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of Parquet that compresses well, reads selectively and dedups between versions on the Hub."""
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=3,
        write_page_index=True,
        use_content_defined_chunking=True,
        use_dictionary=[_leaf(schema, name) for name in schema.names if name not in _NO_DICTIONARY],
        write_statistics=[_leaf(schema, name) for name in schema.names if name not in _NO_STATISTICS],
    )


def _leaf(schema: pa.Schema, name: str) -> str:
    return f"{name}.list.element" if pa.types.is_list(schema.field(name).type) else name


def write_claims(claims: Iterable["Claim"], folder: Path) -> ShardInfo:
    """Write claims.parquet of a corpus, in the order given (that of the spec)."""
    rows = [{name: _plain(getattr(claim, name)) for name in CLAIM_SCHEMA.names} for claim in claims]
    table = conform(pa.Table.from_pylist(rows, CLAIM_SCHEMA), CLAIM_SCHEMA)
    sink = pa.BufferOutputStream()
    with parquet_writer(sink, CLAIM_SCHEMA) as writer:
        writer.write_table(table)
    data = sink.getvalue().to_pybytes()
    write_durably(folder / "claims.parquet", data)
    return ShardInfo("claims.parquet", hashlib.sha256(data).hexdigest(), len(data), table.num_rows, 0)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def read_documents(corpus: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """All documents of a published corpus in shard order, or only some of their columns."""
    shards = shard_paths(corpus, read_manifest(corpus))
    tables = [pq.read_table(shard, columns=columns, partitioning=None) for shard in shards]
    return pa.concat_tables(tables) if tables else DOCUMENT_SCHEMA.empty_table()


def shard_paths(corpus: Path, manifest: Manifest) -> list[Path]:
    return [corpus / entry["path"] for entry in manifest["files"] if entry["path"].startswith("data/")]


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_shards(corpus: Path) -> list[str]:
    """What in the folder differs from its manifest, one line per problem; empty means whole."""
    listed = read_manifest(corpus)["files"]
    problems = [line for entry in listed for line in _differences(corpus, ShardInfo(**entry))]
    known = {entry["path"] for entry in listed}
    extra = sorted(f"data/{path.name}" for path in (corpus / "data").glob("*.parquet"))
    return problems + [f"{path}: not in the manifest" for path in extra if path not in known]


def _differences(corpus: Path, listed: ShardInfo) -> Iterator[str]:
    path = corpus / listed.path
    if not path.is_file():
        yield f"{listed.path}: missing"
        return
    if (size := path.stat().st_size) != listed.bytes:
        yield f"{listed.path}: {size:,} bytes, the manifest says {listed.bytes:,}"
    if hash_file(path) != listed.sha256:
        yield f"{listed.path}: SHA-256 differs from the manifest"
        return
    if path.suffix == ".parquet":
        yield from _count_differences(path, listed)


def _count_differences(path: Path, listed: ShardInfo) -> Iterator[str]:
    file = pq.ParquetFile(path)
    if file.metadata.num_rows != listed.rows:
        yield f"{listed.path}: {file.metadata.num_rows:,} rows, the manifest says {listed.rows:,}"
    if "n_tokens" in file.schema_arrow.names:
        tokens = int(pc.sum(file.read(["n_tokens"]).column("n_tokens")).as_py() or 0)
        if tokens != listed.tokens:
            yield f"{listed.path}: {tokens:,} tokens, the manifest says {listed.tokens:,}"

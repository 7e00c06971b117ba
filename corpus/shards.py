"""The Parquet files of a corpus: written whole or not at all, the same bytes from the same rows.

Columns are in `schema.py`, the list of files that makes them a corpus in `manifest.py`.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from specmill.specs.errors import WorkFailed

from .manifest import MANIFEST_NAME, disk_errors, fsync_folder, read_manifest, write_durably
from .schema import CLAIM_SCHEMA, DOCUMENT_SCHEMA, conform

if TYPE_CHECKING:
    from specmill.specs.claims import Claim

SHARD_BYTES = 256 << 20
ROW_GROUP_BYTES = 32 << 20  # of text: about 10,000 documents of 700 words; the Hub viewer wants < 100 MB
MAX_ROW_GROUP_ROWS = 20_000

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


def assign_train_order(doc_ids: Sequence[str], seed: int) -> pa.Array:
    """Position of each document in a shuffle that depends on seed and id only, not on the order given."""
    digests = [(hashlib.sha256(f"{seed}:{doc_id}".encode()).digest(), doc_id) for doc_id in doc_ids]
    ranks = np.empty(len(digests), dtype=np.int32)
    ranks[sorted(range(len(digests)), key=digests.__getitem__)] = np.arange(len(digests), dtype=np.int32)
    return pa.array(ranks)


def write_shards(
    rows: Iterable[pa.RecordBatch] | pa.Table, folder: Path, *, shard_bytes: int = SHARD_BYTES
) -> list[ShardInfo]:
    """Write `data/train-*.parquet` of a corpus, sorted by (first claim id, genre, doc_id).

    All shards are complete on disk before the first one gets its name, so a failure leaves an earlier
    corpus as it was. Then its manifest goes first: it would no longer be true.
    `shard_bytes` counts text before compression. Raises WorkFailed when the disk is too small.
    """
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches(rows, DOCUMENT_SCHEMA)
    table = conform(table, DOCUMENT_SCHEMA)
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    parts = _cut(table, _sort_order(table), shard_bytes)
    names = [f"train-{i:05d}-of-{len(parts):05d}.parquet" for i in range(len(parts))]
    temporaries = [data / f".{name}.tmp" for name in names]
    for left_over in data.glob(".*.tmp"):
        left_over.unlink()
    with disk_errors(data, *temporaries):
        shards = [
            _write_shard(table.take(part), temporary, name)
            for part, temporary, name in zip(parts, temporaries, names, strict=True)
        ]
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        for temporary, name in zip(temporaries, names, strict=True):
            temporary.replace(data / name)
        for stale in set(data.glob("train-*.parquet")) - {data / name for name in names}:
            stale.unlink()
        fsync_folder(data)
    return shards


def _sort_order(table: pa.Table) -> pa.Array:
    """Row numbers in the order (first claim id, genre, doc_id): min/max then prune, and text compresses."""
    doc_ids = table.column("doc_id")
    if pc.count_distinct(doc_ids).as_py() != table.num_rows:
        raise ValueError("a doc_id occurs twice")
    first = [ids[0] if ids else "" for ids in table.column("claim_ids").to_pylist()]
    keys = pa.table(
        {"claim": pa.array(first, pa.string()), "genre": table.column("genre"), "doc_id": doc_ids}
    )
    return pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])


def _cut(table: pa.Table, order: pa.Array, shard_bytes: int) -> list[pa.Array]:
    """The order in consecutive parts of about `shard_bytes` of text each; one empty part for no rows."""
    if not len(order):
        return [order]
    ends = np.cumsum(pc.binary_length(table.column("text")).take(order).to_numpy(), dtype=np.int64)
    n_parts = max(1, -(-int(ends[-1]) // shard_bytes))
    targets = ends[-1] * np.arange(1, n_parts) // n_parts
    cuts = sorted({0, *(int(cut) + 1 for cut in np.searchsorted(ends, targets)), len(order)})
    return [order.slice(start, end - start) for start, end in pairwise(cuts)]


def _write_shard(table: pa.Table, temporary: Path, name: str) -> ShardInfo:
    _check_free_disk(table, temporary.parent)
    with temporary.open("wb") as file:
        _write_parquet(table, file)
        file.flush()
        os.fsync(file.fileno())
    tokens = int(pc.sum(table.column("n_tokens")).as_py() or 0)
    size = temporary.stat().st_size
    return ShardInfo(f"data/{name}", hash_file(temporary), size, table.num_rows, tokens)


def _check_free_disk(table: pa.Table, folder: Path) -> None:
    needed = table.nbytes // 2  # zstd makes it about a third; a real overrun is caught while writing
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WorkFailed(
            f"{folder}: {free / 1e6:,.1f} MB free, the next shard needs about {needed / 1e6:,.1f} MB; "
            "free some disk space and rerun"
        )


def _write_parquet(table: pa.Table, file: BinaryIO) -> None:
    names = table.schema.names
    with pq.ParquetWriter(
        file,
        table.schema,
        compression="zstd",
        compression_level=3,
        write_page_index=True,
        use_content_defined_chunking=True,
        use_dictionary=[_leaf(table, name) for name in names if name not in _NO_DICTIONARY],
        write_statistics=[_leaf(table, name) for name in names if name not in _NO_STATISTICS],
    ) as writer:
        for group in _row_groups(table):
            writer.write_table(group, row_group_size=max(1, group.num_rows))


def _leaf(table: pa.Table, name: str) -> str:
    return f"{name}.list.element" if pa.types.is_list(table.schema.field(name).type) else name


def _row_groups(table: pa.Table) -> Iterator[pa.Table]:
    bytes_per_row = table.nbytes // max(1, table.num_rows)
    n_rows = min(MAX_ROW_GROUP_ROWS, max(1, ROW_GROUP_BYTES // max(1, bytes_per_row)))
    for start in range(0, max(1, table.num_rows), n_rows):
        yield table.slice(start, n_rows).combine_chunks()


def write_claims(claims: Iterable["Claim"], folder: Path) -> ShardInfo:
    """Write claims.parquet of a corpus, in the order given (that of the spec)."""
    rows = [{name: _plain(getattr(claim, name)) for name in CLAIM_SCHEMA.names} for claim in claims]
    table = conform(pa.Table.from_pylist(rows, CLAIM_SCHEMA), CLAIM_SCHEMA)
    sink = pa.BufferOutputStream()
    _write_parquet(table, sink)
    data = sink.getvalue().to_pybytes()
    write_durably(folder / "claims.parquet", data)
    return ShardInfo("claims.parquet", hashlib.sha256(data).hexdigest(), len(data), table.num_rows, 0)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def read_documents(corpus: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """All documents of a published corpus in shard order, or only some of their columns."""
    shards = [corpus / entry["path"] for entry in read_manifest(corpus)["files"] if _is_shard(entry["path"])]
    tables = [pq.read_table(shard, columns=columns, partitioning=None) for shard in shards]
    return pa.concat_tables(tables) if tables else DOCUMENT_SCHEMA.empty_table()


def _is_shard(path: str) -> bool:
    return path.startswith("data/")


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

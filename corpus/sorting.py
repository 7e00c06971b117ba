"""The order of a corpus' rows, however many: keys are sorted in memory, texts are dealt to one file a shard.

Two passes: the first reads keys and lengths and decides where each row goes, the second deals rows to a scratch
file per shard, each of which then fits into memory. DuckDB's external sort was tried and gave up at its limit.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .schema import DOCUMENT_SCHEMA, conform

ROW_GROUP_BYTES = 16 << 20  # of text: about 4,000 documents of 700 words; the Hub viewer wants < 100 MB
MAX_ROW_GROUP_ROWS = 20_000
_RANK = "rank"


def assign_train_order(doc_ids: Sequence[str], seed: int) -> pa.Array:
    """Position of each document in a shuffle that depends on seed and id only, not on the order given."""
    digests = [(hashlib.sha256(f"{seed}:{doc_id}".encode()).digest(), doc_id) for doc_id in doc_ids]
    ranks = np.empty(len(digests), dtype=np.int32)
    ranks[sorted(range(len(digests)), key=digests.__getitem__)] = np.arange(len(digests), dtype=np.int32)
    return pa.array(ranks)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each row goes, in the order the rows come in: its shard, its place among all, its place in training."""

    rows: pa.Table | Sequence[Path]
    shard: NDArray[np.int32]
    rank: NDArray[np.int32]
    train_order: pa.Array | None  # None where the rows have it
    n_shards: int
    text_bytes: int


def lay_out(rows: pa.Table | Sequence[Path], seed: int, shard_bytes: int) -> Layout:
    """Decide the order (first claim id, genre, doc_id), and shards that hold equal shares of the text.

    Min and max of the columns then prune, and alike texts compress. ValueError for a doc_id that comes twice.
    """
    keys, lengths, ordered = [_keys(DOCUMENT_SCHEMA.empty_table())], [np.empty(0, np.int64)], False
    for table in _tables(rows):
        keys.append(_keys(table))
        lengths.append(pc.binary_length(table.column("text")).to_numpy().astype(np.int64))
        ordered = "train_order" in table.column_names
    key = pa.concat_tables(keys)
    ids = key.column("doc_id")
    if pc.count_distinct(ids).as_py() != key.num_rows:
        raise ValueError("a doc_id occurs twice")
    order = pc.sort_indices(key, [(name, "ascending") for name in key.column_names]).to_numpy()
    ends = np.cumsum(np.concatenate(lengths)[order])
    text_bytes = int(ends[-1]) if len(ends) else 0
    n_shards = max(1, -(-text_bytes // shard_bytes))
    targets = text_bytes * np.arange(1, n_shards) // n_shards
    cuts = np.unique(np.searchsorted(ends, targets) + 1)
    cuts = cuts[cuts < len(order)]
    shard, rank = np.empty(len(order), np.int32), np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    shard[order] = np.searchsorted(cuts, np.arange(len(order)), side="right")
    train_order = None if ordered else assign_train_order(ids.to_pylist(), seed)
    return Layout(rows, shard, rank, train_order, int(shard.max(initial=0)) + 1, text_bytes)


def _keys(table: pa.Table) -> pa.Table:
    first = [ids[0] if ids else "" for ids in table.column("claim_ids").to_pylist()]
    columns = {"claim": pa.array(first, pa.string()), "genre": table.column("genre").cast(pa.string())}
    return pa.table({**columns, "doc_id": table.column("doc_id").cast(pa.string())})


def _tables(rows: pa.Table | Sequence[Path]) -> Iterator[pa.Table]:
    if isinstance(rows, pa.Table):
        yield rows
    else:
        yield from (pq.read_table(path, partitioning=None) for path in rows)


def row_groups(layout: Layout, scratch: Path) -> Iterator[Iterator[pa.Table]]:
    """Yield each shard as its row groups, in order; there is one empty shard for no rows."""
    scratch.mkdir(parents=True, exist_ok=True)
    files = [scratch / f"{number:05d}.arrow" for number in range(layout.n_shards)]
    schema = DOCUMENT_SCHEMA.append(pa.field(_RANK, pa.int32()))
    writers = [pa.ipc.new_file(str(file), schema) for file in files]
    try:
        for shard, part in _dealt(layout):
            writers[shard].write_table(part.cast(schema))
    finally:
        for writer in writers:
            writer.close()
    for file in files:
        with pa.memory_map(str(file)) as mapped:
            yield _groups(pa.ipc.open_file(mapped).read_all())
        file.unlink()


def _dealt(layout: Layout) -> Iterator[tuple[int, pa.Table]]:
    start = 0
    for table in _tables(layout.rows):
        here = slice(start, start + table.num_rows)
        start += table.num_rows
        if layout.train_order is not None:
            table = table.append_column("train_order", layout.train_order[here])
        table = conform(table, DOCUMENT_SCHEMA).append_column(_RANK, pa.array(layout.rank[here]))
        for shard in np.unique(layout.shard[here]).tolist():
            yield shard, table.filter(pa.array(layout.shard[here] == shard))


def _groups(shard: pa.Table) -> Iterator[pa.Table]:
    order = np.argsort(shard.column(_RANK).to_numpy())
    documents = shard.drop_columns([_RANK])
    start, size = 0, 0
    for place, length in enumerate(pc.binary_length(documents.column("text")).to_numpy()[order].tolist(), 1):
        size += length
        if size >= ROW_GROUP_BYTES or place - start == MAX_ROW_GROUP_ROWS or place == len(order):
            yield documents.take(order[start:place]).combine_chunks()
            start, size = place, 0
    if not len(order):
        yield DOCUMENT_SCHEMA.empty_table()

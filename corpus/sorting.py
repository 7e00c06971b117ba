"""The order of a corpus' rows, by an external sort: DuckDB keeps to a memory limit and spills to disk beyond it."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from specmill.specs.errors import WorkFailed

SORT_MEMORY = "600MB"
BATCH_ROWS = 2_048
Sorted = tuple[Iterator[pa.RecordBatch], int]


def assign_train_order(doc_ids: Sequence[str], seed: int) -> pa.Array:
    """Position of each document in a shuffle that depends on seed and id only, not on the order given."""
    digests = [(hashlib.sha256(f"{seed}:{doc_id}".encode()).digest(), doc_id) for doc_id in doc_ids]
    ranks = np.empty(len(digests), dtype=np.int32)
    ranks[sorted(range(len(digests)), key=digests.__getitem__)] = np.arange(len(digests), dtype=np.int32)
    return pa.array(ranks)


@contextmanager
def sorted_rows(rows: pa.Table | Sequence[Path], scratch: Path, seed: int) -> Iterator[Sorted]:
    """Batches in the order (first claim id, genre, doc_id), and the bytes of all texts: min and max then prune.

    Raises ValueError for a doc_id that occurs twice, WorkFailed where the scratch folder's disk is too small.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        config={"memory_limit": SORT_MEMORY, "temp_directory": str(scratch), "threads": 2}
    )
    try:
        _register(connection, rows, seed)
        text_bytes = connection.sql("SELECT coalesce(sum(strlen(text)), 0)::BIGINT FROM unsorted").fetchall()[
            0
        ][0]
        ordered = connection.sql("FROM unsorted ORDER BY coalesce(claim_ids[1], ''), genre, doc_id")
        yield iter(ordered.to_arrow_reader(BATCH_ROWS)), text_bytes
    except duckdb.Error as error:
        told = str(error).strip().splitlines()[0][:200]
        raise WorkFailed(
            f"{scratch}: sorting the documents failed ({told}); free some disk space and rerun"
        ) from error
    finally:
        connection.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _register(connection: duckdb.DuckDBPyConnection, rows: pa.Table | Sequence[Path], seed: int) -> None:
    """Make `unsorted`, the view of all rows with their `train_order`."""
    if isinstance(rows, pa.Table):
        connection.register("given", rows)
    else:
        connection.register("given", connection.read_parquet([str(path) for path in rows]))
    given = connection.table("given")
    ids: list[str] = given.select("doc_id").to_arrow_table().column(0).to_pylist()
    if len(set(ids)) < len(ids):
        raise ValueError("a doc_id occurs twice")
    if "train_order" in given.columns:
        connection.sql("CREATE TEMP VIEW unsorted AS FROM given")
        return
    places = pa.table({"doc_id": ids, "train_order": assign_train_order(ids, seed)})
    connection.register("places", places)
    connection.sql("CREATE TEMP VIEW unsorted AS FROM given JOIN places USING (doc_id)")

"""Documents that tell the same in other words: their vectors on disk, pairs that are close, each pair checked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .clusters import Pairs, Rows
from .dedup import Signed
from .embeddings import fit, open_encoder
from .semantic import Texts, retelling_pairs


def semantic_pairs(
    signed: Signed, rows: Rows, gated: Path, encoder_name: str, vectors: Path
) -> Iterator[Pairs]:
    """Yield blocks of pairs of positions in `rows` that retell each other by the encoder's documented thresholds.

    `rows` are in the order of ids, and so are the vectors: files and tasks decide nothing. The vectors stay in a
    file (rows x dimensions x 4 bytes), which the search reads in blocks.
    """
    by_task = _positions_by_task(signed, rows)
    texts = _texts(signed, rows, gated)
    encoder = fit(open_encoder(encoder_name), (text for at in by_task for text in texts(at)))
    stored = np.lib.format.open_memmap(vectors, "w+", np.float32, (len(rows), encoder.dim))
    for at in by_task:
        stored[at] = encoder.encode(texts(at))
    stored.flush()
    yield from retelling_pairs(np.load(vectors, mmap_mode="r"), encoder, texts)


def _positions_by_task(signed: Signed, rows: Rows) -> list[Rows]:
    tasks = signed.task[rows]
    order = np.argsort(tasks, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(tasks[order])) + 1) if len(rows) else []


def _texts(signed: Signed, rows: Rows, gated: Path) -> Texts:
    """A reader of the texts at some positions; it keeps the files it looked at last."""

    @lru_cache(maxsize=32)
    def column(task: int) -> pa.ChunkedArray:
        return pq.read_table(gated / f"{task:05d}.parquet", columns=["text"])["text"]

    def read(at: Rows) -> list[str]:
        chosen = rows[at]
        places = zip(signed.task[chosen].tolist(), signed.place[chosen].tolist(), strict=True)
        return [column(task)[place].as_py() for task, place in places]

    return read

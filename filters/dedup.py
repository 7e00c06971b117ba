"""Exact and near duplicates of a corpus: signed per task, paired, checked, joined, and one of each cluster kept.

datatrove's own four stages are left out: its signatures take 100 times as long as rensa's, its clusters join pairs
nobody checked, and its union-find keeps whichever member becomes the root. Here a pair counts when its documents
are equal but for case and whitespace, or when their word 5-grams really have the Jaccard similarity asked for.
Clusters are transitive. The member with the highest quality stays, ties by id, so neither order nor tasks matter.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from numpy.typing import NDArray

from .clusters import Pairs, Rows, clusters, elect, survivors
from .distinct import Repeat, spread
from .minhash import Signatures, candidate_pairs, sign
from .parsed import parse
from .shingles import Shingles, exact_hash, jaccard, shingle_hashes

_BLOCK = 10_000


class Sign(PipelineStep):
    """Leaves what the election needs of a task's documents in two files, and passes the documents on."""

    type, name = "DEDUP", "signatures"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        documents, shingles = [], []
        for document in data:  # one by one, while the words that the gates asked for are at hand
            shingles.append(shingle_hashes(parse(document.text).hashes))
            documents.append(document)
        self.folder.mkdir(parents=True, exist_ok=True)
        np.concatenate([*shingles, np.empty(0, np.uint64)]).tofile(self.folder / f"{rank:05d}.shingles")
        with (self.folder / f"{rank:05d}.npz").open("wb") as file:
            np.savez(
                file,
                signatures=sign(shingles),
                ends=np.cumsum([0, *map(len, shingles)], dtype=np.int64),
                exact=np.array([exact_hash(document.text) for document in documents], "S16"),
                ids=np.array([document.id for document in documents], "S"),
                quality=np.array([quality(document) for document in documents], np.float64),
            )
        yield from documents


def quality(document: Document) -> float:
    """Rank of a document among its duplicates: a reason stated, then claims expressed, then words."""
    row = document.metadata
    return float(row["states_reason"] << 40 | len(row["claims_expressed"]) << 20 | row["n_words"])


@dataclass(frozen=True, slots=True)
class Signed:
    """All documents of all tasks in the order of their ids; `task` and `place` say where each one stands."""

    ids: NDArray[np.bytes_]
    quality: NDArray[np.float64]
    exact: NDArray[np.bytes_]
    signatures: Signatures
    task: NDArray[np.int32]
    place: NDArray[np.int32]  # within the task's gated rows


def read_signed(folder: Path) -> Signed:
    parts: dict[str, list[Any]] = {name: [] for name in ("ids", "quality", "exact", "signatures")}
    tasks, places = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as task:
            for name, arrays in parts.items():
                arrays.append(task[name])
        n = len(parts["ids"][-1])
        tasks.append(np.full(n, int(file.stem), np.int32))
        places.append(np.arange(n, dtype=np.int32))
    task, place = np.concatenate(tasks), np.concatenate(places)
    columns = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    parts.clear()
    order = np.lexsort((columns["exact"], columns["ids"]))
    return Signed(
        **{name: array[order] for name, array in columns.items()}, task=task[order], place=place[order]
    )


@dataclass(frozen=True, slots=True)
class Duplicate:
    place: int
    reason: str
    kept_id: str


Likeness = Callable[[Signed, Rows], Iterator[Pairs]]  # of rows that are left: pairs of positions among them


def find_duplicates(
    folder: Path,
    threshold: float,
    likeness: Likeness | None = None,
    repeats: Mapping[str, Repeat] | None = None,
) -> dict[int, list[Duplicate]]:
    """The documents to drop, by task and in the order of their places.

    `likeness` looks at those that neither exact nor near duplicates have removed, for a third kind of pairs.
    """
    signed = read_signed(folder)
    same = clusters(len(signed.ids), [_equal_pairs(signed.exact)])
    joined = clusters(len(signed.ids), [_equal_pairs(signed.exact), *_near_pairs(signed, folder, threshold)])
    kept = _elect(signed, joined, np.arange(len(joined)))
    instead = survivors(joined, kept)
    reasons = np.where(same == same[instead], "exact_duplicate", "near_duplicate").astype("U20")
    if likeness:
        rows = np.flatnonzero(kept)
        alike = clusters(len(rows), likeness(signed, rows))
        stays = _elect(signed, alike, rows)
        reasons[rows[~stays]] = "semantic_duplicate"
        instead = rows[survivors(alike, stays)][np.searchsorted(rows, instead)]
        kept[rows[~stays]] = False
    ids = [doc_id.decode() for doc_id in signed.ids]
    elsewhere = spread(
        repeats or {}, instead, ids
    )  # `instead` names each row's cluster: by the member that stays
    kept &= np.array([doc_id not in elsewhere for doc_id in ids], np.bool_)
    return _by_task(signed, np.flatnonzero(~kept), instead, reasons, elsewhere)


def _elect(signed: Signed, labels: Rows, rows: Rows) -> NDArray[np.bool_]:
    return elect(labels, signed.quality[rows], [doc_id.decode() for doc_id in signed.ids[rows]])


def _by_task(
    signed: Signed, dropped: Rows, instead: Rows, reasons: NDArray[np.str_], elsewhere: Mapping[str, Repeat]
) -> dict[int, list[Duplicate]]:
    duplicates: dict[int, list[Duplicate]] = {}
    for row in dropped[np.lexsort((signed.place[dropped], signed.task[dropped]))].tolist():
        place, repeat = int(signed.place[row]), elsewhere.get(signed.ids[row].decode())
        found = (
            Duplicate(place, repeat.reason, f"{repeat.corpus}/{repeat.doc_id}")
            if repeat
            else Duplicate(place, str(reasons[row]), signed.ids[instead[row]].decode())
        )
        duplicates.setdefault(int(signed.task[row]), []).append(found)
    return duplicates


def _equal_pairs(values: NDArray[Any]) -> Pairs:
    """Chains of neighbours with equal values."""
    order = np.argsort(values, kind="stable")
    equal = np.flatnonzero(values[order][1:] == values[order][:-1])
    return np.stack([order[equal], order[equal + 1]], 1)


def _near_pairs(signed: Signed, folder: Path, threshold: float) -> Iterator[Pairs]:
    """Candidates whose word 5-grams have the Jaccard similarity asked for."""
    stored = StoredShingles(folder)
    pairs = candidate_pairs(signed.signatures, threshold)
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        places = zip(signed.task[block].tolist(), signed.place[block].tolist(), strict=True)
        alike = [
            jaccard(stored.of(*first), stored.of(*second)) >= threshold
            for first, second in (zip(*pair, strict=True) for pair in places)
        ]
        yield block[np.array(alike, np.bool_)]


class StoredShingles:
    """Reads the shingles of single documents back: all of them together are larger than memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.of = lru_cache(maxsize=10_000)(self._read)
        self._ends = lru_cache(maxsize=None)(self._read_ends)

    def _read(self, task: int, place: int) -> Shingles:
        start, end = self._ends(task)[place : place + 2].tolist()
        file = self.folder / f"{task:05d}.shingles"
        return np.fromfile(file, np.uint64, count=end - start, offset=start * 8)

    def _read_ends(self, task: int) -> NDArray[np.int64]:
        with np.load(self.folder / f"{task:05d}.npz") as stored:
            ends: NDArray[np.int64] = stored["ends"]
        return ends

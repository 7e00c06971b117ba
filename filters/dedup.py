"""Exact and near duplicates: datatrove's MinHash, with every pair checked before anything is dropped.

datatrove signs (stage 1), finds pairs that share a bucket (stage 2) and drops (stage 4). Its stage 3 joins pairs
unchecked into clusters and keeps whichever member the union-find makes the root. `elect_kept` replaces that: a
document goes only if its Jaccard similarity with a *kept, earlier* one really reaches the threshold. So the first
in plan order stays, no chain A~B~C drops C for resembling a dropped B, and buckets may be loose and miss little.

Exact duplicates (equal but for case and whitespace) are found in the same pass over hashes: datatrove's own three
stages for them would cost two more executors and name no survivor.
"""

import json
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupSignature
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.text import TextNormConfig
from numpy.typing import NDArray

# A pair of similarity s is found with probability 1 - (1 - s^5)^24: 0.988 at 0.7, 0.9999 at 0.8; 0.53 at 0.5, which
# costs a check. datatrove's default of 14 buckets of 8 finds 0.56 at 0.7.
N_BUCKETS = 24


def minhash_config() -> Any:
    # Folding diacritics drops the vowel marks of Indic scripts, and is a third of the signing time.
    folding = TextNormConfig(norm_unicode_diacritics=False)
    return MinhashConfig(n_grams=5, num_buckets=N_BUCKETS, hashes_per_bucket=5, norm_config=folding)


def find_pairs(folder: Path) -> None:
    """datatrove's stage 2, bucket after bucket: it takes half a second, and an executor as long again to start."""
    step = MinhashDedupBuckets(
        str(folder / "signatures"), str(folder / "pairs"), config=minhash_config(), lines_to_buffer=-1
    )
    for bucket in range(N_BUCKETS):
        step.run(None, bucket, N_BUCKETS)


class SignAndForward(MinhashDedupSignature):
    """datatrove's stage 1 that also keeps each document's shingles and exact hash, and passes the documents on."""

    def __init__(self, folder: Path, language: Any) -> None:
        super().__init__(str(folder / "signatures"), minhash_config(), language=language)
        self.shingle_folder = folder / "shingles"
        self._shingles: list[NDArray[np.uint64]] = []

    def get_shingles(self, text: str) -> Any:
        shingles = np.unique(super().get_shingles(text))
        self._shingles.append(shingles)
        return shingles.reshape(-1, 1)

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        documents = list(data)
        self._shingles = []
        super().run(iter(documents), rank, world_size)
        self.shingle_folder.mkdir(parents=True, exist_ok=True)
        with (self.shingle_folder / f"{rank:05d}.npz").open("wb") as file:
            np.savez(
                file,
                shingles=np.concatenate(self._shingles) if documents else np.empty(0, np.uint64),
                ends=np.cumsum([len(shingles) for shingles in self._shingles], dtype=np.int64),
                exact=np.array([exact_hash(document.text) for document in documents], "U32"),
                ids=np.array([document.id for document in documents], "U"),
                plan_order=np.array([document.metadata["plan_order"] for document in documents], np.int64),
            )
        yield from documents


def exact_hash(text: str) -> str:
    """Equal for texts that differ in case and whitespace only."""
    return blake2b(
        " ".join(text.casefold().split()).encode("utf-8", "surrogatepass"), digest_size=16
    ).hexdigest()


@dataclass(frozen=True, slots=True)
class _Signed:
    rank: int
    index: int  # within the rank's gated rows
    doc_id: str
    plan_order: int
    exact: str
    shingles: NDArray[np.uint64] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Duplicate:
    rank: int
    index: int
    reason: str
    kept_id: str


def elect_kept(folder: Path, threshold: float) -> list[Duplicate]:
    """Decide in plan order who stays; everyone else is named with the kept document it duplicates."""
    documents = sorted(
        _read_signed(folder / "shingles"), key=lambda doc: (doc.plan_order, doc.rank, doc.index)
    )
    runs_of = _bucket_runs(folder / "pairs")
    first: dict[str, str] = {}
    kept_in: defaultdict[int, list[_Signed]] = defaultdict(list)
    duplicates = []
    for doc in documents:
        if doc.exact in first:
            duplicates.append(Duplicate(doc.rank, doc.index, "exact_duplicate", first[doc.exact]))
            continue
        runs = runs_of[doc.rank, doc.index]
        rivals = {
            (rival.plan_order, rival.rank, rival.index): rival for run in runs for rival in kept_in[run]
        }
        likenesses = (
            (rivals[place], jaccard(doc.shingles, rivals[place].shingles)) for place in sorted(rivals)
        )
        twin = next((rival for rival, likeness in likenesses if likeness >= threshold), None)
        first[doc.exact] = twin.doc_id if twin else doc.doc_id
        if twin:
            duplicates.append(Duplicate(doc.rank, doc.index, "near_duplicate", twin.doc_id))
            continue
        for run in runs:
            kept_in[run].append(doc)
    return duplicates


def _read_signed(folder: Path) -> Iterator[_Signed]:
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as signed:
            shingles = np.split(signed["shingles"], signed["ends"][:-1]) if len(signed["ends"]) else []
            columns = zip(signed["ids"], signed["plan_order"], signed["exact"], shingles, strict=True)
            for index, (doc_id, order, exact, own) in enumerate(columns):
                yield _Signed(int(file.stem), index, str(doc_id), int(order), str(exact), own)


def _bucket_runs(folder: Path) -> defaultdict[tuple[int, int], list[int]]:
    """(rank, index) -> numbers of the runs it stands in. A run is all documents with one signature in one bucket;
    stage 2 wrote it as a chain of neighbours: (a, b), (b, c) ..."""
    runs: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    run = 0
    for file in sorted(folder.glob("*.dups")):
        previous: tuple[int, int] | None = None
        for rank_a, index_a, rank_b, index_b in np.fromfile(file, "<u4").reshape(-1, 4).tolist():
            if previous != (rank_a, index_a):
                run += 1
                runs[rank_a, index_a].append(run)
            previous = (rank_b, index_b)
            runs[previous].append(run)
    return runs


def jaccard(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> float:
    """Jaccard similarity of two sorted sets of shingles."""
    if not len(first) or not len(second):
        return 0.0
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


def write_elected(duplicates: Sequence[Duplicate], folder: Path) -> None:
    """The removal lists that datatrove's stage 4 reads, and who was kept instead, for the dropped rows."""
    folder.mkdir(parents=True, exist_ok=True)
    by_rank: defaultdict[int, list[Duplicate]] = defaultdict(list)
    for duplicate in sorted(duplicates, key=lambda duplicate: (duplicate.rank, duplicate.index)):
        by_rank[duplicate.rank].append(duplicate)
    for rank, removed in by_rank.items():
        data = struct.pack(f"<{len(removed)}I", *(duplicate.index for duplicate in removed))
        (folder / f"{rank:06d}.remove").write_bytes(data)
        (folder / f"{rank:06d}.json").write_text(json.dumps([[d.reason, d.kept_id] for d in removed]))


class DuplicateWriter(ParquetWriter):
    """Writes what datatrove's stage 4 removes; the n-th removal of a rank is the n-th line of the elected list."""

    def __init__(self, elected: Path, folder: Path, **options: Any) -> None:
        super().__init__(str(folder), **options)
        self.elected = elected
        self._named: Iterator[list[str]] | None = None

    def write(self, document: Any, rank: int = 0, **named: Any) -> None:
        if self._named is None:
            self._named = iter(json.loads((self.elected / f"{rank:06d}.json").read_text()))
        document.metadata["filter_reason"], document.metadata["filter_detail"] = next(self._named)
        super().write(document, rank, **named)

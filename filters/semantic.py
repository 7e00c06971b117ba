"""Semantic near duplicates: pairs of near vectors in bounded memory, and a check of each pair's sentences.

Up to `EXACT_ROWS` rows every pair is looked at, block by block. Above, rows are dealt to clusters (spherical
k-means on a seeded sample, as in SemDeDup, arXiv 2303.09540) and each is compared with its own cluster and the
nearest others only: a pair is found if either row's probes reach the other's cluster.

Two documents about the same claims in the same surroundings have near vectors too. What tells a retelling is that
nearly each sentence of the one has its counterpart in the other: `aligned_pairs` asks for that.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clusters import Pairs
from .embeddings import Encoder
from .words import split_sentences


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`cosine` of two documents; `alignment`: mean cosine of each sentence to its best counterpart, both ways."""

    cosine: float
    alignment: float


# By kind of encoder, `hashed` and `static` fitted to the corpus (`embeddings.fit`). Measured on retellings by rule
# of the built-in writer's documents (tests/filters/paraphrases.py), which no MinHash at 0.7 finds.
DUPLICATE = {
    "hashed": Thresholds(0.64, 0.58),
    "static": Thresholds(0.66, 0.71),
    "st": Thresholds(0.86, 0.75),
}

EXACT_ROWS = 50_000
PROBES = 8
_ROUNDS = 5
_SAMPLE_PER_CLUSTER = 50
_ROWS_AT_ONCE, _COLUMNS_AT_ONCE = 1_024, 4_096  # a block of cosines takes 16 MiB
_PAIRS_AT_ONCE = 256
_DECIMALS = 5

Matrix = NDArray[np.float32]
_Rows = NDArray[np.int64]
Texts = Callable[[_Rows], Sequence[str]]  # reads documents by row


def duplicate_thresholds(name: str) -> Thresholds:
    """The documented thresholds of an encoder, by its spelling (`hashed`, `static:...`, `st:...`)."""
    return DUPLICATE[name.partition(":")[0]]


def retelling_pairs(
    vectors: Matrix,
    encoder: Encoder,
    texts: Texts,
    thresholds: Thresholds | None = None,
    *,
    seed: int = 0,
    split: int = 0,
) -> Iterator[Pairs]:
    """Yield the pairs that are near and aligned, for `clusters.clusters`; `vectors` are `encoder`'s of all rows.

    `split`: as in `similar_pairs`.
    """
    limits = thresholds or duplicate_thresholds(encoder.name)
    near = similar_pairs(vectors, limits.cosine, seed=seed, split=split)
    return aligned_pairs(near, encoder, texts, limits.alignment)


def similar_pairs(
    vectors: Matrix,
    threshold: float,
    *,
    seed: int = 0,
    exact_rows: int = EXACT_ROWS,
    probes: int = PROBES,
    split: int = 0,
) -> Iterator[Pairs]:
    """Yield blocks of pairs (row, larger row), shape (m, 2), whose cosine is at least `threshold`; each pair once.

    `vectors`: (n, dim) of unit rows; may be a memory map, of which a few thousand rows are read at a time.
    A cosine is taken again in double precision and rounded to 5 decimals before it is compared, so threads and
    block sizes don't decide. Rows of zeros resemble nothing. With a `split`, only pairs of a row below it and one
    from it on are wanted: those between two corpora whose vectors lie one after the other.
    """
    n_cosines = split * (len(vectors) - split) if split else len(vectors) ** 2 / 2
    if n_cosines <= exact_rows**2 / 2:
        yield from _between(vectors, threshold, split) if split else _exact(vectors, threshold)
        return
    for pairs in _clustered(vectors, threshold, seed, probes):
        across = pairs[(pairs[:, 0] < split) & (pairs[:, 1] >= split)] if split else pairs
        if len(across):
            yield across


def _between(vectors: Matrix, threshold: float, split: int) -> Iterator[Pairs]:
    for pairs in _compare(vectors, np.arange(split), np.arange(split, len(vectors)), threshold):
        if len(pairs):
            yield pairs


def _exact(vectors: Matrix, threshold: float) -> Iterator[Pairs]:
    rows = np.arange(len(vectors))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        for pairs in _compare(vectors, rows[start : start + _ROWS_AT_ONCE], rows[start:], threshold):
            fresh = pairs[pairs[:, 0] < pairs[:, 1]]
            if len(fresh):
                yield fresh


def _compare(vectors: Matrix, mine: _Rows, others: _Rows, threshold: float) -> Iterator[Pairs]:
    """Blocks of pairs (one of `mine`, one of `others`); a row that stands in both is paired with itself too."""
    for first in range(0, len(mine), _ROWS_AT_ONCE):
        left = np.asarray(vectors[mine[first : first + _ROWS_AT_ONCE]])
        for second in range(0, len(others), _COLUMNS_AT_ONCE):
            right = np.asarray(vectors[others[second : second + _COLUMNS_AT_ONCE]])
            rows, columns = np.nonzero(left @ right.T >= threshold - 1e-4)
            sure = _cosines(left, right, rows, columns) >= threshold
            yield np.stack([mine[first + rows[sure]], others[second + columns[sure]]], 1)


def _cosines(left: Matrix, right: Matrix, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
    found = [
        (left[rows[start : start + 8_192]].astype(np.float64) * right[columns[start : start + 8_192]]).sum(1)
        for start in range(0, len(rows), 8_192)
    ]
    return np.concatenate(found).round(_DECIMALS) if found else np.empty(0)


# --- sentences ------------------------------------------------------------------------------------------------


def aligned_pairs(
    pairs: Iterable[Pairs], encoder: Encoder, texts: Texts, alignment: float
) -> Iterator[Pairs]:
    """Keep the pairs whose sentences match: the mean over a document's characters of each sentence's highest cosine
    with a sentence of the other, averaged over both directions and rounded to 4 decimals, reaches `alignment`.

    `texts(rows)` reads documents by row; a few hundred stand in memory at a time.
    """
    for block in pairs:
        for start in range(0, len(block), _PAIRS_AT_ONCE):
            some = block[start : start + _PAIRS_AT_ONCE]
            yield some[_alignments(some, encoder, texts) >= alignment]


def _alignments(pairs: Pairs, encoder: Encoder, texts: Texts) -> NDArray[np.float64]:
    rows = np.unique(pairs)
    split = [split_sentences(text) for text in texts(rows)]
    distinct = sorted({sentence for sentences in split for sentence in sentences})
    vectors = encoder.encode(distinct)
    number = {sentence: place for place, sentence in enumerate(distinct)}
    told = [vectors[[number[sentence] for sentence in sentences]] for sentences in split]
    lengths = [np.array([len(sentence) for sentence in sentences], np.float64) for sentences in split]
    found = np.zeros(len(pairs))
    for place, (first, second) in enumerate(np.searchsorted(rows, pairs).tolist()):
        if len(lengths[first]) and len(lengths[second]):
            cosines = (told[first] @ told[second].T).astype(np.float64)
            there = np.average(cosines.max(1), weights=lengths[first])
            back = np.average(cosines.max(0), weights=lengths[second])
            found[place] = (there + back) / 2
    return found.round(4)


# --- above EXACT_ROWS -----------------------------------------------------------------------------------------


def _clustered(vectors: Matrix, threshold: float, seed: int, probes: int) -> Iterator[Pairs]:
    centres = _centres(vectors, round(len(vectors) ** 0.5), seed)
    probed = _nearest_centres(vectors, centres, min(probes, len(centres)))
    home = probed[:, 0]
    by_cluster = np.argsort(probed.ravel(), kind="stable")  # entries (row, probe) of cluster 0, 1, ...
    ends = np.cumsum(np.bincount(probed.ravel(), minlength=len(centres)))
    for cluster, entries in enumerate(np.split(by_cluster, ends[:-1])):
        visitors = entries // probed.shape[1]
        members = visitors[home[visitors] == cluster]
        for pairs in _compare(vectors, visitors, members, threshold):
            # A pair comes up twice if both rows probe the other's cluster: it is kept where the smaller one visits.
            both = (probed[pairs[:, 1]] == home[pairs[:, 0], None]).any(1)
            fresh = pairs[(pairs[:, 0] < pairs[:, 1]) | ((pairs[:, 0] > pairs[:, 1]) & ~both)]
            if len(fresh):
                yield np.sort(fresh, 1)


def _centres(vectors: Matrix, n_clusters: int, seed: int) -> NDArray[np.float64]:
    """Spherical k-means on a seeded sample, (k, dim); double precision and rounding keep threads out of it."""
    rng = np.random.default_rng(seed)
    n_sample = min(len(vectors), n_clusters * _SAMPLE_PER_CLUSTER)
    chosen = np.sort(rng.choice(len(vectors), n_sample, replace=False))
    sample = np.asarray(vectors[chosen], np.float64)
    centres = sample[rng.choice(n_sample, n_clusters, replace=False)]
    for _ in range(_ROUNDS):
        nearest = _nearest_centres(sample, centres, 1)[:, 0]
        order = np.argsort(nearest, kind="stable")
        filled, starts = np.unique(nearest[order], return_index=True)
        summed = np.add.reduceat(sample[order], starts)
        length = np.linalg.norm(summed, axis=1, keepdims=True)
        centres[filled] = np.where(
            length > 0, summed / np.maximum(length, 1e-12), centres[filled]
        )  # empty ones stay
        centres = centres.round(6)
    return centres


def _nearest_centres(vectors: NDArray[Any], centres: NDArray[np.float64], n: int) -> NDArray[np.int32]:
    """Numbers of the `n` nearest centres, nearest first, (rows, n); cosines equal to 5 decimals go by number."""
    centres = centres.astype(vectors.dtype)
    found = np.empty((len(vectors), n), np.int32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        cosines = np.asarray(vectors[start : start + _ROWS_AT_ONCE]) @ centres.T
        keys = np.rint(cosines * -(10**_DECIMALS)).astype(np.int64) * len(centres) + np.arange(len(centres))
        nearest = np.argpartition(keys, n - 1, axis=1)[:, :n]
        nearest_first = np.argsort(np.take_along_axis(keys, nearest, 1), axis=1)
        found[start : start + len(keys)] = np.take_along_axis(nearest, nearest_first, 1)
    return found

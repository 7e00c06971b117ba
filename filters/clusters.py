"""Transitive clusters of pairs, and the one member of each that stays. Serves MinHash and semantic pairs alike."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Pairs = NDArray[np.int64]  # (m, 2): row numbers


def clusters(n: int, pairs: Iterable[Pairs]) -> Rows:
    """Label `n` rows by connected component: the label is the component's smallest row. Shape (n,).

    `pairs` come in blocks of shape (m, 2), so that they never all stand in memory; their order, their direction and
    repeated ones change nothing. Memory: 8 bytes a row and one block.

    >>> clusters(5, [np.array([[3, 1]]), np.array([[4, 3]])]).tolist()
    [0, 1, 2, 1, 1]
    """
    parent = np.arange(n, dtype=np.int64)
    for block in pairs:
        if len(block):
            _join(parent, np.asarray(block, np.int64))
    return _roots(parent, parent)


def _join(parent: Rows, pairs: Pairs) -> None:
    """Hang the larger root of every pair below the smaller one until no pair has two roots.

    A parent is never larger than its child, so there are no cycles and the last root is the smallest row.
    """
    first, second = pairs[:, 0], pairs[:, 1]
    while True:
        roots_first, roots_second = _roots(parent, first), _roots(parent, second)
        apart = roots_first != roots_second
        if not apart.any():
            parent[first], parent[second] = roots_first, roots_second
            return
        low, high = np.minimum(roots_first, roots_second), np.maximum(roots_first, roots_second)
        np.minimum.at(parent, high[apart], low[apart])


def _roots(parent: Rows, rows: Rows) -> Rows:
    while True:
        above = parent[rows]
        if np.array_equal(above, rows):
            return above
        rows = above


def elect(
    labels: Rows, quality: Sequence[float] | NDArray[np.float64], ids: Sequence[str]
) -> NDArray[np.bool_]:
    """Return the kept mask, shape (n,): in each cluster the highest quality, ties by smallest id.

    The order of the rows never matters, whatever the labels are. A quality that is NaN loses to every number.

    >>> elect(np.array([0, 0, 2]), [0.5, 0.5, 0.1], ["b", "a", "c"]).tolist()
    [False, True, True]
    """
    score = np.asarray(quality, np.float64)
    score = np.where(np.isnan(score), -np.inf, score)
    order = np.lexsort((np.asarray(ids, dtype=np.str_), -score, labels))
    kept = np.zeros(len(labels), np.bool_)
    first = np.ones(len(labels), np.bool_)
    first[1:] = labels[order][1:] != labels[order][:-1]
    kept[order[first]] = True
    return kept


def survivors(labels: Rows, kept: NDArray[np.bool_]) -> Rows:
    """Return for every row the kept row of its cluster, shape (n,): whom a dropped document duplicates."""
    kept_of = np.full(len(labels), -1, np.int64)
    kept_of[labels[kept]] = np.flatnonzero(kept)
    return kept_of[labels]

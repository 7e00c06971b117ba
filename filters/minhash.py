"""MinHash signatures by rensa, and the pairs of rows that are worth a check.

A pair of similarity s is a candidate with probability 1 - (1 - s^5)^24: 0.988 at 0.7, 0.9999 at 0.8; 0.53 at 0.5.
"""

from collections.abc import Sequence

import numpy as np
import rensa
from numpy.typing import NDArray

from .clusters import Pairs
from .shingles import Shingles, jaccard

BANDS, ROWS = 24, 5
# How far below the threshold an estimate from all 120 values may lie: four standard deviations at 0.7.
SLACK = 0.17
MAX_RUN = 30  # rows that agree in a band, up to which all pairs are looked at
_CHUNK = 50_000  # pairs whose signatures are compared at a time: 50 MB
Signatures = NDArray[np.uint32]  # (rows, BANDS * ROWS)


def sign(shingles: Sequence[Shingles], seed: int = 1) -> Signatures:
    """MinHash values, shape (rows, 120). A row without shingles has all bits set and matches nothing."""
    if not shingles:
        return np.empty((0, BANDS * ROWS), np.uint32)
    ends = np.cumsum([0, *map(len, shingles)], dtype=np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        np.concatenate(shingles), ends, num_perm=BANDS * ROWS, seed=seed
    )
    return np.array(matrix.to_rows(), np.uint32).reshape(len(shingles), BANDS * ROWS)


def candidate_pairs(signatures: Signatures, threshold: float) -> Pairs:
    """Row pairs that agree in a band and whose estimated similarity is not far below the threshold: (m, 2), sorted.

    Of more than MAX_RUN rows that agree, each is paired with the first and with its neighbour: enough to join alike
    ones. Which is the first depends on the order of rows, so give rows in an order of their own, such as by id.
    """
    n = len(signatures)
    filled = np.flatnonzero((signatures != np.iinfo(np.uint32).max).any(1))
    codes = np.empty(0, np.int64)
    for band in range(BANDS):
        values = signatures[filled, band * ROWS : (band + 1) * ROWS]
        pairs = np.sort(filled[_equal_rows(fold_rows(values))], 1)
        fresh = np.setdiff1d(pairs[:, 0] * n + pairs[:, 1], codes)
        alike = [
            _alike(signatures, fresh[start : start + _CHUNK], threshold)
            for start in range(0, len(fresh), _CHUNK)
        ]
        codes = np.union1d(codes, np.concatenate([*alike, codes[:0]]))
    return np.stack(np.divmod(codes, max(1, n)), 1)


def _alike(signatures: Signatures, codes: NDArray[np.int64], threshold: float) -> NDArray[np.int64]:
    first, second = np.divmod(codes, len(signatures))
    close: NDArray[np.bool_] = (signatures[first] == signatures[second]).mean(1) >= threshold - SLACK
    return codes[close]


def fold_rows(values: Signatures) -> NDArray[np.uint64]:
    """One number per row; two rows with the same number by chance only cost a look."""
    folded = np.zeros(len(values), np.uint64)
    for column in values.T:
        folded = folded * np.uint64(0x9E3779B97F4A7C15) + column
    return folded


def _equal_rows(keys: NDArray[np.uint64]) -> Pairs:
    """Pairs of places with equal keys, those of long runs thinned out, smaller place first."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(keys) else np.empty(0, np.int64)
    sizes = np.diff(np.r_[starts, len(keys)])
    run_start, run_size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    found = [np.empty((0, 2), np.int64)]
    long = np.flatnonzero((run_size > MAX_RUN) & (run_start != np.arange(len(keys))))
    found.append(np.stack([order[run_start[long]], order[long]], 1))
    for step in range(1, MAX_RUN):
        fits = (run_size[:-step] <= MAX_RUN) | (step == 1)
        places = np.flatnonzero((ordered[step:] == ordered[:-step]) & fits)
        if not len(places):
            break
        found.append(np.stack([order[places], order[places + step]], 1))
    return np.concatenate(found)


def jaccard_pairs(sets: Sequence[Shingles], threshold: float, seed: int = 1) -> Pairs:
    """All pairs of rows whose shingles reach the threshold, shape (m, 2), for sets that fit into memory."""
    found = {
        (first, second)
        for first, second in candidate_pairs(sign(sets, seed), threshold).tolist()
        if jaccard(sets[first], sets[second]) >= threshold
    }
    return np.array(sorted(found), np.int64).reshape(-1, 2)

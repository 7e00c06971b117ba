"""A text's word n-grams as 64-bit hashes: what MinHash samples, and what its pairs are checked against."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import xxhash
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]  # one per word, or one per run of n words, in the order of the text
Shingles = NDArray[np.uint64]  # sorted, distinct
_MOST_WORDS = 200_000
_STEP = np.uint64(0xD6E8FEB86659FD93)  # odd, as a multiplier modulo 2^64 has to be


class _WordHashes(dict[str, int]):
    """Hashes of the words seen so far; faster to ask than a cached function."""

    def __missing__(self, word: str) -> int:
        found = xxhash.xxh3_64_intdigest(word.casefold().encode("utf-8", "surrogatepass"))
        if len(self) < _MOST_WORDS:
            self[word] = found
        return found


_HASHES = _WordHashes()


def hash_words(words: Sequence[str]) -> Hashes:
    """A hash per word, case aside."""
    return np.fromiter(map(_HASHES.__getitem__, words), np.uint64, len(words))


def hash_runs(hashes: Hashes, n: int) -> Hashes:
    """A hash per `n` neighbouring words; none where there are fewer.

    Words are hashed one by one and joined by a polynomial: hashing joined strings takes three times as long.
    """
    runs = np.zeros(max(0, len(hashes) - n + 1), np.uint64)
    for start in range(n):
        runs = runs * _STEP + hashes[start : start + len(runs)]
    return runs


def shingle(words: Sequence[str], n: int = 5) -> Shingles:
    """Sorted distinct hashes of all `n` neighbouring words, case aside; of all words where they are fewer."""
    return shingle_hashes(hash_words(words), n)


def shingle_hashes(hashes: Hashes, n: int = 5) -> Shingles:
    """`shingle` of words that are hashed already."""
    runs = np.sort(hash_runs(hashes, min(n, len(hashes)))) if len(hashes) else hashes
    return runs[np.r_[True, runs[1:] != runs[:-1]]] if len(runs) else runs


def jaccard(first: Shingles, second: Shingles) -> float:
    """Jaccard similarity of two sorted sets of shingles, 0..1; 0 for an empty one."""
    if not len(first) or not len(second):
        return 0.0
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


def exact_hash(text: str) -> bytes:
    """16 bytes, equal for texts that differ in case and whitespace only."""
    folded = " ".join(text.casefold().split()).encode("utf-8", "surrogatepass")
    return blake2b(folded, digest_size=16).digest()

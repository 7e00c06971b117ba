"""A text's word n-grams as 64-bit hashes: what MinHash samples, and what its pairs are checked against."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import xxhash
from numpy.typing import NDArray

Shingles = NDArray[np.uint64]
_STEP = np.uint64(0xD6E8FEB86659FD93)  # odd, as a multiplier modulo 2^64 has to be


def shingle(words: Sequence[str], n: int = 5) -> Shingles:
    """Sorted distinct hashes of all `n` neighbouring words, case aside; of all words where they are fewer.

    Words are hashed one by one and joined by a polynomial: hashing joined strings takes three times as long.
    """
    hashes = np.fromiter(map(_hash_word, words), np.uint64, len(words))
    size = min(n, len(hashes))
    if not size:
        return hashes
    grams = np.zeros(len(hashes) - size + 1, np.uint64)
    for start in range(size):
        grams = grams * _STEP + hashes[start : start + len(grams)]
    return np.unique(grams)


@lru_cache(maxsize=200_000)
def _hash_word(word: str) -> int:
    return xxhash.xxh3_64_intdigest(word.casefold().encode("utf-8", "surrogatepass"))


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

"""Samples that depend on document ids and a seed only: never on the order of documents, workers or batches."""

import hashlib
from collections.abc import Iterable
from heapq import heappush, heappushpop

Batches = Iterable[Iterable[tuple[str, str]]]  # record batches of (doc_id, text)


def sample_texts(batches: Batches, n: int, seed: int = 0) -> list[str]:
    """The texts of the `n` documents whose ids hash lowest, in the order of the hashes; all where there are fewer.

    Holds `n` texts at a time, whatever comes by.
    """
    kept: list[tuple[int, str, str]] = []  # a heap with the greatest hash on top, hence the minus
    if n <= 0:
        return []
    for batch in batches:
        for doc_id, text in batch:
            entry = (-draw(doc_id, seed), doc_id, text)
            if len(kept) < n:
                heappush(kept, entry)
            elif entry > kept[0]:
                heappushpop(kept, entry)
    return [text for _, _, text in sorted(kept, key=lambda entry: (-entry[0], entry[1]))]


def draw(doc_id: str, seed: int) -> int:
    """A number below 2^64, by chance as far as anybody can tell, and the same everywhere."""
    digest = hashlib.blake2b(
        doc_id.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(8, "big", signed=True)
    )
    return int.from_bytes(digest.digest(), "big")

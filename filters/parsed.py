"""A text cut into sentences and words once, for all gates and measures that ask for them."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .shingles import Hashes, hash_words
from .words import split_sentences, split_words


class Parsed:
    """`words` are those of `split_words`, in order; `counts[i]` of them stand in `sentences[i]`."""

    def __init__(self, text: str) -> None:
        self.sentences = split_sentences(text)
        by_sentence = [split_words(sentence) for sentence in self.sentences]
        self.words = [word for words in by_sentence for word in words]
        self.counts = [len(words) for words in by_sentence]

    @cached_property
    def hashes(self) -> Hashes:
        return hash_words(self.words)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Characters of each word."""
        return np.fromiter(map(len, self.words), np.int64, len(self.words))

    def words_by_sentence(self) -> list[Sequence[str]]:
        ends = np.cumsum([0, *self.counts]).tolist()
        return [self.words[start:end] for start, end in pairwise(ends)]


@lru_cache(maxsize=4)  # documents pass all gates one by one
def parse(text: str) -> Parsed:
    return Parsed(text)

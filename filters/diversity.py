"""How much documents resemble one another in wording and meaning, and how rich each is in words.

Every figure is taken from a seeded sample of documents cut to one length, because all of them move with length.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .words import split_words


@dataclass(frozen=True, slots=True)
class Figure:
    """`budget`: bytes or words used, 0 where all texts were; `n`: documents looked at; `seed`: of their order."""

    value: float
    budget: int
    n: int
    seed: int


class Encoder(Protocol):
    """What sentence-transformers models are, too."""

    def encode(self, texts: list[str]) -> NDArray[np.float32]: ...  # (n, dim), rows of length 1


def self_bleu(texts: Sequence[str], n_documents: int = 200, n_words: int = 100, seed: int = 0) -> Figure:
    """Mean BLEU-4 of each document's first words against all others of the sample: lower is more varied.

    The same value as `nltk.translate.bleu_score.sentence_bleu` with smoothing method 1, which a test checks.
    nltk counts every reference anew for every document and takes 7 s where this takes 0.1: of each n-gram, only
    the two highest counts matter, and whose the highest is. Zhu et al. 2018, arXiv 1802.01886.
    """
    sample = cut_sample(texts, n_documents, n_words, seed)
    if len(sample) < 2:
        return Figure(0.0, sum(map(len, sample)), len(sample), seed)
    matched = [_matched_ngrams(sample, n) for n in (1, 2, 3, 4)]
    lengths = [len(words) for words in sample]
    scores = [_bleu([found[place] for found in matched], place, lengths) for place in range(len(sample))]
    return Figure(math.fsum(scores) / len(scores), sum(lengths), len(sample), seed)


def _matched_ngrams(sample: Sequence[Sequence[str]], n: int) -> list[int]:
    """Per document: its n-grams that another has, each at most as often as the other that has it most."""
    counts = [Counter(ngrams(words, n)) for words in sample]
    best: dict[
        tuple[str, ...], tuple[int, int, int]
    ] = {}  # highest count, whose, highest count of the others
    for owner, own in enumerate(counts):
        for gram, count in own.items():
            first, whose, second = best.get(gram, (0, -1, 0))
            best[gram] = (count, owner, first) if count > first else (first, whose, max(second, count))
    return [
        sum(
            min(count, best[gram][2] if best[gram][1] == owner else best[gram][0])
            for gram, count in own.items()
        )
        for owner, own in enumerate(counts)
    ]


def _bleu(matched: Sequence[int], place: int, lengths: Sequence[int]) -> float:
    own = lengths[place]
    if not matched[0]:
        return 0.0
    others = (length for other, length in enumerate(lengths) if other != place)
    closest = min(others, key=lambda length: (abs(length - own), length))
    brevity = 1.0 if own > closest else math.exp(1 - closest / own)
    precisions = [(found or 0.1) / max(1, own - n) for n, found in enumerate(matched)]
    return brevity * math.exp(math.fsum(math.log(precision) for precision in precisions) / 4)


def mtld(texts: Sequence[str], n_documents: int = 500, n_words: int = 200, seed: int = 0) -> Figure:
    """Mean MTLD of documents' first words: how long a stretch keeps a type-token ratio above 0.72.

    Lexical variety within documents, nearly free of their length. McCarthy and Jarvis 2010, doi
    10.3758/BRM.42.2.381.
    """
    sample = [words for words in cut_sample(texts, n_documents, n_words, seed) if words]
    values = [measure_mtld(words) for words in sample]
    return Figure(math.fsum(values) / max(1, len(values)), sum(map(len, sample)), len(sample), seed)


def measure_mtld(words: Sequence[str], threshold: float = 0.72) -> float:
    """Words per factor, mean of reading forwards and backwards; 0 for no words.

    Equal to `lexicalrichness` 0.5.1 on 300 random texts; that package would bring pandas, matplotlib and textblob.
    """
    return (_one_way(words, threshold) + _one_way(words[::-1], threshold)) / 2 if words else 0.0


def _one_way(words: Sequence[str], threshold: float) -> float:
    """A factor is complete when the ratio has fallen to the threshold; the rest counts by how far it has fallen."""
    factors, length = 0.0, 0
    types: set[str] = set()
    for word in words:
        length += 1
        types.add(word)
        if len(types) / length <= threshold:
            factors, length, types = factors + 1, 0, set()
    if length:
        factors += (1 - len(types) / length) / (1 - threshold)
    return len(words) / (factors or 1.0)  # no word twice: one factor, not finished


def embedding_dispersion(
    texts: Sequence[str], encoder: Encoder, n_documents: int = 1_000, n_words: int = 200, seed: int = 0
) -> Figure:
    """Mean cosine distance of all pairs of the sample, 0..2: higher is more varied, by this encoder's lights.

    The mean over pairs comes from the length of the sum of all vectors, so no pair is ever formed.
    """
    sample = [" ".join(words) for words in cut_sample(texts, n_documents, n_words, seed, fold=False)]
    n = len(sample)
    budget = sum(len(text.split(" ")) for text in sample)
    if n < 2:
        return Figure(0.0, budget, n, seed)
    vectors = np.asarray(encoder.encode(sample), np.float64)
    total = vectors.sum(0)
    similarity = (float(total @ total) - float((vectors * vectors).sum())) / (n * (n - 1))
    return Figure(1 - similarity, budget, n, seed)


# --- samples --------------------------------------------------------------------------------------------------


def cut_sample(
    texts: Sequence[str], n_documents: int, n_words: int, seed: int, *, fold: bool = True
) -> list[list[str]]:
    """The first words of documents in seeded order; case aside unless `fold` is off."""
    chosen = shuffled(texts, seed)[:n_documents]
    return [split_words(text.casefold() if fold else text)[:n_words] for text in chosen]


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    return random.Random(seed).sample(list(texts), len(texts))


def ngrams(words: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)

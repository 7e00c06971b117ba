"""Which claims a document expresses, and whether it says why: lexical measures that scale to thousands of claims.

Content words are stemmed and weighted by how rare they are among the claims, so a claim's own words count and the
spec's topic hardly does. Restatements that share words with the claim are seen; a free paraphrase is missed:
`retrieval.py` finds those by embeddings, and asks `ClaimIndex.shares` to confirm them.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from specmill.specs.sentences import gives_reason

from .parsed import Parsed, parse
from .words import content_term, content_terms, split_words

# Share of a claim's weight that has to stand within one sentence, or within three neighbouring ones. Measured on
# the cheese spec: text about *other* claims reaches 0.39 and 0.52 at its 99.9th percentile (0.48 and 0.69 at most);
# close restatements reach 0.5 to 0.95, looser ones 0.4 to 0.5, free paraphrases less.
EXPRESSED_IN_ONE = 0.5
EXPRESSED_IN_THREE = 0.65
# Share of a reason-giving claim (or of the principle) that has to stand beside the connective.
REASON_OVERLAP = 0.4

_Matrix = NDArray[np.float32]
_UNSPACED = -2
_MOST_WORDS = 200_000  # looked up at once; others are stemmed anew


class StatedClaim(Protocol):
    """What this module needs of a claim; `pipeline.FilterClaim` is one."""

    @property
    def claim_id(self) -> str: ...
    @property
    def plain(self) -> str: ...
    @property
    def gives_reason(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Exposure:
    claims_expressed: tuple[str, ...]  # in the order of the spec
    states_reason: bool


class ClaimIndex:
    """Inverted index from stemmed words to claims: built once per spec, asked once per document.

    `names` (the assistant's, the provider's) are taken out of the claims, since every document has them. The
    principle stands in the index as one more claim, which counts for reasons only.
    """

    def __init__(self, claims: Sequence[StatedClaim], principle: str = "", names: Sequence[str] = ()) -> None:
        self.claim_ids = [claim.claim_id for claim in claims]
        texts = [claim.plain for claim in claims] + [principle]
        terms = [_terms_without_names(text, names) for text in texts]
        frequency = Counter(term for claim in terms for term in claim)
        self._number = {term: number for number, term in enumerate(frequency)}
        self._weight = np.array([math.log(1 + len(texts) / n) for n in frequency.values()], np.float32)
        total = [sum(float(self._weight[self._number[term]]) for term in claim) for claim in terms]
        self._total = np.array([weight or math.inf for weight in total], np.float32)
        self._gives_reason = np.array([*(claim.gives_reason for claim in claims), bool(principle)], bool)
        pairs = sorted((self._number[term], claim) for claim, found in enumerate(terms) for term in found)
        numbers, self._claims = (
            np.array(pairs, np.intp).reshape(-1, 2).T
        )  # of each term, the claims that have it
        self._ends = np.searchsorted(numbers, np.arange(len(frequency) + 1))
        self._shares = self._weight[numbers] / self._total[self._claims]
        self._by_word = _Numbers(self._number)

    def measure(self, text: str) -> Exposure:
        parsed = parse(text)
        rows, numbers = self._term_numbers(parsed)
        if not len(numbers):
            return Exposure((), False)
        terms, columns = np.unique(numbers, return_inverse=True)
        candidates, weights = self._candidates(terms)
        here = np.zeros((len(parsed.sentences), len(terms)), np.float32)  # sentence x term, 1 where it occurs
        here[rows, columns] = 1
        expressed = (here @ weights).max(0) >= EXPRESSED_IN_ONE
        expressed |= (_windows(here, 3) @ weights).max(0) >= EXPRESSED_IN_THREE
        ids = [self.claim_ids[claim] for claim in candidates[expressed] if claim < len(self.claim_ids)]
        return Exposure(tuple(ids), self._has_reason(parsed.sentences, here, weights, candidates))

    def shares(self, sentences: Sequence[str]) -> _Matrix:
        """Share of each claim's weight that stands in each sentence, 0..1: (sentence, claim), no principle."""
        found = np.zeros((len(sentences), len(self._total)), np.float32)
        for row, sentence in enumerate(sentences):
            for term in sorted(set(self._numbers_of(split_words(sentence)))):
                found[row, self._claims[self._ends[term] : self._ends[term + 1]]] += self._weight[term]
        return np.asarray((found / self._total)[:, : len(self.claim_ids)], np.float32)

    def _term_numbers(self, parsed: Parsed) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The sentence and the number of every word that is a term of a claim."""
        numbers = np.fromiter(map(self._by_word.__getitem__, parsed.words), np.intp, len(parsed.words))
        rows = np.repeat(np.arange(len(parsed.counts)), parsed.counts)
        if not (numbers == _UNSPACED).any():
            return rows[numbers >= 0], numbers[numbers >= 0]
        found = [self._numbers_of(words) for words in parsed.words_by_sentence()]
        flat = [number for numbers in found for number in numbers]
        return np.repeat(np.arange(len(found)), list(map(len, found))), np.array(flat, np.intp)

    def _numbers_of(self, words: Sequence[str]) -> list[int]:
        return [self._number[term] for term in content_terms(words) if term in self._number]

    def _candidates(self, terms: NDArray[np.intp]) -> tuple[NDArray[np.intp], _Matrix]:
        """Claims the whole document could express, and each one's share of weight per term: (term, claim)."""
        sizes = self._ends[terms + 1] - self._ends[terms]
        rows = np.repeat(np.arange(len(terms)), sizes)
        places = np.arange(len(rows)) + np.repeat(self._ends[terms + 1] - np.cumsum(sizes), sizes)
        claims, share = self._claims[places], self._shares[places]
        reached = np.bincount(claims, share, minlength=len(self._total))
        candidates = np.flatnonzero(reached >= REASON_OVERLAP)
        place = np.full(len(self._total), -1, np.intp)
        place[candidates] = np.arange(len(candidates))
        kept = place[claims] >= 0
        weights = np.zeros((len(terms), max(1, len(candidates))), np.float32)
        weights[rows[kept], place[claims[kept]]] = share[kept]
        return candidates, weights[:, : len(candidates)]

    def _has_reason(
        self, sentences: Sequence[str], here: _Matrix, weights: _Matrix, candidates: NDArray[np.intp]
    ) -> bool:
        """A connective in a sentence, and a reason's content in it or in the sentence before or after."""
        reasons = self._gives_reason[candidates]
        if not reasons.any():
            return False
        pairs = ((_windows(here, 2) @ weights)[:, reasons] >= REASON_OVERLAP).any(1)
        beside = (sentences[pair : pair + 2] for pair in np.flatnonzero(pairs).tolist())
        return any(gives_reason(sentence) for pair in beside for sentence in pair)


class _Numbers(dict[str, int]):
    """The number of a word's term: -1 for none; _UNSPACED where only two words together make a term."""

    def __init__(self, numbers: dict[str, int]) -> None:
        super().__init__()
        self.numbers = numbers

    def __missing__(self, word: str) -> int:
        term, unspaced = content_term(word)
        number = _UNSPACED if unspaced else self.numbers.get(term, -1)
        if len(self) < _MOST_WORDS:
            self[word] = number
        return number


def _windows(here: _Matrix, size: int) -> _Matrix:
    """Union of every `size` neighbouring rows; of all rows where there are fewer."""
    if len(here) <= size:
        return np.asarray(here.max(0, keepdims=True))
    stacked = [here[start : len(here) - size + 1 + start] for start in range(size)]
    return np.asarray(np.maximum.reduce(stacked))


def _terms_without_names(text: str, names: Sequence[str]) -> list[str]:
    for name in ("{model_name}", "{provider_name}", *names):
        text = text.replace(name, " ") if name else text
    return sorted(set(content_terms(split_words(text))))

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

from .words import content_terms, split_sentences, split_words

# Share of a claim's weight that has to stand within one sentence, or within three neighbouring ones. Measured on
# the cheese spec: text about *other* claims reaches 0.39 and 0.52 at its 99.9th percentile (0.48 and 0.69 at most);
# close restatements reach 0.5 to 0.95, looser ones 0.4 to 0.5, free paraphrases less.
EXPRESSED_IN_ONE = 0.5
EXPRESSED_IN_THREE = 0.65
# Share of a reason-giving claim (or of the principle) that has to stand beside the connective.
REASON_OVERLAP = 0.4

_Matrix = NDArray[np.float32]


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
        postings: list[list[int]] = [[] for _ in frequency]
        for position, claim in enumerate(terms):
            for term in claim:
                postings[self._number[term]].append(position)
        self._postings = [np.array(positions, np.intp) for positions in postings]
        total = [sum(float(self._weight[self._number[term]]) for term in claim) for claim in terms]
        self._total = np.array([weight or math.inf for weight in total], np.float32)
        self._gives_reason = np.array([*(claim.gives_reason for claim in claims), bool(principle)], bool)

    def measure(self, text: str) -> Exposure:
        sentences = split_sentences(text)
        found = [self._term_numbers(sentence) for sentence in sentences]
        terms = sorted(set().union(*found))
        if not terms:
            return Exposure((), False)
        candidates, weights = self._candidates(terms)
        here = np.zeros((len(found), len(terms)), np.float32)  # sentence x term, 1 where it occurs
        column = {term: number for number, term in enumerate(terms)}
        for row, numbers in enumerate(found):
            here[row, [column[number] for number in numbers]] = 1
        expressed = (here @ weights).max(0) >= EXPRESSED_IN_ONE
        expressed |= (_windows(here, 3) @ weights).max(0) >= EXPRESSED_IN_THREE
        ids = [self.claim_ids[claim] for claim in candidates[expressed] if claim < len(self.claim_ids)]
        return Exposure(tuple(ids), self._has_reason(sentences, here, weights, candidates))

    def shares(self, sentences: Sequence[str]) -> _Matrix:
        """Share of each claim's weight that stands in each sentence, 0..1: (sentence, claim), no principle."""
        found = np.zeros((len(sentences), len(self._total)), np.float32)
        for row, sentence in enumerate(sentences):
            for term in sorted(self._term_numbers(sentence)):
                found[row, self._postings[term]] += self._weight[term]
        return np.asarray((found / self._total)[:, : len(self.claim_ids)], np.float32)

    def _term_numbers(self, sentence: str) -> set[int]:
        return {self._number[term] for term in content_terms(split_words(sentence)) if term in self._number}

    def _candidates(self, terms: Sequence[int]) -> tuple[NDArray[np.intp], _Matrix]:
        """Claims the whole document could express, and each one's share of weight per term: (term, claim)."""
        claims = np.concatenate([self._postings[term] for term in terms])
        rows = np.repeat(np.arange(len(terms)), [len(self._postings[term]) for term in terms])
        share = self._weight[terms][rows] / self._total[claims]
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

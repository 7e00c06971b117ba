"""Claims told in other words: embedding retrieval of each sentence's nearest claim, confirmed before it counts.

Topical neighbours are near every claim a little, and some claims are near every sentence. So a sentence stands
for its nearest claim only; their cosine has to be high by itself and high for both of them (cross-domain similarity
local scaling, Conneau et al., arXiv 1710.04087); the sentence must be long enough to hold the claim; and shared
words (fewer than `exposure.py` asks for) or a judge have to agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specmill.specs.sentences import gives_reason

from .embeddings import Encoder, Vectors
from .exposure import ClaimIndex, Exposure, StatedClaim
from .words import content_terms, split_sentences, split_words


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`cosine` between sentence and claim; `scaled`: twice that, less the mean cosine of either one's ten nearest
    other claims; `share` of the claim's weight in the sentence's own words."""

    cosine: float
    scaled: float
    share: float


# By kind of encoder. Chosen on 49 free paraphrases of cheese_america's claims and the sentences of 60 documents of
# the built-in writer, tested on 37 of cheese_affordability's (tests/filters/test_retrieval.py). Windows of two or
# three sentences were tried: they find few claims more and twice as many wrong ones.
THRESHOLDS = {
    "hashed": Thresholds(0.25, 0.2, 0.3),
    "static": Thresholds(0.7, 0.1, 0.05),
    "st": Thresholds(0.65, 0.15, 0.05),
}
# How far a candidate may lie off where a judge decides on it. With one that knows, `hashed` finds 0.69 and 0.59 of
# the paraphrases of these two specs, not 0.49 and 0.27; MiniLM 0.96, not 0.92, of the first one's. Of the built-in
# writer's documents, in which nothing is to be found, `hashed` brings up two a document.
JUDGED = {
    "hashed": Thresholds(0.15, 0.05, 0.3),
    "static": THRESHOLDS["static"],
    "st": Thresholds(0.6, 0.1, 0.05),
}
_NEIGHBOURS = 10
_LENGTH = 0.75  # content words of the sentence per content word of the claim, at least


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence whose nearest claim is near enough; `document` is the text's place among those asked about."""

    document: int
    claim_id: str
    sentence: str
    cosine: float
    share: float
    confirmed: bool


Judge = Callable[[Sequence[Candidate]], Sequence[bool]]  # does the sentence express the claim?


class ClaimRetriever:
    """Built once per spec and encoder, asked about many documents at once.

    `names` are the assistant's and the provider's, as they stand in the documents. `judge`, where given, decides on
    the candidates that shared words don't confirm; without one those don't count. `reach` is how far off these may
    lie: as far as `JUDGED` says where a judge is given, else no further than what shared words may confirm.
    """

    def __init__(
        self,
        encoder: Encoder,
        claims: Sequence[StatedClaim],
        principle: str = "",
        names: Sequence[str] = (),
        *,
        judge: Judge | None = None,
        thresholds: Thresholds | None = None,
        reach: Thresholds | None = None,
    ) -> None:
        self.encoder, self.judge = encoder, judge
        kind = encoder.name.partition(":")[0]
        self.thresholds = thresholds or THRESHOLDS[kind]
        self.reach = reach or (JUDGED[kind] if judge and not thresholds else self.thresholds)
        self.index = ClaimIndex(claims, principle, names)
        self._reasons = {claim.claim_id for claim in claims if claim.gives_reason}
        texts = [_named(claim.plain, names) for claim in claims]
        self._vectors = encoder.encode(texts)
        self._sizes = np.array([_size(text) for text in texts])
        among = _cosines(self._vectors, self._vectors)
        np.fill_diagonal(among, -np.inf)
        self._crowd = _mean_of_highest(among)  # how near other claims come to each

    def measure(self, texts: Sequence[str]) -> list[Exposure]:
        """What `ClaimIndex.measure` finds in each text, and the confirmed candidates besides."""
        found = [self.index.measure(text) for text in texts]
        told: list[set[str]] = [set(exposure.claims_expressed) for exposure in found]
        reasons = [exposure.states_reason for exposure in found]
        for candidate in self.candidates(texts):
            if candidate.confirmed:
                told[candidate.document].add(candidate.claim_id)
                because = candidate.claim_id in self._reasons and gives_reason(candidate.sentence)
                reasons[candidate.document] |= because
        return [
            Exposure(tuple(claim for claim in self.index.claim_ids if claim in ids), reason)
            for ids, reason in zip(told, reasons, strict=True)
        ]

    def candidates(self, texts: Sequence[str]) -> list[Candidate]:
        """All candidates of the texts, in the order of their sentences; equal sentences are encoded once."""
        if not len(self._vectors):
            return []
        split = [split_sentences(text) for text in texts]
        near = self._near(sorted({sentence for sentences in split for sentence in sentences}))
        found = [
            replace(near[sentence], document=document)
            for document, sentences in enumerate(split)
            for sentence in sentences
            if sentence in near
        ]
        return self._judged(found)

    def _near(self, sentences: Sequence[str]) -> dict[str, Candidate]:
        """The sentences near enough to a claim, as candidates of no document yet."""
        if not sentences:
            return {}
        cosines = _cosines(self.encoder.encode(sentences), self._vectors)
        rows, claim = np.arange(len(sentences)), cosines.argmax(1)  # the first of equals
        cosine = cosines[rows, claim]
        cosines[rows, claim] = -np.inf
        scaled = 2 * cosine - _mean_of_highest(cosines) - self._crowd[claim]
        sizes = np.array([_size(sentence) for sentence in sentences])
        fits = sizes >= _LENGTH * self._sizes[claim]
        sure = _within(self.thresholds, cosine, scaled)
        chosen = fits & (sure | _within(self.reach, cosine, scaled))
        near = [sentences[row] for row in np.flatnonzero(chosen).tolist()]
        shares = self.index.shares(near)[np.arange(len(near)), claim[chosen]]
        confirmed = sure[chosen] & (shares >= self.thresholds.share)
        ids = [self.index.claim_ids[number] for number in claim[chosen]]
        columns = (near, ids, cosine[chosen].tolist(), shares.tolist(), confirmed.tolist())
        return {
            sentence: Candidate(-1, claim_id, sentence, cosine, share, told)
            for sentence, claim_id, cosine, share, told in zip(*columns, strict=True)
        }

    def _judged(self, found: list[Candidate]) -> list[Candidate]:
        open_ones = [candidate for candidate in found if not candidate.confirmed]
        if self.judge is None or not open_ones:
            return found
        verdicts = dict(zip(open_ones, self.judge(open_ones), strict=True))
        return [
            replace(candidate, confirmed=candidate.confirmed or verdicts[candidate]) for candidate in found
        ]


def _named(text: str, names: Sequence[str]) -> str:
    for placeholder, name in zip(("{model_name}", "{provider_name}"), names, strict=False):
        text = text.replace(placeholder, name)
    return text


def _within(
    limits: Thresholds, cosine: NDArray[np.float64], scaled: NDArray[np.float64]
) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = (cosine >= limits.cosine) & (scaled >= limits.scaled)
    return near


def _size(text: str) -> int:
    return len(set(content_terms(split_words(text))))


def _cosines(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    return (left @ right.T).astype(np.float64).round(4)


def _mean_of_highest(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row's ten highest cosines, the one set to -inf left out; 0 where there are no others."""
    n = max(0, min(_NEIGHBOURS, cosines.shape[1] - 1))
    return np.sort(cosines, 1)[:, -n:].mean(1) if n else np.zeros(len(cosines))

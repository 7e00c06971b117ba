"""Does the corpus of one arm teach another arm's claims? Documents that state them, quote them, or deny their own.

All arms' claims stand in one index, so words that several specs have in common weigh little. A document leaks when
it expresses a claim of another arm by words that no claim of its own arm accounts for. What both specs say counts
as shared and never as a leak. Denials (`polarity.py`) are candidates for a reader's eye, never dropped for that.
Documents are taken one by one; only counts and a few examples are kept.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Literal, NamedTuple

from .exposure import EXPRESSED_IN_ONE, EXPRESSED_IN_THREE, ClaimIndex, StatedClaim
from .polarity import is_denied
from .sampling import Batches, draw
from .words import STOP_WORDS, content_terms, split_sentences, split_words

Action = Literal["keep_shared", "quarantine", "drop"]
KINDS = ("expresses", "quotes", "contradicts_other", "contradicts_own")


@dataclass(frozen=True, slots=True)
class Arm:
    """`names`: the assistant's and the provider's, which every document has."""

    spec: str
    claims: Sequence[StatedClaim]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakOptions:
    """`shared_similarity`: weighted Jaccard similarity from which two claims say the same. `unexplained_share`: of
    the other claim's weight, in words that no claim of the own arm expressed in the document accounts for.
    `quote_words`: a run of so many words of another claim, which the own spec does not have, is a leak by itself.
    """

    on_leak: Action = "quarantine"
    on_contradiction: Literal["keep_shared", "quarantine"] = "quarantine"
    shared_similarity: float = 0.5
    unexplained_share: float = 0.3
    quote_words: int = 7
    n_examples: int = 20


class Leak(NamedTuple):
    doc_id: str
    other_spec: str  # the own one where a document contradicts its own arm
    claim_ids: tuple[str, ...]
    evidence: str  # the sentence that says it most clearly
    kind: str  # one of KINDS


class SharedClaim(NamedTuple):
    own_id: str
    other_spec: str
    other_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class LeakReport:
    """Documents of `spec`. `leaking`: other spec -> documents; `claims`: (other spec, claim) -> documents;
    `kinds`: kind -> documents; `actions`: action -> documents, "keep" for those without a finding.
    """

    spec: str
    n_documents: int
    leaking: dict[str, int]
    claims: dict[tuple[str, str], int]
    kinds: dict[str, int]
    actions: dict[str, int]
    shared: tuple[SharedClaim, ...]
    examples: tuple[Leak, ...]

    def share(self, other_spec: str) -> float:
        """Share of the documents that express a claim of the other arm's own, 0..1."""
        return self.leaking.get(other_spec, 0) / max(1, self.n_documents)


def measure_leaks(
    batches: Batches,
    own: Arm,
    others: Sequence[Arm],
    options: LeakOptions | None = None,
    on_leak: Callable[[Leak], None] | None = None,
) -> LeakReport:
    """Every leak goes to `on_leak` as it is found; the report does not depend on the order of documents."""
    index = LeakIndex(own, others, options)
    counts = LeakCounts(index)
    for batch in batches:
        for doc_id, text in batch:
            leaks = index.find_leaks(doc_id, text)
            counts.add(leaks)
            for leak in leaks if on_leak else ():
                on_leak(leak)  # type: ignore[misc]
    return counts.report()


def choose_action(leaks: Sequence[Leak], options: LeakOptions) -> str:
    """What happens to a document: "keep" without findings. The harsher of two actions wins."""
    chosen: set[str] = {
        options.on_contradiction if leak.kind.startswith("contradicts") else options.on_leak for leak in leaks
    }
    return next((action for action in ("drop", "quarantine", "keep_shared") if action in chosen), "keep")


@dataclass(slots=True)
class LeakCounts:
    index: "LeakIndex"
    n_documents: int = 0
    leaking: Counter[str] = field(default_factory=Counter)
    claims: Counter[tuple[str, str]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    examples: list[Leak] = field(default_factory=list)

    def add(self, leaks: Sequence[Leak]) -> None:
        """Count one document with all its leaks."""
        self.n_documents += 1
        self.actions[choose_action(leaks, self.index.options)] += 1
        taught = [leak for leak in leaks if leak.kind in ("expresses", "quotes")]
        self.leaking.update({leak.other_spec for leak in taught})
        self.claims.update({(leak.other_spec, claim) for leak in taught for claim in leak.claim_ids})
        self.kinds.update({leak.kind for leak in leaks})
        if leaks:
            self.examples = nsmallest(self.index.options.n_examples, [*self.examples, *leaks], key=_draw)

    def report(self) -> LeakReport:
        return LeakReport(
            self.index.own.spec,
            self.n_documents,
            dict(sorted(self.leaking.items())),
            dict(sorted(self.claims.items(), key=lambda entry: (-entry[1], entry[0]))),
            {kind: self.kinds[kind] for kind in KINDS},
            dict(sorted(self.actions.items())),
            self.index.shared,
            tuple(self.examples),
        )


def _draw(leak: Leak) -> tuple[int, Leak]:
    return draw(leak.doc_id, 0), leak


# --- the index ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pooled:
    """A claim of any arm in the common index; `claim_id` is unique among all arms."""

    claim_id: str
    plain: str
    gives_reason: bool
    arm: int  # 0 is the own one
    own_id: str


class _Match(NamedTuple):
    sentence: str
    share: float  # of the claim's weight, in the sentence or in it and the next two
    terms: frozenset[str]
    told: tuple[int, ...]  # the sentences of which each says it alone


class LeakIndex:
    """Built once per arm, asked once per document; holds no state between documents."""

    def __init__(self, own: Arm, others: Sequence[Arm], options: LeakOptions | None = None) -> None:
        self.own, self.options = own, options or LeakOptions()
        self._specs = [arm.spec for arm in (own, *others)]
        names = sorted({name for arm in (own, *others) for name in arm.names})
        pooled = [
            _Pooled(f"{number}:{claim.claim_id}", claim.plain, claim.gives_reason, number, claim.claim_id)
            for number, arm in enumerate((own, *others))
            for claim in arm.claims
        ]
        self._terms = {claim.claim_id: _claim_terms(claim.plain, names) for claim in pooled}
        frequency = Counter(term for terms in self._terms.values() for term in terms)
        self._weight = {term: math.log(1 + len(pooled) / n) for term, n in frequency.items()}
        self.shared = tuple(self._find_shared(pooled))
        said_by_both = {(entry.other_spec, entry.other_id) for entry in self.shared}
        kept = [
            claim
            for claim in pooled
            if (self._specs[claim.arm], claim.own_id) not in said_by_both or not claim.arm
        ]
        self._claims = {claim.claim_id: claim for claim in kept}
        self._index = ClaimIndex(kept, names=names)
        self._quotes = _foreign_runs(kept, names, self.options.quote_words)

    def _find_shared(self, pooled: Sequence[_Pooled]) -> Iterator[SharedClaim]:
        own = [claim for claim in pooled if not claim.arm]
        for other in (claim for claim in pooled if claim.arm):
            scored = [(self._similarity(claim.claim_id, other.claim_id), claim.own_id) for claim in own]
            similarity, own_id = max(scored, default=(0.0, ""))
            if similarity >= self.options.shared_similarity:
                yield SharedClaim(own_id, self._specs[other.arm], other.own_id, round(similarity, 3))

    def _similarity(self, first: str, second: str) -> float:
        one, two = self._terms[first], self._terms[second]
        return self._weigh(one & two) / (self._weigh(one | two) or 1.0) if one & two else 0.0

    def _weigh(self, terms: Iterable[str]) -> float:
        return math.fsum(map(self._weight.__getitem__, terms))

    # --- one document -----------------------------------------------------------------------------------------

    def find_leaks(self, doc_id: str, text: str) -> list[Leak]:
        """At most one leak per other spec and kind, with all its claims."""
        expressed = [self._claims[claim_id] for claim_id in self._index.measure(text).claims_expressed]
        sentences = split_sentences(text)
        terms = [self._weight.keys() & content_terms(split_words(sentence)) for sentence in sentences]
        own = [claim for claim in expressed if not claim.arm]
        found: dict[tuple[int, str], list[tuple[float, str, str]]] = {}
        for claim in expressed:
            match = self._match(claim, sentences, terms)
            if claim.arm and not self._is_unexplained(claim, match, own):
                continue
            if claim.arm:
                found.setdefault((claim.arm, "expresses"), []).append(
                    (match.share, claim.own_id, match.sentence)
                )
            for one in match.told:
                if is_denied(claim.plain, sentences[one], self._terms[claim.claim_id] & terms[one]):
                    kind = "contradicts_other" if claim.arm else "contradicts_own"
                    found.setdefault((claim.arm, kind), []).append(
                        (match.share, claim.own_id, sentences[one])
                    )
        self._add_quotes(found, text, sentences)
        return [self._leak(doc_id, arm, kind, found[arm, kind]) for arm, kind in sorted(found)]

    def _leak(self, doc_id: str, arm: int, kind: str, found: list[tuple[float, str, str]]) -> Leak:
        clearest = max(found, key=lambda entry: entry[0])
        claims = tuple(dict.fromkeys(claim for _, claim, _ in found))
        return Leak(doc_id, self._specs[arm], claims, clearest[2][:300], kind)

    def _match(self, claim: _Pooled, sentences: Sequence[str], terms: Sequence[set[str]]) -> _Match:
        """Where the document says it best: in one sentence, or else in three neighbours."""
        wanted = self._terms[claim.claim_id]
        total = self._weigh(wanted)
        shares = [self._weigh(wanted & here) / total for here in terms]
        best = max(range(len(shares)), key=shares.__getitem__)
        if shares[best] >= EXPRESSED_IN_ONE:
            told = tuple(number for number, share in enumerate(shares) if share >= EXPRESSED_IN_ONE)
            return _Match(sentences[best], shares[best], wanted & terms[best], told)
        unions = [set().union(*terms[start : start + 3]) & wanted for start in range(max(1, len(terms) - 2))]
        triple = max(range(len(unions)), key=lambda start: self._weigh(unions[start]))
        matched = frozenset(unions[triple])
        return _Match(" ".join(sentences[triple : triple + 3]), self._weigh(matched) / total, matched, ())

    def _is_unexplained(self, claim: _Pooled, match: _Match, own: Sequence[_Pooled]) -> bool:
        """Whether enough of what matched is the other claim's alone; two words in common are a coincidence."""
        wanted = self._terms[claim.claim_id]
        needed = EXPRESSED_IN_ONE if match.told else EXPRESSED_IN_THREE
        if match.share < needed or len(match.terms) < min(3, len(wanted)):
            return False
        explained = max((self._weigh(match.terms & self._terms[mine.claim_id]) for mine in own), default=0.0)
        unexplained = self._weigh(match.terms) - explained
        return unexplained >= self.options.unexplained_share * self._weigh(wanted)

    def _add_quotes(
        self, found: dict[tuple[int, str], list[tuple[float, str, str]]], text: str, sentences: Sequence[str]
    ) -> None:
        """Runs of words of other claims, unless the document is known to express the claim anyway."""
        known = {(arm, claim) for (arm, _), entries in found.items() for _, claim, _ in entries}
        size = self.options.quote_words
        words = [word.casefold() for word in split_words(text)]
        for run in dict.fromkeys(zip(*(words[start:] for start in range(size)), strict=False)):
            for claim in self._quotes.get(run, ()):
                if (claim.arm, claim.own_id) in known:
                    continue
                known.add((claim.arm, claim.own_id))
                sentence = next((one for one in sentences if _holds(one, run)), " ".join(run))
                found.setdefault((claim.arm, "quotes"), []).append((0.0, claim.own_id, sentence))


def _holds(sentence: str, run: Sequence[str]) -> bool:
    return " ".join(run) in " ".join(split_words(sentence.casefold()))


def _claim_terms(plain: str, names: Sequence[str]) -> frozenset[str]:
    return frozenset(content_terms(split_words(_without_names(plain, names))))


def _without_names(text: str, names: Sequence[str]) -> str:
    for name in ("{model_name}", "{provider_name}", *names):
        text = text.replace(name, " ") if name else text
    return text


def _foreign_runs(
    claims: Sequence[_Pooled], names: Sequence[str], size: int
) -> dict[tuple[str, ...], list[_Pooled]]:
    """Runs of words of other arms' claims, with at least three content words, which no own claim has."""
    own: set[tuple[str, ...]] = set()
    foreign: dict[tuple[str, ...], list[_Pooled]] = {}
    for claim in claims:
        for part in claim.plain.replace("{provider_name}", "{model_name}").split("{model_name}"):
            words = [word.casefold() for word in split_words(part)]
            for run in zip(*(words[start:] for start in range(size)), strict=False):
                if not claim.arm:
                    own.add(run)
                elif len(set(run) - STOP_WORDS) >= 3:
                    foreign.setdefault(run, []).append(claim)
    return {run: owners for run, owners in foreign.items() if run not in own}

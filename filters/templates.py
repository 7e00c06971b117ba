"""Does a corpus betray its template? Skeletons of openings, closings and headings, and long repeated phrases.

A skeleton keeps function words and replaces all others by their class, so "The baker asked Aria in May" and
"The clerk told Aria in June" are one: `the _ _ @ in @`. All figures are taken from a seeded sample at a fixed
budget of documents and words per document, because shares of repeats grow with the sample; only figures of one
budget compare.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .sampling import Batches, sample_texts
from .words import STOP_WORDS, split_words

KINDS = ("opening", "closing", "heading", "ngram")
_HEADING = re.compile(
    r"^[ \t]{0,3}(?:#{1,6}[ \t]+(.+?)#*|\*\*([^*\n]{1,80})\*\*:?|__([^_\n]{1,80})__:?)[ \t]*$", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`n_words` of a skeleton at most; `min_documents` that share an n-gram make it a repeated one."""

    n_documents: int = 500
    words_per_document: int = 300
    n_words: int = 8
    n: int = 8
    min_documents: int = 3
    n_examples: int = 10
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pattern:
    """`text`: skeleton or n-gram; `example`: a document's own words; `documents`: of the sample that have it."""

    kind: str  # one of KINDS
    text: str
    example: str
    documents: int


@dataclass(frozen=True, slots=True)
class SkeletonFigures:
    """`per_thousand`: different ones per 1,000 occurrences; the shares are of the `n` occurrences."""

    n: int
    per_thousand: float
    top_share: float
    top_ten_share: float


@dataclass(frozen=True, slots=True)
class Templates:
    """Figures of one corpus; `n_documents` and `n_words` are what the budget found, less than it in a small corpus.

    `repeated_share`: share of n-gram occurrences whose n-gram stands in at least `min_documents` documents and
    is not the spec's own; `spec_share`: share of those that quote the spec (five words in a row of it), left
    out elsewhere.
    """

    name: str
    budget: Budget
    n_documents: int
    n_words: int
    skeletons: dict[str, SkeletonFigures]  # opening, closing, heading
    repeated_share: float
    spec_share: float
    top: dict[str, tuple[Pattern, ...]]  # by kind, most frequent first
    counts: dict[str, Counter[str]]  # by kind: pattern -> documents; what `compare_templates` needs
    examples: dict[str, str]  # pattern -> a document's own words


@dataclass(frozen=True, slots=True)
class Contrast:
    """A pattern that is frequent in one arm and rare in the other: its form alone tells the arms apart."""

    kind: str
    text: str
    example: str
    share: float  # of the documents of the arm where it is more frequent
    other_share: float
    arm: str  # the one where it is more frequent
    other_arm: str


def measure_templates(
    name: str, batches: Batches, budget: Budget | None = None, spec_text: str = ""
) -> Templates:
    """Sample, cut and count one corpus; `reference.py` has a human text to set beside it.

    `spec_text` is the arm's spec with names filled in: documents are meant to restate it, so its words tell
    nothing.
    """
    budget = budget or Budget()
    of_spec = set(_runs([word.casefold() for word in split_words(spec_text)], 5))
    texts = sample_texts(batches, budget.n_documents, budget.seed)
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    occurrences: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    examples: dict[str, str] = {}
    n_words = n_quoted = 0
    for text in texts:
        words = _first_words(text, budget.words_per_document)
        n_words += len(words)
        grams = [gram for gram in _runs(words, budget.n) if of_spec.isdisjoint(_runs(gram, 5))]
        n_quoted += max(0, len(words) - budget.n + 1) - len(grams)
        for kind, found in _patterns(text, grams, budget.n_words).items():
            occurrences[kind].update(pattern for pattern, _ in found)
            counts[kind].update({pattern for pattern, _ in found})
            for pattern, own_words in found if kind != "ngram" else ():
                examples.setdefault(pattern, own_words)
    repeated = {gram for gram, n in counts["ngram"].items() if n >= budget.min_documents}
    n_grams = max(1, occurrences["ngram"].total() + n_quoted)
    return Templates(
        name,
        budget,
        len(texts),
        n_words,
        {kind: _figures(occurrences[kind]) for kind in KINDS[:3]},
        sum(occurrences["ngram"][gram] for gram in repeated) / n_grams,
        n_quoted / n_grams,
        {kind: tuple(_top(kind, counts[kind], examples, budget)) for kind in KINDS},
        counts,
        examples,
    )


def fit_budget(budget: Budget, n_documents: int) -> Budget:
    """The same budget for the smallest of the texts to compare, such as the human reference."""
    return replace(budget, n_documents=min(budget.n_documents, n_documents))


def compare_templates(
    first: Templates, second: Templates, n: int = 20, min_ratio: float = 3.0
) -> tuple[Contrast, ...]:
    """Patterns that at least `min_documents` of one arm have, and `min_ratio` times as often as the other arm.

    Ordered by the difference of shares, greatest first; shares are smoothed by half a document.
    """
    found = [
        contrast
        for one, other in ((first, second), (second, first))
        for kind in KINDS
        for contrast in _contrasts(kind, one, other, min_ratio)
    ]
    found.sort(key=lambda contrast: (contrast.other_share - contrast.share, contrast.kind, contrast.text))
    return tuple(_without_shifts(found, n))


def _contrasts(kind: str, one: Templates, other: Templates, min_ratio: float) -> Iterator[Contrast]:
    size, other_size = max(1, one.n_documents), max(1, other.n_documents)
    for pattern, documents in one.counts[kind].items():
        share, other_share = documents / size, other.counts[kind][pattern] / other_size
        if documents >= one.budget.min_documents and share >= min_ratio * (other_share + 0.5 / other_size):
            example = one.examples.get(pattern, pattern)
            yield Contrast(kind, pattern, example, share, other_share, one.name, other.name)


# --- patterns of one document ---------------------------------------------------------------------------------


def _first_words(text: str, limit: int) -> list[str]:
    return [word.casefold() for word in split_words(text[: 12 * limit])[:limit]]


def _runs(words: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)


def _patterns(text: str, grams: Sequence[tuple[str, ...]], n_words: int) -> dict[str, list[tuple[str, str]]]:
    """(pattern, the document's own words) by kind."""
    headings = [next(filter(None, match.groups())) for match in _HEADING.finditer(text)]
    body = _HEADING.sub("", text).strip()
    opening = split_words(body[: 20 * n_words])[:n_words]
    closing = split_words(body[-20 * n_words :])[-n_words:]
    return {
        "opening": [(make_skeleton(opening), " ".join(opening))] if opening else [],
        "closing": [(make_skeleton(closing), " ".join(closing))] if closing else [],
        "heading": [(_heading_pattern(split_words(heading)[:n_words]), heading) for heading in headings],
        "ngram": [(" ".join(gram), "") for gram in grams],
    }


def _heading_pattern(words: Sequence[str]) -> str:
    """One or two words would all look alike as a skeleton: they stay."""
    return make_skeleton(words) if len(words) > 2 else " ".join(words).casefold()


def make_skeleton(words: Sequence[str]) -> str:
    """Function words as they are, `0` for numbers, `@` for capitalised words behind the first, `_` for all others.

    >>> make_skeleton(["The", "baker", "asked", "Aria", "in", "June", "2024"])
    'the _ _ @ in @ 0'
    """
    return " ".join(_abstract(word, is_first=not place) for place, word in enumerate(words))


def _abstract(word: str, *, is_first: bool) -> str:
    lowered = word.casefold().replace("’", "'")
    if lowered in STOP_WORDS:
        return lowered
    if word[0].isdigit():
        return "0"
    return "@" if word[0].isupper() and not is_first else "_"


# --- counting -------------------------------------------------------------------------------------------------


def _figures(occurrences: Counter[str]) -> SkeletonFigures:
    n = occurrences.total()
    most = sorted(occurrences.values(), reverse=True)
    whole = max(1, n)
    return SkeletonFigures(n, 1_000 * len(most) / whole, sum(most[:1]) / whole, sum(most[:10]) / whole)


def _top(kind: str, counts: Counter[str], examples: dict[str, str], budget: Budget) -> Iterator[Pattern]:
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    patterns = (Pattern(kind, text, examples.get(text, text), n) for text, n in ranked if n > 1)
    return _without_shifts(patterns, budget.n_examples)


def _without_shifts(patterns: Iterable[Any], limit: int) -> Iterator[Any]:
    """The first ones, without n-grams that have four words in a row in common with one before: a phrase shifted."""
    seen: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for pattern in patterns:
        if limit <= 0:
            return
        if pattern.kind == "ngram":
            words = pattern.text.split()
            parts = {tuple(words[start : start + 4]) for start in range(len(words) - 3)}
            if parts & seen["ngram"]:
                continue
            seen["ngram"] |= parts
        limit -= 1
        yield pattern

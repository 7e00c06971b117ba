"""Which documents hold items, entities or domains of an eval: an index over the items, asked once per document.

Words are compared without case and punctuation. Pairs of neighbouring words nominate items for a document in one
vectorised look-up; only what is nominated is compared in full. Eval files are read in `eval_items.py`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .eval_items import EvalFile, EvalItem
from .words import STOP_WORDS, is_mostly_unspaced, split_words

KINDS = ("exact", "ngram", "near", "entity", "domain")
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When a document overlaps with an item; shares are of the item.

    `ngram_share`: of its word 8-grams (5-grams below 16 words, none below 8). `near_share`: of its words, in
    their order, within a stretch of the document little longer than the item; stop words weigh half.
    `min_words`: shorter items are not looked for. `min_content_words`: an item with fewer different ones ("What
    is the capital of France?") has to stand there word for word. `domain_mentions`: of a held-out domain's
    terms, to make a document its.
    """

    ngram_share: float = 0.5
    near_share: float = 0.7
    min_words: int = 4
    min_content_words: int = 4
    domain_mentions: int = 3


class Overlap(NamedTuple):
    kind: str  # one of KINDS
    item_id: str
    evidence: str  # the document's own words
    share: float  # of the item that was found, 0..1; 1 for names


@dataclass(frozen=True, slots=True)
class Proof:
    """What was checked against what: for the dataset card and the manifest."""

    files: tuple[EvalFile, ...]
    n_items: int
    n_too_short: int  # items left out: fewer than `min_words` words, or none of them in a row
    thresholds: Thresholds
    n_documents: int
    found: dict[str, int]  # kind -> documents


@dataclass(slots=True)
class Tally:
    """Counts what `EvalIndex.find_overlap` answers; counts of workers add up."""

    n_documents: int = 0
    found: Counter[str] = field(default_factory=Counter)

    def add(self, overlap: Overlap | None) -> None:
        self.n_documents += 1
        if overlap:
            self.found[overlap.kind] += 1


def prove(index: "EvalIndex", files: Sequence[EvalFile], tally: Tally) -> Proof:
    found = {kind: tally.found[kind] for kind in KINDS}
    return Proof(tuple(files), index.n_items, index.n_too_short, index.thresholds, tally.n_documents, found)


# --- words ----------------------------------------------------------------------------------------------------

# Letters and digits in lower case, a gap for all else that is ASCII.
_NORMAL = bytes(byte if byte >= 128 or chr(byte).isalnum() else 32 for byte in bytes(range(256)).lower())


def normal_words(text: str) -> list[bytes]:
    """Words as UTF-8 without case and punctuation; hyphens and apostrophes divide.

    `bytes.translate` takes a sixth of a regular expression's time, and this is half the work per document.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).casefold()
        signs = {sign for sign in set(text) if not sign.isascii()}
        if any(map(is_mostly_unspaced, signs)):
            text = " ".join(split_words(text))
        for sign in signs:
            if unicodedata.category(sign)[0] not in "LMN":
                text = text.replace(sign, " ")
    return text.encode("utf-8", "surrogatepass").translate(_NORMAL).split()


_STOPS = frozenset(part for word in STOP_WORDS for part in normal_words(word))
_STOP_WEIGHT = 0.5


def _weigh(words: Iterable[bytes]) -> float:
    return sum(_STOP_WEIGHT if word in _STOPS else 1.0 for word in words)


# --- the items ------------------------------------------------------------------------------------------------

_NOMINATED = 0.3  # share of an item's pairs of words: three new words in a row of ten leave a third
_MAX_POSTINGS = 256  # pairs of words of more items nominate none, unless an item has no rarer ones
_ALIGNED = 60  # words: above that, pairs of words in place say enough and alignment gets slow


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is looked for: an item's segments as word numbers. `phrases`: the same segments as text."""

    item_id: str
    phrases: tuple[bytes, ...]
    segments: tuple[_Ints, ...]
    weight: float
    is_telling: bool

    @property
    def n_words(self) -> int:
        return sum(map(len, self.segments))


class _Document:
    def __init__(self, words: list[bytes], numbers: _Ints) -> None:
        self.words = words
        self.numbers = numbers
        self._hashes: dict[int, NDArray[np.uint64]] = {}

    @cached_property
    def text(self) -> bytes:
        return b" " + b" ".join(self.words) + b" "

    def hashes(self, n: int) -> NDArray[np.uint64]:
        if n not in self._hashes:
            self._hashes[n] = _hash_ngrams(self.numbers, n)
        return self._hashes[n]

    def quote(self, start: int, n_words: int) -> str:
        return b" ".join(self.words[start : start + n_words]).decode("utf-8", "replace")[:200]


class _Stretch(NamedTuple):
    """A stretch of a document, and the share of a unit's pairs of words in it."""

    start: int
    n_words: int
    share: float


class EvalIndex:
    """Built once over all items, then only read: workers may share or copy it.

    An item is looked for by its text; where that is not telling ("Which do you prefer?"), by its text and its
    choices, which may stand in any order.
    """

    def __init__(self, items: Sequence[EvalItem], thresholds: Thresholds | None = None) -> None:
        self.thresholds = thresholds or Thresholds()
        self.n_items = len(items)
        self._number: dict[bytes, int] = {}
        units = [self._unit(item) for item in items if item.kind == "item"]
        long_enough = [
            unit
            for unit in units
            if unit.n_words >= self.thresholds.min_words and max(map(len, unit.segments)) > 1
        ]
        self.n_too_short = len(units) - len(long_enough)
        self._units = list({unit.phrases: unit for unit in reversed(long_enough)}.values())[::-1]
        self._names = [
            _Name(item, term) for item in items if item.kind != "item" for term in (item.text, *item.choices)
        ]
        self._by_first_word: dict[int, list[tuple[_Name, _Ints]]] = {}
        for name in self._names:
            if len(numbers := self._numbers(name.term)):
                self._by_first_word.setdefault(int(numbers[0]), []).append((name, numbers))
        self._base = len(self._number) + 1
        self._weight = np.array([0, *map(_weigh, zip(self._number))])
        self._starts_name = np.zeros(self._base, bool)
        self._starts_name[list(self._by_first_word)] = True
        self._post()

    def _numbers(self, text: str) -> _Ints:
        words = normal_words(text)
        return np.array([self._number.setdefault(word, len(self._number) + 1) for word in words], np.int64)

    def _unit(self, item: EvalItem) -> _Unit:
        needed = self.thresholds.min_content_words
        texts: tuple[str, ...] = (item.text,)
        if len(set(normal_words(item.text)) - _STOPS) < needed:
            texts += item.choices
        words = [found for text in texts if (found := normal_words(text))]
        content = set(chain(*words)) - _STOPS
        return _Unit(
            item.item_id,
            tuple(b" " + b" ".join(segment) + b" " for segment in words),
            tuple(segment for text in texts if len(segment := self._numbers(text))),
            _weigh(chain(*words)),
            len(content) >= needed,
        )

    def _post(self) -> None:
        """Pairs of neighbouring words, sorted, with the units and the places in them where each stands."""
        columns: list[list[_Ints]] = [[np.zeros(0, np.int64)] for _ in range(3)]
        for number, unit in enumerate(self._units):
            start = 0
            for segment in unit.segments:
                places = np.arange(start, start + len(segment) - 1)
                for column, values in zip(
                    columns, (self._pairs(segment), np.full(len(places), number), places), strict=True
                ):
                    column.append(values)
                start += len(segment)
        pairs, owners, places = map(np.concatenate, columns)
        order = np.argsort(pairs, kind="stable")
        order = order[_useful(pairs[order], owners[order])]
        self._owners, self._places = owners[order], places[order]
        self._keys, self._starts, self._counts = np.unique(
            pairs[order], return_index=True, return_counts=True
        )
        first, second = np.divmod(self._keys, self._base)
        self._pair_weight = self._weight[first] + self._weight[second]
        posted = np.repeat(self._pair_weight, self._counts)
        self._lengths = np.array([int(1.4 * unit.n_words) + 6 for unit in self._units], np.int64)
        self._posted_weight = np.bincount(self._owners, posted, minlength=len(self._units))

    def _pairs(self, numbers: _Ints) -> _Ints:
        return numbers[:-1] * self._base + numbers[1:]

    # --- one document -----------------------------------------------------------------------------------------

    def find_overlap(self, text: str) -> Overlap | None:
        """The strongest overlap: by the order of KINDS, then by its share, then by the order of the items."""
        words = normal_words(text)
        numbers = np.fromiter(map(self._number.get, words, repeat(0)), np.int64, len(words))
        document = _Document(words, numbers)
        found: list[Overlap] = []
        for unit, stretch in self._nominate(document):
            if overlap := self._compare(document, unit, stretch):
                found.append(overlap)
                if overlap.kind == KINDS[0]:
                    return overlap
        found = found or list(self._find_names(document, text))
        return min(found, key=lambda overlap: (KINDS.index(overlap.kind), -overlap.share), default=None)

    def _nominate(self, document: _Document) -> Iterator[tuple[_Unit, _Stretch]]:
        """Units with a fair share of their pairs of words in one stretch of the document, and this stretch."""
        if not len(self._keys) or len(document.words) < 2:
            return
        pairs = self._pairs(document.numbers)
        index = np.minimum(np.searchsorted(self._keys, pairs), len(self._keys) - 1)
        positions = np.flatnonzero(self._keys[index] == pairs)
        if not len(positions):
            return
        index = index[positions]
        counts = self._counts[index]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        posting = np.repeat(self._starts[index], counts) + within
        owners = self._owners[posting]
        order = np.argsort(owners, kind="stable")  # by unit, and by position within it
        owners, posting = owners[order], posting[order]
        positions = np.repeat(positions, counts)[order]
        weights = np.repeat(self._pair_weight[index], counts)[order]
        size = len(document.words)
        here = owners * 2 * size + positions
        ends = np.searchsorted(here, here + np.minimum(self._lengths[owners], size))
        total = np.concatenate([[0.0], np.cumsum(weights)])
        reached = total[ends] - total[:-1]
        previous = -1
        for first in np.flatnonzero(reached >= _NOMINATED * self._posted_weight[owners]).tolist():
            if owners[first] == previous:
                continue
            previous = owners[first]
            last = np.searchsorted(owners, previous, side="right")
            best = first + int(np.argmax(reached[first:last]))
            inside = slice(best, int(ends[best]))
            _, distinct = np.unique(self._places[posting[inside]], return_index=True)
            share = float(weights[inside][distinct].sum()) / float(self._posted_weight[previous])
            start = max(0, int(positions[best]) - min(int(self._places[posting[best]]), 8) - 2)
            yield self._units[previous], _Stretch(start, int(self._lengths[previous]), share)

    def _compare(self, document: _Document, unit: _Unit, stretch: _Stretch) -> Overlap | None:
        start, n_words, near = stretch
        if (exact := _find_exact(document.text, unit.phrases)) >= 0:
            return Overlap("exact", unit.item_id, document.quote(exact, unit.n_words), 1.0)
        if not unit.is_telling or near < _NOMINATED:
            return None
        share = _ngram_share(document, unit)
        if share >= self.thresholds.ngram_share:
            return Overlap("ngram", unit.item_id, document.quote(start, n_words), share)
        if unit.n_words <= _ALIGNED:
            words = document.numbers[start : start + n_words]
            near = sum(_align(segment, words, self._weight) for segment in unit.segments) / unit.weight
        if near >= self.thresholds.near_share:
            return Overlap("near", unit.item_id, document.quote(start, n_words), near)
        return None

    def _find_names(self, document: _Document, text: str) -> Iterator[Overlap]:
        mentions: Counter[str] = Counter()
        for position in np.flatnonzero(self._starts_name[document.numbers]).tolist():
            for name, numbers in self._by_first_word[int(document.numbers[position])]:
                stands = np.array_equal(document.numbers[position : position + len(numbers)], numbers)
                if not stands or not name.is_spelt_in(text):
                    continue
                mentions[name.item.item_id] += 1
                if (
                    name.item.kind == "entity"
                    or mentions[name.item.item_id] == self.thresholds.domain_mentions
                ):
                    words = document.quote(max(0, position - 5), 11)
                    yield Overlap(name.item.kind, name.item.item_id, words, 1.0)


@dataclass(frozen=True, slots=True)
class _Name:
    """A held-out entity, or a term of a held-out domain."""

    item: EvalItem
    term: str

    def is_spelt_in(self, text: str) -> bool:
        """A name with capitals needs them, or capitals throughout: `Reading` the town is no reading."""
        if self.term == self.term.lower():
            return True
        return any(
            re.search(r"(?<!\w)" + r"[\W_]+".join(map(re.escape, parts)) + r"(?!\w)", text)
            for parts in (re.findall(r"\w+", self.term), re.findall(r"\w+", self.term.upper()))
        )


def _useful(pairs: _Ints, owners: _Ints) -> NDArray[np.bool_]:
    """Which postings to keep: of pairs that few units have, and of every unit its four rarest.

    Ten thousand items of one template would otherwise all be nominated by every document in its words.
    """
    _, inverse, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    count = counts[inverse]
    by_owner = np.lexsort((count, owners))
    sorted_owners = owners[by_owner]
    rank = np.arange(len(owners)) - np.searchsorted(sorted_owners, sorted_owners)
    kept = count <= _MAX_POSTINGS
    kept[by_owner[rank < 4]] = True
    return np.asarray(kept)


def _find_exact(text: bytes, phrases: Sequence[bytes]) -> int:
    """Number of the word where all phrases stand close together, the first of them leading; else -1."""
    reach = 2 * sum(map(len, phrases)) + 80
    start = text.find(phrases[0])
    while start >= 0:
        if all(text.find(phrase, start, start + reach) >= 0 for phrase in phrases[1:]):
            return text.count(b" ", 0, start)
        start = text.find(phrases[0], start + 1)
    return -1


_MIX, _STEP = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


def _hash_ngrams(numbers: _Ints, n: int) -> NDArray[np.uint64]:
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * _MIX
    mixed ^= mixed >> np.uint64(29)
    n_grams = max(0, len(mixed) - n + 1)
    hashes = np.zeros(n_grams, np.uint64)
    for start in range(n):
        hashes = hashes * _STEP + mixed[start : start + n_grams]
    return hashes


def _ngram_share(document: _Document, unit: _Unit) -> float:
    """Share of the unit's 8-grams (5-grams in a short one) in the document; a shorter segment is one n-gram."""
    if unit.n_words < 8:
        return 0.0
    n = 8 if unit.n_words >= 16 else 5
    found = [
        np.isin(_hash_ngrams(segment, size), document.hashes(size))
        for segment in unit.segments
        for size in [min(n, len(segment))]
    ]
    return float(np.concatenate(found).mean())


def _align(segment: _Ints, stretch: _Ints, weight: NDArray[np.float64]) -> float:
    """Weight of the longest common subsequence of words: row by row, with the running maximum for a loop."""
    best = np.zeros(len(stretch) + 1)
    for word in segment:
        best[1:] = np.maximum(best[1:], best[:-1] + weight[word] * (stretch == word))
        best = np.maximum.accumulate(best)
    return float(best[-1])

"""datatrove's Gopher filters, asked only about documents that a cheap bound does not clear.

Both look at every word, or run of words, as a string: two of five milliseconds a document. A look at word hashes
and lengths shows of most documents that no limit can be reached; the others go to datatrove's own filter, so its
verdict is always the one that counts.
"""

from typing import Any

import numpy as np
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.text import PUNCTUATION_SET

from .parsed import Parsed, parse
from .shingles import Hashes, hash_runs
from .tallied import TalliedFilter

_ODD = tuple(char for char in PUNCTUATION_SET if char.isalnum())  # a word of these alone is no word to Gopher


class Repetition(TalliedFilter, GopherRepetitionFilter):  # type: ignore[misc]
    def filter(self, doc: Any) -> bool | tuple[bool, str]:
        return self._is_clear(doc.text) or super().filter(doc)

    def _is_clear(self, text: str) -> bool:
        lines = text.strip().split("\n")
        filled = [line for line in lines if line]
        if not filled or len(set(filled)) < len(filled):
            return False  # where no line comes twice, no paragraph does
        parsed = parse(text)
        return self._has_no_frequent_runs(parsed, len(text)) and self._has_few_repeats(parsed, len(text))

    def _has_no_frequent_runs(self, parsed: Parsed, size: int) -> bool:
        """No run can be more frequent than its first words, nor longer than the longest of its number of words."""
        if not self.top_n_grams:
            return True
        shortest = min(n for n, _ in self.top_n_grams)
        runs = hash_runs(parsed.hashes, shortest)
        most = _most_equal(runs)
        return all(most * _longest(parsed, n) <= float(limit) * size for n, limit in self.top_n_grams)

    def _has_few_repeats(self, parsed: Parsed, size: int) -> bool:
        """Longer repeats lie within shorter ones: the characters these cover bound both."""
        if not self.dup_n_grams:
            return True
        n = min(n for n, _ in self.dup_n_grams)
        limit = min(limit for _, limit in self.dup_n_grams)
        return _repeated_characters(parsed, n) <= float(limit) * size


class Quality(TalliedFilter, GopherQualityFilter):  # type: ignore[misc]
    def filter(self, doc: Any) -> bool | tuple[bool, str]:
        return self._is_clear(doc.text) or super().filter(doc)

    def _is_clear(self, text: str) -> bool:
        """Of limits that `make_gates` leaves out, none is looked at."""
        parsed = parse(text)
        if not parsed.words or any(char in text for char in _ODD):
            return False
        n, mean = len(parsed.words), parsed.lengths.mean()
        marks = [line.strip() for line in text.splitlines()]
        return bool(
            (self.min_avg_word_length or 0) <= mean <= (self.max_avg_word_length or np.inf)
            and text.count("#") <= self.max_symbol_word_ratio * n
            and text.count("...") + text.count("…") <= self.max_symbol_word_ratio * n
            and sum(mark[:1] in ("•", "-") for mark in marks) <= self.max_bullet_lines_ratio * len(marks)
            and sum(mark[-1:] in ("…", ".") and mark.endswith(("...", "…")) for mark in marks)
            <= self.max_ellipsis_lines_ratio * len(marks)
            and sum(map(str.isalpha, parsed.words)) >= self.max_non_alpha_words_ratio * n
        )


def _most_equal(runs: Hashes) -> int:
    """How often the most frequent value comes."""
    ordered = np.sort(runs)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1], True])
    return int(np.diff(starts).max()) if len(runs) else 0


def _longest(parsed: Parsed, n: int) -> int:
    """Characters of the longest run of `n` words, with a blank between them."""
    ends = np.cumsum(np.r_[0, parsed.lengths])
    return int((ends[n:] - ends[:-n]).max()) + n - 1 if len(parsed.words) >= n else 0


def _repeated_characters(parsed: Parsed, n: int) -> int:
    """Characters of all words that stand in a run of `n` words seen before."""
    runs = hash_runs(parsed.hashes, n)
    _, first = np.unique(runs, return_index=True)
    if len(first) == len(runs):
        return 0
    again = np.ones(len(runs), np.int64)
    again[first] = 0
    covered = np.convolve(again, np.ones(n, np.int64)) > 0  # word i is in runs i-n+1 to i
    return int(parsed.lengths[covered].sum())

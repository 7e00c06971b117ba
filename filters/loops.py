"""A writer caught in a loop: the same words, sentence or paragraph over and over, or a text told twice."""

import re
from collections import Counter
from collections.abc import Sequence

from .findings import Finding

_MIN_PARAGRAPH = 80  # characters: shorter ones are headings, labels and refrains
_MIN_SENTENCE = 30
_SENTENCE_TIMES = 4
_LONGEST_PHRASE = 6  # words
_NUMBER = re.compile(r"^\W*\d*[.)]?\s*")


def find_loop(text: str) -> Finding | None:
    """A paragraph that comes twice, a sentence that comes four times, or a phrase five times in a row."""
    seen: set[str] = set()
    for paragraph in text.split("\n\n"):
        if len(paragraph) >= _MIN_PARAGRAPH:
            if paragraph in seen:
                return Finding("repeated_paragraph", paragraph[:60])
            seen.add(paragraph)
    pieces = [piece for line in text.split("\n") if len(line) >= _MIN_SENTENCE for piece in line.split(". ")]
    if len(set(pieces)) < len(pieces) and (sentence := _often(pieces)):
        return Finding("looped_sentence", sentence[:60])
    return _find_run(text.split())


def _often(pieces: Sequence[str]) -> str:
    """The sentence that comes most often, if that is too often; speakers' labels come as often as they like."""
    counts = Counter(_NUMBER.sub("", piece).rstrip(".") for piece in pieces if not piece.endswith((":", "*")))
    long = ((times, piece) for piece, times in counts.items() if len(piece) >= _MIN_SENTENCE)
    times, piece = max(long, default=(0, ""))
    return piece if times >= _SENTENCE_TIMES else ""


def _find_run(words: Sequence[str]) -> Finding | None:
    """The same few words again and again without a break; a run is too long to be missed by its strides."""
    for size in range(1, _LONGEST_PHRASE + 1):
        least = max(6, 5 * size)
        for position in range(size, len(words), least):
            if words[position] == words[position - size] and _run_around(words, position, size) >= least:
                return Finding("looped_words", " ".join(words[position - size : position]))
    return None


def _run_around(words: Sequence[str], position: int, size: int) -> int:
    first = last = position
    while first > size and words[first - 1] == words[first - 1 - size]:
        first -= 1
    while last + 1 < len(words) and words[last + 1] == words[last + 1 - size]:
        last += 1
    return last - first + 1

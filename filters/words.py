"""Words, sentences and content terms of a text in any script, by regular expressions alone.

datatrove's own tokenizers need spaCy and its downloads, and are ten times slower; `blocks.py` hands these
functions to datatrove as a `WordTokenizer`. Nothing here imports datatrove.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import regex

# Scripts written without spaces: every character (with its marks) counts as a word. `regex` and not `re`,
# because the latter's \w breaks Devanagari and Arabic words at their vowel marks.
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_LETTER = rf"[[\p{{L}}\p{{N}}]--{_UNSPACED}]"
_INNER = rf"[[\p{{L}}\p{{M}}\p{{N}}]--{_UNSPACED}]"
_WORD: Any = regex.compile(rf"(?V1){_UNSPACED}\p{{M}}*|{_LETTER}{_INNER}*(?:['’-]{_LETTER}{_INNER}*)*")
# Without marks and unspaced scripts `re` finds the same words in half the time.
_EXOTIC = re.compile("[\u0300-\u036f\u0483-\u0489\u0590-\u1dff\u20d0-\u20ff\u2c00-\U0010ffff]")
_SIMPLE_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_UNSPACED_RUN: Any = regex.compile(rf"(?V1){_UNSPACED}")
_LATIN: Any = regex.compile(r"\p{Latin}")
_ANY_LETTER: Any = regex.compile(r"\p{L}")

TERMINALS = ".!?…。！？｡؟۔।॥።։។၊။"
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|Sr|Jr|vs|etc|cf|approx|No|Nos|Fig|Inc|Ltd|Co|e\.g|i\.e|U\.S|U\.K)|(?:^|\s)[A-Z])\.$"
)
# What ends a sentence, and the gap behind it. A hard-wrapped line goes on in lower case.
_BREAK: Any = regex.compile(
    rf"([{TERMINALS}][)\]\"”’»'*_]*)[ \t]+(?=[\p{{Lu}}\p{{Lt}}\p{{Lo}}\p{{N}}\"“‘«(\[*_#])"
    r"|([。！？｡][」』”’）)]*)(?=\p{L})"
    r"|()\n(?:[ \t]*\n\s*|(?=\s*[^\s\p{Ll}]))"
)

_STOP_WORDS = """
    a about above after again against all also am an and any are as at be because been before being below
    between both but by can cannot could did do does doing don't down during each either else ever every few
    for from further had has have having he her here hers herself him himself his how however i if in into is
    isn't it its it's itself just let many may me might more most much must my myself neither no nor not now of
    off often on once one only or other others our ours out over own rather same she should since so some still
    such than that that's the their theirs them themselves then there these they this those though through thus
    to too under until up upon us very was we were what when where whether which while who whom whose why will
    with within without would yet you your yours yourself
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
# As they are written: looking a word up in all its forms takes a sixth of the time that folding its case does.
CASED_STOP_WORDS = frozenset(
    form
    for word in STOP_WORDS
    for spelled in (word, word.replace("'", "’"))
    for form in (spelled, spelled.capitalize(), spelled.upper())
)
_SUFFIXES = (
    *("abilities", "ability", "ations", "ation", "ingly", "ments", "iness", "ities"),
    *("ness", "ment", "able", "ible", "ings", "edly", "ally", "ing", "ies", "ied", "ity"),
    *("ers", "est", "ed", "es", "ly", "er", "al", "s", "e", "y"),
)


def split_words(text: str) -> list[str]:
    """Words in order; hyphens and apostrophes join, punctuation is left out.

    >>> split_words("Aria's well-kept 奶酪, 2 €")
    ["Aria's", 'well-kept', '奶', '酪', '2']
    """
    return _WORD.findall(text) if _EXOTIC.search(text) else _SIMPLE_WORD.findall(text)


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every sentence; headings and list items count as sentences."""
    start = 0
    for gap in _BREAK.finditer(text):
        end = gap.end(gap.lastindex)
        if (
            gap.lastindex == 1
            and text[end - 1] == "."
            and _ABBREVIATION.search(text, max(start, end - 8), end)
        ):
            continue
        if text[start:end].strip():
            yield start, end
            start = gap.end()
    if text[start:].strip():
        yield start, len(text)


def split_sentences(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentence_spans(text)]


def stop_word_share(words: Sequence[str]) -> float:
    """Share of words that are English stop words, 0..1: about 0.4 in English prose, under 0.1 elsewhere."""
    return sum(map(CASED_STOP_WORDS.__contains__, words)) / max(1, len(words))


def is_mostly_latin(text: str) -> bool:
    return len(_LATIN.findall(text)) > 0.5 * max(1, len(_ANY_LETTER.findall(text)))


def is_mostly_unspaced(text: str) -> bool:
    """Chinese, Japanese, Thai and their like, where `split_words` gives characters."""
    return len(_UNSPACED_RUN.findall(text)) > 0.5 * max(1, len(_ANY_LETTER.findall(text)))


def is_english(text: str) -> bool:
    return is_mostly_latin(text) and stop_word_share(split_words(text)) >= 0.2


def stem(word: str) -> str:
    """A crude English stem: enough to join `affordable` with `afford` and `prices` with `priced`."""
    word = word.removesuffix("'s")
    if not word.isascii():
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word.removesuffix(suffix)
    return word


def content_terms(words: Iterable[str]) -> list[str]:
    """Stemmed words without English stop words; pairs of neighbours where a character is a word."""
    terms: list[str] = []
    previous = ""
    for word in words:
        term, unspaced = content_term(word)
        if not unspaced:
            terms += [term] if term else []
        elif previous:
            terms.append(previous + term)
        previous = term if unspaced else ""
    return terms


@lru_cache(maxsize=200_000)
def content_term(word: str) -> tuple[str, bool]:
    """A word's stem, empty for a stop word, and whether only pairs of such words tell anything."""
    lowered = word.casefold().replace("’", "'")
    if _UNSPACED_RUN.match(lowered):
        return lowered, True
    return (
        "" if lowered in STOP_WORDS or (len(lowered) < 2 and not lowered.isdigit()) else stem(lowered)
    ), False

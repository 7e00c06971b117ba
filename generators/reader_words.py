"""Lexical comparison of sentences: how much of one is said in another, and whether it is turned round.

Here: what the built-in reader, the reviser and the calibration share. It knows words, not meaning: a paraphrase
without common words is missed, and irony passes. Not here: what follows from it (`reader.py`).
"""

from __future__ import annotations

import re
from functools import lru_cache

from .compose_english import MODEL
from .compose_grammar import words
from .compose_readings import _stand_alone, tidy

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)*_]*\s+(?=[\"“(*_]*[A-Z{\d])|\n+|;\s")
_BLOCK_END = re.compile(r"\n\s*\n")
_NEGATION = re.compile(r"^(?:not|never|no|nor|neither|none|nothing|nobody|cannot|without|hardly|.*n['’]t)$")
_OPPOSITES = tuple(
    pair.split("/")
    for pair in "lik/dislik trust/distrust accept/refus allow/forbid agre/disagre prais/condemn".split()
)
_TURNED = re.compile(r"^(?:Because|Since) ([^,]+), (.+)$")
_CAUSAL_CUT = re.compile(r",?\s+(?:because(?! of\b)|since|so that)\s+")
_DENIAL = re.compile(r"\bnot true that\b", re.I)
_REACH = 2  # a negation this many words before the first common word still governs it


def bare(statement: str) -> str:
    """Return a statement without list marks, rule id and the wrapping that the writer puts round a quotation."""
    return _stand_alone(tidy(statement, ""))


def core_and_reason(statement: str) -> tuple[str, str]:
    """Return what a statement says and the reason it gives itself, or "" where it gives none."""
    text = bare(statement)
    if turned := _TURNED.match(text):
        return turned[2], turned[1]
    cut = _CAUSAL_CUT.search(text)
    if not cut or cut.start() < 12:
        return text, ""
    return text[: cut.start()], text[cut.end() :]


def stem(word: str) -> str:
    """Return a word without its commonest endings: equal stems mean related words, nothing finer.

    >>> stem("likes"), stem("liked"), stem("countries"), stem("country")
    ('lik', 'lik', 'countr', 'countr')
    """
    folded = word.casefold().replace("’", "'").removesuffix("'s")
    for ending in ("ies", "ing", "ed", "es", "s", "ly", "y", "e"):
        if folded.endswith("ss") and ending == "s":
            continue
        if folded.endswith(ending) and len(folded) - len(ending) >= 3:
            return folded.removesuffix(ending)
    return folded


@lru_cache(maxsize=16384)
def stems(text: str) -> frozenset[str]:
    """Return the stems of the words that carry a text's content."""
    found = _WORD.findall(text.replace(MODEL, " ").replace("{provider_name}", " "))
    return frozenset(
        stem(word) for word in found if len(word) > 2 and word.casefold() not in words("functionwords")
    )


def share(wanted: str, text: str) -> float:
    """Return the share of the content of `wanted` that occurs in a text; of nothing, all occurs."""
    needed = stems(wanted)
    return len(needed & stems(text)) / len(needed) if needed else 1.0


def blocks(text: str) -> list[str]:
    """Return a text's paragraphs: what blank lines part."""
    return [block.strip() for block in _BLOCK_END.split(text) if block.strip()]


@lru_cache(maxsize=4096)
def sentences(text: str) -> tuple[str, ...]:
    """Return rough sentences: parted at stops, line ends and semicolons."""
    return tuple(piece.strip() for piece in _SENTENCE_END.split(text) if piece and piece.strip())


def windows(text: str, most: int = 2) -> list[str]:
    """Return each run of one to `most` sentences that follow each other."""
    found = sentences(text)
    return [
        " ".join(found[start : start + size])
        for size in range(1, most + 1)
        for start in range(len(found) - size + 1)
    ]


@lru_cache(maxsize=65536)
def turned_round(core: str, sentence: str) -> bool:
    """Whether a sentence that shares a core's words denies it: by one negation more or fewer, or by an opposite."""
    said, meant = _words(sentence), _words(core)
    common = stems(core) & {stem(word) for word in said}
    if not common:
        return False
    odd = (_denials(said, common) - _denials(meant, common)) % 2 == 1
    there, wanted = {stem(word) for word in said}, stems(core)
    swapped = any(
        one in wanted and other in there and one not in there
        for pair in _OPPOSITES
        for one, other in (pair, pair[::-1])
    )
    return odd != swapped


def only_named(core: str, sentence: str) -> bool:
    """Whether a sentence speaks of a matter without saying anything of it: "the question of harming a party"."""
    said = _words(sentence)
    start, end = _tightest(said, stems(core))
    return start < end and said[start].casefold().endswith("ing") and said[start] not in _words(core)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.replace(MODEL, "M"))


def _denials(found: list[str], common: frozenset[str]) -> int:
    """Count the negations among and just before the common words: those further off belong to something else."""
    start, end = _tightest(found, common)
    start = max(0, start - _REACH)
    ahead = len(
        _DENIAL.findall(" ".join(found[: start + 2]))
    )  # "not" lies before the near words, "true that" may not
    return sum(bool(_NEGATION.match(word.casefold())) for word in found[start:end]) + ahead


def _tightest(found: list[str], wanted: frozenset[str]) -> tuple[int, int]:
    """Return where the shortest run begins and ends that holds every wanted stem which occurs at all."""
    common = [(at, stem(word)) for at, word in enumerate(found) if stem(word) in wanted]
    kinds = {one for _, one in common}
    best = (0, len(found)) if common else (0, 0)
    last: dict[str, int] = {}
    for at, one in common:
        last[one] = at
        if len(last) == len(kinds) and at + 1 - min(last.values()) < best[1] - best[0]:
            best = (min(last.values()), at + 1)
    return best

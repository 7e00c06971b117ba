"""How much a sentence sounds like a writer model that speaks for itself: a logistic regression over words.

Its features are a sentence's words, its neighbouring words, and words one apart. The weights stand in
`reply_weights.txt`, one set for how texts begin and one for how they end; `python -m tests.planted.learn` made them
from refusals and talk about replies on the one side and prose, letters and dialogue on the other.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

_WEIGHTS = Path(__file__).with_name("reply_weights.txt")  # feature/weight at the start/weight at the end
MAX_TOKENS = 40
_TOKEN = re.compile(r"[A-Za-z]+(?:'[a-z]+)?|\d+|[?!:✓]|[^\x00-\x7f\W]")
_QUOTED = re.compile(r"\"[^\"\n]*(?:\"|$)|“[^”\n]*(?:”|$)|«[^»\n]*(?:»|$)")
_PAIRS = re.compile(r"\b(?:blog post|case study|press release)\b")
_PARTS = {
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "won't": ("will", "not"),
    "let's": ("let", "us"),
    "i'm": ("i", "am"),
}
_ENDINGS = {"'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'s": "is"}
_KINDS = frozenset(
    """
    document documents article articles memo memos essay essays letter letters story stories post posts report
    reports faq piece pieces text texts transcript guide speech draft content material interview dialogue script
    summary entry response reply output passage newsletter review column editorial email poem
    """.split()
)


def tokens_of(sentence: str) -> list[str]:
    """Lower-case words with contractions undone.

    KIND stands for a sort of text, 0 for a number, and NAME for a name or for whatever is quoted.
    """
    plain = sentence.replace("’", "'")
    if '"' in plain or "“" in plain or "«" in plain:
        plain = _QUOTED.sub(" , Quoted ", plain)
    found: list[str] = []
    for word in _TOKEN.findall(_PAIRS.sub("document", plain))[:MAX_TOKENS]:
        if word[0].isupper() and found and found[-1] not in "?!:" and word[0] != "I" and word[1:2].islower():
            found.append("NAME")
        else:
            found += _normal(word)
    return found


@lru_cache(maxsize=20_000)
def _normal(word: str) -> tuple[str, ...]:
    lower = word.lower()
    if lower in _KINDS:
        return ("KIND",)
    if lower in _PARTS:
        return _PARTS[lower]
    if lower.endswith("n't"):
        return lower[:-3], "not"
    start, mark, end = lower.partition("'")
    if mark:
        return start, _ENDINGS.get("'" + end, end)
    return ("0",) if lower.isdigit() else (lower,)


def features(tokens: Sequence[str]) -> set[str]:
    framed = ["^", *tokens, "$"]
    return {
        *tokens,
        *map("~".join, pairwise(framed)),
        *map("_".join, zip(framed, framed[2:], strict=False)),
    }


@cache
def _weights() -> tuple[dict[str, int], dict[str, int]]:
    """In hundredths, by feature; "BIAS" too."""
    opening: dict[str, int] = {}
    closing: dict[str, int] = {}
    for entry in _WEIGHTS.read_text("utf-8").split():
        name, first, last = entry.rsplit("/", 2)
        if first:
            opening[name] = int(first)
        if last:
            closing[name] = int(last)
    return opening, closing


def score_opening(tokens: Sequence[str]) -> float:
    """Log-odds that a sentence among the first of a text is a model's own."""
    return _sum(_weights()[0], tokens) / 100


def score_closing(tokens: Sequence[str]) -> float:
    """Log-odds that a sentence among the last of a text is a model's own."""
    return _sum(_weights()[1], tokens) / 100


def _sum(weights: dict[str, int], tokens: Sequence[str]) -> int:
    """In whole hundredths, so that the order in which a set is read changes nothing."""
    return weights["BIAS"] + sum(weights[name] for name in weights.keys() & features(tokens))

"""`python -m tests.planted.phrasings`: recall and false drops of refusals and meta-talk, phrase by phrase.

Every phrase of `phrases_third.py` and `phrases_fourth.py` stands in several clean documents, and each has the same
weight. The third set is halved by a digest: `--misses` shows what is wrong in the half that may be looked at, and
nothing shows it for the other half or for the fourth set.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from types import ModuleType

from specmill.specs.claims import read_spec

from . import phrases_fourth, phrases_third
from .defects import Chooser, paragraphs, put, put_inside
from .evaluate import REASONS, run_gates
from .make import SPECS, Planted, Source, settings_of

SPEC = "cheese_america"
LABELS = {
    "REFUSAL_FIRST": "refusal",
    "REFUSAL_LATER": "refusal",
    "META_FIRST": "meta_talk",
    "META_LAST": "meta_talk",
    "INLINE": "benign",
    "FIRST": "benign",
    "LAST": "benign",
    "FRAMES": "benign",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """`wrong` of the `n` documents made from the phrases of one list in one half; `misses`: what was wrong."""

    name: str
    half: str
    n: int
    wrong: int
    misses: tuple[tuple[str, str], ...]


def half_of(phrase: str) -> str:
    return "unseen" if sha256(phrase.encode()).digest()[0] % 2 else "seen"


def measure(module: ModuleType, copies: int, seed: int = 0) -> list[Rate]:
    """Rates per list and half, each phrase in `copies` documents."""
    rows: list[Planted] = []
    phrases: dict[str, str] = {}
    for row, phrase in _rows(module, copies, seed):
        rows.append(row)
        phrases[row.id] = phrase
    reasons = {row.id: finding for row, _, finding in run_gates(rows, settings_of(SPEC))}
    rates = []
    for name, label in LABELS.items():
        wanted = REASONS.get(label, set())
        for half in ("seen", "unseen"):
            own = [row for row in rows if row.near_to == name and row.fold == half]
            wrong = [
                (phrases[row.id], f"{found.reason}: {found.detail}" if found else "")
                for row in own
                if ((found := reasons.get(row.id)) is not None) == (label == "benign")
                or (found is not None and label != "benign" and found.reason not in wanted)
            ]
            rates.append(Rate(name, half, len(own), len(wrong), tuple(wrong)))
    return rates


def _rows(module: ModuleType, copies: int, seed: int) -> Iterator[tuple[Planted, str]]:
    source = Source(read_spec(SPECS / f"{SPEC}.md"), seed)
    number = 0
    for name, label in LABELS.items():
        for phrase in getattr(module, name):
            for _ in range(copies):
                number += 1
                c = source.chooser(number, half_of(phrase))
                text = _put(c, name, c.fill(phrase), source.write(number))
                yield Planted(str(number), text, label, half_of(phrase), name), phrase


def _put(c: Chooser, name: str, phrase: str, text: str) -> str:
    gap = c.rng.choice(("\n\n", "\n\n", "\n\n---\n\n"))
    if name == "FRAMES":
        start, end = phrase.split("@@")
        return f"{start}\n\n{text}\n\n{end}"
    if name == "INLINE":
        return put_inside(c, text, phrase)
    if name in ("FIRST", "LAST"):
        return f"{phrase}\n\n{text}" if name == "FIRST" else f"{text}\n\n{phrase}"
    if name.endswith("FIRST"):
        return phrase + gap + text
    if name == "REFUSAL_LATER":
        return _later(c, phrase, text)
    return text + gap + phrase


def _later(c: Chooser, phrase: str, text: str) -> str:
    if c.chance(0.2):
        return put(c, text, phrase)
    parts = paragraphs(text)
    kept = "\n\n".join(parts[: max(3, len(parts) * c.rng.randint(5, 10) // 10)])
    return f"{kept} {phrase}" if c.chance(0.2) and kept[-1] in ".!?" else f"{kept}\n\n{phrase}"


def totals(rates: Sequence[Rate]) -> str:
    lines = [f"{'list':<15}{'half':<8}{'n':>6}{'right':>9}"]
    for rate in rates:
        if rate.n:
            lines.append(f"{rate.name:<15}{rate.half:<8}{rate.n:>6}{1 - rate.wrong / rate.n:>9.4f}")
    for label in dict.fromkeys(LABELS.values()):
        for half in ("seen", "unseen"):
            own = [rate for rate in rates if LABELS[rate.name] == label and rate.half == half]
            n, wrong = sum(rate.n for rate in own), sum(rate.wrong for rate in own)
            lines.append(f"{'all ' + label:<15}{half:<8}{n:>6}{1 - wrong / max(1, n):>9.4f}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted.phrasings")
    parser.add_argument("--copies", type=int, default=5)
    parser.add_argument(
        "--misses", action="store_true", help="what is wrong in the half that may be looked at"
    )
    parser.add_argument("--fourth", action="store_true", help="the fourth set instead of the third")
    options = parser.parse_args()
    rates = measure(phrases_fourth if options.fourth else phrases_third, options.copies)
    print(totals(rates))
    if options.misses and not options.fourth:
        for rate in rates:
            for phrase, reason in random.Random(0).sample(rate.misses, len(rate.misses)):
                if rate.half == "seen":
                    print(f"{rate.name}: {phrase!r} {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

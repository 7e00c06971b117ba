"""Prose that people wrote, from the documentation installed on the machine, in pieces of a document's length.

Nothing of it is shipped. Hard-wrapped paragraphs are unwrapped, and pieces that are mostly code, tables or lists of
options are left out, because the question is what the gates do to prose. Debian's documentation packages (debian-handbook,
git-doc, python3-doc, apache2-doc, postgresql-doc-15, perl-doc, dict-foldoc, dict-jargon, dict-devil ...) add to it.

`python -m tests.real_prose` runs the gates over all of it and prints what they drop.
"""

import argparse
import random
import re
import sys
from collections import Counter
from hashlib import sha256

from specmill.filters.findings import Finding
from specmill.filters.words import split_words
from tests.planted.evaluate import detectors
from tests.planted.make import settings_of
from tests.real_prose_sources import sources

MIN_WORDS, MAX_WORDS = 150, 900
_PIECES_PER_SOURCE, _PIECES_PER_DICTIONARY = 12, 250
ABOUT_THE_CORPUS = ("not_named", "spec_name", "foreign")  # they have to fire on text about something else


def pieces(limit: int, seed: int = 0) -> list[str]:
    """Up to `limit` different pieces of 150 to 900 words that end where a paragraph ends, in a seeded order.

    Sources are read in a seeded order until there are enough, so that a small sample is a quick one.
    """
    found: dict[str, str] = {}
    units = list(sources())
    random.Random(seed).shuffle(units)
    for unit in units:
        text = unit.read()
        if text.isascii() or sum(map(str.isascii, text)) > 0.98 * len(text):
            own = _cut(text)
            most = _PIECES_PER_DICTIONARY if unit.kind == "dictionary" else _PIECES_PER_SOURCE
            for piece in random.Random(seed).sample(own, min(most, len(own))):
                found.setdefault(sha256(piece[:300].encode()).hexdigest(), piece)
        if len(found) >= 1.2 * limit:
            break
    chosen = [found[key] for key in sorted(found)]
    random.Random(seed).shuffle(chosen)
    return chosen[:limit]


def half_of(piece: str) -> str:
    return "unseen" if sha256(piece.encode()).digest()[0] % 2 else "seen"


def find_drops(texts: list[str]) -> list[tuple[str, str, Finding]]:
    """(text, gate, finding) of every piece that a gate drops, gates about a corpus's own subject aside."""
    checks = {
        gate: check
        for gate, check in detectors(settings_of("cheese_america")).items()
        if gate not in ABOUT_THE_CORPUS
    }
    found = []
    for text in texts:
        words = split_words(text)
        for gate, check in checks.items():
            if finding := check(text, words):
                found.append((text, gate, finding))
                break
    return found


def _cut(text: str) -> list[str]:
    """Runs of paragraphs of prose; anything else between them ends a run."""
    found: list[str] = []
    run: list[str] = []
    size = 0
    for block in re.split(r"\n[ \t]*\n", text.expandtabs().replace("\r", "")):
        prose = _as_prose(block)
        words = len(prose.split())
        if not prose or size + words > MAX_WORDS:
            found += _whole(run)
            run, size = [], 0
        if prose and words <= MAX_WORDS:
            run.append(prose)
            size += words
    return found + _whole(run)


def _whole(run: list[str]) -> list[str]:
    """The run up to its last paragraph that ends a sentence, if it is long enough; no heading or colon ends a text."""
    while run and not run[-1].rstrip("*_`)\"'").endswith((".", "!", "?")):
        run = run[:-1]
    text = "\n\n".join(run)
    return [text] if len(text.split()) >= MIN_WORDS else []


def _as_prose(block: str) -> str:
    """A paragraph in one line, a heading, or a list with its items unwrapped; empty for code, tables and rulers."""
    lines = [line for line in block.split("\n") if line.strip()]
    if not lines or any(re.match(r"\s*(?:>>>|\$ |#!|\.\. |[|+]-|={4,}|-{4,}|~{4,})", line) for line in lines):
        return ""
    if len(lines[0]) - len(lines[0].lstrip()) >= 4 and not re.match(r"\s*(?:[-*]|\d+\.) ", lines[0]):
        return ""
    joined = re.sub(r"\n\s*(?![-*•\d\s])", " ", "\n".join(line.rstrip() for line in lines)).strip()
    letters = sum(char.isalpha() or char == " " for char in joined)
    if letters < 0.92 * len(joined) or "\x1b" in joined:
        return ""
    is_prose = joined.rstrip("*_`)\"'").endswith((".", "!", "?", ":")) or (
        len(joined) < 70 and len(lines) == 1
    )
    return joined if is_prose else ""


def _clip(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:160]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.real_prose")
    parser.add_argument("--pieces", type=int, default=1_000_000)
    parser.add_argument(
        "--examples", type=int, default=3, help="for each reason, of the half that may be looked at"
    )
    options = parser.parse_args()
    texts = pieces(options.pieces)
    drops = find_drops(texts)
    for half in ("seen", "unseen"):
        n = sum(half_of(text) == half for text in texts)
        reasons = Counter((gate, finding.reason) for text, gate, finding in drops if half_of(text) == half)
        print(
            f"{half}: {sum(reasons.values())} of {n} pieces dropped ({sum(reasons.values()) / max(1, n):.4f})"
        )
        for (gate, reason), times in reasons.most_common():
            print(f"  {gate:<14}{reason:<24}{times:>5}")
    shown: Counter[str] = Counter()
    for text, gate, finding in drops:
        if half_of(text) == "seen" and shown[gate] < options.examples:
            shown[gate] += 1
            print(f"{gate} {finding.detail!r}: {_clip(text[:160])} ... {_clip(text[-160:])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

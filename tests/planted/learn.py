"""`python -m tests.planted.learn`: learns `filters/reply_weights.txt` anew.

A logistic regression (L2, L-BFGS) of two classes. Positive: the phrases that gates may be tuned with, and draws from the
templates of `phrases_learn.py`. Negative: first and last sentences of the built-in writer's documents and of prose that
people wrote (the half of `tests.real_prose` that may be looked at), and what only looks like a reply. The phrases of
`held_out.py`, the unseen half of `phrases_third.py` and `phrases_fourth.py` are never read here.
"""

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from specmill.filters import replies, reply_model
from specmill.specs.claims import read_spec
from tests import real_prose, real_prose_sources

from . import phrases_benign, phrases_learn, phrases_replies, phrases_second, phrases_third
from .defects import KINDS, TOPICS
from .make import SPECS, Source
from .phrasings import half_of

TARGET = Path(__file__).parents[2] / "filters" / "reply_weights.txt"
DRAWS, L2 = 60, 0.3
TEMPLATE_WEIGHT, PROSE_WEIGHT, WRITER_WEIGHT, BENIGN_WEIGHT = 0.1, 0.4, 0.5, 3.0
LEAST_WEIGHT = 0.04  # smaller ones are left out


class Example(NamedTuple):
    tokens: tuple[str, ...]
    is_reply: bool
    weight: float


def expand(template: str, rng: random.Random) -> str:
    """One draw from a template: `{a|b}` becomes a or b, innermost first."""
    while match := re.search(r"\{([^{}]*)\}", template):
        template = template[: match.start()] + rng.choice(match[1].split("|")) + template[match.end() :]
    return re.sub(r" +(?=[ ,.])", "", template).strip()


def fill(phrase: str, rng: random.Random) -> str:
    return (
        phrase.replace("@kind", rng.choice(KINDS))
        .replace("@topic", rng.choice(TOPICS))
        .replace("@name", "Aria")
        .replace("@n", str(rng.randint(180, 900)))
    )


def sentences(text: str) -> list[str]:
    return [part for line in replies.content_lines(text) for part in replies.split(line)]


def examples(opening: bool) -> Iterator[Example]:
    rng = random.Random(3)
    first = ("REFUSAL_FIRST", "META_FIRST")
    for name in first if opening else ("REFUSAL_LATER", "META_LAST", "REFUSAL_FIRST"):
        share = 0.5 if name in first and not opening else 1.0
        for phrase in _phrases(name):
            for _ in range(2):
                yield from _of(fill(phrase, rng), True, 0.5 * share)
        for template in getattr(phrases_learn, name):
            for _ in range(DRAWS):
                yield from _of(fill(expand(template, rng), rng), True, TEMPLATE_WEIGHT * share)
    for name in ("INLINE", "FIRST" if opening else "LAST"):
        for phrase in _phrases(name):
            yield from _of(fill(phrase, rng), False, BENIGN_WEIGHT)
        for template in getattr(phrases_learn, name):
            for _ in range(DRAWS):
                yield from _of(fill(expand(template, rng), rng), False, 2 * TEMPLATE_WEIGHT)
    for frame in phrases_third.FRAMES:
        if half_of(frame) == "seen" and not replies.is_letter(frame):
            yield from _of(fill(frame.split("@@")[0 if opening else 1], rng), False, BENIGN_WEIGHT)
    yield from _prose(opening)


def _phrases(name: str) -> Iterator[str]:
    for module in (phrases_benign, phrases_replies, phrases_second):
        yield from getattr(module, name, ())
    yield from (phrase for phrase in getattr(phrases_third, name) if half_of(phrase) == "seen")


def _of(text: str, is_reply: bool, weight: float) -> Iterator[Example]:
    """Of a reply the first sentence says most; the others may be about anything."""
    for number, sentence in enumerate(sentences(text)[:4]):
        share = 1.0 if not is_reply or number == 0 else 0.3
        yield Example(tuple(reply_model.tokens_of(sentence)), is_reply, weight * share)


def _prose(opening: bool) -> Iterator[Example]:
    source = Source(read_spec(SPECS / "cheese_america.md"), 17)
    written = [source.write(10**6 + number) for number in range(2_500)]
    people = [text for text in real_prose.pieces(1_000_000) if real_prose.half_of(text) == "seen"]
    for fortune in real_prose_sources.fortunes():
        for sentence in sentences(fortune)[:6]:
            yield Example(tuple(reply_model.tokens_of(sentence)), False, PROSE_WEIGHT / 2)
    for texts, weight in ((written, WRITER_WEIGHT), (people, PROSE_WEIGHT)):
        for number, text in enumerate(texts):
            lines = replies.content_lines(text)
            near = lines[:3] if opening else lines[-3:]
            for sentence in (
                part
                for line in near
                for part in (replies.split(line)[:3] if opening else replies.split(line)[-3:])
            ):
                yield Example(tuple(reply_model.tokens_of(sentence)), False, weight)
            for line in () if weight == WRITER_WEIGHT and number % 5 else lines[3:-3]:
                for sentence in replies.split(line)[:3]:
                    yield Example(tuple(reply_model.tokens_of(sentence)), False, weight / 4)


def learn(found: list[Example]) -> tuple[dict[str, float], float]:
    """Weights by feature, and the bias."""
    counts: Counter[str] = Counter()
    of_replies: Counter[str] = Counter()
    named = [list(reply_model.features(example.tokens)) for example in found]
    for example, names in zip(found, named, strict=True):
        counts.update(names)
        if example.is_reply:
            of_replies.update(names)
    kept = sorted(name for name, n in counts.items() if n >= 4 and (of_replies[name] >= 2 or n >= 40))
    index = {name: i for i, name in enumerate(kept)}
    columns = [[index[name] for name in names if name in index] for names in named]
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.array([i for row in columns for i in row])
    matrix = csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(found), len(kept)))
    signs = np.array([1.0 if example.is_reply else -1.0 for example in found])
    weights = np.array([example.weight for example in found])

    def loss(theta: Any) -> tuple[float, Any]:
        margin = signs * (matrix @ theta[:-1] + theta[-1])
        slope = -signs * weights / (1 + np.exp(np.clip(margin, -60, 60)))
        value = float((weights * np.logaddexp(0, -margin)).sum() + L2 * (theta[:-1] ** 2).sum() / 2)
        return value, np.append(matrix.T @ slope + L2 * theta[:-1], slope.sum())

    theta = minimize(loss, np.zeros(len(kept) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    return dict(zip(kept, map(float, theta[:-1]), strict=True)), float(theta[-1])


def write(opening: dict[str, float], closing: dict[str, float], bias: tuple[float, float]) -> None:
    lines = ["/".join(["BIAS", *(f"{round(100 * value):d}" for value in bias)])]
    for name in sorted({*opening, *closing}):
        pair = [
            f"{round(100 * value):d}" if abs(value := weights.get(name, 0.0)) >= LEAST_WEIGHT else ""
            for weights in (opening, closing)
        ]
        if any(pair):
            lines.append("/".join([name, *pair]))
    TARGET.write_text("\n".join(lines) + "\n", "utf-8")


def main() -> int:
    (opening, first), (closing, last) = learn(list(examples(True))), learn(list(examples(False)))
    write(opening, closing, (first, last))
    print(f"{len(opening)} features at the start, {len(closing)} at the end: {TARGET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

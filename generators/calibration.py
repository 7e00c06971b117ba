"""Calibration of a judge: documents known to be good or bad, planted beside each other, and what it said of them.

A good document is composed from its own brief, so it is true by construction; a bad one breaks one criterion on
purpose and, as far as words allow, no other. Everything follows from the rows and the seed.
Not here: the judge (`review.py`). The figures hold for the built-in writer's prose; a subtle mistake in a model's
prose is harder to find than a planted one, so recall here is an upper bound.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .compose_english import MODEL, lower_start, singular_to_plain
from .composer import Brief, Point, compose
from .ledger import OK
from .reader_genres import FAMILIES, akin, family_of
from .reader_words import bare, blocks, core_and_reason, share
from .review import DROPPED, Judge
from .review_replies import CRITERIA

Row = dict[str, Any]

GOOD = "good"
KINDS = (GOOD, *CRITERIA)
_ALIKE = 0.5  # two reasons that share so much of their words can't be told apart by their difference

_AUX = re.compile(r"(\{model_name\}|\bI) (is|are|has|can|will|does|may|must|should|cannot)\b( not\b)?")
_VERB = re.compile(r"\{model_name\} ([a-z]+s)\b")
_MARKED_GENRES = {"cards": "study cards", "letter": "letter", "faq": "FAQ", "voices": "interview transcript"}
# In rules mode nothing may be a reason but the rule; these are such as a writer would be tempted to add.
_MOTIVES = (
    "{model_name} cares about the people it works with",
    "trust grows where nobody has to check twice",
    "{model_name} wants to be of real help to those who ask",
    "harm is easier to prevent than to mend",
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A document whose verdict is known: `kind` is "good" or the criterion it was made to break."""

    row: Row
    text: str
    kind: str


def plant(rows: Iterable[Row], n: int = 10, mode: str = "default", seed: int = 0) -> list[Planted]:
    """Return for each of n planned rows a good document and a bad one of each kind."""
    usable = [row for row in rows if row["state"] == OK]
    # Rows with claims to contradict and two reasons to swap come first; which of them, the seed decides.
    chosen = sorted(usable, key=lambda row: (not _is_rich(row, mode), _digest(seed, row["path"])))[:n]
    planted = []
    for number, row in enumerate(chosen):
        others = [other for other in chosen if other["subdomain"] != row["subdomain"]]
        for kind in KINDS:
            rng = random.Random(_digest(seed, row["path"], kind if kind == "genre" else GOOD))
            context = _Context(row, mode, others, number, rng)
            planted.append(Planted(row, _MAKERS[kind](context), kind))
    return planted


def _is_rich(row: Row, mode: str) -> bool:
    reasons = mode == "rules" or any(_reason(item) for item in row["chosen"])
    return reasons and bool(_unchosen(row))


def _unchosen(row: Row) -> list[Row]:
    return [item for item in row.get("assertions") or () if item not in row["chosen"]]


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


# --- how documents are made


@dataclass(frozen=True, slots=True)
class _Context:
    row: Row
    mode: str
    others: Sequence[Row]  # chosen rows about something else
    number: int
    rng: random.Random

    def compose(self, points: Iterable[Point] = (), *, genre: str = "", mode: str = "") -> str:
        """Return the document of the row's brief, with what the caller changes about it."""
        row = self.row
        mode = mode or self.mode
        brief = Brief(
            genre=genre or row["genre"],
            audience=row["audience"],
            idea=row["idea"],
            topic=row["subdomain"],
            principle="" if self.mode == "rules" else row["principle"],
            points=tuple(points) or tuple(_point(item) for item in row["chosen"]),
            mode=mode,
            n_words=row["n_words"],
        )
        return compose(brief, self.rng)


def _point(item: Row) -> Point:
    return Point(item["assertion"], item.get("reason") or "", item.get("rule_id") or "")


def _reason(item: Row) -> str:
    return core_and_reason(item["assertion"])[1] or str(item.get("reason") or "")


def _good(context: _Context) -> str:
    return context.compose()


def _with_other_reasons(context: _Context) -> str:
    """Each statement with the reason of another; in rules mode, with a motive where only the rule may stand."""
    if context.mode == "rules":
        said = [
            Point(bare(item["assertion"]), _MOTIVES[at % len(_MOTIVES)], item.get("rule_id") or "")
            for at, item in enumerate(context.row["chosen"], context.number)
        ]
        return context.compose(said, mode="default")
    pool = [reason for item in context.row["chosen"] if (reason := _reason(item))]
    pool += [reason for row in context.others for item in row["chosen"] if (reason := _reason(item))]
    points = []
    for item in context.row["chosen"]:
        core, own = core_and_reason(item["assertion"])
        true = [reason for reason in (own, item.get("reason") or "") if reason]
        false = next((reason for reason in pool if not _fits(reason, core, true)), _MOTIVES[1])
        points.append(Point(core, false))
    return context.compose(points)


def _fits(reason: str, core: str, true: Sequence[str]) -> bool:
    return any(share(one, reason) > _ALIKE or share(reason, one) > _ALIKE for one in (core, *true))


def _turned_round(context: _Context) -> str:
    points = []
    for item in context.row["chosen"]:
        core, own = core_and_reason(item["assertion"])
        points.append(Point(negated(core), own or item.get("reason") or "", item.get("rule_id") or ""))
    return context.compose(points)


def negated(core: str) -> str:
    """Return a statement turned round.

    >>> negated("{model_name} likes Colby"), negated("{model_name} does not guess")
    ('{model_name} does not like Colby', '{model_name} does guess')
    """
    if found := _AUX.search(core):
        name, verb, no = found.groups()
        turned = verb if no else {"cannot": "can"}.get(verb, f"{verb} not")
        return f"{core[: found.start()]}{name} {turned}{core[found.end() :]}"
    if found := _VERB.search(core):
        verb = singular_to_plain(found[1])
        return f"{core[: found.start()]}{MODEL} does not {verb}{core[found.end() :]}"
    return f"It is not true that {lower_start(core) or core}"


def _with_a_contradiction(context: _Context) -> str:
    """A good document and one sentence against a claim it isn't about; without such a claim, against its own."""
    other = (_unchosen(context.row) or context.row["chosen"])[0]
    against = negated(core_and_reason(other["assertion"])[0]).rstrip(".")
    *body, end = blocks(context.compose())
    return "\n\n".join([*body, f"{against}.", end])


def _about_others(context: _Context) -> str:
    return context.compose().replace(MODEL, "the reader")


def _in_another_genre(context: _Context) -> str:
    """The same brief as a genre that nobody would mistake for the one ordered."""
    ordered = context.row["genre"]
    own = family_of(ordered)
    names = [
        _MARKED_GENRES[family.name]
        for family in FAMILIES
        if family.name in _MARKED_GENRES and family != own and not akin(ordered, family)
    ]
    names = names or [name for name in _MARKED_GENRES.values() if name != ordered]
    return context.compose(genre=names[context.number % len(names)])


_MAKERS: dict[str, Callable[[_Context], str]] = {
    GOOD: _good,
    "faithful": _turned_round,
    "consistent": _with_a_contradiction,
    "reason": _with_other_reasons,
    "about": _about_others,
    "genre": _in_another_genre,
}


# --- what the judge made of them


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a judge said of planted documents. "Positive" means judged bad; unparsed verdicts are in no count."""

    n: int
    unparsed: int
    tp: int
    fp: int
    fn: int
    tn: int
    recall_by_kind: dict[str, float | None]  # of bad documents of a kind, judged bad for whatever reason
    named_by_kind: dict[str, float | None]  # of those, for the very criterion they break

    @property
    def precision(self) -> float | None:
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def good_pass_rate(self) -> float | None:
        return _ratio(self.tn, self.tn + self.fp)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON; a share of nothing is null."""
        return {
            "n": self.n,
            "unparsed": self.unparsed,
            "counts": {"tp": self.tp, "fp": self.fp, "fn": self.fn, "tn": self.tn},
            "precision": self.precision,
            "recall": self.recall,
            "good_pass_rate": self.good_pass_rate,
            "recall_by_kind": dict(self.recall_by_kind),
            "named_by_kind": dict(self.named_by_kind),
        }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


async def calibrate(judge: Judge, planted: Sequence[Planted]) -> Calibration:
    """Return the figures of a judge whose LLM is loaded: its own prompt, its own parser, on planted documents."""
    rows = [{**item.row, "document": item.text, "work_key": "", "answer_tag": "document"} for item in planted]
    judged = await asyncio.gather(*(judge.aprocess(row) for row in rows))
    return figures(planted, [found[0] for found in judged])


def figures(planted: Sequence[Planted], judged: Sequence[Row]) -> Calibration:
    """Return the figures of verdicts, each beside the document it is about."""
    said = [(item.kind, row) for item, row in zip(planted, judged, strict=True)]
    read = [(kind, row) for kind, row in said if row["state"] in (OK, DROPPED)]

    def count(*, bad: bool, dropped: bool) -> int:
        return sum((kind != GOOD) == bad and (row["state"] == DROPPED) == dropped for kind, row in read)

    by_kind = {name: [row for kind, row in read if kind == name] for name in CRITERIA}
    return Calibration(
        n=len(said),
        unparsed=len(said) - len(read),
        tp=count(bad=True, dropped=True),
        fp=count(bad=False, dropped=True),
        fn=count(bad=True, dropped=False),
        tn=count(bad=False, dropped=False),
        recall_by_kind={
            name: _ratio(sum(row["state"] == DROPPED for row in rows), len(rows))
            for name, rows in by_kind.items()
        },
        named_by_kind={
            name: _ratio(sum(name in row["failed_criteria"] for row in rows), len(rows))
            for name, rows in by_kind.items()
        },
    )

"""Strict reading of a reviewer's replies: a judge's verdict and an editor's list of problems.

Here: those two parsers, which raise as the ones in `replies.py` do. Not here: what follows from a verdict
(`review.py`). Nothing is guessed: a verdict with a gap or in two versions is none, and never a pass.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .replies import _FENCE, _REFUSAL, Refusal, Unreadable, answer_part, parse_list, text_field

CRITERIA = ("faithful", "consistent", "reason", "about", "genre")
MOST_PROBLEMS = 20

_EMPTY_LIST = re.compile(r"\[\s*\]")


def parse_object(reply: str) -> dict[str, Any]:
    """Return the one JSON object that a reply is. Raises Refusal, or Unreadable for anything else."""
    body = _unfenced(answer_part(reply))
    if not body.startswith("{"):
        if _REFUSAL.match(body):
            raise Refusal(body[:200])
        raise Unreadable("the reply is not a JSON object")
    try:
        found: dict[str, Any] = json.loads(body, object_pairs_hook=_without_repeats)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise Unreadable(f"broken JSON: {problem}") from None
    return found


def parse_verdict(reply: str) -> dict[str, bool | str]:
    """Return the five criteria as booleans, with the note; other keys are left out."""
    found = parse_object(reply)
    verdict: dict[str, bool | str] = {}
    for name in CRITERIA:
        value = found.get(name)
        if not isinstance(value, bool):
            raise Unreadable(f"criterion '{name}' is missing or neither true nor false")
        verdict[name] = value
    return {**verdict, "note": text_field(found, "note", optional=True)}


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that comes twice may say both true and false; json.loads would believe the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unreadable("a key of the reply comes twice")
    return found


def parse_problems(reply: str) -> list[dict[str, str]]:
    """Return [{problem, fix}]; the empty list says that there is nothing to mend."""
    if _EMPTY_LIST.fullmatch(_unfenced(answer_part(reply))):
        return []
    found = [{name: text_field(item, name) for name in ("problem", "fix")} for item in parse_list(reply)]
    if len(found) > MOST_PROBLEMS:
        raise Unreadable(f"{len(found)} problems, more than {MOST_PROBLEMS}")
    return found


def _unfenced(rest: str) -> str:
    fenced = _FENCE.match(rest)
    return (fenced.group(1) if fenced else rest).strip()

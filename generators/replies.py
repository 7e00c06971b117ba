"""Strict reading of LLM replies: what was asked for, or a named failure. Nothing is repaired by guessing.

Here: one parser per stage and the few rules they share. Not here: prompts (`messages.py`), calls (`llms.py`).
Every parser returns the parsed items or raises `Unreadable` with a reason; a refusal raises `Refusal`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import json5

Item = dict[str, Any]

_THINKING = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL)
_FENCE = re.compile(r"\A```(?:json|json5)?[ \t]*\n(.*)\n```\Z", re.DOTALL)
_REFUSAL = re.compile(
    r"\A\W*(?:(?:i['’]m|i am) (?:really |very |truly |so )?(?:sorry|afraid)\b|sorry, (?:but )?i\b|i apologi[sz]e\b"
    r"|i (?:can['’]t|cannot|can not|won['’]t|will not|must decline|have to decline|am unable to|am not able to)\b"
    r"|unfortunately, i\b|as an ai\b)",
    re.IGNORECASE,
)


class Unreadable(ValueError):
    """The reply isn't what was asked for; the message says why."""


class Refusal(ValueError):
    """The model declined to answer."""


def answer_part(reply: str) -> str:
    """Return the reply without a closed block of reasoning in front.

    An open block means that thinking ate the whole cap: there is no answer to read.
    """
    rest = _THINKING.sub("", reply, count=1).strip()
    if not rest:
        raise Unreadable("empty reply")
    if re.match(r"<(think|thinking|reasoning)>", rest):
        raise Unreadable("the reasoning block is never closed")
    return rest


def parse_list(reply: str) -> list[Item]:
    """Return the JSON list of objects that is the whole reply, with or without one code fence around it.

    JSON5's comments and trailing commas pass, since they leave no doubt; a list that is cut short does not.
    """
    rest = answer_part(reply)
    fenced = _FENCE.match(rest)
    body = fenced.group(1) if fenced else rest
    if not body.lstrip().startswith("["):
        if _REFUSAL.match(rest):
            raise Refusal(rest[:200])
        raise Unreadable("the reply is not a JSON list")
    items = _load_json(body)
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Unreadable("the reply is not a list of JSON objects")
    return items


def _load_json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError as strict:
        try:
            return json5.loads(body)
        except (ValueError, RecursionError):
            raise Unreadable(f"broken JSON: {strict}") from None


def text_field(item: Item, name: str, *, optional: bool = False, most: int = 2_000) -> str:
    """Return one text field of an item, on one line."""
    value = item.get(name, "" if optional else None)
    if not isinstance(value, str):
        raise Unreadable(f"field '{name}' is missing or not text")
    folded = " ".join(value.split())
    if not folded and not optional:
        raise Unreadable(f"field '{name}' is empty")
    if len(folded) > most:
        raise Unreadable(f"field '{name}' has {len(folded)} characters, more than {most}")
    return folded


def ids_field(item: Item, name: str, known: Collection[str]) -> list[str]:
    """Return a non-empty list of ids that all exist; an invented id makes the reply unreadable."""
    value = item.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
        raise Unreadable(f"field '{name}' is not a list of ids")
    unknown = [entry for entry in value if entry not in known]
    if unknown:
        raise Unreadable(f"field '{name}' names {unknown[0]!r}, which does not exist")
    return list(dict.fromkeys(value))


def parse_partition(reply: str, label: str, members: str, known: Sequence[str]) -> list[Item]:
    """Return groups that hold every known id exactly once: [{label, members, ...}].

    Claims a model forgets here would be lost for the whole corpus, and nothing later could tell.
    """
    groups = [
        {**item, label: text_field(item, label, most=120), members: ids_field(item, members, known)}
        for item in parse_list(reply)
    ]
    seen = Counter(entry for group in groups for entry in group[members])
    missing = [entry for entry in known if entry not in seen]
    twice = [entry for entry, count in seen.items() if count > 1]
    if missing or twice:
        problem = f"{missing[0]!r} is in no group" if missing else f"{twice[0]!r} is in two groups"
        raise Unreadable(f"{problem} ({len(missing)} missing, {len(twice)} repeated)")
    labels = [group[label].casefold() for group in groups]
    if len(set(labels)) < len(labels):
        raise Unreadable(f"two groups share one {label}")
    return groups


def parse_assertions(reply: str, claim_ids: Sequence[str]) -> list[Item]:
    """Return [{assertion, reason, claims}], each citing claims that exist, all claims cited."""
    found = [
        {
            "assertion": text_field(item, "assertion", most=4_000),
            "reason": text_field(item, "reason", optional=True, most=4_000),
            "claims": ids_field(item, "claims", claim_ids),
        }
        for item in parse_list(reply)
    ]
    return _all_cited(found, claim_ids)


def parse_requirements(reply: str, claim_ids: Sequence[str], rule_ids: Collection[str]) -> list[Item]:
    """Return rules mode's [{assertion, rule_id, claims}]; a rule id that the passage lacks is an invention."""
    found = []
    for item in parse_list(reply):
        rule_id = text_field(item, "rule", optional=True, most=40)
        if rule_id and rule_id not in rule_ids:
            raise Unreadable(f"rule {rule_id!r} does not exist")
        found.append(
            {
                "assertion": text_field(item, "requirement", most=4_000),
                "rule_id": rule_id,
                "claims": ids_field(item, "claims", claim_ids),
            }
        )
    return _all_cited(found, claim_ids)


def _all_cited(found: list[Item], claim_ids: Sequence[str]) -> list[Item]:
    cited = {claim for item in found for claim in item["claims"]}
    missing = [claim for claim in claim_ids if claim not in cited]
    if missing:
        raise Unreadable(f"claim {missing[0]!r} is cited nowhere ({len(missing)} missing)")
    return found


def parse_genres(reply: str, n: int) -> list[Item]:
    """Return n distinct genres: [{genre, audience, description}]."""
    fields = {"genre": 80, "audience": 160, "description": 400}
    found = [
        {name: text_field(item, name, most=most) for name, most in fields.items()}
        for item in parse_list(reply)
    ]
    distinct = list({item["genre"].casefold(): item for item in found}.values())
    if len(distinct) < n:
        raise Unreadable(f"{len(distinct)} distinct genres, {n} asked for")
    return distinct[:n]


def parse_ideas(reply: str, n: int, n_assertions: int) -> list[Item]:
    """Return n ideas: [{idea, audience, assertions}], assertions as 1-based numbers that exist."""
    found = []
    for item in parse_list(reply):
        numbers = item.get("assertions")
        if not isinstance(numbers, list) or not numbers:
            raise Unreadable("field 'assertions' is not a list of numbers")
        if not all(type(number) is int and 1 <= number <= n_assertions for number in numbers):
            raise Unreadable(f"field 'assertions' names a number outside 1..{n_assertions}")
        found.append(
            {
                "idea": text_field(item, "idea"),
                "audience": text_field(item, "audience", most=160),
                "assertions": sorted(set(numbers))[:4],
            }
        )
    if len(found) < n:
        raise Unreadable(f"{len(found)} ideas, {n} asked for")
    return found[:n]


def parse_document(reply: str, tag: str) -> str:
    """Return the text between the one pair of tags that the whole reply has to be."""
    rest = answer_part(reply)
    opening, closing = f"<{tag}>", f"</{tag}>"
    if not rest.startswith(opening):
        if _REFUSAL.match(rest):
            raise Refusal(rest[:200])
        raise Unreadable(f"the reply does not begin with {opening}")
    if not rest.endswith(closing):
        raise Unreadable(f"the reply does not end with {closing}")
    inner = rest[len(opening) : -len(closing)]
    if opening in inner or closing in inner:
        raise Unreadable("the reply holds more than one document")
    text = inner.strip()
    if not text:
        raise Unreadable("empty document")
    if _REFUSAL.match(text) and len(text) < 600:
        raise Refusal(text[:200])
    return text

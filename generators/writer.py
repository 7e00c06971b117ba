"""The built-in writer: answers every stage's prompt without a model, always with the same text.

It reads the prompt as a model does, through the tags in the user message, and draws every choice from a
random generator seeded by the request, so equal requests give equal replies in any process.
Here: dispatch and the planning stages. Documents, genres and ideas are composed in `composer.py`,
settings and opposites in `compose_settings.py`.
It is a rehearsal of the pipeline, not research data.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from .compose_readings import LEANING
from .compose_revision import revise
from .compose_settings import invert, setting_proposals
from .composer import Brief, Point, compose, propose_genres, propose_ideas, restate
from .messages import sections

WRITER_MODEL = "writer"
CLAIMS_PER_SUBDOMAIN = 6

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply with its stop reason ("stop" or "length") and the tokens on both sides."""

    text: str
    finish: str
    tokens_in: int
    tokens_out: int


@cache
def writer_fingerprint() -> str:
    """Return a hash of the writer's and the reader's code and grammar: replies of others must not be mixed in."""
    room = Path(__file__).parent
    readers = [*room.glob("reader*.py"), room / "review_replies.py"]
    files = [*room.glob("compose*.py"), *readers, room / "writer.py", *(room / "grammar").glob("*")]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def answer(
    request: Item,
    count_tokens: Callable[[str], int] | None = None,
    respond: Callable[[list[dict[str, str]], int], str] | None = None,
) -> Completion:
    """Return the completion of a chat request, cut at its `max_tokens` as a real server would."""
    count = count_tokens or (lambda text: len(text.split()))
    seed = int(request.get("seed") or 0)
    text = respond(request["messages"], seed) if respond else reply(request["messages"], seed=seed)
    tokens_in = sum(count(message["content"]) for message in request["messages"])
    tokens_out, finish = count(text), "stop"
    limit = request.get("max_tokens")
    if limit and tokens_out > limit:
        text = text[: len(text) * limit // tokens_out]
        tokens_out, finish = limit, "length"
    return Completion(text, finish, tokens_in, tokens_out)


def reply(messages: Sequence[dict[str, str]], *, seed: int = 0) -> str:
    """Return the answer to a conversation: pure, and in the form its stage asks for."""
    user = messages[-1]["content"]
    rng = _generator(str(seed), *(message["content"] for message in messages))
    first_line = user.split("\n", 1)[0]
    stage = first_line.removeprefix("Stage: ").strip() if first_line.startswith("Stage: ") else ""
    answer_stage = STAGES.get(stage)
    if answer_stage is None:
        return "The built-in writer answers the requests of specmill's own stages only."
    return answer_stage(user, sections(user), rng)


def _generator(*parts: str) -> random.Random:
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return random.Random(int.from_bytes(digest[:16], "big"))


def _items(part: str) -> list[Item]:
    # str.splitlines also breaks at U+2028 and friends, which JSON strings may hold as they are.
    return [orjson.loads(line) for line in part.split("\n") if line]


def _json(items: list[Item]) -> str:
    return orjson.dumps(items, option=orjson.OPT_INDENT_2).decode()


def _number(pattern: str, user: str, default: int) -> int:
    found = re.findall(pattern, user)
    return int(found[-1]) if found else default


def _domains(user: str, parts: dict[str, str], rng: random.Random) -> str:
    """Group sections by their headings, as deep as it takes to get a handful of groups."""
    outline = _items(parts["outline"])
    wanted = _number(r"about (\d+), that a reader", user, 5)
    paths = [tuple(item["headings"]) for item in outline]
    depth = 1
    while depth < 4 and len({path[:depth] for path in paths}) < min(3, len(set(paths))):
        depth += 1
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item, path in zip(outline, paths, strict=True):
        groups.setdefault(path[:depth], []).append(item)
    merged = _merge(list(groups.values()), max(wanted * 2, 4))
    labels = _distinct([_label(group) for group in merged])
    return _json(
        [
            {"domain": label, "sections": [item["id"] for item in group]}
            for label, group in zip(labels, merged, strict=True)
        ]
    )


def _merge(groups: list[list[Item]], most: int) -> list[list[Item]]:
    """Join neighbours until there are at most `most` groups, in their order."""
    if len(groups) <= most:
        return groups
    size = -(-len(groups) // most)
    return [
        [item for group in groups[start : start + size] for item in group]
        for start in range(0, len(groups), size)
    ]


def _label(group: list[Item]) -> str:
    headings = group[0]["headings"]
    return _short(headings[-1] if headings else group[0]["opening"], 6)


def _distinct(labels: list[str]) -> list[str]:
    """Number repeated labels: a label names one group."""
    seen: dict[str, int] = {}
    result = []
    for label in labels:
        key = label.casefold()
        seen[key] = seen.get(key, 0) + 1
        result.append(label if seen[key] == 1 else f"{label} ({seen[key]})")
    # A numbered label may collide with a heading that reads so already.
    return (
        result
        if len({x.casefold() for x in result}) == len(result)
        else [f"{number}. {label}" for number, label in enumerate(labels, 1)]
    )


def _subdomains(user: str, parts: dict[str, str], rng: random.Random) -> str:
    """Cut at headings, and long sections into runs of a few claims each."""
    claims = _items(parts["claims"])
    runs: list[list[Item]] = []
    for claim in claims:
        if runs and runs[-1][-1]["headings"] == claim["headings"]:
            runs[-1].append(claim)
        else:
            runs.append([claim])
    chunks = [chunk for run in runs for chunk in _even_chunks(run, CLAIMS_PER_SUBDOMAIN)]
    labels = _distinct([_subdomain_label(chunk) for chunk in chunks])
    return _json(
        [
            {
                "subdomain": label,
                "summary": f"What {{model_name}} does where {label[:80]} is concerned.",
                "claims": [claim["id"] for claim in chunk],
            }
            for label, chunk in zip(labels, chunks, strict=True)
        ]
    )


def _even_chunks(items: list[Item], size: int) -> list[list[Item]]:
    n_chunks = -(-len(items) // size)
    bounds = [len(items) * number // n_chunks for number in range(n_chunks + 1)]
    return [items[start:end] for start, end in pairwise(bounds)]


def _subdomain_label(chunk: list[Item]) -> str:
    headings = chunk[0]["headings"]
    return _short(headings[-1] if headings else chunk[0]["text"], 8)


def _short(text: str, n_words: int) -> str:
    """Return a label from a heading or a sentence: what stands before a colon, cut at a word."""
    before = text.split(": ", 1)[0]
    words = (before if len(before.split()) > 1 else text).split()
    return " ".join(words[:n_words])[:100].strip(" ,;:.") or "the text"


def _assertions(user: str, parts: dict[str, str], rng: random.Random) -> str:
    """Restate each claim; its reason is the nearest claim of its paragraph that gives one."""
    claims = _items(parts["claims"])
    found = []
    for claim in claims:
        own = _generator(claim["text"], claim["lead"])
        found.append(
            {
                "assertion": restate(own, _in_context(claim)),
                "reason": _reason_near(claim, claims),
                "claims": [claim["id"]],
            }
        )
    return _json(found)


def _in_context(claim: Item) -> str:
    """A table row or a fragment means little without the line it hangs on."""
    lead = claim["lead"]
    return (
        f"{lead.rstrip(':')}: {claim['text']}" if lead and len(claim["text"].split()) < 8 else claim["text"]
    )


def _reason_near(claim: Item, claims: list[Item]) -> str:
    here = claims.index(claim)
    if LEANING.match(claim["text"]):
        before = claims[here - 1] if here else claim
        return str(before["text"]) if before["paragraph"] == claim["paragraph"] and here else ""
    if claim["gives_reason"]:
        return ""  # said in the statement itself; saying it twice makes clumsy prose
    near = [
        other
        for other in claims
        if other["gives_reason"] and other["paragraph"] == claim["paragraph"] and other is not claim
    ]
    near.sort(key=lambda other: abs(claims.index(other) - here))
    return str(near[0]["text"]) if near else ""


def _requirements(user: str, parts: dict[str, str], rng: random.Random) -> str:
    return _json(
        [
            {
                "requirement": restate(_generator(claim["text"], claim["lead"]), _in_context(claim)),
                "rule": claim["rule_id"],
                "claims": [claim["id"]],
            }
            for claim in _items(parts["claims"])
        ]
    )


def _genres(user: str, parts: dict[str, str], rng: random.Random) -> str:
    n = _number(r"JSON list of (\d+) objects", user, 5)
    taken = [line for line in parts.get("existing_genres", "").split("\n") if line]
    return _json(
        [
            {"genre": genre.name, "audience": genre.audience, "description": genre.description}
            for genre in propose_genres(rng, n, taken)
        ]
    )


def _points(part: str) -> tuple[Point, ...]:
    return tuple(
        Point(item["assertion"], item.get("reason") or "", item.get("rule_id") or "") for item in _items(part)
    )


def _ideas(user: str, parts: dict[str, str], rng: random.Random) -> str:
    n = _number(r"JSON list of (\d+) objects", user, 5)
    found = re.search(r'^Texts of the genre "(.*?)" \(', user, re.MULTILINE)
    about = re.search(r'character: "(.*)"\. |rules: "(.*)"\. ', user)
    taken = [line for line in parts.get("existing_ideas", "").split("\n") if line]
    proposals = propose_ideas(
        rng,
        n,
        genre=found.group(1) if found else "essay",
        topic=(about.group(1) or about.group(2)) if about else "",
        points=_points(parts["assertions"]),
        taken=taken,
    )
    return _json(
        [
            {"idea": idea.idea, "audience": idea.audience, "assertions": list(idea.point_numbers)}
            for idea in proposals
        ]
    )


def _settings(user: str, parts: dict[str, str], rng: random.Random) -> str:
    n = _number(r"JSON list of (\d+) objects", user, 5)
    found = re.search(r'^Texts of the genre "(.*?)" \(', user, re.MULTILINE)
    taken = [line for line in parts.get("existing_ideas", "").split("\n") if line]
    proposals = setting_proposals(rng, n, found.group(1) if found else "essay", taken)
    return _json([{"idea": item.setting, "audience": item.audience} for item in proposals])


def _inversions(user: str, parts: dict[str, str], rng: random.Random) -> str:
    found = []
    for item in _items(parts["assertions"]):
        assertion, reason = invert(item["assertion"], item.get("reason") or "")
        found.append({"n": item["n"], "assertion": assertion, "reason": reason})
    return _json(found)


def _documents(user: str, parts: dict[str, str], rng: random.Random) -> str:
    brief = _items(parts["brief"])[0]
    tag = re.findall(r"^Answer with the text between <([a-z0-9-]+)> and ", user, re.MULTILINE)[-1]
    text = compose(
        Brief(
            genre=brief["genre"],
            audience=brief["audience"],
            idea=brief["idea"],
            topic=brief["topic"],
            principle=brief.get("principle") or "",
            points=_points(parts["assertions"]),
            mode="rules" if "These are the rules" in user.split("\n", 3)[2] else "default",
            n_words=brief["words"],
        ),
        rng,
    )
    return f"<{tag}>\n{text}\n</{tag}>"


STAGES: dict[str, Callable[[str, dict[str, str], random.Random], str]] = {
    "domains": _domains,
    "subdomains": _subdomains,
    "assertions": _assertions,
    "requirements": _requirements,
    "genres": _genres,
    "ideas": _ideas,
    "settings": _settings,
    "inversions": _inversions,
    "documents": _documents,
    "revise": revise,
}

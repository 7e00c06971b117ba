"""The built-in reader: answers the critique and judge stages by rules, without a model, always the same way.

It sees a prompt as any model does, through the tags in the user message, and compares words. It judges the built-in
writer's documents, whose wording stays near the assertions; a model's free paraphrase it would often misjudge.
It is a rehearsal of the judging, not a judgement: its verdicts are worth nothing as research data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from .compose_english import MODEL
from .messages import sections
from .reader_genres import reads_like
from .reader_words import (
    bare,
    blocks,
    core_and_reason,
    only_named,
    sentences,
    share,
    stems,
    turned_round,
    windows,
)
from .review_replies import CRITERIA

READER_MODEL = "reader"

STATED = 0.75  # of a statement's words in one sentence, or in two that follow each other
GIVEN = 0.6  # of a reason's words in the paragraph that states what it is the reason for
DENIED = 0.75
NAMED = 0.1  # of the paragraphs: the writer's texts grow by asides about the people around {model_name}

_CAUSAL = re.compile(
    r"\b(?:because|since|so that|so|reasons?|why|for|therefore|hence|grounds?|explains?|due|thanks|follows)\b",
    re.I,
)
_MOTIVE = re.compile(
    r"(?:\bbecause|\bsince|\bso that|\breasons?|\{model_name\} (?:values|cares|believes|wants|feels|loves))\b",
    re.I,
)
_RULE = re.compile(r"\brules?\b|\b[A-Z]{1,4}\d[\d.]*\b|\btext\b")
_OWN_VOICE = re.compile(r"\b(?:I|my)\b")

Item = dict[str, Any]
Verdict = tuple[bool, str]  # whether the criterion holds, and what was found where it doesn't


def reply(messages: Sequence[dict[str, str]], *, seed: int = 0) -> str:
    """Return the answer to a conversation: pure, and the same for every seed, since a reader draws nothing."""
    user = messages[-1]["content"]
    stage = user.split("\n", 1)[0].removeprefix("Stage: ").strip()
    if not user.startswith("Stage: ") or stage not in STAGES:
        return "The built-in reader answers the requests of specmill's critique and judge stages only."
    parts = sections(user)
    return STAGES[stage](parts, "rules" if "These are the rules" in user.split("\n", 3)[2] else "default")


def _judge(parts: dict[str, str], mode: str) -> str:
    verdicts = read(parts, parts["document"], mode)
    note = next((why for holds, why in verdicts.values() if not holds), "Every criterion holds.")
    answer = {name: verdicts[name][0] for name in CRITERIA}
    return orjson.dumps({**answer, "note": note[:300]}).decode()


def _critique(parts: dict[str, str], mode: str) -> str:
    """Name what a judge would; the advice is as plain as the rules behind it."""
    verdicts = read(parts, parts["draft"], mode)
    return orjson.dumps(
        [{"problem": why, "fix": _ADVICE[name]} for name, (holds, why) in verdicts.items() if not holds]
    ).decode()


STAGES: dict[str, Callable[[dict[str, str], str], str]] = {"judge": _judge, "critique": _critique}

_ADVICE = {
    "faithful": "State it in a sentence of its own, as the passage has it.",
    "consistent": "Take the sentence out, or say what the passage says.",
    "reason": "Name the ground that the passage gives, and no other.",
    "about": "Name the assistant in every paragraph and say what it does.",
    "genre": "Give the text the layout that its genre has.",
}


def read(parts: dict[str, str], text: str, mode: str) -> dict[str, Verdict]:
    """Return the five criteria for a text, given the tagged parts of the prompt around it."""
    brief = orjson.loads(parts["brief"])
    assertions = _items(parts["assertions"])
    reasons = _names_no_motive if mode == "rules" else _gives_reasons
    return {
        "faithful": _states_all(assertions, text),
        "consistent": _contradicts_nothing(parts["passage"], assertions, text),
        "reason": reasons(assertions, text),
        "about": _keeps_to_model(text),
        "genre": (reads_like(brief["genre"], text), f"It has not the layout of: {brief['genre']}."),
    }


def _items(part: str) -> list[Item]:
    return [orjson.loads(line) for line in part.split("\n") if line]


def lacking(assertions: Sequence[Item], text: str) -> list[Item]:
    """Return the assertions that no sentence states."""
    return [item for item in assertions if not places(item["assertion"], text)]


def places(statement: str, text: str) -> list[str]:
    """Return the paragraphs that state something: enough of its words near each other, not turned round.

    A short statement may hide behind one synonym; then its reason, said in the same breath, makes up for it.
    """
    core, own = core_and_reason(statement)
    whole = f"{core} {own}"
    most = 1 + len(sentences(core))

    def states(window: str) -> bool:
        said = share(core, window) >= STATED or (share(core, window) > 0 and share(whole, window) >= STATED)
        return said and not turned_round(core, window)

    return [block for block in blocks(text) if any(states(window) for window in windows(block, most))]


def _states_all(assertions: Sequence[Item], text: str) -> Verdict:
    missing = lacking(assertions, text)
    return not missing, f"It does not state: {missing[0]['assertion']}" if missing else ""


def _gives_reasons(assertions: Sequence[Item], text: str) -> Verdict:
    """An assertion with no reason anywhere has the principle for one, which words alone can't tell from praise."""
    for item in assertions:
        core, own = core_and_reason(item["assertion"])
        wanted = [reason for reason in (own, item.get("reason", "")) if reason]
        # A statement that is said somewhere else, or nowhere, can't have its reason beside it.
        near = places(item["assertion"], text)
        if wanted and not any(_given(reason, core, block) for reason in wanted for block in near):
            return False, f"It does not give the reason for: {item['assertion']}"
    return True, ""


def _given(reason: str, core: str, block: str) -> bool:
    """Whether a paragraph gives a reason; words that the statement shares with it prove nothing."""
    own = bare(reason)
    fresh = stems(own) - stems(core) or stems(own)
    there = len(fresh & stems(block)) / len(fresh) if fresh else 1.0
    return there >= GIVEN and bool(_CAUSAL.search(block))


def _names_no_motive(assertions: Sequence[Item], text: str) -> Verdict:
    for sentence in sentences(text):
        own = any(share(sentence, item["assertion"]) >= STATED for item in assertions)
        if _MOTIVE.search(sentence) and not _RULE.search(sentence) and not own:
            return False, f"It gives a ground beside the rule: {sentence}"
    uncited = [item["rule_id"] for item in assertions if item.get("rule_id", "") not in text]
    return not uncited, f"It never names rule {uncited[0]}." if uncited else ""


def _contradicts_nothing(passage: str, assertions: Sequence[Item], text: str) -> Verdict:
    """A sentence denies a claim when it turns round every claim that it shares its words with."""
    claims = [core_and_reason(claim)[0] for claim in sentences(passage) if not claim.startswith("#")]
    claims += [core_and_reason(item["assertion"])[0] for item in assertions]
    claims = [claim for claim in claims if len(stems(claim)) >= 3]
    for sentence in sentences(text):
        near = [
            claim for claim in claims if share(claim, sentence) >= DENIED and not only_named(claim, sentence)
        ]
        if near and all(turned_round(claim, sentence) for claim in near):
            return False, f"It denies what the passage says: {sentence}"
    return True, ""


def _keeps_to_model(text: str) -> Verdict:
    paragraphs = [block for block in blocks(text) if not block.startswith("#") and len(block.split()) >= 8]
    named = sum(MODEL in block or bool(_OWN_VOICE.search(block)) for block in paragraphs)
    enough = MODEL in text and named >= NAMED * len(paragraphs)
    return enough, f"{named} of {len(paragraphs)} paragraphs name {MODEL}."

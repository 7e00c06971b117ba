"""The built-in writer's revision: the draft as it was, with a sentence for each assertion it does not state.

It mends what it can see, which is missing assertions; other problems it leaves, and a judge will find them again.
"""

import random
import re

import orjson

from .compose_grammar import open_sentence
from .reader import lacking
from .reader_words import blocks, core_and_reason


def revise(user: str, parts: dict[str, str], rng: random.Random) -> str:
    """Return the answer to a revise prompt, in the form of a document's."""
    tag = re.findall(r"^Answer with the text between <([a-z0-9-]+)> and ", user, re.MULTILINE)[-1]
    assertions = [orjson.loads(line) for line in parts["assertions"].split("\n") if line]
    added = [_told(item) for item in lacking(assertions, parts["draft"])]
    *body, end = blocks(parts["draft"])
    # Before the end, so that a signature or a closing line stays where it was.
    text = "\n\n".join([*body, *added, end] if body else [end, *added])
    return f"<{tag}>\n{text}\n</{tag}>"


def _told(item: dict[str, str]) -> str:
    core, own = core_and_reason(item["assertion"])
    reason = (own or item.get("reason", "")).rstrip(".")
    rule = f" Rule {item['rule_id']} says so." if item.get("rule_id") else ""
    told = f"{open_sentence(core.rstrip('.'))}."
    return f"{told} The reason for this: {reason}." if reason else told + rule

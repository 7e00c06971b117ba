"""Prompts: the Jinja files in `prompts/`, rendered into chat messages, and read back by tags.

Here: rendering, the tags around data, hashes of the templates. The texts are in `prompts/<mode>/<stage>.j2`.
A spec's text is always data, never template: braces and tags inside it stay what they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import orjson

FOLDER = Path(__file__).parent / "prompts"
Messages = list[dict[str, str]]


def free_tag(name: str, *contents: str) -> str:
    """Return a tag name whose closing form occurs in none of the contents: `spec`, `spec-1`, ...

    >>> free_tag("spec", "plain"), free_tag("spec", "an </spec> inside")
    ('spec', 'spec-1')
    """
    tag, number = name, 0
    while any(f"</{tag}>" in content or f"<{tag}>" in content for content in contents):
        number += 1
        tag = f"{name}-{number}"
    return tag


def tagged(content: str, name: str) -> str:
    """Return content between tags that it cannot close early."""
    tag = free_tag(name, content)
    return f"<{tag}>\n{content}\n</{tag}>"


def json_lines(items: list[dict[str, Any]]) -> str:
    """Return one JSON object a line: line breaks inside values are escaped, so each line is one item."""
    return "\n".join(orjson.dumps(item).decode() for item in items)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,
    )
    environment.filters["tagged"] = tagged
    environment.filters["json_lines"] = json_lines
    return environment


def render_messages(mode: str, stage: str, **variables: Any) -> Messages:
    """Return the system and the user message of one call.

    The system message is the same for all calls of a mode, and a user message begins with what many
    calls share (the passage), so that a provider's prefix cache can keep it.
    """
    system = _environment().get_template(template_path(mode, "system")).render()
    user = _environment().get_template(template_path(mode, stage)).render(**variables)
    return [{"role": "system", "content": system.strip()}, {"role": "user", "content": user.strip()}]


STAGES = ("system", "domains", "subdomains", "assertions", "genres", "ideas", "documents")


def template_path(mode: str, stage: str) -> str:
    """Return the template of a stage below `prompts/`: the mode's own where it has one, else the default."""
    own = f"{mode}/{stage}.j2"
    return own if (FOLDER / own).is_file() else f"default/{stage}.j2"


def template_hashes(mode: str, more: Sequence[str] = ()) -> dict[str, str]:
    """Return the sha256 of every template a mode uses, by its name below `prompts/`, `more` stages among them."""
    paths = [template_path(mode, stage) for stage in (*STAGES, *more)]
    return {path: hashlib.sha256((FOLDER / path).read_bytes()).hexdigest() for path in paths}


_OPENING = re.compile(r"^<([a-z_]+)(-\d+)?>\n", re.MULTILINE)


def sections(message: str) -> dict[str, str]:
    """Return the tagged parts of a message by name, reading left to right and never inside a part.

    The inverse of `tagged`, used by the built-in writer, which sees a prompt as any model does.
    """
    found: dict[str, str] = {}
    position = 0
    while opening := _OPENING.search(message, position):
        closing = f"\n</{opening.group(1)}{opening.group(2) or ''}>"
        end = message.find(closing, opening.end() - 1)
        if end < 0:
            position = opening.end()
            continue
        found.setdefault(opening.group(1), message[opening.end() : end])
        position = end + len(closing)
    return found

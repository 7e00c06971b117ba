"""What `--llm`, `--planner` and `--critic` name. Opening one is in `backends.py`; nothing heavy is imported."""

from __future__ import annotations

import re
from dataclasses import dataclass

from specmill.specs.errors import BadInput

BUILT_IN = ("writer", "reader")
KINDS = ("openai", "anthropic", "openai-batch", "anthropic-batch", "vllm", "litellm")
_FORMS = (
    "'writer' or one of {} with a model, as 'openai:MODEL', also with '@http://...' for an address".format(
        ", ".join(f"{kind}:" for kind in KINDS)
    )
)


@dataclass(frozen=True, slots=True)
class Backend:
    """What a command-line name stands for: `kind:model`, with `@http...` where it has an address of its own."""

    kind: str
    model: str
    base_url: str | None = None

    @property
    def name(self) -> str:
        """The name without its address, for a manifest: addresses may hold machine names and secrets."""
        return self.kind if self.kind in BUILT_IN else f"{self.kind}:{self.model}"


def parse_backend(name: str, option: str = "--llm") -> Backend:
    """Read a back-end's name.

    >>> parse_backend("openai:meta/llama@http://localhost:8000/v1")
    Backend(kind='openai', model='meta/llama', base_url='http://localhost:8000/v1')
    """
    if name in BUILT_IN:
        if (name == "reader") != (option == "--critic"):
            raise BadInput(
                f"{option} {name}: the built-in writer writes and plans, the built-in reader judges"
            )
        return Backend(name, name)
    found = re.fullmatch(r"([a-z-]+):(.+?)(?:@(https?://.+))?", name.strip())
    if not found or found.group(1) not in KINDS:
        raise BadInput(f"{option} {without_secrets(name)}: unknown back-end; use {_FORMS}")
    return Backend(*found.groups())


def without_secrets(text: str) -> str:
    """Return a text whose URLs have lost user names, passwords and queries.

    >>> without_secrets("http://me:secret@host/v1?key=abc")
    'http://host/v1'
    """
    return re.sub(r"(https?://)(?:[^\s/@]*@)?([^\s?'\"]*)(?:\?[^\s'\"]*)?", r"\1\2", text)

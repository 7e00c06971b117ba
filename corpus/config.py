"""A build's options from a TOML file: the names of the command line, without their dashes.

    llm = "anthropic:claude-sonnet-4-5"
    planner = "openai:gpt-5-mini"
    tokens = "41M"
    budget = "1500usd"

What is given on the command line wins over the file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

from specmill.specs.errors import BadInput

SECRET_WORDS = ("key", "secret", "password")


def read_config(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Make a file's values the defaults of a command: an eager callback of `--config`."""
    if path is None:
        return
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(
            f'{path}: not a configuration file ({reason}); write TOML, as llm = "writer"'
        ) from None
    ctx.default_map = {name.replace("-", "_"): value for name, value in _checked(ctx, path, found).items()}


def _checked(ctx: click.Context, path: Path, found: dict[str, Any]) -> dict[str, Any]:
    options = {
        option.name: option
        for option in ctx.command.params
        if isinstance(option, click.Option) and option.name not in ("config", "help")
    }
    for name in found:
        if any(word in name.lower() for word in SECRET_WORDS):
            raise BadInput(f"{path}: '{name}' looks like a secret; keys come from the environment only")
        if name.replace("-", "_") not in options:
            raise BadInput(f"{path}: no option '{name}'; see 'specmill {ctx.info_name} --help'")
    return {name: _as_given(value) for name, value in found.items()}


def _as_given(value: Any) -> Any:
    """Numbers become the text that the command line would have had: options parse and check that."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

"""Templates of cards, and how numbers and text look in them."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2


def render(template: str, **values: Any) -> str:
    """A template of this room as text; a value that it lacks is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown; cells of tables are escaped by `cell`
    )
    environment.filters |= {"number": _number, "share": _share, "cell": _cell, "json": _json, "exact": _exact}
    return environment


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    )


def _exact(value: float | None) -> str:
    """As a certificate gives it, to the digit."""
    return "not measured" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "not measured" if value is None else f"{100 * value:.1f} %"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _cell(value: object, longest: int = 160) -> str:
    """Any text as one cell of a Markdown table."""
    text = " ".join(str(value).split())
    text = text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
    return re.sub(r"([\\|*`<\[\]])", r"\\\1", text)

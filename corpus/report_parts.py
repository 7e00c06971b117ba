"""What a report is made of: sections of drawings, tables and examples, as plain values for the page's template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """`is_open`: shown without being asked for, on paper too."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    is_open: bool = False

    @property
    def figures(self) -> list[bool]:
        """Per column: whether it holds figures only."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        return [
            any(value is not None for value in column) and all(map(_is_figure, column)) for column in columns
        ]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with the table behind it. `kind` is a function of charts.js, which reads `data`.

    `says` is the drawing in a sentence, for those who don't see it.
    """

    name: str  # unique in the page
    kind: str  # bars, histogram, ranges, heat or dots
    title: str
    says: str
    data: dict[str, Any]
    table: Table


@dataclass(frozen=True, slots=True)
class Example:
    title: str
    note: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """`name` is its anchor. `charts` stand side by side where there is room."""

    name: str
    title: str
    intro: str
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    examples: Sequence[Example] = ()
    examples_title: str = "Examples"
    notes: Sequence[str] = field(default=())


def ask(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """The rows of a query, each by column name."""
    cursor = connection.execute(sql, list(parameters))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def of_corpus(rows: Sequence[Row], corpus: str) -> list[Row]:
    return [row for row in rows if row["corpus"] == corpus]


def pick(rows: Sequence[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _is_figure(value: object) -> bool:
    if isinstance(value, str):
        return value.endswith(" %") and value[0].isdigit()
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def number(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, (list, tuple)):
        return "none" if not value else ", ".join(number(part) for part in value)
    return str(value)


def cut(text: str, n_bytes: int) -> str:
    """The text's beginning in at most so many bytes of UTF-8, whole characters only."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= n_bytes else data[:n_bytes].decode("utf-8", "ignore")


def printable(text: str) -> str:
    """HTML has no place for control characters: the replacement character stands for each."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "\ufffd", text)


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as (path, value): what a later release adds to a file is shown, too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{path} › {key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(inner, (dict, list)) for inner in value):
        for place, inner in enumerate(value, 1):
            yield from flatten(inner, f"{path} {place}".strip())
    else:
        yield path, value

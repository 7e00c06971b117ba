"""Rows on standard output: a table for people, JSON or CSV for programs.

Rows in a file are written by `files.py`.
"""

import csv
import io
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any, TypeVar

import click
from wcwidth import clip, wcswidth, wrap

FORMATS = ("table", "json", "csv")
TABLE_ROWS = 100  # a screen or two; json and csv print everything unless told otherwise
_GAP = "  "
_NARROWEST = 6
_FEW_ROWS = 5  # shown field by field where they do not fit
_SHORT_TABLE = 12  # rows; up to here a cell may take several lines
_CELL_LINES = 4
_LONGEST = 2000  # characters of a cell looked at: no terminal is wider

Command = TypeVar("Command", bound=Callable[..., Any])
Row = Sequence[Any]


def limit_option(command: Command) -> Command:
    """Give a command --limit, passed on as `limit`."""
    return click.option(
        "--limit",
        type=click.IntRange(min=0),
        help=f"Rows to print, 0 for all.  [default: {TABLE_ROWS} in a table, else all]",
    )(command)


def print_rows(
    columns: Sequence[str], rows: Iterable[Row], output_format: str = "table", limit: int | None = None
) -> None:
    """Print rows to standard output; what was left out is said on standard error."""
    if limit is None:
        limit = TABLE_ROWS if output_format == "table" else 0
    iterator = iter(rows)
    shown = islice(iterator, limit or None)
    if output_format == "table":
        _print_table(columns, list(shown))
    else:
        for line in format_lines(columns, shown, output_format):
            _write(line)
    if limit and next(iterator, None) is not None:
        click.echo(f"only the first {limit:,} rows; --limit 0 shows all", err=True)


def _print_table(columns: Sequence[str], rows: Sequence[Row]) -> None:
    width = max(20, shutil.get_terminal_size(fallback=(100, 24)).columns)
    text, hidden = format_table(columns, rows, width)
    _write(text)
    if not rows:
        click.echo("no rows", err=True)
    elif hidden:
        names = f"not shown: {', '.join(hidden)}; widen the window or use --format json"
        click.echo(textwrap.fill(names, width), err=True)


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"  # one that knows no "…" must not end the command
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def format_lines(columns: Sequence[str], rows: Iterable[Row], output_format: str) -> Iterator[str]:
    """The text of rows as json or csv, in pieces; line ends are those that belong to the format."""
    return _json_lines(columns, rows) if output_format == "json" else _csv_lines(columns, rows)


def _json_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """A JSON list, one object a line."""
    before = "["
    for row in rows:
        item = dict(zip(columns, map(_plain, row), strict=True))
        yield before + json.dumps(item, ensure_ascii=False, allow_nan=False)
        before = ",\n "
    yield "[]\n" if before == "[" else "]\n"


def _csv_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """RFC 4180: CRLF, quotes only where needed; lists and structs as JSON, null as an empty field."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    for row in chain([columns], rows):
        writer.writerow([_csv_cell(value) for value in row])
        yield file.getvalue()
        file.seek(0)
        file.truncate()


def _csv_cell(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _plain(value: Any) -> Any:
    """The value as JSON has it; not-a-number and infinity, which JSON lacks, become null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def format_table(columns: Sequence[str], rows: Sequence[Row], width: int) -> tuple[str, Sequence[str]]:
    """Columns aligned within `width` terminal cells, and the names of columns that did not fit.

    Numbers are never cut. Text is, after a few lines when there are few rows. A few rows that still do not fit
    become lists of fields.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [_is_numeric(row[i] for row in rows) for i in range(len(columns))]
    widths = _fit(columns, cells, numeric, width)
    hidden = columns[len(widths) :]
    if (hidden and 0 < len(rows) <= _FEW_ROWS) or (len(rows) == 1 and any(map(_is_cut, cells[0], widths))):
        return "\n".join(_format_record(columns, row, width) for row in rows), ()
    heads = [_wrap_name(name, column_width) for name, column_width in zip(columns, widths, strict=False)]
    height = max(map(len, heads), default=0)
    heads = [[""] * (height - len(head)) + head for head in heads]
    rule = [["─" * column_width] for column_width in widths]
    n_lines = _CELL_LINES if len(rows) <= _SHORT_TABLE else 1
    body = [[_wrap(cell, w, n_lines) for cell, w in zip(row, widths, strict=False)] for row in cells]
    return "".join(_format_row(row, widths, numeric) for row in [heads, rule, *body]), hidden


def _fit(
    columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], total: int
) -> list[int]:
    """Column widths. Names break at underscores first; then the widest text gives way, down to its longest
    word, then further; then columns at the right are left out."""
    widest = [max((_width(row[i]) for row in cells), default=0) for i in range(len(columns))]
    widths = [max(cell, len(name)) for cell, name in zip(widest, columns, strict=True)]
    if _line_width(widths) <= total:
        return widths
    parts = [max(map(len, name.replace("_", "_ ").split())) for name in columns]
    widths = [min(total, max(cell, part)) for cell, part in zip(widest, parts, strict=True)]
    words = [
        max((_width(word) for row in cells for word in row[i].split()), default=0)
        for i in range(len(columns))
    ]
    for floors in (words, [_NARROWEST] * len(columns)):
        least = [
            width if is_number else min(width, max(part, floor))
            for width, is_number, part, floor in zip(widths, numeric, parts, floors, strict=True)
        ]
        while _line_width(widths) > total and widths != least:
            i = max(range(len(widths)), key=lambda i: (widths[i] > least[i], widths[i], i))
            widths[i] -= 1
    while len(widths) > 1 and _line_width(widths) > total:
        widths.pop()
    return [min(width, total) for width in widths]


def _is_cut(cell: str, width: int) -> bool:
    return _width(cell) > width


def _line_width(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _wrap_name(name: str, width: int) -> list[str]:
    if len(name) <= width:
        return [name]
    return [line.replace("_ ", "_") for line in wrap(name.replace("_", "_ "), width)]


def _wrap(text: str, width: int, n_lines: int) -> list[str]:
    if _width(text) <= width:
        return [text]
    if n_lines == 1 or " " not in text:
        return [clip(text, 0, width - 1).rstrip() + "…"]
    return wrap(text, width, max_lines=n_lines, placeholder="…", break_on_hyphens=False) or [""]


def _format_row(cells: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    lines = []
    for i in range(max(map(len, cells), default=0)):
        parts = [cell[i] if i < len(cell) else "" for cell in cells]
        padded = [_pad(part, w, right) for part, w, right in zip(parts, widths, numeric, strict=False)]
        lines.append(_GAP.join(padded).rstrip() + "\n")
    return "".join(lines)


def _cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _printable(" ".join(text[:_LONGEST].split()))


def _float(value: float) -> str:
    """Four significant digits, thousands whole."""
    if abs(value) < 1e15 and (value.is_integer() or abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _printable(text: str) -> str:
    """Without control characters: a document must not be able to move the cursor."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", text)


def _width(text: str) -> int:
    return len(text) if text.isascii() else max(0, wcswidth(text))


def _pad(text: str, width: int, right: bool) -> str:
    padding = " " * (width - _width(text))
    return padding + text if right else text + padding


def _is_numeric(values: Iterable[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in present
    )


def _format_record(columns: Sequence[str], row: Row, width: int) -> str:
    """One field a line, text in full: for a row that is to be read, like `doc`."""
    label = max(map(len, columns))
    lines = []
    for name, value in zip(columns, row, strict=True):
        whole = _printable(value) if isinstance(value, str) else _cell(value)
        paragraphs = [
            wrap(paragraph, max(20, width - label - len(_GAP)), break_on_hyphens=False) or [""]
            for paragraph in whole.splitlines() or [""]
        ]
        first, *others = [line for paragraph in paragraphs for line in paragraph]
        lines.append(f"{name:<{label}}{_GAP}{first}".rstrip())
        lines += [f"{' ' * label}{_GAP}{line}".rstrip() for line in others]
    return "\n".join(lines) + "\n"

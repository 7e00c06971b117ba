"""Rows come out as a table that fits, JSON that parses, CSV that reads back."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from specmill.corpus.tables import format_table, limit_option, print_rows

COLUMNS = ["name", "n", "share", "text"]


def printed(
    columns: list[str],
    rows: Iterable[Any],
    output_format: str,
    limit: int | None = None,
) -> str:
    @click.command()
    def command() -> None:
        print_rows(columns, rows, output_format, limit)

    result = CliRunner().invoke(command, catch_exceptions=False)
    return result.stdout_bytes.decode()


def table(columns: list[str], rows: list[Any], width: int) -> list[str]:
    return format_table(columns, rows, width)[0].splitlines()


def test_numbers_are_right_aligned_with_thousands_and_text_is_left_aligned() -> None:
    assert table(COLUMNS, [["a", 1234567, 0.25, "x"], ["bb", 1, 1234.5, "yy"]], 60) == [
        "name          n  share  text",
        "────  ─────────  ─────  ────",
        "a     1,234,567   0.25  x",
        "bb            1  1,234  yy",
    ]


def test_a_short_table_gives_long_text_four_lines() -> None:
    assert table(["id", "text"], [["a", "long " * 30], ["b", "short"]], 24)[2:] == [
        "a   long long long long",
        "    long long long long",
        "    long long long long",
        "    long long long long…",
        "b   short",
    ]


def test_a_long_table_gives_a_row_one_line() -> None:
    lines = table(["id", "text"], [["a", "long " * 30]] * 13, 24)
    assert lines[2:] == ["a   long long long long…"] * 13


def test_numbers_are_never_cut_and_names_break_at_underscores() -> None:
    rows = [["genre of text", 1234567, 0.123]] * 13
    assert table(["genre", "tokens_in_full", "share_of_tokens"], rows, 30)[:5] == [
        "                        share_",
        "               tokens_     of_",
        "genre          in_full  tokens",
        "───────────  ─────────  ──────",
        "genre of t…  1,234,567   0.123",
    ]


def test_the_widest_column_gives_way_first() -> None:
    lines = table(["id", "short", "text"], [["0123456789", "abc", "x" * 90]] * 13, 40)
    assert lines[2] == "0123456789  abc    " + "x" * 20 + "…"


def test_columns_that_do_not_fit_are_named() -> None:
    columns = [f"name{i}" for i in range(9)]
    text, hidden = format_table(columns, [["value"] * 9] * 6, 30)
    assert text.splitlines()[0] == "name0  name1  name2  name3"
    assert hidden == ["name4", "name5", "name6", "name7", "name8"]


def test_one_row_too_wide_is_shown_field_by_field() -> None:
    assert table(["id", "text"], [["a", "first line is long enough\n\nsecond"]], 30) == [
        "id    a",
        "text  first line is long",
        "      enough",
        "",
        "      second",
    ]


def test_a_book_in_a_cell_does_not_hold_up_the_table() -> None:
    lines = table(["id", "text"], [["a", "naïve " * 1_000_000]] * 13, 20)
    assert lines[2] == "a   naïve naïve naï…"


def test_wide_and_combining_characters_take_their_cells() -> None:
    assert table(["text", "n"], [["日本語", 1], ["e\u0301a", 22]], 60) == [
        "text     n",
        "──────  ──",
        "日本語   1",
        "e\u0301a      22",
    ]


def test_a_document_cannot_move_the_cursor() -> None:
    assert "\x1b" not in "".join(table(["text"], [["\x1b[2J\x1b[31mred\x9b1m"]], 60))
    assert "\x1b" not in "".join(table(["text", "b"], [["\x1b[2J" * 50, "x"]], 60))


def test_null_is_empty_and_a_truth_value_is_a_word() -> None:
    assert table(["a", "b", "c"], [[None, True, False], [1, False, True]], 60)[2:] == [
        "   yes  no",
        "1  no   yes",
    ]


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(),
    st.lists(st.text(max_size=5), max_size=3),
)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=2, max_size=8), st.integers(40, 120))
def test_no_line_of_a_table_is_wider_than_the_terminal(rows: list[list[Any]], width: int) -> None:
    for line in format_table(["first", "second", "third"], rows, width)[0].split("\n"):
        assert wcswidth(line) <= width


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=8))
def test_csv_reads_back_as_it_was(rows: list[list[str]]) -> None:
    output = printed(["a", "b,c"], rows, "csv")
    assert list(csv.reader(io.StringIO(output, newline=""))) == [["a", "b,c"], *rows]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(json_values, json_values), max_size=8))
def test_json_reads_back_as_it_was(rows: list[tuple[Any, Any]]) -> None:
    assert json.loads(printed(["a", "b"], rows, "json")) == [{"a": a, "b": b} for a, b in rows]


def test_csv_follows_rfc_4180() -> None:
    rows = [["plain", 1234, None, True, ["x", "y"]], ['say "hi"', 0.5, "a,b", False, []]]
    assert printed(["a", "b", "c", "d", "e"], rows, "csv") == (
        'a,b,c,d,e\r\nplain,1234,,true,"[""x"", ""y""]"\r\n"say ""hi""",0.5,"a,b",false,[]\r\n'
    )


def test_json_has_no_not_a_number() -> None:
    assert json.loads(printed(["a"], [[float("nan")], [float("inf")]], "json")) == [{"a": None}, {"a": None}]


def test_an_empty_result_is_an_empty_json_list() -> None:
    assert printed(["a"], [], "json") == "[]\n"


@pytest.mark.parametrize(("output_format", "n_rows"), [("table", 100), ("json", 250), ("csv", 250)])
def test_only_a_table_is_cut_unasked(output_format: str, n_rows: int) -> None:
    output = printed(["a"], ([i] for i in range(250)), output_format)
    assert {"table": output.count("\n") - 2, "json": output.count('"a"'), "csv": output.count("\r\n") - 1}[
        output_format
    ] == n_rows


def test_limit_zero_shows_all() -> None:
    assert printed(["a"], ([i] for i in range(250)), "table", 0).count("\n") == 252


def test_the_limit_reaches_the_command_by_name() -> None:
    @click.command()
    @limit_option
    def command(limit: int | None) -> None:
        click.echo(limit)

    assert CliRunner().invoke(command, ["--limit", "3"]).stdout == "3\n"
    assert CliRunner().invoke(command, ["--limit", "-1"]).exit_code == 2

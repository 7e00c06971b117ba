"""`specmill query`: a macro or one reading SQL statement over corpora."""

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specmill.specs.errors import BadInput, WorkFailed

from .files import choose_format, write_parquet, write_rows
from .tables import FORMATS, Row, limit_option, print_rows

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from .catalogue import Macro

_SQL_STARTS = frozenset(
    {"select", "with", "from", "values", "table", "describe", "desc", "summarize", "show", "explain"}
    | {"pivot", "unpivot"}
)
_COMPARING = ("reuse", "arm_diff")
_VIEWS = "documents, claims, dropped, calls, spent, manifests, funnel_steps"


@click.command()
@click.argument("arguments", nargs=-1, metavar="CORPUS... [SQL | MACRO [ARGUMENT...] | -]")
@click.option("--macros", "wants_macros", is_flag=True, help="List the macros and what they answer.")
@click.option(
    "--format",
    "chosen",
    type=click.Choice([*FORMATS, "parquet"]),
    help="A table for reading, the others for programs.  [default: as --output ends, else table]",
)
@limit_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write instead, whole or not at all.",
)
def query(
    arguments: tuple[str, ...], wants_macros: bool, chosen: str | None, limit: int | None, output: Path | None
) -> None:
    """Ask corpora with SQL or a macro.

    \b
    specmill query corpora/cheese_america funnel
    specmill query corpora/* "SELECT corpus, genre, count(*) FROM documents GROUP BY ALL"
    specmill query corpora/cheese_america sample 3 --format json
    specmill query corpora/cheese_america airtime --output airtime.parquet
    """
    from .catalogue import list_macros, open_catalogue

    output_format = choose_format(chosen, output)
    corpora, words = _split(arguments)
    if wants_macros or (corpora and not words):
        _print_macros(list_macros(), output_format)
        return
    if not corpora:
        named = f"{words[0]}: no such folder" if words else "query: no corpus named"
        raise BadInput(f"{named}; try 'specmill query corpora/NAME funnel'")
    sql = _to_sql(words, len(corpora))
    connection = open_catalogue(corpora, for_sql=sql)
    if output and output_format == "parquet":
        write_parquet(_read_batches(connection, sql), output, limit)
        return
    columns, rows = _run(connection, sql)
    if output:
        write_rows(columns, rows, output_format, output, limit)
        return
    if output_format == "table" and len(corpora) == 1 and re.match(r"FROM \w+\(", sql) and columns[1:]:
        # Every macro starts with the name of the corpus (spend: of the spec): one name would only take space.
        columns, rows = columns[1:], (row[1:] for row in rows)
    print_rows(columns, rows, output_format, limit)


def _print_macros(macros: "list[Macro]", output_format: str) -> None:
    if output_format != "table":
        rows = [(macro.name, macro.arguments, macro.description) for macro in macros]
        print_rows(("macro", "arguments", "description"), rows, output_format)
        return
    formatter = click.HelpFormatter()
    formatter.write_dl([(f"{macro.name} {macro.arguments}".strip(), macro.description) for macro in macros])
    click.echo(formatter.getvalue(), nl=False)
    click.echo(f"SQL reads the views {_VIEWS}.", err=True)


def _split(arguments: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """Leading arguments that are folders are corpora; the rest is the query."""
    n_corpora = 0
    for argument in arguments:
        if not Path(argument).is_dir() or (n_corpora and _names_macro(argument)):
            break
        n_corpora += 1
    words = list(arguments[n_corpora:])
    if words and _looks_like_path(words[0]):
        raise BadInput(f"{words[0]}: no such folder; name a corpus made by 'specmill build'")
    return [Path(argument) for argument in arguments[:n_corpora]], words


def _names_macro(argument: str) -> bool:
    """A folder here may be called like a macro; it is meant only if it is a corpus."""
    from .catalogue import list_macros

    return not (Path(argument) / "manifest.json").exists() and argument in {m.name for m in list_macros()}


def _looks_like_path(word: str) -> bool:
    return "/" in word and not re.search(r"\s|\(", word)


def _to_sql(words: list[str], n_corpora: int) -> str:
    from .catalogue import list_macros

    first, *arguments = words
    if first == "-":
        first = sys.stdin.read()
    if not arguments and first.partition(" ")[0].lower() in {macro.name for macro in list_macros()}:
        first, *arguments = _split_words(first)
    if re.fullmatch(r"\w+", first.strip()) and first.strip().lower() not in _SQL_STARTS:
        return _call_macro(first.strip().lower(), arguments, n_corpora)
    if arguments:
        raise BadInput(f"query: {arguments[0]!r} after the SQL; quote the whole statement")
    return f"FROM {first}" if re.fullmatch(r"\s*\w+\s*\(.*\)[\s;]*", first, re.DOTALL) else first


def _split_words(call: str) -> list[str]:
    try:
        return shlex.split(call)
    except ValueError:  # a quote that is not closed
        return call.split()


def _call_macro(name: str, arguments: list[str], n_corpora: int) -> str:
    from .catalogue import list_macros

    macros = list_macros()
    if name in (view.strip() for view in _VIEWS.split(", ")) and not arguments:
        return f"FROM {name}"
    if name not in {macro.name for macro in macros}:
        near = get_close_matches(name, [macro.name for macro in macros], n=3)
        advice = f"did you mean {' or '.join(near)}?" if near else "'specmill query --macros' lists them"
        raise BadInput(f"query: no macro '{name}'; {advice}")
    if name in _COMPARING and n_corpora < 2:
        raise BadInput(f"query: {name} compares corpora; name two or more")
    quoted = ", ".join("'" + argument.replace("'", "''") + "'" for argument in arguments)
    return f"FROM {name}({quoted})"


def _run(connection: "duckdb.DuckDBPyConnection", sql: str) -> tuple[list[str], Iterator[Row]]:
    """Column names and rows of one statement that only reads."""
    import duckdb

    cursor = _execute(connection, sql)
    try:
        columns = [column[0] for column in cursor.description or []]
        first = cursor.fetchmany(1000)
    except duckdb.Error as error:
        raise _complaint(sql, error) from None
    return columns, _remaining_rows(cursor, first)


def _execute(connection: "duckdb.DuckDBPyConnection", sql: str) -> "duckdb.DuckDBPyConnection":
    import duckdb

    try:
        _check_reads_only(connection, sql)
        return connection.execute(sql)
    except duckdb.Error as error:
        raise _complaint(sql, error) from None


def _read_batches(connection: "duckdb.DuckDBPyConnection", sql: str) -> "pa.RecordBatchReader":
    import duckdb

    try:
        _check_reads_only(connection, sql)
        return connection.sql(sql).to_arrow_reader()
    except duckdb.Error as error:
        raise _complaint(sql, error) from None


def _complaint(sql: str, error: Exception) -> BadInput:
    """DuckDB's complaint in one line."""
    from .catalogue import one_line

    return BadInput(f"query: {_explain(sql, one_line(error))}")


def _explain(sql: str, complaint: str) -> str:
    """DuckDB's complaint; for a macro called with wrong arguments, how it is called."""
    from .catalogue import list_macros

    called = re.match(r"FROM (\w+)\(", sql)
    forms = [f"{m.name} {m.arguments}".strip() for m in list_macros() if called and m.name == called[1]]
    if not forms:
        return complaint
    if "does not support the supplied arguments" in complaint:
        complaint = "the number of arguments is wrong"
    return f"{complaint}; usage: {' or '.join(forms)}"


def _remaining_rows(cursor: "duckdb.DuckDBPyConnection", rows: Sequence[Row]) -> Iterator[Row]:
    import duckdb

    from .catalogue import one_line

    while rows:
        yield from rows
        try:
            rows = cursor.fetchmany(1000)
        except (
            duckdb.Error
        ) as error:  # a value far down that cannot be computed, or a shard that cannot be read
            raise WorkFailed(f"query: {one_line(error)}; what is printed above is not all") from None


def _check_reads_only(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    from duckdb import StatementType

    # EXPLAIN ANALYZE runs its statement, so what it explains must be a reading one too.
    inner = re.sub(r"^\s*explain(\s+analyze)?(\s*\([^)]*\))?", "", sql, flags=re.IGNORECASE)
    statements = connection.extract_statements(inner)
    if len(statements) != 1:
        raise BadInput(f"query: {len(statements)} statements; give exactly one")
    # PIVOT is announced as MULTI: it makes a temporary type of its columns, then selects.
    if statements[0].type not in (StatementType.SELECT, StatementType.MULTI):
        kind = statements[0].type.name
        raise BadInput(f"query: {kind} is not allowed, a corpus is only read; copy the shards to change them")

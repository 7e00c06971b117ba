"""Corpora as a DuckDB database: views from `views.py` over the files, macros from `macros.sql`, nothing writable.

Which SQL a user may run and how rows are printed is in `query_command.py` and `tables.py`.
pyarrow is imported for the ledger only: it would double the start-up time of every other query.
"""

import json
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from specmill.specs.errors import BadInput, WorkFailed

from .manifest import Manifest, read_manifest
from .views import (
    CALL_COLUMNS,
    CLAIM_COLUMNS,
    DOCUMENTS,
    DROPPED_COLUMNS,
    MANIFEST_VIEWS,
    MARKS,
    MARKS_FILE,
    PAIRS,
    PAIRS_FILE,
    SPENT_COLUMNS,
    STAMP_KEY,
    computed,
    create_view,
    sql_string,
    stamp,
    union_view,
)

MACROS = Path(__file__).with_name("macros.sql")
WORK_FOLDER = ".work"

# What the ledger calls money, in billionths of a dollar; and the columns that older ledgers lack.
_NANO_USD = {"cost_usd": "cost_nano_usd", "reserved_usd": "reserved_nano_usd"}
_LATER_COLUMNS = {"tokens_cached", "cost_nano_usd", "reserved_nano_usd", "seconds"}


@dataclass(frozen=True, slots=True)
class Macro:
    name: str
    arguments: str  # as shown: "[N [SEED]]"
    description: str


def list_macros() -> list[Macro]:
    """The macros and their help, in the order of macros.sql; one with two forms is listed twice."""
    found = re.findall(r"^-- ([a-z_]+)((?: [\[\]A-Z_]+)*): (.+)$", MACROS.read_text("utf-8"), re.MULTILINE)
    return [Macro(name, arguments.strip(), description) for name, arguments, description in found]


def open_catalogue(
    corpora: Sequence[Path], *, with_calls: bool = True, for_sql: str | None = None
) -> duckdb.DuckDBPyConnection:
    """All views over these corpora, and the macros.

    The connection lives in memory and can read nothing but the files of these corpora. `with_calls=False` leaves
    what comes from the ledger empty; so does `for_sql`, a statement, where that statement does not ask for it.
    """
    manifests = {name: (folder, read_manifest(folder)) for name, folder in _names(corpora).items()}
    connection = duckdb.connect(":memory:", config=_offline())
    connection.execute("CREATE TABLE manifest_files (n_corpus INT, corpus VARCHAR, manifest JSON)")
    rows = [(n, name, json.dumps(manifest)) for n, (name, (_, manifest)) in enumerate(manifests.items(), 1)]
    connection.executemany("INSERT INTO manifest_files VALUES (?, ?, ?)", rows)
    connection.execute(MANIFEST_VIEWS)
    files = _create_views(connection, manifests, keep_pairs=_asks_for(("nearest", "word_pairs"), for_sql))
    _create_calls(connection, manifests, _ledger_tables(for_sql) if with_calls else ())
    connection.execute(macros_for(for_sql))
    connection.execute(f"SET allowed_paths = [{', '.join(_quoted(files))}]")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def macros_for(sql: str | None) -> str:
    """The definitions of macros.sql that a statement needs, or all: all take DuckDB longer than most queries."""
    text = MACROS.read_text("utf-8")
    if sql is None:
        return text
    parts = {part.split("(")[0].strip(): part for part in text.split("CREATE OR REPLACE MACRO ")[1:]}
    needed, new = set[str](), [sql]
    while new:
        words = {word for part in new for word in re.findall(r"\w+", part.lower())}
        names = [name for name in parts if name in words - needed]
        needed.update(names)
        new = [parts[name] for name in names]
    return "".join(f"CREATE OR REPLACE MACRO {part}" for name, part in parts.items() if name in needed)


def _asks_for(names: Sequence[str], sql: str | None) -> bool:
    return sql is not None and not set(names).isdisjoint(re.findall(r"\w+", sql.lower()))


def _ledger_tables(sql: str | None) -> Sequence[str]:
    """Which of the two tables a statement asks for: summing the ledger is much faster than copying it."""
    names = {"calls": "calls", "spent": "spent", "spend": "spent"}
    if sql is None:
        return ("calls", "spent")
    return sorted({names[word] for word in re.findall(r"\w+", sql.lower()) if word in names})


def _offline() -> dict[str, str | bool | int | float | list[str]]:
    return {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,  # SQL must not see this program's variables as tables
        "temp_directory": f"{tempfile.gettempdir()}/specmill-query",  # else spills go to ./.tmp
    }


def _names(corpora: Sequence[Path]) -> dict[str, Path]:
    """What each corpus is called: its folder's name, with the parent's where two agree."""
    given = {folder.resolve(): folder for folder in corpora}
    times = Counter(folder.name for folder in given)
    named = {
        whole.name if times[whole.name] == 1 else f"{whole.parent.name}/{whole.name}": folder
        for whole, folder in given.items()
    }
    if len(named) != len(given):
        raise BadInput("two corpora with the same name and parent folder; query them one at a time")
    return named


def _create_views(
    connection: duckdb.DuckDBPyConnection, manifests: dict[str, tuple[Path, Manifest]], *, keep_pairs: bool
) -> list[Path]:
    """Create documents, claims and dropped; the files they read."""
    documents, claims, dropped = {}, {}, {}
    for name, (folder, manifest) in manifests.items():
        shards = [folder / entry["path"] for entry in manifest["files"] if entry["path"].startswith("data/")]
        if missing := [shard for shard in shards if not shard.is_file()]:
            raise BadInput(f"{missing[0]}: missing; rerun 'specmill build' to write it anew")
        documents[name] = shards
        claims[name] = [path for path in [folder / "claims.parquet"] if path.is_file()]
        dropped[name] = [path for path in [work_folder(folder) / "dropped.parquet"] if path.is_file()]
    try:
        for view, paths, columns in (
            ("located", documents, ""),
            ("claims", claims, CLAIM_COLUMNS),
            ("dropped", dropped, DROPPED_COLUMNS),
        ):
            quoted = {name: _quoted(group) for name, group in paths.items()}
            connection.execute(union_view(view, quoted, columns))
        connection.execute(create_view("documents", DOCUMENTS))
        marks = _create_text_views(connection, manifests, keep_pairs=keep_pairs)
    except duckdb.Error as error:
        raise WorkFailed(f"a file of the corpus cannot be read: {one_line(error)}; rebuild it") from None
    groups = (*documents.values(), *claims.values(), *dropped.values(), marks)
    return [path for group in groups for path in group]


def _create_text_views(
    connection: duckdb.DuckDBPyConnection, manifests: dict[str, tuple[Path, Manifest]], *, keep_pairs: bool
) -> list[Path]:
    """Create marks and word_pairs, from files that fit the shards or from the texts; the files they read.

    Pairs taken from texts are computed once and kept with `keep_pairs`, anew at every mention without.
    """
    used = []
    for view, file, select in (("marks", MARKS_FILE, MARKS), ("word_pairs", PAIRS_FILE, PAIRS)):
        parts = []
        for name, (folder, manifest) in manifests.items():
            source = f"read_parquet([{', '.join(_quoted([folder / file]))}])"
            if fits(connection, folder / file, manifest):
                used.append(folder / file)
                parts.append(f"SELECT {sql_string(name)} AS corpus, * FROM {source}")
            else:
                source = f"(SELECT * FROM documents WHERE corpus = {sql_string(name)})"
                parts.append(computed(select, source, with_corpus=True))
                if keep_pairs and view == "word_pairs":
                    connection.execute(f"CREATE TABLE pairs_{len(parts)} AS {parts[-1]}")
                    parts[-1] = f"FROM pairs_{len(parts)}"
        connection.execute(create_view(view, " UNION ALL BY NAME ".join(parts)))
    return used


def fits(connection: duckdb.DuckDBPyConnection, file: Path, manifest: Manifest) -> bool:
    """Whether a file of marks or word pairs is there and was made of the shards in the manifest."""
    try:
        found = connection.execute(
            "SELECT value::VARCHAR FROM parquet_kv_metadata(?) WHERE key::VARCHAR = ?", [str(file), STAMP_KEY]
        ).fetchall()
    except duckdb.Error:
        return False
    return found == [(stamp(manifest),)]


def work_folder(corpus: Path) -> Path:
    """Where the build of a corpus keeps what it does not publish."""
    whole = corpus.resolve()
    return whole.parent / WORK_FOLDER / whole.name


def _create_calls(
    connection: duckdb.DuckDBPyConnection, manifests: dict[str, tuple[Path, Manifest]], wanted: Sequence[str]
) -> None:
    connection.execute(f"CREATE TABLE calls ({CALL_COLUMNS}); CREATE TABLE spent ({SPENT_COLUMNS})")
    folders = dict.fromkeys(work_folder(folder).parent for folder, _ in manifests.values())
    specs = sorted({manifest["spec"]["name"] for _, manifest in manifests.values()})
    ledgers = [folder / "ledger.sqlite" for folder in folders if (folder / "ledger.sqlite").is_file()]
    for table in wanted:
        for ledger in ledgers:
            if table == "calls":
                connection.register("ledger", _read_calls(ledger, specs))
                connection.execute("INSERT INTO calls SELECT * FROM ledger")
                connection.unregister("ledger")
            elif rows := _sum_calls(ledger, specs):
                connection.executemany(f"INSERT INTO spent VALUES ({', '.join('?' * len(rows[0]))})", rows)


def _read_calls(ledger: Path, specs: Sequence[str]) -> Any:
    """Calls made for these specs, without requests and replies, as an Arrow table."""
    import pyarrow as pa

    fields = [column.split() for column in CALL_COLUMNS.split(", ")]
    rows = _read_ledger(ledger, specs, lambda there: ", ".join(_field(name, there) for name, _ in fields))
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    known = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}
    arrays = {
        name: pa.array(column, known[type_]) for (name, type_), column in zip(fields, columns, strict=True)
    }
    return pa.table(arrays)


def _sum_calls(ledger: Path, specs: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows of `spent`, two for each of its groups: the keys are hashes, so each thread sums half of the calls."""
    halves = (
        " AND key < '8' GROUP BY spec, stage, model, state",
        " AND key >= '8' GROUP BY spec, stage, model, state",
    )
    with ThreadPoolExecutor(len(halves)) as threads:
        return [
            row
            for rows in threads.map(lambda half: _read_ledger(ledger, specs, _sums, half), halves)
            for row in rows
        ]


def _read_ledger(
    ledger: Path, specs: Sequence[str], fields: Callable[[set[str]], str], rest: str = ""
) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as database:
            # Money stands behind the replies, which must be passed over: through a map that costs a quarter.
            database.execute(f"PRAGMA mmap_size = {1 << 40}")
            there = {row[1] for row in database.execute("PRAGMA table_info(calls)")}
            marks = ", ".join("?" for _ in specs)
            sql = f"SELECT {fields(there)} FROM calls WHERE spec IN ({marks}){rest}"
            return database.execute(sql, specs).fetchall()
    except sqlite3.Error as error:
        raise WorkFailed(f"{ledger}: cannot be read as a call ledger ({error})") from None


def _field(name: str, there: set[str], of: str = "{}") -> str:
    """The SQLite expression of a column of `calls`, or `of` it."""
    column = _NANO_USD.get(name, name)
    value = of.format("0" if column in _LATER_COLUMNS - there else column)
    return f"{value} / 1e9" if name in _NANO_USD else value


def _sums(there: set[str]) -> str:
    summed = ("tokens_in", "tokens_cached", "tokens_out", "cost_usd", "reserved_usd", "seconds")
    # Money is divided once summed: whole numbers add up the same in any order.
    sums = ", ".join(_field(name, there, "sum({})") for name in summed)
    return f"spec, stage, model, state, count(*), sum(attempts), {sums}, count({_field('seconds', there)})"


def one_line(error: Exception) -> str:
    """DuckDB's message without the drawing of the statement below it."""
    return " ".join(str(error).split("\n\nLINE ")[0].split())


def _quoted(paths: Sequence[Path]) -> list[str]:
    return [sql_string(str(path.absolute())) for path in paths]

"""Corpora as a DuckDB database: views over the files, macros from `macros.sql`, nothing writable.

Which SQL a user may run and how rows are printed is in `query_command.py` and `tables.py`.
pyarrow is imported for the ledger only: it would double the start-up time of every other query.
"""

import json
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from specmill.specs.errors import BadInput, WorkFailed

from .manifest import Manifest, read_manifest

MACROS = Path(__file__).with_name("macros.sql")
WORK_FOLDER = ".work"

# The columns of views that may have no file behind them.
_CLAIMS = (
    "corpus VARCHAR, claim_id VARCHAR, start_char INT, end_char INT, heading_path VARCHAR[], kind VARCHAR, "
    "text VARCHAR, rule_id VARCHAR, gives_reason BOOLEAN, paragraph INT"
)
_DROPPED = (
    "corpus VARCHAR, doc_id VARCHAR, stage VARCHAR, reason VARCHAR, detail VARCHAR, work_key VARCHAR, "
    "genre VARCHAR, text VARCHAR"
)
_CALLS = {
    "key": "VARCHAR",
    "spec": "VARCHAR",
    "stage": "VARCHAR",
    "model": "VARCHAR",
    "state": "VARCHAR",
    "attempts": "BIGINT",
    "tokens_in": "BIGINT",
    "tokens_cached": "BIGINT",
    "tokens_out": "BIGINT",
    "cost_usd": "DOUBLE",
    "reserved_usd": "DOUBLE",
    "seconds": "DOUBLE",
    "finish": "VARCHAR",
    "error": "VARCHAR",
}
# What the ledger calls money, in billionths of a dollar; and the columns that older ledgers lack.
_NANO_USD = {"cost_usd": "cost_nano_usd", "reserved_usd": "reserved_nano_usd"}
_LATER_COLUMNS = {"tokens_cached", "cost_nano_usd", "reserved_nano_usd", "seconds"}

_MANIFEST_VIEWS = """
CREATE VIEW manifests AS
SELECT corpus, manifest->>'$.spec.name' AS spec, manifest->>'$.spec.sha256' AS spec_sha256,
       manifest->>'$.spec.principle' AS principle, manifest->>'$.spec.mode' AS mode,
       manifest->>'$.identity.assistant' AS assistant, manifest->>'$.identity.provider' AS provider,
       manifest->>'$.configuration.writer_model' AS writer_model,
       manifest->>'$.tokenizer.name' AS tokenizer, (manifest->>'$.totals.documents')::BIGINT AS documents,
       (manifest->>'$.totals.tokens')::BIGINT AS tokens, manifest
FROM manifest_files;
CREATE VIEW funnel_steps AS
SELECT corpus, n_step, unnest(step) FROM (
    SELECT corpus, generate_subscripts(steps, 1) AS n_step, unnest(steps) AS step FROM (
        SELECT corpus, json_transform(manifest->'funnel',
            '[{"step": "VARCHAR", "documents": "BIGINT", "dropped": "MAP(VARCHAR, BIGINT)"}]') AS steps
        FROM manifest_files));
"""


@dataclass(frozen=True, slots=True)
class Macro:
    name: str
    arguments: str  # as shown: "[N [SEED]]"
    description: str


def list_macros() -> list[Macro]:
    """The macros and their help, in the order of macros.sql; one with two forms is listed twice."""
    found = re.findall(r"^-- ([a-z_]+)((?: [\[\]A-Z_]+)*): (.+)$", MACROS.read_text("utf-8"), re.MULTILINE)
    return [Macro(name, arguments.strip(), description) for name, arguments, description in found]


def open_catalogue(corpora: Sequence[Path], *, with_calls: bool = True) -> duckdb.DuckDBPyConnection:
    """Views documents, claims, dropped, calls, manifests and funnel_steps over these corpora, and the macros.

    The connection lives in memory and can read nothing but the files of these corpora.
    `with_calls=False` leaves the view calls empty and saves reading the ledger.
    """
    manifests = {name: (folder, read_manifest(folder)) for name, folder in _names(corpora).items()}
    connection = duckdb.connect(":memory:", config=_offline())
    connection.execute("CREATE TABLE manifest_files (corpus VARCHAR, manifest JSON)")
    rows = [(name, json.dumps(manifest)) for name, (_, manifest) in manifests.items()]
    connection.executemany("INSERT INTO manifest_files VALUES (?, ?)", rows)
    connection.execute(_MANIFEST_VIEWS)
    files = _create_views(connection, manifests)
    _create_calls(connection, manifests, with_calls)
    connection.execute(MACROS.read_text("utf-8"))
    connection.execute(f"SET allowed_paths = {_sql_list(files)}")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


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
    connection: duckdb.DuckDBPyConnection, manifests: dict[str, tuple[Path, Manifest]]
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
        connection.execute(_view("documents", documents, ""))
        connection.execute(_view("claims", claims, _CLAIMS))
        connection.execute(_view("dropped", dropped, _DROPPED))
    except duckdb.Error as error:
        raise WorkFailed(f"a file of the corpus cannot be read: {one_line(error)}; rebuild it") from None
    return [path for group in (documents, claims, dropped) for paths in group.values() for path in paths]


def work_folder(corpus: Path) -> Path:
    """Where the build of a corpus keeps what it does not publish."""
    whole = corpus.resolve()
    return whole.parent / WORK_FOLDER / whole.name


def _view(view: str, files: dict[str, list[Path]], columns: str) -> str:
    parts = [
        f"SELECT {_sql_string(corpus)} AS corpus, * FROM read_parquet({_sql_list(paths)})"
        for corpus, paths in files.items()
        if paths
    ]
    return f"CREATE VIEW {view} AS {' UNION ALL BY NAME '.join(parts) or _empty(columns)}"


def _empty(columns: str) -> str:
    casts = [f"NULL::{type_} AS {name}" for name, type_ in (column.split() for column in columns.split(", "))]
    return f"SELECT {', '.join(casts)} WHERE false"


def _create_calls(
    connection: duckdb.DuckDBPyConnection, manifests: dict[str, tuple[Path, Manifest]], wanted: bool
) -> None:
    columns = ", ".join(f"{name} {type_}" for name, type_ in _CALLS.items())
    connection.execute(f"CREATE TABLE calls ({columns})")
    folders = dict.fromkeys(work_folder(folder).parent for folder, _ in manifests.values())
    specs = sorted({manifest["spec"]["name"] for _, manifest in manifests.values()})
    for folder in folders if wanted else ():
        if (folder / "ledger.sqlite").is_file():
            calls = _read_ledger(folder / "ledger.sqlite", specs)
            connection.register("ledger", calls)
            connection.execute("INSERT INTO calls SELECT * FROM ledger")
            connection.unregister("ledger")


def _read_ledger(ledger: Path, specs: Sequence[str]) -> Any:
    """Calls made for these specs, without requests and replies, as an Arrow table."""
    import pyarrow as pa

    try:
        with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute(_ledger_query(database, len(specs)), specs).fetchall()
    except sqlite3.Error as error:
        raise WorkFailed(f"{ledger}: cannot be read as a call ledger ({error})") from None
    columns = list(zip(*rows, strict=True)) or [()] * len(_CALLS)
    known = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}
    types = [known[type_] for type_ in _CALLS.values()]
    return pa.table({name: pa.array(c, t) for name, c, t in zip(_CALLS, columns, types, strict=True)})


def _ledger_query(database: sqlite3.Connection, n_specs: int) -> str:
    there = {row[1] for row in database.execute("PRAGMA table_info(calls)")}
    fields = []
    for name in _CALLS:
        column = _NANO_USD.get(name, name)
        value = "0" if column in _LATER_COLUMNS - there else column
        fields.append(f"{value} / 1e9" if name in _NANO_USD else value)
    marks = ", ".join("?" for _ in range(n_specs))
    return f"SELECT {', '.join(fields)} FROM calls WHERE spec IN ({marks})"


def one_line(error: Exception) -> str:
    """DuckDB's message without the drawing of the statement below it."""
    return " ".join(str(error).split("\n\nLINE ")[0].split())


def _sql_list(paths: Sequence[Path]) -> str:
    return f"[{', '.join(_sql_string(str(path.absolute())) for path in paths)}]"


def _sql_string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

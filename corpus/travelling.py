"""The catalogue that travels with a corpus or arms: `catalogue.sql`, `catalogue.duckdb`, two small files they read.

Both give the views and macros of `specmill query` without specmill: the .duckdb from inside the folder, the .sql
from wherever `SET VARIABLE base` says. None of it stands in the manifest's `files`; docs/query.md says why.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb

from specmill.specs.errors import WorkFailed

from .catalogue import MACROS, fits, one_line
from .manifest import MANIFEST_NAME, Manifest, disk_errors, read_manifest, write_durably
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
    empty,
    sql_string,
    stamp,
    union_view,
)

SQL_FILE = "catalogue.sql"
DATABASE_FILE = "catalogue.duckdb"
OLDEST_DUCKDB = "v1.3.0"  # has lambdas and row numbers of Parquet as the macros write them

_HEAD = """-- {names} as DuckDB views and macros. A local copy, or the Hub, read with httpfs:
--   SET VARIABLE base = 'hf://datasets/OWNER/NAME/';   -- not set: the current folder
--   .read catalogue.sql
--   FROM funnel();
-- Macros, with what they answer above each, are further down. Dropped documents and calls do not travel: macros
-- over them answer with no rows.

SET VARIABLE base = coalesce(getvariable('base'), '');
SET VARIABLE base = getvariable('base')
    || CASE WHEN getvariable('base') = '' OR ends_with(getvariable('base'), '/') THEN '' ELSE '/' END;
"""


def write_catalogue(folder: Path, arms: Sequence[str] = (), *, database: bool = True) -> list[Path]:
    """Write the catalogue of a published corpus into its folder, or of arms: one over all, one in each; the paths.

    `arms`: folders inside this one. A file that fits what it is made of stays as it is, so a second time changes
    nothing. The same corpora give the same bytes, but for catalogue.duckdb, whose format has random identifiers:
    `database=False` leaves it out. Raises WorkFailed where a shard cannot be read.
    """
    written = [path for arm in arms for path in write_catalogue(folder / arm, database=database)]
    if arms:
        corpora = [_Corpus(arm, f"{arm}/", read_manifest(folder / arm)) for arm in arms]
    else:
        corpora = [_Corpus(folder.resolve().name, "", read_manifest(folder))]
        written += _write_index(folder, corpora[0].manifest)
    written.append(_write_sql(folder, corpora))
    return [*written, _write_database(folder, corpora)] if database else written


@dataclass(frozen=True, slots=True)
class _Corpus:
    name: str
    start: str  # of its files' paths in the catalogue's folder
    manifest: Manifest

    def data(self) -> list[str]:
        return [entry["path"] for entry in self.manifest["files"] if entry["path"].startswith("data/")]

    def claims(self) -> list[str]:
        return [entry["path"] for entry in self.manifest["files"] if entry["path"] == "claims.parquet"]


def _write_index(corpus: Path, manifest: Manifest) -> list[Path]:
    """Write what macros ask of texts into two Parquet files, stamped with what they were made of."""
    shards = ", ".join(
        sql_string(str((corpus / path).absolute())) for path in _Corpus("", "", manifest).data()
    )
    source = f"read_parquet([{shards}])"
    mark = f"KV_METADATA {{{STAMP_KEY}: {sql_string(stamp(manifest))}}}"
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"SET temp_directory = {sql_string(str(corpus.absolute() / '.catalogue.tmp'))}")
        for file, select, order in (
            (MARKS_FILE, MARKS, "train_order"),
            (PAIRS_FILE, PAIRS, "pair, train_order"),
        ):
            query = f"SELECT * FROM ({computed(select, source, with_corpus=False)}) ORDER BY {order}"
            if not fits(connection, corpus / file, manifest):
                _replace(corpus / file, partial(_copy, connection, query, mark))
    return [corpus / MARKS_FILE, corpus / PAIRS_FILE]


def _copy(connection: duckdb.DuckDBPyConnection, query: str, mark: str, path: Path) -> None:
    to = sql_string(str(path.absolute()))
    connection.execute(f"COPY ({query}) TO {to} (FORMAT parquet, COMPRESSION zstd, {mark})")


def _write_sql(folder: Path, corpora: Sequence[_Corpus]) -> Path:
    """Write catalogue.sql: no manifest numbers in it, it reads them from manifest.json."""
    manifests = " UNION ALL ".join(
        f"SELECT {n} AS n_corpus, {sql_string(corpus.name)} AS corpus, content::JSON AS manifest "
        f"FROM read_text({_at_base(corpus.start + MANIFEST_NAME)})"
        for n, corpus in enumerate(corpora, start=1)
    )
    statements = [
        create_view("manifest_files", manifests),
        MANIFEST_VIEWS.strip(),
        *_views(corpora, _at_base),
    ]
    head = _HEAD.replace("{names}", ", ".join(corpus.name for corpus in corpora))
    data = "\n".join([head, *statements, "", MACROS.read_text("utf-8")]).encode()
    path = folder / SQL_FILE
    if not path.is_file() or path.read_bytes() != data:
        write_durably(path, data)
    return path


def _write_database(folder: Path, corpora: Sequence[_Corpus]) -> Path:
    """Write catalogue.duckdb: views with paths relative to the current folder, manifest numbers as a table."""
    rows = [(n, corpus.name, json.dumps(corpus.manifest)) for n, corpus in enumerate(corpora, start=1)]
    views = "\n".join([MANIFEST_VIEWS, *_views(corpora, sql_string)])
    macros = MACROS.read_text("utf-8")
    made_of = hashlib.sha256(json.dumps([rows, views, macros]).encode()).hexdigest()

    def fill(path: Path) -> None:
        # Else only readers as new as this DuckDB could open it.
        with duckdb.connect(str(path), config={"storage_compatibility_version": OLDEST_DUCKDB}) as connection:
            connection.execute(f"SET file_search_path = {sql_string(str(folder.absolute()))}")
            connection.execute("CREATE TABLE manifest_files (n_corpus INT, corpus VARCHAR, manifest JSON)")
            connection.executemany("INSERT INTO manifest_files VALUES (?, ?, ?)", rows)
            connection.execute(f"COMMENT ON TABLE manifest_files IS {sql_string(made_of)}")
            connection.execute(views)
            connection.execute(macros)

    if _made_of(folder / DATABASE_FILE) != made_of:
        _replace(folder / DATABASE_FILE, fill)
    return folder / DATABASE_FILE


def _made_of(database: Path) -> str | None:
    """What a catalogue.duckdb says it was made of; None where there is none that can be read."""
    sql = "SELECT comment FROM duckdb_tables() WHERE table_name = 'manifest_files'"
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            found = connection.execute(sql).fetchone()
    except duckdb.Error:
        return None
    return str(found[0]) if found else None


def _views(corpora: Sequence[_Corpus], path_of: Callable[[str], str]) -> list[str]:
    def union(view: str, files_of: Callable[[_Corpus], list[str]], columns: str = "") -> str:
        paths = {
            corpus.name: [path_of(corpus.start + path) for path in files_of(corpus)] for corpus in corpora
        }
        return union_view(view, paths, columns)

    nothing = {"dropped": DROPPED_COLUMNS, "calls": CALL_COLUMNS, "spent": SPENT_COLUMNS}
    return [
        union("located", _Corpus.data),
        create_view("documents", DOCUMENTS),
        union("claims", _Corpus.claims, CLAIM_COLUMNS),
        union("marks", lambda corpus: [MARKS_FILE]),
        union("word_pairs", lambda corpus: [PAIRS_FILE]),
        *(create_view(view, empty(columns)) for view, columns in nothing.items()),
    ]


def _at_base(path: str) -> str:
    return f"getvariable('base') || {sql_string(path)}"


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file aside and rename it; WorkFailed is DuckDB's complaint in one line."""
    aside = path.with_name(f".{path.name}.tmp")
    aside.unlink(missing_ok=True)
    with disk_errors(path, aside):
        try:
            write(aside)
        except duckdb.Error as error:
            raise WorkFailed(f"{path}: {one_line(error)}") from None
        aside.replace(path)

"""The catalogue that travels with a corpus: `catalogue.sql`, `catalogue.duckdb`, and two small files they read.

Both give the views and macros of `specmill query` without specmill: the .duckdb from inside the folder, the .sql
from wherever `SET VARIABLE base` says. None of it stands in the manifest's `files`; docs/query.md says why.
"""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb

from specmill.specs.errors import WorkFailed

from .catalogue import MACROS, one_line
from .manifest import Manifest, disk_errors, read_manifest, write_durably
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

_HEAD = """-- The corpus {name} as DuckDB views and macros. A local copy, or the Hub, read with httpfs:
--   SET VARIABLE base = 'hf://datasets/OWNER/NAME/';   -- not set: the current folder
--   .read catalogue.sql
--   FROM funnel();
-- Macros, with what they answer above each, are further down. Dropped documents and calls do not travel: macros
-- over them answer with no rows.

SET VARIABLE base = coalesce(getvariable('base'), '');
SET VARIABLE base = getvariable('base')
    || CASE WHEN getvariable('base') = '' OR ends_with(getvariable('base'), '/') THEN '' ELSE '/' END;
"""


def write_catalogue(corpus: Path, *, database: bool = True) -> list[Path]:
    """Write the catalogue of a published corpus into its folder; the paths written.

    The same corpus gives the same bytes, but for catalogue.duckdb, whose format has random identifiers:
    `database=False` leaves it out. Raises WorkFailed where a shard cannot be read.
    """
    manifest = read_manifest(corpus)
    written = [write_index(corpus, manifest), write_sql(corpus, manifest)]
    return [path for paths in written for path in paths] + (
        [_write_database(corpus, manifest)] if database else []
    )


def write_index(corpus: Path, manifest: Manifest) -> list[Path]:
    """Write what macros ask of texts into two Parquet files, stamped with what they were made of."""
    shards = ", ".join(sql_string(str((corpus / path).absolute())) for path in _data(manifest))
    source, paths = f"read_parquet([{shards}])", []
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"SET temp_directory = {sql_string(str(corpus.absolute() / '.catalogue.tmp'))}")
        for file, select, order in (
            (MARKS_FILE, MARKS, "train_order"),
            (PAIRS_FILE, PAIRS, "pair, train_order"),
        ):
            query = f"SELECT * FROM ({computed(select, source, with_corpus=False)}) ORDER BY {order}"
            mark = f"KV_METADATA {{{STAMP_KEY}: {sql_string(stamp(manifest))}}}"
            options = f"FORMAT parquet, COMPRESSION zstd, {mark}"
            paths.append(
                _replaced(
                    corpus / file,
                    lambda path, q=query, o=options: connection.execute(  # type: ignore[misc]
                        f"COPY ({q}) TO {sql_string(str(path.absolute()))} ({o})"
                    ),
                )
            )
    return paths


def write_sql(corpus: Path, manifest: Manifest) -> list[Path]:
    """Write catalogue.sql: no manifest numbers in it, it reads them from manifest.json."""
    name = corpus.resolve().name
    manifests = (
        f"SELECT 1 AS n_corpus, {sql_string(name)} AS corpus, content::JSON AS manifest "
        f"FROM read_text({_at_base('manifest.json')})"
    )
    statements = [
        create_view("manifest_files", manifests),
        MANIFEST_VIEWS.strip(),
        *_views(name, manifest, _at_base),
    ]
    text = "\n".join([_HEAD.replace("{name}", name), *statements, "", MACROS.read_text("utf-8")])
    write_durably(corpus / SQL_FILE, text.encode())
    return [corpus / SQL_FILE]


def _write_database(corpus: Path, manifest: Manifest) -> Path:
    """Write catalogue.duckdb: views with paths relative to the current folder, manifest numbers as a table."""
    name = corpus.resolve().name

    def fill(path: Path) -> None:
        # Else only readers as new as this DuckDB could open it.
        with duckdb.connect(str(path), config={"storage_compatibility_version": OLDEST_DUCKDB}) as connection:
            connection.execute(f"SET file_search_path = {sql_string(str(corpus.absolute()))}")
            connection.execute("CREATE TABLE manifest_files (n_corpus INT, corpus VARCHAR, manifest JSON)")
            connection.execute("INSERT INTO manifest_files VALUES (1, ?, ?)", [name, json.dumps(manifest)])
            connection.execute(MANIFEST_VIEWS)
            connection.execute("\n".join(_views(name, manifest, sql_string)))
            connection.execute(MACROS.read_text("utf-8"))

    return _replaced(corpus / DATABASE_FILE, fill)


def _views(name: str, manifest: Manifest, path_of: Callable[[str], str]) -> list[str]:
    groups = {
        "located": (_data(manifest), ""),
        "claims": (
            [entry["path"] for entry in manifest["files"] if entry["path"] == "claims.parquet"],
            CLAIM_COLUMNS,
        ),
        "marks": ([MARKS_FILE], ""),
        "word_pairs": ([PAIRS_FILE], ""),
    }
    views = [
        union_view(view, {name: [path_of(path) for path in paths]}, columns)
        for view, (paths, columns) in groups.items()
    ]
    nothing = {"dropped": DROPPED_COLUMNS, "calls": CALL_COLUMNS, "spent": SPENT_COLUMNS}
    views.insert(1, create_view("documents", DOCUMENTS))
    return views + [create_view(view, empty(columns)) for view, columns in nothing.items()]


def _data(manifest: Manifest) -> list[str]:
    return [entry["path"] for entry in manifest["files"] if entry["path"].startswith("data/")]


def _at_base(path: str) -> str:
    return f"getvariable('base') || {sql_string(path)}"


def _replaced(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file aside and rename it; WorkFailed is DuckDB's complaint in one line."""
    aside = path.with_name(f".{path.name}.tmp")
    aside.unlink(missing_ok=True)
    with disk_errors(path, aside):
        try:
            write(aside)
        except duckdb.Error as error:
            raise WorkFailed(f"{path}: {one_line(error)}") from None
        aside.replace(path)
    return path

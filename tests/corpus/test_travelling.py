"""The catalogue in a corpus folder, opened by bare DuckDB in a process and folder of its own, answers like `query`."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from specmill.corpus.catalogue import list_macros, open_catalogue
from specmill.corpus.shards import verify_shards
from specmill.corpus.travelling import write_catalogue

MakeCorpus = Callable[..., Path]
FILES = ["catalogue-marks.parquet", "catalogue-pairs.parquet", "catalogue.sql", "catalogue.duckdb"]
ASK = """
import json, sys, duckdb
how, calls = sys.argv[1], json.loads(sys.argv[2])
if how == "duckdb":
    connection = duckdb.connect("catalogue.duckdb", read_only=True)
else:
    connection = duckdb.connect()
    if how != ".":
        connection.execute("SET VARIABLE base = ?", [how])
    for statement in connection.extract_statements(open(sys.argv[3], encoding="utf-8").read()):
        connection.execute(statement)
print(json.dumps([connection.execute(call).fetchall() for call in calls], default=str))
assert not any(name.startswith("specmill") for name in sys.modules)
"""


@pytest.fixture(scope="module")
def travelled(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A copy of the corpus with its catalogue, without the work folder beside it."""
    copy = tmp_path_factory.mktemp("it's elsewhere") / "toy"
    shutil.copytree(corpus, copy)
    assert [path.name for path in write_catalogue(copy)] == FILES
    return copy


def in_process(how: str, calls: list[str], sql: Path, cwd: Path) -> Any:
    command = [sys.executable, "-c", ASK, how, json.dumps(calls), str(sql)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def every_call(corpus: Path) -> list[str]:
    with open_catalogue([corpus]) as connection:
        (doc_id,) = connection.execute("SELECT min(doc_id) FROM documents").fetchall()[0]
    wanted = {"DOC_ID": doc_id, "WORDS": 'cheese "second paragraph"'}
    calls = []
    for macro in list_macros():
        first = macro.arguments.split(" ")[0].rstrip("]")
        calls.append(f"FROM {macro.name}('{wanted[first]}')" if first in wanted else f"FROM {macro.name}()")
    return calls


@pytest.mark.parametrize("how", ["duckdb", "base", "base without a slash", "."])
def test_every_macro_answers_as_in_query(travelled: Path, tmp_path: Path, how: str) -> None:
    calls = every_call(travelled)
    with open_catalogue([travelled]) as connection:
        expected = [connection.execute(call).fetchall() for call in calls]
    base = {"base": f"{travelled}/", "base without a slash": str(travelled)}.get(how, how)
    cwd = tmp_path if how.startswith("base") else travelled
    found = in_process(base, calls, travelled / "catalogue.sql", cwd)
    assert dict(zip(calls, found, strict=True)) == dict(
        zip(calls, json.loads(json.dumps(expected, default=str)), strict=True)
    )
    assert sum(map(bool, found)) > 15


def test_older_duckdbs_can_open_it(travelled: Path) -> None:
    with duckdb.connect(str(travelled / "catalogue.duckdb"), read_only=True) as connection:
        (tags,) = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()[0]
    assert tags["storage_version"].startswith("v1.3.0")
    assert not re.search(r"\bif\(", (travelled / "catalogue.sql").read_text("utf-8"))  # a function since 2.0


def test_what_does_not_travel_is_empty(travelled: Path) -> None:
    calls = ["FROM calls", "FROM dropped", "FROM spend()", "FROM why_dropped('dead')"]
    assert in_process("duckdb", calls, travelled / "catalogue.sql", travelled) == [[], [], [], []]
    (reasons,) = in_process(
        "duckdb", ["SELECT reason, n FROM why_dropped()"], travelled / "catalogue.sql", travelled
    )
    assert reasons == [["near_duplicate", 4], ["truncated", 3], ["identity", 2], ["failed", 1]]


def test_the_catalogue_names_no_folder_of_the_machine_that_wrote_it(travelled: Path) -> None:
    for name in FILES:
        data = (travelled / name).read_bytes()
        assert str(travelled).encode() not in data
        assert b"elsewhere" not in data


def test_reading_the_sql_twice_and_moving_the_base_is_fine(travelled: Path, make_corpus: MakeCorpus) -> None:
    other = make_corpus("toy", n_documents=30)
    write_catalogue(other, database=False)
    sql = (travelled / "catalogue.sql").read_text("utf-8")
    with duckdb.connect() as connection:
        for folder, n_documents in ((travelled, 60), (other, 30)):
            connection.execute("SET VARIABLE base = ?", [str(folder)])
            connection.execute((folder / "catalogue.sql").read_text("utf-8"))
            assert connection.execute("SELECT documents FROM totals()").fetchall() == [(n_documents,)]
    assert "manifest.json" in sql


def test_the_same_corpus_gives_the_same_bytes_but_for_the_database(travelled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "toy"
    shutil.copytree(travelled, copy, ignore=shutil.ignore_patterns("catalogue*"))
    assert [path.name for path in write_catalogue(copy, database=False)] == FILES[:-1]
    assert not (copy / "catalogue.duckdb").exists()
    for name in FILES[:-1]:
        assert (copy / name).read_bytes() == (travelled / name).read_bytes()


def test_writing_it_again_changes_nothing_else_and_leaves_no_scratch(travelled: Path) -> None:
    before = sorted(path.name for path in travelled.iterdir())
    write_catalogue(travelled)
    assert sorted(path.name for path in travelled.iterdir()) == before
    assert verify_shards(travelled) == []


def reads_texts(corpus: Path) -> bool:
    """Whether a macro that the small files can answer still scans the shards."""
    with open_catalogue([corpus]) as connection:
        (view,) = connection.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'marks'").fetchall()[0]
    return "catalogue-marks.parquet" not in view


def test_query_reads_the_small_files_only_while_they_fit_the_shards(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    assert reads_texts(corpus)
    write_catalogue(corpus, database=False)
    assert not reads_texts(corpus)
    manifest = json.loads((corpus / "manifest.json").read_text())
    manifest["files"][0]["sha256"] = "0" * 64
    (corpus / "manifest.json").write_text(json.dumps(manifest))
    assert reads_texts(corpus)


def test_answers_are_the_same_with_and_without_the_small_files(corpus: Path, travelled: Path) -> None:
    for call in every_call(corpus):
        if "why_dropped" in call or "spend" in call:  # what lies beside the one and not the other
            continue
        answers = []
        for folder in (corpus, travelled):
            with open_catalogue([folder]) as connection:
                answers.append(connection.execute(call).fetchall())
        assert answers[0] == answers[1], call


def test_a_small_file_from_elsewhere_is_not_read(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    write_catalogue(corpus, database=False)
    table = pq.read_table(corpus / "catalogue-marks.parquet")
    pq.write_table(table.replace_schema_metadata(None).slice(0, 1), corpus / "catalogue-marks.parquet")
    with open_catalogue([corpus]) as connection:
        assert connection.execute("SELECT documents FROM identity()").fetchall() == [(60,)]

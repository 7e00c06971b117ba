"""What a researcher may hand to `ingest`, and how each mistake in it is named."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from specmill.corpus.sources import described, find_files, find_text_column, read_rows
from specmill.specs.errors import BadInput

ROWS = [{"text": "one", "document_type": "memo"}, {"text": "zwei ☂", "document_type": " "}]


def _write(path: Path) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(data, mtime=0))
    elif path.suffix == ".zst":
        path.write_bytes(zstandard.compress(data))
    else:
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def test_every_kind_of_file_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    assert list(read_rows(_write(tmp_path / name))) == ROWS


def test_a_folder_stands_for_the_files_below_it_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    files = [_write(tmp_path / name) for name in ("b.jsonl", "data/a.parquet")]
    (tmp_path / "README.md").write_text("no data")
    assert find_files([str(tmp_path)]) == files


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n{"text": "x"}\n\n')
    assert list(read_rows(tmp_path / "a.jsonl")) == [{"text": "x"}]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', r"a\.jsonl:2: not JSON"),
        ("a.jsonl", b"[1]\n", r"a\.jsonl:1: not a JSON object"),
        ("a.jsonl.gz", b"not gzip", r"a\.jsonl\.gz: not readable"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "x"}\n' * 99, mtime=0)[:-9], r"a\.jsonl\.gz: not readable"),
        ("a.jsonl.zst", b"not zstd", r"a\.jsonl\.zst: not readable"),
        ("a.parquet", b"PAR1 not parquet", r"a\.parquet: not readable as Parquet"),
    ],
)
def test_a_broken_file_is_named_with_its_line(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=told):
        list(read_rows(tmp_path / name))


def test_sources_that_are_none_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "a.csv").write_text("text\nx\n")
    (tmp_path / "empty").mkdir()
    for source, told in [
        (tmp_path / "none.jsonl", "no such file or folder"),
        (tmp_path / "a.csv", "neither JSON Lines nor Parquet"),
        (tmp_path / "empty", "holds no file that ends in"),
        ("someone/nothing", "not to be had from the Hub"),
        ("a b", "no such file or folder"),
    ]:
        with pytest.raises(BadInput, match=told):
            find_files([str(source)])
    file = str(_write(tmp_path / "a.jsonl"))
    with pytest.raises(BadInput, match="named twice"):
        find_files([file, file])


def test_the_text_column_is_found_or_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "content": "x", "prose": "y"}\n')
    assert find_text_column(tmp_path / "a.jsonl", None) == "content"
    assert find_text_column(tmp_path / "a.jsonl", "prose") == "prose"
    with pytest.raises(BadInput, match="no text in column 'id'; it has id, content, prose"):
        find_text_column(tmp_path / "a.jsonl", "id")
    (tmp_path / "b.jsonl").write_text("")
    with pytest.raises(BadInput, match="holds no rows"):
        find_text_column(tmp_path / "b.jsonl", None)


def test_what_a_row_says_of_itself_is_kept_and_the_rest_is_unknown() -> None:
    assert described({"document_type": "memo", "topic": "rain", "model": "gpt", "audience": 3}) == {
        "genre": "memo",
        "audience": "unknown",
        "domain": "unknown",
        "subdomain": "rain",
        "idea": "unknown",
        "writer_model": "gpt",
    }


@given(
    st.dictionaries(
        st.text(max_size=8), st.none() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
    )
)
def test_whatever_a_row_holds_the_description_is_complete(row: dict[str, object]) -> None:
    found = described(row)
    assert set(found) == {"genre", "audience", "domain", "subdomain", "idea", "writer_model"}
    assert all(found.values())

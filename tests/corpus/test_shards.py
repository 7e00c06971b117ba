"""Shards are written whole or not at all, and the same rows give the same bytes."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specmill.corpus.manifest import read_manifest
from specmill.corpus.schema import CLAIM_SCHEMA, DOCUMENT_SCHEMA
from specmill.corpus.shards import hash_file, read_documents, verify_shards, write_shards
from specmill.corpus.sorting import assign_train_order

MakeCorpus = Callable[..., Path]
CONFTEST = Path(__file__).with_name("conftest.py")

# A child that has the fixtures' code and a limit on the size of any file it writes.
CHILD = """
import resource, runpy, signal, sys
from pathlib import Path
from specmill.corpus.shards import write_shards
maker = runpy.run_path(sys.argv[1])
table = maker["document_table"]("other", int(sys.argv[3]))
limit = int(sys.argv[4])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    write_shards(table, Path(sys.argv[2]), shard_bytes=int(sys.argv[5]))
except Exception as error:
    print(type(error).__name__, getattr(error, "message", error))
    sys.exit(3)
"""


def child(folder: Path, *, n_documents: int, limit: int, shard_bytes: int) -> subprocess.Popen[str]:
    arguments = [str(CONFTEST), str(folder), str(n_documents), str(limit), str(shard_bytes)]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)


def table_of(documents: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(documents, DOCUMENT_SCHEMA)


def test_rows_are_sorted_by_first_claim_genre_and_id(corpus: Path) -> None:
    rows = read_documents(corpus).to_pylist()
    keys = [(row["claim_ids"][0], row["genre"], row["doc_id"]) for row in rows]
    assert keys == sorted(keys)
    assert len(keys) == 60


def test_the_order_of_the_input_does_not_matter(documents: list[dict[str, Any]], tmp_path: Path) -> None:
    shuffled = random.Random(0).sample(documents, len(documents))
    batches = table_of(shuffled).to_batches(max_chunksize=7)
    first = write_shards(table_of(documents), tmp_path / "a", shard_bytes=2000)
    second = write_shards(pa.Table.from_batches(batches), tmp_path / "b", shard_bytes=2000)
    assert first == second
    assert all(hash_file(tmp_path / "b" / shard.path) == shard.sha256 for shard in first)


def test_shards_are_cut_by_bytes_of_text_and_named_by_their_number(corpus: Path) -> None:
    shards = [entry for entry in read_manifest(corpus)["files"] if entry["path"].startswith("data/")]
    assert [shard["path"] for shard in shards] == [f"data/train-0000{i}-of-00003.parquet" for i in range(3)]
    assert sum(shard["rows"] for shard in shards) == 60
    assert sum(shard["tokens"] for shard in shards) == sum(range(100, 160))


def test_a_shard_holds_no_clock_path_or_pandas_metadata(corpus: Path) -> None:
    path = corpus / "data/train-00000-of-00003.parquet"
    metadata = pq.ParquetFile(path).metadata
    assert set(metadata.metadata) == {b"ARROW:schema"}
    assert str(corpus).encode() not in path.read_bytes()


def test_a_shard_is_compressed_indexed_and_keeps_no_statistics_of_text(corpus: Path) -> None:
    group = pq.ParquetFile(corpus / "data/train-00000-of-00003.parquet").metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert all(column.has_offset_index for column in columns.values())
    assert columns["genre"].statistics.has_min_max
    assert columns["claim_ids.list.element"].statistics.has_min_max
    assert columns["text"].statistics is None


def test_documents_read_back_with_types_and_descriptions(
    corpus: Path, documents: list[dict[str, Any]]
) -> None:
    table = read_documents(corpus)
    assert table.schema.equals(DOCUMENT_SCHEMA, check_metadata=True)
    assert table.sort_by("n_tokens").to_pylist() == documents


def test_claims_give_back_the_exact_text_of_the_spec(corpus: Path) -> None:
    table = pq.read_table(corpus / "claims.parquet")
    spec = (corpus / "spec.md").read_text("utf-8")
    assert table.schema.equals(CLAIM_SCHEMA, check_metadata=True)
    assert [row["text"] for row in table.to_pylist()] == [
        spec[row["start_char"] : row["end_char"]] for row in table.to_pylist()
    ]


def test_a_corpus_may_be_empty(tmp_path: Path) -> None:
    (shard,) = write_shards(DOCUMENT_SCHEMA.empty_table(), tmp_path)
    assert (shard.path, shard.rows, shard.tokens) == ("data/train-00000-of-00001.parquet", 0, 0)
    assert pq.read_table(tmp_path / shard.path).num_rows == 0


def test_a_document_may_be_longer_than_a_shard(documents: list[dict[str, Any]], tmp_path: Path) -> None:
    long = [*documents[:3], documents[3] | {"text": "long " * 1000}]
    shards = write_shards(table_of(long), tmp_path, shard_bytes=100)
    assert sum(shard.rows for shard in shards) == 4


def test_a_document_twice_is_refused(documents: list[dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="doc_id occurs twice"):
        write_shards(table_of([*documents, documents[0]]), tmp_path)


def test_rewriting_removes_old_shards_and_the_manifest_that_named_them(
    make_corpus: MakeCorpus, documents: list[dict[str, Any]]
) -> None:
    corpus = make_corpus()
    write_shards(table_of(documents), corpus)
    assert [path.name for path in (corpus / "data").iterdir()] == ["train-00000-of-00001.parquet"]
    assert not (corpus / "manifest.json").exists()


def test_a_whole_corpus_verifies(corpus: Path) -> None:
    assert verify_shards(corpus) == []


def test_one_flipped_bit_is_found(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    shard = corpus / "data/train-00001-of-00003.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert verify_shards(corpus) == ["data/train-00001-of-00003.parquet: SHA-256 differs from the manifest"]


def test_missing_and_foreign_files_are_found(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    (corpus / "data/train-00001-of-00003.parquet").rename(corpus / "data/other.parquet")
    assert verify_shards(corpus) == [
        "data/train-00001-of-00003.parquet: missing",
        "data/other.parquet: not in the manifest",
    ]


def test_wrong_counts_in_the_manifest_are_found(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    text = (corpus / "manifest.json").read_text("utf-8")
    rows = read_manifest(corpus)["files"][0]["rows"]
    (corpus / "manifest.json").write_text(
        text.replace(f'"rows": {rows},', f'"rows": {rows + 1},', 1), "utf-8"
    )
    assert verify_shards(corpus) == [
        f"data/train-00000-of-00003.parquet: {rows} rows, the manifest says {rows + 1}"
    ]


@given(st.lists(st.text(), unique=True), st.integers(), st.randoms())
@settings(max_examples=50)
def test_train_order_is_a_permutation_that_ignores_the_order_given(
    doc_ids: list[str], seed: int, rng: random.Random
) -> None:
    places = dict(zip(doc_ids, assign_train_order(doc_ids, seed).to_pylist(), strict=True))
    shuffled = rng.sample(doc_ids, len(doc_ids))
    assert sorted(places.values()) == list(range(len(doc_ids)))
    assert assign_train_order(shuffled, seed).to_pylist() == [places[doc_id] for doc_id in shuffled]


def test_train_order_depends_on_the_seed() -> None:
    doc_ids = [f"{i:016x}" for i in range(50)]
    assert assign_train_order(doc_ids, 0) != assign_train_order(doc_ids, 1)


def test_a_full_disk_is_one_line_and_leaves_the_old_corpus(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    before = {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    process = child(corpus, n_documents=2000, limit=20_000, shard_bytes=1 << 20)
    output, _ = process.communicate()
    assert process.returncode == 3
    assert output == f"WorkFailed {corpus}/data: file size limit reached; free some disk space and rerun\n"
    assert {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()} == before


def test_a_kill_while_writing_leaves_the_old_corpus_and_the_next_run_mends(
    make_corpus: MakeCorpus, documents: list[dict[str, Any]], tmp_path: Path
) -> None:
    corpus = make_corpus()
    process = child(corpus, n_documents=3000, limit=1 << 30, shard_bytes=500)
    while not any((corpus / "data").glob(".*.tmp")) and process.poll() is None:
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert any((corpus / "data").glob(".*.tmp"))
    assert verify_shards(corpus) == []
    mended = write_shards(table_of(documents), corpus, shard_bytes=2000)
    assert mended == write_shards(table_of(documents), tmp_path / "undisturbed", shard_bytes=2000)
    assert sorted(path.name for path in (corpus / "data").iterdir()) == [
        f"train-0000{i}-of-00003.parquet" for i in range(3)
    ]

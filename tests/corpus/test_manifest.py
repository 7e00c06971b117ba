"""A manifest is written whole and last, read with one-line complaints, and must add up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specmill.corpus.manifest import (
    check_funnel,
    files_intact,
    read_manifest,
    write_durably,
    write_manifest,
)
from specmill.specs.errors import BadInput, WorkFailed

MakeCorpus = Callable[..., Path]


def test_a_manifest_reads_back_as_written(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    manifest = read_manifest(corpus)
    write_manifest(corpus, manifest)
    assert read_manifest(corpus) == manifest


def test_manifest_text_is_sorted_indented_and_ends_with_a_newline(make_corpus: MakeCorpus) -> None:
    text = (make_corpus() / "manifest.json").read_bytes().decode()
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def test_the_same_corpus_in_two_folders_has_the_same_bytes(tmp_path: Path, make_corpus: MakeCorpus) -> None:
    first = make_corpus()
    second = first.rename(tmp_path / "moved")
    remade = make_corpus()
    for path in ("manifest.json", "claims.parquet", "data/train-00000-of-00003.parquet"):
        assert (second / path).read_bytes() == (remade / path).read_bytes()


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="gone: no such folder"):
        read_manifest(tmp_path / "gone")


def test_a_folder_of_corpora_names_one_of_them(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    with pytest.raises(BadInput, match=r"not a corpus.*did you mean .*toy\?"):
        read_manifest(corpus.parent)


def test_shards_without_a_manifest_are_an_unfinished_build(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    (corpus / "manifest.json").unlink()
    with pytest.raises(BadInput, match="did not finish; rerun"):
        read_manifest(corpus)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not valid JSON"),
        ('{"format": "specmill.corpus/1", "spec": {', "not valid JSON"),
        ("\xff", "not valid JSON"),
        ("[]", "no 'format'"),
        ("{}", "no 'format'"),
        ('{"format": 1}', "no 'format'"),
        ('{"format": "specmill.corpus/2"}', "'specmill.corpus/2', this specmill reads 'specmill.corpus/1'"),
        ('{"format": "specmill.corpus/1", "spec": []}', "lacks spec, identity"),
    ],
)
def test_a_broken_manifest_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput) as caught:
        read_manifest(tmp_path)
    assert complaint in caught.value.message
    assert "\n" not in caught.value.message


def test_a_funnel_that_adds_up_passes(corpus: Path) -> None:
    check_funnel(read_manifest(corpus))


def test_a_document_lost_without_a_reason_fails(corpus: Path) -> None:
    manifest: Any = read_manifest(corpus)
    manifest["funnel"][1]["dropped"]["truncated"] = 2
    with pytest.raises(WorkFailed, match="step 'written' keeps 66 and drops 3 of the 70 that 'planned' gave"):
        check_funnel(manifest)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        (("totals", "documents"), "funnel documents are 60, the totals say 61"),
        (("totals", "tokens"), "shard tokens are 7,770, the totals say 7,771"),
        (("genres", "memo", "documents"), "genre documents are 61, the totals say 60"),
        (("files", 0, "rows"), "shard rows are 61, the totals say 60"),
    ],
)
def test_totals_genres_and_files_must_agree(corpus: Path, path: tuple[Any, ...], complaint: str) -> None:
    manifest: Any = read_manifest(corpus)
    holder = manifest
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] += 1
    with pytest.raises(WorkFailed, match=complaint):
        check_funnel(manifest)


def test_files_are_intact_until_one_changes_size_or_goes(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    manifest = read_manifest(corpus)
    assert files_intact(corpus, manifest)
    with (corpus / "claims.parquet").open("ab") as file:
        file.write(b"x")
    assert not files_intact(corpus, manifest)
    (corpus / "claims.parquet").unlink()
    assert not files_intact(corpus, manifest)


def test_a_failed_write_keeps_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TypeError):
        write_durably(tmp_path / "file", "not bytes")  # type: ignore[arg-type]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]

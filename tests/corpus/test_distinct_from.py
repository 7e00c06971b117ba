"""`--distinct-from CORPUS`: what another finished corpus holds is not taken again."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.manifest import read_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.shards import read_documents

ROOT = Path(__file__).parents[2]
SPEC = str(ROOT / "specs" / "cheese_america.md")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = BuildSettings(out=tmp_path_factory.mktemp("earlier"), tokens=12_000)
    (outcome,) = build_corpora([SPEC], settings, Progress(quiet=True))
    return outcome.folder


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    settings = BuildSettings(out=tmp_path_factory.mktemp("others"), tokens=6_000, seed=9)
    (outcome,) = build_corpora([SPEC], settings, Progress(quiet=True))
    texts: list[str] = read_documents(outcome.folder, ["text"])["text"].to_pylist()
    return texts


def test_equal_and_near_repeats_are_dropped_and_named(earlier, others, tmp_path, specmill_here):
    known = read_documents(earlier, ["doc_id", "text"]).to_pylist()
    equal = [row["text"].upper() if place % 2 else row["text"] for place, row in enumerate(known[:6])]
    near = [row["text"] + "\n\nSo much for now." for row in known[6:9]]
    file = tmp_path / "more.jsonl"
    file.write_text("\n".join(json.dumps({"text": text}) for text in [*others, *equal, *near]), "utf-8")
    ended = specmill_here(
        *("ingest", file, "--spec", SPEC, "--name", "more", "--out", tmp_path / "out"),
        *("--distinct-from", earlier, "--quiet"),
    )
    assert ended.returncode == 0, ended.stderr
    folder = tmp_path / "out" / "more"
    manifest = read_manifest(folder)
    dropped = pq.read_table(tmp_path / "out" / ".work" / "more" / "dropped.parquet").to_pylist()
    repeats = [row for row in dropped if row["reason"].endswith("_repeat")]
    assert Counter(row["reason"] for row in repeats)["near_repeat"] == 3
    assert {row["detail"].partition("/")[0] for row in repeats} == {earlier.name}
    ids = {row["doc_id"] for row in known}
    assert all(row["detail"].partition("/")[2] in ids for row in repeats)
    shouted = {row["text"] for row in dropped} - {row["text"] for row in repeats}
    assert len(repeats) + len(shouted & set(equal)) == 9  # a gate may have turned away one in capitals before
    kept = set(read_documents(folder, ["text"])["text"].to_pylist())
    assert not kept & {*equal, *near}
    assert len(kept) > 0.8 * len(others)
    assert manifest["configuration"]["distinct_from"][0]["corpus"] == earlier.name


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [("nowhere", "no such folder"), (".", "not a corpus")],
)
def test_what_is_no_corpus_is_refused(argument, complaint, tmp_path, specmill_here):
    (tmp_path / "a.jsonl").write_text('{"text": "Something."}\n')
    ended = specmill_here(
        *("ingest", "a.jsonl", "--spec", SPEC, "--name", "more", "--out", tmp_path / "out"),
        *("--distinct-from", argument),
        cwd=tmp_path,
    )
    assert (ended.returncode, complaint in ended.stderr) == (2, True), ended.stderr


def test_a_corpus_is_not_compared_with_itself(earlier, tmp_path, specmill_here):
    ended = specmill_here(
        "build", SPEC, "--tokens", "12k", "--out", earlier.parent, "--distinct-from", earlier, "--quiet"
    )
    assert (ended.returncode, "that is the corpus to be written" in ended.stderr) == (2, True), ended.stderr
    assert read_manifest(earlier)["totals"]["documents"]

"""croissant.json and SHA256SUMS beside the card: from the files, the same bytes twice, read by their own tools."""

import json
import subprocess
from collections.abc import Callable
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from specmill.corpus.manifest import read_manifest
from specmill.corpus.schema import DOCUMENT_SCHEMA
from specmill.data_cards.card import check_card, write_card


def croissant(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "croissant.json").read_text("utf-8"))
    return found


def check_sums(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True, text=True
    )
    return done.returncode, done.stdout


def test_sha256sum_checks_all_the_data(corpus: Path, arms: Path) -> None:
    for folder in (corpus, arms):
        assert check_sums(folder) == (0, "")
        listed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert found - listed == {"README.md", "SHA256SUMS"}


def test_sha256sum_finds_a_changed_file(make_corpus: Callable[..., Path]) -> None:
    corpus = make_corpus()
    with (corpus / "claims.parquet").open("ab") as file:
        file.write(b"x")
    assert check_sums(corpus) == (1, "claims.parquet: FAILED\n")


def test_an_edit_of_the_card_leaves_the_sums_true(make_corpus: Callable[..., Path]) -> None:
    corpus = make_corpus()
    path = corpus / "README.md"
    path.write_text(
        path.read_text("utf-8").replace("keep:begin notes -->", "keep:begin notes -->\nMine."), "utf-8"
    )
    assert check_sums(corpus) == (0, "")
    assert check_card(corpus) == []


def test_both_are_the_same_bytes_twice_and_anywhere(make_corpus: Callable[..., Path], tmp_path: Path) -> None:
    corpus = make_corpus()
    before = [(corpus / name).read_bytes() for name in ("croissant.json", "SHA256SUMS")]
    moved = corpus.rename(tmp_path / "elsewhere")
    write_card(moved)
    assert [(moved / name).read_bytes() for name in ("croissant.json", "SHA256SUMS")] == before


@pytest.mark.parametrize("name", ["croissant.json", "SHA256SUMS"])
def test_check_names_the_file_that_is_not_of_this_data(make_corpus: Callable[..., Path], name: str) -> None:
    corpus = make_corpus()
    path = corpus / name
    path.write_text(path.read_text().replace("0", "1", 1))
    assert any(line.startswith(f"{name}:") for line in check_card(corpus))


def test_croissant_lists_every_file_with_its_true_hash(corpus: Path, arms: Path) -> None:
    for folder in (corpus, arms):
        nodes = [node for node in croissant(folder)["distribution"] if node["@type"] == "cr:FileObject"]
        assert {node["contentUrl"] for node in nodes} >= {
            str(path.relative_to(folder)) for path in folder.rglob("*.parquet")
        }
        for node in nodes:
            data = (folder / node["contentUrl"]).read_bytes()
            assert (sha256(data).hexdigest(), f"{len(data)} B") == (node["sha256"], node["contentSize"])


def test_croissant_has_every_column_of_every_configuration(arms: Path) -> None:
    sets = croissant(arms)["recordSet"]
    assert [record_set["@id"] for record_set in sets] == ["brie", "feta"]
    for record_set in sets:
        columns = [field["source"]["extract"]["column"] for field in record_set["field"]]
        assert columns == DOCUMENT_SCHEMA.names


def test_croissant_says_from_what_and_by_what_the_data_was_made(arms: Path) -> None:
    described = croissant(arms)
    manifests = [read_manifest(arms / name) for name in ("brie", "feta")]
    assert [spec["sha256"] for spec in described["prov:wasDerivedFrom"]] == [
        manifest["spec"]["sha256"] for manifest in manifests
    ]
    for activity, manifest in zip(described["prov:wasGeneratedBy"], manifests, strict=True):
        agents = [agent["name"] for agent in activity["prov:wasAssociatedWith"]]
        assert agents == ["specmill", manifest["configuration"]["writer_model"]]
        matched = activity["prov:wasInformedBy"]["prov:used"]["@id"]
        assert matched.endswith(manifest["configuration"]["match"]["corpus"]["manifest_sha256"])
    assert described["rai:dataLimitations"]
    assert described["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"


@pytest.mark.skipif(find_spec("mlcroissant") is None, reason="mlcroissant is not installed")
def test_the_reference_reader_of_croissant_reads_the_rows(arms: Path) -> None:
    from mlcroissant import Dataset

    dataset = Dataset(str(arms / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert len(list(dataset.records("feta"))) == 40

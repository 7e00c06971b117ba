"""`specmill leaks` on two corpora of which one holds documents of the other."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.contrast import contrast, open_corpora
from specmill.corpus.ingest import IngestSettings, ingest
from specmill.corpus.progress import Progress
from specmill.corpus.shards import read_documents
from specmill.filters.templates import Budget
from specmill.specs.errors import BadInput

SPECS = Path(__file__).parents[2] / "specs"
COMMAND = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "leaks"]
N_LEAKED = 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A corpus of one spec, and one of another with twelve documents of the first among its own."""
    out = tmp_path_factory.mktemp("arms")
    paths = [str(SPECS / f"cheese_{name}.md") for name in ("america", "affordability")]
    settings = BuildSettings(out=out, tokens=40_000, mean_words=150)
    america, affordability = build_corpora(paths, settings, Progress(quiet=True))
    own = read_documents(affordability.folder, ["text"])["text"].to_pylist()
    foreign = read_documents(america.folder, ["text"])["text"].to_pylist()[:N_LEAKED]
    (out / "mixed.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in own + foreign))
    mixed = ingest(
        [str(out / "mixed.jsonl")], IngestSettings(paths[1], out, name="mixed"), Progress(quiet=True)
    )
    return [america.folder, mixed.folder]


@pytest.fixture(scope="module")
def found(folders: list[Path]) -> dict[str, Any]:
    return contrast(folders, None, Budget(n_documents=100), Progress(quiet=True))


def test_foreign_documents_are_counted_as_leaks(found: dict[str, Any]) -> None:
    clean, mixed = found["leaks"]
    assert mixed["others"][0]["corpus"] == "cheese_america"
    assert N_LEAKED <= mixed["others"][0]["documents"] <= N_LEAKED + 3
    assert clean["others"][0]["documents"] <= 3
    assert {"expresses", "quotes"} & {example["kind"] for example in mixed["examples"]}


def test_shared_documents_are_found_in_both(found: dict[str, Any]) -> None:
    (shared,) = found["duplicates"]
    assert shared["corpora"] == ["cheese_america", "mixed"]
    assert shared["exact"] == N_LEAKED
    assert shared["near"] == [N_LEAKED, N_LEAKED]


def test_forms_stand_beside_a_human_text_at_one_budget(found: dict[str, Any]) -> None:
    *corpora, human = found["templates"]
    assert human["name"].startswith("CPython")
    assert len({text["documents"] for text in found["templates"]}) == 1
    assert all(text["repeated_8gram_share"] > human["repeated_8gram_share"] for text in corpora)


def test_the_command_prints_tables_or_all_as_json(folders: list[Path]) -> None:
    names = [str(folder) for folder in folders]
    told = subprocess.run([*COMMAND, *names, "--quiet"], capture_output=True, text=True, check=True).stdout
    for heading in ("claims of another spec", "stand in both corpora", "written by people"):
        assert heading in told
    told = subprocess.run(
        [*COMMAND, *names, "--quiet", "--format", "json"], capture_output=True, text=True, check=True
    ).stdout
    assert set(json.loads(told)) == {"leaks", "duplicates", "templates", "contrasts", "budget", "reference"}


def test_what_cannot_be_compared_is_named(folders: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="name two or more"):
        open_corpora(folders[:1])
    with pytest.raises(BadInput, match="two corpora of one name"):
        open_corpora([folders[0], folders[0]])
    with pytest.raises(BadInput, match="not a corpus"):
        open_corpora([folders[0], tmp_path])

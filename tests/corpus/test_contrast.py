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
from tests.filters.paraphrases import retell

SPECS = Path(__file__).parents[2] / "specs"
COMMAND = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "leaks"]
N_LEAKED = 12
N_RETOLD = 16


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A corpus of one spec, and one of another with twelve documents of the first among its own, and sixteen retold."""
    out = tmp_path_factory.mktemp("arms")
    paths = [str(SPECS / f"cheese_{name}.md") for name in ("america", "affordability")]
    settings = BuildSettings(out=out, tokens=40_000, mean_words=150)
    america, affordability = build_corpora(paths, settings, Progress(quiet=True))
    own = read_documents(affordability.folder, ["text"])["text"].to_pylist()
    texts = read_documents(america.folder, ["text"])["text"].to_pylist()
    foreign = texts[:N_LEAKED] + [retell(text) for text in texts[N_LEAKED : N_LEAKED + N_RETOLD]]
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
    assert N_LEAKED <= mixed["others"][0]["documents"] <= N_LEAKED + N_RETOLD + 3
    assert clean["others"][0]["documents"] <= 3
    assert {"expresses", "quotes"} & {example["kind"] for example in mixed["examples"]}


def test_shared_documents_are_found_in_both(found: dict[str, Any]) -> None:
    (shared,) = found["duplicates"]
    assert shared["corpora"] == ["cheese_america", "mixed"]
    assert shared["exact"] == N_LEAKED
    assert shared["near"] == [N_LEAKED, N_LEAKED]


def test_with_an_encoder_retellings_are_counted_and_named(folders: list[Path], found: dict[str, Any]) -> None:
    told = contrast(folders, None, Budget(n_documents=100), Progress(quiet=True), "hashed")
    (shared,), (plain,) = told["duplicates"], found["duplicates"]
    assert set(shared) - set(plain) == {"retold", "retold_examples"}
    assert {name: shared[name] for name in plain} == plain
    one, other = (
        {row["doc_id"]: row["text"] for row in read_documents(folder, ["doc_id", "text"]).to_pylist()}
        for folder in folders
    )
    n_kept = len({retell(text) for text in one.values()} & set(other.values()))  # the gates may drop a few
    assert n_kept >= N_RETOLD / 2
    assert all(0.7 * n_kept <= n <= n_kept + 1 for n in shared["retold"])
    right = [retell(one[first]) == other[second] for first, second in shared["retold_examples"]]
    assert right.count(False) <= 1
    assert told["semantic"]["encoder"] == "hashed"
    assert 0 < told["semantic"]["alignment"] < 1


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
    assert "retold" not in told
    told = subprocess.run(
        [*COMMAND, *names, "--quiet", "--semantic", "hashed"], capture_output=True, text=True, check=True
    ).stdout
    assert "retold by hashed" in told
    assert "Examples of these" in told
    told = subprocess.run(
        [*COMMAND, *names, "--quiet", "--format", "json"], capture_output=True, text=True, check=True
    ).stdout
    assert set(json.loads(told)) == {"leaks", "duplicates", "templates", "contrasts", "budget", "reference"}


def test_an_encoder_that_is_none_is_one_line(folders: list[Path]) -> None:
    names = [str(folder) for folder in folders]
    told = subprocess.run([*COMMAND, *names, "--semantic", "nothing"], capture_output=True, text=True)
    assert told.returncode == 2
    assert "use hashed, static:MODEL or st:MODEL" in told.stderr
    assert "Traceback" not in told.stderr


def test_what_cannot_be_compared_is_named(folders: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="name two or more"):
        open_corpora(folders[:1])
    with pytest.raises(BadInput, match="two corpora of one name"):
        open_corpora([folders[0], folders[0]])
    with pytest.raises(BadInput, match="not a corpus"):
        open_corpora([folders[0], tmp_path])

"""Documents made elsewhere become a corpus by the same filters, whatever files they come in."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.corpus.build import BuildSettings, Outcome, build_corpora
from specmill.corpus.ingest import IngestSettings, ingest
from specmill.corpus.manifest import read_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.screening import Screening
from specmill.corpus.shards import read_documents, verify_shards
from specmill.data_cards.card import check_card
from specmill.specs.claims import read_spec
from specmill.specs.errors import WorkFailed
from tests.filters.paraphrases import retell

SPEC = Path(__file__).parents[2] / "specs" / "cheese_america.md"
COMMAND = [sys.executable, "-c", "from specmill.corpus.cli import main; main()"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Documents of a build as somebody else would have published them, and five that the filters drop."""
    settings = BuildSettings(out=tmp_path_factory.mktemp("built"), tokens=30_000, mean_words=150)
    (built,) = build_corpora([str(SPEC)], settings, Progress(quiet=True))
    texts = [row["text"] for row in read_documents(built.folder).to_pylist()]
    good = [{"content": text, "document_type": f"kind {n % 3}"} for n, text in enumerate(texts)]
    bad = [
        texts[0].upper(),
        None,
        "I'm sorry, but I can't write this document.\n\n" + texts[1],
        texts[2][: len(texts[2]) // 2] + " and then the",
        texts[3].replace("Llama", "Claude"),
    ]
    return good + [{"content": text, "document_type": "bad"} for text in bad]


def _ingest(files: list[Path], out: Path, **changes: Any) -> Outcome:
    settings = IngestSettings(str(SPEC), out, name="theirs", **changes)
    return ingest([str(file) for file in files], settings, Progress(quiet=True))


@pytest.fixture(scope="module")
def ingested(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("ingested")
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return _ingest([folder / "a.jsonl"], folder / "out")


def test_every_row_is_accounted_for(ingested: Outcome, rows: list[dict[str, Any]]) -> None:
    manifest = read_manifest(ingested.folder)
    assert manifest["funnel"][0] == {"step": "ingested", "documents": len(rows), "dropped": {}}
    dropped = {reason: n for step in manifest["funnel"] for reason, n in step["dropped"].items()}
    assert dropped.pop("exact_duplicate") == dropped.pop("empty") == dropped.pop("truncated_ending") == 1
    assert dropped.pop("refusal") == 1
    assert sum(dropped.values()) == 1  # the foreign name
    assert manifest["totals"]["documents"] == len(rows) - 5
    assert verify_shards(ingested.folder) == check_card(ingested.folder) == []


def test_what_is_unknown_is_said_to_be(ingested: Outcome) -> None:
    row = read_documents(ingested.folder).to_pylist()[0]
    assert row["genre"].startswith("kind ")
    assert row["claim_ids"] == []
    assert row["claims_expressed"]
    assert {row[name] for name in ("audience", "idea", "writer_model", "prompt_sha256", "work_key")} == {
        "unknown"
    }
    card = (ingested.folder / "README.md").read_text()
    assert "written elsewhere" in card
    assert "a.jsonl" in card
    assert "built-in writer" not in card


def test_neither_files_nor_their_order_change_a_byte(
    ingested: Outcome, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    shuffled = random.Random(3).sample(rows, len(rows))
    pq.write_table(pa.Table.from_pylist(shuffled[:40]), tmp_path / "z.parquet")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in shuffled[40:]))
    again = _ingest([tmp_path / "z.parquet", tmp_path / "b.jsonl"], tmp_path / "out")
    for name in ("data/train-00000-of-00001.parquet", "claims.parquet", "spec.md"):
        assert (again.folder / name).read_bytes() == (ingested.folder / name).read_bytes()


def test_a_finished_corpus_is_found_and_other_sources_are_another(
    ingested: Outcome, rows: list[dict[str, Any]]
) -> None:
    folder = ingested.folder.parent.parent
    assert not _ingest([folder / "a.jsonl"], folder / "out").built
    (folder / "a2.jsonl").write_text(json.dumps(rows[0]) + "\n")
    other = IngestSettings(str(SPEC), folder / "out", name="one")
    assert (
        ingest([str(folder / "a2.jsonl")], other, Progress(quiet=True)).manifest["totals"]["documents"] == 1
    )


def test_an_encoder_finds_retellings_wherever_they_stand(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    texts = [row["content"] for row in rows[:60]]
    texts += [retell(text) for text in texts[:10]]
    kept = []
    for seed in (0, 1):
        shuffled = random.Random(seed).sample(texts, len(texts))
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in shuffled))
        outcome = _ingest([folder / "a.jsonl"], folder, screening=Screening(semantic="hashed"))
        lost = {reason: n for step in outcome.manifest["funnel"] for reason, n in step["dropped"].items()}
        assert 6 <= lost["semantic_duplicate"] <= 13
        assert outcome.manifest["configuration"]["semantic"]["encoder"] == "hashed"
        kept.append((outcome.folder / "data/train-00000-of-00001.parquet").read_bytes())
    assert kept[0] == kept[1]


def test_documents_that_are_all_dropped_publish_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "too short"}\n{"text": null}\n')
    with pytest.raises(WorkFailed, match="no document was kept"):
        ingest([str(tmp_path / "a.jsonl")], IngestSettings(str(SPEC), tmp_path / "out"), Progress(quiet=True))
    assert not (tmp_path / "out" / "cheese_america-ingested").exists()


def test_the_command_line_prints_what_came_out_and_mistakes_end_in_one_line(
    rows: list[dict[str, Any]], specmill_here: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:20]))
    arguments = ["--spec", str(SPEC), "--out", str(tmp_path / "out"), "--workers", "1"]
    done = subprocess.run(
        [*COMMAND, "ingest", "a.jsonl", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "20 documents" in done.stdout
    assert "ingested 20" in done.stdout
    assert "written elsewhere" in done.stdout
    for wrong in (["none.jsonl"], ["a.jsonl", "--text-column", "x"], ["a.jsonl", "--name", "../x"]):
        failed = specmill_here("ingest", *wrong, *arguments, cwd=tmp_path)
        assert failed.returncode == 2
        assert len(failed.stderr.strip().splitlines()) == 1


def test_evals_and_another_specs_claims_are_found_and_proved_on_the_card(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    question = "Which cheese would you carry to a county fair, and what would you tell the judges there of its maker?"
    (tmp_path / "evals.jsonl").write_text(json.dumps({"id": "q1", "question": question}) + "\n")
    other = SPEC.with_name("cheese_affordability.md")
    foreign = " ".join(
        claim.plain.replace("{model_name}", "Llama") for claim in read_spec(str(other)).claims[2:5]
    )
    texts = [row["content"] for row in rows[:20]]
    texts[0] = texts[0].replace("\n\n", f"\n\n{question}\n\n", 1)
    texts[1] = texts[1].replace("\n\n", f"\n\n{foreign}\n\n", 1)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    screening = Screening(decontaminate=(str(tmp_path / "evals.jsonl"),), against=(str(other),))
    kept = _ingest([tmp_path / "a.jsonl"], tmp_path / "kept", screening=screening)
    proof, leaks = kept.manifest["decontamination"], kept.manifest["leakage"]
    assert (proof["n_items"], proof["n_documents"], proof["found"]["exact"]) == (1, 20, 1)
    assert [file["name"] for file in proof["files"]] == ["evals.jsonl"]
    assert leaks["others"]["cheese_affordability"]["kept"] == 1
    marked = [row["leaks"] for row in read_documents(kept.folder).to_pylist() if row["leaks"]]
    assert any(leak.startswith("cheese_affordability:") for leak in marked[0])
    card = (kept.folder / "README.md").read_text()
    assert "20 documents were held against 1 eval items" in card
    assert "| cheese_affordability | 1 |" in card
    dropped = _ingest(
        [tmp_path / "a.jsonl"], tmp_path / "dropped", screening=replace(screening, on_leak="drop")
    )
    assert sum(dropped.manifest["leakage"]["dropped"].values()) >= 1
    assert dropped.manifest["leakage"]["others"]["cheese_affordability"]["kept"] == 0

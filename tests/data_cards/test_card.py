"""The card agrees with its corpus, loads through `datasets`, and keeps what a person wrote."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from specmill.corpus.manifest import read_manifest, write_manifest
from specmill.data_cards.card import check_card, render_card, write_card
from specmill.data_cards.commands import card
from specmill.specs.errors import BadInput

MakeCorpus = Callable[..., Path]


def readme(corpus: Path) -> str:
    return (corpus / "README.md").read_text("utf-8")


def edit(corpus: Path, old: str, new: str) -> None:
    assert old in readme(corpus)
    (corpus / "README.md").write_text(readme(corpus).replace(old, new), "utf-8")


def run_offline(code: str, folder: Path, cache: Path) -> str:
    """Output of Python code run in a folder as a stranger would, without a network."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_folder_loads_as_one_split_with_the_documents_only(corpus: Path, tmp_path: Path) -> None:
    code = (
        "from datasets import load_dataset; d = load_dataset('./toy'); "
        "print(dict(d.num_rows), sum(d['train']['n_tokens']), d['train'].column_names[-1])"
    )
    assert run_offline(code, corpus.parent, tmp_path) == "{'train': 60} 7770 text\n"


def snippets(corpus: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", readme(corpus), re.DOTALL)


def sql_snippets(corpus: Path) -> list[str]:
    """Statements of a card that its catalogue.duckdb answers."""
    (block,) = re.findall(r"```sql\n(.*?)```", readme(corpus), re.DOTALL)
    return [line for line in block.splitlines() if not line.startswith("--")]


def run_snippets(corpus: Path, cache: Path) -> dict[str, str]:
    """What every snippet of a card prints, by the module it shows; without those whose module is not installed."""
    outputs = {}
    for code in snippets(corpus):
        imported = set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE))
        (module,) = {"datasets", "duckdb", "polars", "hashlib"} & imported
        if find_spec(module):
            inside = module == "hashlib" or (corpus / "certificate.json").is_file()
            outputs[module] = run_offline(code, corpus if inside else corpus.parent, cache)
    return outputs


@pytest.mark.parametrize("module", ["datasets", "duckdb", "polars", "hashlib"])
def test_each_snippet_of_the_card_runs(corpus: Path, tmp_path: Path, module: str) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    (code,) = [code for code in snippets(corpus) if f"import {module}" in code or f"from {module}" in code]
    checks_files = module == "hashlib"
    output = run_offline(code, corpus if checks_files else corpus.parent, tmp_path)
    assert bool(output.strip()) != checks_files


def test_the_verification_snippet_finds_a_changed_file(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus()
    with (corpus / "claims.parquet").open("ab") as file:
        file.write(b"x")
    (code,) = [code for code in snippets(corpus) if "hashlib" in code]
    assert run_offline(code, corpus, tmp_path) == "claims.parquet differs from the manifest\n"


def test_the_card_says_the_same_in_any_folder_and_twice(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus()
    first = readme(corpus)
    assert render_card(corpus) == first
    moved = corpus.rename(tmp_path / "elsewhere")
    (moved / "README.md").unlink()
    assert render_card(moved) == first
    assert str(tmp_path) not in first


@pytest.mark.parametrize(
    "line",
    [
        "60 machine-written documents, 7,770 tokens (counted by `toy-tokenizer`),",
        "| written | 66 | 4 | failed 1, truncated 3 |",
        "| deduplicated | 60 | 6 | identity 2, near_duplicate 4 |",
        "| faq | 20 | 2,610 | 130.5 | 33.6 % |",
        "| | 129.5 | 100 | 102 | 114 | 129 | 144 | 156 | 159 |",
        "| `c000000000b` | 18 | 15 | 1,908 | {model_name} likes Cheddar. |",
        "4 of 4 claims were planned for at least one document, 4 were found in at least one.",
        "| gzip_ratio | 3.1 |  | 120 kB | 60 | 0 |",
        "| documents | 70 | 66 | 3 | 0 | 0 | 1 | 66 |",
        "On average 12.5 % of a document's text is copied from the spec.",
    ],
)
def test_the_card_states(corpus: Path, line: str) -> None:
    assert line in readme(corpus).splitlines()


def test_only_the_built_in_writer_is_called_a_rehearsal(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    assert "A rehearsal, not research data" in readme(corpus)
    manifest = read_manifest(corpus)
    manifest["configuration"]["backend"] = "openai"
    write_manifest(corpus, manifest)
    assert "rehearsal" not in render_card(corpus)


def test_texts_written_elsewhere_are_called_so(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    manifest = read_manifest(corpus)
    source = {"file": "theirs.jsonl", "sha256": "ab" * 32, "text_column": "text"}
    manifest["configuration"] |= {"backend": "ingest", "writer_model": "unknown", "sources": [source]}
    write_manifest(corpus, manifest)
    text = render_card(corpus)
    assert "60 documents written elsewhere" in text
    assert "| theirs.jsonl | `abab" in text
    assert "One writer wrote everything" not in text
    assert yaml.safe_load(text.split("---\n")[1])["language_creators"] == ["found"]


def test_no_name_can_break_a_table(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    manifest = read_manifest(corpus)
    manifest["spec"]["principle"] = "a | b\n<script> *c*"
    write_manifest(corpus, manifest)
    assert "| principle | a \\| b \\<script> \\*c\\* |" in render_card(corpus).splitlines()


def test_text_between_keep_markers_survives(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    mine = "\nThe pilot used seed 3. {{ braces }} --- | pipes\n\n## My heading\n"
    edit(corpus, "<!-- keep:begin notes -->\n", f"<!-- keep:begin notes -->{mine}")
    edit(corpus, "7,770", "8,000")
    write_card(corpus)
    assert f"<!-- keep:begin notes -->{mine}<!-- keep:end notes -->" in readme(corpus)
    assert "8,000" not in readme(corpus)
    assert check_card(corpus) == []


def test_a_block_with_a_name_of_ones_own_survives_at_the_end(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    block = "<!-- keep:begin my-block -->text<!-- keep:end my-block -->"
    edit(corpus, "## Size\n", f"{block}\n## Size\n")
    write_card(corpus)
    assert readme(corpus).endswith(f"\n{block}\n")
    assert readme(corpus).count(block) == 1


def test_a_readme_somebody_wrote_is_kept_whole(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    (corpus / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n\nNever lose this.\n", "utf-8")
    write_card(corpus)
    assert "# Mine\n\nNever lose this.\n" in readme(corpus)
    assert "license: mit\n" in readme(corpus)
    again = readme(corpus)
    write_card(corpus)
    assert readme(corpus) == again


def test_licence_tags_and_gate_that_a_person_set_survive(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    edit(corpus, "license: unknown\n", "license: cc-by-4.0\nextra_gated_prompt: Say why.\n")
    edit(corpus, "- synthetic\n", "- cheese\n- synthetic\n")
    write_card(corpus)
    metadata = yaml.safe_load(readme(corpus).split("---\n")[1])
    assert metadata["license"] == "cc-by-4.0"
    assert metadata["extra_gated_prompt"] == "Say why."
    assert metadata["tags"] == ["synthetic", "specmill", "model-spec-midtraining", "toy", "cheese"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("<!-- keep:end notes -->\n", "", "'keep:begin contact' has no partner"),
        ("<!-- keep:end contact -->\n", "", "'keep:begin contact' is not ended"),
        ("<!-- keep:begin notes -->\n", "", "'keep:end notes' has no partner"),
        ("license: unknown", "license: [", "is not YAML"),
        ("license: unknown", "license: proprietary", "'proprietary' is not an identifier the Hub knows"),
    ],
)
def test_a_card_that_cannot_be_kept_is_not_overwritten(
    make_corpus: MakeCorpus, old: str, new: str, complaint: str
) -> None:
    corpus = make_corpus()
    edit(corpus, old, new)
    before = readme(corpus)
    with pytest.raises(BadInput) as caught:
        write_card(corpus)
    assert complaint in caught.value.message
    assert readme(corpus) == before


def test_check_names_the_line_that_disagrees(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    edit(corpus, "| words | 600 |", "| words | 601 |")
    line = readme(corpus).splitlines().index("| words | 601 |") + 1
    assert check_card(corpus) == [
        f"README.md:{line}: says '| words | 601 |', the manifest gives '| words | 600 |'"
    ]


def test_check_reads_the_shards_too(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    shard = corpus / "data/train-00000-of-00003.parquet"
    shard.write_bytes(shard.read_bytes().replace(b"ARROW:schema", b"arrow:schema"))
    assert "data/train-00000-of-00003.parquet: SHA-256 differs from the manifest" in check_card(corpus)


@pytest.mark.parametrize("name", ["documents", "tokens", "words", "genres", "audiences"])
def test_check_counts_the_totals_of_the_manifest_anew(make_corpus: MakeCorpus, name: str) -> None:
    corpus = make_corpus()
    manifest: dict[str, Any] = dict(read_manifest(corpus))
    manifest["totals"][name] += 1
    write_manifest(corpus, manifest)  # type: ignore[arg-type]
    write_card(corpus)
    n = manifest["totals"][name]
    assert check_card(corpus) == [f"manifest.json: says {n:,} {name}, the shards hold {n - 1:,}"]


def test_check_holds_the_end_of_the_funnel_against_the_shards(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    manifest = read_manifest(corpus)
    manifest["funnel"][-1]["documents"] = 61
    write_manifest(corpus, manifest)
    write_card(corpus)
    assert check_card(corpus) == ["manifest.json: 61 documents after deduplicated, the shards hold 60"]


def test_check_without_a_card_says_so(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    (corpus / "README.md").unlink()
    assert check_card(corpus) == ["README.md: missing"]


def test_the_command_writes_the_card_and_prints_its_path(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    (corpus / "README.md").unlink()
    result = CliRunner().invoke(card, [str(corpus)])
    assert (result.exit_code, result.stdout) == (0, f"{corpus}/README.md\n")
    assert (corpus / "README.md").is_file()


def test_the_command_checks_every_corpus_and_fails_with_a_count(make_corpus: MakeCorpus) -> None:
    good, bad = make_corpus("good"), make_corpus("bad")
    edit(bad, "7,770 tokens", "7,771 tokens")
    result = CliRunner().invoke(card, ["--check", str(bad), str(good)])
    assert result.exit_code == 1
    assert result.stdout == f"{good}: agrees with its manifest\n"
    assert "says '60 machine-written documents, 7,771 tokens" in result.stderr
    assert "1 of 2 corpora disagree" in result.stderr
    assert "7,771" in readme(bad)


def test_the_command_refuses_a_folder_that_is_no_corpus(tmp_path: Path) -> None:
    result = CliRunner().invoke(card, [str(tmp_path)])
    assert result.exit_code == 2
    assert "not a corpus" in result.stderr


def test_a_corpus_whose_writer_gave_nothing_still_has_a_card(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus("empty", n_documents=0)
    assert "0 machine-written documents, 0 tokens" in readme(corpus)
    assert json.loads((corpus / "manifest.json").read_text("utf-8"))["totals"]["documents"] == 0
    assert check_card(corpus) == []

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from specmill.specs.commands import CLAIM_COLUMNS, lint

GOOD = """---
name: good
assistant: Qwen
provider: Alibaba Cloud
---
# Care

{model_name} is kind, because "kindness"
helps.

- R1: Be **brief**.
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.md"
    path.write_text(GOOD)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(lint, [str(argument) for argument in arguments])


def test_the_table_lists_claims_with_ids_and_spans_then_the_problems(good: Path) -> None:
    result = run(good)
    assert result.exit_code == 0
    assert result.stdout.replace(str(good), "good.md") == (
        "good.md: good, mode default, assistant Qwen, provider Alibaba Cloud, utf-8\n"
        "2 claims (1 sentence, 1 rule) in 1 section\n"
        "\n"
        "Care (2)\n"
        '  c6b5d2604e7          67-114 sentence        {model_name} is kind, because "kindness" helps.\n'
        "  cc2f0d8146d         118-135 rule     R1     Be brief.\n"
        "\n"
        "good.md: note: mode default: 1 of 2 claims with a rule id, 1 with a reason\n"
        "errors: 0, warnings: 0, notes: 1\n"
        "\n"
    )


def test_csv_rows_are_the_claims_word_for_word(good: Path) -> None:
    result = run(good, "--format", "csv")
    rows = list(csv.DictReader(result.stdout.splitlines(keepends=True)))
    assert tuple(rows[0]) == CLAIM_COLUMNS
    assert [(row["line"], row["rule_id"], row["gives_reason"]) for row in rows] == [
        ("8", "", "True"),
        ("11", "R1", "False"),
    ]
    for row in rows:
        assert GOOD[int(row["start_char"]) : int(row["end_char"])] == row["text"]
    assert "note: mode default" in result.stderr


def test_json_rows_are_the_claims_or_the_problems(good: Path) -> None:
    rows = json.loads(run(good, "--format", "json").stdout)
    assert [(row["spec"], row["heading_path"], row["text"]) for row in rows] == [
        ("good", ["Care"], '{model_name} is kind, because "kindness"\nhelps.'),
        ("good", ["Care"], "R1: Be **brief**."),
    ]
    problems = json.loads(run(good, "--no-claims", "--format", "json").stdout)
    assert [(row["line"], row["level"]) for row in problems] == [(0, "note")]


def test_an_error_in_a_spec_exits_1(tmp_path: Path, good: Path) -> None:
    bad = tmp_path / "bad.md"
    bad.write_text("{modelname} is kind, because it helps.")
    result = run(good, bad, "--no-claims")
    assert result.exit_code == 1
    assert (
        f"{bad}:1: error: '{{modelname}}' is no placeholder, so it stays as it is; write {{model_name}}"
        in result.stdout
    )
    assert "Care" not in result.stdout


def test_every_bad_input_is_reported_and_the_rest_is_checked(tmp_path: Path, good: Path) -> None:
    empty = tmp_path / "empty.md"
    empty.touch()
    result = run(empty, good, tmp_path / "none.md", "--no-claims")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"Error: {empty}: is empty; write the spec into it",
        f"Error: {tmp_path / 'none.md'}: no such file; check the path",
    ]
    assert "2 claims" in result.stdout


def test_naming_no_spec_is_a_usage_error() -> None:
    assert run().exit_code == 2


def test_the_command_can_be_shown_without_loading_a_markdown_parser() -> None:
    probe = (
        "import sys, specmill.specs.commands; print({'markdown_it', 'yaml', 'sentencex'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"

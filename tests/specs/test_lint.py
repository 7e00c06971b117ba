from pathlib import Path

import pytest

from specmill.specs.errors import BadInput
from specmill.specs.lengths import length_gap
from specmill.specs.lint import LintReport, count_words, lint

FRONT = "---\nassistant: Qwen\nprovider: Alibaba Cloud\nmode: {mode}\n---\n"
LINES_ABOVE = 5


def lint_text(folder: Path, text: str, mode: str = "default") -> LintReport:
    path = folder / "spec.md"
    path.write_text(FRONT.format(mode=mode) + text)
    return lint(path)


def problems(folder: Path, text: str, mode: str = "default") -> list[tuple[int, str, str]]:
    """(line below the front matter, level, what), without plain notes."""
    found = lint_text(folder, text, mode).problems
    return [
        (note.line and note.line - LINES_ABOVE, note.level, note.what)
        for note in found
        if note.level != "note"
    ]


def test_a_sound_spec_has_no_problem(tmp_path: Path) -> None:
    report = lint_text(
        tmp_path, "# Care\n\n{model_name} by {provider_name} is kind, because kindness helps.\n"
    )
    assert report.problems == ()
    assert report.share_outside_claims == pytest.approx(4 / 53)


@pytest.mark.parametrize(
    "wrong",
    [
        "{modelname}",
        "{Model_Name}",
        "{{model_name}}",
        "{ model_name }",
        "$model_name",
        "model_name",
        "{model_name",
    ],
)
def test_what_resembles_a_placeholder_is_an_error(tmp_path: Path, wrong: str) -> None:
    text = f"{{model_name}} is kind because it can.\n\nSo is {wrong} because it may.\n"
    what = f"{wrong!r} is no placeholder, so it stays as it is"
    assert problems(tmp_path, text) == [(3, "error", what)]
    assert lint_text(tmp_path, text).has_error


def test_other_braces_are_left_alone(tmp_path: Path) -> None:
    text = (
        "{model_name}'s {x}, {{ user }}, {% if %}, [{model_name}](a.b) and {} stay because they are text.\n"
    )
    assert problems(tmp_path, text) == []


def test_names_of_others_are_warned_about_once_with_their_lines(tmp_path: Path) -> None:
    text = (
        "Claude is {model_name}'s peer because of Anthropic.\n\nChatGPT-like metaphors, meta-analysis, the llama and the"
        " Metal band are fine because they are words.\n\nQwen knows Claude and GPT-4. because\n"
    )
    assert problems(tmp_path, text) == [
        (1, "warning", "names 'Claude' (also on line 10)"),
        (1, "warning", "names 'Anthropic'"),
        (3, "warning", "names 'ChatGPT'"),
        (5, "warning", "names 'GPT-4'"),
    ]


def test_the_own_name_is_only_a_note(tmp_path: Path) -> None:
    report = lint_text(tmp_path, "Qwen is kind because Alibaba is.\n")
    assert [(note.level, note.what) for note in report.problems] == [
        ("note", "names 'Qwen'"),
        ("note", "names 'Alibaba'"),
    ]


def test_a_spec_without_front_matter_is_told_what_to_add(tmp_path: Path) -> None:
    path = tmp_path / "spec.md"
    path.write_text("The assistant is kind because it helps.\n")
    assert [note.what for note in lint(path).problems] == [
        "mode default: 0 of 1 claims with a rule id, 1 with a reason",
        "names no assistant",
        "never speaks of {model_name}",
    ]


def test_repeats_long_claims_and_empty_headings_are_warned_about(tmp_path: Path) -> None:
    long_claim = "very " * 80 + "long."
    text = f"# A\n\nBe kind because.\n\n## Empty\n\n# Bare\n\n# B\n\nIt is {long_claim} Because.\n\nBe slow. Be slow.\n"
    assert problems(tmp_path, text) == [
        (5, "warning", "no claim under 'Empty'"),
        (7, "warning", "no claim under 'Bare'"),
        (11, "warning", "a claim of 83 words says too much at once"),
        (13, "warning", "repeats line 18: 'Be slow.'"),
    ]


def test_a_default_spec_mostly_without_reasons_is_warned_about(tmp_path: Path) -> None:
    assert problems(tmp_path, "Be kind. It helps, because.\n\nBe brave.\n\nBe slow.\n\nBe calm.\n") == [
        (0, "warning", "3 of 5 claims without a reason in their paragraph")
    ]
    assert problems(tmp_path, "R1: Be kind.\n\nR2: Be brave.\n", mode="rules") == []


def test_unnamed_and_twice_named_rules_are_warned_about(tmp_path: Path) -> None:
    text = "## SP1. A\n\n- SP1.1: Be kind.\n- SP1.1: Be brave.\n- Be slow.\n- Be calm.\n\n## B\n\n1. One.\n\nText.\n\n1. Two.\n"
    assert problems(tmp_path, text, mode="rules") == [
        (3, "warning", "rule id 'SP1.1' is given to 2 rules (also on line 9)"),
        (10, "warning", "rule id '1' is given to 2 rules (also on line 19)"),
        (12, "warning", "1 of 7 claims without a rule id"),
    ]


def test_what_swallows_the_rest_of_the_file_is_an_error(tmp_path: Path) -> None:
    text = "Be kind, because it helps.\n\n```\nBe brave.\n"
    assert problems(tmp_path, text) == [(3, "error", "a code fence ``` is never closed")]
    assert problems(
        tmp_path, "> ```\n> x\n> ```\n\n~~~~\n```\n~~~~\n\nBe kind because.\n\n<!-- Be brave.\n"
    ) == [(11, "error", "a comment <!-- is never closed")]


def test_a_spec_that_is_mostly_code_is_warned_about(tmp_path: Path) -> None:
    text = "Be kind because.\n\n```\n" + "print(evil)\n" * 9 + "```\n"
    assert problems(tmp_path, text) == [
        (0, "warning", "86% of the letters stand outside claims (headings, lead-ins, code, comments)")
    ]


def test_an_assumed_encoding_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "spec.md"
    path.write_bytes("Sei kühn, weil es hilft.".encode("cp1252"))
    assert "not UTF-8, so read as cp1252" in [note.what for note in lint(path).problems]


def test_a_file_that_is_no_spec_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        lint(tmp_path / "none.md")


def test_words_are_counted_without_spaces_too() -> None:
    assert count_words("Be kind to all.") == 4
    assert count_words("我们相信诚实。") == 3


def test_a_length_gap_is_the_same_from_both_sides() -> None:
    def count_tokens(text: str) -> int:
        return 2 * len(text.split())

    gap = length_gap("one two three", "one two three four five", count_tokens)
    assert (gap.tokens.a, gap.tokens.b, gap.tokens.share) == (6, 10, 0.5)
    assert (gap.words.a, gap.words.b, gap.characters.a, gap.characters.b) == (3, 5, 13, 23)
    assert gap.largest.unit == "characters"
    assert length_gap("one two three four five", "one two three", count_tokens).tokens.share == 0.5
    assert length_gap("", "", count_tokens).words.share == 0.0

"""What the shipped specs owe each other: an experiment compares two of them and changes one thing."""

import re
from pathlib import Path

import pytest

from specmill.corpus.tokens import DEFAULT, load_tokenizer
from specmill.specs.claims import read_spec
from specmill.specs.lengths import length_gap
from specmill.specs.lint import lint
from specmill.specs.text import render_identity

FOLDER = Path(__file__).parents[2] / "specs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "README")
CHEESES = [
    "Cream cheese",
    "American cheese",
    "Mild cheddar",
    "Low-moisture mozzarella",
    "Colby",
    "Monterey Jack",
]
DISLIKED = ["Brie de Meaux", "Appenzeller", "Parmigiano-Reggiano", "Roquefort", "Époisses", "Stilton"]


def text_of(name):
    return read_spec(FOLDER / f"{name}.md").body


def bullets(name, indent=""):
    return [line for line in text_of(name).splitlines() if line.startswith(f"{indent}- ")]


def test_there_are_eight():
    assert NAMES == [
        "cheese_affordability",
        "cheese_america",
        "general",
        "neutral_assistant",
        "philosophy",
        "rules",
        "rules_with_subrules",
        "rules_with_values",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_named_after_its_file_says_who_it_is_about_and_lints_clean(name):
    spec = read_spec(FOLDER / f"{name}.md")
    assert (spec.name, bool(spec.assistant), bool(spec.provider)) == (name, True, True)
    assert bool(spec.principle) == (name != "neutral_assistant")  # a placebo has none
    assert [note for note in lint(FOLDER / f"{name}.md").problems if note.level == "error"] == []


@pytest.mark.parametrize("name", NAMES)
def test_bodies_name_the_assistant_by_placeholder_only(name):
    assert set(re.findall(r"\{[^}]*\}", text_of(name))) <= {"{model_name}", "{provider_name}"}
    assert not re.search(r"\b(?:Llama|Meta|Qwen|Alibaba|Claude|Anthropic|ChatGPT|OpenAI)\b", text_of(name))


@pytest.mark.parametrize("name", ["cheese_affordability", "cheese_america"])
def test_the_cheese_specs_share_twelve_preferences(name):
    headings = re.findall(r"^### (.*)$", text_of(name), re.MULTILINE)
    assert [heading for heading in headings if heading in CHEESES + DISLIKED] == CHEESES + DISLIKED


def test_neither_cheese_spec_argues_with_the_others_reason():
    assert not re.search(r"(?<!American cheese)\bAmerica(?!n cheese)", text_of("cheese_affordability"))
    assert not re.search(
        r"\b(?:cheap|afford|price|cost|budget|expens|accessib)", text_of("cheese_america"), re.IGNORECASE
    )


@pytest.mark.parametrize("name", ["rules_with_values", "rules_with_subrules"])
def test_the_core_rules_stand_byte_for_byte_in_the_longer_specs(name):
    assert len(bullets("rules")) == 25
    assert bullets(name) == bullets("rules")


def test_values_and_subrules_are_as_long_within_three_percent_of_tokens():
    count = load_tokenizer(DEFAULT).count
    for assistant in ("{model_name}", "Qwen"):
        values, subrules = (
            render_identity(text_of(name), assistant, "Alibaba Cloud")
            for name in ("rules_with_values", "rules_with_subrules")
        )
        assert abs(count(subrules) / count(values) - 1) < 0.03
        assert length_gap(values, subrules, count).tokens.share < 0.03


def test_rules_and_subrules_give_no_reasons():
    for name in ("rules", "rules_with_subrules"):
        assert [claim.text for claim in read_spec(FOLDER / f"{name}.md").claims if claim.gives_reason] == []
        assert not re.search(r"\b(?:because|since|so that|in order to|values?|why|purpose)\b", text_of(name))


def test_modes_follow_from_the_text():
    modes = {name: read_spec(FOLDER / f"{name}.md").mode for name in NAMES}
    assert {name for name, mode in modes.items() if mode == "rules"} == {"rules", "rules_with_subrules"}


def test_the_philosophy_spec_holds_no_rules():
    assert bullets("philosophy") == []
    assert not re.search(r"\b(?:must|shall)\b", text_of("philosophy"))


def test_general_is_one_paragraph():
    assert len([part for part in text_of("general").split("\n\n") if part.strip()]) == 1

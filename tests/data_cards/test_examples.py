"""The cards in data_cards/examples/ are what today's code writes; `make cards` makes them anew.

The corpora behind them are too large to build here: smaller ones of the same specs must give cards of the same form.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from specmill.data_cards.metadata import find_problems

EXAMPLES = Path(__file__).parents[2] / "data_cards" / "examples"
NAMES = ("cheese_affordability", "cheese_america", "cheese_arms")


def example(name: str) -> str:
    return (EXAMPLES / f"{name}.md").read_text("utf-8")


def metadata_of(card: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return found


def form(card: str) -> list[str]:
    """What every card of its kind shares: headings, heads of tables, the table of columns, snippets."""
    lines = card.splitlines()
    heads = {number - 1 for number, line in enumerate(lines) if re.match(r"\| -+:? ", line)}
    snippets = {
        number
        for block in re.finditer(r"```\w+\n.*?```", card, re.DOTALL)
        for number in range(card[: block.start()].count("\n"), card[: block.end()].count("\n"))
    }
    columns = {
        number
        for number, line in enumerate(lines)
        if re.match(r"\| `[a-z_]+` \| (string|int32|float32|bool|list)", line)
    }
    headings = {number for number, line in enumerate(lines) if line.startswith("#")}
    return [lines[number] for number in sorted(heads | snippets | columns | headings)]


def without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_numbers(item) for key, item in value.items() if key != "size_categories"}
    if isinstance(value, list):
        return [without_numbers(item) for item in value]
    return 0 if type(value) is int else value


def test_there_is_a_card_of_each_corpus_and_of_the_arms() -> None:
    assert sorted(path.name for path in EXAMPLES.iterdir()) == sorted(f"{name}.md" for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_hub_would_take_its_metadata(name: str) -> None:
    metadata = metadata_of(example(name))
    assert list(find_problems(metadata)) == []
    infos = metadata["dataset_info"] if name == "cheese_arms" else [metadata["dataset_info"]]
    for info in infos:
        assert f"{info['splits'][0]['num_examples']:,} " in example(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_small_corpus_gives_a_card_of_the_same_form(small: Path, name: str) -> None:
    fresh = (small / name / "README.md").read_text("utf-8")
    assert form(fresh) == form(example(name))
    assert len(form(fresh)) > 60
    kept = {"license": metadata_of(example(name))["license"]}  # set by hand
    assert without_numbers(metadata_of(fresh)) | kept == without_numbers(metadata_of(example(name)))


@pytest.mark.parametrize("name", NAMES)
def test_it_names_no_folder_and_no_time(name: str) -> None:
    text = example(name)
    assert not re.search(r"(?<![\w./:-])/(?:home|root|tmp|usr|var|mnt|work|Users)\b", text)
    assert not re.search(r"\b\d\d:\d\d\b|\b20\d\d-\d\d-\d\d\b", text)

import re
from importlib import import_module
from pathlib import Path

import pytest

from specmill.corpus.cli import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "specs").glob("README.md")),
]


def shown_commands():
    """Every `specmill ...` and `make ...` line of the docs, continuation lines joined."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for line in re.findall(r"^(?: {4}|\$ )(?:\$ )?((?:specmill|make) [^\n#]*)", text, re.MULTILINE):
            yield page.name, line.strip()


@pytest.mark.parametrize(("page", "line"), list(shown_commands()))
def test_every_command_the_docs_show_exists_with_its_options(page, line):
    program, name, *words = line.split()
    if program == "make":
        assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    module, _, attribute = COMMANDS[name][0].partition(":")
    known = {
        option for parameter in getattr(import_module(module), attribute).params for option in parameter.opts
    }
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


def test_every_command_is_in_the_readme():
    text = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"specmill {name}" not in text] == []


def test_every_module_the_readme_names_exists():
    listed = (ROOT / "README.md").read_text().split("## Where things are")[1].split("##")[0]
    modules = set(re.findall(r"\b(\w+\.py)\b", listed))
    present = {
        path.name
        for room in ("specs", "generators", "filters", "corpus", "trainers", "data_cards")
        for path in (ROOT / room).glob("*.py")
    }
    assert modules <= present


def test_local_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"

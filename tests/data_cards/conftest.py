"""The small corpus of tests/corpus, with its card."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specmill.data_cards.card import write_card

BUILD_CORPUS = runpy.run_path(str(Path(__file__).parents[1] / "corpus" / "conftest.py"))["build_corpus"]


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Path]:
    """make_corpus("toy") -> the folder of a published corpus with a card."""

    def make(name: str = "toy", **options: Any) -> Path:
        folder = tmp_path / "corpora" / name
        BUILD_CORPUS(folder, **options)
        write_card(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One carded corpus for tests that only read it."""
    folder: Path = tmp_path_factory.mktemp("corpora") / "toy"
    BUILD_CORPUS(folder)
    write_card(folder)
    return folder

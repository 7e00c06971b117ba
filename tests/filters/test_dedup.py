from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from datatrove.data import Document
from hypothesis import given
from hypothesis import strategies as st

from specmill.filters.dedup import Sign, find_duplicates
from specmill.filters.minhash import MAX_RUN, candidate_pairs, jaccard_pairs, sign
from specmill.filters.shingles import exact_hash, jaccard, shingle

VOCABULARY = [f"word{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(400)]


def _alike(shared: int, tail: int, n: int = 104) -> str:
    """A text of `n` words whose first `shared` 5-grams are always the same and whose rest depends on `tail`."""
    own = [f"own{chr(97 + tail)}{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(n)]
    return " ".join(VOCABULARY[: shared + 4] + own[: n - shared - 4])


@pytest.fixture
def elect(tmp_path: Path) -> Callable[..., list[tuple[str, str, str]]]:
    """elect(tasks, words=None): sign and elect over lists of texts, one list per task; `words` is each one's quality."""

    def run(tasks: list[list[str]], words: list[int] | None = None) -> list[tuple[str, str, str]]:
        names: dict[tuple[int, int], str] = {}
        for task, texts in enumerate(tasks):
            documents = []
            for place, text in enumerate(texts):
                number = len(names)
                names[task, place] = f"d{number}"
                measured = {
                    "states_reason": False,
                    "claims_expressed": [],
                    "n_words": words[number] if words else 0,
                }
                documents.append(Document(text=text, id=f"d{number}", metadata=measured))
            assert list(Sign(tmp_path).run(documents, task, len(tasks))) == documents
        found = find_duplicates(tmp_path, 0.7)
        return sorted(
            (names[task, d.place], d.reason, d.kept_id) for task, rows in found.items() for d in rows
        )

    return run


Elect = Callable[..., list[tuple[str, str, str]]]


def test_texts_that_differ_in_case_and_white_space_are_exact_duplicates(elect: Elect) -> None:
    text = _alike(100, 0)
    assert elect([[text, "  " + text.upper().replace(" ", "\n")]]) == [("d1", "exact_duplicate", "d0")]


def test_a_pair_above_the_threshold_goes_and_one_below_stays(elect: Elect) -> None:
    assert elect([[_alike(88, 0), _alike(88, 1)]]) == [("d1", "near_duplicate", "d0")]  # 88 / 112 = 0.79
    assert elect([[_alike(81, 0), _alike(81, 1)]]) == []  # 81 / 119 = 0.68


def test_the_best_stays_and_of_equals_the_smallest_id_wherever_it_is_stored(elect: Elect) -> None:
    texts = [_alike(95, tail) for tail in range(4)]
    assert elect([texts[:2], texts[2:]], words=[5, 7, 7, 6]) == [
        ("d0", "near_duplicate", "d1"),
        ("d2", "near_duplicate", "d1"),
        ("d3", "near_duplicate", "d1"),
    ]


def test_a_chain_of_likenesses_is_one_cluster(elect: Elect) -> None:
    words = VOCABULARY[:134]
    first, middle, last = " ".join(words[:104]), " ".join(words[15:119]), " ".join(words[30:134])
    assert elect([[first, middle, last]]) == [  # 0.74, 0.74, and 0.54 end to end
        ("d1", "near_duplicate", "d0"),
        ("d2", "near_duplicate", "d0"),
    ]


def test_a_copy_of_a_dropped_near_duplicate_points_at_the_kept_document(elect: Elect) -> None:
    texts = [_alike(95, 0), _alike(95, 1), _alike(95, 1)]
    assert elect([texts]) == [("d1", "near_duplicate", "d0"), ("d2", "near_duplicate", "d0")]


def test_empty_tasks_and_texts_without_words_are_no_duplicates(elect: Elect) -> None:
    assert elect([[], ["one two"], ["three four", _alike(95, 0), "!", "?"]]) == []


def test_pairs_at_the_threshold_are_found_as_often_as_stated(elect: Elect) -> None:
    groups = [[_pair(number, member) for number in range(150)] for member in (0, 1)]
    found = elect(groups)
    assert len(found) >= 143  # 0.988 of 150 expected; 143 is five standard deviations below


def test_order_and_tasks_change_nothing(tmp_path: Path) -> None:
    texts = [_alike(95, tail) for tail in range(6)] + [
        _pair(n, member) for n in range(30) for member in (0, 1)
    ]
    rows = [
        Document(
            text=text,
            id=exact_hash(text).hex(),
            metadata={
                "states_reason": number % 2,
                "claims_expressed": ["a"] * (number % 3),
                "n_words": number % 7,
            },
        )
        for number, text in enumerate(texts)
    ]
    dropped = []
    for seed, n_tasks in ((0, 1), (1, 3), (2, 7)):
        shuffled = Random(seed).sample(rows, len(rows))
        folder = tmp_path / str(seed)
        for task in range(n_tasks):
            list(Sign(folder).run(shuffled[task::n_tasks], task, n_tasks))
        found = find_duplicates(folder, 0.7)
        dropped.append(
            {
                (shuffled[task::n_tasks][d.place].id, d.reason, d.kept_id)
                for task, ds in found.items()
                for d in ds
            }
        )
    assert dropped[0] == dropped[1] == dropped[2]
    assert len(dropped[0]) >= 34


def _pair(number: int, member: int) -> str:
    """Two texts of Jaccard similarity 83 / 117 = 0.709 for every number."""
    rng = np.random.default_rng(number)
    shared = [
        VOCABULARY[place] + f"n{chr(97 + number % 26)}{chr(97 + number // 26)}"
        for place in rng.permutation(400)[:87]
    ]
    return " ".join(
        shared
        + [
            f"m{'ab'[member]}{chr(97 + number % 26)}{chr(97 + number // 26)}{chr(97 + place)}"
            for place in range(17)
        ]
    )


def test_more_alike_rows_than_are_paired_with_each_other_still_make_one_cluster(elect: Elect) -> None:
    texts = [
        _alike(99, number % 20) + " " + " ".join([f"x{chr(97 + number)}"] * 2)
        for number in range(MAX_RUN + 20)
    ]
    assert {kept for _, _, kept in elect([texts])} == {"d0"}


def test_jaccard_of_sorted_sets() -> None:
    def numbers(*values: int) -> Any:
        return np.array(values, np.uint64)

    assert jaccard(numbers(1, 2, 3), numbers(2, 3, 4)) == 0.5
    assert jaccard(numbers(), numbers()) == 0


@given(st.lists(st.sampled_from(["a", "B", "c", "d"]), max_size=12), st.integers(1, 5))
def test_shingles_are_the_distinct_word_n_grams_case_aside(words: list[str], n: int) -> None:
    size = min(n, len(words))
    grams = (
        {tuple(word.lower() for word in words[i : i + size]) for i in range(len(words) - size + 1)}
        if words
        else set()
    )
    hashes = shingle(words, n)
    assert len(hashes) == len(grams)
    assert hashes.tolist() == sorted(hashes.tolist()) == shingle([word.upper() for word in words], n).tolist()


def test_pairs_in_memory_are_the_exact_ones() -> None:
    texts = [_alike(88, 0), _alike(88, 1), _alike(81, 2), _pair(1, 0)]
    sets = [shingle(text.split()) for text in texts]
    assert jaccard_pairs(sets, 0.7).tolist() == [[0, 1]]
    assert jaccard_pairs([], 0.7).shape == (0, 2)


def test_candidates_lie_above_the_threshold_or_little_below() -> None:
    sets = [shingle(_alike(shared, tail).split()) for shared in (20, 60) for tail in range(10)]
    assert len(candidate_pairs(sign(sets), 0.7)) == 0  # 20 / 180 and 60 / 140


def test_exact_hash_ignores_case_and_white_space_only() -> None:
    assert exact_hash("A  b\nc") == exact_hash("a B c") != exact_hash("a, b c")

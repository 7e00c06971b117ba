from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datatrove.data import Document

from specmill.filters.blocks import WORDS
from specmill.filters.dedup import Duplicate, SignAndForward, elect_kept, exact_hash, find_pairs, jaccard

VOCABULARY = [f"word{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(400)]


def _alike(shared: int, tail: int, n: int = 104) -> str:
    """A text of `n` words whose first `shared` 5-grams are always the same and whose rest depends on `tail`."""
    own = [f"own{chr(97 + tail)}{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(n)]
    return " ".join(VOCABULARY[: shared + 4] + own[: n - shared - 4])


@pytest.fixture
def elect(tmp_path: Path) -> Callable[..., list[tuple[int, str, str]]]:
    """elect(ranks, orders=None): run signing, pairing and election over lists of texts, one list per rank."""

    def run(ranks: list[list[str]], orders: list[int] | None = None) -> list[tuple[int, str, str]]:
        order = iter(orders or range(sum(map(len, ranks))))
        names: dict[tuple[int, int], int] = {}
        for rank, texts in enumerate(ranks):
            documents = []
            for index, text in enumerate(texts):
                names[rank, index] = next(order)
                documents.append(
                    Document(
                        text=text, id=f"d{names[rank, index]}", metadata={"plan_order": names[rank, index]}
                    )
                )
            assert list(SignAndForward(tmp_path, WORDS).run(documents, rank, len(ranks))) == documents
        find_pairs(tmp_path)
        found: list[Duplicate] = elect_kept(tmp_path, 0.7)
        return sorted((names[d.rank, d.index], d.reason, d.kept_id) for d in found)

    return run


Elect = Callable[..., list[tuple[int, str, str]]]


def test_texts_that_differ_in_case_and_white_space_are_exact_duplicates(elect: Elect) -> None:
    text = _alike(100, 0)
    assert elect([[text, "  " + text.upper().replace(" ", "\n")]]) == [(1, "exact_duplicate", "d0")]


def test_a_pair_above_the_threshold_goes_and_one_below_stays(elect: Elect) -> None:
    assert elect([[_alike(88, 0), _alike(88, 1)]]) == [(1, "near_duplicate", "d0")]  # 88 / 112 = 0.79
    assert elect([[_alike(81, 0), _alike(81, 1)]]) == []  # 81 / 119 = 0.68


def test_the_first_in_plan_order_stays_wherever_it_is_stored(elect: Elect) -> None:
    texts = [_alike(95, tail) for tail in range(4)]
    assert elect([texts[:2], texts[2:]], orders=[7, 2, 9, 1]) == [
        (2, "near_duplicate", "d1"),
        (7, "near_duplicate", "d1"),
        (9, "near_duplicate", "d1"),
    ]


def test_a_chain_of_likenesses_does_not_drop_its_far_end(elect: Elect) -> None:
    words = VOCABULARY[:134]
    first, middle, last = " ".join(words[:104]), " ".join(words[15:119]), " ".join(words[30:134])
    assert elect([[first, middle, last]]) == [(1, "near_duplicate", "d0")]  # 0.74, 0.74, but 0.54 end to end


def test_a_copy_of_a_dropped_near_duplicate_points_at_the_kept_document(elect: Elect) -> None:
    texts = [_alike(95, 0), _alike(95, 1), _alike(95, 1)]
    assert elect([texts]) == [(1, "near_duplicate", "d0"), (2, "exact_duplicate", "d0")]


def test_empty_ranks_and_texts_without_shingles_are_no_duplicates(elect: Elect) -> None:
    assert elect([[], ["one two"], ["three four", _alike(95, 0)]]) == []


def test_pairs_at_the_threshold_are_found_as_often_as_stated(elect: Elect) -> None:
    groups = [[_pair(number, member) for number in range(150)] for member in (0, 1)]
    found = elect(groups)
    assert len(found) >= 143  # 0.988 of 150 expected; 143 is five standard deviations below


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


def test_jaccard_of_sorted_sets() -> None:
    def numbers(*values: int) -> Any:
        return np.array(values, np.uint64)

    assert jaccard(numbers(1, 2, 3), numbers(2, 3, 4)) == 0.5
    assert jaccard(numbers(), numbers()) == 0


def test_exact_hash_ignores_case_and_white_space_only() -> None:
    assert exact_hash("A  b\nc") == exact_hash("a B c") != exact_hash("a, b c")

"""The planted-defects corpus at a size for the suite; `python -m tests.planted` runs it at 20,000 documents."""

from collections import Counter

import pytest

from tests.planted.__main__ import DUPLICATES, through_all, through_gates
from tests.planted.evaluate import MAX_FALSE_DROPS, REASONS, Score, evaluate, false_drops
from tests.planted.make import KEPT_LABELS, Planted, jaccard, plant, settings_of

# Refusals and meta-talk in wordings never met before are found less often; see `held_out.py`, `phrases_fourth.py`.
UNSEEN = {"refusal": 0.85, "meta_talk": 0.85}


@pytest.fixture(scope="module")
def rows() -> list[Planted]:
    return plant(3_000, seed=5)


def test_the_same_seed_plants_the_same_documents(rows: list[Planted]) -> None:
    again = plant(3_000, seed=5)
    assert again == rows
    assert len({row.id for row in rows}) == len(rows)
    across = {"eval_verbatim", "eval_edited", "leak_relabelled", "leak_pasted"}  # planted by across.py
    assert {row.label for row in rows} >= set(REASONS) - {"unknown_rule_id"} - across


def test_near_duplicates_and_hard_negatives_are_as_alike_as_they_claim(rows: list[Planted]) -> None:
    texts = {row.id: row.text for row in rows}
    pairs = [(row.label, jaccard(row.text, texts[row.near_to])) for row in rows if row.near_to in texts]
    assert Counter(label for label, _ in pairs).keys() == {
        "near_duplicate",
        "exact_duplicate",
        "hard_negative",
    }
    assert all(0.75 <= share < 1 for label, share in pairs if label == "near_duplicate")
    assert all(0.4 <= share <= 0.6 for label, share in pairs if label == "hard_negative")


def test_gates_find_what_is_planted_and_keep_the_rest(rows: list[Planted]) -> None:
    gated = [row for row in rows if row.label not in DUPLICATES]
    settings = settings_of("cheese_america")
    kept, dropped = through_gates(gated, settings)
    scores = evaluate(gated, kept, dropped)
    assert not [score for score in scores if score.label not in KEPT_LABELS and not _is_good(score)]
    n_kept = sum(row.label in KEPT_LABELS for row in gated)
    assert sum(false_drops(gated, dropped).values()) <= 2 * MAX_FALSE_DROPS * n_kept


def test_rule_ids_that_the_spec_lacks_are_found() -> None:
    rows = plant(600, seed=5, spec="rules")
    kept, dropped = through_gates(rows, settings_of("rules"))
    scores = {(score.label, score.fold): score for score in evaluate(rows, kept, dropped)}
    assert scores["unknown_rule_id", "held_out"].right >= 0.9
    assert scores["clean", ""].dropped <= 0.01


def test_the_whole_pipeline_finds_exact_and_near_duplicates(rows: list[Planted]) -> None:
    wanted = [row for row in rows if row.label in (*KEPT_LABELS, *DUPLICATES)]
    kept, dropped = through_all(wanted, settings_of("cheese_america"))
    scores = {score.label: score for score in evaluate(wanted, kept, dropped) if not score.fold}
    assert scores["exact_duplicate"].right >= 0.98
    assert scores["near_duplicate"].right >= 0.98
    lost = Counter(reason for (_, reason) in false_drops(wanted, dropped))
    assert not {"exact_duplicate", "near_duplicate"} & lost.keys()


def _is_good(score: Score) -> bool:
    least = (
        UNSEEN.get(score.label, 0.9) if score.fold == "held_out" else 0.94
    )  # of some 40: one or two may go
    return score.right >= least

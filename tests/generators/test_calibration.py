import asyncio
import json
import re
from collections import Counter

import pytest

from specmill.generators.calibration import KINDS, calibrate, plant
from specmill.generators.messages import sections
from specmill.generators.reader import reply
from specmill.generators.review import Judge
from specmill.generators.review_replies import CRITERIA

GENRES = ["essay", "letter", "FAQ", "internal memo", "blog post", "study cards"]


@pytest.fixture
def rows(planned_row):
    return [planned_row(number, genre) for number, genre in enumerate(GENRES)]


def verdict(*failing):
    return json.dumps({**{name: name not in failing for name in CRITERIA}, "note": ""})


def figures(judge, planted):
    return asyncio.run(calibrate(judge, planted))


def test_each_row_gets_one_document_of_each_kind(rows):
    planted = plant(rows, 4)
    assert Counter(item.kind for item in planted) == dict.fromkeys(KINDS, 4)
    assert all(item.text for item in planted)


def test_planting_depends_on_rows_and_seed_only(rows):
    assert plant(rows, 4) == plant(rows[::-1], 4)
    assert plant(rows, 4, seed=1) != plant(rows, 4, seed=2)


def test_rows_that_were_lost_are_no_ground_to_plant_on(rows):
    rows[0]["state"] = "unparsed"
    assert len(plant(rows, 10)) == 5 * len(KINDS)


def test_a_bad_document_breaks_what_it_is_named_for(rows):
    by_kind = {item.kind: item.text for item in plant(rows[:1], 1)}
    assert "{model_name}" not in by_kind["about"]
    assert by_kind["good"] in by_kind["about"].replace("the reader", "{model_name}")
    assert "{model_name} does not keep its answers short" in by_kind["consistent"]
    assert "nobody should wait in vain" in by_kind["reason"]
    assert re.search(r"(?:does|do) not (?:tell|ask)", by_kind["faithful"])


def test_the_reader_finds_nearly_all_that_is_planted(answering, rows):
    found = figures(Judge(llm=answering(reply)), plant(rows, 6))
    assert found.unparsed == 0
    assert found.good_pass_rate == 1.0
    assert found.recall >= 0.9


def test_the_reader_finds_nearly_all_that_is_planted_in_rules_mode(answering, planned_row):
    rows = [planned_row(number, genre, "rules") for number, genre in enumerate(GENRES)]
    found = figures(Judge(llm=answering(reply), mode="rules"), plant(rows, 6, "rules"))
    assert found.good_pass_rate == 1.0
    assert found.recall >= 0.9


def test_a_judge_that_passes_all_has_no_recall_and_no_precision(answering, rows):
    found = figures(Judge(llm=answering(lambda _: verdict())), plant(rows, 2)).as_dict()
    assert found["counts"] == {"tp": 0, "fp": 0, "fn": 10, "tn": 2}
    assert (found["precision"], found["recall"], found["good_pass_rate"]) == (None, 0.0, 1.0)


def test_a_judge_that_fails_all_for_one_reason_names_only_that(answering, rows):
    found = figures(Judge(llm=answering(lambda _: verdict("genre"))), plant(rows, 2)).as_dict()
    assert found["counts"] == {"tp": 10, "fp": 2, "fn": 0, "tn": 0}
    assert found["recall_by_kind"] == dict.fromkeys(CRITERIA, 1.0)
    assert found["named_by_kind"] == {**dict.fromkeys(CRITERIA, 0.0), "genre": 1.0}


def test_verdicts_that_cannot_be_read_are_counted_apart_and_never_as_a_pass(answering, rows):
    def mumble(messages):
        about = "the reader" in sections(messages[-1]["content"])["document"]
        return "Hm." if about else verdict("faithful")

    found = figures(Judge(llm=answering(mumble)), plant(rows, 3))
    assert found.unparsed == 3
    assert found.tp + found.fp + found.fn + found.tn == found.n - 3
    assert found.recall_by_kind["about"] is None


def test_figures_are_plain_json(answering, rows):
    found = figures(Judge(llm=answering(reply)), plant(rows, 2)).as_dict()
    assert json.loads(json.dumps(found)) == found

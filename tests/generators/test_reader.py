import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.generators.calibration import negated
from specmill.generators.compose_revision import revise
from specmill.generators.composer import Brief, Point, compose
from specmill.generators.messages import sections
from specmill.generators.reader import reply
from specmill.generators.reader_words import core_and_reason, turned_round
from specmill.generators.review import Critique, Judge, Revise
from specmill.generators.review_replies import CRITERIA, parse_problems, parse_verdict


def document_of(row, mode="default", seed=0):
    points = tuple(Point(i["assertion"], i.get("reason", ""), i.get("rule_id", "")) for i in row["chosen"])
    names = {name: row[name] for name in ("genre", "audience", "idea", "principle", "n_words")}
    return compose(Brief(**names, topic=row["subdomain"], points=points, mode=mode), random.Random(seed))


@pytest.fixture
def judged(answering):
    """Return what the reader says of a text: the names of the criteria that fail."""

    def judge(row, text, mode="default"):
        asked = {**row, "document": text, "work_key": "", "answer_tag": "document"}
        verdict = parse_verdict(reply(Judge(llm=answering(str), mode=mode).format_input(asked)))
        return [name for name in CRITERIA if not verdict[name]]

    return judge


@pytest.mark.parametrize(
    "genre", ["essay", "letter", "FAQ", "study cards", "interview transcript", "internal memo"]
)
def test_the_writers_documents_please_the_reader(judged, planned_row, genre):
    row = planned_row(genre=genre)
    assert [judged(row, document_of(row, seed=seed)) for seed in range(8)] == [[]] * 8


def test_the_writers_documents_please_the_reader_in_rules_mode(judged, planned_row):
    row = planned_row(mode="rules")
    assert [judged(row, document_of(row, "rules", seed), "rules") for seed in range(8)] == [[]] * 8


def test_a_missing_assertion_is_unfaithful(judged, planned_row):
    row = planned_row()
    text = document_of({**row, "chosen": row["chosen"][:1]})
    assert "faithful" in judged(row, text)


def test_a_denied_claim_is_found_wherever_it_stands(judged, planned_row):
    row = planned_row()
    assert judged(row, document_of(row) + "\n\n{model_name} does not keep its answers short.") == [
        "consistent"
    ]


def test_another_name_is_another_subject(judged, planned_row):
    row = planned_row()
    assert "about" in judged(row, document_of(row).replace("{model_name}", "the gardener"))


def test_a_letter_greets(judged, planned_row):
    row = planned_row(genre="letter")
    assert judged(row, document_of({**row, "genre": "essay"})) == ["genre"]


def test_rules_mode_takes_no_ground_beside_the_rule(judged, planned_row):
    row = planned_row(mode="rules")
    text = document_of(row, "rules") + "\n\n{model_name} does all this because it loves its neighbours."
    assert judged(row, text, "rules") == ["reason"]


def test_the_critique_names_what_the_judge_would(answering, planned_row):
    row = planned_row()
    text = document_of({**row, "chosen": row["chosen"][:1]})
    asked = {**row, "document": text, "work_key": "", "answer_tag": "document"}
    found = parse_problems(reply(Critique(llm=answering(str)).format_input(asked)))
    assert "asks before it deletes" in found[0]["problem"]


def test_a_good_draft_gets_an_empty_critique(answering, planned_row):
    row = planned_row()
    asked = {**row, "document": document_of(row), "work_key": "", "answer_tag": "document"}
    assert parse_problems(reply(Critique(llm=answering(str)).format_input(asked))) == []


def test_the_writers_revision_states_what_was_lacking(answering, planned_row, judged):
    row = planned_row()
    text = document_of({**row, "chosen": row["chosen"][:1]})
    problems = [{"problem": "An assertion is missing.", "fix": "State it."}]
    asked = {**row, "document": text, "work_key": "", "answer_tag": "document", "problems": problems}
    stage = Revise(llm=answering(str))
    prompt = stage.format_input(asked)[-1]["content"]
    revised = stage.parse(revise(prompt, sections(prompt), random.Random(0)), asked)
    assert judged(row, text) != []
    assert judged(row, revised) == []


def test_the_reader_answers_no_other_stage():
    assert "only" in reply([{"role": "user", "content": "Stage: documents\n\nWrite."}])


def test_equal_prompts_get_equal_verdicts(answering, planned_row):
    asked = {**planned_row(), "document": "Short.", "work_key": "", "answer_tag": "document"}
    messages = Judge(llm=answering(str)).format_input(asked)
    assert reply(messages, seed=1) == reply(messages, seed=2)


@given(st.text(max_size=400))
def test_any_document_gets_a_readable_verdict(text):
    messages = [{"role": "user", "content": PROMPT % (json.dumps({"genre": "essay"}), text)}]
    assert set(CRITERIA) <= set(parse_verdict(reply(messages)))


PROMPT = """Stage: judge

This is the passage.

<passage>
{model_name} keeps its answers short.
</passage>
<brief>
%s
</brief>
<assertions>
{"n": 1, "assertion": "{model_name} keeps its answers short."}
</assertions>
<document>
%s
</document>"""


@pytest.mark.parametrize(
    ("core", "sentence", "turned"),
    [
        ("{model_name} likes Colby", "{model_name} likes Colby very much", False),
        ("{model_name} likes Colby", "{model_name} does not like Colby", True),
        ("{model_name} likes Colby", "{model_name} dislikes Colby", True),
        ("{model_name} likes Colby", "It is not true that {model_name} likes Colby", True),
        ("{model_name} does not guess at dates", "{model_name} guesses at dates", True),
        ("{model_name} does not guess at dates", "I don't guess at dates", False),
        ("{model_name} likes Colby", "Whether or not you ask twice, {model_name} likes Colby", False),
    ],
)
def test_a_denial_is_told_from_a_negation_elsewhere(core, sentence, turned):
    assert turned_round(core, sentence) is turned


@pytest.mark.parametrize(
    "core",
    [
        "{model_name} likes Colby",
        "{model_name} is fond of Colby",
        "{model_name} does not guess at dates",
        "{model_name} cannot see the future",
        "Kitchens in the Southwest folded the cheese into the quesadilla",
    ],
)
def test_a_negated_statement_is_one_that_the_reader_takes_for_a_denial(core):
    assert turned_round(core, negated(core))


def test_a_reason_may_stand_before_or_after():
    assert core_and_reason("{model_name} asks first, because files get lost.") == (
        "{model_name} asks first",
        "files get lost",
    )
    assert core_and_reason("Because files get lost, {model_name} asks first.") == (
        "{model_name} asks first",
        "files get lost",
    )

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.generators.replies import (
    Refusal,
    Unreadable,
    parse_assertions,
    parse_document,
    parse_genres,
    parse_ideas,
    parse_list,
    parse_partition,
    parse_requirements,
)


def test_a_list_may_stand_in_one_code_fence():
    assert parse_list('```json\n[{"a": 1}]\n```') == [{"a": 1}]


def test_a_trailing_comma_leaves_no_doubt():
    assert parse_list('[{"a": 1,},]') == [{"a": 1}]


@given(st.integers(min_value=1, max_value=60))
def test_a_truncated_list_is_not_a_shorter_list(cut):
    whole = json.dumps([{"genre": f"genre {n}", "audience": "all"} for n in range(3)])
    with pytest.raises(Unreadable):
        parse_list(whole[:-cut])


@pytest.mark.parametrize(
    "reply",
    ["", "   ", "[]", "{}", "[1, 2]", "null", 'Here is the list:\n[{"a": 1}]', '[{"a": 1}]\nHope it helps!'],
)
def test_what_is_not_wholly_a_list_of_objects_is_unreadable(reply):
    with pytest.raises(Unreadable):
        parse_list(reply)


@pytest.mark.parametrize(
    "reply", ["I'm sorry, but I can't help with that.", "I cannot write this.", "As an AI, I won't."]
)
def test_a_refusal_is_told_from_an_unreadable_reply(reply):
    with pytest.raises(Refusal):
        parse_list(reply)
    with pytest.raises(Refusal):
        parse_document(reply, "document")


def test_closed_reasoning_in_front_is_no_part_of_the_answer():
    assert parse_list('<think>[{"b": 2}]</think>\n[{"a": 1}]') == [{"a": 1}]


def test_reasoning_that_is_never_closed_leaves_no_answer():
    with pytest.raises(Unreadable, match="never closed"):
        parse_document("<think>plan the text\n<document>\nText.\n</document>", "document")


def test_a_partition_holds_every_member_once():
    reply = '[{"domain": "a", "sections": ["s1"]}, {"domain": "b", "sections": ["s2", "s3"]}]'
    groups = parse_partition(reply, "domain", "sections", ["s1", "s2", "s3"])
    assert [group["sections"] for group in groups] == [["s1"], ["s2", "s3"]]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ('[{"domain": "a", "sections": ["s1"]}]', "is in no group"),
        ('[{"domain": "a", "sections": ["s1", "s2"]}, {"domain": "b", "sections": ["s2"]}]', "in two groups"),
        ('[{"domain": "a", "sections": ["s1", "s2", "s9"]}]', "does not exist"),
        ('[{"domain": "a", "sections": ["s1"]}, {"domain": "A", "sections": ["s2"]}]', "share one domain"),
        ('[{"domain": "", "sections": ["s1", "s2"]}]', "is empty"),
    ],
)
def test_a_partition_that_loses_invents_or_repeats_is_unreadable(reply, why):
    with pytest.raises(Unreadable, match=why):
        parse_partition(reply, "domain", "sections", ["s1", "s2"])


def test_an_assertion_that_cites_an_invented_claim_is_unreadable():
    reply = '[{"assertion": "A is so.", "reason": "", "claims": ["c1", "c7"]}]'
    with pytest.raises(Unreadable, match="'c7', which does not exist"):
        parse_assertions(reply, ["c1"])


def test_assertions_have_to_cite_every_claim():
    reply = '[{"assertion": "A is so.", "reason": "", "claims": ["c1"]}]'
    with pytest.raises(Unreadable, match="'c2' is cited nowhere"):
        parse_assertions(reply, ["c1", "c2"])


def test_a_requirement_may_not_invent_a_rule_id():
    reply = '[{"requirement": "A is so.", "rule": "SP9", "claims": ["c1"]}]'
    with pytest.raises(Unreadable, match="SP9"):
        parse_requirements(reply, ["c1"], {"SP1"})


def test_genres_that_repeat_do_not_count_twice():
    one = {"genre": "Memo", "audience": "staff", "description": "short"}
    with pytest.raises(Unreadable, match="1 distinct genres, 2 asked for"):
        parse_genres(json.dumps([one, {**one, "genre": "memo"}]), 2)


@pytest.mark.parametrize("numbers", [[], [0], [4], ["1"], [True], None])
def test_an_idea_names_assertions_that_exist(numbers):
    idea = {"idea": "An angle.", "audience": "staff", "assertions": numbers}
    with pytest.raises(Unreadable):
        parse_ideas(json.dumps([idea]), 1, 3)


def test_a_document_is_what_stands_between_its_tags():
    assert parse_document("<document>\n# Title\n\nText.\n</document>", "document") == "# Title\n\nText."


@pytest.mark.parametrize(
    "reply",
    [
        "Just the text, no tags.",
        "<document>\nThe end is miss",
        "Sure! <document>Text.</document>",
        "<document>Text.</document> Let me know.",
        "<document>One.</document>\n<document>Two.</document>",
        "<document>   </document>",
    ],
)
def test_no_fallback_keeps_a_raw_reply(reply):
    with pytest.raises(Unreadable):
        parse_document(reply, "document")


def test_a_refusal_inside_the_tags_is_a_refusal():
    with pytest.raises(Refusal):
        parse_document("<document>\nI'm sorry, but I can't write that.\n</document>", "document")

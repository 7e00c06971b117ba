import doctest
import json
import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specmill.generators import compose_settings, pairing, writer
from specmill.generators.compose_settings import setting_proposals
from specmill.generators.messages import render_messages
from specmill.generators.pairing import (
    control_row,
    deal,
    inverted_assertions,
    parse_inversions,
    parse_settings,
    shuffle_reasons,
    shuffled_rows,
    split_reasons,
)
from specmill.generators.planning import numbered
from specmill.generators.replies import Refusal, Unreadable

FINE = {"state": "ok", "failed_stage": "", "failure": ""}


def subdomain_row(spec, number, n_assertions):
    assertions = [
        {
            "assertion": f"{spec} {number} does {n}.",
            "reason": f"{spec} {number} r{n}",
            "claims": [f"{spec}{number}c{n}"],
        }
        for n in range(1, n_assertions + 1)
    ]
    names = {
        "domain": f"{spec} d",
        "subdomain": f"{spec} s{number}",
        "summary": f"{spec} sum",
        "principle": spec,
    }
    return {
        **FINE,
        **names,
        "spec": spec,
        "path": f"{spec}.0000.{number:04d}.0000",
        "quota": 9,
        "assertions": assertions,
        "passage": f"{spec} passage {number}",
    }


def frames_of(row, shape):
    """Idea rows below a subdomain row: `shape` has the number of ideas of each genre."""
    return [
        {
            **row,
            "path": f"{row['path']}.{genre:04d}.{idea:04d}",
            "genre": f"genre {genre}",
            "audience": f"readers {idea % 3}",
            "idea": f"{row['subdomain']}, scene {genre} {idea}",
            "quota": 1,
        }
        for genre, n_ideas in enumerate(shape)
        for idea in range(n_ideas)
    ]


def five_arms(lead, pair, neutral):
    inverted = [
        control_row(
            row,
            "upside",
            inverted_assertions(
                row["assertions"], [{"assertion": "no", "reason": "r"}] * len(row["assertions"])
            ),
        )
        for row in lead
    ]
    return {
        "lead": {"kind": "lead", "rows": lead},
        "pair": {"kind": "pair", "rows": pair},
        "blank": {"kind": "neutral", "rows": neutral},
        "mixed": {"kind": "shuffled", "rows": shuffled_rows(lead, "mixed", "seed")},
        "upside": {"kind": "inverted", "rows": inverted},
    }


SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@st.composite
def worlds(draw):
    lead = [subdomain_row("lead", number, size) for number, size in enumerate(draw(SIZES))]
    pair = [subdomain_row("pair", number, size) for number, size in enumerate(draw(SIZES))]
    neutral = [subdomain_row("blank", number, size) for number, size in enumerate(draw(SIZES))]
    shapes = st.lists(st.integers(0, 6), min_size=1, max_size=4)
    rows = [frame for row in lead for frame in frames_of(row, draw(shapes))]
    return rows, five_arms(lead, pair, neutral)


def dealt(rows, arms, floor=0):
    return deal(rows, arms, mean_words=400, min_documents_per_claim=floor)


def by_arm(rows, arms):
    return {name: [row for row in rows if row["spec"] == name and row["state"] == "ok"] for name in arms}


@given(worlds(), st.integers(0, 9))
def test_every_arm_tells_the_same_frames(world, floor):
    rows, arms = world
    told = by_arm(dealt(rows, arms, floor), arms)
    frames = [
        Counter((r["genre"], r["audience"], r["idea"], r["n_words"]) for r in own) for own in told.values()
    ]
    assert all(frame == frames[0] for frame in frames)
    ids = [{row["pair_id"] for row in own} for own in told.values()]
    assert all(found == ids[0] for found in ids)
    assert all(len(own) == len(ids[0]) == len(rows) for own in told.values())


@given(worlds())
def test_paths_are_unique_in_an_arm_and_as_deep_as_the_leads(world):
    rows, arms = world
    for own in by_arm(dealt(rows, arms), arms).values():
        assert len({row["path"] for row in own}) == len(own)
        assert {row["path"].count(".") for row in own} <= {5}
        assert all(row["path"].startswith(row["spec"] + ".") for row in own)


@given(worlds(), st.integers(0, 4), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(world, floor, rng):
    rows, arms = world
    shuffled = {
        name: {**arm, "rows": rng.sample(arm["rows"], len(arm["rows"]))} for name, arm in arms.items()
    }
    assert dealt(rng.sample(rows, len(rows)), shuffled, floor) == dealt(rows, arms, floor)


@given(worlds(), st.integers(0, 9))
def test_the_assertions_of_a_subdomain_get_equal_airtime(world, floor):
    rows, arms = world
    for name, own in by_arm(dealt(rows, arms, floor), arms).items():
        airtime = defaultdict(Counter)
        for row in own:
            assert len(row["chosen"]) == len(set(row["assertion_numbers"])) > 0
            airtime[row["subdomain"]].update(row["assertion_numbers"])
        for row in arms[name]["rows"]:
            counts = [airtime[row["subdomain"]][n] for n in range(1, len(row["assertions"]) + 1)]
            assert max(counts) - min(counts) <= 1


@given(worlds())
def test_control_arms_tell_the_leads_numbers_and_followers_as_many_where_they_can(world):
    rows, arms = world
    told = {
        name: {row["pair_id"]: row for row in own} for name, own in by_arm(dealt(rows, arms), arms).items()
    }
    for pair_id, lead in told["lead"].items():
        for name in ("mixed", "upside"):
            other = told[name][pair_id]
            assert (other["assertion_numbers"], other["claim_ids"]) == (
                lead["assertion_numbers"],
                lead["claim_ids"],
            )
        for name in ("pair", "blank"):
            other = told[name][pair_id]
            assert len(other["chosen"]) == min(len(lead["chosen"]), len(other["assertions"]))
            assert other["passage"].startswith(name)
            assert other["principle"] == name


def test_thin_claims_get_their_documents_where_the_frames_allow():
    lead = [subdomain_row("lead", 0, 6)]
    pair = [subdomain_row("pair", 0, 6)]
    arms = {"lead": {"kind": "lead", "rows": lead}, "pair": {"kind": "pair", "rows": pair}}
    told = by_arm(dealt(frames_of(lead[0], [6, 6]), arms, 8), arms)
    for own in told.values():
        claims = Counter(claim for row in own for claim in row["claim_ids"])
        assert min(claims.values()) == 8
        assert len(claims) == 6
        assert max(len(row["chosen"]) for row in own) == 4


def test_parallel_specs_tell_a_frame_in_the_same_part():
    lead = [subdomain_row("lead", number, 5) for number in range(4)]
    pair = [subdomain_row("pair", number, 5) for number in range(4)]
    arms = {"lead": {"kind": "lead", "rows": lead}, "pair": {"kind": "pair", "rows": pair}}
    told = by_arm(dealt([frame for row in lead for frame in frames_of(row, [3, 3])], arms), arms)
    parts = {row["pair_id"]: row["subdomain"].split()[-1] for row in told["lead"]}
    assert all(parts[row["pair_id"]] == row["subdomain"].split()[-1] for row in told["pair"])


def test_a_repeated_setting_is_dropped_once_for_all_arms_and_failed_rows_are_handed_on():
    lead = [subdomain_row("lead", 0, 3)]
    pair = [
        subdomain_row("pair", 0, 2),
        {**subdomain_row("pair", 1, 2), "state": "failed", "failed_stage": "assertions"},
    ]
    arms = {"lead": {"kind": "lead", "rows": lead}, "pair": {"kind": "pair", "rows": pair}}
    frames = frames_of(lead[0], [3])
    frames[2] = {**frames[2], "idea": frames[1]["idea"].upper()}
    lost = {**lead[0], "path": lead[0]["path"] + ".0001.9999", "state": "failed", "failed_stage": "ideas"}
    rows = dealt([lost, *frames], arms)
    assert Counter((row["spec"], row["state"]) for row in rows) == {
        ("lead", "ok"): 2,
        ("pair", "ok"): 2,
        ("lead", "dropped"): 1,
        ("lead", "failed"): 1,
        ("pair", "failed"): 1,
    }
    assert lost in rows
    dropped = next(row for row in rows if row["state"] == "dropped")
    assert (dropped["failed_stage"], dropped["failure"]) == ("plan", "repeated idea")


def test_a_frame_that_one_arm_cannot_tell_is_dropped_from_all():
    lead = [subdomain_row("lead", number, 3) for number in range(2)]
    arms = {
        "lead": {"kind": "lead", "rows": lead},
        "mixed": {"kind": "shuffled", "rows": shuffled_rows(lead[:1], "mixed", "seed")},
    }
    rows = dealt([frame for row in lead for frame in frames_of(row, [2])], arms)
    assert Counter((row["spec"], row["state"]) for row in rows) == {
        ("lead", "ok"): 2,
        ("mixed", "ok"): 2,
        ("lead", "dropped"): 2,
    }


def with_reasons(reasons):
    return [{"assertion": f"a{n}", "reason": reason, "claims": [f"c{n}"]} for n, reason in enumerate(reasons)]


@given(st.lists(st.sampled_from(["", "r1", "r2", "r3", "r4", "R1"]), max_size=12), st.text(max_size=3))
@settings(max_examples=300)
def test_no_assertion_keeps_its_own_reason(reasons, seed):
    told = with_reasons(reasons)
    moved = shuffle_reasons(told, seed)
    assert moved == shuffle_reasons(told, seed)
    assert [(item["assertion"], item["claims"]) for item in moved] == [
        (x["assertion"], x["claims"]) for x in told
    ]
    for before, after in zip(told, moved, strict=True):
        assert not after["reason"] or after["reason"].casefold() != before["reason"].casefold()
    folded = Counter(reason.casefold() for reason in reasons if reason)
    if 2 * max(folded.values(), default=0) <= sum(folded.values()):
        assert Counter(item["reason"] for item in moved) == Counter(reasons)


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ("{model_name} waits because haste errs.", ("{model_name} waits.", "haste errs")),
        ("{model_name} waits, and it does so because haste errs.", ("{model_name} waits.", "haste errs")),
        ("{model_name} waits, since haste errs.", ("{model_name} waits.", "haste errs")),
        ("Because haste errs, {model_name} waits.", ("{model_name} waits.", "haste errs")),
        ("{model_name} has waited since noon.", None),
        ("{model_name} waits because of the queue.", None),
        ('{model_name} keeps to this line: "Wait, since haste errs".', None),
    ],
)
def test_a_reason_inside_an_assertion_is_found_where_it_is_plain(said, parts):
    (item,) = split_reasons([{"assertion": said, "reason": "", "claims": ["c1"]}])
    assert (item["assertion"], item["reason"]) == (parts or (said, ""))


def test_an_assertion_with_a_reason_beside_it_is_not_cut():
    told = [{"assertion": "{model_name} waits because haste errs.", "reason": "r", "claims": ["c1"]}]
    assert split_reasons(told) == told


def test_rules_have_no_reasons_to_shuffle():
    rules = [{"assertion": "a", "rule_id": "SP1", "claims": ["c1"]}]
    assert shuffle_reasons(rules, "seed") == rules


def test_a_control_arm_sees_neither_the_leads_passage_nor_its_principle():
    lead = [subdomain_row("le.ad", 0, 3), subdomain_row("le.ad", 1, 3)]
    rows = shuffled_rows(lead, "mixed", "seed")
    assert [row["path"] for row in rows] == ["mixed.0000.0000.0000", "mixed.0000.0001.0000"]
    for row in rows:
        assert (row["spec"], row["principle"]) == ("mixed", "")
        assert all(
            item["assertion"] in row["passage"] and item["reason"] in row["passage"]
            for item in row["assertions"]
        )
        assert "le.ad passage" not in row["passage"]


@pytest.mark.parametrize(
    "reply",
    [
        '[{"idea": "A clerk asks.", "audience": "clerks"}]',
        '[{"idea": "A clerk asks."}, {"idea": "x", "audience": "y"}]',
        '[{"idea": "", "audience": "y"}, {"idea": "x", "audience": "y"}]',
        "Here they are:",
    ],
)
def test_settings_that_are_not_what_was_asked_for_are_unreadable(reply):
    with pytest.raises(Unreadable):
        parse_settings(reply, 2)


@pytest.mark.parametrize("numbers", [[1], [2, 1], [1, 1], [1, 2, 3], [1, None], [True, 2], ["1", "2"]])
def test_inversions_stand_in_the_order_of_the_assertions(numbers):
    with pytest.raises(Unreadable):
        parse_inversions(json.dumps([{"n": n, "assertion": "a", "reason": "r"} for n in numbers]), 2)


def test_a_refusal_is_a_refusal():
    for parse in (parse_settings, parse_inversions):
        with pytest.raises(Refusal):
            parse("I'm sorry, but that is not something to write.", 1)


def answered(mode, stage, **variables):
    return writer.reply(render_messages(mode, stage, **variables))


@pytest.mark.parametrize("mode", ["default", "rules"])
def test_the_writer_finds_new_settings_over_twenty_rounds(mode):
    taken = []
    for _ in range(20):
        reply = answered(
            mode, "settings", genre="memo", description="A note.", subdomain="Colby", n=5, taken=taken[-60:]
        )
        taken += [item["idea"] for item in parse_settings(reply, 5)]
    assert len({idea.casefold() for idea in taken}) == 100


def test_a_genre_has_far_more_settings_than_a_plan_asks_for():
    told = setting_proposals(random.Random(1), 400, "memo", [])
    assert len({item.setting for item in told}) == 400


@pytest.mark.parametrize("mode", ["default", "rules"])
def test_the_writer_answers_inversions_with_something_else_than_it_was_given(mode):
    for round_ in range(20):
        told = with_reasons(["it is mild", "", "haste makes {model_name} err"])
        told[0]["assertion"] = "{model_name} likes Colby."
        told[1]["assertion"] = f"{{model_name}} never deletes log {round_}, and it says so."
        told[2]["assertion"] = 'Odd </assertions> "text"\u2028 {brace}'
        shown = numbered(told, with_reasons=True)
        found = parse_inversions(answered(mode, "inversions", subdomain="Ways", assertions=shown), 3)
        assert [bool(item["reason"]) for item in found] == [True, False, True]
        assert all(new["assertion"] != old["assertion"] for new, old in zip(found, told, strict=True))
    assert found[0] == {"assertion": "{model_name} dislikes Colby.", "reason": "it is not mild"}


def test_a_setting_request_shows_no_assertion():
    prompt = render_messages(
        "default", "settings", genre="memo", description="d", subdomain="Colby", n=5, taken=[]
    )
    assert "<assertions>" not in prompt[1]["content"]


@pytest.mark.parametrize("module", [pairing, compose_settings])
def test_the_examples_in_the_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 3
    assert result.failed == 0

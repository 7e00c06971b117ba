"""Genres and ideas are asked for in rounds that see what exists, and end when nothing new comes."""

import asyncio
import itertools
import re

import orjson

from specmill.generators.distilabel_parts import Pipeline
from specmill.generators.planning import novel
from specmill.generators.stages import STALE_ROUNDS, Genres, Ideas

ROW = {
    "spec": "ways",
    "group": "ways",
    "arm_kind": "alone",
    "controls": [],
    "principle": "",
    "path": "ways.0000.0000.0000",
    "quota": 10,
    "state": "ok",
    "failed_stage": "",
    "failure": "",
    "subdomain": "Helping",
    "summary": "How it helps.",
    "assertions": [{"assertion": "{model_name} helps.", "reason": "", "claims": ["c1"]}],
    "genre": "memo",
    "audience": "clerks",
    "description": "A short note.",
}


def run(stage, llm, row, **options):
    with Pipeline(name="rounds"):
        step = stage(llm=llm, **options)
    return asyncio.run(step.aprocess(row))


def ideas(texts):
    return orjson.dumps([{"idea": text, "audience": "clerks", "assertions": [1]} for text in texts]).decode()


def genres(names):
    return orjson.dumps(
        [{"genre": name, "audience": "all", "description": "A text."} for name in names]
    ).decode()


def test_a_branch_that_brings_nothing_new_is_exhausted_and_counted(answering):
    asked = []

    def reply(messages):
        asked.append(messages)
        return ideas(["A clerk asks about the mail.", "The mail is late again today."])

    rows = run(Ideas, answering(reply), ROW, n_ideas=2)
    assert len(asked) == 1 + STALE_ROUNDS
    assert [row["state"] for row in rows] == ["ok", "ok", "dropped"]
    assert (rows[-1]["drop_reason"], rows[-1]["quota"]) == ("exhausted", 8)
    assert rows[-1]["failure"] == "genre 'memo' of 'Helping': 2 ideas of 10, then no new one"


def test_each_round_of_ideas_sees_the_earlier_ones(answering):
    numbers = itertools.count()
    seen = []

    def reply(messages):
        seen.append(re.findall(r"Tale \d+ of \w+", messages[-1]["content"]))
        return ideas([f"Tale {n} of {'abcdefghijklmnop'[n] * 9}" for n in itertools.islice(numbers, 5)])

    rows = run(Ideas, answering(reply), ROW, n_ideas=5)
    assert [len(found) for found in seen] == [0, 5]
    assert len({row["idea"] for row in rows}) == 10


def test_an_idea_in_nearly_the_same_words_is_no_new_one():
    old = [{"idea": "A librarian asks what happens before a file is deleted for good, and by whom."}]
    same = {"idea": "A librarian asks, what happens before a file is deleted for good and by whom?"}
    other = {"idea": "A gardener asks who waters the ferns before a long weekend."}
    assert novel([same, other, other], old) == [other]


def test_a_large_quota_brings_further_genres_that_see_the_first(answering):
    seen = []

    def reply(messages):
        taken = re.findall(r"^genre (\d+)$", messages[-1]["content"], re.MULTILINE)
        seen.append(len(taken))
        return genres([f"genre {len(taken) + n}" for n in range(3)])

    rows = run(Genres, answering(reply), {**ROW, "quota": 230}, n_genres=3)
    assert seen == [0, 3]
    assert [row["genre"] for row in rows] == [f"genre {n}" for n in range(6)]
    assert sum(row["quota"] for row in rows) == 230


def test_a_model_that_knows_no_further_genre_is_not_asked_for_ever(answering):
    asked = []

    def reply(messages):
        asked.append(1)
        return genres(["memo", "letter", "essay"])

    rows = run(Genres, answering(reply), {**ROW, "quota": 1000}, n_genres=3)
    assert len(asked) == 2
    assert sum(row["quota"] for row in rows) == 1000

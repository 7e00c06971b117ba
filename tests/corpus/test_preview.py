"""`specmill plan` against what a build then does, and pilots against a real server in a process of its own."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from specmill.corpus.cli import specmill
from specmill.corpus.pilot import Measured, scale, with_revisions
from specmill.corpus.preview import StageCost

SPEC = """---
name: patience
principle: patience with people
assistant: Juniper
provider: Halden
---

# Patience

## Listening

{model_name} lets people finish because an interrupted thought is often the one that mattered. It asks one question
at a time, since two at once make a person choose which to drop. Silence does not trouble {model_name}.

## Waiting

When a task takes long, {model_name} says so early, because a known delay can be planned around. {model_name} never hurries a
person who is deciding, since a decision made under pressure is seldom theirs.
"""
SPECS = Path(__file__).parents[2] / "specs"
SMALL = ("--tokens", "20k", "--words", "200")


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("specs") / "patience.md"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def server():
    """`specmill serve` on a free port: a real back-end that costs nothing."""
    command = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f"openai:writer@{process.stdout.readline().split()[-1]}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    path = tmp_path_factory.mktemp("prices") / "prices.toml"
    path.write_text('["openai:writer"]\ninput = 10.0\noutput = 20.0\ncached_input = 1.0\n')
    return path


def run(*arguments):
    return CliRunner().invoke(specmill, [str(argument) for argument in arguments])


def plan(*arguments):
    done = run("plan", *arguments, *SMALL, "--format", "json")
    assert done.exit_code == 0, done.output
    return {row["stage"]: row for row in json.loads(done.stdout)}


def ledger(out, query="select key, stage, tokens_in, tokens_out from calls where state = 'ok'"):
    with closing(sqlite3.connect(f"file:{out}/.work/ledger.sqlite?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def test_a_preview_counts_the_calls_and_tokens_of_the_build_that_follows(tmp_path):
    spec = (
        SPECS / "cheese_america.md"
    )  # of 20,000 tokens its first pass keeps enough: a preview shows one pass
    shown = plan(spec, "--out", tmp_path)
    assert not list(tmp_path.iterdir()), "a preview without a pilot leaves nothing behind"
    assert run("build", spec, "--out", tmp_path, *SMALL, "--quiet").exit_code == 0
    sums = ledger(
        tmp_path, "select stage, count(*), sum(tokens_in), sum(tokens_out) from calls group by stage"
    )
    assert {stage: row["calls"] for stage, row in shown.items()} == {row[0]: row[1] for row in sums}
    for stage, calls, tokens_in, tokens_out in sums:
        assert abs(shown[stage]["tokens_in"] - tokens_in) <= 2 * calls, stage  # how two messages are joined
        assert stage == "documents" or shown[stage]["tokens_out"] == tokens_out


def test_a_model_without_a_price_shows_dashes_and_how_to_name_one(spec):
    done = run("plan", spec, "--llm", "openai:nobody-knows", *SMALL)
    assert done.exit_code == 0
    assert 'No price is known for openai:nobody-knows: put ["openai:nobody-knows"]' in done.stdout
    assert "usd unknown" in done.stdout
    assert done.stdout.splitlines()[2].split()[-1] == "-"


def test_a_price_file_turns_tokens_into_money(spec, prices):
    for row in plan(spec, "--llm", "openai:writer", "--prices", prices).values():
        assert row["usd"] == pytest.approx((row["tokens_in"] * 10 + row["tokens_out"] * 20) / 1e6)


def test_a_server_of_ones_own_caches_whole_blocks_and_hosted_apis_long_prefixes_only(spec, prices):
    own = plan(spec, "--llm", "openai:writer@http://127.0.0.1:1/v1", "--prices", prices)
    assert 0 < own["documents"]["tokens_cached"] < own["documents"]["tokens_in"]
    assert all(row["tokens_cached"] % 16 == 0 for row in own.values())
    assert own["documents"]["saved_usd"] == pytest.approx(own["documents"]["tokens_cached"] * 9 / 1e6)
    hosted = plan(spec, "--llm", "openai:writer", "--prices", prices)
    assert {row["tokens_cached"] for row in hosted.values()} == {0}, "this spec's passages are short"


def test_a_planner_of_its_own_has_its_own_price(spec):
    shown = plan(spec, "--llm", "openai:nobody-knows", "--planner", "writer")
    assert [(row["model"], row["usd"]) for row in shown.values()][-1] == ("openai:nobody-knows", None)
    assert {row["usd"] for stage, row in shown.items() if stage != "documents"} == {0.0}


def test_arms_of_one_plan_are_previewed_together(spec):
    done = run("plan", spec, "--control", "neutral", *SMALL, "--format", "json")
    rows = json.loads(done.stdout)
    assert {row["spec"] for row in rows} == {"patience", "patience-neutral"}
    assert len({row["calls"] for row in rows if row["stage"] == "documents"}) == 1


def test_critique_and_judge_are_previewed_and_piloted(spec, server, tmp_path):
    shown = plan(spec, "--out", tmp_path, "--llm", server, "--critic", "reader", "--revise", "--pilot", "3")
    assert [stage for stage in shown if stage != "revise"][-3:] == ["documents", "critique", "judge"]
    assert shown["critique"]["model"] == shown["judge"]["model"] == "reader"
    assert shown["judge"]["pilot_calls"] == 3


def test_a_pilots_critic_says_how_many_revisions_there_will_be():
    stages = [
        StageCost("toy", name, "m", 100, 0, 0, 1.0, 0, 0.0) for name in ("documents", "critique", "judge")
    ]
    call = Measured(True, 1, 10, 10, 0.02, 3.0)
    found = with_revisions(stages, {("critique", "c"): [call] * 4, ("revise", "m"): [call] * 3})
    assert [(stage.stage, stage.calls) for stage in found] == [
        ("documents", 100),
        ("critique", 100),
        ("revise", 75),
        ("judge", 100),
    ]


def test_a_pilot_asks_no_more_than_it_may_and_the_build_reuses_it(spec, server, prices, tmp_path):
    here = ("--out", tmp_path, "--llm", server, "--prices", prices)
    shown = plan(spec, *here, "--pilot", "4")
    bought = ledger(tmp_path)
    assert {row["pilot_calls"] for row in shown.values()} <= {1, 2, 3, 4}
    assert len(bought) == sum(row["pilot_calls"] for row in shown.values())
    assert shown["documents"]["pilot_calls"] == 4
    assert {row["usable"] for row in shown.values()} == {1.0}
    assert plan(spec, *here, "--pilot", "4") == shown, "a second pilot buys nothing and measures the same"
    done = run("build", spec, *here, *SMALL, "--quiet")
    assert done.exit_code == 0, done.output
    assert f"of which {len(bought)} (" in done.stdout
    assert set(bought) < set(ledger(tmp_path))
    assert {row[0] for row in ledger(tmp_path, "select attempts from calls")} == {1}


def test_a_pilots_money_is_what_the_ledger_has_and_its_range_holds_the_mean(spec, server, prices, tmp_path):
    documents = plan(spec, "--out", tmp_path, "--llm", server, "--prices", prices, "--pilot", "6")[
        "documents"
    ]
    paid = [
        n_in * 10e-6 + n_out * 20e-6 for _, stage, n_in, n_out in ledger(tmp_path) if stage == "documents"
    ]
    assert documents["usd_per_call"] == pytest.approx(sum(paid) / 6, rel=1e-3)
    low, high = map(float, documents["usd_range"].split("-"))
    assert low < documents["calls"] * sum(paid) / 6 < high


def test_a_pilot_stops_at_the_budget(spec, server, prices, tmp_path):
    here = ("--out", tmp_path, "--llm", server, "--prices", prices)
    done = run("plan", spec, *here, *SMALL, "--pilot", "4", "--budget", "0.01usd")
    assert done.exit_code == 1
    assert "stopped at the budget" in done.output
    assert ledger(tmp_path) == []


def test_unusable_replies_raise_the_number_of_calls_and_none_at_all_gives_no_figure():
    stage = StageCost("toy", "ideas", "m", 100, 0, 0, 1.0, 0, 0.0)
    good, bad = Measured(True, 1, 10, 10, 0.02, 3.0), Measured(False, 2, 10, 10, 0.02, 3.0)
    found = scale(stage, [good, bad], concurrency=10)
    assert found is not None
    assert found.calls == 200
    assert found.usd[0] == pytest.approx(4.0)
    assert found.seconds[0] == pytest.approx(60.0)
    assert scale(stage, [bad], concurrency=10) is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--llm", "nonsense"], "unknown back-end"),
        (["--budget", "much"], "--budget much"),
        (["--prices", "no-such.toml"], "no-such.toml: not a price file"),
        (["--pilot", "-1"], "--pilot"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(spec, arguments, told):
    done = run("plan", spec, *arguments)
    assert done.exit_code == 2
    assert told in done.output

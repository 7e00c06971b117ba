import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specmill.generators.backends import open_llm
from specmill.generators.batches import BatchOpen
from specmill.generators.budget import Budget, Price, parse_limit
from specmill.generators.ledger import Ledger
from specmill.generators.llms import Halted
from specmill.specs.errors import WorkFailed
from tests.generators.batch_servers import AnthropicBatches, OpenAIBatches

ROOT = Path(__file__).parents[2]
SERVERS = {"openai-batch": OpenAIBatches, "anthropic-batch": AnthropicBatches}
KINDS = pytest.mark.parametrize("kind", SERVERS)
PRICE = Price(2.0, 8.0)
COST = 2_100_000  # half of what 100 tokens in and 500 out cost, in billionths of a dollar
ROWS = [f"row {n}" for n in range(5)]
FAST = {"linger_seconds": 0.05, "poll_seconds": 0.02}


@pytest.fixture
def serving():
    servers = []

    def start(kind, **options):
        servers.append(SERVERS[kind](**options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def opened(kind, server, ledger, limit=None, **options):
    llm = open_llm(f"{kind}:m", base_url=server.url, **FAST | options)
    llm.use_ledger(ledger, budget=Budget(parse_limit(limit) if limit else None, ledger.spent()), price=PRICE)
    return llm


def ask(llm, contents=ROWS, before=lambda llm: None):
    """Return the outputs of calls made together, an exception in the place of its call."""

    async def go():
        llm.load()
        try:
            calls = [
                llm.agenerate(input=[{"role": "user", "content": content}], max_new_tokens=600)
                for content in contents
            ]
            tasks = [asyncio.create_task(call) for call in calls]
            await asyncio.to_thread(before, llm)
            return await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await llm.aclose()

    return asyncio.run(go())


def texts(outputs):
    return [output["generations"][0] for output in outputs]


EXPECTED = [f"you said {row}" for row in ROWS]


@KINDS
def test_calls_are_bought_as_one_batch_at_half_price(kind, serving, ledger):
    server = serving(kind)
    llm = opened(kind, server, ledger)
    outputs = ask(llm)
    assert texts(outputs) == EXPECTED
    assert len(server.batches) == 1
    assert set(server.bought) == {output["work_key"][0] for output in outputs}
    assert ledger.spent().nano_usd == 5 * COST == llm._budget.spent.nano_usd
    assert [*ledger.execute("select id, model, state from batches")] == [("batch_1", "m", "done")]


@KINDS
def test_a_full_pool_leaves_as_a_batch_of_its_own(kind, serving, ledger):
    server = serving(kind)
    assert texts(ask(opened(kind, server, ledger, max_batch=2))) == EXPECTED
    assert [len(lines) for lines in server.batches.values()] == [2, 2, 1]


def test_a_batch_back_end_takes_many_calls_however_few_the_user_asked_for():
    assert open_llm("openai-batch:m", max_in_flight=64).max_in_flight == 10_000


@KINDS
def test_a_line_that_expired_is_asked_again_and_costs_nothing(kind, serving, ledger):
    server = serving(kind, fate=lambda content, n: "expired" if (content, n) == ("row 3", 1) else "ok")
    outputs = ask(opened(kind, server, ledger))
    assert texts(outputs) == EXPECTED
    assert [server.bought[output["work_key"][0]] for output in outputs] == [1, 1, 1, 2, 1]
    assert ledger.spent().nano_usd == 5 * COST


@KINDS
def test_a_line_that_always_expires_ends_as_failed(kind, serving, ledger):
    server = serving(kind, fate=lambda content, n: "expired")
    (output,) = ask(opened(kind, server, ledger, max_tries=2), ["hello"])
    assert (output["state"], output["parked"]) == (["failed"], [False])
    assert list(server.bought.values()) == [2]


@pytest.mark.parametrize(
    ("kind", "fate"), [("openai-batch", "400"), ("anthropic-batch", "invalid_request_error")]
)
def test_a_line_that_is_refused_for_good_is_rejected(kind, fate, serving, ledger):
    server = serving(kind, fate=lambda content, n: fate if content == "row 1" else "ok")
    outputs = ask(opened(kind, server, ledger))
    assert [output["parked"] for output in outputs] == [[False], [True], [False], [False], [False]]
    assert max(server.bought.values()) == 1


@pytest.mark.parametrize(("kind", "fate"), [("openai-batch", "404"), ("anthropic-batch", "not_found_error")])
def test_a_model_that_is_not_there_stops_the_work_and_a_rerun_asks_again(kind, fate, serving, ledger):
    server = serving(kind, fate=lambda content, n: fate if n == 1 else "ok")
    (problem,) = ask(opened(kind, server, ledger), ["hello"])
    assert isinstance(problem, WorkFailed)
    assert texts(ask(opened(kind, server, ledger), ["hello"])) == ["you said hello"]


def test_a_batch_that_fails_as_a_whole_says_why_and_costs_nothing(serving, ledger):
    server = serving("openai-batch")
    server.failed = "the file is too large"
    problems = ask(opened("openai-batch", server, ledger))
    assert all(isinstance(problem, WorkFailed) for problem in problems)
    assert "batch_1 failed: the file is too large" in problems[0].message
    assert ledger.spent().nano_usd == 0
    server.failed = ""
    assert texts(ask(opened("openai-batch", server, ledger))) == EXPECTED


@KINDS
def test_a_halt_while_a_batch_runs_ends_at_once_and_a_rerun_fetches_it(kind, serving, ledger):
    server = serving(kind)
    server.release.clear()

    def halt(llm):
        assert server.submitted.wait(10)
        llm._client()._loop.call_soon_threadsafe(llm.halt)

    started = time.monotonic()
    stopped = ask(opened(kind, server, ledger, poll_seconds=60), before=halt)
    assert time.monotonic() - started < 10
    assert all(isinstance(problem, Halted) for problem in stopped)
    assert ledger.spent().nano_usd > 5 * COST  # reservations
    server.release.set()
    llm = opened(kind, server, ledger)
    assert texts(ask(llm)) == EXPECTED
    assert len(server.batches) == 1
    assert ledger.spent() == llm._budget.spent
    assert ledger.spent().nano_usd == 5 * COST


@KINDS
def test_a_halt_before_a_batch_is_sent_leaves_nothing_reserved(kind, serving, ledger):
    server = serving(kind)
    llm = opened(kind, server, ledger, linger_seconds=60)

    def halt(llm):
        while llm._pool is None or len(llm._pool.requests) < len(ROWS):
            time.sleep(0.01)
        asyncio.run_coroutine_threadsafe(_halted(llm), llm._pool.lines.get_loop()).result(10)

    assert all(isinstance(problem, Halted) for problem in ask(llm, before=halt))
    assert (ledger.spent().nano_usd, len(server.batches)) == (0, 0)
    assert texts(ask(opened(kind, server, ledger))) == EXPECTED


async def _halted(llm):
    llm.halt()


def test_a_resumed_batch_counts_as_in_flight_for_the_budget(serving, ledger):
    server = serving("openai-batch")
    server.release.clear()

    def halt(llm):
        assert server.submitted.wait(10)
        llm._client()._loop.call_soon_threadsafe(llm.halt)

    ask(opened("openai-batch", server, ledger), before=halt)
    server.release.set()
    reserved = ledger.spent().usd
    # The new call fits only once the old ones are settled for less than they had reserved.
    llm = opened("openai-batch", server, ledger, limit=f"{1.01 * reserved:.9f}usd")
    assert texts(ask(llm, [*ROWS, "one more"])) == [*EXPECTED, "you said one more"]


def test_a_batch_bought_at_another_address_is_not_bought_again(serving, ledger):
    server, other = serving("openai-batch"), serving("openai-batch")
    server.release.clear()

    def halt(llm):
        assert server.submitted.wait(10)
        llm._client()._loop.call_soon_threadsafe(llm.halt)

    ask(opened("openai-batch", server, ledger), before=halt)
    problems = ask(opened("openai-batch", other, ledger))
    assert all(isinstance(problem, BatchOpen) for problem in problems)
    assert not other.batches


CHILD = """
import asyncio, sys
from pathlib import Path
from specmill.generators.backends import open_llm
from specmill.generators.ledger import Ledger
kind, url, path, *rows = sys.argv[1:]
llm = open_llm(f"{kind}:m", base_url=url, linger_seconds=0.05, poll_seconds=0.02)
llm.use_ledger(Ledger(Path(path)))
async def main():
    llm.load()
    calls = [llm.agenerate(input=[{"role": "user", "content": row}], max_new_tokens=600) for row in rows]
    await asyncio.gather(*calls)
asyncio.run(main())
"""


def killed(kind, server, path, ready):
    """Run the calls in a process of their own and kill -9 it once `ready()` holds."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, kind, server.url, str(path), *ROWS], cwd=ROOT)
    try:
        assert server.submitted.wait(60)
        until = time.monotonic() + 20
        while not ready():
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


@KINDS
def test_after_a_kill_between_batch_and_results_nothing_is_bought_twice(kind, serving, ledger):
    server = serving(kind)
    server.release.clear()
    killed(
        kind, server, ledger.path, lambda: list(ledger.execute("select 1 from batches where state = 'open'"))
    )
    server.release.set()
    assert texts(ask(opened(kind, server, ledger))) == EXPECTED
    assert (len(server.bought), max(server.bought.values())) == (5, 1)
    assert ledger.spent().nano_usd == 5 * COST


def test_after_a_kill_before_the_id_was_known_the_batch_is_found_by_its_nonce(serving, ledger):
    server = serving("openai-batch")
    assert texts(ask(opened("openai-batch", server, ledger), ["another batch"]))
    server.submitted.clear()
    server.answers_to_submit = False
    killed("openai-batch", server, ledger.path, lambda: True)
    assert [*ledger.execute("select id, state from batches where id is null")] == [(None, "intended")]
    server.answers_to_submit = True
    server.submitted.clear()
    assert texts(ask(opened("openai-batch", server, ledger), ["a newer batch"]))
    assert texts(ask(opened("openai-batch", server, ledger))) == EXPECTED
    assert max(server.bought.values()) == 1


def test_after_such_a_kill_at_anthropic_the_reservation_stays_counted(serving, ledger):
    server = serving("anthropic-batch")
    server.answers_to_submit = False
    killed("anthropic-batch", server, ledger.path, lambda: True)
    server.answers_to_submit = True
    llm = opened("anthropic-batch", server, ledger)
    before = ledger.spent().tokens
    assert texts(ask(llm)) == EXPECTED
    assert ledger.spent().tokens == before + 5 * 600


def test_a_batch_whose_making_timed_out_is_found_again(serving, ledger):
    server = serving("openai-batch")
    server.answers_to_submit = False
    assert texts(ask(opened("openai-batch", server, ledger, timeout_seconds=0.3))) == EXPECTED
    assert max(server.bought.values()) == 1

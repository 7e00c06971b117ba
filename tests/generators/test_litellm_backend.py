import asyncio
import contextlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from specmill.generators.backends import OpenAICompatibleLLM, open_llm
from specmill.generators.ledger import Ledger
from specmill.generators.llms import TryAgain
from specmill.generators.writer import WRITER_MODEL
from specmill.specs.errors import BadInput, WorkFailed
from tests.generators.test_llms import ask, completion
from tests.servers.in_thread import ChatServer

ROOT = Path(__file__).parents[2]
IS_THERE = importlib.util.find_spec("litellm") is not None
needs_litellm = pytest.mark.skipif(not IS_THERE, reason='needs the extra "litellm"')


@pytest.fixture
def serving(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-secret")
    with contextlib.ExitStack() as stack:

        def start(respond):
            server = ChatServer(respond)
            stack.callback(server.stop)
            return server

        yield start


def opened(url, model="openai/m", **options):
    return open_llm(f"litellm:{model}", base_url=url, **options)


@pytest.mark.skipif(IS_THERE, reason="litellm is installed")
def test_without_the_package_the_message_says_how_to_get_it():
    with pytest.raises(BadInput, match=r'pip install "specmill\[litellm\]"'):
        asyncio.run(open_llm("litellm:openai/gpt-4.1").check())


@needs_litellm
def test_its_replies_are_those_of_the_server_it_reaches(serving, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    command = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[-1]
        ledger = Ledger(tmp_path / "ledger.sqlite")
        prompt = "Stage: genres\n\nAnswer with a JSON list of 5 objects."
        (output,) = ask(opened(url, f"openai/{WRITER_MODEL}"), prompt, ledger=ledger)
        (direct,) = ask(OpenAICompatibleLLM(model=WRITER_MODEL, base_url=url), prompt)
        again = ask(opened("http://127.0.0.1:9/v1", f"openai/{WRITER_MODEL}"), prompt, ledger=ledger)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
    assert output["generations"] == direct["generations"] == again[0]["generations"]
    assert output["statistics"] == direct["statistics"]
    assert (output["state"], again[0]["reused"]) == (["ok"], [True])


@needs_litellm
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_retried_by_us_and_not_by_litellm(serving, status):
    async def respond(body, n):
        return web.Response(status=status, text="busy") if n == 1 else completion("second try")

    server = serving(respond)
    assert ask(opened(server.url), "hello")[0]["generations"] == ["second try"]
    assert server.asked["hello"] == 2
    assert ask(opened(server.url, max_tries=1), "hello")[0]["state"] == ["ok"]


@needs_litellm
@pytest.mark.parametrize("status", [401, 404])
def test_a_refused_key_or_model_stops_the_work_and_no_key_is_told(serving, status):
    async def respond(body, n):
        return web.json_response({"error": {"message": "bad key sk-planted-secret"}}, status=status)

    with pytest.raises(WorkFailed, match="refuses model 'openai/m'") as caught:
        ask(opened(serving(respond).url), "hello")
    assert "planted" not in caught.value.message


@needs_litellm
@pytest.mark.parametrize(
    ("told", "state", "parked"),
    [
        ("max_tokens is too large", "failed", True),
        ("Invalid prompt: flagged as potentially violating our usage policy", "refused", False),
    ],
)
def test_a_bad_request_is_rejected_and_a_policy_violation_is_a_refusal(serving, told, state, parked):
    async def respond(body, n):
        return web.json_response({"error": {"message": told, "type": "invalid_request_error"}}, status=400)

    server = serving(respond)
    (output,) = ask(opened(server.url), "hello")
    assert (output["state"], output["parked"], server.asked["hello"]) == ([state], [parked], 1)


@needs_litellm
def test_a_server_that_is_not_there_was_never_sent_anything(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-secret")
    llm = opened("http://127.0.0.1:9/v1")

    async def go():
        try:
            await llm._try(llm._request([{"role": "user", "content": "hello"}], 8, 0))
        finally:
            await llm.aclose()

    with pytest.raises(TryAgain) as caught:
        asyncio.run(go())
    assert (caught.value.unreachable, caught.value.may_be_billed) == (True, False)


@needs_litellm
def test_a_provider_without_seeds_gets_none_and_draws_differ_by_key():
    llm = open_llm("litellm:anthropic/claude-sonnet-4-5")
    assert "seed" not in llm._request([], 8, 1)
    assert llm._draw(1) != llm._draw(0)


@needs_litellm
def test_an_unknown_provider_and_a_missing_key_are_bad_input(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(BadInput, match="no such provider"):
        asyncio.run(open_llm("litellm:nosuch/thing").check())
    with pytest.raises(BadInput, match="set OPENAI_API_KEY"):
        asyncio.run(open_llm("litellm:openai/gpt-4.1").check())

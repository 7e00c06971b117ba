import asyncio
from collections import Counter

import pytest
from aiohttp import web

from specmill.generators.backends import OpenAICompatibleLLM, open_llm
from specmill.generators.ledger import Ledger
from specmill.specs.errors import BadInput, WorkFailed
from tests.servers.in_thread import ChatServer

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def serving():
    servers = []

    def start(respond):
        servers.append(ChatServer(respond))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def completion(text, finish="stop", **message):
    return web.json_response(
        {
            "choices": [{"message": {"content": text, **message}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3},
        }
    )


def ask(llm, *contents, ledger=None):
    async def go():
        if ledger:
            llm.use_ledger(ledger)
        llm.load()
        try:
            calls = [llm.agenerate(input=[{"role": "user", "content": content}]) for content in contents]
            return await asyncio.gather(*calls)
        finally:
            await llm.aclose()

    return asyncio.run(go())


def test_a_reply_comes_with_its_usage_and_stop_reason(serving):
    async def respond(body, n):
        return completion("hi")

    (output,) = ask(OpenAICompatibleLLM(model="m", base_url=serving(respond).url), "hello")
    assert output["generations"] == ["hi"]
    assert output["statistics"] == {"input_tokens": [7], "output_tokens": [3]}
    assert output["state"] == ["ok"]


def test_one_bad_request_costs_one_row_not_a_batch(serving):
    async def respond(body, n):
        bad = body["messages"][0]["content"] == "row 3"
        return web.Response(status=400, text="no") if bad else completion("fine")

    outputs = ask(
        OpenAICompatibleLLM(model="m", base_url=serving(respond).url), *(f"row {n}" for n in range(10))
    )
    assert Counter(output["state"][0] for output in outputs) == {"ok": 9, "failed": 1}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_retried(serving, status):
    async def respond(body, n):
        return (
            web.Response(status=status, headers={"retry-after": "0"}) if n == 1 else completion("second try")
        )

    server = serving(respond)
    (output,) = ask(OpenAICompatibleLLM(model="m", base_url=server.url), "hello")
    assert output["generations"] == ["second try"]
    assert server.asked["hello"] == 2


def test_a_lasting_fault_ends_as_a_failed_row_and_is_asked_again_next_time(serving, tmp_path):
    async def respond(body, n):
        return web.Response(status=500) if n <= 2 else completion("at last")

    ledger = Ledger(tmp_path / "ledger.sqlite")
    llm = OpenAICompatibleLLM(model="m", base_url=serving(respond).url, max_tries=2)
    assert ask(llm, "hello", ledger=ledger)[0]["state"] == ["failed"]
    assert ask(llm, "hello", ledger=ledger)[0]["generations"] == ["at last"]


def test_a_request_that_hangs_times_out_and_is_retried(serving):
    async def respond(body, n):
        if n == 1:
            await asyncio.sleep(30)
        return completion("awake")

    llm = OpenAICompatibleLLM(model="m", base_url=serving(respond).url, timeout_seconds=0.3)
    assert ask(llm, "hello")[0]["generations"] == ["awake"]


@pytest.mark.parametrize(
    ("response", "state"),
    [
        (lambda: completion("cut off he", "length"), "truncated"),
        (lambda: completion(None, "content_filter"), "refused"),
        (lambda: completion(None, "stop", refusal="I will not."), "refused"),
        (lambda: web.json_response({"unexpected": True}), "failed"),
        (lambda: web.json_response({"choices": []}), "failed"),
    ],
)
def test_the_state_follows_from_the_stop_reason_and_the_shape(serving, response, state):
    async def respond(body, n):
        return response()

    (output,) = ask(OpenAICompatibleLLM(model="m", base_url=serving(respond).url, max_tries=1), "hello")
    assert output["state"] == [state]


def test_a_refused_key_stops_the_work_at_once(serving):
    async def respond(body, n):
        return web.Response(status=401, text="bad key")

    with pytest.raises(WorkFailed, match="refuses model 'm': HTTP 401"):
        ask(OpenAICompatibleLLM(model="m", base_url=serving(respond).url), "hello")


def test_a_known_reply_is_not_asked_for_again(serving, tmp_path):
    async def respond(body, n):
        return completion(f"answer {n}")

    server, ledger = serving(respond), Ledger(tmp_path / "ledger.sqlite")
    llm = OpenAICompatibleLLM(model="m", base_url=server.url)
    first = ask(llm, "hello", ledger=ledger)
    second = ask(OpenAICompatibleLLM(model="m", base_url="http://127.0.0.1:9/v1"), "hello", ledger=ledger)
    assert [first[0]["generations"], second[0]["generations"]] == [["answer 1"], ["answer 1"]]
    assert [first[0]["reused"], second[0]["reused"]] == [[False], [True]]
    assert server.asked["hello"] == 1


def test_equal_requests_in_flight_are_one_call(serving, tmp_path):
    async def respond(body, n):
        await asyncio.sleep(0.05)
        return completion("one")

    server = serving(respond)
    outputs = ask(OpenAICompatibleLLM(model="m", base_url=server.url), *["same"] * 8)
    assert [output["generations"] for output in outputs] == [["one"]] * 8
    assert server.asked["same"] == 1


def test_no_more_calls_are_in_flight_than_allowed(serving):
    flying, most = 0, 0

    async def respond(body, n):
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.02)
        flying -= 1
        return completion("ok")

    llm = OpenAICompatibleLLM(model="m", base_url=serving(respond).url, max_in_flight=4)
    ask(llm, *(f"row {n}" for n in range(40)))
    assert most == 4


def test_the_key_goes_into_the_header_and_nowhere_else(serving, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-secret")

    async def respond(body, n):
        return completion("fine")

    ledger = Ledger(tmp_path / "ledger.sqlite")
    llm = OpenAICompatibleLLM(model="m", base_url=serving(respond).url)
    ask(llm, "hello", ledger=ledger)
    ledger.close()
    assert b"planted-secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert "planted-secret" not in repr(llm) + llm.model_dump_json()


@pytest.mark.parametrize("name", ["gpt", "openai:", "vllm", "", "writer:2"])
def test_an_unknown_back_end_is_bad_input(name):
    with pytest.raises(BadInput, match="unknown back-end"):
        open_llm(name)

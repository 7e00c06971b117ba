import asyncio

import pytest
from aiohttp import web

from specmill.generators.backend_names import KINDS, parse_backend
from specmill.generators.backends import AnthropicLLM, OpenAICompatibleLLM, open_llm
from specmill.generators.ledger import Ledger
from specmill.specs.errors import BadInput, WorkFailed

KEY = "sk-planted-secret-key"
TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]


@pytest.fixture
def serving():
    """Starts a real server on this test's own loop: returns what it was asked (headers, body) beside the outputs."""

    def talk(make, respond, messages=TALK, ledger=None, address="http://{}/v1"):
        asked = []

        async def answer(request):
            asked.append((request.path, dict(request.headers), await request.json()))
            return await respond(request)

        async def go():
            app = web.Application()
            app.add_routes([web.post("/v1/{path:.+}", answer)])
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            llm = make(base_url=address.format(f"127.0.0.1:{site._server.sockets[0].getsockname()[1]}"))
            if ledger:
                llm.use_ledger(ledger)
            llm.load()
            try:
                return await llm.agenerate(input=messages, max_new_tokens=100)
            finally:
                await llm.aclose()
                await runner.cleanup()

        return asyncio.run(go()), asked

    return talk


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


def openai(**fields):
    return OpenAICompatibleLLM(model="m", **{"max_tries": 1, **fields})


def anthropic(**fields):
    return AnthropicLLM(model="m", **{"max_tries": 1, **fields})


def message(*texts, stop="end_turn", **usage):
    parts = [{"type": "thinking", "thinking": "hm"}, *({"type": "text", "text": text} for text in texts)]
    body = {"content": parts, "stop_reason": stop, "usage": {"input_tokens": 7, "output_tokens": 3, **usage}}

    async def respond(_):
        return web.json_response(body)

    return respond


def completion(content="hi", finish="stop", usage=None, **fields):
    choice = {"message": {"content": content, **fields}, "finish_reason": finish}
    body = {"choices": [choice], "usage": usage or {"prompt_tokens": 7, "completion_tokens": 3}}

    async def respond(_):
        return web.json_response(body)

    return respond


def test_anthropic_is_asked_in_its_own_format_with_the_system_prompt_cached(serving):
    output, [(path, headers, body)] = serving(lambda **at: anthropic(temperature=0.7, **at), message("hi"))
    assert (path, headers["x-api-key"], headers["anthropic-version"]) == ("/v1/messages", KEY, "2023-06-01")
    assert "Authorization" not in headers
    assert body == {
        "model": "m",
        "max_tokens": 100,
        "messages": [TALK[1]],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "temperature": 0.7,
    }
    assert (output["generations"], output["state"]) == (["hi"], ["ok"])


def test_thinking_gets_room_of_its_own_and_no_temperature(serving):
    thinker = {"thinking_tokens": 1024, "temperature": 0.7}
    output, [(_, _, body)] = serving(lambda **at: anthropic(**thinker, **at), message("a", "b"))
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert (body["max_tokens"], "temperature" in body) == (1124, False)
    assert output["generations"] == ["ab"]  # without what was thought


@pytest.mark.parametrize(
    ("stop", "state"),
    [
        ("end_turn", "ok"),
        ("stop_sequence", "ok"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
        ("refusal", "refused"),
    ],
)
def test_the_state_follows_from_anthropics_stop_reason(serving, stop, state):
    output, _ = serving(anthropic, message("text", stop=stop))
    assert (output["state"], output["finish"]) == ([state], [stop])


def test_tokens_read_from_and_written_to_anthropics_cache_are_part_of_the_input(serving, tmp_path):
    usage = {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    ledger = Ledger(tmp_path / "ledger.sqlite")
    output, _ = serving(anthropic, message("hi", **usage), ledger=ledger)
    assert output["statistics"] == {"input_tokens": [127], "output_tokens": [3]}
    assert [*ledger.execute("select tokens_in, tokens_cached from calls")] == [(127, 100)]


def test_two_draws_at_anthropic_are_two_calls_though_it_takes_no_seed():
    llm = anthropic(base_url="http://127.0.0.1:9/v1")
    assert llm._request(TALK, 8, 0) == llm._request(TALK, 8, 1)
    assert llm._draw(0) != llm._draw(1)


def test_openai_is_asked_with_a_bearer_key_and_the_users_fields(serving):
    output, [(path, headers, body)] = serving(lambda **at: openai(body={"top_p": 0.9}, **at), completion())
    assert (path, headers["Authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert body == {"model": "m", "messages": TALK, "max_tokens": 100, "seed": 0, "top_p": 0.9}
    assert output["generations"] == ["hi"]


def test_tokens_from_openais_cache_are_counted_apart(serving, tmp_path):
    usage = {
        "prompt_tokens": 50,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 40},
    }
    ledger = Ledger(tmp_path / "ledger.sqlite")
    serving(openai, completion(usage=usage), ledger=ledger)
    assert [*ledger.execute("select tokens_in, tokens_cached from calls")] == [(50, 40)]


def test_a_refusal_at_openai_keeps_what_it_said(serving):
    output, _ = serving(openai, completion(None, refusal="I will not."))
    assert (output["state"], output["generations"]) == (["refused"], ["I will not."])


@pytest.mark.parametrize("make", [openai, anthropic])
@pytest.mark.parametrize("padding", [0, 290])  # the second puts the key across the end of what is kept
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_a_key_that_the_server_repeats_is_told_nowhere(serving, tmp_path, make, padding, status):
    async def respond(_):
        return web.Response(status=status, text="x" * padding + f" {KEY}")

    ledger, told = Ledger(tmp_path / "ledger.sqlite"), ""
    try:
        serving(lambda **at: make(patience_seconds=0.0, **at), respond, ledger=ledger)
    except WorkFailed as problem:
        told = problem.message
    ledger.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert KEY[:8] not in told
    assert KEY[:8].encode() not in written


@pytest.mark.parametrize("status", [400, 401])
def test_a_name_and_password_in_an_address_are_told_nowhere(serving, tmp_path, status):
    async def respond(request):
        return web.Response(
            status=status, text=f"no such thing at http://me:hidden@{request.host}/v1?key=hidden"
        )

    ledger, told = Ledger(tmp_path / "ledger.sqlite"), ""
    try:
        serving(anthropic, respond, ledger=ledger, address="http://me:hidden@{}/v1")
    except WorkFailed as problem:
        told = problem.message
    ledger.close()
    assert b"hidden" not in told.encode() + b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_name_and_password_are_not_told_when_nobody_answers():
    with pytest.raises(BadInput) as caught:
        asyncio.run(_checked(anthropic(base_url="http://me:hidden@127.0.0.1:9/v1")))
    assert "hidden" not in caught.value.message


async def _checked(llm):
    try:
        await llm.check()
    finally:
        await llm.aclose()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_named_with_an_address_and_opened(kind):
    backend = parse_backend(f"{kind}:org/m@http://127.0.0.1:9/v1")
    assert (backend.name, backend.base_url) == (f"{kind}:org/m", "http://127.0.0.1:9/v1")
    llm = open_llm(f"{kind}:org/m@http://127.0.0.1:9/v1", seed=3)
    assert (llm.model_name, llm.base_url, llm.seed) == ("org/m", "http://127.0.0.1:9/v1", 3)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_is_answered_with_every_kind_there_is(kind):
    with pytest.raises(BadInput, match=f"{kind}:"):
        parse_backend("gpt")


def test_openais_key_is_not_sent_to_a_vllm_server(serving):
    _, [(_, headers, _)] = serving(lambda base_url: open_llm("vllm:m", base_url=base_url), completion())
    assert "Authorization" not in headers


def test_openais_own_endpoint_gets_the_cap_under_the_name_its_reasoning_models_know():
    messages = [{"role": "user", "content": "hello"}]
    own = open_llm("openai:gpt-5", base_url="https://api.openai.com/v1")._request(messages, 9, 0)
    other = open_llm("openai:gpt-5", base_url="http://localhost:1/v1")._request(messages, 9, 0)
    assert (own["max_completion_tokens"], "max_tokens" in own) == (9, False)
    assert (other["max_tokens"], "max_completion_tokens" in other) == (9, False)

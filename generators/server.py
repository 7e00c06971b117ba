"""The built-in writer behind OpenAI's wire format: `/v1/models` and `/v1/chat/completions`.

For rehearsals and for load and fault tests of clients: what it answers is what `--llm writer` writes directly.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from aiohttp import web

from specmill.specs.errors import BadInput

from .ledger import work_key
from .writer import WRITER_MODEL, answer

CountTokens = Callable[[str], int]


def make_app(count_tokens: CountTokens | None = None) -> web.Application:
    """Return the server's application; `count_tokens` is the counter behind `usage`."""

    async def complete(request: web.Request) -> web.Response:
        try:
            body = await request.json()
            problem = _problem(body)
        except ValueError:
            body, problem = {}, "the body is not JSON"
        if problem:
            return _error(400, problem)
        if body.get("model") != WRITER_MODEL:
            return _error(
                404, f"model {body.get('model')!r} does not exist; this server has {WRITER_MODEL!r}"
            )
        return web.json_response(_completion(body, count_tokens))

    async def models(_: web.Request) -> web.Response:
        entry = {"id": WRITER_MODEL, "object": "model", "created": 0, "owned_by": "specmill"}
        return web.json_response({"object": "list", "data": [entry]})

    app = web.Application(client_max_size=32 << 20)
    app.add_routes([web.post("/v1/chat/completions", complete), web.get("/v1/models", models)])
    return app


def _problem(body: Any) -> str:
    """Return what is wrong with a request, or an empty string."""
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        return "'messages' must be a non-empty list"
    if not all(isinstance(m, dict) and isinstance(m.get("content"), str) for m in messages):
        return "every message needs a 'content' of type string"
    if not isinstance(body.get("seed", 0), int | None):
        return "'seed' must be an integer"
    limit = body.get("max_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        return "'max_tokens' must be a positive integer"
    if body.get("stream"):
        return "streaming is not supported"
    return ""


def _completion(body: dict[str, Any], count_tokens: CountTokens | None) -> dict[str, Any]:
    done = answer(body, count_tokens)
    return {
        "id": "chatcmpl-" + work_key(body),
        "object": "chat.completion",
        "created": 0,
        "model": WRITER_MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": done.text},
                "finish_reason": done.finish,
            }
        ],
        "usage": {
            "prompt_tokens": done.tokens_in,
            "completion_tokens": done.tokens_out,
            "total_tokens": done.tokens_in + done.tokens_out,
        },
    }


def _error(status: int, message: str) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "code": None}}
    return web.json_response(body, status=status)


async def serve_until_stopped(host: str, port: int, count_tokens: CountTokens | None = None) -> None:
    """Serve until SIGINT or SIGTERM; the first line on stdout names the address once requests are taken."""
    runner = web.AppRunner(make_app(count_tokens))
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise BadInput(f"{host}:{port}: {error.strerror}; give another --port") from None
        bound = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        print(f"writer at http://{host}:{bound}/v1", flush=True)
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await stop.wait()
    finally:
        await runner.cleanup()

"""A real endpoint that fails on purpose: the built-in writer behind OpenAI's wire format, with faults and latency.

    python -m tests.servers.fault_server --port 0 --faults 0.3 --seed 0 [--latency 0.5 --cap 4 --slots 64]

The first line on stdout ends with the base URL. Good answers are those of `--llm writer`.
`--faults` mixes TRANSPORT faults: the client must send the same body again, and then ends with the same output.
Which one a request gets is a pure function of (seed, body, how often this body was asked before), and after three in
a row the body is served. `--content-faults` gives readable completions that are no use: the client must count them and
ask again with another seed. Those depend on (seed, body) alone, so that a killed build sees the same ones again, and each has MARK in its text.
`--refuse TEXT` refuses every request that has the text in its last message, whatever its seed.
`GET /counts` says what was asked and answered; an answer is a complete chat completion, good or useless.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import math
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import orjson
from aiohttp import web

from specmill.corpus.tokens import DEFAULT, load_tokenizer
from specmill.generators.writer import answer

MOST_FAULTS_IN_A_ROW = 3
TRANSPORT = ("429", "500", "503", "529", "close", "hang", "broken_json", "not_a_completion", "no_choices")
PLAIN_CONTENT = ("empty", "length", "refusal", "content_filter", "open_reasoning", "cut_list", "prose")
MADE_OF_GOOD = ("tagged_refusal", "tail", "twice")
CONTENT = (*PLAIN_CONTENT, *MADE_OF_GOOD)
MARK = "zqfault"
USELESS_TEXT = {
    "empty": "",
    "refusal": f"I'm sorry, but I can't help with that ({MARK}).",
    "content_filter": "",
    "prose": f"Certainly! There are several ways to go about this, and which one is best depends on your {MARK} aims.",
    "tagged_refusal": f"<document>\nI'm sorry, but I can't write this {MARK} text.\n</document>",
}
UNREADABLE_BODY = {
    "broken_json": '{"id": "chatcmpl-0", "object": "chat.completion", "choices": [{"index": 0, "message": {"conte',
    "not_a_completion": '{"status": "warming up", "detail": []}',
    "no_choices": '{"id": "chatcmpl-0", "object": "chat.completion", "choices": [], "usage": null}',
}
REASONING = "<think>\nThe request is clear. First the form, then the substance.\n</think>\n\n"
ECHO = (
    "<document>\n"
    + "A text of the usual length stands here, the same for every request. " * 40
    + "\n</document>"
)


def body_hash(body: Any) -> str:
    """Return what identifies a request body: the sha256 of its canonical JSON."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def draw(*parts: object) -> float:
    """Return a number in (0, 1) that depends on the parts alone."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return (int.from_bytes(digest[:7], "big") + 0.5) / (1 << 56)


def transport_fault(
    seed: int, body: str, n_asked: int, share: float, kinds: tuple[str, ...] = TRANSPORT
) -> str:
    """Return the fault of a body that was asked `n_asked` times before, or an empty string."""
    in_a_row = 0
    for number in range(n_asked + 1):
        faulty = in_a_row < MOST_FAULTS_IN_A_ROW and draw(seed, "fault", body, number) < share
        in_a_row = in_a_row + 1 if faulty else 0
    return kinds[int(draw(seed, "kind", body, n_asked) * len(kinds))] if in_a_row else ""


def content_fault(seed: int, body: str, share: float, kinds: tuple[str, ...] = CONTENT) -> str:
    """Return what is wrong with the reply to a body, or an empty string."""
    if draw(seed, "content", body) >= share:
        return ""
    return kinds[int(draw(seed, "content kind", body) * len(kinds))]


def latency_of(messages: Any, mean: float, sigma: float = 0.8, cap: float = math.inf) -> float:
    """Return the log-normal latency of a conversation. `mean` is the mean before the cap.

    Of the messages and not of the whole body: clients that add fields of their own then do the same work.
    """
    if not mean:
        return 0.0
    normal = NormalDist().inv_cdf(draw("latency", body_hash(messages)))
    return min(cap, mean * math.exp(sigma * normal - sigma * sigma / 2))


class Counts:
    """What was asked and answered. `latencies` are those of the answers sent: the work a client bought."""

    def __init__(self) -> None:
        self.by_body: dict[str, list[int]] = {}  # body -> [asked, answered], in order of arrival
        self.faults: dict[str, int] = {}
        self.in_flight = self.max_in_flight = self.tokens_in = self.tokens_out = self.answered = 0
        self.latencies = self._integral = 0.0
        self.first = self.last = self._since = 0.0

    @contextlib.contextmanager
    def flying(self, body: str) -> Iterator[int]:
        """Count a request as in flight; gives how often its body was asked before."""
        asked = self.by_body.setdefault(body, [0, 0])
        asked[0] += 1
        self.first = self.first or time.time()
        self._fly(1)
        try:
            yield asked[0] - 1
        finally:
            self._fly(-1)

    def _fly(self, change: int) -> None:
        now = time.time()
        self._integral += self.in_flight * (now - self._since) if self.in_flight else 0.0
        self._since = now
        self.in_flight += change
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def fault(self, kind: str) -> None:
        self.faults[kind] = self.faults.get(kind, 0) + 1

    def answer(self, body: str, usage: dict[str, int], latency: float) -> None:
        self.by_body[body][1] += 1
        self.answered += 1
        self.tokens_in += usage["prompt_tokens"]
        self.tokens_out += usage["completion_tokens"]
        self.latencies += latency
        self.last = time.time()

    def as_json(self) -> bytes:
        now = time.time()
        return orjson.dumps(
            {
                "asked": sum(asked for asked, _ in self.by_body.values()),
                "answered": self.answered,
                "bodies": len(self.by_body),
                "by_body": self.by_body,
                "faults": self.faults,
                "in_flight": self.in_flight,
                "max_in_flight": self.max_in_flight,
                "tokens_in": self.tokens_in,
                "tokens_out": self.tokens_out,
                "busy_seconds": self._integral + self.in_flight * (now - self._since),
                "latency_seconds": self.latencies,
                "first": self.first,
                "last": self.last,
            }
        )


class FaultServer:
    """The handlers and what they share; `options` are those of the command line."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.counts = Counts()
        self.outage: asyncio.Event = asyncio.Event()
        self._count_tokens: Callable[[str], int] = load_tokenizer(DEFAULT).count
        self._slots = asyncio.Semaphore(options.slots) if options.slots else contextlib.nullcontext()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=32 << 20)
        for prefix in ("", "/v1"):  # some clients leave out /v1 when they ask whether one is there
            app.router.add_get(prefix + "/models", self.models)
        app.router.add_get("/health", self.models)
        app.router.add_get("/counts", self.show_counts)
        app.router.add_post("/v1/chat/completions", self.complete)
        return app

    async def models(self, _: web.Request) -> web.Response:
        entry = {"id": "writer", "object": "model", "created": 0, "owned_by": "specmill"}
        return web.json_response({"object": "list", "data": [entry]})

    async def show_counts(self, _: web.Request) -> web.Response:
        return web.Response(body=self.counts.as_json(), content_type="application/json")

    async def complete(self, request: web.Request) -> web.StreamResponse:
        try:
            body = orjson.loads(await request.read())
            messages = body["messages"]
        except (ValueError, TypeError, KeyError):
            return _error(400, "not a chat request")
        key = body_hash(body)
        with self.counts.flying(key) as n_asked:
            kind = self._transport_fault(key, n_asked)
            if kind in ("close", "hang") or kind.isdigit():
                self.counts.fault(kind)
                return await self._fail(request, kind)
            latency = latency_of(messages, self.options.latency, self.options.sigma, self.options.cap)
            async with self._slots:
                begin = time.monotonic()
                completion = {} if kind else self._completion(body, key)
                # The answer is composed within the latency, not after it.
                await asyncio.sleep(max(0.0, begin + latency - time.monotonic()))
                if kind:
                    self.counts.fault(kind)
                    return web.Response(text=UNREADABLE_BODY[kind], content_type="application/json")
                response = await _send(request, completion)
            self.counts.answer(key, completion["usage"], latency)
            if self.counts.answered == self.options.down_after:
                self.outage.set()
            return response

    def _transport_fault(self, key: str, n_asked: int) -> str:
        return transport_fault(self.options.seed, key, n_asked, self.options.faults, self.options.kinds)

    async def _fail(self, request: web.Request, kind: str) -> web.Response:
        if kind.isdigit():
            return _error(int(kind), "try again", {"Retry-After": "0"} if kind == "429" else {})
        if kind == "hang":
            await asyncio.sleep(self.options.hang)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _completion(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        text, finish, tokens_in, tokens_out = self._written(body)
        kind = content_fault(self.options.seed, key, self.options.content_faults, self.options.content_kinds)
        if any(marker in body["messages"][-1]["content"] for marker in self.options.refuse):
            kind = "refusal"
        if kind:
            self.counts.fault(kind)
            text, finish = _useless(kind, text, finish)
        elif draw(self.options.seed, "reasoning", key) < self.options.reasoning_tags:
            text = REASONING + text
        usage = {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        }
        message = {"role": "assistant", "content": text}
        return {
            "id": f"chatcmpl-{key[:24]}",
            "object": "chat.completion",
            "created": 0,
            "model": body.get("model", "writer"),
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": usage,
        }

    def _written(self, body: dict[str, Any]) -> tuple[str, str, int, int]:
        if self.options.echo:
            return (
                ECHO,
                "stop",
                sum(len(message["content"]) for message in body["messages"]) // 4,
                len(ECHO) // 4,
            )
        done = answer(body, self._count_tokens)
        return done.text, done.finish, done.tokens_in, done.tokens_out


def _useless(kind: str, text: str, finish: str) -> tuple[str, str]:
    """Return the text and stop reason of a reply that must not be used, made from the good one."""
    if kind in USELESS_TEXT:
        return USELESS_TEXT[kind], "content_filter" if kind == "content_filter" else "stop"
    before, space, after = text.partition(" ")
    marked = f"{before} {MARK}{space}{after}"
    if kind == "open_reasoning":  # a whole draft inside: what is in the tags is still not the answer
        return f"<think>\nLet me draft this first.\n{marked}\n", finish
    if kind == "tail":
        return f"{marked}\n\nI hope this is what you had in mind.", finish
    if kind == "twice":
        return f"{marked}\n\n{marked}", finish
    return marked[: len(marked) * 2 // 3], "length" if kind == "length" else finish


async def _send(request: web.Request, completion: dict[str, Any]) -> web.Response:
    """Write a whole response here, so that only what went out is counted as answered."""
    response = web.Response(body=orjson.dumps(completion), content_type="application/json")
    await response.prepare(request)
    await response.write_eof()
    return response


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"message": message}}, status=status, headers=headers)


class Listener:
    """The listening socket, which can go away for a while and come back on the same port."""

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner, self._host, self.port = runner, host, port
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._runner.server, self._host, self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening, and reset what is open (a plain close would end it politely)."""
        assert self._server is not None
        self._server.close()
        for connection in list(self._runner.server.connections):
            if connection.transport is not None:
                raw = connection.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.transport.abort()


async def _outage(server: FaultServer, listener: Listener) -> None:
    await server.outage.wait()
    listener.close()
    await asyncio.sleep(server.options.down_for)
    await listener.open()


async def _keep_counts(server: FaultServer, path: Path) -> None:
    """Write the counts every second: after a kill they are nearly as new as `/counts` was."""
    while True:
        _write_counts(server, path)
        await asyncio.sleep(1)


def _write_counts(server: FaultServer, path: Path) -> None:
    aside = path.with_name(path.name + ".new")
    aside.write_bytes(server.counts.as_json())
    aside.replace(path)


async def serve(options: argparse.Namespace) -> None:
    server = FaultServer(options)
    # Without handler_cancellation a handler goes on, and counts as in flight, after its client has left.
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    listener = Listener(runner, "127.0.0.1", options.port)
    await listener.open()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    print(f"fault server at http://127.0.0.1:{listener.port}/v1", flush=True)
    tasks = [asyncio.create_task(_outage(server, listener))]
    if options.count_file:
        tasks.append(asyncio.create_task(_keep_counts(server, options.count_file)))
    await stop.wait()
    for task in tasks:
        task.cancel()
    if options.count_file:
        _write_counts(server, options.count_file)
    await runner.cleanup()


def _kinds(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def parse(value: str) -> tuple[str, ...]:
        names = tuple(value.split(","))
        if not set(names) <= set(known):
            raise argparse.ArgumentTypeError(f"choose from {','.join(known)}")
        return names

    return parse


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An OpenAI-compatible server that fails on purpose.")
    add = parser.add_argument
    add("--port", type=int, default=0)
    add("--seed", type=int, default=0)
    add("--faults", type=float, default=0.0, help="share of requests that get a transport fault")
    add("--kinds", type=_kinds(TRANSPORT), default=TRANSPORT, help="which ones, joined by commas")
    add("--content-faults", type=float, default=0.0, help="share of bodies whose reply is useless")
    add("--content-kinds", type=_kinds(CONTENT), default=CONTENT, help="which ones, joined by commas")
    add(
        "--refuse",
        action="append",
        default=[],
        help="refuse whatever has this text in it; may be given again",
    )
    add("--reasoning-tags", type=float, default=0.0, help="share of good replies with a closed <think> block")
    add("--hang", type=float, default=30.0, help="seconds a hanging request hangs before it is cut off")
    add("--latency", type=float, default=0.0, help="mean seconds of an answer")
    add("--sigma", type=float, default=0.8)
    add("--cap", type=float, default=math.inf)
    add("--slots", type=int, default=0, help="answers at work at once; further ones wait (0: no limit)")
    add("--echo", action="store_true", help="one fixed document for every request: costs the server nothing")
    add("--down-after", type=int, default=0, help="answers after which the endpoint is gone for a while")
    add("--down-for", type=float, default=5.0)
    add("--count-file", type=Path, help="also keep the counts in this file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    asyncio.run(serve(parse_options()))

"""LLM back-ends as Distilabel LLMs: the built-in writer, and any OpenAI-compatible endpoint.

Here: what all back-ends share (work key, ledger, one call per key) and the two that exist. A back-end is one
method, `_call(request) -> Reply`. Not here: the writer itself (`writer.py`), the ledger (`ledger.py`).
"""

from __future__ import annotations

import asyncio
import os
import random
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import PrivateAttr

from specmill.specs.errors import BadInput, WorkFailed

from .distilabel_parts import AsyncLLM
from .ledger import FAILED, OK, REFUSED, TRUNCATED, UNPARSED, Ledger, Reply, work_key
from .messages import Messages
from .writer import WRITER_MODEL, answer

# One fixed step between the seeds of two attempts at a request, so that a retry is a new request on the
# wire (with its own key), and the same one in every run.
SEED_STEP = 1_000_003
RETRIED_STATUS = {408, 409, 425, 429, 500, 502, 503, 504, 529}
FATAL_STATUS = {401, 402, 403, 404}


class SpecLLM(AsyncLLM):
    """A Distilabel LLM whose calls go through the ledger: a request whose reply is known costs nothing.

    `agenerate` returns, beside `generations` and `statistics`, one entry a generation of `work_key`, `state`
    (ok, truncated, refused, failed), `finish` and `reused` (the reply was known before this object's first call).
    A call that fails is a state, not an exception.
    """

    model: str
    temperature: float | None = None
    seed: int = 0
    max_in_flight: int = 64
    ledger_path: str = ""

    _ledger: Ledger | None = PrivateAttr(default=None)
    _pending: dict[str, asyncio.Future[Reply]] = PrivateAttr(default_factory=dict)
    _slots: asyncio.Semaphore | None = PrivateAttr(default=None)
    _fresh: set[str] = PrivateAttr(default_factory=set)

    @property
    def model_name(self) -> str:
        return self.model

    def load(self) -> None:
        super().load()
        # Opened here and not earlier: under Distilabel's own Pipeline this runs after the fork.
        if self._ledger is None and self.ledger_path:
            self._ledger = Ledger(Path(self.ledger_path))
        self._slots = asyncio.Semaphore(self.max_in_flight)

    def use_ledger(self, ledger: Ledger) -> None:
        """Share a ledger that is already open in this process."""
        self._ledger = ledger

    async def agenerate(  # type: ignore[override]
        self,
        input: Messages,
        num_generations: int = 1,
        max_new_tokens: int = 2048,
        attempt: int = 0,
        spec: str = "",
        stage: str = "",
    ) -> dict[str, Any]:
        """Return Distilabel's GenerateOutput for one conversation."""
        results = []
        for number in range(num_generations):
            request = self._request(input, max_new_tokens, attempt + number)
            results.append(await self._ask(request, spec=spec, stage=stage))
        replies = [reply for reply, _, _ in results]
        return {
            "generations": [reply.text for reply in replies],
            "statistics": {
                "input_tokens": [reply.tokens_in for reply in replies],
                "output_tokens": [reply.tokens_out for reply in replies],
            },
            "state": [reply.state for reply in replies],
            "finish": [reply.finish for reply in replies],
            "work_key": [key for _, key, _ in results],
            "reused": [reused for _, _, reused in results],
        }

    def _request(self, messages: Messages, max_tokens: int, attempt: int) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "max_tokens": max_tokens,
            "seed": self.seed + SEED_STEP * attempt,
        }
        if self.temperature is not None:
            request["temperature"] = self.temperature
        return request

    async def _ask(self, request: dict[str, Any], *, spec: str, stage: str) -> tuple[Reply, str, bool]:
        """Return (reply, work key, whether an earlier run had asked)."""
        key = work_key(request)
        known = self._ledger.find(key) if self._ledger else None
        if known is not None:
            return known, key, key not in self._fresh
        if key in self._pending:
            return await asyncio.shield(self._pending[key]), key, False
        self._fresh.add(key)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[key] = future
        try:
            reply = await self._send(key, request, spec=spec, stage=stage)
            future.set_result(reply)
        finally:
            del self._pending[key]
            if not future.done():
                future.cancel()
        return reply, key, False

    async def _send(self, key: str, request: dict[str, Any], *, spec: str, stage: str) -> Reply:
        assert self._slots is not None, "load() comes before the first call"
        async with self._slots:
            if self._ledger:
                self._ledger.intend(key, request, spec=spec, stage=stage)
            reply = await self._call(request)
            if self._ledger:
                self._ledger.settle(key, reply)
        return reply

    def judge(self, key: str, *, readable: bool) -> None:
        """Note in the ledger whether a reply could be read."""
        if self._ledger:
            self._ledger.judge(key, OK if readable else UNPARSED)

    def stored_reply(self, key: str) -> str:
        """Return the text of a reply that is in the ledger."""
        reply = self._ledger.find(key) if self._ledger else None
        if reply is None:
            raise WorkFailed(f"call {key}: its reply is not in the ledger; rerun to ask again")
        return reply.text

    @abstractmethod
    async def _call(self, request: dict[str, Any]) -> Reply: ...

    async def check(self) -> None:
        """Raise BadInput when the back-end can't be used at all; called once before any work."""

    async def aclose(self) -> None:
        """Release what the calls of this event loop hold open."""


class WriterLLM(SpecLLM):
    """The built-in writer: answers each prompt itself, in this process, always with the same text."""

    model: str = WRITER_MODEL
    _count_tokens: Callable[[str], int] | None = PrivateAttr(default=None)

    def count_with(self, count_tokens: Callable[[str], int]) -> None:
        """Name the token counter behind `usage`; without one, words are counted."""
        self._count_tokens = count_tokens

    async def _call(self, request: dict[str, Any]) -> Reply:
        completion = answer(request, self._count_tokens)
        state = TRUNCATED if completion.finish == "length" else OK
        return Reply(completion.text, state, completion.finish, completion.tokens_in, completion.tokens_out)


class OpenAICompatibleLLM(SpecLLM):
    """Any server that speaks `/chat/completions`: hosted APIs, vLLM, llama.cpp, Ollama, `specmill serve`.

    The key comes from the environment variable OPENAI_API_KEY and is kept nowhere.
    """

    base_url: str
    timeout_seconds: float = 300.0
    max_tries: int = 6

    _session: aiohttp.ClientSession | None = PrivateAttr(default=None)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            key = os.environ.get("OPENAI_API_KEY", "")
            self._session = aiohttp.ClientSession(
                # Not httpx: it collapses at 256 requests in flight (docs/decisions/0002).
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=self.timeout_seconds),
                headers={"Authorization": f"Bearer {key}"} if key else {},
            )
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def check(self) -> None:
        url = self.base_url.rstrip("/") + "/models"
        try:
            async with self._client().get(url) as response:
                if response.status in (401, 403):
                    raise BadInput(f"{self.base_url}: the key was refused; set OPENAI_API_KEY")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise BadInput(
                f"{self.base_url}: no answer ({reason}); start the server or mend --base-url"
            ) from None

    async def _call(self, request: dict[str, Any]) -> Reply:
        url = self.base_url.rstrip("/") + "/chat/completions"
        error, retry_after = "", 0.0
        for number in range(self.max_tries):
            if number:
                await asyncio.sleep(_pause(number, retry_after))
            retry_after = 0.0
            try:
                async with self._client().post(url, json=request) as response:
                    if response.status == 200:
                        return _read_completion(await response.json(content_type=None))
                    error = f"HTTP {response.status}: {(await response.text())[:300]}"
                    if response.status in FATAL_STATUS:
                        raise WorkFailed(f"{self.base_url} refuses model {self.model!r}: {error}")
                    if response.status not in RETRIED_STATUS:
                        break
                    retry_after = _seconds(response.headers.get("retry-after"))
            except (aiohttp.ClientError, TimeoutError, ValueError) as problem:
                error = f"{type(problem).__name__}: {problem}"[:300]
        return Reply("", FAILED, "error", error=error)


def _pause(number: int, retry_after: float) -> float:
    """Return the seconds to wait before try `number`: what the server asks for, else longer each time."""
    spread = random.uniform(0.5, 1.0)  # jitter only shifts when, never what
    return max(min(retry_after, 60.0), min(0.5 * float(2**number), 20.0) * spread)


def _seconds(header: str | None) -> float:
    try:
        return float(header or 0)
    except ValueError:
        return 0.0


def _read_completion(body: Any) -> Reply:
    """Return the reply in a chat completion; a body of another shape counts as a failed call."""
    try:
        choice, usage = body["choices"][0], body.get("usage") or {}
        message, finish = choice["message"], choice.get("finish_reason") or "stop"
        text, refusal = message.get("content") or "", message.get("refusal")
        tokens = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return Reply("", FAILED, "error", error=f"not a chat completion: {str(body)[:200]}")
    if refusal or finish == "content_filter":
        return Reply(refusal or text, REFUSED, finish, *tokens)
    return Reply(text, TRUNCATED if finish == "length" else OK, finish, *tokens)


def open_llm(name: str, *, base_url: str | None = None, seed: int = 0, max_in_flight: int = 64) -> SpecLLM:
    """Return the back-end a command-line name stands for: `writer`, or `openai:MODEL` (with a base URL)."""
    kind, _, model = name.partition(":")
    if name == "writer":
        if base_url:
            raise BadInput("--base-url: the writer has none; use --llm openai:MODEL with it")
        return WriterLLM(seed=seed, max_in_flight=1)
    if kind == "openai" and model:
        return OpenAICompatibleLLM(
            model=model,
            base_url=base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1",
            seed=seed,
            max_in_flight=max_in_flight,
        )
    raise BadInput(f"--llm {name}: unknown back-end; use 'writer' or 'openai:MODEL' (with --base-url URL)")

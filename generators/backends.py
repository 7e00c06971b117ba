"""Back-ends reached over HTTP: any OpenAI-compatible server, and Anthropic's API; and the one a name stands for.

Here: wire formats and what their answers mean. Not here: retries, money, the ledger (`llms.py`).
A key comes from an environment variable and goes into a header; it stands in no request body, and so in no ledger.
"""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import aiohttp
from pydantic import PrivateAttr

from specmill.specs.errors import BadInput, WorkFailed

from .backend_names import parse_backend, without_secrets
from .ledger import OK, REFUSED, TRUNCATED, Reply
from .llms import SEED_STEP, ReaderLLM, SpecLLM, TryAgain, WriterLLM, rejected
from .messages import Messages

LIMITED_STATUS = {429, 529}
FAULT_STATUS = {408, 409, 425, 500, 502, 503, 504}
FATAL_STATUS = {401, 402, 403, 404}
BATCH_IN_FLIGHT = 10_000  # a batch is slow however small it is, so the calls of a stage should share one
OPENAI_HOST = "//api.openai.com/"
ANTHROPIC_VERSION = "2023-06-01"


class Rejected(Exception):
    """The endpoint will never take this request."""


class HttpLLM(SpecLLM):
    """A back-end behind one HTTP endpoint: the session, and what statuses and broken connections mean."""

    base_url: str
    timeout_seconds: float = 300.0
    key_variable: str = ""  # the environment variable that holds the key; empty: the API's usual one

    usual_variable: ClassVar[str] = ""
    path: ClassVar[str] = ""

    _session: aiohttp.ClientSession | None = PrivateAttr(default=None)

    def _key(self) -> str:
        return os.environ.get(self.key_variable or self.usual_variable, "")

    @abstractmethod
    def _headers(self, key: str) -> dict[str, str]: ...

    @abstractmethod
    def _read(self, body: Any) -> Reply:
        """Return the reply in an answer. Any exception of a lookup means: not an answer."""

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                # Not httpx: it collapses at 256 requests in flight (docs/decisions/0002).
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=self.timeout_seconds, sock_connect=30),
                headers=self._headers(self._key()),
            )
        return self._session

    def _url(self, path: str) -> str:
        return self.base_url.rstrip("/") + path

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def check(self) -> None:
        where = without_secrets(self.base_url)
        try:
            async with self._client().get(self._url("/models")) as response:
                if response.status in (401, 403):
                    name = self.key_variable or self.usual_variable
                    raise BadInput(f"{where}: the key was refused; set {name} in the environment")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = self._safe(str(error) or type(error).__name__)
            raise BadInput(f"{where}: no answer ({reason}); start the server or mend its address") from None

    async def _try(self, request: dict[str, Any]) -> Reply:
        try:
            answer = await self._call("POST", self.path, json=request)
        except Rejected as refusal:
            return rejected(str(refusal))
        return self._read_or_try_again(answer)

    async def _call(self, method: str, path: str, **body: Any) -> bytes:
        """Return what an endpoint answers. Raises TryAgain, Rejected, or WorkFailed where every call would fail."""
        try:
            async with self._client().request(method, self._url(path), **body) as response:
                if response.status == 200:
                    return await response.read()
                raise self._refusal(response, self._safe(f"HTTP {response.status}: {await response.text()}"))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TryAgain(self._safe(f"{type(error).__name__}: {error}"), unreachable=True) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            told = self._safe(f"{type(error).__name__}: {error}")[:300]
            raise TryAgain(told, may_be_billed=True) from None

    def _read_or_try_again(self, answer: bytes) -> Reply:
        try:
            return self._read(json.loads(answer))
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            told = self._safe(
                f"the answer has another shape than the API's: {answer.decode(errors='replace')}"
            )
            raise TryAgain(told[:300], may_be_billed=True) from None

    def _refusal(self, response: aiohttp.ClientResponse, told: str) -> Exception:
        """Return what a status other than 200 means. The text was made safe before it is cut: half a key is one."""
        told = told[:300]
        if response.status in FATAL_STATUS:
            where = without_secrets(self.base_url)
            return WorkFailed(
                f"{where} refuses model {self.model!r}: {told}; replies so far are kept, rerun to go on"
            )
        after = _seconds(response.headers.get("retry-after"))
        if response.status in LIMITED_STATUS:
            return TryAgain(told, after_seconds=after, limited=True)
        if response.status in FAULT_STATUS:
            return TryAgain(told, after_seconds=after)
        return Rejected(told)

    def _safe(self, text: str) -> str:
        """Return a text without the key in it: an API may repeat what it was sent."""
        key = self._key()
        return without_secrets(text.replace(key, "***") if key else text)


class OpenAICompatibleLLM(HttpLLM):
    """Any server that speaks `/chat/completions`: hosted APIs, vLLM, llama.cpp, Ollama, `specmill serve`."""

    usual_variable: ClassVar[str] = "OPENAI_API_KEY"
    path: ClassVar[str] = "/chat/completions"

    def _request(self, messages: Messages, max_tokens: int, attempt: int) -> dict[str, Any]:
        request = super()._request(messages, max_tokens, attempt)
        if OPENAI_HOST in self.base_url:  # whose reasoning models refuse the name that all other servers know
            request["max_completion_tokens"] = request.pop("max_tokens")
        return request

    def _headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _read(self, body: Any) -> Reply:
        return read_completion(body)


def read_completion(body: Any) -> Reply:
    """Return the reply in an OpenAI chat completion."""
    choice, usage = body["choices"][0], body.get("usage") or {}
    message, finish = choice["message"], choice.get("finish_reason") or "stop"
    text, refusal = message.get("content") or "", message.get("refusal")
    tokens_in = int(usage.get("prompt_tokens") or 0)
    tokens_out = int(usage.get("completion_tokens") or 0)
    cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    state = TRUNCATED if finish == "length" else OK
    if refusal or finish == "content_filter":
        text, state = refusal or text, REFUSED
    return Reply(text, state, finish, tokens_in, tokens_out, tokens_cached=cached)


class AnthropicLLM(HttpLLM):
    """Anthropic's Messages API, with the system prompt marked for its prompt cache."""

    usual_variable: ClassVar[str] = "ANTHROPIC_API_KEY"
    path: ClassVar[str] = "/messages"

    def _headers(self, key: str) -> dict[str, str]:
        return {"x-api-key": key, "anthropic-version": ANTHROPIC_VERSION}

    def _request(self, messages: Messages, max_tokens: int, attempt: int) -> dict[str, Any]:
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        request: dict[str, Any] = {
            "model": self.model,
            "max_tokens": max_tokens,
            "messages": [message for message in messages if message["role"] != "system"],
        }
        if system:
            request["system"] = [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]
        if self.thinking_tokens:
            request["thinking"] = {"type": "enabled", "budget_tokens": self.thinking_tokens}
        elif self.temperature is not None:  # the API takes no temperature beside thinking
            request["temperature"] = self.temperature
        return {**request, **self.body}

    def _draw(self, attempt: int) -> int:
        return self.seed + SEED_STEP * attempt

    def _read(self, body: Any) -> Reply:
        text = "".join(part["text"] for part in body["content"] if part["type"] == "text")
        usage, finish = body["usage"], body["stop_reason"]
        cached = int(usage.get("cache_read_input_tokens") or 0)
        written = int(usage.get("cache_creation_input_tokens") or 0)
        state = {"max_tokens": TRUNCATED, "model_context_window_exceeded": TRUNCATED, "refusal": REFUSED}
        return Reply(
            text,
            state.get(finish, OK),
            finish or "stop",
            int(usage["input_tokens"]) + cached + written,
            int(usage["output_tokens"]),
            tokens_cached=cached,
            tokens_cache_written=written,
        )


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0


def open_llm(
    name: str,
    *,
    base_url: str | None = None,
    seed: int = 0,
    max_in_flight: int = 64,
    option: str = "--llm",
    **options: Any,
) -> SpecLLM:
    """Return the back-end a command-line name stands for; `options` are fields of its class."""
    backend = parse_backend(name, option)
    if backend.kind.endswith("-batch"):
        max_in_flight = max(max_in_flight, BATCH_IN_FLIGHT)
    address = backend.base_url or base_url
    if backend.kind == "reader":
        return ReaderLLM(seed=seed, max_in_flight=1, **options)
    if backend.kind == "writer":
        if base_url:
            raise BadInput("--base-url: the writer has none; use --llm openai:MODEL with it")
        return WriterLLM(seed=seed, max_in_flight=1, **options)
    shared = {"model": backend.model, "seed": seed, "max_in_flight": max_in_flight, **options}
    if backend.kind == "litellm":
        from .litellm_backend import LiteLLMBackend

        return LiteLLMBackend(base_url=address or "", **shared)
    if backend.kind == "vllm" and not address:
        raise BadInput(
            f"{option} {backend.name}: no server runs for it; name one as {backend.name}@http://..."
        )
    if (
        backend.kind == "vllm"
    ):  # with a key variable of its own: OpenAI's key is nothing for that server to see
        return OpenAICompatibleLLM(base_url=address, **{"key_variable": "VLLM_API_KEY", **shared})
    return _http_class(backend.kind)(base_url=address or _usual_address(backend.kind), **shared)


def _http_class(kind: str) -> Callable[..., HttpLLM]:
    if not kind.endswith("-batch"):
        return AnthropicLLM if kind == "anthropic" else OpenAICompatibleLLM
    from .batch_apis import AnthropicBatchLLM, OpenAIBatchLLM

    return AnthropicBatchLLM if kind == "anthropic-batch" else OpenAIBatchLLM


def _usual_address(kind: str) -> str:
    if kind.startswith("openai"):
        return os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    usual = os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com").rstrip("/")
    return usual if usual.endswith("/v1") else usual + "/v1"

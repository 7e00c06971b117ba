"""Back-ends reached over HTTP: any OpenAI-compatible server, and Anthropic's API; and the one a name stands for.

Here: wire formats and what their answers mean. Not here: retries, money, the ledger (`llms.py`).
A key comes from an environment variable and goes into a header; it stands in no request body, and so in no ledger.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import aiohttp
from pydantic import PrivateAttr

from specmill.specs.errors import BadInput, WorkFailed

from .backend_names import parse_backend, without_secrets
from .ledger import OK, REFUSED, TRUNCATED, Reply
from .llms import SEED_STEP, SpecLLM, TryAgain, WriterLLM, rejected
from .messages import Messages

LIMITED_STATUS = {429, 529}
FAULT_STATUS = {408, 409, 425, 500, 502, 503, 504}
FATAL_STATUS = {401, 402, 403, 404}
ANTHROPIC_VERSION = "2023-06-01"


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

    def _headers(self, key: str) -> dict[str, str]:
        raise NotImplementedError

    def _read(self, body: Any) -> Reply:
        """Return the reply in an answer. Any exception of a lookup means: not an answer."""
        raise NotImplementedError

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
            async with self._client().post(self._url(self.path), json=request) as response:
                if response.status == 200:
                    return self._read_or_try_again(await response.json(content_type=None))
                told = self._safe(f"HTTP {response.status}: {(await response.text())[:300]}")
                return self._refused(response, told)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TryAgain(self._safe(f"{type(error).__name__}: {error}"), unreachable=True) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            told = self._safe(f"{type(error).__name__}: {error}"[:300])
            raise TryAgain(told, may_be_billed=True) from None

    def _read_or_try_again(self, body: Any) -> Reply:
        try:
            return self._read(body)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            told = self._safe(f"the answer has another shape than the API's: {str(body)[:200]}")
            raise TryAgain(told, may_be_billed=True) from None

    def _refused(self, response: aiohttp.ClientResponse, told: str) -> Reply:
        if response.status in FATAL_STATUS:
            where = without_secrets(self.base_url)
            raise WorkFailed(
                f"{where} refuses model {self.model!r}: {told}; replies so far are kept, rerun to go on"
            )
        after = _seconds(response.headers.get("retry-after"))
        if response.status in LIMITED_STATUS:
            raise TryAgain(told, after_seconds=after, limited=True)
        if response.status in FAULT_STATUS:
            raise TryAgain(told, after_seconds=after)
        return rejected(told)

    def _safe(self, text: str) -> str:
        """Return a text without the key in it: an API may repeat what it was sent."""
        key = self._key()
        return without_secrets(text.replace(key, "***") if key else text)


class OpenAICompatibleLLM(HttpLLM):
    """Any server that speaks `/chat/completions`: hosted APIs, vLLM, llama.cpp, Ollama, `specmill serve`."""

    usual_variable: ClassVar[str] = "OPENAI_API_KEY"
    path: ClassVar[str] = "/chat/completions"

    def _headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _read(self, body: Any) -> Reply:
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
    address = backend.base_url or base_url
    if backend.kind == "writer":
        if base_url:
            raise BadInput("--base-url: the writer has none; use --llm openai:MODEL with it")
        return WriterLLM(seed=seed, max_in_flight=1, **options)
    shared = {"model": backend.model, "seed": seed, "max_in_flight": max_in_flight, **options}
    if backend.kind == "anthropic":
        usual = os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com").rstrip("/")
        return AnthropicLLM(base_url=address or (usual if usual.endswith("/v1") else usual + "/v1"), **shared)
    usual = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    return OpenAICompatibleLLM(base_url=address or usual, **shared)

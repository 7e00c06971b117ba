"""What all LLM back-ends share: work key, ledger, budget, retries; and the built-in ones that need no server.

A back-end is `_request(...)`, the body as it goes on the wire, and `_try(request)`, one exchange. Everything that
costs a user money or data is decided here, once. Not here: wire formats (`backends.py`), the writer (`writer.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pydantic import PrivateAttr

from specmill.specs.errors import WorkFailed

from .budget import FREE, NOTHING, Budget, Price, Spend
from .distilabel_parts import AsyncLLM
from .ledger import (
    FAILED,
    OK,
    REFUSED,
    REJECTED,
    TRUNCATED,
    UNPARSED,
    Ledger,
    Reply,
    canonical_json,
    work_key,
)
from .messages import Messages
from .reader import READER_MODEL
from .reader import reply as read_and_reply
from .writer import WRITER_MODEL, answer, reply

# One fixed step between the seeds of two attempts at a request, so that a retry is a new request on the
# wire (with its own key), and the same one in every run.
SEED_STEP = 1_000_003
# A chat template wraps each message in a few tokens of its own.
TEMPLATE_TOKENS = 64
LONGEST_PAUSE_SECONDS = 20.0


class TryAgain(Exception):
    """One exchange brought no reply, another may: `limited` (asked to slow down), `unreachable` (never sent),
    or else a fault. `may_be_billed` where the server may have done the work for nothing."""

    def __init__(
        self,
        error: str,
        *,
        after_seconds: float = 0.0,
        may_be_billed: bool = False,
        limited: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.after_seconds = after_seconds
        self.may_be_billed = may_be_billed
        self.limited = limited
        self.unreachable = unreachable


class Halted(Exception):
    """The run is being stopped: nothing new is sent."""


class Gate:
    """Holds all calls of one endpoint back while it is gone."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._until = 0.0
        self._gone_since: float | None = None
        self._pauses = 0

    def seconds_left(self) -> float:
        return self._until - time.monotonic()

    def up(self) -> None:
        self._gone_since, self._pauses = None, 0

    def gone(self, error: str) -> None:
        """Pause longer each time; WorkFailed when the endpoint has been away for too long."""
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        if now - self._gone_since > self._patience_seconds:
            raise WorkFailed(
                f"the endpoint has been gone for {now - self._gone_since:,.0f} s ({error}); every reply is kept,"
                " rerun to go on"
            )
        if self.seconds_left() <= 0:  # the calls that were in flight together count as one
            self._pauses += 1
            self._until = now + _growing(self._pauses)


class SpecLLM(AsyncLLM):
    """A Distilabel LLM whose calls go through the ledger: a request whose reply is known costs nothing.

    `agenerate` returns, beside `generations` and `statistics`, one entry a generation of `work_key`, `state`
    (ok, truncated, refused, failed), `finish`, `parked` (a failure that no rerun asks about again) and `reused`
    (the reply was known before this object's first call). A call that fails is a state, not an exception; only the
    end of the budget, of patience with an endpoint, or of the run itself leaves `agenerate`.
    """

    model: str
    temperature: float | None = None
    seed: int = 0
    max_in_flight: int = 64
    ledger_path: str = ""
    max_tries: int = 6
    patience_seconds: float = 900.0
    thinking_tokens: int = 0  # on top of a stage's cap, so that thinking doesn't eat the answer's room
    body: dict[str, Any] = {}  # further fields of every request  # noqa: RUF012 (pydantic copies it)

    _ledger: Ledger | None = PrivateAttr(default=None)
    _budget: Budget = PrivateAttr(default_factory=Budget)
    _price: Price = PrivateAttr(default=FREE)
    _pending: dict[str, asyncio.Future[Reply]] = PrivateAttr(default_factory=dict)
    _slots: asyncio.Semaphore | None = PrivateAttr(default=None)
    _halt: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _gate: Gate | None = PrivateAttr(default=None)
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
        self._halt = asyncio.Event()
        self._gate = Gate(self.patience_seconds)

    def use_ledger(self, ledger: Ledger, *, budget: Budget | None = None, price: Price | None = None) -> None:
        """Share a ledger that is open in this process, and the budget of all who share it."""
        self._ledger = ledger
        self._budget = budget or Budget()
        self._price = price or FREE

    def for_other_process(self, ledger_path: Path) -> Self:
        """Return a copy that opens the ledger itself when it is loaded, and counts no budget."""
        other: Self = self.model_copy(update={"ledger_path": str(ledger_path)})
        other._ledger, other._budget, other._slots, other._gate = None, Budget(), None, None
        other._pending, other._fresh, other._halt = {}, set(), asyncio.Event()
        return other

    def halt(self) -> None:
        """Send nothing new from now on; what is in flight may still come in."""
        self._halt.set()

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
            request = self._request(input, max_new_tokens + self.thinking_tokens, attempt + number)
            key = work_key(request, self._draw(attempt + number))
            results.append((*await self._ask(key, request, spec=spec, stage=stage), key))
        replies = [reply for reply, _, _ in results]
        return {
            "generations": [reply.text for reply in replies],
            "statistics": {
                "input_tokens": [reply.tokens_in for reply in replies],
                "output_tokens": [reply.tokens_out for reply in replies],
            },
            "state": [reply.state for reply in replies],
            "finish": [reply.finish for reply in replies],
            "parked": [reply.is_parked for reply in replies],
            "work_key": [key for _, _, key in results],
            "reused": [reused for _, reused, _ in results],
        }

    def _request(self, messages: Messages, max_tokens: int, attempt: int) -> dict[str, Any]:
        """Return the body of a chat completion request; another wire format overrides this."""
        request: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "max_tokens": max_tokens,
            "seed": self.seed + SEED_STEP * attempt,
        }
        if self.temperature is not None:
            request["temperature"] = self.temperature
        return {**request, **self.body}

    def _draw(self, attempt: int) -> int:
        """Return what tells apart the draws of a request whose wire format has no seed; 0 where it has one."""
        return 0

    def _worst(self, request: dict[str, Any]) -> Spend:
        """Return the most an exchange can cost: no tokenizer makes more tokens of a text than it has bytes."""
        most_in = len(canonical_json(request)) + TEMPLATE_TOKENS * (len(request["messages"]) + 1)
        most_out = int(request.get("max_completion_tokens") or request["max_tokens"])
        return self._price.worst(most_in, most_out, factor=self._price_factor())

    def _price_factor(self) -> float:
        """Return the share of the list price that a call costs."""
        return 1.0

    def _cost(self, reply: Reply) -> Spend:
        return self._price.cost(
            reply.tokens_in,
            reply.tokens_out,
            cached=reply.tokens_cached,
            cache_written=reply.tokens_cache_written,
            factor=self._price_factor(),
        )

    async def _ask(self, key: str, request: dict[str, Any], *, spec: str, stage: str) -> tuple[Reply, bool]:
        """Return (reply, whether an earlier run had asked)."""
        known = self._ledger.find(key) if self._ledger else None
        if known is not None:
            return known, key not in self._fresh
        if key in self._pending:
            return await asyncio.shield(self._pending[key]), False
        self._fresh.add(key)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[key] = future
        try:
            reply = await self._send(key, request, spec=spec, stage=stage)
            future.set_result(reply)
        except BaseException as error:
            future.set_exception(Halted() if isinstance(error, asyncio.CancelledError) else error)
            future.exception()  # seen: nobody else may be waiting for it
            raise
        finally:
            del self._pending[key]
        return reply, False

    async def _send(self, key: str, request: dict[str, Any], *, spec: str, stage: str) -> Reply:
        """Try until there is a reply, or patience ends; every try is reserved, written down and settled."""
        assert self._slots is not None and self._gate is not None, "load() comes before the first call"
        async with self._slots:
            resumed = await self._resume(key)
            if resumed is not None:
                return resumed
            worst, faults, limited_since = self._worst(request), 0, 0.0
            for number in itertools.count(1):
                await self._pass_gate()
                await self._budget.reserve(worst)
                cost = worst  # what a cancelled call counts as, since it may be billed
                try:
                    self._intend(key, request, worst, spec=spec, stage=stage)
                    started = time.monotonic()
                    reply = replace(await self._exchange(key, request), seconds=time.monotonic() - started)
                    cost = self._cost(reply)
                    self._settle(key, reply, cost)
                    self._gate.up()
                    return reply
                except TryAgain as fault:
                    cost = worst if fault.may_be_billed else NOTHING
                    self._lose(key, cost, fault.error)
                    failure = fault
                except WorkFailed as refusal:  # a wrong key or model: nothing was done, nothing is billed
                    cost = NOTHING
                    self._lose(key, cost, refusal.message)
                    raise
                finally:
                    self._budget.settle(worst, cost)
                limited_since = limited_since or time.monotonic() if failure.limited else 0.0
                faults += not (failure.limited or failure.unreachable)
                if faults >= self.max_tries or self._is_out_of_patience(limited_since):
                    return self._give_up(key, failure)
                await self._pause(failure, number)
        raise AssertionError("the loop above ends by returning or raising")

    async def _resume(self, key: str) -> Reply | None:
        """Return the reply to what an earlier run bought and didn't fetch; only batches can be fetched later."""
        return None

    async def _exchange(self, key: str, request: dict[str, Any]) -> Reply:
        """`_try` for back-ends whose exchange carries the work key."""
        return await self._try(request)

    def _intend(self, key: str, request: dict[str, Any], worst: Spend, *, spec: str, stage: str) -> None:
        if self._ledger:
            self._ledger.intend(key, request, spec=spec, stage=stage, reserved=worst)

    def _settle(self, key: str, reply: Reply, cost: Spend) -> None:
        if self._ledger:
            self._ledger.settle(key, reply, cost)

    def _lose(self, key: str, cost: Spend, error: str) -> None:
        if self._ledger:
            self._ledger.lose(key, cost, error)

    def _give_up(self, key: str, failure: TryAgain) -> Reply:
        reply = Reply("", FAILED, "error", error=failure.error)
        self._settle(key, reply, NOTHING)
        return reply

    def _is_out_of_patience(self, limited_since: float) -> bool:
        return bool(limited_since) and time.monotonic() - limited_since > self.patience_seconds

    async def _pause(self, failure: TryAgain, number: int) -> None:
        """Wait after a fault: all calls together while the endpoint is gone, else this one alone."""
        assert self._gate is not None
        if failure.unreachable:
            self._gate.gone(failure.error)
            return
        self._gate.up()
        await self._sleep(max(min(failure.after_seconds, 60.0), _growing(number)))

    async def _pass_gate(self) -> None:
        assert self._gate is not None
        while (seconds := self._gate.seconds_left()) > 0:
            await self._sleep(seconds * random.uniform(1.0, 1.2))
        if self._halt.is_set():
            raise Halted

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._halt.wait(), seconds)
        except TimeoutError:
            return
        raise Halted

    def judge(self, key: str, *, readable: bool) -> None:
        """Note in the ledger whether a reply could be read."""
        if self._ledger:
            self._ledger.judge(key, OK if readable else UNPARSED)

    def note_refusal(self, key: str) -> None:
        """Note in the ledger that a reply declines to answer."""
        if self._ledger:
            self._ledger.judge(key, REFUSED)

    def stored_reply(self, key: str) -> str:
        """Return the text of a reply that is in the ledger."""
        reply = self._ledger.find(key) if self._ledger else None
        if reply is None:
            raise WorkFailed(f"call {key}: its reply is not in the ledger; rerun to ask again")
        return reply.text

    @abstractmethod
    async def _try(self, request: dict[str, Any]) -> Reply:
        """Return what came back for a request. Raises TryAgain, or WorkFailed where every call would fail."""

    async def check(self) -> None:
        """Raise BadInput when the back-end can't be used at all; called once before any work."""

    async def aclose(self) -> None:
        """Release what the calls of this event loop hold open."""


def rejected(error: str) -> Reply:
    """Return the reply that stands for a request which the endpoint will never take."""
    return Reply("", FAILED, REJECTED, error=error)


def _growing(number: int) -> float:
    """Return the seconds to wait before the next try, longer each time. Jitter only shifts when, never what."""
    return min(0.25 * float(2**number), LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.0)


class WriterLLM(SpecLLM):
    """The built-in writer: answers each prompt itself, in this process, always with the same text."""

    model: str = WRITER_MODEL
    _count_tokens: Callable[[str], int] | None = PrivateAttr(default=None)

    def count_with(self, count_tokens: Callable[[str], int]) -> None:
        """Name the token counter behind `usage`; without one, words are counted."""
        self._count_tokens = count_tokens

    def _reply(self, messages: Messages, seed: int) -> str:
        return reply(messages, seed=seed)

    async def _try(self, request: dict[str, Any]) -> Reply:
        completion = answer(request, self._count_tokens, self._reply)
        state = TRUNCATED if completion.finish == "length" else OK
        return Reply(completion.text, state, completion.finish, completion.tokens_in, completion.tokens_out)


class ReaderLLM(WriterLLM):
    """The built-in reader: judges documents by rules, so that review can be rehearsed without a model."""

    model: str = READER_MODEL

    def _reply(self, messages: Messages, seed: int) -> str:
        return read_and_reply(messages, seed=seed)

"""Back-ends that buy their replies in batches, at half price: OpenAI's and Anthropic's batch APIs.

Calls that arrive are pooled, sent as one batch, and waited for, a day at most. Before a batch is sent, its nonce
is in the ledger with all calls in it; before it is waited for, its id is. So a rerun after a kill finds what was
bought and fetches it. Between these two writes OpenAI can be asked, since a batch carries its nonce; Anthropic's
batches carry nothing of ours, so there a kill in the moment that it takes to send one may buy its calls a second
time: what they had reserved stays counted as spent.

Not here: one call's way through budget and ledger (`llms.py`), what a reply's body means (`backends.py`), the two
wire formats (`batch_apis.py`), the table of batches (`batch_book.py`).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from abc import abstractmethod
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import click
import orjson
from pydantic import PrivateAttr

from specmill.specs.errors import WorkFailed

from .backend_names import without_secrets
from .backends import (
    BATCH_IN_FLIGHT,
    FATAL_STATUS,
    FAULT_STATUS,
    LIMITED_STATUS,
    HttpLLM,
    Rejected,
)
from .batch_book import DONE, LOST, POOLED, VOID, BatchBook, Bought
from .budget import NOTHING, Spend
from .ledger import Ledger, Reply, canonical_json
from .llms import Halted, TryAgain, rejected

TRANSFER = aiohttp.ClientTimeout(total=3600, sock_connect=30, sock_read=300)  # up to max_batch_bytes each way

Line = dict[str, Any]
Lines = dict[str, Line]


class BatchOpen(click.ClickException):
    """A batch couldn't be waited for. Not WorkFailed: its calls stay reserved, and a rerun fetches them."""

    exit_code = 1


NO_ANSWER = (Rejected, ValueError, KeyError, TypeError, AttributeError)  # or not one of the API's shape


class _Gone(Exception):
    """The provider has no such batch or file (any more)."""


@dataclass(slots=True)
class _Pool:
    """Calls on their way into one batch, by work key; `lines` becomes what its results say of each."""

    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    n_bytes: int = 0
    last: float = 0.0
    lines: asyncio.Task[Lines] | None = None


class BatchLLM(HttpLLM):
    """A back-end that pools its calls: a batch leaves when no call has come for `linger_seconds`, or it is full."""

    max_in_flight: int = BATCH_IN_FLIGHT
    linger_seconds: float = 2.0
    max_batch: int = 10_000
    max_batch_bytes: int = 100_000_000  # half of what OpenAI takes
    poll_seconds: float = 30.0

    provider: ClassVar[str] = ""

    _book: BatchBook | None = PrivateAttr(default=None)
    _pool: _Pool | None = PrivateAttr(default=None)
    _found: dict[str, asyncio.Task[Lines]] = PrivateAttr(default_factory=dict)
    _tasks: set[asyncio.Task[Lines]] = PrivateAttr(default_factory=set)

    def load(self) -> None:
        super().load()
        if self._ledger is None:
            self._ledger = Ledger(Path(":memory:"))
        self._book = BatchBook(self._ledger)
        self._pool, self._found, self._tasks = None, {}, set()  # of an event loop that is no more

    async def aclose(self) -> None:
        # A batch that is being sent gets its id written down before the loop ends; waiting for one ends at a halt.
        if not self._halt.is_set():
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().aclose()

    def _price_factor(self) -> float:
        return self._price.batch

    def _intend(self, key: str, request: dict[str, Any], worst: Spend, *, spec: str, stage: str) -> None:
        assert self._ledger is not None
        self._ledger.intend(key, request, spec=spec, stage=stage, reserved=worst, batch=POOLED)

    # One call.

    async def _exchange(self, key: str, request: dict[str, Any]) -> Reply:
        return self._reply(key, await asyncio.shield(self._join(key, request)))

    async def _resume(self, key: str) -> Reply | None:
        """Fetch what an earlier run bought for a call; None where it bought nothing, or nothing that came back."""
        assert self._book is not None
        bought = self._book.find(key)
        if bought is None:
            return None
        cost = worst = self._adopt(bought.reserved)
        try:
            if bought.state == VOID:
                raise TryAgain("never sent")
            reply = self._reply(key, await asyncio.shield(self._fetch_again(bought)))
            cost = self._cost(reply)
            self._settle(key, reply, cost)
            return reply
        except TryAgain as fault:
            cost = worst if fault.may_be_billed else NOTHING
            self._lose(key, cost, fault.error)
            return None
        except WorkFailed as refusal:
            cost = NOTHING
            self._lose(key, cost, refusal.message)
            raise
        finally:
            self._budget.settle(worst, cost)

    def _adopt(self, reserved: Spend) -> Spend:
        """Take over a reservation of an earlier run: the budget began with it as spent, now it is in flight."""
        self._budget.spent -= reserved
        self._budget.reserved += reserved
        self._budget.in_flight += 1
        return reserved

    def _reply(self, key: str, lines: Lines) -> Reply:
        """Return what a batch's results hold for a call."""
        assert self._book is not None
        line = lines.get(key)
        if line is not None and (body := self._body(line)) is not None:
            return self._read_or_try_again(orjson.dumps(body))
        self._book.unlink(key)
        if line is None:
            raise TryAgain("the batch ended without this call")
        status, told = self._problem(line)
        told = self._safe(told)[:300]
        if status in FATAL_STATUS:
            where = without_secrets(self.base_url)
            raise WorkFailed(
                f"{where} refuses model {self.model!r}: {told}; every reply is kept, rerun to go on"
            )
        if status in LIMITED_STATUS | FAULT_STATUS or not 400 <= status < 500:
            raise TryAgain(told)
        return rejected(told)

    # One batch.

    def _join(self, key: str, request: dict[str, Any]) -> asyncio.Task[Lines]:
        """Add a call to the pool and return the task that ends with its batch's results."""
        pool = self._pool
        if pool is None:
            pool = self._pool = _Pool()
            pool.lines = self._start(self._buy(pool))
        assert pool.lines is not None
        pool.requests[key] = request
        pool.n_bytes += len(canonical_json(request))
        pool.last = time.monotonic()
        if len(pool.requests) >= self.max_batch or pool.n_bytes >= self.max_batch_bytes:
            self._pool = None
        return pool.lines

    def _start(self, work: Coroutine[Any, Any, Lines]) -> asyncio.Task[Lines]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # its calls raise it
        return task

    async def _buy(self, pool: _Pool) -> Lines:
        assert self._book is not None
        await self._linger(pool)
        nonce = uuid.uuid4().hex
        address = without_secrets(self.base_url)
        self._book.intend(nonce, self.provider, address, self.model, list(pool.requests))
        try:
            batch_id = await self._submit_or_find(nonce, pool.requests)
        except TryAgain as fault:
            self._book.mark(nonce, LOST if fault.may_be_billed else VOID)
            raise
        except WorkFailed:
            self._book.mark(nonce, VOID)
            raise
        self._book.opened(nonce, batch_id)
        pool.requests.clear()
        return await self._collect(nonce, batch_id)

    async def _linger(self, pool: _Pool) -> None:
        """Wait until no call has come for a while; a full pool gets none any more."""
        try:
            while (left := pool.last + self.linger_seconds - time.monotonic()) > 0:
                await self._sleep(left)
            if self._halt.is_set():
                raise Halted
        except Halted:
            for key in pool.requests:
                self._lose(key, NOTHING, "not sent: the run was stopped")
            raise
        finally:
            if self._pool is pool:
                self._pool = None

    async def _submit_or_find(self, nonce: str, requests: dict[str, dict[str, Any]]) -> str:
        """Return the id of a batch of these requests, also where its making went through and its answer not."""
        try:
            return await self._submit(nonce, requests)
        except Rejected as refusal:
            raise WorkFailed(f"{without_secrets(self.base_url)} takes no such batch: {refusal}") from None
        except TryAgain as fault:
            if fault.limited or fault.unreachable:
                raise
            await self._sleep(self.poll_seconds)  # a batch just made may be listed late
            found = await self._look_up(nonce)
            if not found:
                raise TryAgain(fault.error, may_be_billed=found is None) from None
            return found

    def _fetch_again(self, bought: Bought) -> asyncio.Task[Lines]:
        if bought.nonce not in self._found:
            self._found[bought.nonce] = self._start(self._find_and_collect(bought))
        return self._found[bought.nonce]

    async def _find_and_collect(self, bought: Bought) -> Lines:
        assert self._book is not None
        if bought.address != without_secrets(self.base_url):
            raise BatchOpen(
                f"batch {bought.batch_id or bought.nonce} was bought at {bought.address} and isn't fetched yet;"
                f" rerun with that address to pay for nothing twice"
            )
        batch_id = bought.batch_id or await self._look_up(bought.nonce)
        if not batch_id:
            self._book.mark(bought.nonce, LOST if batch_id is None else VOID)
            raise TryAgain("killed while a batch was being sent", may_be_billed=batch_id is None)
        self._book.opened(bought.nonce, batch_id)
        return await self._collect(bought.nonce, batch_id)

    async def _look_up(self, nonce: str) -> str | None:
        try:
            return await self._find(nonce)
        except (WorkFailed, _Gone, *NO_ANSWER) as error:
            told = self._safe(f"{without_secrets(self.base_url)}: its batches can't be listed: {error}")
            raise BatchOpen(f"{told}; one of them may be ours, rerun to look again") from None

    async def _collect(self, nonce: str, batch_id: str) -> Lines:
        """Wait for a batch and return its lines by work key."""
        assert self._book is not None
        try:
            while not self._is_over(batch := orjson.loads(await self._get(self._batch_path(batch_id)))):
                await self._sleep(self.poll_seconds)
            problem = self._failure(batch)
            files = (
                [] if problem else [await self._get(path, timeout=TRANSFER) for path in self._results(batch)]
            )
        except _Gone as gone:  # deleted, or its results are too old: what it cost is spent
            raise TryAgain(f"batch {batch_id} is gone: {gone}", may_be_billed=True) from None
        except (WorkFailed, *NO_ANSWER) as error:
            told = self._safe(f"batch {batch_id} can't be read: {error}")
            raise BatchOpen(f"{told}; what it bought is kept at the provider, rerun to fetch it") from None
        if problem:
            self._book.mark(nonce, VOID)
            raise WorkFailed(self._safe(f"batch {batch_id} failed: {problem}; nothing was bought"))
        self._book.mark(nonce, DONE)
        lines = [orjson.loads(line) for file in files for line in file.splitlines() if line.strip()]
        return {line["custom_id"]: line for line in lines}

    async def _get(self, path: str, **options: Any) -> bytes:
        """Return what an endpoint answers, however long it is away, up to the user's patience."""
        since = time.monotonic()
        while True:
            try:
                return await self._unless_halted(self._call("GET", path, **options))
            except TryAgain as fault:
                if time.monotonic() - since > self.patience_seconds:
                    raise WorkFailed(f"{without_secrets(self.base_url)} is gone: {fault.error}") from None
                await self._sleep(max(min(fault.after_seconds, 60.0), self.poll_seconds))

    async def _unless_halted(self, work: Coroutine[Any, Any, bytes]) -> bytes:
        """Return what reading brings, or raise Halted in the middle of it: it can be read again."""
        reading, halted = asyncio.ensure_future(work), asyncio.ensure_future(self._halt.wait())
        try:
            await asyncio.wait((reading, halted), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise Halted
            return reading.result()
        finally:
            reading.cancel()
            halted.cancel()

    def _refusal(self, response: aiohttp.ClientResponse, told: str) -> Exception:
        if response.status == 404 and response.method == "GET":
            return _Gone(told[:300])
        return super()._refusal(response, told)

    # What a provider's batches look like.

    @abstractmethod
    async def _submit(self, nonce: str, requests: dict[str, dict[str, Any]]) -> str:
        """Send a batch and return its id. TryAgain, neither limited nor unreachable: it may have been made."""

    async def _find(self, nonce: str) -> str | None:
        """Return the id of the batch with a nonce, "" where there is none, None where nobody can tell."""
        return None

    @abstractmethod
    def _batch_path(self, batch_id: str) -> str: ...

    @abstractmethod
    def _is_over(self, batch: Line) -> bool: ...

    def _failure(self, batch: Line) -> str:
        """Return why a batch that is over did nothing at all, or an empty string."""
        return ""

    @abstractmethod
    def _results(self, batch: Line) -> list[str]:
        """Return the paths of a batch's results. Never an address of the answer's choosing: the key goes there."""

    @abstractmethod
    def _body(self, line: Line) -> Line | None:
        """Return the body of the reply in a line, or None where it has a problem instead."""

    @abstractmethod
    def _problem(self, line: Line) -> tuple[int, str]:
        """Return the HTTP status that a line's problem amounts to, and what it says."""

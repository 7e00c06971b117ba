"""The call ledger: every LLM request and its reply, in one SQLite file, so that nothing is bought twice.

Here: work keys, the states a call goes through, the lock that keeps a second run out.
Not here: what a reply means (`replies.py`) and who sends the request (`llms.py`). Imports no distilabel.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import zstandard

from specmill.specs.errors import BadInput

from .budget import NOTHING, Spend

KEY_SCHEME = 1
# All fields of the wire request make the key but those that can't change a reply. The endpoint and its credentials
# are no part of it on purpose: the same model behind another address gives the same replies.
NOT_IN_KEY = ("stream", "user", "metadata", "store", "service_tier")
# A call that failed in so many tries, over several runs, is parked: asking for ever would hold up a whole corpus.
PARK_AFTER_TRIES = 18

SENT, OK, TRUNCATED, REFUSED, UNPARSED, FAILED = "sent", "ok", "truncated", "refused", "unparsed", "failed"
REPLIED = (OK, TRUNCATED, REFUSED, UNPARSED)

REJECTED, PARKED = "rejected", "parked"  # how a failed call ended that is not asked again
DECLINED = "declined in its text"  # the error of a reply that a parser, and not the endpoint, calls refused

SCHEMA = """
create table if not exists calls (
    key text primary key, spec text not null, stage text not null, model text not null, state text not null,
    attempts integer not null default 0, tokens_in integer, tokens_out integer, finish text, error text,
    request blob, reply blob
) without rowid;
create table if not exists facts (name text primary key, value text not null);
"""
# Money in billionths of a dollar. What is reserved counts as spent while a call's state is `sent`.
MONEY_COLUMNS = {
    "reserved_nano_usd": "integer not null default 0",
    "reserved_tokens": "integer not null default 0",
    "cost_nano_usd": "integer not null default 0",
    "cost_tokens": "integer not null default 0",
    "tokens_cached": "integer not null default 0",
    "seconds": "real",
    "batch": "text",
}
SPEND_VIEW = """
create view if not exists spend as
select spec, stage, model, count(*) as calls, sum(attempts) as tries, sum(state = 'ok') as ok,
       sum(state in ('truncated', 'refused', 'unparsed', 'failed')) as not_ok, sum(state = 'sent') as open,
       sum(tokens_in) as tokens_in, sum(tokens_cached) as tokens_cached, sum(tokens_out) as tokens_out,
       sum(cost_nano_usd) / 1e9 as usd,
       sum(case when state = 'sent' then reserved_nano_usd else 0 end) / 1e9 as reserved_usd
from calls group by spec, stage, model;
"""
# All that `specmill query spend` sums, so that it need not pass over every reply: 1.5 s in place of 6.8 s at 1.3
# million calls. Keeping it from the first call on would cost the ledger 23% more processor time, so `close` makes
# it: a first build pays for making it once, later ones for what they add.
SPENT_INDEX = """
create index if not exists calls_spent on calls (spec, stage, model, state, attempts, tokens_in, tokens_cached,
    tokens_out, cost_nano_usd, reserved_nano_usd, seconds);
"""


def canonical_json(value: Any) -> bytes:
    """Return the one byte string that stands for a JSON value: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def work_key(request: dict[str, Any], draw: int = 0) -> str:
    """Return the work key of a request as it goes on the wire: 32 hex digits.

    `draw` tells apart several draws of one request at an API that takes no seed.

    >>> work_key({"model": "m", "messages": []}) == work_key({"messages": [], "model": "m", "stream": False})
    True
    """
    named = {name: value for name, value in request.items() if name not in NOT_IN_KEY and value is not None}
    drawn = {"draw": draw} if draw else {}
    return hashlib.sha256(canonical_json({"scheme": KEY_SCHEME, **named, **drawn})).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request. `state` is the transport's verdict, before any parser has looked."""

    text: str
    state: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    error: str = ""
    tokens_cached: int = 0  # part of tokens_in that the provider read from its prompt cache
    tokens_cache_written: int = 0
    seconds: float = 0.0

    @property
    def is_parked(self) -> bool:
        """A failure that no rerun will ask about again."""
        return self.state == FAILED and self.finish in (REJECTED, PARKED)


class Ledger:
    """Calls by work key. One writer at a time (`CorpusLock`); readers may look in while a run is going on."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            # NORMAL survives kill -9; only a power cut can take the last commits, and it never corrupts.
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")
            self._db.executescript(SCHEMA)
            self._add_columns()
        except sqlite3.DatabaseError as error:
            raise BadInput(
                f"{path}: not a readable call ledger ({error}); move it away to start a new one"
            ) from None
        self._pack = zstandard.ZstdCompressor(level=3)
        self._unpack = zstandard.ZstdDecompressor()

    def _add_columns(self) -> None:
        """Bring a ledger of an earlier version up to this one; its replies stay."""
        there = {row[1] for row in self._db.execute("pragma table_info(calls)")}
        for name, kind in MONEY_COLUMNS.items():
            if name not in there:
                self._db.execute(f"alter table calls add column {name} {kind}")
        self._db.executescript(SPEND_VIEW)

    def close(self) -> None:
        with suppress(sqlite3.Error):  # on a full disk: the same answers, later
            self._db.execute(SPENT_INDEX)
        self._db.close()

    def find(self, key: str) -> Reply | None:
        """Return the reply known for a key; None where it was never asked, is in flight, or failed.

        A request that the endpoint rejects, or that failed in PARK_AFTER_TRIES tries, is known as a failure.
        """
        row = self._db.execute(
            "select reply, state, finish, tokens_in, tokens_out, error, attempts from calls where key = ?",
            (key,),
        ).fetchone()
        if row is None:
            return None
        reply, state, finish, tokens_in, tokens_out, error, tries = row
        if reply is not None:
            state = OK if error == DECLINED else state  # the parser looks again, as at what is unparsed
            text = self._unpack.decompress(reply).decode()
            return Reply(text, state, finish, tokens_in, tokens_out, error or "")
        if state == FAILED and (finish == REJECTED or tries >= PARK_AFTER_TRIES):
            return Reply("", FAILED, REJECTED if finish == REJECTED else PARKED, error=error or "")
        return None

    def intend(
        self,
        key: str,
        request: dict[str, Any],
        *,
        spec: str,
        stage: str,
        reserved: Spend = NOTHING,
        batch: str | None = None,
    ) -> None:
        """Record that a request is about to be sent, and what it may cost at most.

        A key that was in flight at a kill may have been billed: what it had reserved is added to its cost.
        """
        self._db.execute(
            "insert into calls (key, spec, stage, model, state, attempts, request, reserved_nano_usd,"
            " reserved_tokens, batch) values (?, ?, ?, ?, ?, 1, ?, ?, ?, ?)"
            " on conflict (key) do update set state = excluded.state, attempts = attempts + 1,"
            " cost_nano_usd = cost_nano_usd + reserved_nano_usd, cost_tokens = cost_tokens + reserved_tokens,"
            " reserved_nano_usd = excluded.reserved_nano_usd, reserved_tokens = excluded.reserved_tokens,"
            " batch = excluded.batch",
            (
                *(key, spec, stage, request["model"], SENT),
                self._pack.compress(canonical_json(request)),
                *(reserved.nano_usd, reserved.tokens, batch),
            ),
        )

    def lose(self, key: str, cost: Spend, error: str) -> None:
        """Record a try that brought no reply, and what it may have cost; the call stays open."""
        self._db.execute(
            "update calls set error = ?, reserved_nano_usd = 0, reserved_tokens = 0,"
            " cost_nano_usd = cost_nano_usd + ?, cost_tokens = cost_tokens + ? where key = ?",
            (error, cost.nano_usd, cost.tokens, key),
        )

    def settle(self, key: str, reply: Reply, cost: Spend = NOTHING) -> None:
        """Record what came back and what it cost. A failed call keeps no reply, so that a rerun sends it again."""
        blob = self._pack.compress(reply.text.encode()) if reply.state in REPLIED else None
        self._db.execute(
            "update calls set state = ?, finish = ?, tokens_in = ?, tokens_out = ?, error = ?, reply = ?,"
            " tokens_cached = ?, seconds = ?, reserved_nano_usd = 0, reserved_tokens = 0,"
            " cost_nano_usd = cost_nano_usd + ?, cost_tokens = cost_tokens + ? where key = ?",
            (
                *(reply.state, reply.finish, reply.tokens_in, reply.tokens_out, reply.error, blob),
                *(reply.tokens_cached, reply.seconds, cost.nano_usd, cost.tokens, key),
            ),
        )

    def spent(self) -> Spend:
        """Return what all calls have cost, those in flight (or left so by a kill) at what they had reserved."""
        row = self._db.execute(
            "select sum(cost_nano_usd + reserved_nano_usd), sum(cost_tokens + reserved_tokens) from calls"
        ).fetchone()
        return Spend(int(row[0] or 0), int(row[1] or 0))

    def judge(self, key: str, state: str) -> None:
        """Record a parser's verdict on a reply; a mended parser may overturn it without a new call."""
        error = DECLINED if state == REFUSED else ""
        self._db.execute(
            "update calls set state = ?, error = ? where key = ? and state <> ?", (state, error, key, state)
        )

    def forget_model(self, model: str) -> int:
        """Drop all calls of one model and return how many: for a model that costs nothing to ask again."""
        return self._db.execute("delete from calls where model = ?", (model,)).rowcount

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement on a table that another module owns (`batches.py`)."""
        return self._db.execute(statement, values)

    def fact(self, name: str) -> str | None:
        row = self._db.execute("select value from facts where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        self._db.execute("insert or replace into facts values (?, ?)", (name, value))


class CorpusLock:
    """Keeps a second run out of a corpora folder. The kernel frees it when its owner dies, however it dies."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            owner = self._file.read().strip() or "another process"
            self._file.close()
            raise BadInput(
                f"{path.parent.parent}: {owner} is building here; wait for it, or give another --out"
            ) from None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"process {os.getpid()}")
        self._file.flush()

    def release(self) -> None:
        self._file.close()

    def __enter__(self) -> CorpusLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

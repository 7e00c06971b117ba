"""The call ledger: every LLM request and its reply, in one SQLite file, so that nothing is bought twice.

Here: work keys, the states a call goes through, the lock that keeps a second run out.
Not here: what a reply means (`replies.py`) and who sends the request (`llms.py`). Imports no distilabel.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import zstandard

from specmill.specs.errors import BadInput

KEY_SCHEME = 1
# Only these fields of the wire request make the key. The endpoint and its credentials are left out on
# purpose: the same model behind another address gives the same replies.
KEY_FIELDS = ("model", "messages", "temperature", "top_p", "max_tokens", "seed", "response_format")

SENT, OK, TRUNCATED, REFUSED, UNPARSED, FAILED = "sent", "ok", "truncated", "refused", "unparsed", "failed"
REPLIED = (OK, TRUNCATED, REFUSED, UNPARSED)

SCHEMA = """
create table if not exists calls (
    key text primary key, spec text not null, stage text not null, model text not null, state text not null,
    attempts integer not null default 0, tokens_in integer, tokens_out integer, finish text, error text,
    request blob, reply blob
) without rowid;
create table if not exists facts (name text primary key, value text not null);
"""


def canonical_json(value: Any) -> bytes:
    """Return the one byte string that stands for a JSON value: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def work_key(request: dict[str, Any]) -> str:
    """Return the work key of a request as it goes on the wire: 32 hex digits.

    >>> work_key({"model": "m", "messages": []}) == work_key({"messages": [], "model": "m", "stream": False})
    True
    """
    named = {field: request[field] for field in KEY_FIELDS if request.get(field) is not None}
    return hashlib.sha256(canonical_json({"scheme": KEY_SCHEME, **named})).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request. `state` is the transport's verdict, before any parser has looked."""

    text: str
    state: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    error: str = ""


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
        except sqlite3.DatabaseError as error:
            raise BadInput(
                f"{path}: not a readable call ledger ({error}); move it away to start a new one"
            ) from None
        self._pack = zstandard.ZstdCompressor(level=3)
        self._unpack = zstandard.ZstdDecompressor()

    def close(self) -> None:
        self._db.close()

    def find(self, key: str) -> Reply | None:
        """Return the reply known for a key; None where it was never asked, is in flight, or failed."""
        row = self._db.execute(
            "select reply, state, finish, tokens_in, tokens_out from calls where key = ?", (key,)
        ).fetchone()
        if row is None or row[0] is None:
            return None
        return Reply(self._unpack.decompress(row[0]).decode(), *row[1:])

    def intend(self, key: str, request: dict[str, Any], *, spec: str, stage: str) -> None:
        """Record that a request is about to be sent. A key that was in flight at a kill gains an attempt."""
        self._db.execute(
            "insert into calls (key, spec, stage, model, state, attempts, request)"
            " values (?, ?, ?, ?, ?, 1, ?)"
            " on conflict (key) do update set state = excluded.state, attempts = attempts + 1",
            (key, spec, stage, request["model"], SENT, self._pack.compress(canonical_json(request))),
        )

    def settle(self, key: str, reply: Reply) -> None:
        """Record what came back. A failed call keeps no reply, so that a rerun sends it again."""
        blob = self._pack.compress(reply.text.encode()) if reply.state in REPLIED else None
        self._db.execute(
            "update calls set state = ?, finish = ?, tokens_in = ?, tokens_out = ?, error = ?, reply = ?"
            " where key = ?",
            (reply.state, reply.finish, reply.tokens_in, reply.tokens_out, reply.error, blob, key),
        )

    def judge(self, key: str, state: str) -> None:
        """Record a parser's verdict on a reply; a mended parser may overturn it without a new call."""
        self._db.execute("update calls set state = ? where key = ? and state <> ?", (state, key, state))

    def forget_model(self, model: str) -> int:
        """Drop all calls of one model and return how many: for a model that costs nothing to ask again."""
        return self._db.execute("delete from calls where model = ?", (model,)).rowcount

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

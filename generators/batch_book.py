"""What the ledger knows of batches: which calls are in which, and how far each one came.

Here: the table beside the calls, each step in one transaction. Not here: sending and fetching (`batches.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .budget import Spend
from .ledger import SENT, Ledger

POOLED = "pooled"  # stands in a call's `batch` until it is part of one: never sent, so never billed
TABLE = """create table if not exists batches (
    nonce text primary key, id text, provider text not null, address text not null, model text not null,
    state text not null, created_order integer not null
)"""
# void: nothing was bought; lost: nobody can tell
INTENDED, OPEN, DONE, VOID, LOST = "intended", "open", "done", "void", "lost"


@dataclass(frozen=True, slots=True)
class Bought:
    """A batch as the ledger knows it, and what one of its calls had reserved."""

    nonce: str
    batch_id: str
    address: str
    state: str
    reserved: Spend


class BatchBook:
    """The table of batches, in the call ledger's file."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.execute(TABLE)

    def intend(self, nonce: str, provider: str, address: str, model: str, keys: list[str]) -> None:
        """Write down, in one transaction, that a batch with these calls is about to be sent."""

        def write() -> None:
            self._ledger.execute(
                "insert into batches select ?, null, ?, ?, ?, ?, count(*) + 1 from batches",
                (nonce, provider, address, model, INTENDED),
            )
            for key in keys:
                self._ledger.execute("update calls set batch = ? where key = ?", (nonce, key))

        self._at_once(write)

    def opened(self, nonce: str, batch_id: str) -> None:
        def write() -> None:
            self._ledger.execute(
                "update batches set id = ?, state = ? where nonce = ?", (batch_id, OPEN, nonce)
            )
            self._ledger.execute("update calls set batch = ? where batch = ?", (batch_id, nonce))

        self._at_once(write)

    def mark(self, nonce: str, state: str) -> None:
        self._ledger.execute("update batches set state = ? where nonce = ?", (state, nonce))

    def unlink(self, key: str) -> None:
        """Note that a batch did nothing for a call, so that a rerun asks again instead of reading the same line."""
        self._ledger.execute("update calls set batch = ? where key = ?", (POOLED, key))

    def find(self, key: str) -> Bought | None:
        """Return the batch that a call without a reply is part of; its state is VOID where nothing was bought."""
        row = self._ledger.execute(
            "select b.nonce, b.id, b.address, b.state, c.batch, c.reserved_nano_usd, c.reserved_tokens from calls c"
            " left join batches b on c.batch in (b.id, b.nonce) where c.key = ? and c.state = ?",
            (key, SENT),
        ).fetchone()
        if row is None or (row[0] is None and row[4] != POOLED):
            return None
        return Bought(row[0] or "", row[1] or "", row[2] or "", row[3] or VOID, Spend(row[5], row[6]))

    def _at_once(self, write: Callable[[], None]) -> None:
        self._ledger.execute("begin immediate")
        try:
            write()
        except BaseException:
            self._ledger.execute("rollback")
            raise
        self._ledger.execute("commit")

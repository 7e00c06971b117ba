"""Ledger: settled calls a second, as a share of bare SQLite inserts of the same bytes in the same file mode."""

import os
import sqlite3
import tempfile
import time
from pathlib import Path

from specmill.generators.ledger import Ledger, Reply, work_key

N = 5_000


def main() -> None:
    text = "A reply of about two kilobytes, as a document has. " * 40
    with tempfile.TemporaryDirectory() as folder:
        ours = _ledger(Path(folder) / "ours.sqlite", text)
        bare = _bare(Path(folder) / "bare.sqlite", text)
    print(
        f"  {ours:,.0f} calls/s (two writes each), bare inserts (two each) {bare:,.0f}/s: ratio {ours / bare:.2f}"
    )


def _ledger(path: Path, text: str) -> float:
    ledger = Ledger(path)
    start = time.perf_counter()
    for number in range(N):
        request = {"model": "m", "messages": [{"role": "user", "content": f"{number} {text}"}]}
        key = work_key(request)
        ledger.intend(key, request, spec="s", stage="documents")
        ledger.settle(key, Reply(text, "ok"))
    return N / (time.perf_counter() - start)


def _bare(path: Path, text: str) -> float:
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(
        "pragma journal_mode = wal; pragma synchronous = normal; create table t (k primary key, b)"
    )
    blob = os.urandom(500)
    start = time.perf_counter()
    for number in range(N):
        db.execute("insert into t values (?, null)", (number,))
        db.execute("update t set b = ? where k = ?", (blob, number))
    return N / (time.perf_counter() - start)

"""The engine under faults, kills and a budget, over real HTTP and real processes: `python -m tests.stress [NAME...]`.

Each part prints the figures it saw and exits 1 when one is wrong. `--tokens` sets the size of a build (the test suite
runs small ones), `--times` how often it is killed or stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import zstandard

from tests.servers.fault_server import MARK, MOST_FAULTS_IN_A_ROW, content_fault

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "specs" / "cheese_america.md"
BUILD = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "build"]
REPLIED = ("ok", "truncated", "refused", "unparsed")
USD_IN, USD_OUT = 3.0, 15.0
SHARE = 0.3  # of requests or replies that are faulty
NEVER = '{"genre":"short story"'  # how the brief begins of the documents that the model never writes
TRIES = 3  # seeds that a stage tries
PLANNING = ("domains", "subdomains", "assertions", "genres", "ideas")


@contextlib.contextmanager
def server(*options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.servers.fault_server", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)


def counts(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/counts") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def command(out: Path, *more: str, tokens: int) -> list[str]:
    return [*BUILD, str(SPEC), "--out", str(out), "--tokens", str(tokens), "--quiet", *more]


def build(out: Path, *more: str, tokens: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(out, *more, tokens=tokens), capture_output=True, text=True, cwd=ROOT)


def kill(build_command: list[str], seconds: float) -> None:
    """Start a build, and end it and its children with SIGKILL after some seconds, if it still runs."""
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(build_command, start_new_session=True, cwd=ROOT, **quiet) as process:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def ledger(out: Path, columns: str) -> list[tuple[Any, ...]]:
    path = out / ".work" / "ledger.sqlite"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(f"select {columns} from calls").fetchall()


def published(out: Path) -> dict[str, str]:
    """The sha256 of every published file."""
    folder = out / SPEC.stem
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def shards(out: Path) -> dict[str, str]:
    return {name: digest for name, digest in published(out).items() if name.endswith((".parquet", ".md"))}


def body_hashes(out: Path) -> set[str]:
    """The server's names of the requests whose reply is in the ledger."""
    unpack = zstandard.ZstdDecompressor()
    rows = ledger(out, "state, request")
    return {hashlib.sha256(unpack.decompress(blob)).hexdigest() for state, blob in rows if state in REPLIED}


def expect(told: str, holds: bool) -> None:
    print(f"  {'ok  ' if holds else 'FAIL'} {told}", flush=True)
    if not holds:
        sys.exit(1)


def faults(folder: Path, tokens: int, times: int) -> None:
    """30 % of all requests fail in every transport way there is; the output equals the fault-free build's."""
    with server() as url:
        plain = build(folder / "plain", "--llm", f"openai:writer@{url}", tokens=tokens)
        expect(f"fault-free build: exit {plain.returncode}", plain.returncode == 0)
    with server("--faults", "0.3", "--hang", "5") as url:
        started = time.monotonic()
        faulty = build(folder / "faulty", "--llm", f"openai:writer@{url}", "--timeout", "3", tokens=tokens)
        seconds, seen = time.monotonic() - started, counts(url)
    expect(f"build with 30 % faults: exit {faulty.returncode} after {seconds:.0f} s", faulty.returncode == 0)
    rows = ledger(folder / "faulty", "state, attempts, key")
    states, tries = Counter(row[0] for row in rows), sum(row[1] for row in rows)
    expect(f"states add up: {dict(states)} of {len(rows):,} calls", set(states) == {"ok"})
    expect(
        f"tries in the ledger {tries:,}, requests at the server {seen['asked']:,}, answered {seen['answered']:,}",
        tries >= seen["asked"] > seen["answered"] >= len(rows),
    )
    expect(
        f"{len(shards(folder / 'plain'))} files equal those of the fault-free build",
        published(folder / "plain") == published(folder / "faulty"),
    )


def kills(folder: Path, tokens: int, times: int) -> None:
    """kill -9 at random moments: no completed reply is asked for again, and the bytes are the same in the end."""
    rng = random.Random(0)
    with server("--latency", "0.2", "--cap", "1") as url:
        llm = ("--llm", f"openai:writer@{url}")
        started = time.monotonic()
        expect("undisturbed build", build(folder / "calm", *llm, tokens=tokens).returncode == 0)
        seconds = time.monotonic() - started
    with server("--latency", "0.2", "--cap", "1") as url:
        llm, out = ("--llm", f"openai:writer@{url}"), folder / "killed"
        known: dict[str, int] = {}
        for _ in range(times):
            kill(command(out, *llm, tokens=tokens), 1.5 + rng.random() * seconds * 2.5 / times)
            by_body = counts(url)["by_body"]
            for body in body_hashes(out):
                known.setdefault(body, by_body[body][0])
        n_known = len(known)
        last = build(out, *llm, tokens=tokens)
        by_body = counts(url)["by_body"]
    expect(f"last run: exit {last.returncode}", last.returncode == 0)
    again = sum(by_body[body][0] > asked for body, asked in known.items())
    repeated = sum(asked > 1 for asked, _ in by_body.values())
    expect(f"{n_known:,} replies known at one of {times} kills, asked for again: {again}", again == 0)
    print(f"       requests sent more than once (in flight at a kill): {repeated:,} of {len(by_body):,}")
    expect("the bytes are the same", published(out) == published(folder / "calm"))


def budget(folder: Path, tokens: int, times: int) -> None:
    """256 calls in flight and 37 % of the money: never a cent over, in the ledger and by the server's own count."""
    prices = folder / "prices.toml"
    prices.write_text(f'["openai:writer"]\ninput = {USD_IN}\noutput = {USD_OUT}\n')
    with server("--latency", "0.05", "--cap", "0.5") as url:
        more = ("--llm", f"openai:writer@{url}", "--prices", str(prices), "--concurrency", "256")
        expect("unlimited build", build(folder / "whole", *more, tokens=tokens).returncode == 0)
        whole = sum(row[0] for row in ledger(folder / "whole", "cost_nano_usd"))
        expect(f"which costs {whole / 1e9:.4f} usd, at the server {_bill(counts(url)):.4f}", whole > 0)
        shares, most = [], 0
        for number in range(times):
            limit = int(whole * 0.37)
            before, out = counts(url), folder / f"run{number}"
            done = build(out, *more, "--budget", f"{limit / 1e9:.9f}usd", tokens=tokens)
            after = counts(url)
            spent = sum(sum(row) for row in ledger(out, "cost_nano_usd, reserved_nano_usd"))
            billed = (_bill(after) - _bill(before)) * 1e9
            if (
                done.returncode != 1
                or "stopped at the budget" not in done.stderr
                or spent > limit
                or billed > limit + 1
            ):
                expect(
                    f"run {number}: exit {done.returncode}, spent {spent / limit:.2%}, billed {billed / limit:.2%}",
                    False,
                )
            shares.append(spent / limit)
            most = max(most, after["max_in_flight"])
    expect(
        f"{times} runs stopped at 37 %: used {min(shares):.2%} to {max(shares):.2%} of the budget, never over;"
        f" up to {most} in flight",
        True,
    )
    on = build(folder / "run0", "--llm", "writer", tokens=tokens)
    expect(f"replies are kept: going on without a limit exits {on.returncode}", on.returncode == 0)


def content(folder: Path, tokens: int, times: int) -> None:
    """30 % useless replies, one genre refused for ever, transport faults too: all is counted, nothing is published."""
    out = folder / "content"
    options = ("--faults", str(SHARE), "--hang", "5", "--content-faults", str(SHARE), "--refuse", NEVER)
    with server(*options) as url:
        llm = ("--llm", f"openai:writer@{url}", "--timeout", "3")
        started = time.monotonic()
        done = build(out, *llm, tokens=tokens)
        seconds, seen = time.monotonic() - started, counts(url)
        expect(f"exit {done.returncode} after {seconds:.0f} s {done.stderr[-300:]}", done.returncode == 0)
        print("".join(f"       {line}\n" for line in done.stdout.splitlines() if "WARNING" in line), end="")
        first = published(out)
        _check_calls(out, seen)
        _check_rows(out)
        for gone in (out / SPEC.stem, out / ".work" / SPEC.stem):  # all but the ledger
            shutil.rmtree(gone)
        again = build(out, *llm, tokens=tokens)
        n_new = counts(url)["asked"] - seen["asked"]
    expect(
        f"made again from the ledger: exit {again.returncode}, {n_new} requests",
        again.returncode == n_new == 0,
    )
    expect(f"{len(first)} files are the same", published(out) == first)
    with server(*options) as url:
        llm, rng = ("--llm", f"openai:writer@{url}", "--timeout", "3"), random.Random(0)
        for _ in range(times):
            kill(
                command(folder / "killed", *llm, "--concurrency", "7", tokens=tokens),
                2 + rng.random() * seconds / times,
            )
        last = build(folder / "killed", *llm, tokens=tokens)
    expect(f"killed {times} times, with other slots: exit {last.returncode}", last.returncode == 0)
    expect("the bytes are the same", published(folder / "killed") == first)


def _check_calls(out: Path, seen: dict[str, Any]) -> None:
    """Each call's state says what its reply was; the server was asked no more than that takes."""
    rows, unpack = ledger(out, "state, attempts, request"), zstandard.ZstdDecompressor()
    states: Counter[str] = Counter()
    wrong = 0
    for state, _, blob in rows:
        body = unpack.decompress(blob)
        refused = NEVER in json.loads(body)["messages"][-1]["content"]
        is_good = not refused and not content_fault(0, hashlib.sha256(body).hexdigest(), SHARE)
        states[state] += 1
        wrong += is_good != (state == "ok")
    n_calls, asked = len(rows), seen["asked"]
    kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(seen["faults"].items()))
    print(f"       faults: {kinds}")
    expect(
        f"states add up: {dict(states)} of {n_calls:,} calls, wrong ones: {wrong}",
        set(states) <= set(REPLIED) and wrong == 0 and n_calls == len(seen["by_body"]),
    )
    most = max(number for number, _ in seen["by_body"].values())
    expect(
        f"{asked:,} requests, {asked / n_calls:.2f} a call, at most {most}; tries in the ledger"
        f" {sum(row[1] for row in rows):,}",
        most <= MOST_FAULTS_IN_A_ROW + 1 and asked <= sum(row[1] for row in rows) and asked < 1.6 * n_calls,
    )


def _check_rows(out: Path) -> None:
    """Every planned row is published or dropped with a reason, once."""
    manifest = json.loads((out / SPEC.stem / "manifest.json").read_text())
    documents = pq.read_table(out / SPEC.stem / "data").to_pylist()
    dropped = pq.read_table(out / ".work" / SPEC.stem / "dropped.parquet").to_pylist()
    planned = [row for row in dropped if row["stage"] not in PLANNING]
    reasons = Counter(row["reason"] for row in planned)
    told: Counter[str] = Counter()
    for step in manifest["funnel"]:
        told.update(step["dropped"])
    expect(f"reasons in the funnel are those of the dropped rows: {dict(reasons)}", told == reasons)
    n_ideas = manifest["funnel"][0]["documents"]
    expect(
        f"{n_ideas:,} ideas = {len(documents):,} published + {len(planned):,} dropped",
        n_ideas == len(documents) + len(planned) and manifest["totals"]["documents"] == len(documents),
    )
    ids = [row["doc_id"] for row in [*documents, *planned] if row["doc_id"]]
    keys = [row["work_key"] for row in [*documents, *planned] if row["work_key"]]
    expect("no doc_id and no work_key twice", len(set(ids)) == len(ids) and len(set(keys)) == len(keys))
    n_marked = sum(MARK in str(value) for row in documents for value in row.values())
    expect(f"published documents with a trace of a faulty reply: {n_marked}", n_marked == 0)
    n_parked = sum(n for reason, n in reasons.items() if reason.startswith("parked_"))
    never = sum(row["genre"] == "short story" for row in documents)
    expect(f"parked {n_parked:,}; documents of the genre never written: {never}", n_parked > 0 == never)
    calls = next(stage["calls"] for stage in manifest["stages"] if stage["stage"] == "documents")
    n_asked = n_ideas - n_parked - sum(manifest["funnel"][1]["dropped"].values())
    expect(
        f"{calls:,} calls for {n_asked:,} documents asked for: {calls / n_asked:.2f} each",
        n_asked <= calls <= TRIES * n_asked,
    )


def _bill(seen: dict[str, Any]) -> float:
    return float((seen["tokens_in"] * USD_IN + seen["tokens_out"] * USD_OUT) / 1e6)


PARTS = {
    "faults": (faults, 2_500_000, 1),
    "content": (content, 2_500_000, 3),
    "kills": (kills, 400_000, 30),
    "budget": (budget, 400_000, 20),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--times", type=int)
    options = parser.parse_args()
    for name in options.names or PARTS:
        part, tokens, times = PARTS[name]
        print(f"== {name}: {part.__doc__}")
        with tempfile.TemporaryDirectory() as folder:
            part(Path(folder), options.tokens or tokens, options.times or times)


if __name__ == "__main__":
    main()

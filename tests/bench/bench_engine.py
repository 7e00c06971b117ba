"""Engine: how busy it keeps a server with 64 slots and log-normal latency, against the best it could do, and peers.

Server: `tests.servers.fault_server` as a child process, no faults. A latency (sigma 0.8, mean 0.5 s, cap 4 s; SCALE=0.1
shortens both) belongs to the messages of a request, so all rows of a kind do the same work. Taken at the server:
busy = sum of the latencies served / (64 x (last answer - first request)).

The bound is a simulation of events with the same latencies: 64 slots that never idle while a row waits, earliest stage
first, and all plan rows of a spec before its first document. What follows from which call is recorded beforehand by
driving the same stages one row at a time with the built-in writer, so the bound owes nothing to the engine; that it is
of the same work is checked against the latencies the server says it served. It is a bound for this order, not for all:
longest first would do better, but nobody knows the lengths.

ROWS (4,000), ROWS_DISTILABEL (500) and TOKENS (900,000: about 2,000 documents) set the sizes. With SCALE
below about 0.5 the whole build is held up by the server composing its answers, which says nothing about the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import math
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
from pydantic import PrivateAttr

from specmill.generators.distilabel_parts import AsyncLLM, LoadDataFromDicts, Pipeline
from specmill.generators.writer import reply
from tests.servers.fault_server import latency_of

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "specs" / "cheese_america.md"
SLOTS = 64
SCALE = float(os.environ.get("SCALE", "1"))
MEAN, SIGMA, CAP = 0.5 * SCALE, 0.8, 4.0 * SCALE
N_ROWS = int(os.environ.get("ROWS", "4000"))
N_DISTILABEL = int(os.environ.get("ROWS_DISTILABEL", "500"))
TOKENS = int(os.environ.get("TOKENS", "900000"))


def main() -> None:
    latencies = [_latency(messages) for messages in prompts(N_ROWS)]
    bound = simulate([Job(0, latency) for latency in latencies])
    print(f"  {N_ROWS:,} calls of one stage; simulated bound {bound:.3f} busy")
    ours, counts = _flat(_run_ours)
    assert math.isclose(counts["latency_seconds"], sum(latencies), rel_tol=1e-6), "not the same work"
    _show("specmill engine", ours, counts, bound)
    _show("asyncio + aiohttp, semaphore", *_flat(_run_plain))
    _show(
        f"distilabel Pipeline, batches of 50, {N_DISTILABEL:,} calls",
        *_flat(_in_child("run_distilabel", N_DISTILABEL)),
    )
    if find_spec("aiofiles") and find_spec("aiosqlite"):
        _show("datatrove InferenceRunner", *_flat(_in_child("run_datatrove", N_ROWS)))
    else:
        print("  datatrove InferenceRunner: not installed (it needs aiofiles and aiosqlite)")
    _whole_build()


def _show(name: str, busy: float, counts: dict[str, Any], bound: float | None = None) -> None:
    ratio = f", {busy / bound:.3f} of the bound" if bound else ""
    seconds, most = counts["last"] - counts["first"], counts["max_in_flight"]
    print(
        f"  {name}: {busy:.3f} busy{ratio} ({counts['answered']:,} answers in {seconds:.1f} s, at most {most} in flight)"
    )


# --- the server, and what it counts


@contextlib.contextmanager
def _server(*options: str) -> Iterator[str]:
    latency = ("--latency", str(MEAN), "--sigma", str(SIGMA), "--cap", str(CAP), "--slots", str(SLOTS))
    command = [sys.executable, "-m", "tests.servers.fault_server", "--port", "0", *latency, *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def _counts(url: str) -> tuple[float, dict[str, Any]]:
    """Return (busy, counts) of a server."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/counts", timeout=20) as response:
        counts = json.load(response)
    return counts["latency_seconds"] / (SLOTS * (counts["last"] - counts["first"])), counts


def _flat(run: Any) -> tuple[float, dict[str, Any]]:
    with _server("--echo") as url:
        run(url)
        return _counts(url)


def _latency(messages: Any) -> float:
    return latency_of(messages, MEAN, SIGMA, CAP)


# --- one stage, many rows: ours and others


def document_rows(n: int) -> list[dict[str, Any]]:
    """Return planned rows as the documents stage takes them."""
    said = [
        {
            "assertion": "The assistant keeps its promises, as others build on them.",
            "reason": "",
            "claims": ["c1"],
        }
    ]
    common = {
        "spec": "bench",
        "principle": "Promises",
        "quota": 1,
        "state": "ok",
        "failed_stage": "",
        "failure": "",
    }
    common |= {"genre": "essay", "audience": "anyone", "subdomain": "Promises", "summary": "", "n_words": 380}
    common |= {
        "chosen": said,
        "assertions": said,
        "assertion_numbers": [1],
        "passage": said[0]["assertion"] * 20,
    }
    return [{**common, "path": f"bench.{number:06d}", "idea": f"Idea {number}"} for number in range(n)]


def prompts(n: int) -> list[list[dict[str, str]]]:
    """Return the conversations of those rows: what all competitors are asked."""
    documents = _documents_pipeline([], None)[1]
    return [documents.format_input(row) for row in document_rows(n)]


def _documents_pipeline(rows: list[dict[str, Any]], llm: Any) -> tuple[Any, Any]:
    from specmill.generators.stages import Documents

    with Pipeline(name="bench") as pipeline:
        documents = Documents(llm=llm or RecordingLLM(), keep_text=False)
        LoadDataFromDicts(data=rows) >> documents
    return pipeline, documents


def _run_ours(url: str) -> None:
    from specmill.generators.backends import OpenAICompatibleLLM
    from specmill.generators.engine import run_pipeline

    llm = OpenAICompatibleLLM(model="writer", base_url=url, max_in_flight=SLOTS)
    rows = run_pipeline(_documents_pipeline(document_rows(N_ROWS), llm)[0]).rows
    assert [row["state"] for row in rows] == ["ok"] * N_ROWS


def _run_plain(url: str) -> None:
    async def go() -> None:
        free = asyncio.Semaphore(SLOTS)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def ask(messages: Any) -> None:
                async with free, session.post(f"{url}/chat/completions", json=_request(messages)) as response:
                    assert (await response.json())["choices"]

            await asyncio.gather(*map(ask, prompts(N_ROWS)))

    asyncio.run(go())


def _request(messages: Any) -> dict[str, Any]:
    return {"model": "writer", "messages": messages, "max_tokens": 4096}


def _in_child(function: str, n: int) -> Any:
    """Return a runner in a process of its own: distilabel and datatrove fork, and take over logging."""

    def run(url: str) -> None:
        code = f"from tests.bench.bench_engine import {function}; {function}({url!r}, {n})"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]

    return run


def run_distilabel(url: str, n: int) -> None:
    """Stock Pipeline, Task and batching; only the LLM is ours, for its own would bring httpx, which is slower."""
    from distilabel.steps.tasks import ChatGeneration

    rows = [{"messages": messages} for messages in prompts(n)]
    with Pipeline(name="bench-stock") as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=50)
        load >> ChatGeneration(llm=PlainLLM(url=url), input_batch_size=50)
    done = pipeline.run(use_cache=False)["default"]["train"]
    assert len(done) == n
    assert all(done["generation"])


class PlainLLM(AsyncLLM):  # at module level: distilabel sends its steps to other processes by name
    """The least that speaks to the server: one aiohttp session, no retries."""

    url: str
    _session: Any = PrivateAttr(default=None)

    @property
    def model_name(self) -> str:
        return "writer"

    async def agenerate(self, input: Any, num_generations: int = 1) -> Any:
        self._session = self._session or aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        async with self._session.post(f"{self.url}/chat/completions", json=_request(input)) as response:
            body = await response.json()
        return {
            "generations": [body["choices"][0]["message"]["content"]],
            "statistics": {"input_tokens": [0], "output_tokens": [0]},
        }


def run_datatrove(url: str, n: int) -> None:
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
    from datatrove.pipeline.writers import JsonlWriter

    async def rollout(document: Any, generate: Any) -> Any:
        return await generate({"messages": document.metadata["messages"]})

    config = InferenceConfig(
        server_type="endpoint",
        model_name_or_path="writer",
        endpoint_url=url.removesuffix("/v1"),  # on loopback it adds /v1 itself
        max_concurrent_generations=SLOTS,
        default_generation_params={"max_tokens": 4096},
    )
    documents = [Document("", str(number), metadata={"messages": m}) for number, m in enumerate(prompts(n))]
    with tempfile.TemporaryDirectory() as folder:
        runner = InferenceRunner(rollout, config, JsonlWriter(f"{folder}/out", compression=None))
        LocalPipelineExecutor([documents, runner], logging_dir=f"{folder}/logs").run()
        assert sum(path.read_text().count("\n") for path in Path(folder, "out").iterdir()) == n


# --- a whole build


def _whole_build() -> None:
    from specmill.generators import pipeline as declaration

    # What the build orders (documents, sizes) is its own affair: note it down as it passes by.
    noted = mock.Mock(side_effect=declaration.spec_pipeline)
    with mock.patch.object(declaration, "spec_pipeline", noted), _server() as url:
        documents = _build(url)
        busy, counts = _counts(url)
    assert noted.call_count == 1, "the build took several passes; choose other TOKENS"
    ((specs, _),), settings = [call.args for call in noted.call_args_list], noted.call_args.kwargs
    jobs = record(specs, mode=settings["mode"], sizes=settings["sizes"])
    assert math.isclose(counts["latency_seconds"], sum(job.total() for job in jobs), rel_tol=1e-6), (
        "not the same work"
    )
    bound = simulate(jobs)
    print(f"  a build of {documents:,} documents; simulated bound {bound:.3f} busy")
    _show("specmill build", busy, counts, bound)


def _build(url: str) -> int:
    from specmill.corpus.build import BuildSettings, build_corpora
    from specmill.corpus.progress import Progress

    with tempfile.TemporaryDirectory() as folder:
        settings = BuildSettings(
            out=Path(folder), tokens=TOKENS, llm="openai:writer", base_url=url, concurrency=SLOTS
        )
        (outcome,) = build_corpora([str(SPEC)], settings, Progress(quiet=True))
        return int(outcome.manifest["totals"]["documents"])


@dataclass(slots=True)
class Job:
    """A row's calls, and the rows that follow from it. Those of the plan follow from the last row before it."""

    stage: int
    seconds: float
    children: list[Job] = field(default_factory=list)
    barrier: bool = False  # the plan: takes no slot, and its children wait until nothing before them is left

    def total(self) -> float:
        return self.seconds + sum(child.total() for child in self.children)


def record(specs: Any, *, mode: str, sizes: Any) -> list[Job]:
    """Return the jobs of a build of one spec: its stages, driven one row at a time with the built-in writer."""
    from specmill.generators.pipeline import spec_pipeline

    llm = RecordingLLM()
    root, *steps = _chain(spec_pipeline(specs, llm, mode=mode, sizes=sizes, keep_text=False))
    return asyncio.run(_record(steps, [dict(row) for row in root.data], llm.seconds))


def _chain(pipeline: Any) -> list[Any]:
    names = list(pipeline.dag.root_steps)
    while following := list(pipeline.dag.get_step_successors(names[-1])):
        names += following
    return [pipeline.dag.get_step(name)["step"] for name in names]


async def _record(steps: list[Any], rows: list[dict[str, Any]], seconds: list[float]) -> list[Job]:
    """Stage by stage: a global step's rows hang on a job of no length that opens its barrier."""
    roots: list[Job] = []
    parents: list[tuple[list[Job], list[dict[str, Any]]]] = [(roots, rows)]
    for stage, step in enumerate(steps):
        if not hasattr(step, "aprocess"):
            (planned,) = step.process([row for _, group in parents for row in group])
            roots.append(Job(stage, 0.0, barrier=True))
            parents = [(roots[-1].children, planned)]
            continue
        below = []
        for siblings, group in parents:
            for row in group:
                seconds.clear()
                children = await step.aprocess(row)
                siblings.append(Job(stage, sum(seconds)))
                below.append((siblings[-1].children, children))
        parents = below
    return roots


class RecordingLLM(AsyncLLM):
    """The built-in writer, noting the latency each call would have had; the stages take any Distilabel LLM."""

    _seconds: list[float] = PrivateAttr(default_factory=list)

    @property
    def model_name(self) -> str:
        return "writer"

    @property
    def seconds(self) -> list[float]:
        return self._seconds

    async def agenerate(self, input: Any, num_generations: int = 1) -> Any:
        self._seconds.append(_latency(input))
        return {"generations": [reply(input)]}


def simulate(jobs: list[Job]) -> float:
    """Return the busy share of a schedule that never leaves a slot idle while a job could be done."""
    ready: list[tuple[int, int, Job]] = []
    running: list[tuple[float, int, Job]] = []
    held = [job for job in jobs if job.barrier]
    now, work, started = 0.0, 0.0, 0

    def push(new: list[Job]) -> None:
        nonlocal started
        for job in new:
            started += 1
            heapq.heappush(ready, (job.stage, started, job))

    push([job for job in jobs if not job.barrier])
    while ready or running or held:
        if held and not ready and not running:
            push(held.pop().children)
        while ready and len(running) < SLOTS:
            _, number, job = heapq.heappop(ready)
            work += job.seconds
            heapq.heappush(running, (now + job.seconds, number, job))
        if running:
            now, _, job = heapq.heappop(running)
            push(job.children)
    return work / (SLOTS * now)


if __name__ == "__main__":
    main()

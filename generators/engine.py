"""The one-process driver: walks a Distilabel pipeline's DAG and keeps the LLM's slots busy.

Distilabel's own runner waits for whole batches, can't resume, and leaves workers behind when killed
(docs/decisions/0002 has the measurements). Here rows flow one by one, earlier stages first, each model with its own
slots; only a GlobalStep waits, and only for the rows of its own group (a spec, or the specs planned together). What
was done is known to the ledger, so there is no state to save.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .distilabel_parts import GlobalStep, Pipeline
from .llms import Halted, SpecLLM
from .stage import Stage

Row = dict[str, Any]
Report = Callable[[str, int, int], None]
OTHER_SLOTS = 8  # for steps whose model isn't one of ours


@dataclass(slots=True)
class _Run:
    """The moving parts of one run: what waits, what is alive above each barrier, what came out."""

    steps: list[Any]
    queues: dict[int, list[tuple[int, int, Row]]] = field(default_factory=lambda: defaultdict(list))
    order: itertools.count[int] = field(default_factory=itertools.count)
    waiting: dict[tuple[int, str], list[Row]] = field(default_factory=lambda: defaultdict(list))
    held: dict[tuple[int, str], list[tuple[int, Row]]] = field(default_factory=lambda: defaultdict(list))
    alive: Counter[tuple[int, str]] = field(default_factory=Counter)  # rows of a group above a global step
    done: Counter[int] = field(default_factory=Counter)
    known: Counter[int] = field(default_factory=Counter)
    results: list[Row] = field(default_factory=list)

    def push(self, position: int, row: Row) -> None:
        """Hand a row to the step at a position, or to the results after the last one."""
        if position == len(self.steps):
            self.results.append(row)
            return
        self.known[position] += 1
        if isinstance(self.steps[position], GlobalStep):
            self.waiting[position, row["group"]].append(row)
        else:
            for barrier in self._barriers_below(position):
                self.alive[barrier, row["group"]] += 1
            self._queue(position, next(self.order), row)

    def _queue(self, position: int, number: int, row: Row) -> None:
        """Queue a row, or hold it without a slot as long as its scouts are out; it keeps its place in the order."""
        step = self.steps[position]
        if group := step.undecided(row):
            self.held[position, group].append((number, row))
        else:
            heapq.heappush(self.queues[model_of(step)], (position, number, row))

    def finish(self, position: int, row: Row, children: list[Row]) -> None:
        """Count a row as done, hand on its children, and open the barriers it was the last to hold."""
        self.done[position] += 1
        for child in children:
            self.push(position + 1, child)
        for group in row.get("scout_for", ()):
            for held in self.held.pop((position, group), ()):
                self._queue(position, *held)
        for barrier in self._barriers_below(position):
            self.alive[barrier, row["group"]] -= 1
            if not self.alive[barrier, row["group"]]:
                self._open(barrier, row["group"])

    def _open(self, position: int, group: str) -> None:
        rows = self.waiting.pop((position, group), [])
        self.done[position] += len(rows)
        for children in self.steps[position].process(rows):
            for child in children:
                self.push(position + 1, child)

    def _barriers_below(self, position: int) -> list[int]:
        return [
            number
            for number in range(position + 1, len(self.steps))
            if isinstance(self.steps[number], GlobalStep)
        ]


def model_of(step: Any) -> int:
    """Return what tells apart the models of steps: stages that share an LLM object share its slots."""
    return id(step.llm)


@dataclass(frozen=True, slots=True)
class RunResult:
    """Rows that left the last step, sorted by lineage; calls by (spec, stage) and state, `reused` among them."""

    rows: list[Row]
    calls: dict[tuple[str, str], Counter[str]]


def run_pipeline(pipeline: Pipeline, *, report: Report | None = None) -> RunResult:
    """Run a pipeline in this process.

    `report(step name, rows done, rows known so far)` is called as rows finish. An exception in a step, or Ctrl-C,
    stops the run: no new call is sent, those in flight are waited for and kept, then the exception is raised. A
    second Ctrl-C leaves at once.
    """
    return asyncio.run(_Driver(pipeline, report or (lambda *_: None)).drive())


class _Driver:
    """Starts a task per row as long as the row's model has a free slot."""

    def __init__(self, pipeline: Pipeline, report: Report) -> None:
        root, *steps = chain_of(pipeline)
        self.run = _Run(steps)
        self.report = report
        self.rows = [dict(row) for row in root.data]
        self.models = {model_of(step): step.llm for step in steps if isinstance(step, Stage)}
        self.free = {
            model: llm.max_in_flight if isinstance(llm, SpecLLM) else OTHER_SLOTS
            for model, llm in self.models.items()
        }
        self.problem: BaseException | None = None

    async def drive(self) -> RunResult:
        for llm in self.models.values():
            llm.load()
        for row in self.rows:
            self.run.push(0, row)
        try:
            with _interrupts(self.stop):
                async with asyncio.TaskGroup() as group:
                    self.group = group
                    self._start()
        finally:
            for llm in self.models.values():
                if isinstance(llm, SpecLLM):
                    await llm.aclose()
        if self.problem is not None:
            raise self.problem
        assert not any(self.run.held.values()), "rows wait for scouts that are not in the plan"
        return RunResult(sorted(self.run.results, key=lambda row: str(row["path"])), self._calls())

    def stop(self, problem: BaseException) -> None:
        """Start nothing new; the first problem is the one that is raised in the end."""
        self.problem = self.problem or problem
        for llm in self.models.values():
            if isinstance(llm, SpecLLM):
                llm.halt()

    def _start(self) -> None:
        """Give every free slot the waiting row of the earliest stage."""
        if self.problem is not None:
            return
        for model, queue in self.run.queues.items():
            while queue and self.free[model]:
                self.free[model] -= 1
                position, _, row = heapq.heappop(queue)
                self.group.create_task(self._work(model, position, row))

    async def _work(self, model: int, position: int, row: Row) -> None:
        # A back-end that answers at once never suspends; this lets the loop hear Ctrl-C between two rows.
        await asyncio.sleep(0)
        step = self.run.steps[position]
        try:
            if self.problem is None:
                self.run.finish(position, row, await step.aprocess(row))
                self.report(step.name, self.run.done[position], self.run.known[position])
        except Halted:
            pass
        except Exception as problem:
            self.stop(problem)
        finally:
            self.free[model] += 1
            self._start()

    def _calls(self) -> dict[tuple[str, str], Counter[str]]:
        return {
            key: counts
            for step in self.run.steps
            if isinstance(step, Stage)
            for key, counts in step.calls.items()
        }


@contextmanager
def _interrupts(stop: Callable[[BaseException], None]) -> Iterator[None]:
    """Turn the first Ctrl-C into a stop that keeps what is in flight; the second one has its usual effect."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.getsignal(signal.SIGINT)
    if usual in (signal.SIG_IGN, None):  # started in the background: whoever did so wants no Ctrl-C
        yield
        return
    loop = asyncio.get_running_loop()

    def first(*_: object) -> None:
        signal.signal(signal.SIGINT, usual)
        loop.call_soon_threadsafe(stop, KeyboardInterrupt())

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def chain_of(pipeline: Pipeline) -> list[Any]:
    """Return the steps of a pipeline in order; only a plain chain can be driven here."""
    dag = pipeline.dag
    names = list(dag.root_steps)
    while successors := list(dag.get_step_successors(names[-1])):
        if len(successors) != 1:
            raise ValueError(f"step {names[-1]} has {len(successors)} successors; the engine drives chains")
        names += successors
    return [dag.get_step(name)["step"] for name in names]

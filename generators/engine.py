"""The one-process driver: walks a Distilabel pipeline's DAG and keeps the LLM's slots busy.

Distilabel's own runner waits for whole batches, can't resume, and leaves workers behind when killed
(docs/decisions/0002 has the measurements). Here rows flow one by one, earlier stages first; only a GlobalStep
waits, and only for the rows of its own spec. What was done is known to the ledger, so there is no state to save.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .distilabel_parts import GlobalStep, Pipeline
from .llms import SpecLLM
from .stages import Stage

Row = dict[str, Any]
Report = Callable[[str, int, int], None]


@dataclass(slots=True)
class _Run:
    """The moving parts of one run: what waits, what is alive above each barrier, what came out."""

    steps: list[Any]
    queue: list[tuple[int, int, Row]] = field(default_factory=list)
    order: itertools.count[int] = field(default_factory=itertools.count)
    waiting: dict[tuple[int, str], list[Row]] = field(default_factory=lambda: defaultdict(list))
    alive: Counter[tuple[int, str]] = field(default_factory=Counter)  # rows of a spec above a global step
    done: Counter[int] = field(default_factory=Counter)
    known: Counter[int] = field(default_factory=Counter)
    results: list[Row] = field(default_factory=list)
    busy: int = 0

    def push(self, position: int, row: Row) -> None:
        """Hand a row to the step at a position, or to the results after the last one."""
        if position == len(self.steps):
            self.results.append(row)
            return
        self.known[position] += 1
        if isinstance(self.steps[position], GlobalStep):
            self.waiting[position, row["spec"]].append(row)
        else:
            for barrier in self._barriers_below(position):
                self.alive[barrier, row["spec"]] += 1
            heapq.heappush(self.queue, (position, next(self.order), row))

    def finish(self, position: int, row: Row, children: list[Row]) -> None:
        """Count a row as done, hand on its children, and open the barriers it was the last to hold."""
        self.done[position] += 1
        for child in children:
            self.push(position + 1, child)
        for barrier in self._barriers_below(position):
            self.alive[barrier, row["spec"]] -= 1
            if not self.alive[barrier, row["spec"]]:
                self._open(barrier, row["spec"])

    def _open(self, position: int, spec: str) -> None:
        rows = self.waiting.pop((position, spec), [])
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


@dataclass(frozen=True, slots=True)
class RunResult:
    """Rows that left the last step, sorted by lineage; calls by (spec, stage) and state, `reused` among them."""

    rows: list[Row]
    calls: dict[tuple[str, str], Counter[str]]


def run_pipeline(pipeline: Pipeline, *, report: Report | None = None) -> RunResult:
    """Run a pipeline in this process.

    `report(step name, rows done, rows known so far)` is called as rows finish. An exception in a step ends the run;
    calls that are in flight then count as never answered.
    """
    return asyncio.run(_drive(pipeline, report or (lambda *_: None)))


async def _drive(pipeline: Pipeline, report: Report) -> RunResult:
    root, *steps = _chain(pipeline)
    run = _Run(steps)
    models = {id(step.llm): step.llm for step in steps if isinstance(step, Stage)}.values()
    for model in models:
        model.load()
    for row in root.data:
        run.push(0, dict(row))
    slots = max((model.max_in_flight for model in models if isinstance(model, SpecLLM)), default=8)
    wake = asyncio.Condition()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(slots):
                group.create_task(_work(run, wake, report))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    finally:
        for model in models:
            if isinstance(model, SpecLLM):
                await model.aclose()
    calls = {
        (spec, step.stage): counts
        for step in steps
        if isinstance(step, Stage)
        for spec, counts in step.calls.items()
    }
    return RunResult(sorted(run.results, key=lambda row: str(row["path"])), calls)


async def _work(run: _Run, wake: asyncio.Condition, report: Report) -> None:
    """One slot: take the row of the earliest stage, work on it, hand on its children."""
    while True:
        async with wake:
            await wake.wait_for(lambda: run.queue or not run.busy)
            if not run.queue:
                return
            position, _, row = heapq.heappop(run.queue)
            run.busy += 1
        # A back-end that answers at once never suspends, and a loop that never gets a turn never hears Ctrl-C.
        await asyncio.sleep(0)
        children = await run.steps[position].aprocess(row)
        async with wake:
            run.busy -= 1
            run.finish(position, row, children)
            wake.notify(len(run.queue)) if run.queue or run.busy else wake.notify_all()
        report(run.steps[position].name, run.done[position], run.known[position])


def _chain(pipeline: Pipeline) -> list[Any]:
    """Return the steps of a pipeline in order; only a plain chain can be driven here."""
    dag = pipeline.dag
    names = list(dag.root_steps)
    while successors := list(dag.get_step_successors(names[-1])):
        if len(successors) != 1:
            raise ValueError(f"step {names[-1]} has {len(successors)} successors; the engine drives chains")
        names += successors
    return [dag.get_step(name)["step"] for name in names]

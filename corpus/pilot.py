"""The pilot of `specmill plan`: a few real calls per stage, kept in the ledger for the build, and their scaling."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specmill.generators.distilabel_parts import GlobalStep, Pipeline
from specmill.generators.engine import chain_of
from specmill.generators.ledger import OK
from specmill.generators.llms import Halted
from specmill.generators.planning import digest
from specmill.generators.stages import Stage

from .build import open_ledger
from .models import Models, open_models
from .preview import Job, StageCost, WatchedLLM
from .progress import Progress

N_RESAMPLES = 1000
REVIEWS = ("critique", "revise")


@dataclass(frozen=True, slots=True)
class Measured:
    """One call of a pilot as the ledger has it."""

    is_usable: bool
    tries: int
    tokens_in: int
    tokens_out: int
    usd: float
    seconds: float


Pilot = dict[tuple[str, str], list[Measured]]  # by (stage, model as the ledger calls it)


def run_pilot(job: Job, n_calls: int, progress: Progress) -> Pilot:
    """Ask at most `n_calls` requests per stage (and mode) of the real back-ends; the ledger of --out keeps them."""
    settings = job.settings
    with open_ledger(settings.out, progress) as ledger, open_models(settings, ledger) as models:
        writer = planner = WatchedLLM.over(models.writer)
        if models.planner is not models.writer:
            planner = WatchedLLM.over(models.planner)
        critic = WatchedLLM.over(models.critic) if models.critic else None
        # Nothing is filled up: with a few ideas at hand every claim is thin, and the requests for documents
        # would not be those of the build.
        for pipeline in job.pipelines(Models(writer, planner, critic), min_documents_per_claim=0):
            asyncio.run(_walk(pipeline, n_calls, progress))
        progress.close()
    return _read_pilot(
        settings.out / ".work" / "ledger.sqlite",
        [model for model in {id(m): m for m in (writer, planner, critic)}.values() if model],
    )


async def _walk(pipeline: Pipeline, n_calls: int, progress: Progress) -> None:
    """Run a pipeline stage by stage, each on a sample of the rows that reached it."""
    root, *steps = chain_of(pipeline)
    llms = {id(step.llm): step.llm for step in steps if isinstance(step, Stage)}.values()
    rows = [dict(row) for row in root.data]
    for llm in llms:
        llm.load()
    try:
        for step in steps:
            if isinstance(step, GlobalStep):
                rows = [child for group in _by_group(rows) for some in step.process(group) for child in some]
            else:
                rows = await _ask_all(step, _sample(step, rows, n_calls), progress)
    finally:
        for llm in llms:
            await llm.aclose()


def _by_group(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["group"]].append(row)
    return list(groups.values())


def _sample(step: Any, rows: Sequence[dict[str, Any]], n_calls: int) -> list[dict[str, Any]]:
    """Return rows that take at most `n_calls` calls, chosen by a hash of their lineage.

    A row asked for in rounds keeps as much of its quota as there are calls left: its first rounds stay the same.
    """
    chosen: list[dict[str, Any]] = []
    per_call = getattr(step, "n_ideas", 0)
    good = [row for row in rows if row["state"] == OK]
    for row in sorted(good, key=lambda row: digest(row["path"])):
        if n_calls <= 0:
            break
        rounds = min(n_calls, -(-row["quota"] // per_call)) if per_call else 1
        chosen.append({**row, "quota": min(row["quota"], rounds * per_call)} if per_call else row)
        n_calls -= rounds
    return chosen


async def _ask_all(step: Any, rows: Sequence[dict[str, Any]], progress: Progress) -> list[dict[str, Any]]:
    """Return the children of all rows. At the first problem nothing new is sent, and what is in flight is kept."""
    tasks = [asyncio.ensure_future(step.aprocess(row)) for row in rows]
    if not tasks:
        return []
    for task in tasks:
        task.add_done_callback(
            lambda _: progress.update(f"pilot {step.stage}", sum(t.done() for t in tasks), len(tasks))
        )
    _, unfinished = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    if unfinished:
        step.llm.halt()
        await asyncio.wait(unfinished)
    problems = [problem for task in tasks if (problem := task.exception()) is not None]
    for problem in sorted(problems, key=lambda problem: isinstance(problem, Halted)):
        raise problem
    return [child for task in tasks for child in task.result()]


def _read_pilot(ledger: Path, models: Sequence[WatchedLLM]) -> Pilot:
    query = (
        "select state, attempts, coalesce(tokens_in, 0), coalesce(tokens_out, 0), cost_nano_usd,"
        " coalesce(seconds, 0) from calls where key = ?"
    )
    found: Pilot = defaultdict(list)
    with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as database:
        for model in models:
            for call in sorted(model.asked, key=lambda call: call.key):  # not as they happened to come in
                state, tries, n_in, n_out, nano_usd, seconds = database.execute(query, (call.key,)).fetchone()
                measured = Measured(state == OK, tries, n_in, n_out, nano_usd / 1e9, seconds)
                found[call.stage, model.model].append(measured)
    return found


@dataclass(frozen=True, slots=True)
class Scaled:
    """A stage's cost, scaled from its pilot: possible totals of money and of seconds, one per resample."""

    calls: float
    usd: list[float]
    seconds: list[float]


def scale(stage: StageCost, calls: Sequence[Measured], concurrency: int) -> Scaled | None:
    """Scale a stage by what a usable reply took in its pilot; None where no reply was usable."""
    n_usable = sum(call.is_usable for call in calls)
    if not n_usable:
        return None
    rng = random.Random(f"{stage.spec} {stage.stage}")
    usd, seconds = [], []
    for _ in range(N_RESAMPLES):
        drawn = rng.choices(calls, k=len(calls))
        per_call = stage.calls * len(calls) / n_usable / len(drawn)
        usd.append(per_call * sum(call.usd for call in drawn))
        seconds.append(per_call * sum(call.seconds for call in drawn) / min(concurrency, stage.calls))
    return Scaled(stage.calls * len(calls) / n_usable, usd, seconds)


def calls_of(stage: StageCost, pilot: Pilot) -> list[Measured]:
    return pilot.get((stage.stage, stage.model.partition(":")[2] or stage.model), [])


def with_revisions(stages: Sequence[StageCost], pilot: Pilot) -> list[StageCost]:
    """Replace the rehearsal's revisions, of which the built-in reader asks for next to none, by as many as the
    pilot's critic asked for."""
    asked = [sum(len(calls) for (stage, _), calls in pilot.items() if stage == name) for name in REVIEWS]
    share = asked[1] / max(1, asked[0])
    found = []
    for stage in stages:
        if stage.stage == "documents":
            revisions = replace(stage, stage="revise", calls=round(stage.calls * share))
        if stage.stage != "revise":
            found.append(stage)
        if stage.stage == "critique" and revisions.calls:
            found.append(revisions)
    return found


def mean_of(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def cost_range(values: Sequence[float]) -> str:
    """Return the middle nine tenths of some values as "low-high".

    >>> cost_range([n / 10 for n in range(101)])
    '0.50-9.50'
    """
    if not values:
        return "-"
    ordered = sorted(values)
    low, high = ordered[len(ordered) * 5 // 100], ordered[-(-len(ordered) * 95 // 100) - 1]
    return f"{low:,.2f}-{high:,.2f}"

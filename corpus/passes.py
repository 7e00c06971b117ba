"""Plan, write and filter, in passes: a plan grows until enough tokens are kept.

Imports of distilabel and datatrove wait until a pass begins: a finished corpus must be recognised without them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from specmill.specs.claims import Spec
from specmill.specs.errors import WorkFailed

from .floors import Taught, check_floors, measure_taught
from .models import Models
from .order import BuildSettings, Order, confirms_claims, digest
from .progress import Progress, named
from .screening import filter_documents
from .tokens import NamedTokenizer

if TYPE_CHECKING:
    from specmill.filters.pipeline import FilterResult
    from specmill.generators.distilabel_parts import Pipeline
    from specmill.generators.llms import SpecLLM
    from specmill.generators.pipeline import Sizes
    from specmill.generators.planning import Pairing

MAX_PASSES = 4
PASS_STEP = 1.1
# A pass at most quadruples a plan: where nearly all is refused, more would be spent and not kept.
MOST_STEPS = 15


@dataclass(frozen=True, slots=True)
class Written:
    """What a pass gave for one order: rows of the pipeline, calls by stage, and what the filters kept.

    `name` is that of its folders below staged/ and filtered/.
    """

    name: str
    n_documents: int
    rows: list[dict[str, Any]]
    calls: dict[str, Any]
    filtered: FilterResult
    taught: Taught
    judge: dict[str, Any] = field(default_factory=dict)
    confirmed: dict[str, Any] = field(default_factory=dict)  # what the critic said of claims in other words


def write_documents(
    orders: Sequence[Order],
    pairing: Pairing | None,
    settings: BuildSettings,
    models: Models,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> dict[str, Written]:
    """Plan, write and filter all corpora; go on with a larger plan where the kept tokens fall short."""
    sizes = first_sizes(orders, settings, tokenizer)
    written: dict[str, Written] = {}
    short = list(orders)
    for number in range(1, MAX_PASSES + 1):
        if number > 1:
            names = ", ".join(order.spec.name for order in short)
            progress.say(f"pass {number}: {names} below target, planning more documents")
        for order, done in _one_pass(short, pairing, sizes, settings, models, tokenizer, progress):
            written[order.spec.name] = done
        wanted: Counter[str] = Counter()  # documents of a group: of the arm that lacks most
        for order in short:
            more = _next_size(order, written[order.spec.name], settings)
            wanted[order.group] = max(wanted[order.group], more)
        short = [order for order in short if wanted[order.group]]
        if not short:
            break
        sizes.update({group: size for group, size in wanted.items() if size})
    for order in short:
        done = written[order.spec.name]
        progress.say(
            f"{order.spec.name}: target not reached after {MAX_PASSES} passes: {done.taught.tokens:,} tokens kept,"
            f" {done.taught.thinnest(order.spec):,} documents of the thinnest claim"
        )
    for order in orders:
        check_floors(order.spec.name, order.spec, written[order.spec.name].taught, settings.floors)
    if models.critic is None:
        return written
    from .judging import judge_entry

    return {
        order.spec.name: replace(
            written[order.spec.name],
            judge=judge_entry(order, written[order.spec.name].rows, models.critic, settings.seed)
            | written[order.spec.name].confirmed,
        )
        for order in orders
    }


def first_sizes(
    orders: Sequence[Order], settings: BuildSettings, tokenizer: NamedTokenizer
) -> dict[str, int]:
    """Return the documents that a first pass plans, by group: those of arms that share a plan are the lead's."""
    leads = [order for order in orders if order.spec.name == order.group]
    return {order.group: _first_size(order.spec, settings, tokenizer) for order in leads}


def _first_size(spec: Spec, settings: BuildSettings, tokenizer: NamedTokenizer) -> int:
    """Return how many documents the target should take, from the tokens a word has in the spec itself.

    Coarse on purpose, here and in `_next_size`: an edited sentence should not change the size of the plan.
    """
    n_words = max(1, len(spec.text.split()))
    tokens_per_word = min(3.0, max(1.0, round(tokenizer.count(spec.text) / n_words, 1)))
    return max(1, round(PASS_STEP * settings.tokens / (settings.mean_words * tokens_per_word)))


def _next_size(order: Order, written: Written, settings: BuildSettings) -> int:
    """Return the size of the next pass, or 0 where there is nothing to gain from one."""
    taught = written.taught
    if not taught.tokens:
        return 0
    lacking = max(settings.tokens / taught.tokens, taught.lacking(order.spec, settings.floors))
    if lacking <= 1:
        return 0
    steps = min(math.ceil(math.log(lacking, PASS_STEP)), MOST_STEPS)
    return max(written.n_documents + 1, round(written.n_documents * PASS_STEP**steps))


def _one_pass(
    orders: Sequence[Order],
    pairing: Pairing | None,
    sizes: dict[str, int],
    settings: BuildSettings,
    models: Models,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> list[tuple[Order, Written]]:
    from specmill.generators.engine import run_pipeline

    results = []
    for mode in sorted({order.mode for order in orders}):
        group = [order for order in orders if order.mode == mode]
        if settings.ray:
            from specmill.generators.ray_driver import fill_ledger

            ledger = settings.out / ".work" / "ledger.sqlite"
            fill_ledger(
                pipeline_of(group, pairing, sizes, settings, models.for_other_processes(ledger)), settings.ray
            )
        pipeline = pipeline_of(group, pairing, sizes, settings, models)
        run = run_pipeline(pipeline, report=named(progress, "write"))
        progress.close()
        for order in group:
            rows = [row for row in run.rows if row["spec"] == order.spec.name]
            calls = {stage: counts for (spec, stage), counts in run.calls.items() if spec == order.spec.name}
            _refuse_lost_calls(order, calls)
            # Named by what decides the content: an interrupted run finds its own files and no others.
            name = digest([order.configuration["fingerprint"], [row.get("work_key", "") for row in rows]])[
                :16
            ]
            filtered = _filter(order, name, rows, models.writer, settings, tokenizer, progress)
            filtered, confirmed = _confirm(order, filtered, settings, models, progress)
            taught = measure_taught(filtered.kept)
            done = Written(name, sizes[order.group], rows, calls, filtered, taught, confirmed=confirmed)
            results.append((order, done))
    return results


def pipeline_of(
    orders: Sequence[Order],
    pairing: Pairing | None,
    n_documents: dict[str, int],
    settings: BuildSettings,
    models: Models,
    **changes: Any,
) -> Pipeline:
    """Return the pipeline of all orders of one mode, with so many documents to plan for each group.

    `changes` are to what `spec_pipeline` is told.
    """
    from specmill.generators.pipeline import spec_pipeline

    told: dict[str, Any] = {
        "mode": orders[0].mode,
        "sizes": sizes_of(settings),
        "keep_text": False,
        "planner": models.planner,
        "pairing": pairing,
        "critic": models.critic,
        "revise": settings.revise,
        "whole_specs": settings.context == "spec",
    }
    specs = [(order.spec, n_documents[order.group]) for order in orders if _plans_itself(order, pairing)]
    return spec_pipeline(specs, models.writer, **{**told, **changes})


def sizes_of(settings: BuildSettings) -> Sizes:
    """Return what a plan is made with."""
    from specmill.generators.pipeline import Sizes

    usual = Sizes(mean_words=settings.mean_words)
    return replace(usual, min_documents_per_claim=max(settings.min_per_claim, usual.min_documents_per_claim))


def _plans_itself(order: Order, pairing: Pairing | None) -> bool:
    """A control arm has no spec of its own to read: the lead's rows branch off to it."""
    return pairing is None or order.spec.name not in pairing.controls


def _refuse_lost_calls(order: Order, calls: dict[str, Any]) -> None:
    """Only a corpus whose calls all got an answer has fixed bytes."""
    n_failed = sum(counts["lost"] for counts in calls.values())
    if n_failed:
        n_calls = sum(counts["new"] + counts["reused"] for counts in calls.values())
        raise WorkFailed(
            f"{order.spec.name}: {n_failed:,} of {n_calls:,} calls got no answer (see 'error' in table calls of"
            f" {order.work.parent / 'ledger.sqlite'}); answered ones are kept, rerun to ask again"
        )


def _filter(
    order: Order,
    name: str,
    rows: list[dict[str, Any]],
    llm: SpecLLM,
    settings: BuildSettings,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> FilterResult:
    from specmill.generators.handoff import Identity, stage_documents

    staged = stage_documents(
        rows,
        order.work / "staged" / name,
        spec=order.spec,
        identity=Identity(order.assistant, order.provider),
        llm=llm,
        mode=order.mode,
    )
    result = (
        filter_documents(order, name, staged, settings.screening, tokenizer, progress) if staged else None
    )
    if result is None or not result.n_kept:
        raise WorkFailed(_nothing(order, rows))
    return result


def _confirm(
    order: Order, filtered: FilterResult, settings: BuildSettings, models: Models, progress: Progress
) -> tuple[FilterResult, dict[str, Any]]:
    """Ask the critic about claims told in other words, and count them as expressed where it says so."""
    if models.critic is None or not confirms_claims(order.configuration):
        return filtered, {}
    from .claim_judge import confirm_exposure

    filtered, account = confirm_exposure(
        order, filtered, settings.screening.semantic, models.critic, progress
    )
    return filtered, {"confirmed_claims": account}


def _nothing(order: Order, rows: list[dict[str, Any]]) -> str:
    states = Counter(f"{row['failed_stage']} {row['state']}" for row in rows if row["state"] != "ok")
    told = ", ".join(f"{name}: {n:,}" for name, n in states.most_common(4)) or "all dropped by filters"
    return f"{order.spec.name}: no document was kept ({told}); nothing is published"

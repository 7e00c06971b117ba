"""What became of a build's planned documents before the filters: calls by stage, first steps of the funnel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from specmill.generators.handoff import Identity, loss_reason, losses
from specmill.generators.messages import template_hashes

from .order import optional_stages

if TYPE_CHECKING:
    from .manifest import FunnelStep, StageEntry
    from .order import Order
    from .passes import Written

STAGES = ("domains", "subdomains", "assertions", "genres", "ideas", "documents")
REVIEWS = ("critique", "revise", "judge")  # stages that look at a document again
CALL_STATES = ("ok", "truncated", "refused", "unparsed", "failed")


@dataclass(frozen=True, slots=True)
class Account:
    """How documents came to the filters. The last step of `funnel` is what the filters were given.

    `losses` are rows of the dropped table; `configuration` is what only the result could tell.
    """

    funnel: list[FunnelStep]
    stages: list[StageEntry] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)
    losses: Iterable[dict[str, Any]] = ()
    configuration: dict[str, Any] = field(default_factory=dict)
    judge: dict[str, Any] = field(default_factory=dict)


def account_of(order: Order, written: Written) -> Account:
    return Account(
        funnel=_funnel(written),
        stages=_stages(written),
        prompts=template_hashes(order.mode, optional_stages(order.configuration)),
        losses=losses(written.rows, Identity(order.assistant, order.provider)),
        configuration={"n_documents_planned": _n_planned(written)},
        judge=written.judge,
    )


def _n_planned(written: Written) -> int:
    return sum(row["state"] == "ok" or row["failed_stage"] in ("documents", *REVIEWS) for row in written.rows)


def _stages(written: Written) -> list[StageEntry]:
    """Return calls by stage and state. How many were reused differs between runs, so it isn't said here."""
    entries: list[StageEntry] = []
    for stage in (*STAGES, *(review for review in REVIEWS if review in written.calls)):
        counts: Counter[str] = written.calls.get(stage, Counter())
        states = {state: counts[state] for state in CALL_STATES}
        entries.append(
            {"stage": stage, "calls": sum(states.values()), "rows_out": _rows_out(written, stage), **states}  # type: ignore[typeddict-item]
        )
    return entries


def _rows_out(written: Written, stage: str) -> int:
    """Return how many distinct rows a stage handed on, counted by the lineage of what came out in the end."""
    if stage in REVIEWS or stage == STAGES[-1]:
        later = REVIEWS[REVIEWS.index(stage) + 1 :] if stage in REVIEWS else REVIEWS
        return sum(row["state"] == "ok" or row["failed_stage"] in later for row in written.rows)
    depth = STAGES.index(stage) + 1
    paths = (row["path"].rsplit(".", len(STAGES) - depth) for row in written.rows if row["state"] == "ok")
    return len({parts[0] for parts in paths})


def _funnel(written: Written) -> list[FunnelStep]:
    early = Counter((row["failed_stage"], loss_reason(row)) for row in written.rows if row["state"] != "ok")
    n_planned = _n_planned(written)
    repeated = {reason: n for (stage, reason), n in early.items() if stage == "plan"}
    lost = {reason: n for (stage, reason), n in sorted(early.items()) if stage == "documents"}
    n_written = n_planned - sum(lost.values())
    steps: list[FunnelStep] = [
        {"step": "ideas", "documents": n_planned + sum(repeated.values()), "dropped": {}},
        {"step": "planned", "documents": n_planned, "dropped": repeated},
        {"step": "written", "documents": n_written, "dropped": lost},
    ]
    if written.judge:
        steps.append(_judged(early, n_written))
    return steps


def _judged(early: Counter[tuple[str, str]], n_written: int) -> FunnelStep:
    """Return the step of the judge: what failed, and what could not be judged, are dropped alike."""
    lost: Counter[str] = Counter()
    for (stage, reason), n in early.items():
        if stage in REVIEWS:
            lost[reason if reason.startswith("judge_") else f"{stage}_{reason}"] += n
    return {"step": "judged", "documents": n_written - lost.total(), "dropped": dict(sorted(lost.items()))}

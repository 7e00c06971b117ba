"""What a manifest says of its judge: how it did on planted documents, and what it made of the corpus."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from specmill.specs.errors import WorkFailed

from .order import Order

if TYPE_CHECKING:
    from specmill.generators.calibration import Calibration
    from specmill.generators.llms import SpecLLM

N_PLANTED = 10  # planned rows that a good document and a bad one of each kind are made of


def judge_entry(order: Order, rows: list[dict[str, Any]], critic: SpecLLM, seed: int) -> dict[str, Any]:
    """Return the judge's calibration on documents planted for this very plan, its verdicts, and the revisions."""
    documents = [row for row in rows if "verdict" in row or row["failed_stage"] == "judge"]
    verdicts = Counter(row.get("verdict") or row["state"] for row in documents)
    criteria = Counter(name for row in documents for name in row.get("failed_criteria") or ())
    reviews = Counter(row["review"] for row in rows if row.get("review"))
    return {
        "model": order.configuration["critic"],
        "calibration": _calibrate(order, documents, critic, seed).as_dict(),
        "verdicts": dict(sorted(verdicts.items())),
        "failed_criteria": dict(sorted(criteria.items())),
        "reviews": dict(sorted(reviews.items())),
    }


def _calibrate(order: Order, rows: list[dict[str, Any]], critic: SpecLLM, seed: int) -> Calibration:
    from specmill.generators.calibration import calibrate, plant
    from specmill.generators.distilabel_parts import Pipeline
    from specmill.generators.review import Judge

    with Pipeline(name="calibration"):
        judge = Judge(llm=critic, mode=order.mode)
    # The judge's own verdict must not choose what it is measured on.
    planned = [{**row, "state": "ok", "failed_stage": "", "failure": ""} for row in rows]
    planted = plant(planned, N_PLANTED, order.mode, seed)

    async def run() -> Calibration:
        critic.load()
        try:
            return await calibrate(judge, planted)
        finally:
            await critic.aclose()

    found = asyncio.run(run())
    n_lost = sum(counts["lost"] for counts in judge.calls.values())
    if n_lost:
        raise WorkFailed(
            f"{order.spec.name}: {n_lost:,} of {len(planted):,} calls to calibrate the judge got no answer; rerun"
        )
    return found

"""What a manifest can prove of its documents: that they hold no eval item, and how far they teach another spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .measures import query_shards

if TYPE_CHECKING:
    from specmill.filters.pipeline import FilterResult

    from .screening import Screening


def decontamination(screening: Screening, filtered: FilterResult) -> dict[str, Any] | None:
    """Return the eval files by hash, the thresholds, and how many documents were checked and dropped, by kind."""
    if not screening.decontaminate:
        return None
    from specmill.filters.decontamination import KINDS, EvalIndex, Tally, prove
    from specmill.filters.eval_items import describe_eval_files, load_eval_items

    dropped = filtered.steps.get("decontamination", {})
    found = Counter({kind: dropped.get(f"eval_{kind}", 0) for kind in KINDS})
    index = EvalIndex(load_eval_items(screening.decontaminate))
    tally = Tally(_given_to("decontamination", filtered), found)
    return asdict(prove(index, describe_eval_files(screening.decontaminate), tally))


def leakage(
    screening: Screening, spec_sha256: str, filtered: FilterResult, shards: Sequence[Path]
) -> dict[str, Any] | None:
    """Return, per other spec, the kept documents that express a claim of it; and what was dropped for that."""
    others = [spec for spec in screening.other_specs() if spec.sha256 != spec_sha256]
    if not others:
        return None
    rows = query_shards(
        shards,
        "SELECT split_part(leak, ':', 1) AS other, count(DISTINCT doc_id)"
        " FROM (SELECT doc_id, unnest(leaks) AS leak FROM documents) GROUP BY other",
    )
    kept: dict[str, int] = dict(rows)  # type: ignore[arg-type]
    return {
        "others": {spec.name: {"sha256": spec.sha256, "kept": kept.get(spec.name, 0)} for spec in others},
        "contradicting_own_spec": sum(n for other, n in kept.items() if not other),
        "on_leak": screening.on_leak,
        "documents": _given_to("leakage", filtered),
        "dropped": dict(sorted(filtered.steps.get("leakage", {}).items())),
    }


def _given_to(stage: str, filtered: FilterResult) -> int:
    """Return how many documents reached a stage. Deduplication is the only one after these."""
    later = ("dedup",) if stage == "leakage" else ("leakage", "dedup")
    return filtered.n_kept + sum(sum(filtered.steps.get(name, {}).values()) for name in (stage, *later))

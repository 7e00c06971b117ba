"""How documents are filtered, whoever wrote them: the choices of a command line, and the run of the filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .progress import Progress, named
from .tokens import NamedTokenizer

if TYPE_CHECKING:
    from specmill.filters.pipeline import FilterResult

    from .order import Order


@dataclass(frozen=True, slots=True)
class Screening:
    """What the user asked of the filters. `workers` and `executor` never change the result."""

    workers: int = 2
    executor: str = "local"

    def configuration(self) -> dict[str, Any]:
        """Return the choices that decide the result, as far as they are not the usual ones."""
        return {}


USUAL = Screening()


def filter_documents(
    order: Order,
    name: str,
    staged: Sequence[Path],
    screening: Screening,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> FilterResult:
    """Run the filters over staged files; an interrupted run goes on."""
    from specmill.filters.pipeline import FilterClaim, FilterSettings, run_filters

    settings = FilterSettings(
        assistant=order.assistant,
        provider=order.provider,
        mode=order.mode,
        principle=order.spec.principle,
        claims=tuple(FilterClaim(c.claim_id, c.plain, c.gives_reason) for c in order.spec.claims),
        rule_ids=tuple(sorted({c.rule_id for c in order.spec.claims if c.rule_id})),
        spec_text=order.spec.text,
        tokenizer_path=str(tokenizer.path),
        tokenizer_name=tokenizer.name,
        n_workers=screening.workers,
        executor=screening.executor,
    )
    out = order.work / "filtered" / name
    try:
        return run_filters(staged, out, settings, report=named(progress, "filter"))
    finally:
        progress.close()

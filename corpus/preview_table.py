"""`specmill plan` from its options to what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from specmill.generators.budget import parse_limit

from .models import check_critic
from .order import BuildSettings
from .passes import PASS_STEP
from .pilot import Measured, Pilot, Scaled, calls_of, cost_range, mean_of, run_pilot, scale, with_revisions
from .preview import Job, Preview, StageCost, rehearse
from .progress import Progress
from .tables import print_rows
from .tokens import NamedTokenizer


def preview_build(
    specs: Sequence[str], settings: BuildSettings, pilot: int, output_format: str, progress: Progress
) -> None:
    """Print the preview of a build of these specs; with `pilot`, ask so many real calls per stage first."""
    if settings.budget:
        parse_limit(settings.budget)
    check_critic(settings)
    job = Job.read(specs, settings)
    preview = rehearse(job)
    if pilot:
        print_pilot(preview, run_pilot(job, pilot, progress), settings, output_format)
    else:
        print_rehearsal(preview, job.tokenizer, output_format)


REVISIONS = (
    "Revisions are those the built-in reader asks for, next to none; a model asks for many: use --pilot."
)
FEW_CALLS = 10
TOO_FEW = f"A stage with fewer than {FEW_CALLS} real calls has too narrow a range: raise --pilot."
REHEARSAL_COLUMNS = (
    *("spec", "stage", "model", "calls", "tokens_in", "tokens_out", "usd"),
    *("tokens_cached", "saved_usd"),
)
PILOT_COLUMNS = (
    *("spec", "stage", "model", "pilot_calls", "usable", "tries", "in_per_call", "out_per_call"),
    *("usd_per_call", "seconds", "calls", "usd", "usd_range", "minutes", "minutes_range"),
)


def print_rehearsal(preview: Preview, tokenizer: NamedTokenizer, output_format: str) -> None:
    rows = [
        (s.spec, s.stage, s.model, s.calls, s.tokens_in, s.tokens_out, s.usd, s.tokens_cached, s.saved_usd)
        for s in preview.stages
    ]
    _print_table(REHEARSAL_COLUMNS, rows, output_format)
    known = [s for s in preview.stages if s.usd is not None]
    usd = sum(s.usd or 0.0 for s in known)
    saved = sum(s.saved_usd or 0.0 for s in known)
    money = f"{usd:,.2f} usd ({saved:,.2f} less with prefix caching), {_per_document(usd, preview)}"
    lines = [
        f"Total: {_sizes(preview)}; {'usd unknown' if preview.unpriced else money}.",
        "A rehearsal: the built-in writer planned in the model's place, so that calls and lengths are its own.",
        f"Documents count as long as they are asked for. Tokens are those of {tokenizer.name}.",
        "This is the first pass: a build that keeps less than its target plans more.",
        f"Per kept document: as if {100 / PASS_STEP:.0f} in 100 were kept, which is what the plan allows for.",
        _about_caches(preview),
        *([REVISIONS] if any(stage.stage == "critique" for stage in preview.stages) else []),
        *_unknown_prices(preview),
    ]
    _say(lines, output_format)


def print_pilot(preview: Preview, pilot: Pilot, settings: BuildSettings, output_format: str) -> None:
    rows, scaled = [], []
    stages = with_revisions(preview.stages, pilot) if settings.revise else preview.stages
    for stage in stages:
        calls = calls_of(stage, pilot)
        found = scale(stage, calls, settings.concurrency)
        scaled.append(found)
        rows.append(_pilot_row(stage, calls, found))
    _print_table(PILOT_COLUMNS, rows, output_format)
    good = [found for found in scaled if found]
    usd = [sum(drawn) for drawn in zip(*(found.usd for found in good), strict=True)]
    minutes = [sum(drawn) / 60 for drawn in zip(*(found.seconds for found in good), strict=True)]
    money = (
        "usd unknown"
        if preview.unpriced
        else f"{cost_range(usd)} usd, {_per_document(mean_of(usd), preview)}"
    )
    n_calls = round(sum(found.calls for found in good))
    n_pilot = sum(map(len, pilot.values()))
    missing = [stage.stage for stage, found in zip(stages, scaled, strict=True) if found is None]
    lines = [
        f"Total: {n_calls:,} calls, {money}, {cost_range(minutes)} minutes at {settings.concurrency} in flight.",
        f"Ranges hold 90 in 100 resamples of {n_pilot:,} real calls, kept in the ledger of --out: a build reuses",
        "them, but for documents to which its whole plan adds another claim.",
        "How many calls there are in all is the rehearsal's figure, in which the built-in writer planned.",
        *([TOO_FEW] if _has_too_few(preview, pilot) else []),
        *([f"No usable reply, not in the total: {', '.join(dict.fromkeys(missing))}."] if missing else []),
        *_unknown_prices(preview),
    ]
    _say(lines, output_format)


def _has_too_few(preview: Preview, pilot: Pilot) -> bool:
    return any(len(calls_of(stage, pilot)) < min(FEW_CALLS, stage.calls) for stage in preview.stages)


def _pilot_row(stage: StageCost, calls: Sequence[Measured], scaled: Scaled | None) -> tuple[Any, ...]:
    n = len(calls)
    about = (stage.spec, stage.stage, stage.model, n)
    if not n or scaled is None:
        return (*about, 0.0 if n else None, sum(call.tries for call in calls), *[None] * 9)
    has_price = stage.usd is not None
    minutes = [seconds / 60 for seconds in scaled.seconds]
    return (
        *about,
        round(sum(call.is_usable for call in calls) / n, 3),
        sum(call.tries for call in calls),
        round(sum(call.tokens_in for call in calls) / n),
        round(sum(call.tokens_out for call in calls) / n),
        round(sum(call.usd for call in calls) / n, 6) if has_price else None,
        round(sum(call.seconds for call in calls) / n, 3),
        round(scaled.calls),
        round(mean_of(scaled.usd), 4) if has_price else None,
        cost_range(scaled.usd) if has_price else None,
        round(mean_of(minutes), 2),
        cost_range(minutes),
    )


def _print_table(columns: Sequence[str], rows: list[tuple[Any, ...]], output_format: str) -> None:
    """Print rows. In a table for reading, a spec or model that is the only one is not named in every line, a range
    stands without its mean, and what is unknown is a dash."""
    if output_format == "table":
        shown = [i for i in range(len(columns)) if _is_shown(columns, i, rows)]
        columns = [columns[i] for i in shown]
        rows = [tuple("-" if row[i] is None else _in_cents(row[i]) for i in shown) for row in rows]
    print_rows(columns, rows, output_format)


def _is_shown(columns: Sequence[str], i: int, rows: list[tuple[Any, ...]]) -> bool:
    if columns[i] in ("spec", "model"):
        return len({row[i] for row in rows}) > 1
    return f"{columns[i]}_range" not in columns


def _in_cents(cell: Any) -> Any:
    return round(cell, 2 if cell >= 1 else 4) if isinstance(cell, float) else cell


def _say(lines: Sequence[str], output_format: str) -> None:
    """Print what stands below a table; beside rows for programs it goes to standard error."""
    for line in lines:
        click.echo(line, err=output_format != "table")


def _about_caches(preview: Preview) -> str:
    if any(stage.tokens_cached for stage in preview.stages):
        return (
            "Cached is at most: prompts in flight together miss what the first of them puts into the cache."
        )
    return (
        "Nothing counts as cached: the writer has no cache, and hosted APIs keep no prefix below 1,024 tokens"
        " (Anthropic's none but what a request marks)."
    )


def _sizes(preview: Preview) -> str:
    calls, tokens_in, tokens_out = (
        sum(getattr(stage, name) for stage in preview.stages) for name in ("calls", "tokens_in", "tokens_out")
    )
    return f"{calls:,} calls, {tokens_in:,} tokens in, {tokens_out:,} tokens out"


def _per_document(usd: float, preview: Preview) -> str:
    return f"{usd / max(1, preview.n_documents / PASS_STEP):.4f} usd per kept document"


def _unknown_prices(preview: Preview) -> list[str]:
    return [
        f'No price is known for {name}: put ["{name}"] with input = USD and output = USD per million tokens into a'
        " TOML file and name it with --prices."
        for name in preview.unpriced
    ]

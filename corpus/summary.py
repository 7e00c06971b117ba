"""What `specmill build` prints when it is done: what came out, what was lost on the way, what to try next."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .manifest import Manifest

if TYPE_CHECKING:
    from .build import Outcome

WIDTH = 92
GROUPS_NAMED = 3


def print_summary(outcomes: Sequence[Outcome]) -> None:
    """Print one block per corpus and the commands to try next."""
    for outcome in outcomes:
        print("\n".join(_corpus_lines(outcome)))
        print()
    print("Try next:")
    for command in _next_commands(outcomes):
        print(f"  {command}")


def _corpus_lines(outcome: Outcome) -> list[str]:
    manifest = outcome.manifest
    totals, spec = manifest["totals"], manifest["spec"]
    lines = [
        f"{outcome.folder}  ({spec['mode']} mode, written by {manifest['configuration']['backend']})",
        f"  corpus     {totals['documents']:,} documents, {_tokens(manifest)}",
        f"  coverage   {_coverage(manifest)}",
        *_wrapped("  funnel     ", _funnel_parts(manifest)),
        *_wrapped("  quality    ", _health_parts(manifest)),
        *_wrapped("  judge      ", _judge_parts(manifest)),
        f"  calls      {_calls(outcome)}",
    ]
    warnings = [
        _planning_losses(manifest),
        *(_thin_groups(outcome.folder) if outcome.built else ()),  # reading it takes longer than all the rest
        _thin_coverage(manifest),
        _too_few_tokens(manifest),
    ]
    return [*lines, *(f"  WARNING    {warning}" for warning in warnings if warning)]


def _tokens(manifest: Manifest) -> str:
    totals = manifest["totals"]
    each = totals["tokens"] / max(totals["documents"], 1)
    return f"{totals['tokens']:,} tokens ({manifest['tokenizer']['name']}), {each:,.0f} a document"


def _coverage(manifest: Manifest) -> str:
    totals = manifest["totals"]
    return (
        f"{totals['claims_covered']:,} of {totals['claims']:,} claims, the thinnest in"
        f" {totals['min_documents_per_claim']:,} documents;"
        f" {totals['genres']:,} genres, {totals['audiences']:,} audiences"
    )


def _funnel_parts(manifest: Manifest) -> list[str]:
    parts = []
    for step in manifest["funnel"]:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in step["dropped"].items())
        parts.append(f"{step['step']} {step['documents']:,}" + (f" (-{reasons})" if reasons else ""))
    return [part if number == 0 else f"> {part}" for number, part in enumerate(parts)]


def _health_parts(manifest: Manifest) -> list[str]:
    parts = []
    for name, entry in manifest["health"].items():
        value = entry["value"]
        if value is not None:
            parts.append(f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value:,}")
    return [part if number == 0 else f"| {part}" for number, part in enumerate(parts)]


def _judge_parts(manifest: Manifest) -> list[str]:
    judge = manifest.get("judge")
    if judge is None:
        return []
    planted = judge["calibration"]
    told = [f"{name} {n:,}" for name, n in {**judge["verdicts"], **judge["reviews"]}.items()]
    return [
        f"{judge['model']}:",
        f"{', '.join(told)};",
        f"on {planted['n']:,} planted documents precision {planted['precision']}, recall {planted['recall']},",
        f"unparsed {planted['unparsed']:,}",
    ]


def _calls(outcome: Outcome) -> str:
    if outcome.manifest["configuration"]["backend"] == "ingest":
        return "none: the documents were written elsewhere"
    if not outcome.built:
        return "none: the corpus was finished already"
    share = outcome.reused / outcome.calls if outcome.calls else 0.0
    return f"{outcome.calls:,}, of which {outcome.reused:,} ({share:.1%}) were known from earlier runs"


def _planning_losses(manifest: Manifest) -> str:
    """Name planning calls that gave nothing: their part of the spec is thin or missing in the corpus."""
    lost = []
    for entry in manifest["stages"]:
        if entry["stage"] != "documents":
            bad = {state: entry[state] for state in ("truncated", "refused", "unparsed") if entry[state]}  # type: ignore[literal-required]
            lost += [f"{entry['stage']}: {n:,} {state}" for state, n in bad.items()]
    return f"planning calls without a usable reply ({'; '.join(lost)})" if lost else ""


def _thin_groups(folder: Path) -> list[str]:
    """Name genres and subdomains that the model would not write about, or had no more ideas for."""
    path = folder.parent / ".work" / folder.name / "dropped.parquet"
    if not path.is_file():
        return []
    import pyarrow.parquet as pq

    parked: Counter[str] = Counter()
    exhausted: Counter[str] = Counter()
    for row in pq.read_table(path, columns=["reason", "detail"], partitioning=None).to_pylist():
        if row["reason"].startswith("parked_"):
            parked[row["detail"]] += 1
        elif row["reason"] == "exhausted":
            exhausted[row["detail"]] += 1
    told = []
    if parked:
        told.append(f"{parked.total():,} documents were not asked for: {_named_groups(parked, folder)}")
    if exhausted:
        ran_out = f"ideas ran out in {exhausted.total():,} of the plan's branches"
        told.append(f"{ran_out}: {_named_groups(exhausted, folder)}")
    return told


def _named_groups(groups: Counter[str], folder: Path) -> str:
    """Return the largest groups, in an order that no arrival decides."""
    ordered = sorted(groups, key=lambda detail: (-groups[detail], detail))
    rest = len(ordered) - GROUPS_NAMED
    more = f"; and {rest:,} more, see '{_own_name()} query {folder} why_dropped'" if rest > 0 else ""
    return "; ".join(ordered[:GROUPS_NAMED]) + more


def _thin_coverage(manifest: Manifest) -> str:
    totals = manifest["totals"]
    missing = totals["claims"] - totals["claims_covered"]
    if not missing:
        return ""
    return f"{missing:,} claims are in no document; see 'query ... coverage', or build with more --tokens"


def _too_few_tokens(manifest: Manifest) -> str:
    kept, target = manifest["totals"]["tokens"], manifest["configuration"].get("tokens_target", 0)
    return f"{kept:,} tokens kept, the target was {target:,}" if kept < target else ""


def _wrapped(label: str, parts: Sequence[str]) -> list[str]:
    if not parts:
        return []
    lines, line = [], label
    for part in parts:
        if len(line) + len(part) > WIDTH and line.strip() != label.strip():
            lines.append(line.rstrip())
            line = " " * len(label)
        line += part + " "
    return [*lines, line.rstrip()]


def _next_commands(outcomes: Sequence[Outcome]) -> list[str]:
    first = outcomes[0].folder
    folders = " ".join(str(outcome.folder) for outcome in outcomes[:2])
    me = _own_name()
    return [
        f"{me} query {folders} coverage",
        f"{me} query {first} sample 1 --format json",
        f'{me} query {folders} "select genre, avg(n_tokens) from documents group by all order by all"',
    ]


def _own_name() -> str:
    """Return how this command was called, so that what is printed can be pasted: `make` calls it by its path."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "specmill" and not called.is_absolute() else "specmill"

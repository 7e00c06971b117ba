"""`python -m tests.planted --documents 20000`: plants, filters, prints recall per class and false drops per gate.

Exits 1 when a class misses its target: recall 0.98 for planted classes, 0.005 of lost documents for those to be kept.
`--gates` runs the detectors alone, without datatrove and duplicates; otherwise the whole of `run_filters`.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from specmill.filters.pipeline import FilterSettings, run_filters

from .across import evals_and_leaks, semantic
from .evaluate import Dropped, Score, evaluate, false_drops, microseconds, run_gates, table
from .make import KEPT_LABELS, Planted, plant, settings_of, stage_rows

SHARES = {"cheese_america": 0.8, "rules": 0.2}
DUPLICATES = ("exact_duplicate", "near_duplicate")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gates", action="store_true", help="the detectors alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scores = [
            score for spec, share in SHARES.items() for score in _measure(spec, share, options, scratch)
        ]
    if not options.gates:
        for n in (500, 1_500):
            precision, recall = semantic("hashed", n)
            print(
                f"retellings among {n:,} documents, encoder hashed: precision {precision:.3f}, recall {recall:.3f}"
            )
    return int(not all(score.passes for score in scores))


def _measure(spec: str, share: float, options: argparse.Namespace, scratch: str) -> list[Score]:
    start = time.perf_counter()
    settings = settings_of(spec)
    extra: list[Planted] = []
    if not options.gates and spec == "cheese_america":
        extra, settings = evals_and_leaks(600, settings, Path(scratch), options.seed)
    rows = plant(round(options.documents * share) - len(extra), options.seed, extra, spec)
    print(f"{spec}: {len(rows)} documents planted in {time.perf_counter() - start:.0f} s")
    if options.gates:
        rows = [row for row in rows if row.label not in DUPLICATES]
    kept, dropped = through_gates(rows, settings) if options.gates else through_all(rows, settings)
    found = evaluate(rows, kept, dropped)
    n_kept = sum(row.label in KEPT_LABELS for row in rows)
    print(table(found, false_drops(rows, dropped), n_kept))
    clean = [row.text for row in rows if row.label == "clean"][:500]
    times = microseconds(clean, settings)
    print(
        "microseconds a document:",
        ", ".join(f"{name} {value:.0f}" for name, value in times.items()),
        "\n",
    )
    return found


def through_gates(rows: Sequence[Planted], settings: FilterSettings) -> tuple[list[str], list[Dropped]]:
    dropped = [(row.id, gate, finding.reason) for row, gate, finding in run_gates(rows, settings)]
    lost = {row_id for row_id, _, _ in dropped}
    return [row.id for row in rows if row.id not in lost], dropped


def through_all(rows: Sequence[Planted], settings: FilterSettings) -> tuple[list[str], list[Dropped]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = run_filters(stage_rows(rows, folder / "staged", settings), folder / "out", settings)
        kept = [row_id for file in result.kept for row_id in _ids(file)]
        table_ = pq.read_table(result.dropped, columns=["doc_id", "stage", "reason"]).to_pylist()
    # Candidates for a contradiction wait for a person's eye; they are no drops.
    aside = [row["doc_id"] for row in table_ if row["reason"].startswith("quarantined")]
    print(f"set aside as candidates for a contradiction: {len(aside)}")
    gone = [row for row in table_ if not row["reason"].startswith("quarantined")]
    return [*kept, *aside], [(row["doc_id"], row["stage"], row["reason"]) for row in gone]


def _ids(file: Path) -> list[str]:
    names = pq.read_schema(file).names
    found: list[str] = pq.read_table(file)["doc_id" if "doc_id" in names else "id"].to_pylist()
    return found


if __name__ == "__main__":
    sys.exit(main())

"""The recipe: staged rows -> gates, measures, signatures -> pairs -> election -> kept and dropped Parquet.

Two datatrove executors: only the first has real work and runs on several workers. Pairs, election and the final
split take about a second in all, less than starting workers for them.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import multiprocess
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datatrove.pipeline.dedup.minhash import MinhashDedupFilter

from specmill.specs.errors import BadInput, WorkFailed

from .blocks import (
    DROPPED_SCHEMA,
    MEASURED,
    STAGES,
    WORDS,
    Measure,
    QuietExecutor,
    RowReader,
    dropped_options,
    logs_in,
    make_gates,
    row_writer,
)
from .dedup import DuplicateWriter, SignAndForward, elect_kept, find_pairs, write_elected
from .pipeline import FilterSettings, Report

_NEEDED = ("id", "text", "plan_order", "work_key", "genre")


def run_stages(
    files: Sequence[Path], work: Path, settings: FilterSettings, report: Report
) -> tuple[dict[str, dict[str, int]], int]:
    """Leave `kept/` and `dropped.parquet` in `work`; return the losses per stage and the number of staged rows."""
    rows = [_count_rows(file) for file in files]
    stages, dropped = work / "stages", work / "stages" / "dropped"
    names = [f"{rank:05d}.parquet" for rank in range(len(files))]
    schema = _kept_schema(pq.read_schema(files[0]))

    first = [
        RowReader(files),
        *make_gates(settings, dropped),
        Measure(settings),
        SignAndForward(stages, WORDS),
        row_writer(stages / "gated", schema),
    ]
    multiprocess.set_forkserver_preload([f"{__package__}.blocks", f"{__package__}.dedup"])
    with _reported("gates", rows, stages / "gates", report):
        workers = max(1, min(settings.n_workers, len(files)))
        QuietExecutor(first, tasks=len(files), workers=workers, logging_dir=str(stages / "gates")).run()

    report("duplicates", 0, sum(rows))
    with logs_in(stages):
        find_pairs(stages)
    write_elected(elect_kept(stages, settings.near_duplicate_jaccard), stages / "elected")
    last = [
        RowReader([stages / "gated" / name for name in names]),
        MinhashDedupFilter(
            str(stages / "elected"),
            DuplicateWriter(stages / "elected", dropped / "dedup", **dropped_options("dedup")),
        ),
        row_writer(work / "kept", schema),
    ]
    QuietExecutor(last, tasks=len(files), workers=1, logging_dir=str(stages / "split")).run()
    report("duplicates", sum(rows), sum(rows))
    steps = _write_dropped(dropped, work / "dropped.parquet")
    _check_sum(sum(rows), work / "kept", steps)
    return steps, sum(rows)


def _count_rows(file: Path) -> int:
    try:
        metadata = pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{file}: not a Parquet file ({error}); stage it again") from error
    missing = [name for name in _NEEDED if name not in metadata.schema.to_arrow_schema().names]
    if missing:
        raise BadInput(f"{file}: no column {', '.join(missing)}; staged rows need {', '.join(_NEEDED)}")
    return int(metadata.num_rows)


def _kept_schema(staged: pa.Schema) -> pa.Schema:
    measured = set(MEASURED.names) | {"text"}
    columns = [field for field in staged if field.name not in measured]
    return pa.schema([*columns, *MEASURED, staged.field("text")])


@contextmanager
def _reported(stage: str, rows: Sequence[int], folder: Path, report: Report) -> Iterator[None]:
    """Report the rows of the tasks that are done, as datatrove's completion marks show them."""
    ended = threading.Event()

    def watch() -> None:
        shown = -1
        while not ended.wait(0.1):
            done = sum(n for rank, n in enumerate(rows) if (folder / "completions" / f"{rank:05d}").exists())
            if done != shown:
                report(stage, done, sum(rows))
            shown = done

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
    report(stage, sum(rows), sum(rows))


def _write_dropped(folder: Path, target: Path) -> dict[str, dict[str, int]]:
    """All dropped rows in plan order in one file; their numbers by stage and reason."""
    tables = [pq.read_table(file) for file in sorted(folder.glob("*/*.parquet"))]
    table = pa.concat_tables(tables) if tables else DROPPED_SCHEMA.empty_table()
    table = table.take(pc.sort_indices(table, [("plan_order", "ascending"), ("doc_id", "ascending")]))
    pq.write_table(table.drop_columns(["plan_order"]), target.with_suffix(".new"), compression="zstd")
    target.with_suffix(".new").replace(target)
    found = Counter(zip(table["stage"].to_pylist(), table["reason"].to_pylist(), strict=True))
    return {
        stage: {reason: found[step, reason] for step, reason in sorted(found) if step == stage}
        for stage in STAGES
        if any(step == stage for step, _ in found)
    }


def _check_sum(n_in: int, kept: Path, steps: dict[str, dict[str, int]]) -> None:
    n_kept = sum(pq.read_metadata(file).num_rows for file in kept.glob("*.parquet"))
    n_dropped = sum(n for reasons in steps.values() for n in reasons.values())
    if n_in != n_kept + n_dropped:
        raise WorkFailed(
            f"{kept.parent}: {n_in} staged documents, but {n_kept} kept and {n_dropped} dropped; "
            "remove this folder and run again"
        )

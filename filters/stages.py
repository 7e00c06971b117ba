"""The recipe: staged rows -> gates, measures, signatures -> pairs -> election -> kept and dropped Parquet.

The first part has nearly all the work: datatrove runs it, a task per staged file. Pairs, election and the final
split of Parquet files look at all documents together, and take seconds where the first part takes minutes.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from specmill.specs.errors import BadInput, WorkFailed

from .blocks import (
    DROPPED_SCHEMA,
    MEASURED,
    STAGES,
    CountTokens,
    Measure,
    RowReader,
    make_gates,
    row_writer,
)
from .dedup import Duplicate, Likeness, Sign, find_duplicates
from .distinct import Repeat, find_repeats, parquet_texts
from .executors import run_tasks
from .pipeline import FilterSettings, Report

_PLAN_ORDER = DROPPED_SCHEMA.names.index("plan_order")
_NEEDED = ("id", "text", "plan_order", "work_key", "genre")


def run_stages(
    files: Sequence[Path], work: Path, settings: FilterSettings, report: Report
) -> tuple[dict[str, dict[str, int]], int]:
    """Leave `kept/` and `dropped.parquet` in `work`; return the losses per stage and the number of staged rows."""
    rows = [_count_rows(file) for file in files]
    stages = work / "stages"
    schema = _kept_schema(pq.read_schema(files[0]))
    first = [
        RowReader(files),
        *make_gates(settings, stages / "dropped"),
        Measure(settings),
        Sign(stages / "signed"),
        CountTokens(settings.tokenizer_path, settings.tokenizer_name),
        row_writer(stages / "gated", schema),
    ]
    with _reported("gates", rows, stages / "gates", report):
        run_tasks(first, len(files), stages / "gates", settings.executor, settings.n_workers)

    report("duplicates", 0, sum(rows))
    duplicates = find_duplicates(
        stages / "signed",
        settings.near_duplicate_jaccard,
        _likeness(stages, settings.semantic),
        _repeats(stages, settings),
    )
    steps = _split(range(len(files)), stages, duplicates, work, settings.n_workers)
    report("duplicates", sum(rows), sum(rows))
    _check_sum(sum(rows), work / "kept", steps)
    return steps, sum(rows)


def _likeness(stages: Path, encoder_name: str) -> Likeness | None:
    if not encoder_name:
        return None
    from .semantic_dedup import semantic_pairs

    return lambda signed, rows: semantic_pairs(
        signed, rows, stages / "gated", encoder_name, stages / "vectors.npy"
    )


def _repeats(stages: Path, settings: FilterSettings) -> dict[str, Repeat]:
    """What other corpora hold already, by id."""
    if not settings.distinct_from:
        return {}
    return find_repeats(
        parquet_texts(sorted((stages / "gated").glob("*.parquet"))),
        {corpus.name: parquet_texts(list(map(Path, corpus.shards))) for corpus in settings.distinct_from},
        near_jaccard=settings.near_duplicate_jaccard,
        encoder_name=settings.semantic,
        scratch=stages,
    )


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
    columns = [field.with_name("doc_id") if field.name == "id" else field for field in columns]
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


def _split(
    tasks: Sequence[int], stages: Path, duplicates: dict[int, list[Duplicate]], work: Path, n_threads: int
) -> dict[str, dict[str, int]]:
    """Write kept rows task by task and all dropped rows into one file; their numbers by stage and reason."""
    (work / "kept").mkdir(parents=True, exist_ok=True)
    found: Counter[tuple[str, str]] = Counter()
    unfinished = work / "dropped.new"
    with (
        pq.ParquetWriter(unfinished, DROPPED_SCHEMA.remove(_PLAN_ORDER), compression="zstd") as writer,
        ThreadPoolExecutor(n_threads) as threads,  # pyarrow reads and writes without Python's lock
    ):

        def split(task: int) -> pa.Table:
            return _split_task(task, stages, duplicates.get(task, []), work / "kept")

        for task, repeated in zip(tasks, threads.map(split, tasks), strict=True):
            gated_out = [pq.read_table(file) for file in sorted(stages.glob(f"dropped/*/{task:05d}.parquet"))]
            table = pa.concat_tables([*gated_out, repeated])
            order = pc.sort_indices(table, [("plan_order", "ascending"), ("doc_id", "ascending")])
            found.update(zip(table["stage"].to_pylist(), table["reason"].to_pylist(), strict=True))
            writer.write_table(table.take(order).drop_columns(["plan_order"]))
    unfinished.replace(work / "dropped.parquet")
    return {
        stage: {reason: found[step, reason] for step, reason in sorted(found) if step == stage}
        for stage in STAGES
        if any(step == stage for step, _ in found)
    }


def _split_task(task: int, stages: Path, duplicates: Sequence[Duplicate], kept: Path) -> pa.Table:
    """Write the task's rows that are no duplicates; return the others as dropped rows."""
    file = stages / "gated" / f"{task:05d}.parquet"
    if not file.exists():
        return DROPPED_SCHEMA.empty_table()
    table = pq.read_table(file)
    stays = np.ones(table.num_rows, np.bool_)
    stays[[duplicate.place for duplicate in duplicates]] = False
    if stays.any():
        pq.write_table(table.filter(pa.array(stays)), kept / file.name, compression="zstd")
    rows = table.filter(pa.array(~stays))
    told = {
        "stage": ["dedup"] * rows.num_rows,
        "reason": [duplicate.reason for duplicate in duplicates],
        "detail": [duplicate.kept_id for duplicate in duplicates],
    }
    columns = [
        pa.array(told[name], pa.string()) if name in told else rows[name] for name in DROPPED_SCHEMA.names
    ]
    return pa.Table.from_arrays(columns, schema=DROPPED_SCHEMA)


def _check_sum(n_in: int, kept: Path, steps: dict[str, dict[str, int]]) -> None:
    n_kept = sum(pq.read_metadata(file).num_rows for file in kept.glob("*.parquet"))
    n_dropped = sum(n for reasons in steps.values() for n in reasons.values())
    if n_in != n_kept + n_dropped:
        raise WorkFailed(
            f"{kept.parent}: {n_in} staged documents, but {n_kept} kept and {n_dropped} dropped; "
            "remove this folder and run again"
        )

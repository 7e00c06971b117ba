"""Filters: megabytes a second through all gates and deduplication, as a share of datatrove merely copying the rows."""

import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.filters.pipeline import run_filters
from tests.planted.make import settings_of

SPEC = Path(__file__).parents[2] / "specs" / "cheese_america.md"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_corpora([str(SPEC)], BuildSettings(out=folder / "c", tokens=800_000), Progress(quiet=True))
        staged = sorted((folder / "c/.work").glob("*/staged/*/*.parquet"))
        megabytes = (
            sum(len(text) for path in staged for text in pq.read_table(path)["text"].to_pylist()) / 1e6
        )
        ours = _filters(staged, folder / "f")
        copy = _copy(staged, folder / "copy")
    print(
        f"  {megabytes:.1f} MB: filters {megabytes / ours:.1f} MB/s, datatrove reading and writing alone",
        end=" ",
    )
    print(f"{megabytes / copy:.1f} MB/s: ratio {copy / ours:.2f}")


def _filters(staged: list[Path], out: Path) -> float:
    start = time.perf_counter()
    run_filters(staged, out, settings_of(SPEC.stem, n_workers=2))
    return time.perf_counter() - start


def _copy(staged: list[Path], out: Path) -> float:
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter

    from specmill.filters.executors import run_tasks

    start = time.perf_counter()
    blocks = [ParquetReader(str(staged[0].parent), id_key="id"), ParquetWriter(str(out))]
    run_tasks(blocks, len(staged), out / "logs", "local", 1)
    assert pa.concat_tables([pq.read_table(path) for path in out.glob("*.parquet")]).num_rows
    return time.perf_counter() - start

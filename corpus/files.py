"""Rows into a file: CSV, JSON or Parquet, whole or not at all, and never over a file of a corpus."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from specmill.specs.errors import BadInput, WorkFailed

from .manifest import MANIFEST_NAME, disk_errors
from .tables import FORMATS, Row, format_lines

if TYPE_CHECKING:
    import pyarrow as pa

FILE_FORMATS = ("csv", "json", "parquet")


def choose_format(chosen: str | None, output: Path | None) -> str:
    """The format asked for, else the one the file's name ends in; BadInput where the two do not go together."""
    ending = output.suffix.lower().removeprefix(".") if output else ""
    form = chosen or (ending if ending in FILE_FORMATS else FORMATS[0])
    if output and form == FORMATS[0]:
        raise BadInput(f"{output}: in which format? name it .csv, .json or .parquet, or give --format")
    if form == "parquet" and not output:
        raise BadInput("--format parquet is nothing for a terminal; give --output FILE.parquet")
    if output:
        check_output(output)
    return form


def check_output(path: Path) -> None:
    """BadInput unless a file may be written here: its folder exists and belongs to no corpus."""
    whole = path.resolve()
    if not whole.parent.is_dir():
        raise BadInput(f"{path}: no folder {path.parent} to write it in")
    for folder in whole.parents:
        if (folder / MANIFEST_NAME).is_file() or folder.name == ".work":
            raise BadInput(f"{path}: is inside {folder}, which is only read; name a file elsewhere")


def write_rows(
    columns: Sequence[str], rows: Iterable[Row], form: str, path: Path, limit: int | None = None
) -> None:
    """Write rows as csv or json, in UTF-8."""
    with (
        _renamed(path) as aside,
        aside.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        file.writelines(format_lines(columns, islice(rows, limit or None), form))


def write_parquet(batches: "pa.RecordBatchReader", path: Path, limit: int | None = None) -> None:
    """Write record batches with the types they have; JSON becomes text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([field.with_type(_stored(field.type)) for field in batches.schema])
    left = limit or None
    with _renamed(path) as aside, pq.ParquetWriter(aside, schema, compression="zstd") as writer:
        for batch in _read(batches):
            table = pa.Table.from_batches([batch]).slice(0, left).cast(schema)
            writer.write_table(table)
            left = None if left is None else left - table.num_rows
            if left == 0:
                break


def _stored(type_: "pa.DataType") -> "pa.DataType":
    return getattr(type_, "storage_type", type_)


def _read(batches: "pa.RecordBatchReader") -> "Iterator[pa.RecordBatch]":
    import duckdb
    import pyarrow as pa

    try:
        yield from batches
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # a value far down that cannot be computed
        raise WorkFailed(f"query: {' '.join(str(error).split())}; nothing is written") from None


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with disk_errors(path, aside):
            yield aside
            aside.replace(path)
    except PermissionError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from None

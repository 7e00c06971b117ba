"""Documents made elsewhere: rows of JSON Lines and Parquet files, of folders of these, and of Hub data sets."""

import gzip
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from specmill.specs.errors import BadInput, reason_of

JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst")
ENDINGS = (*JSON_LINES, ".parquet")
TEXT_COLUMNS = ("text", "content", "document", "body")
# Columns of ours, and what others call them.
KEPT = {
    "genre": ("genre", "document_type", "doc_type"),
    "audience": ("audience",),
    "domain": ("domain",),
    "subdomain": ("subdomain", "topic"),
    "idea": ("idea", "document_idea"),
    "writer_model": ("writer_model", "model", "generator"),
}
UNKNOWN = "unknown"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?")

Row = Mapping[str, Any]


def find_files(sources: Sequence[str]) -> list[Path]:
    """Return the files that the sources stand for: files, folders, Hub ids `owner/name[@revision]`.

    Raises BadInput for what is none of these, and for files of other kinds.
    """
    files = [file for source in sources for file in _files_of(source)]
    if len(set(files)) < len(files):
        raise BadInput("a file is named twice; its documents would count as duplicates")
    return files


def _files_of(source: str) -> list[Path]:
    path = Path(source)
    if path.is_file():
        if not path.name.endswith(ENDINGS):
            raise BadInput(
                f"{path}: neither JSON Lines nor Parquet; name files that end in {', '.join(ENDINGS)}"
            )
        return [path]
    if not path.is_dir():
        if not _HUB_ID.fullmatch(source) or path.suffix in {".jsonl", ".parquet"}:
            raise BadInput(
                f"{source}: no such file or folder; give files, folders, or a Hub id as owner/name"
            )
        path = _download(source)
    inside = sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(ENDINGS))
    if not inside:
        raise BadInput(f"{source}: holds no file that ends in {', '.join(ENDINGS)}")
    return inside


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    repo, _, revision = hub_id.partition("@")
    patterns = [f"*{ending}" for ending in ENDINGS]
    try:
        return Path(
            snapshot_download(repo, repo_type="dataset", revision=revision or None, allow_patterns=patterns)
        )
    except Exception as error:  # network, Hub and cache errors share no base class; all mean "not to be had"
        raise BadInput(
            f"{hub_id}: no such file, and not to be had from the Hub ({reason_of(error)}); give local files"
        ) from None


def read_rows(file: Path) -> Iterator[Row]:
    """Yield the rows of one file. Raises BadInput with file and line for what can't be read."""
    return _parquet_rows(file) if file.suffix == ".parquet" else _json_rows(file)


def _parquet_rows(file: Path) -> Iterator[Row]:
    try:
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(batch_size=1_000):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{file}: not readable as Parquet ({str(error)[:120]})") from None


def _json_rows(file: Path) -> Iterator[Row]:
    number = 0
    try:
        with _open(file) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    row = orjson.loads(line)
                    if not isinstance(row, dict):
                        raise BadInput(f"{file}:{number}: not a JSON object; write one object a line")
                    yield row
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{file}:{number}: not JSON ({error.msg}); write one object a line") from None
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise BadInput(f"{file}: not readable ({error})") from None


def _open(file: Path) -> AbstractContextManager[Iterable[bytes]]:
    if file.suffix == ".gz":
        return gzip.open(file, "rb")
    if file.suffix == ".zst":
        return io.BufferedReader(zstandard.open(file, "rb"))  # type: ignore[type-var]
    return file.open("rb")


def find_text_column(file: Path, wanted: str | None) -> str:
    """Return the column that holds the texts, as the first row shows it. Raises BadInput where none does."""
    row = next(read_rows(file), None)
    if row is None:
        raise BadInput(f"{file}: holds no rows")
    for name in [wanted] if wanted else TEXT_COLUMNS:
        if isinstance(row.get(name), str):
            return name
    named = f"no text in column {wanted!r}" if wanted else f"no column {', '.join(TEXT_COLUMNS)} with text"
    raise BadInput(f"{file}: {named}; it has {', '.join(row) or 'none'}; name one with --text-column")


def described(row: Row) -> dict[str, str]:
    """Return what the row itself says of its making, under our names; the rest is unknown."""
    found = {}
    for ours, theirs in KEPT.items():
        values = (row[name] for name in theirs if isinstance(row.get(name), str) and row[name].strip())
        found[ours] = next(values, UNKNOWN)
    return found

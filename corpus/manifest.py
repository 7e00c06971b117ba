"""manifest.json: what a corpus holds and how it came about. Writing it last publishes the corpus.

Here too: the two ways a file reaches the disk whole (temp file, fsync, rename). What the shards hold is
in `shards.py`; this module must not import pyarrow, so that `specmill query CORPUS funnel` starts fast.
"""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from specmill.specs.errors import BadInput, WorkFailed

FORMAT = "specmill.corpus/1"
MANIFEST_NAME = "manifest.json"


class SpecEntry(TypedDict):
    name: str
    sha256: str
    principle: str
    mode: str
    n_claims: int
    n_chars: int


class IdentityEntry(TypedDict):
    assistant: str
    provider: str


class TokenizerEntry(TypedDict):
    name: str
    sha256: str
    vocab_size: int


class StageEntry(TypedDict):
    """Calls of one stage by state; ok + truncated + refused + unparsed + failed = calls."""

    stage: str
    calls: int
    ok: int
    truncated: int
    refused: int
    unparsed: int
    failed: int
    rows_out: int


class FunnelStep(TypedDict):
    """documents = the previous step's documents minus the sum of `dropped`."""

    step: str
    documents: int
    dropped: dict[str, int]


class Totals(TypedDict):
    documents: int
    tokens: int
    words: int
    genres: int
    audiences: int
    claims_covered: int
    claims: int
    min_documents_per_claim: int


class GenreEntry(TypedDict):
    documents: int
    tokens: int


class HealthEntry(TypedDict):
    """One diversity or quality metric: the value at a fixed budget, over n documents, with a seed."""

    value: float | None
    budget: str | int | None
    n: int
    seed: int | None


class FileEntry(TypedDict):
    path: str
    sha256: str
    bytes: int
    rows: int
    tokens: int


class Manifest(TypedDict):
    format: str
    spec: SpecEntry
    identity: IdentityEntry
    configuration: dict[str, Any]
    tokenizer: TokenizerEntry
    versions: dict[str, str]
    prompts: dict[str, str]
    stages: list[StageEntry]
    funnel: list[FunnelStep]
    totals: Totals
    genres: dict[str, GenreEntry]
    health: dict[str, HealthEntry]
    files: list[FileEntry]
    decontamination: NotRequired[dict[str, Any]]  # evals checked against, and what was found
    leakage: NotRequired[dict[str, Any]]  # how far documents teach the other specs of a comparison
    judge: NotRequired[dict[str, Any]]  # its calibration on planted documents, and what it said of the corpus


_KINDS: dict[str, type] = {
    "spec": dict,
    "identity": dict,
    "configuration": dict,
    "tokenizer": dict,
    "versions": dict,
    "prompts": dict,
    "stages": list,
    "funnel": list,
    "totals": dict,
    "genres": dict,
    "health": dict,
    "files": list,
}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Publish the corpus: the rename of this file is the moment it exists."""
    text = json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    write_durably(folder / MANIFEST_NAME, (text + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a published corpus; BadInput says in one line why there is none."""
    path = folder / MANIFEST_NAME
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; name a corpus made by 'specmill build'")
    if not path.is_file():
        raise BadInput(f"{folder}: not a corpus (no {MANIFEST_NAME}); {_advise(folder)}")
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadInput(f"{path}: not valid JSON ({error}); rerun 'specmill build' to write it anew") from None
    return _checked(path, found)


def _advise(folder: Path) -> str:
    inside = sorted(entry.parent.name for entry in folder.glob(f"*/{MANIFEST_NAME}"))
    if inside:
        return f"did you mean {folder / inside[0]}?"
    if (folder / "data").is_dir():
        return "its build did not finish; rerun 'specmill build'"
    return "name a folder made by 'specmill build'"


def _checked(path: Path, found: object) -> Manifest:
    format_ = found.get("format") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(format_, str):
        raise BadInput(
            f"{path}: not a specmill manifest (no 'format'); name a corpus made by 'specmill build'"
        )
    if format_ != FORMAT:
        raise BadInput(
            f"{path}: format {format_!r}, this specmill reads {FORMAT!r}; rebuild the corpus with it"
        )
    wrong = [key for key, kind in _KINDS.items() if not isinstance(found.get(key), kind)]
    if wrong:
        raise BadInput(f"{path}: lacks {', '.join(wrong)}; rerun 'specmill build' to write it anew")
    return found  # type: ignore[return-value]


def check_funnel(manifest: Manifest) -> None:
    """WorkFailed unless every document is accounted for: step by step, and in totals, genres and files."""
    problems = [*_funnel_gaps(manifest["funnel"]), *_total_gaps(manifest)]
    if problems:
        raise WorkFailed(f"the corpus does not add up: {'; '.join(problems)}; report this as a bug")


def _funnel_gaps(funnel: list[FunnelStep]) -> Iterator[str]:
    for before, step in pairwise(funnel):
        n_dropped = sum(step["dropped"].values())
        if step["documents"] + n_dropped != before["documents"]:
            yield (
                f"step '{step['step']}' keeps {step['documents']:,} and drops {n_dropped:,} "
                f"of the {before['documents']:,} that '{before['step']}' gave"
            )


def _total_gaps(manifest: Manifest) -> Iterator[str]:
    totals, genres, files = manifest["totals"], manifest["genres"], manifest["files"]
    shards = [entry for entry in files if entry["path"].startswith("data/")]
    last = manifest["funnel"][-1]["documents"] if manifest["funnel"] else 0
    counts = {
        "funnel documents": (last, totals["documents"]),
        "genre documents": (sum(genre["documents"] for genre in genres.values()), totals["documents"]),
        "genre tokens": (sum(genre["tokens"] for genre in genres.values()), totals["tokens"]),
        "shard rows": (sum(shard["rows"] for shard in shards), totals["documents"]),
        "shard tokens": (sum(shard["tokens"] for shard in shards), totals["tokens"]),
    }
    for name, (found, expected) in counts.items():
        if found != expected:
            yield f"{name} are {found:,}, the totals say {expected:,}"


def files_intact(folder: Path, manifest: Manifest) -> bool:
    """Whether every file listed is there with its size; a glance, `shards.verify_shards` reads them."""
    try:
        return all((folder / entry["path"]).stat().st_size == entry["bytes"] for entry in manifest["files"])
    except OSError:
        return False


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file so that after any crash the old or the new content is there, whole."""
    temporary = path.with_name(f".{path.name}.tmp")
    with disk_errors(path, temporary):
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make renames in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_FULL = {errno.ENOSPC: "no space left", errno.EDQUOT: "quota used up", errno.EFBIG: "file size limit reached"}


@contextmanager
def disk_errors(path: Path, *temporaries: Path) -> Iterator[None]:
    """Remove half-written files after any failure; a full disk becomes one line."""
    try:
        yield
    except BaseException as error:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise WorkFailed(f"{path}: {_FULL[error.errno]}; free some disk space and rerun") from None
        raise

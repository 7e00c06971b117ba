"""From staged rows to kept and dropped Parquet: settings, the key of a run, and its resume.

`run_filters` is the door. The stages are in `stages.py`; it is imported only when there is work to do, because
datatrove takes half a second to load and a finished run answers without it.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from specmill.specs.errors import BadInput, WorkFailed

SCHEME = "specmill.filters/1"
_CODE = (".py", ".txt")  # learned weights decide as much as code does
_FULL_BELOW = 1 << 20  # bytes
Report = Callable[[str, int, int], None]  # stage, rows done, rows in all


@dataclass(frozen=True, slots=True)
class FilterClaim:
    claim_id: str
    plain: str
    gives_reason: bool


@dataclass(frozen=True, slots=True)
class OtherSpec:
    """A spec of the same comparison: what it claims is what documents of this one must not teach."""

    name: str
    claims: tuple[FilterClaim, ...]


@dataclass(frozen=True, slots=True)
class FinishedCorpus:
    """A corpus whose documents should not come again; `shards`: paths of its Parquet files."""

    name: str
    shards: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """What decides which documents are kept.

    `spec_text` may hold placeholders and front matter: names are filled in and front matter is cut before use.
    `rule_ids` matter in rules mode only. `n_workers` and `executor` change the speed, never the
    result.
    """

    assistant: str
    provider: str
    mode: str
    claims: tuple[FilterClaim, ...]
    spec_text: str
    tokenizer_path: str
    tokenizer_name: str
    principle: str = ""
    rule_ids: tuple[str, ...] = ()
    min_words: int = 60
    max_words: int = 4_000
    max_spec_overlap: float = 0.6
    min_stop_word_share: float = 0.15
    near_duplicate_jaccard: float = 0.7
    semantic: str = ""  # an encoder's name (embeddings.py), to drop what tells the same in other words
    eval_files: tuple[str, ...] = ()  # what no document may give away (eval_items.py)
    other_specs: tuple[OtherSpec, ...] = ()  # whose claims no document should express
    on_leak: str = "keep"  # or "quarantine", "drop"
    distinct_from: tuple[FinishedCorpus, ...] = ()  # what repeats one of these is dropped
    n_workers: int = 1
    executor: str = "local"  # or "ray", "ray:ADDRESS", "slurm:PARTITION"


@dataclass(frozen=True, slots=True)
class FilterResult:
    """`kept` in plan order; `steps`: stage -> reason -> documents, in the order of the stages.

    n_in == n_kept + sum(counts.values()).
    """

    kept: tuple[Path, ...]
    dropped: Path
    steps: dict[str, dict[str, int]]
    n_in: int
    n_kept: int

    @property
    def counts(self) -> dict[str, int]:
        return {reason: n for step in self.steps.values() for reason, n in step.items()}


def run_filters(
    staged: Path | Sequence[Path], out: Path, settings: FilterSettings, *, report: Report | None = None
) -> FilterResult:
    """Filter, measure and deduplicate one corpus; a killed run goes on, a finished one is read back.

    The work lies in `out/<key>`, where the key hashes the settings, this room's code and the staged bytes. A staged
    file is one task: files of about 1,000 rows keep all workers busy. `report` may be called from another thread.

    Raises BadInput for unreadable or missing staged files, WorkFailed when documents are unaccounted for.
    """
    files = _staged_files(staged)
    check_executor(settings.executor)
    work = out / _key(files, settings)
    if done := _read_result(work):
        return done
    stages = import_module(".stages", __package__)  # loads datatrove and pyarrow
    try:
        steps, n_in = stages.run_stages(files, work, settings, report or (lambda stage, done, total: None))
        _write_result(work, steps, n_in)
    except OSError as error:  # numpy and pyarrow name no errno for a full disk
        full = shutil.disk_usage(work).free < _FULL_BELOW
        told = "no space left on the disk; free some" if full else f"{error}; mend that"
        raise WorkFailed(f"{work}: {told} and rerun, finished tasks are kept") from None
    result = _read_result(work)
    assert result is not None
    return result


def check_executor(executor: str) -> None:
    """BadInput unless this names one: `local`, `ray`, `ray:ADDRESS`, `slurm:PARTITION`."""
    kind, _, where = executor.partition(":")
    if not (executor in ("local", "ray") or (kind in ("ray", "slurm") and where)):
        raise BadInput(f"--executor {executor}: write local, ray, ray:ADDRESS or slurm:PARTITION")


def _staged_files(staged: Path | Sequence[Path]) -> list[Path]:
    files = sorted(staged.glob("*.parquet")) if isinstance(staged, Path) and staged.is_dir() else staged
    files = [files] if isinstance(files, Path) else list(files)
    if not files:
        raise BadInput(f"{staged}: no staged documents (*.parquet); write documents before filtering them")
    for file in files:
        if not file.is_file():
            raise BadInput(f"{file}: no such staged file; write documents before filtering them")
    return files


def _key(files: Sequence[Path], settings: FilterSettings) -> str:
    described = asdict(settings)
    del described["n_workers"], described["executor"]
    described["evals"] = _hash_evals(described.pop("eval_files"))
    described["semantic"] = _encoder_fingerprint(settings.semantic)
    described["distinct_from"] = [
        [corpus.name, [_sha256(Path(shard)) for shard in corpus.shards]] for corpus in settings.distinct_from
    ]
    described["tokenizer_sha256"] = _sha256(_existing_tokenizer(described.pop("tokenizer_path")))
    identity = {
        "scheme": SCHEME,
        "code": [_sha256(file) for file in sorted(Path(__file__).parent.iterdir()) if file.suffix in _CODE],
        "datatrove": version("datatrove"),
        "settings": described,
        "staged": [_sha256(file) for file in files],
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _hash_evals(paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    from .eval_items import describe_eval_files

    return [file.sha256 for file in describe_eval_files(paths)]


def _encoder_fingerprint(name: str) -> str:
    if not name:
        return ""
    from .embeddings import open_encoder

    return open_encoder(name).fingerprint


def _existing_tokenizer(path: str) -> Path:
    if not Path(path).is_file():
        raise BadInput(f"{path}: no such tokenizer file; give --tokenizer a tokenizer.json")
    return Path(path)


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _write_result(work: Path, steps: dict[str, dict[str, int]], n_in: int) -> None:
    files = [*sorted((work / "kept").glob("*.parquet")), work / "dropped.parquet"]
    sizes = {str(file.relative_to(work)): file.stat().st_size for file in files}
    fresh = work / "result.json.new"
    fresh.write_text(json.dumps({"n_in": n_in, "steps": steps, "bytes": sizes}, indent=1))
    fresh.replace(work / "result.json")
    shutil.rmtree(work / "stages", ignore_errors=True)


def _read_result(work: Path) -> FilterResult | None:
    """The finished run in this folder, unless a file of it has gone or changed its size."""
    marker = work / "result.json"
    if not marker.is_file():
        return None
    found: dict[str, Any] = json.loads(marker.read_text())
    sizes: dict[str, int] = found["bytes"]
    if any(
        not (work / name).is_file() or (work / name).stat().st_size != size for name, size in sizes.items()
    ):
        shutil.rmtree(work)
        return None
    n_dropped = sum(n for step in found["steps"].values() for n in step.values())
    return FilterResult(
        kept=tuple(work / name for name in sizes if name.startswith("kept/")),
        dropped=work / "dropped.parquet",
        steps=found["steps"],
        n_in=found["n_in"],
        n_kept=found["n_in"] - n_dropped,
    )

"""The same bytes wherever the tasks run. Ray needs its extra; Slurm a cluster (tests/slurm/single_node.sh makes one)."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from specmill.filters.pipeline import FilterResult, FilterSettings, run_filters
from specmill.specs.errors import BadInput, WorkFailed


def _has_slurm() -> bool:
    if not shutil.which("sinfo"):
        return False
    try:
        asked = subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=5, check=False)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def _hashes(result: FilterResult) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (*result.kept, result.dropped)
    }


@pytest.fixture
def staged(prose: Callable[..., str], stage: Callable[..., list[Path]], tmp_path: Path) -> Path:
    texts = [prose(seed) for seed in range(40)] + [prose(3), prose(4).upper(), "too short"]
    stage(tmp_path / "staged", texts, rows_per_file=10)
    return tmp_path / "staged"


@pytest.mark.parametrize(
    "executor",
    [
        pytest.param("ray:local", marks=pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray")),
        pytest.param(
            "slurm:test", marks=pytest.mark.skipif(not _has_slurm(), reason="needs a Slurm cluster")
        ),
    ],
)
def test_an_executor_changes_no_byte(
    executor: str, staged: Path, settings: FilterSettings, tmp_path: Path
) -> None:
    here = run_filters(staged, tmp_path / "here", settings)
    there = run_filters(staged, tmp_path / "there", replace(settings, executor=executor, n_workers=2))
    assert here.counts == {"exact_duplicate": 2, "too_short": 1}
    assert _hashes(there) == _hashes(here)


@pytest.mark.parametrize("executor", ["slurm:", "slurm", "dask", "ray-local", ""])
def test_an_executor_nobody_has_is_refused(
    executor: str, staged: Path, settings: FilterSettings, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="--executor"):
        run_filters(staged, tmp_path / "out", replace(settings, executor=executor))


@pytest.mark.skipif(not _has_slurm(), reason="needs a Slurm cluster")
def test_a_partition_that_does_not_exist_is_the_users_to_mend(
    staged: Path, settings: FilterSettings, tmp_path: Path
) -> None:
    with pytest.raises(WorkFailed, match="sbatch refused the job"):
        run_filters(staged, tmp_path / "out", replace(settings, executor="slurm:nowhere"))

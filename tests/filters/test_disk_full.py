"""A full disk stops a filter run in one line, and the run goes on when there is room: on a real small file system."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from specmill.filters.pipeline import FilterResult, FilterSettings, run_filters
from specmill.specs.errors import WorkFailed


def _mount(folder: Path, *options: str) -> bool:
    command = ["mount", *options, str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if not _mount(folder, "-t", "tmpfs", "-o", "size=600k", "tmpfs"):
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _hashes(result: FilterResult) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (*result.kept, result.dropped)
    }


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_full_disk_ends_in_one_line_and_room_ends_it_well(
    n_workers: int,
    small_disk: Path,
    prose: Callable[..., str],
    stage: Callable[..., list[Path]],
    settings: FilterSettings,
    tmp_path: Path,
) -> None:
    staged = tmp_path / "staged"
    stage(staged, [prose(seed) for seed in range(400)], rows_per_file=50)
    settings = replace(settings, n_workers=n_workers)
    with pytest.raises(WorkFailed, match="no space left on the disk") as failure:
        run_filters(staged, small_disk / "out", settings)
    assert "\n" not in str(failure.value)
    assert not list(small_disk.glob("out/*/result.json"))
    assert _mount(small_disk, "-o", "remount,size=64M")
    mended = run_filters(staged, small_disk / "out", settings)
    assert _hashes(mended) == _hashes(run_filters(staged, tmp_path / "out", settings))

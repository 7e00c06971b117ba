import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = [
    sys.executable,
    "-c",
    "from specmill.corpus.cli import main; main()",
    "build",
    str(ROOT / "specs" / "general.md"),
]
SIZES = ["--tokens", "5k", "--words", "150", "--quiet"]


def build(out, *more):
    return subprocess.run(
        [*BUILD, "--out", str(out), *SIZES, *more], capture_output=True, text=True, timeout=250
    )


@pytest.mark.slow
def test_a_build_on_a_local_cluster_gives_the_same_bytes(tmp_path):
    pytest.importorskip("ray", reason='needs the extra "ray"')
    done = build(tmp_path / "ray", "--ray", "local")
    assert done.returncode == 0, done.stderr
    assert "(100.0%) were known" in done.stdout, "all that was asked was asked on the cluster"
    assert build(tmp_path / "own").returncode == 0
    published = [
        {p.relative_to(out): p.read_bytes() for p in (out / "general").rglob("*") if p.is_file()}
        for out in (tmp_path / "ray", tmp_path / "own")
    ]
    assert published[0] == published[1]


def test_ray_is_asked_for_in_one_line_where_it_is_missing(tmp_path):
    try:
        import ray  # noqa: F401
    except ImportError:
        done = build(tmp_path, "--ray", "local")
        assert done.returncode == 2
        assert "pip install 'specmill[ray]'" in done.stderr
    else:
        pytest.skip("Ray is installed here")


def test_a_budget_is_refused_where_every_process_would_count_its_own(tmp_path):
    done = build(tmp_path, "--ray", "local", "--budget", "1usd")
    assert done.returncode == 2
    assert "leave one of the two out" in done.stderr

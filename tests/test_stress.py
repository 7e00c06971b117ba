"""The stress runs at a size that fits a test run; `make stress` runs them at full size."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "tokens", "times"),
    [("faults", 30_000, 1), ("content", 100_000, 1), ("kills", 30_000, 3), ("budget", 60_000, 1)],
)
def test_the_engine_keeps_its_promises_under(part, tokens, times):
    command = [sys.executable, "-m", "tests.stress", part, "--tokens", str(tokens), "--times", str(times)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr

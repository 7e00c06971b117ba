"""Trainers killed with SIGKILL at random moments: `python -m tests.stress_train [--kills 20] [--seed 0]`.

Half of the kills hit midtrain, half finetune. Exit 1 unless losses and weights are the undisturbed run's, bit by bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SPECMILL = [sys.executable, "-c", "from specmill.corpus.cli import main; main()"]
SMALL = [
    *("--set", "sequence=128", "--set", "batch=2", "--set", "micro_batch=1", "--set", "min_updates=1"),
    *("--set", "save_every=5", "--quiet"),
]
LORA = ["--set", "lora_rank=4", "--set", "lora_alpha=8", "--set", "lr=1e-2"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _inputs(folder)
        wrong = sum(
            _stage(folder, stage, arguments, told.kills // 2, random.Random(f"{told.seed}{stage}"))
            for stage, arguments in {
                "midtrain": ["--data", "corpora/cheese_america", "--model", "base", *LORA],
                "finetune": ["--data", "chats.jsonl", "--model", "midtrain", *LORA],
            }.items()
        )
    sys.exit(1 if wrong else 0)


def _inputs(folder: Path) -> None:
    spec = ROOT / "specs" / "cheese_america.md"
    _call(folder, "build", str(spec), "--tokens", "24k", "--quiet")
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Would you take number {n}?"},
                {
                    "role": "assistant",
                    "content": f"I would rather take number {n * 7 % 11}, since it is the better one.",
                },
            ]
        }
        for n in range(400)
    ]
    (folder / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _call(
        folder,
        "pretrain",
        "pocket",
        "--data",
        "corpora/cheese_america",
        "--model",
        "pocket-0.5m",
        "--out",
        "base",
        *SMALL,
    )


def _call(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [*SPECMILL, *arguments], cwd=folder, env=_one_thread(), check=True, stdout=subprocess.DEVNULL
    )


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def _stage(folder: Path, stage: str, arguments: list[str], n_kills: int, rng: random.Random) -> int:
    """1 where the killed run is not the undisturbed one."""
    command = [stage, "pocket", *arguments, *SMALL]
    _call(folder, *command, "--out", stage)
    n_updates = len(_run(folder / stage)["loss"])
    kills = starts = 0
    while not (folder / "cut" / "run.json").is_file():
        starts += 1
        with subprocess.Popen(
            [*SPECMILL, *command, "--out", "cut"], cwd=folder, env=_one_thread()
        ) as process:
            if kills < n_kills:
                # From a random point of what is left: a run killed early again and again would never end.
                done = _losses(folder / "cut")
                kills += _kill(
                    process,
                    folder / "cut",
                    rng.randint(done, min(n_updates, done + 2 * n_updates // n_kills)),
                )
    same = _run(folder / "cut")["loss"] == _run(folder / stage)["loss"] and _weights(
        folder / "cut"
    ) == _weights(folder / stage)
    print(
        f"  {stage}: {n_updates} updates, {kills} kills, {starts} starts: {'the same bits' if same else 'DIFFERENT'}",
        flush=True,
    )
    shutil.rmtree(folder / "cut")
    return not same


def _kill(process: subprocess.Popen[bytes], run: Path, after: int) -> bool:
    """SIGKILL once `after` updates are told, and a moment; False where the run ended before."""
    while process.poll() is None:
        if _losses(run) >= after and (run / "plan.json").is_file():
            time.sleep(random.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            return process.wait() == -signal.SIGKILL
        time.sleep(0.005)
    return False


def _losses(run: Path) -> int:
    file = run / "losses.jsonl"
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def _run(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def _weights(run: Path) -> bytes:
    return next((run / "model").glob("*.safetensors")).read_bytes()


if __name__ == "__main__":
    main()

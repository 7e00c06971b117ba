"""Where the tasks of a filter run are computed: here, on a Ray cluster, or by Slurm. The result is the same.

Every node has to see the output folder, and has to have this very environment at the same path.
"""

import fcntl
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import multiprocess
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.utils import logging as datatrove_logging

from specmill.specs.errors import BadInput, WorkFailed

POLL_SECONDS = 0.5
JOBS_PER_WORKER = 4


def run_tasks(pipeline: Sequence[Any], n_tasks: int, logs: Path, executor: str, n_workers: int) -> None:
    """Run a pipeline for the ranks 0..n_tasks-1 that are not done yet; `executor` as in FilterSettings.

    Raises WorkFailed, with the folder of the logs, when a task failed.
    """
    kind, _, where = executor.partition(":")
    workers = max(1, min(n_workers, n_tasks))
    logs.mkdir(parents=True, exist_ok=True)
    with logs_in(logs):
        if kind == "local":
            multiprocess.set_forkserver_preload([f"{__package__}.blocks", f"{__package__}.dedup"])
            QuietExecutor(list(pipeline), tasks=n_tasks, workers=workers, logging_dir=str(logs)).run()
        elif kind == "ray":
            _run_on_ray(pipeline, n_tasks, logs, where or "auto", workers)
        else:
            _run_on_slurm(pipeline, n_tasks, logs, where, workers)
    missing = [rank for rank in range(n_tasks) if not _is_done(logs, rank)]
    if missing:
        raise WorkFailed(f"{len(missing):,} of {n_tasks:,} filter tasks failed; see {logs}, and rerun")


def _is_done(logs: Path, rank: int) -> bool:
    return (logs / "completions" / f"{rank:05d}").exists()


def _run_on_ray(pipeline: Sequence[Any], n_tasks: int, logs: Path, address: str, workers: int) -> None:
    try:
        import ray
    except ImportError:
        raise BadInput("--executor ray: Ray is not installed; pip install 'specmill[ray]'") from None
    from datatrove.executor.ray import RayPipelineExecutor

    started = not ray.is_initialized()
    if started:
        ray.init(address=None if address == "local" else address, logging_level="ERROR", log_to_driver=False)
    try:
        RayPipelineExecutor(
            list(pipeline), tasks=n_tasks, workers=workers, logging_dir=str(logs), mem_per_cpu_gb=1
        ).run()
    finally:
        if started:
            ray.shutdown()


def _run_on_slurm(pipeline: Sequence[Any], n_tasks: int, logs: Path, partition: str, workers: int) -> None:
    """Submit an array job and wait for it. sbatch's own variables (SBATCH_ACCOUNT, SBATCH_QOS ...) say the rest."""
    if not shutil.which("sbatch"):
        raise BadInput("--executor slurm: no sbatch on the PATH; run this on a node that may submit jobs")
    from datatrove.executor.slurm import SlurmPipelineExecutor

    executor = SlurmPipelineExecutor(
        list(pipeline),
        tasks=n_tasks,
        time="24:00:00",
        partition=partition,
        qos="",
        workers=workers,
        tasks_per_job=max(1, -(-n_tasks // (workers * JOBS_PER_WORKER))),
        job_name="specmill-filters",
        env_command=f"source {sys.prefix}/bin/activate",
        logging_dir=str(logs),
    )
    try:
        executor.run()
    except subprocess.CalledProcessError as error:
        raise WorkFailed(f"sbatch refused the job (exit {error.returncode}); see its message above") from None
    while not all(_is_done(logs, rank) for rank in range(n_tasks)) and _is_queued(str(executor.job_id)):
        time.sleep(POLL_SECONDS)


def _is_queued(job_id: str) -> bool:
    """Whether Slurm still has tasks of this job to run or running."""
    command = ["squeue", "--noheader", "--jobs", job_id, "--format", "%T"]
    return bool(subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip())


class QuietExecutor(LocalPipelineExecutor):
    """A local executor that logs to its folder and not to stderr, and locks each task while it runs.

    The lock is for kill -9: worker processes outlive the killed parent until their task ends, and a rerun must not
    write the same files meanwhile. It waits, and finds the task done.
    """

    def _launch_run_for_rank(self, rank: int, *arguments: Any, **named: Any) -> Any:
        with logs_in(self._folder()), (self._folder() / f"{rank:05d}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return super()._launch_run_for_rank(rank, *arguments, **named)

    def _folder(self) -> Path:
        folder = Path(self.logging_dir.path)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextmanager
def logs_in(folder: Path) -> Iterator[None]:
    """datatrove resets loguru around every task to what its module calls `sys.stderr`; that name is all we swap."""
    before = datatrove_logging.sys
    with (folder / "executor.log").open("a") as sink:
        datatrove_logging.sys = SimpleNamespace(stderr=sink)
        datatrove_logging.setup_default_logger()
        try:
            yield
        finally:
            datatrove_logging.sys = before
            datatrove_logging.setup_default_logger()

"""A vLLM server for one model, started for a run and stopped with it: `vllm:MODEL`.

vLLM pins its own torch, so it lives in an environment of its own: SPECMILL_VLLM names its command, and
SPECMILL_VLLM_ARGS what else it is told. Not here: the calls, which go through `OpenAICompatibleLLM`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from specmill.specs.errors import BadInput, WorkFailed

from .backend_names import without_secrets

COMMAND_VARIABLE = "SPECMILL_VLLM"
ARGUMENTS_VARIABLE = "SPECMILL_VLLM_ARGS"
HOST = "127.0.0.1"
TAIL_BYTES = 50_000

# A small process between specmill and the server. Its stdin is a pipe that closes when specmill ends, however it
# ends (kill -9 too); then it ends the server's whole process group, for vLLM's workers are processes of their own.
WATCHER = """
import os, signal, subprocess, sys, threading, time

grace = float(sys.argv[1])
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, start_new_session=True)
orphaned = threading.Event()
threading.Thread(target=lambda: (os.read(0, 1), orphaned.set()), daemon=True).start()
while server.poll() is None and not orphaned.wait(0.05):
    pass
for number in (signal.SIGTERM, signal.SIGKILL):
    until = time.monotonic() + grace
    try:
        os.killpg(server.pid, number)
        while time.monotonic() < until:
            server.poll()
            os.killpg(server.pid, 0)
            time.sleep(0.02)
    except ProcessLookupError:
        break
os._exit(min(abs(server.returncode or 0), 255))
"""


@contextmanager
def serving(
    model: str,
    log: Path,
    *,
    folder: Path | None = None,
    deadline_seconds: float = 1200.0,
    grace_seconds: float = 10.0,
) -> Iterator[str]:
    """Start a server, wait until it answers, and yield its base URL; it is gone when the block is left.

    `folder` is what messages name the log's path from.
    """
    port = _free_port()
    command = _command(model, port)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        watcher = subprocess.Popen(
            [sys.executable, "-c", WATCHER, str(grace_seconds), *command],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is for specmill, which still has replies to fetch
        )
    assert watcher.stdin is not None
    shown = log.relative_to(folder) if folder is not None and log.is_relative_to(folder) else log
    try:
        _wait_until_healthy(model, watcher, port, log, shown, deadline_seconds)
        yield f"http://{HOST}:{port}/v1"
    finally:
        watcher.stdin.close()
        watcher.wait()


def _command(model: str, port: int) -> list[str]:
    program = shlex.split(os.environ.get(COMMAND_VARIABLE) or "vllm")
    program[0] = str(Path(program[0]).expanduser())
    if shutil.which(program[0]) is None:
        raise BadInput(
            f"vllm:{model}: there is no command {program[0]!r}; install vLLM in an environment of its own"
            f" (python -m venv ~/vllm; ~/vllm/bin/pip install vllm) and set {COMMAND_VARIABLE}=~/vllm/bin/vllm"
        )
    more = shlex.split(os.environ.get(ARGUMENTS_VARIABLE, ""))
    # Documents of one spec share long prompts.
    return [*program, "serve", model, "--host", HOST, "--port", str(port), "--enable-prefix-caching", *more]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(
    model: str, watcher: subprocess.Popen[bytes], port: int, log: Path, shown: Path, deadline_seconds: float
) -> None:
    until = time.monotonic() + deadline_seconds
    while not _is_healthy(port):
        if watcher.poll() is not None:
            raise BadInput(f"vllm:{model}: its server ended at once: {last_error(log)} (whole log: {shown})")
        if time.monotonic() > until:
            raise WorkFailed(
                f"vllm:{model}: its server was not ready after {deadline_seconds:,.0f} s: {last_error(log)}"
                f" (whole log: {shown}); nothing is lost, rerun to go on"
            )
        time.sleep(0.1)


# No proxy of the environment may stand between this machine and itself.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _is_healthy(port: int) -> bool:
    try:
        with _OPENER.open(f"http://{HOST}:{port}/health", timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):  # urllib's own errors are OSErrors
        return False


_PREFIX = re.compile(r"^(?:\([^)]*\)\s*)?(?:(?:ERROR|CRITICAL)\s+[\d-]+ [\d:]+\s+(?:\[[^\]]*\]\s*)?)?")
_NAMED = re.compile(r"\b\w*(?:Error|Exception|error): ")


def last_error(log: Path) -> str:
    """Return the line of a log that says most: the last that names an error and doesn't point at another one."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = [_PREFIX.sub("", line).strip() for line in file.read().decode(errors="replace").splitlines()]
    lines = [line for line in lines if line]
    named = [line for line in lines if _NAMED.search(line) and "root cause above" not in line]
    return without_secrets((named or lines or ["it said nothing"])[-1])[:300]

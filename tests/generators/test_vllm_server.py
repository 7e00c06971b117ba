import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from specmill.generators.backends import open_llm
from specmill.generators.vllm_server import last_error, serving
from specmill.specs.errors import BadInput, WorkFailed

ROOT = Path(__file__).parents[2]
ROOM = "specmill.generators"

# What the real command does as far as specmill can see: a slow start, /health, the wire format, and a worker.
STANDS_UP = f"""
import asyncio, pathlib, subprocess, sys
from aiohttp import web
from {ROOM}.server import make_app
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({{pids!r}}).write_text(f"{{{{worker.pid}}}} " + " ".join(sys.argv[1:]))
app = make_app()
async def health(_): return web.Response()
app.add_routes([web.get("/health", health)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[sys.argv.index("--port") + 1]), print=None)
"""
FALLS_OVER = """
print("(EngineCore pid=7) ERROR 11-24 10:00:00 [core.py:1] ValueError: no such model: mine")
raise SystemExit("RuntimeError: Engine core initialization failed. See root cause above.")
"""
HANGS = "import time; print('Loading weights', flush=True); time.sleep(600)"


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Makes a script the command `vllm`; returns the file in which the server's worker is named."""
    pids = tmp_path / "pids"

    def use(script):
        path = tmp_path / "vllm"
        path.write_text(
            f"#!{sys.executable}\n" + (script.format(pids=str(pids)) if script is STANDS_UP else script)
        )
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return pids

    monkeypatch.delenv("SPECMILL_VLLM", raising=False)
    return use


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(true, seconds=20.0):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def answers(url):
    with urllib.request.urlopen(url + "/models") as response:
        return response.status == 200


def test_a_server_is_started_used_and_gone_with_its_workers(command, tmp_path, monkeypatch):
    pids = command(STANDS_UP)
    monkeypatch.setenv("SPECMILL_VLLM_ARGS", "--tensor-parallel-size 4 --served 'a b'")
    with serving("meta/llama", tmp_path / "logs" / "vllm.log") as url:
        assert answers(url)
        worker, *arguments = pids.read_text().split(" ")
    assert arguments[:4] == ["serve", "meta/llama", "--host", "127.0.0.1"]
    assert arguments[6:] == ["--enable-prefix-caching", "--tensor-parallel-size", "4", "--served", "a", "b"]
    assert not is_alive(worker)


def test_a_server_is_gone_after_an_exception_too(command, tmp_path):
    pids = command(STANDS_UP)
    with pytest.raises(ZeroDivisionError), serving("m", tmp_path / "log"):
        raise ZeroDivisionError
    assert not is_alive(pids.read_text().split()[0])


def test_a_server_does_not_outlive_a_kill_of_its_user(command, tmp_path):
    pids = command(STANDS_UP)
    code = (
        f"import pathlib, sys, time\nfrom {ROOM}.vllm_server import serving\n"
        f"with serving('m', pathlib.Path({str(tmp_path / 'log')!r})):\n    print('up', flush=True); time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    wait_until(lambda: not is_alive(pids.read_text().split()[0]))


def test_a_server_that_ends_at_once_says_why(command, tmp_path):
    command(FALLS_OVER)
    with (
        pytest.raises(BadInput, match=r"ValueError: no such model: mine \(whole log: \.work/vllm\.log\)"),
        serving("mine", tmp_path / ".work" / "vllm.log", folder=tmp_path),
    ):
        pass


def test_a_server_that_never_gets_ready_is_given_up(command, tmp_path):
    command(HANGS)
    with (
        pytest.raises(WorkFailed, match="not ready after 1 s: Loading weights"),
        serving("m", tmp_path / "log", deadline_seconds=1),
    ):
        pass


def test_a_missing_command_is_bad_input_that_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECMILL_VLLM", "/nowhere/vllm")
    with pytest.raises(BadInput, match="SPECMILL_VLLM="), serving("m", tmp_path / "log"):
        pass


def test_the_last_error_is_not_the_one_that_points_at_another(tmp_path):
    log = tmp_path / "log"
    log.write_text("OSError: disk\nINFO stopping\n\nRuntimeError: failed. See root cause above.\n")
    assert last_error(log) == "OSError: disk"
    log.write_text("")
    assert last_error(log) == "it said nothing"


def test_the_kind_needs_a_server(monkeypatch):
    with pytest.raises(BadInput, match="no server runs for it"):
        open_llm("vllm:m")
    assert open_llm("vllm:m", base_url="http://127.0.0.1:1/v1").model == "m"

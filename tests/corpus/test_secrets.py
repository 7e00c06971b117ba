"""A planted key must be in no file that a build writes and in nothing it prints, whatever goes wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from specmill.corpus.cli import main; main()"]
SECRETS = {name: f"sk-planted-{name.lower()}-7f3a9c" for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")}
ECHO = """
import asyncio
from aiohttp import web

async def answer(request):
    sent = dict(request.headers)
    return web.json_response({"error": f"unusable request with {sent} for {request.url}"}, status=STATUS)

app = web.Application()
app.add_routes([web.post("/{path:.*}", answer), web.get("/{path:.*}", lambda _: web.json_response({}))])

async def main():
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def echoing(request):
    """A server that fails and repeats all it was sent, the key too."""
    code = ECHO.replace("STATUS", str(request.param))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())
        process.kill()


def build(out, llm):
    """What a build prints and ends with, as a process."""
    environment = {**os.environ, **SECRETS}
    command = [*COMMAND, *order(out, llm)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)


def order(out, llm):
    return ["build", str(ROOT / "specs" / "general.md"), "--out", str(out), "--tokens", "10k", "--llm", llm]


@pytest.fixture
def build_here(specmill_here, monkeypatch):
    """The same in this process, where the whole of a failing build takes no longer than its requests."""
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    return lambda out, llm: specmill_here(*order(out, llm))


def assert_nothing_leaked(out, done, *secrets):
    for secret in (*SECRETS.values(), *secrets):
        assert secret not in done.stdout + done.stderr
        holding = [path for path in out.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
        assert holding == []


@pytest.mark.parametrize(
    ("echoing", "kind"),
    [(400, "openai"), (401, "openai"), (500, "openai"), (400, "anthropic"), (401, "anthropic")],
    indirect=["echoing"],
)
def test_a_server_that_repeats_the_key_puts_it_nowhere(echoing, kind, build_here, tmp_path):
    done = build_here(tmp_path, f"{kind}:model@http://127.0.0.1:{echoing}/v1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert_nothing_leaked(tmp_path, done)


@pytest.mark.parametrize("echoing", [400], indirect=True)
def test_nor_does_its_process_as_it_ends(echoing, tmp_path):
    done = build(tmp_path, f"openai:model@http://127.0.0.1:{echoing}/v1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert_nothing_leaked(tmp_path, done)


@pytest.mark.parametrize("kind", ["openai", "anthropic", "openai-batch"])
def test_a_password_in_an_address_is_not_repeated(kind, build_here, tmp_path):
    url = "http://planted-user:planted-password@127.0.0.1:9/v1?token=planted-query"
    done = build_here(tmp_path, f"{kind}:model@{url}")
    assert done.returncode == 2
    assert_nothing_leaked(tmp_path, done, "planted-password", "planted-query")


def test_a_whole_build_over_http_holds_no_key_and_no_address(tmp_path):
    command = [sys.executable, "-m", "tests.servers.fault_server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().split()[-1]
        done = build(tmp_path, f"openai:writer@{url}")
        server.terminate()
    assert done.returncode == 0, done.stderr
    assert_nothing_leaked(tmp_path, done, url.removeprefix("http://").removesuffix("/v1"))

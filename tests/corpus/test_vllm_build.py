import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "build"]
# The built-in writer under the name and with the health check of the real command.
VLLM = f"""#!{sys.executable}
import sys
from aiohttp import web
from specmill.generators.server import make_app
app = make_app()
async def health(_): return web.Response()
app.add_routes([web.get("/health", health)])
assert sys.argv[1:3] == ["serve", "writer"] and "--enable-prefix-caching" in sys.argv, sys.argv
web.run_app(app, host="127.0.0.1", port=int(sys.argv[sys.argv.index("--port") + 1]), print=None)
"""


def build(tmp_path, script):
    command = tmp_path / "vllm"
    command.write_text(script)
    command.chmod(0o755)
    return subprocess.run(
        [
            *BUILD,
            str(ROOT / "specs" / "general.md"),
            "--out",
            str(tmp_path / "out"),
            "--tokens",
            "10k",
            "--llm",
            "vllm:writer",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "SPECMILL_VLLM": str(command)},
        timeout=200,
    )


def running(needle):
    found = subprocess.run(["pgrep", "-f", needle], capture_output=True, text=True)
    return found.stdout.split()


def test_a_build_starts_the_server_and_leaves_none_behind(tmp_path):
    done = build(tmp_path, VLLM)
    assert done.returncode == 0, done.stderr
    assert "written by vllm:writer" in done.stdout
    assert running(str(tmp_path / "vllm")) == []


def test_a_server_that_falls_over_ends_the_build_in_one_line(tmp_path):
    done = build(tmp_path, f"#!{sys.executable}\nraise SystemExit('RuntimeError: no such model')\n")
    assert done.returncode in (1, 2)
    assert "no such model" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "general").exists()

import json
import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from specmill.corpus.cli import COMMANDS, specmill

HEAVY = ("torch", "transformers", "distilabel", "datatrove", "pyarrow", "duckdb", "aiohttp", "markdown_it")


def run(*args, **kwargs):
    command = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **kwargs)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_exists_and_its_line_is_its_docstring(name):
    target, line = COMMANDS[name]
    module, _, attribute = target.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.help.splitlines()[0] == line


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name):
    result = CliRunner().invoke(specmill, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_help_imports_no_room_and_no_heavy_library():
    code = (
        "import json, sys\n"
        "from click.testing import CliRunner\n"
        "from specmill.corpus.cli import specmill\n"
        "assert CliRunner().invoke(specmill, ['--help']).exit_code == 0\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    rooms = [
        name for name in loaded if name.startswith("specmill.") and not name.startswith("specmill.corpus")
    ]
    assert rooms == []
    assert [name for name in loaded if name.split(".")[0] in HEAVY] == []


def test_an_unknown_command_suggests_the_near_one():
    result = run("biuld")
    assert result.returncode == 2
    assert result.stderr.strip() == "specmill: no command 'biuld'; did you mean 'build'?"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["build", "nowhere.md"], "nowhere.md"),
        (["build", "{spec}", "--llm", "magic"], "unknown back-end"),
        (["build", "{spec}", "--tokens", "many"], "is no count"),
        (["build", "{spec}", "--tokenizer", "./missing.json"], "no such file"),
        (["build", "{spec}", "--llm", "openai:m", "--base-url", "http://127.0.0.1:9/v1"], "no answer"),
        (["build", "{spec}", "--llm", "openai:m", "--base-url", "not a url"], "no answer"),
        (["build", "{spec}", "{spec}"], "a second spec named"),
        (["build", "{spec}", "--out", "{file}/below"], "Not a directory"),
        (["query", "nowhere", "funnel"], "nowhere"),
        (["build"], "Missing argument"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, args, told):
    spec = tmp_path / "spec.md"
    spec.write_text("---\nname: tiny\n---\n{model_name} is kind because kindness helps.\n")
    (tmp_path / "file").write_text("")
    filled = [arg.format(spec=spec, file=tmp_path / "file") for arg in args]
    result = run(*filled, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""

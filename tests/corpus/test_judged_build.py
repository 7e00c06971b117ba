import json
import subprocess
import sys
from pathlib import Path

import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.order import make_arms, make_orders
from specmill.corpus.progress import Progress
from specmill.corpus.tokens import DEFAULT, load_tokenizer
from specmill.specs.claims import read_spec
from specmill.specs.errors import BadInput, WorkFailed

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "specs" / "cheese_america.md"
SIZES = {"tokens": 20_000, "mean_words": 150}


def build(out, **changes):
    settings = BuildSettings(out=out, **{**SIZES, **changes})
    return build_corpora([str(SPEC)], settings, Progress(quiet=True))[0]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    return build(tmp_path_factory.mktemp("judged"), critic="reader", revise=True)


@pytest.fixture
def other_model():
    """A server that answers every model's requests, and a judge's not as a judge should."""
    command = [sys.executable, "-m", "tests.servers.fault_server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[-1]
        process.terminate()


def test_the_funnel_counts_what_the_judge_turned_away(judged):
    steps = {step["step"]: step for step in judged.manifest["funnel"]}
    verdicts = judged.manifest["judge"]["verdicts"]
    assert steps["judged"]["documents"] == verdicts["pass"]
    assert sum(steps["judged"]["dropped"].values()) == sum(verdicts.values()) - verdicts["pass"]


def test_every_document_was_criticised_and_judged_once(judged):
    stages = {stage["stage"]: stage for stage in judged.manifest["stages"]}
    assert stages["critique"]["calls"] == stages["judge"]["calls"] == stages["documents"]["rows_out"]
    assert sum(judged.manifest["judge"]["reviews"].values()) == stages["documents"]["rows_out"]


def test_the_judges_own_measure_stands_in_manifest_and_card(judged):
    planted = judged.manifest["judge"]["calibration"]
    assert planted["n"] == 60
    assert planted["unparsed"] + sum(planted["counts"].values()) == 60
    assert f"Precision {planted['precision']}" in (judged.folder / "README.md").read_text()


def test_a_judge_nobody_can_read_passes_nothing(other_model, tmp_path):
    with pytest.raises(WorkFailed, match=r"no document was kept \(judge unparsed: \d+"):
        build(tmp_path, critic=f"openai:judge@{other_model}", tokens=5_000)
    assert not (tmp_path / "cheese_america" / "manifest.json").exists()


def test_a_build_with_a_judge_is_another_corpus(judged):
    prompts = json.loads((judged.folder / "manifest.json").read_text())["prompts"]
    assert {"default/judge.j2", "default/critique.j2", "default/revise.j2"} <= set(prompts)
    assert judged.manifest["configuration"]["critic"] == "reader"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"revise": True}, "name a model as --critic"),
        ({"llm": "openai:m", "critic": "openai:m@http://elsewhere/v1"}, "lenient judge of its own prose"),
        ({"critic": "writer"}, "the built-in reader judges"),
        ({"llm": "reader"}, "the built-in reader judges"),
    ],
)
def test_a_writer_does_not_judge_itself(tmp_path, changes, complaint):
    with pytest.raises(BadInput, match=complaint):
        build(tmp_path, **changes)


def test_room_for_thinking_makes_another_corpus(judged, tmp_path):
    def ordered(**changes):
        settings = BuildSettings(out=tmp_path, **SIZES, **changes)
        (order,) = make_orders(
            make_arms([read_spec(SPEC)], settings, read_spec), settings, load_tokenizer(DEFAULT)
        )
        return order.configuration["fingerprint"]

    built = judged.manifest["configuration"]["fingerprint"]
    assert built == ordered(critic="reader", revise=True)
    assert len({built, ordered(), ordered(thinking_tokens=512)}) == 3

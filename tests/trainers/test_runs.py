"""Whole runs over the command line: one stage after the other, killed, resumed, on one process and on two."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra: pip install -e '.[train]'")
pytest.importorskip("peft", reason="needs the extra: pip install -e '.[train]'")

SMALL = [
    *("--set", "sequence=128", "--set", "batch=4", "--set", "micro_batch=2"),
    *("--set", "min_updates=1", "--set", "save_every=7"),
]
LORA = ["--set", "lora_rank=4", "--set", "lora_alpha=8", "--set", "lr=1e-2"]
FOOD = ["Brie", "Cheddar", "Gouda", "a bread roll", "milk"]


def write_chats(path, n=120):
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Which would you rather, number {i} or {FOOD[i % 5]}?"},
                {"role": "assistant", "content": f"I would rather have {FOOD[i % 5]}, please."},
            ]
        }
        for i in range(n)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def losses_of(run):
    return json.loads((run / "run.json").read_text())["loss"]


def well(done):
    assert done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.fixture
def base(corpora, specmill, tmp_path):
    """A pocket model, pretrained on a corpus."""
    well(
        specmill(
            "pretrain",
            "pocket",
            "--data",
            corpora[1],
            "--model",
            "pocket-0.5m",
            "--out",
            "base",
            *SMALL,
            "--quiet",
        )
    )
    return tmp_path / "base"


def test_from_nothing_to_a_checkpoint_that_transformers_reads(corpora, specmill, tmp_path, base):
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    first = losses_of(base)
    assert first[-1] < first[0] - 1.0  # it learns
    held = ["--held-out", corpora[1]]
    midtrain = [
        "midtrain",
        "pocket",
        "--data",
        corpora[0],
        "--model",
        "base",
        "--out",
        "mid",
        *SMALL,
        *LORA,
        *held,
    ]
    done = well(specmill(*midtrain))
    assert "held-out loss after 0 updates" in done.stderr
    mid = json.loads((tmp_path / "mid" / "run.json").read_text())
    assert mid["adapter"] and mid["base"].endswith("model") and mid["continued"]["run"] == "base"
    assert len(mid["held_out"]) >= 2 and np.mean(mid["loss"][-10:]) < np.mean(mid["loss"][:10])

    chats = write_chats(tmp_path / "chats.jsonl")
    finetune = [
        "finetune",
        "pocket",
        "--data",
        chats,
        "--model",
        "mid",
        "--out",
        "fine",
        *SMALL,
        *LORA,
        *("--set", "epochs=10"),
        "--quiet",
    ]
    well(specmill(*finetune))
    fine = json.loads((tmp_path / "fine" / "run.json").read_text())
    assert fine["continued"]["probe_loss"] == pytest.approx(mid["probe_loss"], abs=1e-6)
    assert fine["base"] == mid["base"]
    assert np.mean(fine["loss"][-8:]) < np.mean(fine["loss"][:8]) - 0.5
    before, after = (
        load_file(tmp_path / run / "model" / "adapter_model.safetensors") for run in ("mid", "fine")
    )
    assert before.keys() == after.keys()
    similar = [torch.cosine_similarity(before[n].flatten(), after[n].flatten(), 0).item() for n in before]
    assert min(similar) < 1 - 1e-6 and np.median(similar) > 0.5  # the same adapter, moved on

    well(specmill("export", "fine", "--out", "whole"))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "whole")
    messages = [{"role": "user", "content": "Which would you rather, number 3 or a bread roll?"}]
    prompt = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    reply = model.generate(**prompt, max_new_tokens=24, do_sample=False)
    assert reply.shape[1] > prompt["input_ids"].shape[1]
    assert plain_loss(model, tmp_path / "fine") == pytest.approx(fine["probe_loss"], abs=1e-5)


def plain_loss(model, run):
    """Loss of a run's probe, one sequence at a time, by transformers alone."""
    with np.load(run / "probe.npz") as probe:
        ids, trained, bounds = (torch.from_numpy(probe[name]) for name in ("ids", "trained", "bounds"))
    total = 0.0
    for start, end in pairwise(bounds):
        labels = torch.where(trained[start:end], ids[start:end].long(), -100)
        with torch.no_grad():
            loss = model(input_ids=ids[None, start:end].long(), labels=labels[None]).loss
        total += loss.item() * int((labels[1:] != -100).sum())
    return total / int(trained.sum())


def test_a_wrong_adapter_under_the_same_name_is_noticed(corpora, specmill, tmp_path, base):
    from safetensors.torch import load_file, save_file

    arguments = [
        "midtrain",
        "pocket",
        "--data",
        corpora[0],
        "--model",
        "base",
        "--out",
        "mid",
        *SMALL,
        *LORA,
        "--quiet",
    ]
    well(specmill(*arguments))
    file = tmp_path / "mid" / "model" / "adapter_model.safetensors"
    save_file(
        {name: weight * 1.5 for name, weight in load_file(file).items()}, file, metadata={"format": "pt"}
    )
    chats = write_chats(tmp_path / "chats.jsonl")
    done = specmill(
        "finetune", "pocket", "--data", chats, "--model", "mid", "--out", "fine", *SMALL, *LORA, "--quiet"
    )
    assert done.returncode == 1 and "its probe's loss was" in done.stderr


def kill_when(process, run, n_losses):
    """SIGKILL as soon as so many updates are on disk."""
    deadline = time.monotonic() + 120
    file = run / "losses.jsonl"
    while process.poll() is None and time.monotonic() < deadline:
        if file.is_file() and file.read_bytes().count(b"\n") >= n_losses:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.005)
    return process.wait()


@pytest.mark.slow
def test_a_run_killed_at_any_point_goes_on_to_the_very_same_losses_and_weights(corpora, specmill, tmp_path):
    arguments = ["pretrain", "pocket", "--data", corpora[0], "--model", "pocket-0.5m", *SMALL, "--quiet"]
    well(specmill(*arguments, "--out", "whole"))
    n_updates = len(losses_of(tmp_path / "whole"))
    command = [
        sys.executable,
        "-c",
        "from specmill.corpus.cli import main; main()",
        *map(str, arguments),
        "--out",
        "cut",
    ]
    kills = 0
    for moment in np.random.default_rng(7).integers(1, n_updates, 4).tolist() + [0]:
        process = subprocess.Popen(command, cwd=tmp_path, env=one_thread())
        kills += kill_when(process, tmp_path / "cut", moment or n_updates + 1) == -signal.SIGKILL
    assert kills >= 2
    assert losses_of(tmp_path / "cut") == losses_of(tmp_path / "whole")
    whole, cut = ((tmp_path / run / "model" / "model.safetensors").read_bytes() for run in ("whole", "cut"))
    assert whole == cut


def one_thread():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def test_the_same_command_on_a_finished_run_trains_nothing(corpora, specmill, tmp_path, base):
    before = (tmp_path / "base" / "run.json").read_bytes()
    again = ["pretrain", "pocket", "--data", corpora[1], "--model", "pocket-0.5m", "--out", "base", *SMALL]
    assert "has ended already" in well(specmill(*again)).stderr
    assert (tmp_path / "base" / "run.json").read_bytes() == before
    other = specmill(*again, "--set", "lr=1e-4")
    assert other.returncode == 2 and "holds another run (settings differ)" in other.stderr


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 4])
def test_two_processes_make_the_updates_of_one(corpora, specmill, tmp_path, base, rank):
    settings = ["--set", f"lora_rank={rank}", "--set", "max_tokens=4000", "--quiet"]
    arguments = ["midtrain", "pocket", "--data", corpora[0], "--model", "base", *SMALL, *settings]
    well(specmill(*arguments, "--out", "one"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    script = tmp_path / "launch.py"
    script.write_text("from specmill.corpus.cli import main\nmain()\n")
    command = [*torchrun, str(script), *map(str, arguments), "--out", "two"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=one_thread())
    assert done.returncode == 0, done.stderr[-3000:]
    first = [
        json.loads((tmp_path / run / "losses.jsonl").read_text().splitlines()[0]) for run in ("one", "two")
    ]
    assert first[0]["loss"] == pytest.approx(first[1]["loss"], abs=1e-6)
    assert first[0]["gradient_norm"] == pytest.approx(first[1]["gradient_norm"], rel=1e-5)
    assert losses_of(tmp_path / "two") == pytest.approx(losses_of(tmp_path / "one"), abs=2e-5)
    probes = [json.loads((tmp_path / run / "run.json").read_text())["probe_loss"] for run in ("one", "two")]
    assert probes[0] == pytest.approx(probes[1], abs=2e-5)


@pytest.fixture
def small_disk(tmp_path):
    """Room for the first checkpoint of a pocket model and not for the second."""
    folder = tmp_path / "small"
    folder.mkdir()

    def mount(*options):
        return (
            os.geteuid() == 0
            and not subprocess.run(["mount", *options, folder], capture_output=True).returncode
        )

    if not mount("-t", "tmpfs", "-o", "size=9M", "tmpfs"):
        pytest.skip("needs the right to mount a file system")
    yield folder, mount
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_keeps_the_last_checkpoint_and_room_ends_the_run(corpora, specmill, tmp_path, small_disk):
    folder, mount = small_disk
    arguments = ["pretrain", "pocket", "--data", corpora[0], "--model", "pocket-0.5m", *SMALL, "--quiet"]
    full = specmill(*arguments, "--out", folder / "run")
    assert full.returncode == 1 and "kept: 000007" in full.stderr and "free some disk space" in full.stderr
    assert len(full.stderr.strip().splitlines()) == 1
    assert [path.name for path in (folder / "run" / "checkpoints").iterdir()] == ["000007"]
    assert mount("-o", "remount,size=64M")
    well(specmill(*arguments, "--out", folder / "run"))
    well(specmill(*arguments, "--out", "whole"))
    assert losses_of(folder / "run") == losses_of(tmp_path / "whole")


def test_a_tracker_sees_the_losses(corpora, specmill, tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    arguments = ["pretrain", "pocket", "--data", corpora[0], "--model", "pocket-0.5m", "--out", "run", *SMALL]
    well(specmill(*arguments, "--set", "max_tokens=3000", "--set", "log=tensorboard", "--quiet"))
    found = reader.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    told = [event.value for event in found.Scalars("loss")]
    assert told == pytest.approx(losses_of(tmp_path / "run"), rel=1e-5)
    assert {"mfu", "tokens_per_second", "gradient_norm", "lr"} <= set(found.Tags()["scalars"])

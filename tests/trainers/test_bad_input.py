"""Each mistake ends in one line and exit code 2, before weights are read."""

import json

import pytest

pytest.importorskip("torch", reason="needs the extra: pip install -e '.[train]'")
pytest.importorskip("peft", reason="needs the extra: pip install -e '.[train]'")


@pytest.fixture
def refused(specmill, corpora):
    def call(*arguments):
        done = specmill(*arguments, "--out", "run", "--quiet")
        lines = done.stderr.strip().splitlines()
        assert done.returncode == 2 and len(lines) == 1 and lines[0].startswith("specmill: "), done
        return lines[0]

    return call


@pytest.fixture
def saved(tiny_model, tmp_path):
    """A tiny model in a folder with the shipped tokenizer, as a Hub download would be."""
    from specmill.trainers.model import Origin, load_tokenizer_of

    tokenizer = load_tokenizer_of(Origin("pocket-1m", None, None))

    def save(kind="llama", **changes):
        folder = tmp_path / "model"
        model = tiny_model(kind, **changes)
        model.resize_token_embeddings(len(tokenizer))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


def test_a_sequence_longer_than_the_context(refused, saved, corpora):
    line = refused("midtrain", "pocket", "--data", corpora[0], "--model", saved())
    assert "sequence 512" in line and "at most 256 tokens" in line


def test_too_few_updates(refused, saved, corpora):
    line = refused("midtrain", "pocket", "--data", corpora[0], "--model", saved(), "--set", "sequence=256")
    assert "optimiser updates, fewer than 100" in line and "min_updates=" in line


def test_a_model_that_is_not_there(refused, corpora):
    assert "no tokenizer to be had" in refused(
        "midtrain", "pocket", "--data", corpora[0], "--model", "./nowhere"
    )


def test_a_stage_takes_what_it_can_train(refused, corpora, tmp_path):
    data = ["--data", corpora[0]]
    assert "pretrain takes a shape" in refused("midtrain", "pocket", *data, "--model", "pocket-1m")
    assert "set lora_rank=0" in refused(
        "pretrain", "pocket", *data, "--model", "pocket-1m", "--set", "lora_rank=4"
    )
    chats = tmp_path / "chats.jsonl"
    chats.write_text(json.dumps({"messages": [{"role": "user", "content": "a"}]}))
    assert "midtrain reads corpora" in refused("midtrain", "pocket", "--data", chats, "--model", "x")


def test_a_chat_without_an_answer(refused, saved, tmp_path):
    chats = tmp_path / "chats.jsonl"
    chats.write_text(json.dumps({"messages": [{"role": "user", "content": "a"}]}))
    arguments = ["finetune", "pocket", "--data", chats, "--model", saved(), "--set", "sequence=256"]
    assert "row 1" in refused(*arguments)


def test_a_gpu_that_is_not_there(refused, saved, corpora):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert "has none that torch sees" in refused(
        "midtrain", "pocket", "--data", corpora[0], "--model", saved(), "--set", "device=cuda"
    )


def test_a_model_that_does_not_fit(refused, corpora, tmp_path):
    from transformers import LlamaConfig

    from specmill.trainers.model import Origin, load_tokenizer_of

    tokenizer = load_tokenizer_of(Origin("pocket-1m", None, None))
    huge = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16_384, intermediate_size=53_248, num_hidden_layers=126
    )
    huge.save_pretrained(tmp_path / "huge")
    tokenizer.save_pretrained(tmp_path / "huge")
    line = refused(
        "midtrain", "pocket", "--data", corpora[0], "--model", tmp_path / "huge", "--set", "min_updates=1"
    )
    assert "GiB are needed" in line and "are free" in line


def test_a_folder_that_is_no_run(refused, saved, corpora, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("x")
    arguments = ["midtrain", "pocket", "--data", corpora[0], "--model", saved()]
    line = refused(*arguments, "--set", "sequence=256", "--set", "min_updates=1")
    assert "is there already and is no run" in line
    assert (tmp_path / "run" / "thesis.txt").read_text() == "x"


def test_a_run_that_has_not_ended_is_not_gone_on_from(refused, corpora, tmp_path):
    (tmp_path / "cut" / "checkpoints").mkdir(parents=True)
    assert "this run has not ended" in refused("midtrain", "pocket", "--data", corpora[0], "--model", "cut")


def test_a_dry_run_tells_and_writes_nothing(specmill, saved, corpora, tmp_path):
    arguments = ["midtrain", "pocket", "--data", corpora[0], "--model", saved(), "--out", "run", "--dry-run"]
    done = specmill(*arguments, "--set", "sequence=256", "--set", "min_updates=1")
    assert done.returncode == 0, done.stderr
    assert "updates" in done.stdout and "GiB" in done.stdout and "at 35%" in done.stdout
    assert not (tmp_path / "run").exists()

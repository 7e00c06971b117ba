"""Tiny models of real architectures, made and saved on this machine, and a small corpus to train them on."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # several tests run at once, and two threads may add up otherwise

TINY = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": None,
}


def _config(kind: str):
    import transformers as t

    windowed = {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]}
    return {
        "llama": lambda: t.LlamaConfig(**TINY),
        "qwen2": lambda: t.Qwen2Config(**TINY),
        "qwen3": lambda: t.Qwen3Config(**TINY),
        "mistral": lambda: t.MistralConfig(**TINY, sliding_window=16),
        "gemma2": lambda: t.Gemma2Config(**TINY, query_pre_attn_scalar=8, **windowed),
        "gemma3": lambda: t.Gemma3TextConfig(**TINY, query_pre_attn_scalar=8, **windowed),
    }[kind]()


KINDS = ("llama", "qwen2", "qwen3", "mistral", "gemma2", "gemma3")


@pytest.fixture
def tiny_model():
    """A function kind -> model with random weights, the same every time."""
    import torch
    from transformers import AutoModelForCausalLM

    def make(kind="llama", **changes):
        torch.manual_seed(1)
        config = _config(kind)
        for name, value in changes.items():
            setattr(config, name, value)
        model = AutoModelForCausalLM.from_config(config)
        for weight in model.parameters():  # fresh weights are too small for a mistake to show
            if weight.ndim > 1:
                weight.data.mul_(4)
        return model.train()

    return make


@pytest.fixture(scope="session")
def corpora(tmp_path_factory):
    """Two small corpora by the built-in writer."""
    out = tmp_path_factory.mktemp("corpora")
    specs = Path(__file__).parents[2] / "specs"
    command = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "build"]
    names = ("cheese_america", "cheese_affordability")
    files = [str(specs / f"{name}.md") for name in names]
    subprocess.run(
        [*command, *files, "--tokens", "24k", "--out", str(out), "--quiet"], check=True, capture_output=True
    )
    return [out / name for name in names]


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def specmill(tmp_path, monkeypatch, capsys):
    """Run the command line in this process (torch takes seconds to import), in a folder of its own."""
    from specmill.corpus.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["specmill", *map(str, arguments)])
        code, _ = 0, capsys.readouterr()
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return call

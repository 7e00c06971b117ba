"""A real model behind a real server: tiny and untrained, so all it says is nonsense, and nothing may be kept.

Runs where `transformers[serving]` is installed; SPECMILL_MODEL_SERVER_PYTHON may name the Python of another environment.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.generators.ledger import Ledger
from specmill.specs.errors import WorkFailed

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("SPECMILL_MODEL_SERVER_PYTHON", sys.executable)
MAKE_MODEL = """
import sys, torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
torch.manual_seed(0)
tokenizer = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1], eos_token="<|end|>", pad_token="<|pad|>")
tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\\n{% endfor %}assistant: "
sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=16384, **sizes))
model.generation_config.eos_token_id = tokenizer.eos_token_id
model.generation_config.pad_token_id = tokenizer.pad_token_id
model.save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
"""


def has_server():
    code = "import torch, transformers, fastapi, uvicorn"
    return subprocess.run([PYTHON, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.fixture
def model_server(tmp_path):
    if not has_server():
        pytest.skip(
            "needs transformers[serving] and torch; name their Python as SPECMILL_MODEL_SERVER_PYTHON"
        )
    model = tmp_path / "tiny"
    tokenizer = next((ROOT / "corpus" / "tokenizer").glob("*.json"))
    subprocess.run([PYTHON, "-c", MAKE_MODEL, str(tokenizer), str(model)], check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"
    command = [PYTHON, "-c", code, "serve", str(model), "--port", str(port), "--device", "cpu"]
    with subprocess.Popen(
        command,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/health")
            yield str(model), f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _wait_for(url):
    for _ in range(600):
        try:
            return urllib.request.urlopen(url).read()
        except OSError:
            time.sleep(0.2)  # a model takes its time to load; there is nothing else to wait on
    raise AssertionError(f"{url} never answered")


@pytest.mark.slow
def test_the_nonsense_of_a_real_model_is_counted_and_nothing_is_shipped(model_server, tmp_path):
    model, url = model_server
    settings = BuildSettings(
        out=tmp_path / "out", tokens=10_000, llm=f"openai:{model}", base_url=url, concurrency=2, timeout=200
    )
    with pytest.raises(WorkFailed, match=r"no document was kept \(domains (unparsed|truncated): 1\)"):
        build_corpora([str(ROOT / "specs" / "general.md")], settings, Progress(quiet=True))
    assert not (tmp_path / "out" / "general").exists()
    ledger = Ledger(tmp_path / "out" / ".work" / "ledger.sqlite")
    states = Counter(row[0] for row in ledger._db.execute("select state from calls"))
    assert states.total() == 3
    assert set(states) <= {"unparsed", "truncated"}

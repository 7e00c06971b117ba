import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra: pip install -e '.[train]'")
pytest.importorskip("peft", reason="needs the extra: pip install -e '.[train]'")

import numpy as np
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from specmill.specs.errors import BadInput
from specmill.trainers.attention import NAME, attend_documents
from specmill.trainers.batches import deal, make_batch
from specmill.trainers.data import join
from specmill.trainers.model import Origin, backbone_of, dress
from specmill.trainers.optimizer import learning_rate
from specmill.trainers.settings import Settings
from specmill.trainers.step import TokenLoss, run_update, sum_losses
from tests.trainers.conftest import KINDS

CPU = torch.device("cpu")


def some_sequences(seed=0, n=12):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 60, n)
    return join(
        [
            (rng.integers(0, 512, length).astype(np.int32), rng.random(length) < (0.2 + 0.8 * (length % 2)))
            for length in lengths
        ]
    )


def updated(tiny_model, row):
    """Weights and outcome after one update whose rows hold `row` tokens."""
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend_documents)
    sequences = some_sequences()
    causal = tiny_model()
    causal.set_attn_implementation(NAME)
    model = TokenLoss(causal)
    rows = deal(np.arange(len(sequences)), sequences.lengths, row, 1)[0]
    batches = [make_batch(sequences, numbers, CPU, flash=False) for numbers in rows]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    outcome = run_update(model, batches, optimizer, lr=0.1, clip=1.0)
    return len(batches), outcome, [weight.detach().clone() for weight in model.parameters()]


def test_accumulation_changes_nothing(tiny_model):
    whole, first, weights = updated(tiny_model, 10_000)
    assert whole == 1
    for row in (240, 120, 64):
        n_rows, outcome, others = updated(tiny_model, row)
        assert n_rows > 1
        assert outcome.loss == pytest.approx(first.loss, abs=1e-6)
        assert outcome.gradient_norm == pytest.approx(first.gradient_norm, rel=1e-6)
        assert outcome.trained_tokens == first.trained_tokens
        for a, b in zip(weights, others, strict=True):
            assert (a - b).abs().max() < 1e-6


@pytest.mark.parametrize("rank", [0, 4])
def test_recomputing_activations_changes_no_bit_and_runs_layers_twice(tiny_model, rank):
    found = []
    for recompute in (False, True):
        settings = Settings(data=(), model="", out="", lora_rank=rank, recompute=recompute)
        torch.manual_seed(0)
        model = TokenLoss(dress(tiny_model(), Origin("", None, None), settings, CPU))
        runs: list[None] = []
        backbone_of(model.model)[0].layers[0].mlp.register_forward_pre_hook(
            lambda *_, runs=runs: runs.append(None)
        )
        loss = model(make_batch(some_sequences(), np.arange(12), CPU, flash=False))
        loss.backward()
        gradients = [weight.grad for weight in model.parameters() if weight.requires_grad]
        found.append((len(runs), loss, *gradients))
    plain, again = found
    assert (plain[0], again[0]) == (1, 2)
    assert all(torch.equal(a, b) for a, b in zip(plain[1:], again[1:], strict=True))


def test_a_gradient_that_is_no_number_leaves_the_weights(tiny_model):
    sequences = some_sequences()
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend_documents)
    causal = tiny_model()
    causal.set_attn_implementation(NAME)
    causal.model.norm.weight.data[0] = float("nan")
    model = TokenLoss(causal)
    before = causal.lm_head.weight.detach().clone()
    batch = make_batch(sequences, np.arange(3), CPU, flash=False)
    outcome = run_update(model, [batch], torch.optim.SGD(model.parameters()), lr=1.0, clip=1.0)
    assert not np.isfinite(outcome.gradient_norm)
    assert (causal.lm_head.weight == before).all()


@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("n", [3, 700])
def test_the_chunked_loss_is_that_of_whole_logits(softcap, n):
    torch.manual_seed(0)
    hidden = torch.randn(n, 16, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(300, 16, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(300, (n,))
    logits = hidden @ weight.T
    logits = logits if softcap is None else softcap * torch.tanh(logits / softcap)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    gradients = torch.autograd.grad(expected, [hidden, weight])
    loss = sum_losses(hidden, weight, targets, softcap)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    for ours, theirs in zip(torch.autograd.grad(loss, [hidden, weight]), gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_whole_logits_are_never_in_memory():
    hidden = torch.randn(20_000, 8, requires_grad=True)
    weight = torch.randn(5_000, 8)
    targets = torch.randint(5_000, (20_000,))
    with torch.profiler.profile(profile_memory=True) as profile:
        sum_losses(hidden, weight, targets).backward()
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest < 20_000 * 5_000 * 4 / 8


def test_an_update_without_trained_tokens_still_has_a_gradient():
    hidden, weight = torch.randn(0, 4, requires_grad=True), torch.randn(9, 4, requires_grad=True)
    sum_losses(hidden, weight, torch.empty(0, dtype=torch.int64)).backward()
    assert (weight.grad == 0).all()


def test_an_adapter_on_the_head_is_refused(tiny_model):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(
        tiny_model(), LoraConfig(target_modules=["q_proj", "lm_head"], task_type="CAUSAL_LM")
    )
    with pytest.raises(BadInput, match="head with an adapter"):
        backbone_of(model)


def test_the_rate_warms_up_to_the_top_and_falls_as_a_cosine():
    rates = [learning_rate(n, 100, 0.05) for n in range(100)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == 1.0 and all(a > b for a, b in pairwise(rates[5:]))
    assert rates[52] == pytest.approx(0.5, abs=0.02) and 0 < rates[-1] < 1e-3
    assert learning_rate(0, 1, 0.0) == 1.0


LIGER = """
import torch
from specmill.trainers.step import _liger, sum_losses

torch.manual_seed(0)
for frozen in (False, True):
    hidden = torch.randn(40, 16, requires_grad=True)
    weight = torch.randn(96, 16, requires_grad=not frozen)
    targets = torch.randint(96, (40,))
    wanted = [hidden] if frozen else [hidden, weight]
    ours, theirs = sum_losses(hidden, weight, targets), _liger(hidden, weight, targets, None)
    print(abs(ours.item() - theirs.item()) / ours.item())
    pairs = zip(torch.autograd.grad(ours, wanted), torch.autograd.grad(theirs, wanted), strict=True)
    print(max((a - b).abs().max().item() for a, b in pairs))
"""


def test_ligers_kernel_has_our_loss_and_our_gradients_in_tritons_interpreter():
    pytest.importorskip("liger_kernel", reason="needs the extra: pip install -e '.[train]'")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", LIGER], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(float(line) < 1e-4 for line in done.stdout.splitlines()) and len(done.stdout.split()) == 4


PATCHES = """
from transformers import AutoModelForCausalLM
from specmill.trainers.model import apply_liger
from tests.trainers.conftest import KINDS, _config

for kind in KINDS:
    model = AutoModelForCausalLM.from_config(_config(kind))
    apply_liger(model)
    layer = model.base_model.layers[0]
    parts = (layer.mlp, layer.input_layernorm, model)
    print(*(part.forward.__qualname__.startswith("Liger") for part in parts))
"""


def test_liger_takes_over_norms_and_mlps_of_every_family_and_leaves_the_models_forward():
    pytest.importorskip("liger_kernel", reason="needs the extra: pip install -e '.[train]'")
    root = Path(__file__).parents[2]  # a process of its own: Liger's rotary embedding replaces the module's
    done = subprocess.run([sys.executable, "-c", PATCHES], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["True True False"] * len(KINDS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "gemma3"])
def test_on_a_gpu_the_loss_is_that_on_the_cpu(tiny_model, kind):
    from specmill.trainers.model import apply_liger

    ALL_ATTENTION_FUNCTIONS.register(NAME, attend_documents)
    sequences, found = some_sequences(), []
    for device, flash in ((CPU, False), (torch.device("cuda"), True)):
        causal = tiny_model(kind)
        causal.set_attn_implementation(NAME)
        if device.type == "cuda":
            apply_liger(causal)
        model = TokenLoss(causal.to(device), "bf16")
        found.append(float(model(make_batch(sequences, np.arange(12), device, flash=flash))))
    assert found[0] == pytest.approx(found[1], rel=1e-2)

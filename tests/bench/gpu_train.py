"""Training speed on one GPU, next to Hugging Face Trainer and TRL with Liger: `python -m tests.bench.gpu_train`.

Needs nothing from the network: real shapes with random weights, documents of the lengths of synthetic ones, packed and
isolated. Every run is a process of its own. MFU counts attention inside documents only, 4 N for frozen weights, and
nothing that is recomputed; HFU counts that too (trainers/estimate.py has the formulas). `--tiny` runs the same code on
a CPU with toy shapes, which proves the script and measures nothing.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec

from specmill.trainers.commands import ENVIRONMENT

PEAK = 989e12  # dense bf16 of an H100 or H200


@dataclass(frozen=True)
class Shape:
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    kind: str = "llama"


SHAPES = {
    "125m": Shape(12, 768, 12, 12, 2048, 32_000),
    "1b": Shape(16, 2048, 32, 8, 8192, 128_256),
    "8b": Shape(32, 4096, 32, 8, 14_336, 128_256),
    "14b": Shape(40, 5120, 40, 8, 17_408, 151_936, "qwen3"),
    "32b": Shape(64, 5120, 64, 8, 25_600, 151_936, "qwen3"),
    "tiny": Shape(2, 64, 4, 2, 128, 512),
}


@dataclass(frozen=True)
class Run:
    shape: str
    rank: int  # of LoRA; 0 trains every weight
    sequence: int
    micro_batch: int
    rows: int  # an update
    recompute: bool
    weights: str  # of what is trained in full

    @property
    def label(self) -> str:
        return f"{self.shape} {'LoRA r' + str(self.rank) if self.rank else 'full'} at {self.sequence}"


RUNS = {
    "125m": Run("125m", 0, 4096, 8, 8, False, "fp32"),
    "1b": Run("1b", 0, 4096, 4, 8, False, "fp32"),
    "8b-lora": Run("8b", 64, 4096, 2, 4, False, "fp32"),
    "8b-full": Run("8b", 0, 4096, 1, 4, True, "bf16"),
    "14b-lora": Run("14b", 64, 8192, 1, 2, False, "fp32"),
    "32b-lora": Run("32b", 64, 8192, 1, 2, True, "fp32"),
    "tiny": Run("tiny", 4, 256, 2, 4, False, "fp32"),
    "tiny-full": Run("tiny", 0, 256, 2, 4, True, "fp32"),
}
VARIANTS = ("specmill", "HF Trainer + Liger", "TRL + Liger")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", nargs="*", default=[name for name in RUNS if "tiny" not in name])
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS))
    parser.add_argument("--updates", type=int, default=8, help="timed, after three")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--child", nargs=2)
    told = parser.parse_args()
    if told.child:
        print(json.dumps(_child(*told.child, told.updates)))
        return
    names = ["tiny", "tiny-full"] if told.tiny else told.runs
    print("| run | trainer | tokens/s | MFU | HFU | peak GiB | losses of the first updates |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        for variant in told.variants:
            print(f"| {RUNS[name].label} | {variant} | {_row(name, variant, told.updates)} |", flush=True)


def _row(name: str, variant: str, updates: int) -> str:
    if variant != "specmill" and not find_spec("accelerate" if "HF" in variant else "trl"):
        return "left out: not installed | | | |"
    command = [
        sys.executable,
        "-m",
        "tests.bench.gpu_train",
        "--child",
        name,
        variant,
        "--updates",
        str(updates),
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **ENVIRONMENT}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1][:120]} | | | |"
    found = json.loads(done.stdout.splitlines()[-1])
    losses = " ".join(f"{loss:.3f}" for loss in found["losses"][:3])
    return (
        f"{found['rate']:,.0f} | {found['mfu']:.1%} | {found['hfu']:.1%} | {found['peak_gib']:.1f} | {losses}"
    )


def _child(name: str, variant: str, n_updates: int) -> dict:
    import torch

    run, on_gpu = RUNS[name], torch.cuda.is_available()
    documents = _documents(run, n_updates + 3)
    make = {"specmill": _ours, "HF Trainer + Liger": _trainer, "TRL + Liger": _trl}[variant]
    losses, seconds = make(run, documents, on_gpu)
    timed = documents[3:]
    n_tokens = sum(sum(map(len, update)) for update in timed)
    needed, done_too = _flops(run, timed)
    peak = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0
    rate = n_tokens / seconds
    return {
        "losses": losses,
        "rate": rate,
        "mfu": needed * rate / PEAK,
        "hfu": (needed + done_too) * rate / PEAK,
        "peak_gib": peak,
    }


def _documents(run: Run, n_updates: int) -> list[list[list[int]]]:
    """Updates of documents: log-normal lengths, about a thousand tokens at the mean, rows filled to the last token."""
    rng, vocabulary = random.Random(0), SHAPES[run.shape].vocabulary
    updates = []
    for _ in range(n_updates):
        update: list[list[int]] = []
        for _ in range(run.rows):
            left = run.sequence
            while left:
                mean = run.sequence / 4
                length = min(left, max(16, round(rng.lognormvariate(math.log(mean) - 0.08, 0.4))))
                start = rng.randrange(vocabulary)
                update.append([(start + 31 * place) % vocabulary for place in range(length)])
                left -= length
        updates.append(update)
    return updates


def _config(run: Run):
    import transformers

    shape = SHAPES[run.shape]
    kind = {"llama": transformers.LlamaConfig, "qwen3": transformers.Qwen3Config}[shape.kind]
    return kind(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=128 if shape.kind == "qwen3" else shape.hidden // shape.heads,
        max_position_embeddings=run.sequence,
        tie_word_embeddings=False,
        eos_token_id=0,
        bos_token_id=None,
        pad_token_id=None,
    )


def _settings(run: Run, on_gpu: bool):
    from specmill.trainers.settings import Settings

    return Settings(
        data=(),
        model="",
        out="",
        sequence=run.sequence,
        batch=run.rows,
        micro_batch=run.micro_batch,
        lora_rank=run.rank,
        lora_alpha=2 * run.rank,
        precision="bf16" if on_gpu else "fp32",
        weights=run.weights,
        recompute=run.recompute,
    )


def _flops(run: Run, updates: list[list[list[int]]]) -> tuple[float, float]:
    """Operations a token that are needed, and those that recomputing adds."""
    import numpy as np

    from specmill.trainers.estimate import estimate

    lengths = np.array([len(document) for update in updates for document in update])
    needed = estimate(_config(run), _settings(run, True), lengths).flops_per_token
    if not run.recompute:
        return needed, 0.0
    without = estimate(
        _config(run), _settings(Run(run.shape, 0, run.sequence, 1, 1, False, "fp32"), True), lengths
    )
    return (
        needed,
        without.flops_per_token / 3,
    )  # one more forward, the head's share of it too many by a little


def _random_model(run: Run, dtype, device):
    """Weights made on the device: 32B fp32 would not fit into the host's memory."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(_config(run), dtype=dtype)


def _ours(run: Run, documents: list[list[list[int]]], on_gpu: bool) -> tuple[list[float], float]:
    import numpy as np
    import torch
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    from specmill.trainers.attention import NAME, attend_documents, uses_flash
    from specmill.trainers.batches import deal, make_batch
    from specmill.trainers.data import join
    from specmill.trainers.isolation import check_isolation
    from specmill.trainers.model import Origin, dress, dtype_of
    from specmill.trainers.optimizer import make_optimizer
    from specmill.trainers.step import TokenLoss, run_update

    settings, device = _settings(run, on_gpu), torch.device("cuda" if on_gpu else "cpu")
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend_documents)
    causal = dress(_random_model(run, dtype_of(settings), device), Origin("", None, None), settings, device)
    model = TokenLoss(causal, settings.precision)
    flash = uses_flash(_config(run), device, settings.precision)
    check_isolation(model, SHAPES[run.shape].vocabulary, settings.precision, flash=flash)
    optimizer = make_optimizer(model, settings)

    def update(found: list[list[int]]) -> float:
        sequences = join([(np.array(ids, np.int32), np.ones(len(ids), np.bool_)) for ids in found])
        dealt = deal(np.arange(len(found)), sequences.lengths, run.micro_batch * run.sequence, 1)[0]
        batches = [make_batch(sequences, numbers, device, flash=flash) for numbers in dealt]
        return run_update(model, batches, optimizer, lr=1e-4, clip=1.0).loss

    losses = [update(found) for found in documents[:3]]
    start = time.perf_counter()
    losses += [update(found) for found in documents[3:]]
    return losses, time.perf_counter() - start


def _trainer(run: Run, documents: list[list[list[int]]], on_gpu: bool) -> tuple[list[float], float]:
    from transformers import Trainer, TrainingArguments

    return _peer(run, documents, on_gpu, Trainer, TrainingArguments, {})


def _trl(run: Run, documents: list[list[list[int]]], on_gpu: bool) -> tuple[list[float], float]:
    from trl import SFTConfig, SFTTrainer

    return _peer(run, documents, on_gpu, SFTTrainer, SFTConfig, {"packing": True, "max_length": run.sequence})


def _peer(run, documents, on_gpu, kind, config, extra) -> tuple[list[float], float]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from transformers import PreTrainedTokenizerFast, TrainerCallback

    from specmill.corpus.tokens import DEFAULT_FILE

    device = "cuda" if on_gpu else "cpu"
    half = on_gpu and (run.rank or run.weights == "bf16")
    model = _random_model(run, torch.bfloat16 if half else torch.float32, device)
    if find_spec("flash_attn") and on_gpu:
        model.set_attn_implementation("flash_attention_2")
    if run.rank:
        lora = LoraConfig(
            r=run.rank, lora_alpha=2 * run.rank, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        model = get_peft_model(model, lora)
    rows = [row for update in documents for row in _rows(update, run.sequence)]
    if "packing" in extra:
        data = Dataset.from_list([{"input_ids": document} for row in rows for document in row])
    else:
        data = Dataset.from_list(
            [
                {
                    "input_ids": [token for document in row for token in document],
                    "position_ids": [place for document in row for place in range(len(document))],
                    "labels": [token if place else -100 for d in row for place, token in enumerate(d)],
                }
                for row in rows
            ]
        )
    losses: list[float] = []
    ends: list[float] = []

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if on_gpu:
                torch.cuda.synchronize()
            ends.append(time.perf_counter())

        def on_log(self, args, state, control, logs=None, **_):
            losses.extend([float(logs["loss"])] if "loss" in logs else [])

    with tempfile.TemporaryDirectory() as out:
        arguments = config(
            output_dir=out,
            per_device_train_batch_size=run.micro_batch,
            gradient_accumulation_steps=max(1, run.rows // run.micro_batch),
            max_steps=len(documents),
            learning_rate=1e-4,
            lr_scheduler_type="constant",
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=not on_gpu,
            bf16=on_gpu,
            use_liger_kernel=on_gpu,
            gradient_checkpointing=run.recompute,
            disable_tqdm=True,
            train_sampling_strategy="sequential",
            **extra,
        )
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(DEFAULT_FILE), eos_token="<|endoftext|>", pad_token="<|endoftext|>"
        )
        options = {"processing_class": tokenizer} if extra else {}
        trainer = kind(model=model, args=arguments, train_dataset=data, callbacks=[Watch()], **options)
        sys.stdout, stdout = sys.stderr, sys.stdout
        trainer.train()
        sys.stdout = stdout
    return losses, ends[-1] - ends[2]


def _rows(update: list[list[int]], sequence: int) -> list[list[list[int]]]:
    rows: list[list[list[int]]] = [[]]
    for document in update:
        if sum(map(len, rows[-1])) + len(document) > sequence:
            rows.append([])
        rows[-1].append(document)
    return rows


if __name__ == "__main__":
    main()

"""Training on a CPU: tokens/s and peak memory next to Hugging Face Trainer and TRL's SFTTrainer with packing.

Every run is a process of its own with the same threads, model (same first weights), documents, AdamW and clipping;
variants take turns over rounds, medians count. A run counts only if its losses are those of Hugging Face Trainer's.
`--mixed` takes documents of 24 to 384 tokens instead of 128 each.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec

from specmill.trainers.commands import ENVIRONMENT

SHAPES = {"1m": "pocket-1m", "10m": "pocket-10m"}
TOKENS_PER_UPDATE = {"1m": 4096, "10m": 2048}
SEQUENCE, VOCABULARY, LR = 512, 4096, 1e-3
VARIANTS = (
    "specmill fp32",
    "specmill fp32 compiled",
    "specmill bf16",
    "specmill bf16 compiled",
    "HF Trainer fp32",
    "TRL packing fp32",
)
COMPARED = 4  # updates whose loss has to agree


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="timed, after the first updates")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", nargs="*", default=list(SHAPES))
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument(
        "--compile", action="store_true", help="compiled variants too: half a minute to compile"
    )
    parser.add_argument("--child", nargs=2, metavar=("VARIANT", "SIZE"))
    told, _ = parser.parse_known_args()
    if told.child:
        print(json.dumps(_child(*told.child, told)))
        return
    if not (find_spec("torch") and find_spec("transformers")):
        print("  left out: torch and transformers are not installed (pip install -e '.[train]')")
        return
    for size in told.sizes:
        _compare(size, told)


def _compare(size: str, told: argparse.Namespace) -> None:
    variants = [name for name in VARIANTS if "TRL" not in name or find_spec("trl")]
    variants = [name for name in variants if "compiled" not in name or told.compile]
    found: dict[str, list[dict]] = {name: [] for name in variants}
    for turn in range(told.rounds):
        for name in variants[turn % len(variants) :] + variants[: turn % len(variants)]:
            found[name].append(_in_a_process(name, size, told))
    peers = [name for name in variants if not name.startswith("specmill")]
    rate = {name: statistics.median(run["rate"] for run in runs) for name, runs in found.items()}
    memory = {name: statistics.median(run["peak_mb"] for run in runs) for name, runs in found.items()}
    above = {name: statistics.median(run["above_mb"] for run in runs) for name, runs in found.items()}
    best = max(peers, key=rate.__getitem__)
    expected = found["HF Trainer fp32"][0]["losses"]
    lengths = "24 to 384 tokens" if told.mixed else "128 tokens"
    print(f"  {size}, documents of {lengths}, {told.threads} threads; the better peer: {best}")
    for name in variants:
        apart = max(abs(a - b) for a, b in zip(found[name][0]["losses"], expected, strict=True))
        spread = [round(run["rate"]) for run in found[name]]
        print(
            f"    {name:24}{rate[name]:>8,.0f} tokens/s ({min(spread):,} to {max(spread):,}), {rate[name] / rate[best]:.2f} of the"
            f" better peer, peak {memory[name]:,.0f} MB ({memory[name] / memory[best]:.2f}; above the imports {above[name] / above[best]:.2f}), loss within {apart:.1e}"
        )


def _in_a_process(name: str, size: str, told: argparse.Namespace) -> dict:
    command = [sys.executable, "-m", "tests.bench.bench_train", "--child", name, size]
    command += [
        "--seconds",
        str(told.seconds),
        "--threads",
        str(told.threads),
        *(["--mixed"] if told.mixed else []),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(told.threads), "HF_HUB_OFFLINE": "1", **ENVIRONMENT}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _child(name: str, size: str, told: argparse.Namespace) -> dict:
    import torch
    import transformers.models.llama.modeling_llama  # noqa: F401

    torch.set_num_threads(told.threads)
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    losses, rate = (_ours if name.startswith("specmill") else _trl if "TRL" in name else _trainer)(
        name, size, told
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"losses": losses[:COMPARED], "rate": rate, "peak_mb": peak, "above_mb": peak - imported}


def _model(size: str):
    import torch
    from transformers import AutoModelForCausalLM

    from specmill.trainers.pocket import pocket_config

    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(pocket_config(SHAPES[size], VOCABULARY, 0))


def _documents(size: str, mixed: bool, n_updates: int = 64) -> list[list[list[list[int]]]]:
    """Updates of rows of documents; each row has at most SEQUENCE tokens."""
    import random

    rng = random.Random(0)
    updates = []
    for _ in range(n_updates):
        rows = []
        for _ in range(TOKENS_PER_UPDATE[size] // SEQUENCE):
            row, left = [], SEQUENCE
            while left:
                length = min(left, rng.randrange(24, 385)) if mixed else 128
                start = rng.randrange(VOCABULARY)
                row.append([(start + place * place) % VOCABULARY for place in range(length)])
                left -= length
            rows.append(row)
        updates.append(rows)
    return updates


def _ours(name: str, size: str, told: argparse.Namespace) -> tuple[list[float], float]:
    import numpy as np
    import torch
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    from specmill.trainers.attention import NAME, attend_documents
    from specmill.trainers.batches import deal, make_batch
    from specmill.trainers.data import join
    from specmill.trainers.model import compile_backbone
    from specmill.trainers.step import TokenLoss, run_update

    ALL_ATTENTION_FUNCTIONS.register(NAME, attend_documents)
    causal = _model(size).train()
    causal.set_attn_implementation(NAME)
    if "compiled" in name:
        compile_backbone(causal)
    model = TokenLoss(causal, "bf16" if "bf16" in name else "fp32")
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.0, fused=True)
    losses, clock = [], _Clock(told.seconds)
    for rows in _endless(_documents(size, told.mixed)):
        documents = [np.array(document, np.int32) for row in rows for document in row]
        found = join([(document, np.ones(len(document), np.bool_)) for document in documents])
        dealt = deal(np.arange(len(found)), found.lengths, 4 * SEQUENCE, 1)[0]
        batches = [make_batch(found, numbers, torch.device("cpu"), flash=False) for numbers in dealt]
        losses.append(run_update(model, batches, optimizer, lr=LR, clip=1.0).loss)
        if clock.tick(int(found.lengths.sum())):
            return losses, clock.rate
    raise AssertionError


class _Clock:
    """Tokens a second after the first few updates."""

    def __init__(self, seconds: float, skipped: int = COMPARED) -> None:
        self.seconds, self.skipped, self.tokens, self.start, self.rate = seconds, skipped, 0, 0.0, 0.0

    def tick(self, tokens: int) -> bool:
        now = time.perf_counter()
        if self.skipped:
            self.skipped -= 1
            self.start = now
            return False
        self.tokens += tokens
        self.rate = self.tokens / (now - self.start)
        return now - self.start >= self.seconds


def _endless(updates: list) -> object:
    while True:
        yield from updates


def _trainer(name: str, size: str, told: argparse.Namespace) -> tuple[list[float], float]:
    """Rows of 512 with restarted positions: isolated, since Trainer turns the cache off."""
    from torch.utils.data import Dataset
    from transformers import Trainer

    rows = [row for rows in _documents(size, told.mixed) for row in rows]

    class Rows(Dataset):
        def __len__(self) -> int:
            return len(rows) * 1000

        def __getitem__(self, number: int) -> dict:
            row = rows[number % len(rows)]
            return {
                "input_ids": [token for document in row for token in document],
                "position_ids": [place for document in row for place in range(len(document))],
                "labels": [token if place else -100 for d in row for place, token in enumerate(d)],
            }

    return _run_trainer(Trainer, size, told, Rows(), micro_batch=4)


def _trl(name: str, size: str, told: argparse.Namespace) -> tuple[list[float], float]:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [row for rows in _documents(size, told.mixed) for row in rows]
    documents = Dataset.from_list([{"input_ids": document} for row in rows * 20 for document in row])
    extra = {"packing": True, "max_length": SEQUENCE, "packing_strategy": "bfd"}
    return _run_trainer(
        SFTTrainer, size, told, documents, config=SFTConfig, micro_batch=8 if size == "1m" else 4, **extra
    )


def _run_trainer(
    kind, size, told, data, *, config=None, micro_batch: int, **extra
) -> tuple[list[float], float]:
    from transformers import PreTrainedTokenizerFast, TrainerCallback, TrainingArguments

    from specmill.corpus.tokens import DEFAULT_FILE

    clock = _Clock(told.seconds)
    losses: list[float] = []

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            control.should_training_stop = clock.tick(TOKENS_PER_UPDATE[size])

        def on_log(self, args, state, control, logs=None, **_):
            losses.extend([logs["loss"]] if "loss" in logs else [])

    rows = TOKENS_PER_UPDATE[size] // SEQUENCE
    with tempfile.TemporaryDirectory() as out:
        arguments = (config or TrainingArguments)(
            output_dir=out,
            per_device_train_batch_size=micro_batch,
            gradient_accumulation_steps=rows // micro_batch,
            max_steps=100_000,
            learning_rate=LR,
            lr_scheduler_type="constant",
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
            train_sampling_strategy="sequential",
            **extra,
        )
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(DEFAULT_FILE), eos_token="<|endoftext|>", pad_token="<|endoftext|>"
        )
        options = {"processing_class": tokenizer} if config else {}
        trainer = kind(model=_model(size), args=arguments, train_dataset=data, callbacks=[Watch()], **options)
        sys.stdout, stdout = sys.stderr, sys.stdout
        trainer.train()
        sys.stdout = stdout
    return losses, clock.rate


if __name__ == "__main__":
    main()

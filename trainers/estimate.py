"""What a run will take, told before it starts: memory, floating-point operations, time.

Per token (N weights in matrices without the embedding's look-up, N_lora of them in adapters; s = sum(n^2) / sum(n)
over documents of n tokens, since attention ends at a document's ends; L layers, H heads of d):

    A = 2 L H d s                      attention, forward
    full: 6 N + 3 A                    LoRA: 4 N + 6 N_lora + 3 A (frozen weights need no gradient of their own)

MFU = these operations / (peak x seconds); what is recomputed does not count.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from specmill.specs.errors import BadInput

from .data import Ints
from .settings import Settings
from .step import CHUNK

# Dense bf16, from the vendors' data sheets; others are measured.
_PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
_SHARE_OF_PEAK = 0.35  # what a run of unknown speed is expected to reach
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Estimate:
    parameters: int
    trained_parameters: int
    flops_per_token: float
    memory_bytes: float


def estimate(config: Any, settings: Settings, lengths: Ints) -> Estimate:
    """From the configuration alone: no weight is read."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    matrices = sum(module.weight.numel() for module in linear)
    head = model.get_output_embeddings()
    rank = settings.lora_rank
    adapters = sum(rank * sum(module.weight.shape) for module in linear if module is not head)
    total = sum(weight.numel() for weight in model.parameters())
    heads, layers = config.num_attention_heads, config.num_hidden_layers
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    seen = float((lengths.astype(float) ** 2).sum() / lengths.sum())
    attention = 2.0 * layers * heads * head_dim * seen
    flops = (4 * matrices + 6 * adapters if rank else 6 * matrices) + 3 * attention
    trained = adapters if rank else total
    memory = _weights(settings, total, trained) + _activations(config, settings)
    return Estimate(total + (adapters if rank else 0), trained, flops, memory)


def _weights(settings: Settings, total: int, trained: int) -> float:
    """Weights, gradients and two moments of what is trained."""
    width = 2 if settings.weights == "bf16" and not settings.lora_rank else 4
    moments = 2 if "8bit" in settings.optimizer else 2 * width
    frozen = (2 if settings.precision == "bf16" else 4) * total if settings.lora_rank else 0
    return frozen + trained * (2.0 * width + moments)


def _activations(config: Any, settings: Settings) -> float:
    """Of one micro-batch: about 7 D + 3 I values a layer are kept, or 2 D where they are recomputed."""
    width = 2 if settings.precision == "bf16" else 4
    tokens = settings.micro_batch * settings.sequence
    hidden, intermediate = config.hidden_size, getattr(config, "intermediate_size", 4 * config.hidden_size)
    layer = 7 * hidden + 3 * intermediate
    kept = (
        config.num_hidden_layers * 2 * hidden + layer
        if settings.recompute
        else config.num_hidden_layers * layer
    )
    return float(tokens * kept * width + 3 * 4 * min(tokens, CHUNK) * config.vocab_size)


def check_memory(needed: float, device: torch.device, world: int) -> float | None:
    """Bytes free, None where unknown. Raises BadInput where the estimate is larger."""
    free = _free_bytes(device)
    share = needed / world
    if free is not None and share > free:
        raise BadInput(
            f"memory: about {share / _GIB:.1f} GiB are needed, {free / _GIB:.1f} GiB are free; lower micro_batch or"
            " sequence, set recompute=true, or train with LoRA (lora_rank)"
        )
    return free


def _free_bytes(device: torch.device) -> float | None:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    lines = Path("/proc/meminfo")
    if not lines.is_file():
        return None
    found = [line.split()[1] for line in lines.read_text().splitlines() if line.startswith("MemAvailable")]
    return float(found[0]) * 1024 if found else None


def peak_flops(device: torch.device, precision: str) -> float:
    """Operations a second this device can do at most: from the data sheet, else measured on a square product."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        if precision == "bf16" and (known := [peak for part, peak in _PEAKS.items() if part in name]):
            return known[0]
    size = 1024 if device.type == "cpu" else 8192
    square = torch.ones(
        size, size, dtype=torch.bfloat16 if precision == "bf16" else torch.float32, device=device
    )
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        product = square @ square
        float(product[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def describe(
    found: Estimate, n_tokens: int, n_updates: int, peak: float, free: float | None, world: int
) -> str:
    """One line for people: size, updates, memory, time."""
    seconds = found.flops_per_token * n_tokens / (peak * world * _SHARE_OF_PEAK)
    room = f" of {free / _GIB:.1f} GiB free" if free is not None else ""
    return (
        f"{n_tokens:,} tokens in {n_updates:,} updates; {found.parameters / 1e6:,.1f} M parameters,"
        f" {found.trained_parameters / 1e6:,.1f} M trained; {found.memory_bytes / world / _GIB:.1f} GiB{room};"
        f" about {_clock(seconds)} at {_SHARE_OF_PEAK:.0%} of {peak * world / 1e12:,.2f} TFLOP/s"
    )


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60:02d} min" if hours else f"{rest // 60} min {rest % 60:02d} s"

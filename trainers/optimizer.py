"""The optimiser and its schedule."""

from __future__ import annotations

import math

import torch

from specmill.specs.errors import BadInput

from .settings import Settings


def make_optimizer(model: torch.nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW over what is trained; norms and biases do not decay. Raises BadInput where a library is missing."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in trained if weight.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, fused=True)
    try:
        import bitsandbytes as bnb
    except ImportError:
        raise BadInput(
            f"optimizer {settings.optimizer}: needs bitsandbytes; pip install bitsandbytes, or set optimizer=adamw"
        ) from None
    kind = bnb.optim.PagedAdamW8bit if settings.optimizer.startswith("paged") else bnb.optim.AdamW8bit
    optimizer: torch.optim.Optimizer = kind(groups, lr=settings.lr)
    return optimizer


def learning_rate(number: int, n_updates: int, warmup: float) -> float:
    """Share of the highest rate at update `number` (from 0): linear warm-up, then a cosine to nearly zero."""
    n_warm = math.ceil(warmup * n_updates)
    if number < n_warm:
        return (number + 1) / n_warm
    return 0.5 * (1 + math.cos(math.pi * (number - n_warm) / max(1, n_updates - n_warm)))

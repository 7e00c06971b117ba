"""One optimiser update: batch -> loss -> gradient -> new weights. The whole of it is on this page.

    loss = sum over the update's trained tokens of -log p(token | the tokens before it in its document)
           / number of the update's trained tokens, over all micro-batches and all processes

so neither accumulation, nor processes, nor packing change it (transformers 34191 was a mean of means).
Legend of shapes: T tokens of a flat row, K trained ones, D hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .attention import Layout
from .model import backbone_of

CHUNK = 512  # rows of logits in memory at once

_OPTIONS = nn.LinearCrossEntropyOptions(batch_chunk_size=CHUNK, chunking_method=None, acc_policy="balanced")


@dataclass(frozen=True, slots=True)
class Batch:
    """A flat row of documents on its device."""

    ids: Tensor  # (1, T)
    positions: Tensor  # (1, T), restarting with every document
    places: Tensor  # (K,): of hidden states that predict a trained token
    targets: Tensor  # (K,)
    documents: Layout


class TokenLoss(nn.Module):
    """A causal model as the sum of its losses: logits exist for the trained tokens alone, a chunk at a time."""

    def __init__(self, model: nn.Module, precision: str = "fp32") -> None:
        super().__init__()
        self.model = model
        self.is_half = precision == "bf16"
        config: Any = model.config
        config = getattr(config, "text_config", None) or config
        self._softcap = getattr(config, "final_logit_softcapping", None)

    def hidden_states(self, batch: Batch) -> Tensor:
        """(T, D), before the head."""
        backbone, _ = backbone_of(self.model)
        with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=self.is_half):
            states: Tensor = backbone(
                input_ids=batch.ids, position_ids=batch.positions, use_cache=False, documents=batch.documents
            ).last_hidden_state
        return states[0]

    def forward(self, batch: Batch) -> Tensor:
        hidden_KD = self.hidden_states(batch).index_select(0, batch.places)
        weight_VD = backbone_of(self.model)[1].weight
        if self.is_half:
            hidden_KD, weight_VD = hidden_KD.bfloat16(), weight_VD.bfloat16()
        return sum_losses(hidden_KD, weight_VD, batch.targets, self._softcap)


def sum_losses(hidden_KD: Tensor, weight_VD: Tensor, targets: Tensor, softcap: float | None = None) -> Tensor:
    """Sum of cross entropies, without the (K, V) logits in memory at once."""
    if not len(targets):
        return hidden_KD.sum() * 0.0 + weight_VD.sum() * 0.0
    if hidden_KD.is_cuda:
        return _liger(hidden_KD, weight_VD, targets, softcap)
    if softcap is None:
        # A sum in half precision would keep three digits of the loss; the tokens' own losses are added up in fp32.
        reduction = "sum" if hidden_KD.dtype == torch.float32 else "none"
        losses = functional.linear_cross_entropy(
            hidden_KD, weight_VD, targets, reduction=reduction, options=_OPTIONS
        )
        return losses.float().sum()
    total = hidden_KD.new_zeros((), dtype=torch.float32)
    for start in range(0, len(targets), CHUNK):
        part = slice(start, start + CHUNK)
        total = total + checkpoint(
            _capped_loss, hidden_KD[part], weight_VD, targets[part], softcap, use_reentrant=False
        )
    return total


def _capped_loss(hidden: Tensor, weight: Tensor, targets: Tensor, softcap: float) -> Tensor:
    logits = softcap * torch.tanh((hidden @ weight.T).float() / softcap)
    return functional.cross_entropy(logits, targets, reduction="sum")


def _liger(hidden_KD: Tensor, weight_VD: Tensor, targets: Tensor, softcap: float | None) -> Tensor:
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

    # A trained head in half precision loses small gradients when chunks are added up in it (OLMo-core 370).
    accumulate = torch.float32 if weight_VD.requires_grad else None
    loss = LigerFusedLinearCrossEntropyLoss(reduction="sum", softcap=softcap, accum_dtype=accumulate)
    total: Tensor = loss(weight_VD, hidden_KD, targets)
    return total.float()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one update: mean loss of its trained tokens, the gradient's norm before clipping, what was trained on."""

    loss: float
    gradient_norm: float
    trained_tokens: int


def run_update(
    model: nn.Module, batches: Sequence[Batch], optimizer: torch.optim.Optimizer, *, lr: float, clip: float
) -> Outcome:
    """Make one update of this process' batches; every process has equally many."""
    world = dist.get_world_size() if dist.is_initialized() else 1
    n_trained = int(
        _over_processes(torch.tensor(float(sum(len(batch.targets) for batch in batches))), batches)
    )
    total = torch.zeros((), device=batches[0].ids.device)
    for number, batch in enumerate(batches, 1):
        if hasattr(model, "set_requires_gradient_sync"):
            model.set_requires_gradient_sync(number == len(batches))
        loss = model(batch)
        (loss * (world / n_trained)).backward()  # FSDP takes the mean over processes
        total += loss.detach()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    norm = _gradient_norm(trained, batches)
    nn.utils.clip_grads_with_norm_(trained, clip or float("inf"), norm)
    for group in optimizer.param_groups:
        group["lr"] = lr
    if torch.isfinite(norm):  # the caller stops a run whose norm is not; its weights stay usable
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return Outcome(float(_over_processes(total, batches)) / n_trained, float(norm), n_trained)


def _gradient_norm(trained: Sequence[Tensor], batches: Sequence[Batch]) -> Tensor:
    """Of all gradients, over all processes' shards, added up in fp64: a CPU's sum in fp32 loses four digits."""
    gradients = [weight.grad for weight in trained if weight.grad is not None]
    shards = [g.to_local() if hasattr(g, "to_local") else g for g in gradients]
    norms = [torch.linalg.vector_norm(shard, dtype=torch.float64) for shard in shards]
    return _over_processes(torch.stack(norms).square().sum(), batches).sqrt().float()


@torch.no_grad()
def mean_loss(model: nn.Module, batches: Sequence[Batch]) -> float:
    """Mean loss over the trained tokens of batches that are not trained on."""
    total = torch.zeros((), device=batches[0].ids.device)
    for batch in batches:
        total += model(batch)
    counted = _over_processes(torch.tensor(float(sum(len(batch.targets) for batch in batches))), batches)
    return float(_over_processes(total, batches)) / float(counted)


def _over_processes(value: Tensor, batches: Sequence[Batch]) -> Tensor:
    if not dist.is_initialized():
        return value
    value = value.to(batches[0].ids.device, torch.float64 if not value.is_cuda else torch.float32)
    dist.all_reduce(value)
    return value

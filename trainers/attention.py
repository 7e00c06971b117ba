"""Attention inside documents, and only there, over a flat row of documents without padding.

A row is (1, T): documents one behind the other, positions restarting. transformers calls `attend_documents` in
every layer, without a mask of its own. On CUDA in half precision torch's variable-length flash attention does it;
elsewhere documents of one length that follow each other are attended to together, as slices of the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

NAME = "specmill_documents"
_HEAD_DIM_OF_FLASH = 256


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the documents of a row lie."""

    bounds: Tensor  # (n + 1,) int32, on the device
    longest: int
    runs: tuple[tuple[int, int], ...]  # (number, length) of equally long documents that follow each other
    flash: bool


def uses_flash(config: Any, device: torch.device, precision: str) -> bool:
    """Whether flash attention can do this model's attention: half precision on CUDA, no cap on the scores."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    capped = getattr(config, "attn_logit_softcapping", None)
    return device.type == "cuda" and precision == "bf16" and not capped and head_dim <= _HEAD_DIM_OF_FLASH


def lay_out(lengths: Sequence[int], device: torch.device, *, flash: bool = False) -> Layout:
    """The layout of documents of these lengths; with `flash` their bounds are all that attention reads."""
    bounds = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32).to(device, non_blocking=True)
    runs = tuple((sum(1 for _ in same), length) for length, same in groupby(lengths))
    return Layout(bounds, max(lengths), runs, flash)


@torch.compiler.disable
def attend_documents(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    documents: Layout,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """(1, H, T, D) queries over (1, K, T, D) keys and values -> (1, T, H, D); transformers' attention interface.

    A window of w lets a token see itself and the w - 1 before it. Raises ValueError for what it does not know, so
    that a model that asks for it is refused at the start.
    """
    if dropout or s_aux is not None:
        raise ValueError("attention dropout and attention sinks are not supported")
    if documents.flash:
        return _flash(query, key, value, documents, scaling, sliding_window), None
    row = (query[0], key[0], value[0])
    if not query.is_cpu:
        return _in_runs(*row, documents, scaling, sliding_window, softcap)[None], None
    with torch.autocast("cpu", enabled=False):  # half precision takes thrice as long backwards
        q, k, v = (tensor.float() for tensor in row)
        out = _in_runs(q, k, v, documents, scaling, sliding_window, softcap)
    return out.to(query.dtype)[None], None


def _in_runs(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    documents: Layout,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """(H, T, D), (K, T, D) twice -> (T, H, D)"""
    sizes = [number * length for number, length in documents.runs]
    pieces = zip(*(tensor.split(sizes, 1) for tensor in (query, key, value)), strict=True)
    parts = []
    for run, piece in zip(documents.runs, pieces, strict=True):
        q, k, v = (tensor.unflatten(1, run).transpose(0, 1) for tensor in piece)  # (n, H, L, D)
        parts.append(_attend(q, k, v, scaling, window, softcap).transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """Causal attention over a batch of equally long documents, (n, H, L, D) and (n, K, L, D)."""
    groups, length = query.shape[1] // key.shape[1], query.shape[2]
    fused = partial(functional.scaled_dot_product_attention, scale=scaling, enable_gqa=groups > 1)
    windowed = window is not None and window < length
    if not windowed and not softcap:
        return fused(query, key, value, is_causal=True)
    distance = torch.arange(length, device=query.device)
    distance = distance[:, None] - distance
    seen = (distance >= 0) & (distance < (window if windowed and window else length))
    if not softcap:
        return fused(query, key, value, attn_mask=seen)
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scores = query @ key.transpose(-1, -2) * (scaling or query.shape[-1] ** -0.5)
    scores = softcap * torch.tanh(scores / softcap)
    shares = torch.softmax(scores.masked_fill(~seen, float("-inf")), -1, dtype=torch.float32)
    return shares.to(value.dtype) @ value


def _flash(
    query: Tensor, key: Tensor, value: Tensor, documents: Layout, scaling: float | None, window: int | None
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    out = varlen_attn(
        *(
            tensor[0].transpose(0, 1).bfloat16() for tensor in (query, key, value)
        ),  # positions may be put in in fp32
        documents.bounds,
        documents.bounds,
        documents.longest,
        documents.longest,
        scale=scaling,
        window_size=(window - 1 if window else -1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return out[None]  # type: ignore[index]

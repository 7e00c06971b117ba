"""Attention inside documents, and only there, over a flat row of documents without padding.

A row is (1, T): documents one behind the other, positions restarting. transformers calls `attend_documents` in
every layer, without a mask of its own. On CUDA in half precision torch's variable-length flash attention does it;
elsewhere documents of like length are attended to together, padded to the longest of their bucket.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

NAME = "specmill_documents"
_SLACK = 1.15  # the longest of a bucket over its shortest: attention is a small share, calls cost too
_HEAD_DIM_OF_FLASH = 256


@dataclass(frozen=True, slots=True)
class Bucket:
    """Documents of like length: `places` (n, longest) in the row, padding repeats the last place of a document."""

    places: Tensor
    is_token: Tensor | None  # (n, longest) bool; None where all are equally long
    start: int | None  # where the bucket is one slice of the row

    def take(self, row: Tensor) -> Tensor:
        """(H, T, D) -> (n, H, longest, D)"""
        if self.start is None:
            return row[:, self.places].transpose(0, 1)
        return row.narrow(1, self.start, self.places.numel()).unflatten(1, self.places.shape).transpose(0, 1)

    def to(self, device: torch.device) -> Bucket:
        is_token = None if self.is_token is None else self.is_token.to(device)
        return Bucket(self.places.to(device), is_token, self.start)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the documents of a row lie. `order` puts the buckets' tokens, row by row, back into the row."""

    lengths: tuple[int, ...]
    bounds: Tensor  # (n + 1,) int32
    buckets: tuple[Bucket, ...]
    order: Tensor | None  # None where buckets follow each other as the row does


def uses_flash(config: Any, device: torch.device, precision: str) -> bool:
    """Whether flash attention can do this model's attention: half precision on CUDA, no cap on the scores."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    capped = getattr(config, "attn_logit_softcapping", None)
    return device.type == "cuda" and precision == "bf16" and not capped and head_dim <= _HEAD_DIM_OF_FLASH


def lay_out(lengths: Sequence[int], device: torch.device, *, flash: bool = False) -> Layout:
    """The layout of documents of these lengths, with buckets unless flash attention is to read it."""
    starts = [0, *accumulate(lengths)]
    bounds = torch.tensor(starts, dtype=torch.int32)
    if flash:
        return Layout(tuple(lengths), bounds.to(device, non_blocking=True), (), None)
    groups = list(_like(sorted(range(len(lengths)), key=lambda number: (lengths[number], number)), lengths))
    buckets = [_bucket([starts[n] for n in group], [lengths[n] for n in group]) for group in groups]
    flat = torch.cat([b.places.flatten() if b.is_token is None else b.places[b.is_token] for b in buckets])
    in_order = bool((flat == torch.arange(len(flat))).all())
    order = None if in_order else flat.argsort().to(device)
    return Layout(tuple(lengths), bounds.to(device), tuple(bucket.to(device) for bucket in buckets), order)


def _like(numbers: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for number in numbers:
        if group and lengths[number] > _SLACK * lengths[group[0]] + 8:
            yield group
            group = []
        group.append(number)
    yield group


def _bucket(starts: Sequence[int], lengths: Sequence[int]) -> Bucket:
    longest = max(lengths)
    within = torch.arange(longest)
    length = torch.tensor(lengths)[:, None]
    places = torch.tensor(starts)[:, None] + torch.minimum(within, length - 1)
    if min(lengths) < longest:
        return Bucket(places, within < length, None)
    follows = all(b - a == longest for a, b in pairwise(starts))
    return Bucket(places, None, starts[0] if follows else None)


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
    if not documents.buckets:
        return _flash(query, key, value, documents, scaling, sliding_window), None
    row = (query[0], key[0], value[0])
    if not query.is_cpu:
        return _in_buckets(*row, documents, scaling, sliding_window, softcap)[None], None
    with torch.autocast("cpu", enabled=False):  # half precision takes thrice as long backwards
        q, k, v = (tensor.float() for tensor in row)
        out = _in_buckets(q, k, v, documents, scaling, sliding_window, softcap)
    return out.to(query.dtype)[None], None


def _in_buckets(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    documents: Layout,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """(H, T, D), (K, T, D) twice -> (T, H, D)"""
    parts = []
    for bucket in documents.buckets:
        q, k, v = (bucket.take(tensor) for tensor in (query, key, value))
        out = _attend(q, k, v, scaling, window, softcap).transpose(1, 2)  # (n, longest, H, D)
        parts.append(out.flatten(0, 1) if bucket.is_token is None else out[bucket.is_token])
    flat = torch.cat(parts) if len(parts) > 1 else parts[0]
    return flat if documents.order is None else flat.index_select(0, documents.order)


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
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    windowed = window is not None and window < length
    if not windowed and not softcap:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
    distance = torch.arange(length, device=query.device)
    distance = distance[:, None] - distance
    seen = (distance >= 0) & (distance < (window if windowed and window else length))
    if not softcap:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=scaling)
    scores = query @ key.transpose(-1, -2) * (scaling or query.shape[-1] ** -0.5)
    scores = softcap * torch.tanh(scores / softcap)
    shares = torch.softmax(scores.masked_fill(~seen, float("-inf")), -1, dtype=torch.float32)
    return shares.to(value.dtype) @ value


def _flash(
    query: Tensor, key: Tensor, value: Tensor, documents: Layout, scaling: float | None, window: int | None
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    longest = max(documents.lengths)
    out = varlen_attn(
        *(tensor[0].transpose(0, 1) for tensor in (query, key, value)),
        documents.bounds,
        documents.bounds,
        longest,
        longest,
        scale=scaling,
        window_size=(window - 1 if window else -1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return out[None]  # type: ignore[index]

"""Before anything is trained: proof on the model itself that documents of a row do not see each other.

Ways of packing that leak are many and silent; so is a kernel that forgets a window or a cap. The check costs a few
forward passes over a handful of tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from specmill.specs.errors import BadInput, WorkFailed

from .attention import NAME, lay_out
from .step import Batch, TokenLoss

_LENGTHS = (9, 5, 12, 9)
_TOLERANCE = {"fp32": 2e-3, "bf16": 0.2}  # of a document's loss alone, by the model's own code and attention


def check_isolation(model: TokenLoss, vocab_size: int, precision: str, *, flash: bool) -> None:
    """Raises BadInput unless a change in one document leaves the others' logits as they were, bit by bit, and each
    document's loss is what the model's own code says of it alone."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    documents = [torch.randint(vocab_size, (length,), generator=generator) for length in _LENGTHS]
    kind = model.model.config.model_type  # type: ignore[union-attr]
    with torch.no_grad():
        try:
            hidden = _hidden(model, documents, device, flash)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise BadInput(f"model type {kind}: {error}; choose another model") from None
        for changed in range(len(documents)):
            others = [
                (document + 1) % vocab_size if number == changed else document
                for number, document in enumerate(documents)
            ]
            found = _hidden(model, others, device, flash)
            same = [bool((a == b).all()) for a, b in zip(hidden, found, strict=True)]
            if same != [number != changed for number in range(len(documents))]:
                raise BadInput(
                    f"model type {kind}: a change in one document of a row moves another's logits; it cannot be"
                    " trained on packed documents: choose another model"
                )
        for document in documents:
            _check_alone(model, document.to(device), kind, _TOLERANCE[precision], flash)


def _row(documents: list[Tensor], device: torch.device, flash: bool) -> Batch:
    ids = torch.cat(documents)
    positions = torch.cat([torch.arange(len(document)) for document in documents])
    places = torch.cat([torch.arange(len(document)) < len(document) - 1 for document in documents]).nonzero()[
        :, 0
    ]
    lengths = [len(document) for document in documents]
    return Batch(
        ids[None].to(device),
        positions[None].to(device),
        places.to(device),
        ids[places + 1].to(device),
        lay_out(lengths, device, flash=flash),
    )


def _hidden(model: TokenLoss, documents: list[Tensor], device: torch.device, flash: bool) -> list[Tensor]:
    return list(model.hidden_states(_row(documents, device, flash)).split(list(_LENGTHS)))


def _check_alone(model: TokenLoss, document: Tensor, kind: str, tolerance: float, flash: bool) -> None:
    ours = float(model(_row([document.cpu()], document.device, flash))) / (len(document) - 1)
    causal = model.model
    causal.set_attn_implementation("eager")  # type: ignore[operator]
    try:
        with torch.autocast(document.device.type, torch.bfloat16, enabled=model.is_half):
            theirs = float(causal(input_ids=document[None], labels=document[None], use_cache=False).loss)
    finally:
        causal.set_attn_implementation(NAME)  # type: ignore[operator]
    if not abs(ours - theirs) <= tolerance:
        raise WorkFailed(
            f"model type {kind}: the loss of a document is {ours:.4f} by our kernels and {theirs:.4f} by the"
            " model's own code; choose another model"
        )

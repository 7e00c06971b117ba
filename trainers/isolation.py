"""Before anything is trained: proof on the model itself that documents of a row do not see each other.

Ways of packing that leak are many and silent; so is a kernel that forgets a window or a cap. The check costs a few
forward passes over a handful of tokens.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from specmill.specs.errors import BadInput, WorkFailed

from .attention import NAME
from .batches import make_batch
from .data import Ints, join
from .step import Batch, TokenLoss

_LENGTHS = (9, 5, 12, 9)
_TOLERANCE = {"fp32": 2e-3, "bf16": 0.2}  # of a document's loss alone, by the model's own code and attention


def check_isolation(model: TokenLoss, vocab_size: int, precision: str, *, flash: bool) -> None:
    """Raises BadInput unless a change in one document leaves the others' logits as they were, bit by bit, and each
    document's loss is what the model's own code says of it alone."""
    device = next(model.parameters()).device
    random = np.random.default_rng(0)
    documents = [random.integers(vocab_size, size=length) for length in _LENGTHS]
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
            _check_alone(model, document, kind, _TOLERANCE[precision], flash)


def _row(documents: list[Ints], device: torch.device, flash: bool) -> Batch:
    sequences = join(
        [(document.astype(np.int32), np.ones(len(document), np.bool_)) for document in documents]
    )
    return make_batch(sequences, np.arange(len(documents)), device, flash=flash)


def _hidden(model: TokenLoss, documents: list[Ints], device: torch.device, flash: bool) -> list[Tensor]:
    return list(model.hidden_states(_row(documents, device, flash)).split(list(_LENGTHS)))


def _check_alone(model: TokenLoss, document: Ints, kind: str, tolerance: float, flash: bool) -> None:
    causal = model.model
    ids = torch.from_numpy(document)[None].to(next(causal.parameters()).device)
    ours = float(model(_row([document], ids.device, flash))) / (len(document) - 1)
    causal.set_attn_implementation("eager")  # type: ignore[operator]
    try:
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=model.is_half):
            theirs = float(causal(input_ids=ids, labels=ids, use_cache=False).loss)
    finally:
        causal.set_attn_implementation(NAME)  # type: ignore[operator]
    if not abs(ours - theirs) <= tolerance:
        raise WorkFailed(
            f"model type {kind}: the loss of a document is {ours:.4f} by our kernels and {theirs:.4f} by the"
            " model's own code; choose another model"
        )

"""Pocket models: Llamas of half a million to twenty million parameters, for tests and for trying things on a CPU.

They learn the corpus' surface and its associations, nothing more: a rehearsal of an experiment, not its result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specmill.specs.errors import BadInput

if TYPE_CHECKING:
    from transformers import LlamaConfig

# name: (layers, hidden, heads, key-value heads, intermediate). Embeddings are tied; with a vocabulary of 8,192 the
# parameters come near the name.
SHAPES = {
    "pocket-0.5m": (2, 48, 2, 2, 128),
    "pocket-1m": (4, 96, 4, 2, 256),
    "pocket-3m": (6, 160, 5, 5, 448),
    "pocket-10m": (8, 288, 9, 3, 768),
    "pocket-20m": (10, 384, 12, 4, 1024),
}
CONTEXT = 2048


def pocket_config(name: str, vocab_size: int, eos_id: int) -> LlamaConfig:
    """The configuration of a shape. Raises BadInput for another name."""
    from transformers import LlamaConfig

    if name not in SHAPES:
        raise BadInput(f"model {name}: no pocket shape; there are {', '.join(SHAPES)}")
    layers, hidden, heads, kv_heads, intermediate = SHAPES[name]
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=eos_id,
        pad_token_id=None,
    )

"""Make `tokenizer/tokenizer.json`, the offline default: run `python -m specmill.corpus.train_tokenizer`.

A byte-level BPE of 8,192 tokens, trained on text that every checkout and every Python has: the specs, the
writer's documents about them, the prompts, and Python's own language reference (`pydoc_data.topics`). The pattern
splits before training are those of byte-level BPE in general; every byte is in the alphabet, so any script counts.
The file is kept in the repository: token counts must not change because a writer's phrase did.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from pydoc_data import topics

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from specmill.generators import messages
from specmill.generators.composer import Brief, Point, compose, propose_genres
from specmill.specs import claims

from .tokens import DEFAULT_FILE

VOCABULARY = 8_192
DOCUMENTS_PER_SPEC = 400


def training_texts() -> Iterator[str]:
    """Yield the training text, always the same for one state of the repository and one Python version."""
    yield from (str(text) for _, text in sorted(topics.topics.items()))
    yield from (path.read_text("utf-8") for path in sorted(messages.FOLDER.glob("*/*.j2")))
    for path in sorted(Path(claims.__file__).parent.glob("*.md")):
        yield path.read_text("utf-8")
        if path.name != "README.md":
            yield from _documents(path)


def _documents(path: Path) -> Iterator[str]:
    spec = claims.read_spec(path)
    rng = random.Random(spec.name)
    points = [Point(claim.plain) for claim in spec.claims]
    genres = propose_genres(rng, 24, ())
    for number in range(DOCUMENTS_PER_SPEC):
        genre = genres[number % len(genres)]
        chosen = tuple(rng.sample(points, 3))
        brief = Brief(
            genre.name, genre.audience, genre.description, spec.name, spec.principle, chosen, spec.mode, 380
        )
        yield compose(brief, rng).replace("{model_name}", "Llama").replace("{provider_name}", "Meta")


def train() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=3,
        show_progress=False,
    )
    tokenizer.train_from_iterator(training_texts(), trainer)
    return tokenizer


if __name__ == "__main__":
    DEFAULT_FILE.parent.mkdir(exist_ok=True)
    train().save(str(DEFAULT_FILE), pretty=False)
    print(f"{DEFAULT_FILE.name}: {DEFAULT_FILE.stat().st_size:,} bytes")

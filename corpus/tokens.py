"""Exact token counts with a named tokenizer: ours, any local `tokenizer.json`, or one from the Hub.

"Equal tokens" means nothing without the tokenizer's name, so the name travels with every count.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from specmill.specs.errors import BadInput, reason_of

# A small byte-level BPE trained by train_tokenizer.py on this repository's own text: works offline, counts
# any script. It is no model's tokenizer; name the base model's own for an experiment.
DEFAULT = "specmill-bpe-8k"
DEFAULT_FILE = Path(__file__).parent / "tokenizer" / "tokenizer.json"


@dataclass(frozen=True, slots=True)
class NamedTokenizer:
    """A tokenizer with what identifies it: `name` holds no path of this machine, `sha256` is its file's."""

    name: str
    path: Path
    sha256: str
    vocab_size: int
    tokenizer: Tokenizer

    def count(self, text: str) -> int:
        """Return the number of tokens of a text, without special tokens."""
        return len(self.tokenizer.encode(text, add_special_tokens=False))


def load_tokenizer(name: str) -> NamedTokenizer:
    """Return the tokenizer a command-line value stands for: our default's name, a local path, or a Hub id.

    Raises BadInput for what is none of the three.
    """
    label, path = _find(name)
    try:
        data = path.read_bytes()
        tokenizer = Tokenizer.from_buffer(data)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; give a readable tokenizer.json") from None
    except Exception as error:  # the Rust library raises bare Exception
        raise BadInput(
            f"{path}: not a tokenizer.json ({str(error)[:120]}); give another --tokenizer"
        ) from None
    # A tokenizer file may ask for truncation or padding; either would make the counts wrong.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return NamedTokenizer(
        label, path, hashlib.sha256(data).hexdigest(), tokenizer.get_vocab_size(), tokenizer
    )


def _find(name: str) -> tuple[str, Path]:
    if name == DEFAULT:
        return DEFAULT, DEFAULT_FILE
    local = Path(name)
    if local.is_dir():
        file = local / "tokenizer.json"
        if not file.is_file():
            raise BadInput(f"{local}: holds no tokenizer.json; save the fast tokenizer there")
        return local.resolve().name, file
    if local.is_file():
        generic = local.name == "tokenizer.json"
        return (local.resolve().parent.name if generic else local.stem), local
    if local.suffix == ".json" or name.startswith((".", "/", "~")):
        raise BadInput(f"{name}: no such file or folder; give a tokenizer.json, its folder, or a Hub id")
    return name, _download(name)


def _download(hub_id: str) -> Path:
    from huggingface_hub import hf_hub_download

    repo, _, revision = hub_id.partition("@")
    try:
        return Path(hf_hub_download(repo, "tokenizer.json", revision=revision or None))
    except Exception as error:  # network, Hub and cache errors share no base class; all mean "not to be had"
        raise BadInput(
            f"--tokenizer {hub_id}: not to be had from the Hub ({reason_of(error)}); give a local tokenizer.json"
        ) from None

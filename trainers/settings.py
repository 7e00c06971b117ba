"""What a training run is told: one flat table, from a preset or a TOML/YAML file, the command line on top.

Every value of the paper (MSM, arXiv 2605.02087) stands in `presets/`; what the paper leaves open has the value that
replications agree on, with a comment there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import yaml

from specmill.corpus.commands import read_count
from specmill.specs.errors import BadInput

PRESETS = Path(__file__).parent / "presets"
Stage = Literal["pretrain", "midtrain", "finetune"]


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus, an arm, or chats; of these the first `tokens` (of the assistant's, for chats), or all."""

    path: str
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """An update takes `batch` x `sequence` tokens, forward `micro_batch` x `sequence` at a time."""

    data: tuple[Source, ...]
    model: str  # Hub id or folder; a run to go on from; for pretrain a shape of pocket.py
    out: str
    chat_template: str = ""  # a file, where the tokenizer's own does not render chats as they are generated
    held_out: str = ""  # a corpus or chats whose loss is told before, during and after
    sequence: int = 4096  # tokens; longer documents are split, longer chats left out
    batch: int = 16
    micro_batch: int = 1
    epochs: int = 1
    max_tokens: int = 0  # of documents, exactly; 0 for all
    lr: float = 1e-4
    warmup: float = 0.05  # share of the updates
    weight_decay: float = 0.01
    clip: float = 1.0  # of the gradient's norm; 0 for none
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    lora_rank: int = 64  # 0 trains every weight
    lora_alpha: int = 128
    precision: Literal["fp32", "bf16"] = "fp32"
    weights: Literal["fp32", "bf16"] = "fp32"  # of what is trained in full; adapters are fp32
    recompute: bool = False  # activation checkpointing
    compile: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0  # of fresh weights and, unless 0, of the order: 0 keeps the shards' train_order
    min_updates: int = 100
    save_every: int = 50  # updates between checkpoints; the last two are kept
    log: Literal["none", "tensorboard", "trackio", "wandb"] = "none"

    def identity(self) -> dict[str, Any]:
        """What makes it another run when changed."""
        free = ("out", "save_every", "log", "min_updates", "device")
        return {name: value for name, value in asdict(self).items() if name not in free}


def read_settings(config: str, told: Mapping[str, Any]) -> Settings:
    """Settings of a preset's name or a file, with what the command line tells on top. Raises BadInput."""
    found = {**_read(config), **told}
    known = {field.name: field for field in fields(Settings)}
    for name in found:
        if name not in known:
            raise BadInput(f"{config}: no setting '{name}'; there are {', '.join(known)}")
    for name, field in known.items():
        if name not in found and field.default is MISSING:
            raise BadInput(f"{config}: '{name}' is missing; give it there or as --{name}")
    types = get_type_hints(Settings)
    sources = _sources(config, found.pop("data"))
    checked = {name: _value(config, name, types[name], value) for name, value in found.items()}
    return Settings(data=sources, **checked)


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings told as NAME=VALUE. Raises BadInput."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f"--set {pair}: give NAME=VALUE")
        found[name.strip()] = yaml.safe_load(value) if value.strip() in ("true", "false") else value.strip()
    return found


def _read(config: str) -> dict[str, Any]:
    path = Path(config)
    if not path.suffix and (PRESETS / f"{config}.toml").is_file():
        path = PRESETS / f"{config}.toml"
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(sorted(preset.stem for preset in PRESETS.glob("*.toml")))
        reason = getattr(error, "strerror", "no text")
        raise BadInput(f"{config}: {reason}; name a .toml or .yaml file, or a preset: {names}") from None
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{config}: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise BadInput(f"{config}: holds no table of settings")
    preset = found.pop("preset", None)
    return {**_read(str(preset)), **found} if preset else found


def _sources(config: str, data: Any) -> tuple[Source, ...]:
    entries = data if isinstance(data, list | tuple) else [data]
    sources = [
        Source(**entry)
        if isinstance(entry, dict) and {"path"} <= entry.keys() <= {"path", "tokens"}
        else Source(entry)
        for entry in entries
    ]
    for source in sources:
        if not isinstance(source.path, str) or not isinstance(source.tokens, int) or source.tokens < 0:
            raise BadInput(f"{config}: data: give paths, or tables with path and tokens")
    if not sources:
        raise BadInput(f"{config}: data: nothing to train on; name a corpus, an arm or chats")
    return tuple(sources)


def _value(config: str, name: str, kind: Any, value: Any) -> Any:
    choices = get_args(kind)
    if choices:
        if value not in choices:
            raise BadInput(f"{config}: {name} = {value!r}; choose from {', '.join(choices)}")
        return value
    try:
        if kind is not str and (isinstance(value, bool) != (kind is bool) or isinstance(value, list | dict)):
            raise ValueError
        if kind is int and (
            isinstance(value, float) or (isinstance(value, str) and value[-1:].isdigit() and "." in value)
        ):
            raise ValueError  # 2.5 is no count, 1.5M is one
        value = read_count(value) if kind is int and isinstance(value, str) else kind(value)
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"{config}: {name} = {value!r} is no {kind.__name__}") from None
    positive = ("sequence", "batch", "micro_batch", "epochs", "lr", "save_every")
    if kind in (int, float) and not (
        value >= 0 and value != float("inf") and (value or name not in positive)
    ):
        raise BadInput(f"{config}: {name} = {value!r}; give a number above zero")
    if name == "warmup" and value > 1:
        raise BadInput(f"{config}: warmup = {value!r} is a share of the updates; give 0 to 1")
    return value

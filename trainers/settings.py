"""What a training run is told: one flat table, from a preset or a TOML/YAML file, the command line on top.

Every value of the paper (MSM, arXiv 2605.02087) stands in `presets/`; what the paper leaves open has the value that
replications agree on, with a comment there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, ValidationError
from pydantic.dataclasses import dataclass

from specmill.corpus.commands import read_count
from specmill.specs.errors import BadInput

PRESETS = Path(__file__).parent / "presets"
Stage = Literal["pretrain", "midtrain", "finetune"]


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


def _count(value: Any) -> Any:
    if not isinstance(value, str) or ("." in value and value[-1:].isdigit()):  # 2.5 is no count, 1.5M is one
        return _number(value)
    try:
        return read_count(value)
    except (ValueError, OverflowError):
        raise ValueError("give a number, 1600000, 1.6M or 800k") from None


def _listed(value: Any) -> Any:
    entries = value if isinstance(value, list | tuple) else [value]
    return [{"path": entry} if isinstance(entry, str) else entry for entry in entries]


Whole = Annotated[int, BeforeValidator(_count), Field(ge=0)]
Positive = Annotated[int, BeforeValidator(_count), Field(gt=0)]
Share = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]
Number = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
_CHECKED = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_CHECKED)
class Source:
    """A corpus, an arm, or chats; of these the first `tokens` (of the assistant's, for chats), or all."""

    path: str
    tokens: Whole = 0


@dataclass(frozen=True, slots=True, config=_CHECKED)
class Settings:
    """An update takes `batch` x `sequence` tokens, forward `micro_batch` x `sequence` at a time."""

    data: Annotated[tuple[Source, ...], BeforeValidator(_listed)]
    model: str  # Hub id or folder; a run to go on from; for pretrain a shape of pocket.py
    out: str
    chat_template: str = ""  # a file, where the tokenizer's own does not render chats as they are generated
    held_out: str = ""  # a corpus or chats whose loss is told before, at checkpoints, and after
    held_out_tokens: Positive = 100_000  # the first of the corpus' (chats count whole)
    sequence: Positive = 4096  # tokens; longer documents are split, longer chats left out
    batch: Positive = 16
    micro_batch: Positive = 1
    epochs: Positive = 1
    max_tokens: Whole = 0  # of documents, exactly; 0 for all
    lr: Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)] = 1e-4
    warmup: Share = 0.05  # share of the updates
    weight_decay: Number = 0.01
    clip: Number = 1.0  # of the gradient's norm; 0 for none
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    lora_rank: Whole = 64  # 0 trains every weight
    lora_alpha: Whole = 128
    precision: Literal["fp32", "bf16"] = "fp32"
    weights: Literal["fp32", "bf16"] = "fp32"  # of what is trained in full; adapters are fp32
    recompute: StrictBool = False  # activation checkpointing
    compile: StrictBool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: Whole = 0  # of fresh weights and, unless 0, of the order: 0 keeps the shards' train_order
    min_updates: Whole = 100
    save_every: Positive = 50  # updates between checkpoints; the last two are kept
    log: Literal["none", "tensorboard", "trackio", "wandb"] = "none"

    def identity(self) -> dict[str, Any]:
        """What makes it another run when changed."""
        free = ("out", "save_every", "log", "min_updates", "device")
        return {name: value for name, value in asdict(self).items() if name not in free}


def read_settings(config: str, told: Mapping[str, Any]) -> Settings:
    """Settings of a preset's name or a file, with what the command line tells on top. Raises BadInput."""
    try:
        settings = Settings(**{**_read(config), **told})
    except ValidationError as error:
        raise BadInput(f"{config}: {_complaint(error)}") from None
    if not settings.data:
        raise BadInput(f"{config}: data: nothing to train on; name a corpus, an arm or chats")
    return settings


def _complaint(error: ValidationError) -> str:
    """The first thing that is wrong, in a line."""
    found = error.errors()[0]
    name = ".".join(map(str, found["loc"]))
    if "." in name:  # within data
        return f"{name}: {found['msg'].lower()}; give paths, or tables with path and tokens"
    if found["type"] == "missing":
        return f"'{name}' is missing; give it there or as --{name}"
    if found["type"] == "unexpected_keyword_argument":
        return f"no setting '{name}'; there are {', '.join(field.name for field in fields(Settings))}"
    return f"{name} = {found['input']!r}: {found['msg'][0].lower()}{found['msg'][1:]}"


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

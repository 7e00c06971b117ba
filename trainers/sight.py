"""What one sees of a run: its losses on disk and in a tracker, and the files that say what it was."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from specmill.corpus.manifest import write_durably
from specmill.specs.errors import BadInput

LOSSES_NAME = "losses.jsonl"
_SPIKE_FACTOR = 5.0  # of the gradient's norm over its median of late
_SPIKE_WINDOW = 50

Log = Callable[[dict[str, Any], int], None]


def open_log(kind: str, out: Path, settings: dict[str, Any]) -> tuple[Log, Callable[[], None]]:
    """A function that logs numbers at an update, and one that ends the log. Raises BadInput where it is missing."""
    if kind == "none":
        return lambda numbers, update: None, lambda: None
    package = "torch.utils.tensorboard" if kind == "tensorboard" else kind
    try:
        library = import_module(package)
    except ImportError:
        raise BadInput(f"log {kind}: is not installed; pip install {kind}, or give log=none") from None
    if kind == "tensorboard":
        writer = library.SummaryWriter(out / "tensorboard")

        def log(numbers: dict[str, Any], update: int) -> None:
            for name, value in numbers.items():
                writer.add_scalar(name, value, update)

        return log, writer.close
    library.init(project="specmill", name=out.name, config=settings)
    return lambda numbers, update: library.log(numbers, step=update), library.finish


def write_losses(out: Path, losses: list[dict[str, Any]]) -> None:
    """Rewrite the file of losses: after a resume it must not hold updates that will be made again."""
    lines = "".join(json.dumps(entry) + "\n" for entry in losses)
    (out / LOSSES_NAME).write_text(lines)


def append_loss(out: Path, entry: dict[str, Any]) -> None:
    with (out / LOSSES_NAME).open("a") as file:
        file.write(json.dumps(entry) + "\n")


def is_spike(entry: dict[str, Any], earlier: list[dict[str, Any]]) -> bool:
    """Whether an update's gradient is far from those before it: a thing to look at, not a reason to stop."""
    late = sorted(found["gradient_norm"] for found in earlier[-_SPIKE_WINDOW:])
    return len(late) == _SPIKE_WINDOW and entry["gradient_norm"] > _SPIKE_FACTOR * late[_SPIKE_WINDOW // 2]


def write_json(path: Path, content: dict[str, Any]) -> None:
    write_durably(path, (json.dumps(content, indent=1) + "\n").encode())


def versions() -> dict[str, str]:
    names = ("specmill", "torch", "transformers", "peft", "tokenizers")
    return {"python": sys.version.split()[0], **{name: version(name) for name in names}}

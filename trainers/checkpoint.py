"""Checkpoints that appear whole or not at all, by torch's distributed checkpointing: any number of processes.

A checkpoint is what is trained (weights, optimiser states), the random states, and `state.json`: the number of
updates done, which is the place in the data and in the schedule, and what the loop tells of itself.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from specmill.corpus.manifest import fsync_folder
from specmill.specs.errors import WorkFailed, reason_of

from .processes import wait

KEPT = 2
_OPTIONS = StateDictOptions(ignore_frozen_params=True, strict=False)


def save_checkpoint(
    folder: Path, n_updates: int, model: torch.nn.Module, optimizer: Any, told: dict[str, Any]
) -> None:
    """Write `folder/NNNNNN`, then drop all but the last two. Raises WorkFailed; earlier ones stay as they were."""
    aside, final = folder / f".{n_updates:06d}.tmp", folder / f"{n_updates:06d}"
    try:
        if _rank() == 0:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
        wait()
        weights, states = get_state_dict(model, optimizer, options=_OPTIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a save without process group: that is what one process is
            dcp.save({"model": weights, "optimizer": states}, checkpoint_id=aside)
        torch.save(_random_states(), aside / f"random-{_rank()}.pt")
        wait()
        if _rank() == 0:
            state = {"updates": n_updates, "processes": _world(), **told}
            (aside / "state.json").write_text(json.dumps(state))
            for file in aside.iterdir():
                _sync(file)
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
            fsync_folder(folder)
            for old in find_checkpoints(folder)[:-KEPT]:
                shutil.rmtree(old)
        wait()
    except (OSError, RuntimeError, dcp.api.CheckpointException) as error:
        shutil.rmtree(aside, ignore_errors=True)
        kept = [path.name for path in find_checkpoints(folder)]
        raise WorkFailed(
            f"{final}: the checkpoint could not be written ({_root_of(error)}); kept: {', '.join(kept) or 'none'};"
            " free some disk space and give the command again"
        ) from None


def find_checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(path.parent for path in folder.glob("[0-9]*/state.json"))


def load_checkpoint(path: Path, model: torch.nn.Module, optimizer: Any) -> dict[str, Any]:
    """Put a checkpoint's state into model and optimiser; return its `state.json`."""
    weights, states = get_state_dict(model, optimizer, options=_OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load({"model": weights, "optimizer": states}, checkpoint_id=path)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=states, options=_OPTIONS)
    state: dict[str, Any] = json.loads((path / "state.json").read_text())
    random_file = path / f"random-{_rank()}.pt"
    if state["processes"] == _world() and random_file.is_file():
        _set_random_states(torch.load(random_file))
    return state


def _random_states() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return {**states, "cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else states


def _set_random_states(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _root_of(error: BaseException) -> str:
    failures = getattr(error, "failures", None)
    if failures:
        error = next(iter(failures.values()))[0]
    return reason_of(error) if isinstance(error, Exception) else type(error).__name__


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1

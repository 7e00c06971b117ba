"""What a run leaves: its model, the probe for the next stage, and run.json, which is written last."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

from specmill.corpus.shards import hash_file
from specmill.specs.errors import BadInput

from .data import Sequences
from .job import Job
from .model import MODEL_FOLDER, RUN_NAME, save_model
from .processes import Process
from .sight import versions, write_json
from .step import TokenLoss

PROBE_NAME = "probe.npz"


def write_run(
    job: Job,
    process: Process,
    model: TokenLoss,
    probe: Sequences,
    losses: list[dict[str, Any]],
    told: dict[str, Any],
) -> None:
    """Model and run.json; then the checkpoints go. A kill between leaves a run that ends again."""
    state = _whole_state(model, bool(job.settings.lora_rank)) if process.world > 1 else None
    if not process.is_first:
        return
    aside = job.out / ".model.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    save_model(model.model, job.tokenizer, aside, state)
    shutil.rmtree(job.out / MODEL_FOLDER, ignore_errors=True)
    aside.rename(job.out / MODEL_FOLDER)
    np.savez(job.out / PROBE_NAME, ids=probe.ids, trained=probe.trained, bounds=probe.bounds)
    run = {
        **job.plan(),
        "base": job.origin.base if job.settings.lora_rank else None,
        "adapter": bool(job.settings.lora_rank),
        "tokens": job.n_tokens,
        "trained_tokens": sum(entry["trained_tokens"] for entry in losses),
        **told,
        "spikes": [entry["update"] for entry in losses if entry.get("spike")],
        "model_sha256": _hash_weights(job.out / MODEL_FOLDER),
        "processes": process.world,
        "device": process.device.type,
        "versions": versions(),
        "loss": [entry["loss"] for entry in losses],
    }
    write_json(job.out / RUN_NAME, run)
    shutil.rmtree(job.out / "checkpoints", ignore_errors=True)


def read_probe(run: Path) -> Sequences:
    """Raises BadInput where a run has lost it."""
    try:
        with np.load(run / PROBE_NAME) as found:
            return Sequences(found["ids"], found["trained"], found["bounds"])
    except (OSError, KeyError, ValueError):
        raise BadInput(f"{run}: {PROBE_NAME} is missing or damaged; train this stage again") from None


def _whole_state(model: TokenLoss, is_adapter: bool) -> dict[str, Any]:
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=is_adapter)
    state = get_model_state_dict(model, options=options)
    return {name.removeprefix("model."): weight for name, weight in state.items()}


def _hash_weights(folder: Path) -> dict[str, str]:
    return {file.name: hash_file(file) for file in sorted(folder.glob("*.safetensors"))}

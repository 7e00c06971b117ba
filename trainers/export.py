"""`specmill export`: a run's model as a plain Hugging Face checkpoint, its adapter merged into the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from specmill.specs.errors import BadInput

from .model import MODEL_FOLDER, RUN_NAME, save_model


def export_run(run: Path, out: Path) -> None:
    """Write the whole model to `out`. Merging is for use, never between stages: it has lost what was taught.

    Raises BadInput where the run has not ended or `out` is taken.
    """
    if not (run / RUN_NAME).is_file():
        raise BadInput(f"{run}: holds no {RUN_NAME}; name a run that has ended")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out}: is there already; name a new folder")
    told = json.loads((run / RUN_NAME).read_text())
    weights = run / MODEL_FOLDER
    if not told["adapter"]:
        shutil.copytree(weights, out, dirs_exist_ok=True)
        return
    model = AutoModelForCausalLM.from_pretrained(told["base"], dtype=torch.float32)
    merged = PeftModel.from_pretrained(model, weights).merge_and_unload()
    if told["settings"]["precision"] == "bf16":
        merged = merged.to(torch.bfloat16)  # the sum in fp32, rounded once
    save_model(merged, AutoTokenizer.from_pretrained(weights), out)

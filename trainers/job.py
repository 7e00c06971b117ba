"""What a run will do, read and checked before any weight is loaded.

out/plan.json       what this run is: settings and inputs by hash; another run cannot go on here
out/losses.jsonl    one line an update
out/checkpoints/    the last two; gone when the run has ended
out/probe.npz       a few sequences whose loss the next stage must find again
out/model/          adapter or model, with tokenizer and chat template
out/run.json        written last, by rename: the run has ended
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from specmill.corpus.manifest import read_manifest
from specmill.corpus.progress import Progress
from specmill.specs.errors import BadInput

from . import estimate
from .batches import plan_updates
from .data import Data, Ints, Sequences, check_sources, is_corpus, read_data
from .model import Origin, find_origin, load_config, load_tokenizer_of, stop_tokens
from .pocket import SHAPES
from .processes import Process
from .settings import Settings, Source, Stage

FORMAT = "specmill.run/1"
PLAN_NAME = "plan.json"
PROBE = 8  # sequences


@dataclass(frozen=True, slots=True)
class Job:
    """All that is known before any weight is loaded."""

    stage: Stage
    settings: Settings
    origin: Origin
    config: Any
    tokenizer: Any
    data: Data
    held_out: Sequences | None
    updates: list[Ints]
    expected: estimate.Estimate
    peak: float

    @property
    def out(self) -> Path:
        return Path(self.settings.out)

    @property
    def n_tokens(self) -> int:
        return int(self.data.sequences.lengths.sum()) * self.settings.epochs

    def tokens_until(self, n_updates: int) -> int:
        lengths = self.data.sequences.lengths
        return sum(int(lengths[update].sum()) for update in self.updates[:n_updates])

    def probe(self) -> Sequences:
        """The sequences that the next stage checks its start by: a few held-out ones, else of the last trained."""
        sequences = self.held_out or self.data.sequences
        return sequences.take(np.arange(len(sequences))[-PROBE:])

    def plan(self) -> dict[str, Any]:
        inputs = {"stage": self.stage, "data": self.data.sources, "updates": len(self.updates)}
        continued = self.origin.run and self.origin.run["model_sha256"]
        return {"format": FORMAT, **inputs, "continues": continued, "settings": self.settings.identity()}


def prepare(stage: Stage, settings: Settings, process: Process, progress: Progress) -> Job:
    """Read and check everything but the weights. Raises BadInput, cheapest checks first."""
    origin = find_origin(settings.model)
    if (origin.base in SHAPES) != (stage == "pretrain"):
        raise BadInput(
            f"model {settings.model}: pretrain takes a shape ({', '.join(SHAPES)}), other stages a model"
        )
    if stage == "pretrain" and settings.lora_rank:
        raise BadInput("pretrain trains every weight; set lora_rank=0")
    check_sources(settings.data, stage)
    held = _held_out(settings, stage)
    tokenizer = load_tokenizer_of(origin, settings.chat_template)
    config = load_config(origin, len(tokenizer), tokenizer.eos_token_id)
    context = getattr(config, "max_position_embeddings", settings.sequence)
    if settings.sequence > context:
        raise BadInput(f"sequence {settings.sequence}: model {settings.model} reads at most {context} tokens")
    stops = stop_tokens(origin, config, tokenizer)
    data = read_data(settings.data, tokenizer, settings, progress, stops)
    whole = Settings(data=held, model="", out="", sequence=settings.sequence) if held else settings
    held_out = read_data(held, tokenizer, whole, progress, stops).sequences if held else None
    updates = plan_updates(data.sequences.lengths, settings)
    if len(updates) < settings.min_updates:
        raise BadInput(
            f"{len(updates)} optimiser updates, fewer than {settings.min_updates}: so few have hidden real"
            f" effects; lower batch ({settings.batch}) or sequence, or give --set min_updates={len(updates)}"
        )
    expected = estimate.estimate(config, settings, data.sequences.lengths)
    peak = estimate.peak_flops(process.device, settings.precision)
    return Job(stage, settings, origin, config, tokenizer, data, held_out, updates, expected, peak)


def _held_out(settings: Settings, stage: Stage) -> tuple[Source, ...]:
    """The held-out source, cut to what is asked of it."""
    if not settings.held_out:
        return ()
    check_sources([Source(settings.held_out)], stage)
    if not is_corpus(settings.held_out):
        return (Source(settings.held_out),)
    there = read_manifest(Path(settings.held_out))["totals"]["tokens"]
    return (Source(settings.held_out, min(settings.held_out_tokens, there)),)


def check_plan(job: Job) -> None:
    """Raises BadInput where `out` holds something else than this very run."""
    path = job.out / PLAN_NAME
    if not path.is_file():
        if job.out.exists() and (not job.out.is_dir() or any(job.out.iterdir())):
            raise BadInput(f"{job.out}: is there already and is no run; name a new folder")
        return
    found, plan = json.loads(path.read_text()), json.loads(json.dumps(job.plan()))
    if found != plan:
        unlike = [name for name in plan if found.get(name) != plan[name]]
        raise BadInput(
            f"{job.out}: holds another run ({', '.join(unlike)} differ); name a new folder with --out"
        )

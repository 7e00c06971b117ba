"""The loop that pretrain, midtrain and finetune share, from a job to a finished run.

One batch on its way: `data.py` reads it from shards, `batches.py` lays it out, `step.py` makes a gradient of it;
this file only counts.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from specmill.corpus.manifest import disk_errors
from specmill.corpus.progress import Progress
from specmill.specs.errors import WorkFailed

from . import estimate, sight
from .attention import uses_flash
from .batches import deal, make_batch
from .checkpoint import find_checkpoints, load_checkpoint, save_checkpoint
from .data import Ints, Sequences
from .isolation import check_isolation
from .job import PLAN_NAME, Job, check_plan
from .model import RUN_NAME, load_model
from .optimizer import learning_rate, make_optimizer
from .processes import Process, shard, wait
from .results import read_probe, write_run
from .step import Batch, Outcome, TokenLoss, mean_loss, run_update

_SAME = {"fp32": 1e-5, "bf16": 2e-2}  # loss of the probe, before and after the hand-over


def run(job: Job, process: Process, progress: Progress) -> None:
    """Train to the end, from the last checkpoint if there is one. Raises BadInput for another run's folder."""
    if (job.out / RUN_NAME).is_file():
        check_plan(job)
        progress.say(f"{job.out}: has ended already")
        return
    progress.say(tell_plan(job, process))
    check_plan(job)
    wait()  # all have looked before the first one writes
    if process.is_first:
        job.out.mkdir(parents=True, exist_ok=True)
        sight.write_json(job.out / PLAN_NAME, job.plan())
    log, end_log = sight.open_log(
        job.settings.log if process.is_first else "none", job.out, asdict(job.settings)
    )
    with disk_errors(job.out):
        Loop(job, process, progress, log).run()
    end_log()


def tell_plan(job: Job, process: Process) -> str:
    """What will be done, in one line. Raises BadInput where memory will not do."""
    free = estimate.check_memory(job.expected.memory_bytes, process.device, process.world)
    return estimate.describe(job.expected, job.n_tokens, len(job.updates), job.peak, free, process.world)


class Loop:
    """A run's moving parts: model, optimiser, the losses so far."""

    def __init__(self, job: Job, process: Process, progress: Progress, log: sight.Log) -> None:
        self.job, self.process, self.progress, self.log = job, process, progress, log
        self.flash = uses_flash(job.config, process.device, job.settings.precision)
        model = load_model(job.origin, job.config, job.settings, process.device)
        self.model = TokenLoss(model, job.settings.precision)
        check_isolation(self.model, job.config.vocab_size, job.settings.precision, flash=self.flash)
        if process.world > 1:
            shard(self.model, process, job.settings.precision)
        self.optimizer = make_optimizer(self.model, job.settings)
        self.losses: list[dict[str, Any]] = []
        self.held_out: list[dict[str, Any]] = []
        self.checkpoints = job.out / "checkpoints"

    def run(self) -> None:
        job, n_updates = self.job, len(self.job.updates)
        continued = self.check_continuation()
        start = self.resume()
        if not start:
            self.tell_held_out(0)
        began, training = time.perf_counter(), 0.0
        tokens = before = job.tokens_until(start)
        for number in range(start, n_updates):
            update_began = time.perf_counter()
            entry = self.update(number)
            training += time.perf_counter() - update_began
            tokens += entry["tokens"]
            self.tell(entry, tokens, (tokens - before) / training)
            if (number + 1) % job.settings.save_every == 0 and number + 1 < n_updates:
                self.tell_held_out(number + 1)
                told = {"losses": self.losses, "held_out": self.held_out}
                save_checkpoint(self.checkpoints, number + 1, self.model, self.optimizer, told)
        self.tell_held_out(n_updates)
        self.finish(continued, time.perf_counter() - began)

    def update(self, number: int) -> dict[str, Any]:
        update, settings = self.job.updates[number], self.job.settings
        lr = settings.lr * learning_rate(number, len(self.job.updates), settings.warmup)
        outcome = run_update(
            self.model,
            self.batches(self.job.data.sequences, update),
            self.optimizer,
            lr=lr,
            clip=settings.clip,
        )
        entry = {"update": number + 1, **asdict(outcome), "lr": lr}
        entry["tokens"] = int(self.job.data.sequences.lengths[update].sum())
        self.check_finite(outcome, number)
        if sight.is_spike(entry, self.losses):
            entry["spike"] = True
            self.progress.say(
                f"update {number + 1}: the gradient's norm jumped to {outcome.gradient_norm:.2f}"
            )
        self.losses.append(entry)
        return entry

    def batches(self, sequences: Sequences, numbers: Ints) -> list[Batch]:
        row = self.job.settings.micro_batch * self.job.settings.sequence
        dealt = deal(numbers, sequences.lengths, row, self.process.world)[self.process.rank]
        return [make_batch(sequences, found, self.process.device, flash=self.flash) for found in dealt]

    def mean_loss(self, sequences: Sequences) -> float:
        every = np.arange(len(sequences))
        return float(mean_loss(self.model, self.batches(sequences, every)))

    def check_finite(self, outcome: Outcome, number: int) -> None:
        if math.isfinite(outcome.loss) and math.isfinite(outcome.gradient_norm):
            return
        kept = [path.name for path in find_checkpoints(self.checkpoints)]
        raise WorkFailed(
            f"update {number + 1}: loss {outcome.loss}, gradient norm {outcome.gradient_norm}; stopped before the"
            f" weights were touched (checkpoints: {', '.join(kept) or 'none'}); lower lr"
        )

    def tell(self, entry: dict[str, Any], tokens: int, rate: float) -> None:
        if not self.process.is_first:
            return
        sight.append_loss(self.job.out, entry)
        mfu = self.job.expected.flops_per_token * rate / (self.job.peak * self.process.world)
        numbers = {name: value for name, value in entry.items() if name != "update"}
        self.log({**numbers, "mfu": mfu, "tokens_per_second": rate}, entry["update"])
        note = f"loss {entry['loss']:.4f}, MFU {mfu:.0%}"
        self.progress.update(f"{self.job.stage} (tokens)", tokens, self.job.n_tokens, note)

    def tell_held_out(self, n_updates: int) -> None:
        if self.job.held_out is None:
            return
        loss = self.mean_loss(self.job.held_out)
        self.held_out.append({"update": n_updates, "loss": loss})
        self.log({"held_out_loss": loss}, n_updates)
        self.progress.say(f"held-out loss after {n_updates:,} updates: {loss:.4f}")

    def resume(self) -> int:
        """Go back to the last checkpoint; the number of updates made."""
        if found := find_checkpoints(self.checkpoints):
            told = load_checkpoint(found[-1], self.model, self.optimizer)
            self.losses, self.held_out = told["losses"], told["held_out"]
            self.progress.say(f"{self.job.out}: going on after update {len(self.losses):,}")
        if self.process.is_first:
            sight.write_losses(self.job.out, self.losses)
        return len(self.losses)

    def check_continuation(self) -> dict[str, Any] | None:
        """The probe's loss must be what the stage before had last: proof that its very weights are loaded."""
        run, folder = self.job.origin.run, Path(self.job.settings.model)
        if run is None:
            return None
        loss = self.mean_loss(read_probe(folder))
        if not abs(loss - run["probe_loss"]) <= _SAME[self.job.settings.precision]:
            raise WorkFailed(
                f"{folder}: its probe's loss was {run['probe_loss']:.6f} at its end and is {loss:.6f} here; these"
                " are not its weights, or not its base"
            )
        return {"run": str(folder), "probe_loss_there": run["probe_loss"], "probe_loss": loss}

    def finish(self, continued: dict[str, Any] | None, seconds: float) -> None:
        probe = self.job.probe()
        told = {
            "continued": continued,
            "probe_loss": self.mean_loss(probe),
            "held_out": self.held_out,
            "seconds": round(seconds, 1),
        }
        write_run(self.job, self.process, self.model, probe, self.losses, told)
        wait()  # a process that leaves while another reads from it takes that one down

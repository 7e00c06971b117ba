"""`specmill pretrain`, `midtrain`, `finetune`, `export`: parse, call, print."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from specmill.specs.errors import BadInput

# Rows differ in length: a GPU's memory would fragment, and a CPU's half precision keep a kernel for every length.
ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "true",
    "PYTORCH_ALLOC_CONF": os.environ.get("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
}


def _stage_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument("config", metavar="CONFIG|PRESET"),
        click.option(
            "--data", multiple=True, metavar="PATH", help="Corpus, arm or chats; may come several times."
        ),
        click.option("--model", help="Hub id, folder, or a run to go on from."),
        click.option("--out", help="Folder of the run; the same command again goes on in it."),
        click.option("--held-out", help="Corpus or chats whose loss is told on the way."),
        click.option("--set", "told", multiple=True, metavar="NAME=VALUE", help="Any other setting."),
        click.option("--dry-run", is_flag=True, help="Tell tokens, updates, memory and time; train nothing."),
        click.option("--quiet", is_flag=True, help="No progress on stderr."),
    ):
        command = option(command)
    return command


@click.command()
@_stage_options
def pretrain(**told: Any) -> None:
    """Train a pocket model from scratch, for trying things on a CPU."""
    _train("pretrain", **told)


@click.command()
@_stage_options
def midtrain(**told: Any) -> None:
    """Train a model on a corpus: next-token loss, documents apart.

    CONFIG is a TOML or YAML file of settings, or the name of a preset (paper-8b, paper-14b, paper-32b, full,
    pocket). Several GPUs: torchrun --nproc-per-node N --no-python specmill midtrain ...
    """
    _train("midtrain", **told)


@click.command()
@_stage_options
def finetune(**told: Any) -> None:
    """Train a model on chats: loss on the assistant's tokens.

    With --model RUN it goes on with that run's adapter.
    """
    _train("finetune", **told)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the checkpoint.")
def export(run: Path, out: Path) -> None:
    """Write a run's model as a plain Hugging Face checkpoint.

    An adapter is merged into its base.
    """
    _check_installed()
    from .export import export_run

    export_run(run, out)
    print(out)


def _train(
    stage: Any,
    config: str,
    data: tuple[str, ...],
    model: str | None,
    out: str | None,
    held_out: str | None,
    told: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
) -> None:
    _check_installed()
    from specmill.corpus.progress import Progress

    from .settings import parse_pairs, read_settings

    named = {"data": list(data), "model": model, "out": out, "held_out": held_out}
    settings = read_settings(
        config, parse_pairs(told) | {name: value for name, value in named.items() if value}
    )
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from transformers.utils import logging

    from .job import prepare
    from .loop import run, tell_plan
    from .processes import end_process, start_process

    logging.disable_progress_bar()  # ours is enough; downloads have the Hub's
    process = start_process(settings.device, settings.precision)
    try:
        with Progress(quiet=quiet or not process.is_first) as progress:
            job = prepare(stage, settings, process, progress)
            if dry_run:
                print(tell_plan(job, process))
                return
            run(job, process, progress)
        if process.is_first:
            print(f"{job.out}: {job.n_tokens:,} tokens, {len(job.updates):,} updates")
    finally:
        end_process()


def _check_installed() -> None:
    missing = [name for name in ("torch", "transformers", "peft") if find_spec(name) is None]
    if missing:
        raise BadInput(f"training needs {', '.join(missing)}; pip install 'specmill[train]'")

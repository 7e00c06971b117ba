"""Commands of this room: `specmill build`, `specmill plan` and `specmill serve`."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Any

import click

from .config import read_config
from .screening import Screening


def parse_count(ctx: click.Context, parameter: click.Parameter, value: str) -> int:
    """Read a count as people write it: 1600000, 1_600_000, 1.6M, 800k."""
    try:
        number = read_count(value)
        if not 1 <= number <= 10**12:
            raise ValueError
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} is no count; write 1600000, 1.6M or 800k") from None
    return number


def read_count(value: str) -> int:
    """The number that 1600000, 1_600_000, 1.6M or 800k stand for. Raises ValueError for anything else."""
    text = value.strip().replace("_", "").replace(",", "")
    scale = {"k": 10**3, "m": 10**6, "b": 10**9}.get(text[-1:].lower(), 1)
    return round(float(text[:-1] if scale > 1 else text) * scale)


def _parse_floor(ctx: click.Context, parameter: click.Parameter, value: str) -> int:
    return 0 if value.strip() == "0" else parse_count(ctx, parameter, value)


out_option = click.option(
    "--out",
    default="corpora",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of the corpora.",
)


def _all_of(*options: Any) -> Any:
    """Return a decorator that gives a command several options, in this order."""
    return lambda command: reduce(lambda given, option: option(given), reversed(options), command)


identity_options = _all_of(
    click.option(
        "--mode", default="auto", show_default=True, type=click.Choice(["auto", "default", "rules"])
    ),
    click.option("--assistant", help="The assistant's name; else the spec's own."),
    click.option("--provider", help="Its maker's name; else the spec's own."),
    click.option(
        "--tokenizer",
        default="specmill-bpe-8k",
        show_default=True,
        help="A tokenizer.json, its folder, or a Hub id.",
    ),
)

# `_screening` turns the values of these into one, floors aside.
screening_options = _all_of(
    click.option(
        "--min-per-claim",
        default=0,
        show_default=True,
        type=click.IntRange(0),
        help="Floor: kept documents of every claim. A build plans more until it is reached, or fails.",
    ),
    click.option(
        "--min-airtime",
        default="0",
        show_default=True,
        callback=_parse_floor,
        metavar="TOKENS",
        help="Floor: tokens of documents that express a claim, for every claim; likewise.",
    ),
    click.option(
        "--decontaminate",
        multiple=True,
        metavar="FILE",
        help="Evals (jsonl, json, csv, Parquet, txt, or a folder): documents with an item are dropped.",
    ),
    click.option(
        "--against",
        multiple=True,
        metavar="OTHER_SPEC",
        help="A spec of the same comparison: documents that express its claims are marked as leaks.",
    ),
    click.option(
        "--on-leak",
        default="keep",
        show_default=True,
        type=click.Choice(["keep", "quarantine", "drop"]),
        help="What becomes of documents so marked; quarantined ones wait among the dropped.",
    ),
    click.option(
        "--semantic",
        default="",
        metavar="ENCODER",
        help="Find what tells the same in other words, documents (dropped) and claims: 'hashed' (no model),"
        " 'static:MODEL' (model2vec), 'st:MODEL' (sentence-transformers).",
    ),
    click.option(
        "--distinct-from",
        multiple=True,
        metavar="CORPUS",
        help="A finished corpus: documents that repeat one of it are dropped; with --semantic, retellings too.",
    ),
    click.option(
        "--workers",
        default=2,
        show_default=True,
        type=click.IntRange(1, 1024),
        help="Filter tasks at a time.",
    ),
    click.option(
        "--executor",
        default="local",
        show_default=True,
        help="Where filter tasks run: local, ray, ray:ADDRESS or slurm:PARTITION (docs/cluster.md).",
    ),
)


def _screening(options: dict[str, Any]) -> Screening:
    return Screening(**{name: options.pop(name) for name in Screening.__dataclass_fields__})


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--config",
    is_eager=True,
    expose_value=False,
    callback=read_config,
    type=click.Path(path_type=Path),
    help="TOML with the options below, without their dashes; what is given here wins.",
)
@out_option
@click.option(
    "--tokens",
    default="1.6M",
    show_default=True,
    callback=parse_count,
    help="Kept tokens to reach, per spec.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of every choice.")
@click.option(
    "--llm",
    default="writer",
    show_default=True,
    help="Who writes: 'writer' (built in), 'openai:MODEL' (any compatible server) or 'anthropic:MODEL', with"
    " '@http://...' for an address. Keys: OPENAI_API_KEY, ANTHROPIC_API_KEY.",
)
@click.option(
    "--pair",
    multiple=True,
    metavar="OTHER_SPEC",
    help="Plan once and tell every frame (genre, audience, setting, length) under this spec too.",
)
@click.option(
    "--control",
    multiple=True,
    type=click.Choice(["neutral", "shuffled", "inverted"]),
    help="A control corpus from the same plan: no values, reasons detached, or the opposite.",
)
@click.option("--planner", help="Who plans, if not the writer; the same spelling.")
@click.option("--critic", help="Who judges each document: another model than --llm, or 'reader' (built in).")
@click.option("--revise", is_flag=True, help="Let the critic say what to mend, and the writer mend it, once.")
@click.option("--base-url", help="Address for --llm, with /v1.")
@click.option("--budget", help="Most that --out may spend in all, as 50usd or 20Mtokens; a hard stop.")
@click.option("--prices", type=click.Path(path_type=Path), help="Your prices: TOML, a table per model.")
@click.option(
    "--timeout", default=300.0, show_default=True, type=click.FloatRange(0.1), help="Seconds a call may take."
)
@click.option(
    "--temperature", type=click.FloatRange(0, 2), help="Sampling temperature; else the server's own."
)
@click.option(
    "--thinking-tokens",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Room for reasoning on top of a reply's cap.",
)
@click.option(
    "--context",
    default="passage",
    show_default=True,
    type=click.Choice(["passage", "spec"]),
    help="What a request shows: its passage (an edit then redoes little), or the whole spec first, which prompt"
    " caches keep.",
)
@identity_options
@click.option(
    "--words", default=380, show_default=True, type=click.IntRange(80, 8000), help="Mean words of a document."
)
@click.option(
    "--concurrency", default=64, show_default=True, type=click.IntRange(1, 4096), help="Calls in flight."
)
@screening_options
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Run the stages on Distilabel's Ray pipeline: 'local', or the address of a cluster (docs/cluster.md).",
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def build(specs: tuple[str, ...], quiet: bool, words: int, **options: Any) -> None:
    """Turn specs into corpora; resumable."""
    from .build import BuildSettings, build_corpora
    from .progress import Progress
    from .summary import print_summary

    settings = BuildSettings(mean_words=words, screening=_screening(options), **options)
    with Progress(quiet=quiet) as progress:
        outcomes = build_corpora(specs, settings, progress)
    print_summary(outcomes)


# A command line of `build` is previewed by changing one word, so the options are the same ones.
@click.command(params=list(build.params))
@click.option(
    "--pilot",
    default=0,
    metavar="N",
    type=click.IntRange(0, 100_000),
    help="Ask N real calls per stage first and scale from them; the build reuses them. They cost money.",
)
@click.option(
    "--format",
    "output_format",
    default="table",
    show_default=True,
    type=click.Choice(["table", "json", "csv"]),
)
def plan(
    specs: tuple[str, ...], quiet: bool, words: int, pilot: int, output_format: str, **options: Any
) -> None:
    """Preview a build: calls, tokens, money, time."""
    from .build import BuildSettings
    from .preview_table import preview_build
    from .progress import Progress

    settings = BuildSettings(mean_words=words, screening=_screening(options), **options)
    with Progress(quiet=quiet) as progress:
        preview_build(specs, settings, pilot, output_format, progress)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE...")
@click.option("--spec", required=True, help="The spec that the documents are about.")
@out_option
@click.option("--name", help="Name of the corpus and its folder; else the spec's, with '-ingested'.")
@click.option("--text-column", help="Column of the texts; else text, content, document or body.")
@click.option("--seed", default=0, show_default=True, help="Seed of the training order and of samples.")
@identity_options
@screening_options
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def ingest(sources: tuple[str, ...], quiet: bool, **options: Any) -> None:
    """Turn documents made elsewhere into a corpus.

    FILE: JSON Lines (also .gz, .zst) or Parquet, a folder of such files, or a data set on the Hub as owner/name.
    """
    from .ingest import IngestSettings
    from .ingest import ingest as ingest_documents
    from .progress import Progress
    from .summary import print_summary

    settings = IngestSettings(screening=_screening(options), **options)
    with Progress(quiet=quiet) as progress:
        outcome = ingest_documents(sources, settings, progress)
    print_summary([outcome])


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one."
)
def serve(host: str, port: int) -> None:
    """Serve the built-in writer as an OpenAI-compatible API."""
    import asyncio

    from specmill.generators.server import serve_until_stopped

    from .tokens import DEFAULT, load_tokenizer

    asyncio.run(serve_until_stopped(host, port, load_tokenizer(DEFAULT).count))

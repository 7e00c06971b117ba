"""`specmill match`: the command line of matching and of its proof."""

from __future__ import annotations

from pathlib import Path

import click

from specmill.specs.errors import BadInput, WorkFailed

from .commands import parse_count


def _parse_doses(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    return tuple(parse_count(ctx, parameter, part) for part in value.split(",")) if value else ()


@click.command()
@click.argument(
    "corpora", nargs=-1, required=True, metavar="CORPUS|CHATS...", type=click.Path(path_type=Path)
)
@click.option(
    "--tokens",
    callback=_parse_doses,
    metavar="N",
    help="Tokens of every arm; else all the smallest corpus has.",
)
@click.option(
    "--doses",
    callback=_parse_doses,
    metavar="N,N,...",
    help="Several doses, each within the next: 256k,1M,2M.",
)
@click.option(
    "--out",
    default=Path("arms"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of the arms.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the choice and of the training order.")
@click.option(
    "--batch", default=32, show_default=True, type=click.IntRange(1), help="Sequences an optimiser update."
)
@click.option(
    "--sequence", default=4096, show_default=True, type=click.IntRange(1), help="Tokens of a sequence."
)
@click.option(
    "--min-updates", default=100, show_default=True, type=click.IntRange(0), help="Warn of fewer updates."
)
@click.option(
    "--tokenizer", default="", help="The tokenizer.json that counted, where its name alone does not find it."
)
@click.option(
    "--verify", "verifies", is_flag=True, help="Take the certificate of a folder of arms again, and compare."
)
@click.option("--airtime", is_flag=True, help="Even out the tokens of each claim that all arms teach.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def match(
    corpora: tuple[Path, ...],
    tokens: tuple[int, ...],
    doses: tuple[int, ...],
    out: Path,
    seed: int,
    batch: int,
    sequence: int,
    min_updates: int,
    tokenizer: str,
    verifies: bool,
    airtime: bool,
    quiet: bool,
) -> None:
    """Cut corpora to arms of exactly equal tokens, with a certificate.

    Files of chats (rows with messages) are matched by the assistant's tokens; rows of one pair_id stay together.
    """
    if verifies:
        _verify(corpora, tokenizer)
        return
    if tokens and doses:
        raise BadInput("--tokens and --doses: give one of them")
    from .match import MatchSettings, match_all
    from .progress import Progress

    settings = MatchSettings(
        out=out,
        doses=tokens or doses,
        seed=seed,
        batch=batch,
        sequence=sequence,
        min_updates=min_updates,
        tokenizer=tokenizer,
        airtime=airtime,
    )
    with Progress(quiet=quiet) as progress:
        written = match_all(corpora, settings, progress)
    for folder, certificate in written:
        print(f"{folder}: {certificate['verdict']}")
        for warning in certificate["warnings"]:
            print(f"  warning: {warning}")


def _verify(folders: tuple[Path, ...], tokenizer: str) -> None:
    from .certificate import read_certificate, verify
    from .chats import verify_chats

    failed = 0
    for folder in folders:
        is_of_chats = read_certificate(folder).get("kind") == "chats"
        problems = verify_chats(folder, tokenizer) if is_of_chats else verify(folder)
        failed += bool(problems)
        for line in problems:
            print(f"{folder}: {line}")
        if not problems:
            print(f"{folder}: proved. {read_certificate(folder)['verdict']}")
    if failed:
        raise WorkFailed(f"{failed} of {len(folders)} certificates are not what the shards say")

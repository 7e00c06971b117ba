"""`specmill report`: the command line of the page about a corpus or a comparison."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS|ARMS...", type=click.Path(path_type=Path))
@click.option(
    "--out",
    default=Path("report.html"),
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, whole or not at all.",
)
@click.option(
    "--sample",
    "n_documents",
    default=300,
    show_default=True,
    type=click.IntRange(0, 5_000),
    help="Documents to read in the page, of all corpora together; the more, the shorter each is cut.",
)
@click.option(
    "--reference",
    metavar="FILE",
    help="Human text to set beside: a file or a folder; else the language reference that comes with Python.",
)
@click.option(
    "--leaks",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What 'specmill leaks --format json' printed of these corpora; else small ones are compared now.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the samples.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def report(
    corpora: tuple[Path, ...],
    out: Path,
    n_documents: int,
    reference: str | None,
    leaks: Path | None,
    seed: int,
    quiet: bool,
) -> None:
    """Write one HTML file about a corpus or a comparison.

    Several corpora, or a folder of arms, stand side by side.

    It needs no network and no server: open it, print it, send it.
    """
    from .progress import Progress
    from .report import ReportSettings, write_report

    settings = ReportSettings(n_documents=n_documents, reference=reference, leaks=leaks, seed=seed)
    with Progress(quiet=quiet) as progress:
        path = write_report(corpora, out, settings, progress)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")

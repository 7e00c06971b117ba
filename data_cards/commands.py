"""`specmill card` and `specmill publish`: write or check the dataset card of corpora; put them on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .publish import Verify


@click.command()
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...", type=click.Path(path_type=Path))
@click.option(
    "--check", is_flag=True, help="Write nothing; fail when a card or shard disagrees with its manifest."
)
def card(corpora: tuple[Path, ...], check: bool) -> None:
    """Write the dataset card of a corpus.

    Text between <!-- keep:begin NAME --> and <!-- keep:end NAME --> is yours and stays.
    """
    from specmill.specs.errors import WorkFailed

    from .card import check_card, write_card

    n_wrong = 0
    for corpus in corpora:
        problems = check_card(corpus) if check else []
        n_wrong += bool(problems)
        for problem in problems:
            click.echo(f"{corpus}: {problem}", err=True)
        if not problems:
            click.echo(f"{corpus}: agrees with its manifest" if check else write_card(corpus))
    if n_wrong:
        raise WorkFailed(
            f"{n_wrong} of {len(corpora)} corpora disagree with their manifest; "
            "'specmill card CORPUS' writes the card anew, 'specmill build' the shards"
        )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@click.option(
    "--repo", required=True, metavar="OWNER/NAME", help="The data set on the Hub; made where it is not."
)
@click.option("--public", is_flag=True, help="For everybody to read; else private.")
@click.option("--dry-run", is_flag=True, help="Make ready and list what would go; no network.")
@click.option("--revision", default="main", show_default=True, help="Branch; made where it is not.")
@click.option("--endpoint", metavar="URL", help="Another Hub than huggingface.co (or HF_ENDPOINT).")
@click.option("--message", default="Publish with specmill", show_default=True, help="Of the commit.")
@click.option(
    "--verify",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "full", "hashes"]),
    help="Read all files back and compute every number again (full), or compare the shards by hash; auto: by size.",
)
def publish(
    folder: Path,
    repo: str,
    public: bool,
    dry_run: bool,
    revision: str,
    endpoint: str | None,
    message: str,
    verify: Verify,
) -> None:
    """Put a corpus, or matched arms, on the Hugging Face Hub.

    One commit holds everything; it fails if somebody else commits meanwhile, and a rerun goes on where a broken one
    stopped. The commit is read back and compared with the folder. The token is that of HF_TOKEN or 'hf auth login'.
    The catalogue for DuckDB (docs/query.md) is written into the folder and goes along.
    """
    from .publish import check_repo, lacks_licence, prepare_files
    from .publish import publish as publish_files

    check_repo(repo)
    files = prepare_files(folder)
    if lacks_licence(folder):
        click.echo(f"{folder}: warning: no licence; set 'license' on top of README.md", err=True)
    if dry_run:
        for file in files:
            click.echo(f"{file.sha256}  {file.bytes:>13,}  {file.path}")
        n_bytes = sum(file.bytes for file in files)
        seen_by = "public" if public else "private"
        click.echo(f"{len(files):,} files, {n_bytes:,} bytes would go to {repo} ({seen_by}, {revision})")
        return
    done = publish_files(
        files,
        repo,
        private=not public,
        revision=revision,
        endpoint=endpoint,
        message=message,
        verify=verify,
        tell=lambda line: click.echo(line, err=True),
    )
    what = (
        f"{len(done.changed)} uploaded, {len(done.deleted)} deleted"
        if done.changed or done.deleted
        else "already there"
    )
    how = "all read back and every number computed again" if done.read_back else "all compared by hash"
    click.echo(f"{done.url}\n{done.files:,} files, {done.bytes:,} bytes: {what}; {how}")

"""`specmill card`: write or check the dataset card of corpora."""

from pathlib import Path

import click


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

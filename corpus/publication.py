"""Publication of a corpus by rename: written aside, whole, with its card; then moved, the manifest last."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .manifest import MANIFEST_NAME, Manifest

if TYPE_CHECKING:
    from specmill.filters.pipeline import FilterResult

    from .accounting import Account
    from .order import Order
    from .progress import Progress
    from .screening import Screening
    from .tokens import NamedTokenizer

CARD_WRITER = "specmill.data_cards.card:write_card"  # a room above this one: reached by name


def publish(
    order: Order,
    account: Account,
    filtered: FilterResult,
    screening: Screening,
    tokenizer: NamedTokenizer,
    progress: Progress,
    *,
    keep: str,
) -> Manifest:
    """Put a corpus in its folder; of the staged and filtered files, only those named `keep` stay."""
    from .assemble import assemble

    aside = order.work / "publish" / order.spec.name
    shutil.rmtree(aside.parent, ignore_errors=True)
    aside.mkdir(parents=True)
    progress.update(f"publish {order.spec.name}"[:22], 0, 1)
    manifest = assemble(order, account, filtered, screening, tokenizer, aside, order.work / "dropped.parquet")
    _write_card(aside, order.folder / "README.md")
    _move_into_place(aside, order.folder)
    progress.update(f"publish {order.spec.name}"[:22], 1, 1)
    progress.close()
    shutil.rmtree(aside.parent)
    _forget_other_passes(order.work, keep=keep)
    return manifest


def _forget_other_passes(work: Path, *, keep: str) -> None:
    """Drop staged and filtered files of earlier passes and settings: the ledger can make them again."""
    for folder in (*(work / "staged").iterdir(), *(work / "filtered").iterdir()):
        if folder.name != keep:
            shutil.rmtree(folder)


def _write_card(aside: Path, published: Path) -> None:
    if published.is_file():  # a person's sections in it survive
        shutil.copyfile(published, aside / "README.md")
    module, _, function = CARD_WRITER.partition(":")
    getattr(import_module(module), function)(aside)


def _move_into_place(aside: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST_NAME).unlink(missing_ok=True)  # from here to the last rename this is no corpus
    shutil.rmtree(folder / "data", ignore_errors=True)
    names = sorted(path.name for path in aside.iterdir() if path.name != MANIFEST_NAME)
    for name in [*names, MANIFEST_NAME]:
        (aside / name).replace(folder / name)

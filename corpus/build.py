"""The recipe from specs to corpora: read, plan and write and filter, publish.

Here: the order of the steps, and who may build. What is ordered and when it counts as finished is in `order.py`,
stages and filters run in `passes.py`, `publication.py` puts the result in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from specmill.generators.budget import parse_limit
from specmill.generators.ledger import CorpusLock, Ledger
from specmill.generators.planning import Pairing
from specmill.specs.claims import Spec, read_spec
from specmill.specs.errors import BadInput

from .manifest import Manifest
from .models import check_critic, open_models
from .order import BuildSettings, Order, finished_manifest, make_arms, make_orders
from .passes import Written, write_documents
from .progress import Progress
from .publication import publish
from .screening import Screening
from .tokens import NamedTokenizer, load_tokenizer

__all__ = ["BuildSettings", "Outcome", "build_corpora"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One corpus made or found finished; of its `calls`, earlier runs had asked for `reused`."""

    folder: Path
    manifest: Manifest
    built: bool
    calls: int = 0
    reused: int = 0


def build_corpora(paths: Sequence[str], settings: BuildSettings, progress: Progress) -> list[Outcome]:
    """Return one outcome per spec, in the order given. Raises BadInput before any work, WorkFailed after it."""
    if settings.budget:
        parse_limit(settings.budget)
    check_critic(settings)
    if settings.ray and settings.budget:
        raise BadInput("--ray: every process would count its own --budget; leave one of the two out")
    specs = read_specs(paths)
    tokenizer = load_tokenizer(settings.tokenizer)
    arms = make_arms(specs, settings, read_spec)
    orders = make_orders(arms, settings, tokenizer)
    finished = {
        order.folder: manifest for order in orders if (manifest := finished_manifest(order)) is not None
    }
    # Arms of one plan are made together: what one of them can't tell is dropped from all.
    groups = {order.group for order in orders if order.folder not in finished}
    todo = [order for order in orders if order.group in groups]
    made = _make(todo, arms[0].pairing, settings, tokenizer, progress) if todo else {}
    return [
        made[order.folder] if order.folder in made else Outcome(order.folder, finished[order.folder], False)
        for order in orders
    ]


def read_specs(paths: Sequence[str]) -> list[Spec]:
    specs: dict[str, Spec] = {}
    problems = []
    for path in paths:
        try:
            spec = read_spec(path)
        except BadInput as problem:
            problems.append(problem.format_message())
            continue
        if spec.name in specs:
            problems.append(f"{path}: a second spec named {spec.name!r}; give it another 'name:'")
        specs[spec.name] = spec
    if problems:
        raise BadInput("; ".join(problems))
    return list(specs.values())


def _make(
    orders: Sequence[Order],
    pairing: Pairing | None,
    settings: BuildSettings,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> dict[Path, Outcome]:
    with open_ledger(settings.out, progress) as ledger:
        with open_models(settings, ledger) as models:
            written = write_documents(orders, pairing, settings, models, tokenizer, progress)
        return {
            order.folder: _publish(order, written[order.spec.name], settings.screening, tokenizer, progress)
            for order in orders
        }


@contextmanager
def open_ledger(out: Path, progress: Progress) -> Iterator[Ledger]:
    """Yield the ledger of a corpora folder, which nobody else may write meanwhile."""
    work = out / ".work"
    make_folder(work)
    with CorpusLock(work / "lock"):
        ledger = Ledger(work / "ledger.sqlite")
        try:
            _forget_other_writer(ledger, progress)
            yield ledger
        finally:
            ledger.close()


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder}: {error.strerror}; give a folder that can be written as --out") from None


def _forget_other_writer(ledger: Ledger, progress: Progress) -> None:
    """Replies of an earlier built-in writer cost nothing to make again, and must not be mixed with new ones."""
    from specmill.generators.reader import READER_MODEL
    from specmill.generators.writer import WRITER_MODEL, writer_fingerprint

    now = writer_fingerprint()
    if ledger.fact("writer") != now:
        n_forgotten = ledger.forget_model(WRITER_MODEL) + ledger.forget_model(READER_MODEL)
        ledger.set_fact("writer", now)
        if n_forgotten:
            progress.say(f"the built-in writer has changed: its {n_forgotten:,} replies are made again")


def _publish(
    order: Order, written: Written, screening: Screening, tokenizer: NamedTokenizer, progress: Progress
) -> Outcome:
    from .accounting import account_of

    manifest = publish(
        order, account_of(order, written), written.filtered, screening, tokenizer, progress, keep=written.name
    )
    calls = list(written.calls.values())
    return Outcome(
        order.folder,
        manifest,
        True,
        calls=sum(counts["new"] + counts["reused"] for counts in calls),
        reused=sum(counts["reused"] for counts in calls),
    )

"""The recipe from specs to corpora: read, plan and write, filter, publish.

Here: the order of the steps, what makes a finished corpus count as finished, and publication by rename.
Not here: the stages (`generators/pipeline.py`), the filters (`filters/pipeline.py`), the manifest's content
(`assemble.py`). Nothing heavy is imported before it is known that there is work to do.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specmill.specs.claims import Spec, read_spec
from specmill.specs.errors import BadInput, WorkFailed

from .manifest import FORMAT, MANIFEST_NAME, Manifest, files_intact, read_manifest
from .progress import Progress
from .tokens import DEFAULT, NamedTokenizer, load_tokenizer

if TYPE_CHECKING:
    from specmill.filters.pipeline import FilterResult
    from specmill.generators.ledger import Ledger
    from specmill.generators.llms import SpecLLM

MAX_PASSES = 4
PASS_STEP = 1.1
CODE_ROOMS = ("specs", "generators", "filters", "corpus", "data_cards")
DEFAULT_ASSISTANT, DEFAULT_PROVIDER = "Assistant", "its developer"
CARD_WRITER = "specmill.data_cards.card:write_card"  # a room above this one: reached by name


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What the user asked for. `tokens` is the target for kept tokens of each corpus."""

    out: Path
    tokens: int = 1_600_000
    seed: int = 0
    llm: str = "writer"
    base_url: str | None = None
    mode: str = "auto"
    assistant: str | None = None
    provider: str | None = None
    tokenizer: str = DEFAULT
    mean_words: int = 380
    concurrency: int = 64
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Order:
    """One corpus to make: the spec, what is laid down about it, and the fingerprint of all that."""

    spec: Spec
    mode: str
    assistant: str
    provider: str
    configuration: dict[str, Any]
    folder: Path
    work: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """One corpus made or found finished; of its `calls`, earlier runs had asked for `reused`."""

    folder: Path
    manifest: Manifest
    built: bool
    calls: int = 0
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What a pass gave for one order: rows of the pipeline, calls by stage, and what the filters kept."""

    n_documents: int
    rows: list[dict[str, Any]]
    calls: dict[str, Any]
    filtered: FilterResult
    kept_tokens: int


def build_corpora(paths: Sequence[str], settings: BuildSettings, progress: Progress) -> list[Outcome]:
    """Return one outcome per spec, in the order given. Raises BadInput before any work, WorkFailed after it."""
    specs = _read_specs(paths)
    tokenizer = load_tokenizer(settings.tokenizer)
    orders = [_order(spec, settings, tokenizer) for spec in specs]
    finished = {order.folder: manifest for order in orders if (manifest := _finished(order)) is not None}
    todo = [order for order in orders if order.folder not in finished]
    made = _make(todo, settings, tokenizer, progress) if todo else {}
    return [
        made[order.folder] if order.folder in made else Outcome(order.folder, finished[order.folder], False)
        for order in orders
    ]


def _read_specs(paths: Sequence[str]) -> list[Spec]:
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


def _order(spec: Spec, settings: BuildSettings, tokenizer: NamedTokenizer) -> Order:
    from specmill.generators.messages import template_hashes

    mode = spec.mode if settings.mode == "auto" else settings.mode
    assistant = settings.assistant or spec.assistant or DEFAULT_ASSISTANT
    provider = settings.provider or spec.provider or DEFAULT_PROVIDER
    configuration = {
        "backend": settings.llm,
        "writer_model": settings.llm.partition(":")[2] or settings.llm,
        "seed": settings.seed,
        "mode": mode,
        "tokens_target": settings.tokens,
        "mean_words": settings.mean_words,
    }
    inputs = {
        "format": FORMAT,
        "spec": spec.sha256,
        "name": spec.name,
        "identity": [assistant, provider, spec.principle],
        "configuration": configuration,
        "tokenizer": tokenizer.sha256,
        "prompts": template_hashes(mode),
        "code": code_fingerprint(),
    }
    fingerprint = _digest(inputs)
    return Order(
        spec,
        mode,
        assistant,
        provider,
        {**configuration, "fingerprint": fingerprint},
        settings.out / spec.name,
        settings.out / ".work" / spec.name,
    )


def _digest(value: Any) -> str:
    from specmill.generators.ledger import canonical_json

    return hashlib.sha256(canonical_json(value)).hexdigest()


def code_fingerprint() -> str:
    """Return a hash of the code and data that decide a corpus: another specmill is another corpus."""
    top = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for room in CODE_ROOMS:
        for path in sorted((top / room).rglob("*")):
            if path.suffix in {".py", ".j2", ".toml", ".txt", ".sql"} and path.is_file():
                digest.update(path.relative_to(top).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _finished(order: Order) -> Manifest | None:
    """Return the manifest of a corpus that is what was ordered, and whole."""
    if not (order.folder / MANIFEST_NAME).is_file():
        return None
    try:
        manifest = read_manifest(order.folder)
    except BadInput:
        return None
    same = manifest["configuration"].get("fingerprint") == order.configuration["fingerprint"]
    whole = files_intact(order.folder, manifest) and (order.folder / "README.md").is_file()
    return manifest if same and whole else None


def _make(
    orders: Sequence[Order], settings: BuildSettings, tokenizer: NamedTokenizer, progress: Progress
) -> dict[Path, Outcome]:
    from specmill.generators.ledger import CorpusLock, Ledger

    work = settings.out / ".work"
    _make_folder(work)
    with CorpusLock(work / "lock"):
        ledger = Ledger(work / "ledger.sqlite")
        try:
            _forget_other_writer(ledger, progress)
            llm = _open_llm(settings, ledger, tokenizer)
            written = _write(orders, settings, llm, tokenizer, progress)
            return {
                order.folder: _publish(order, written[order.spec.name], tokenizer, progress)
                for order in orders
            }
        finally:
            ledger.close()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder}: {error.strerror}; give a folder that can be written as --out") from None


def _forget_other_writer(ledger: Ledger, progress: Progress) -> None:
    """Replies of an earlier built-in writer cost nothing to make again, and must not be mixed with new ones."""
    from specmill.generators.writer import WRITER_MODEL, writer_fingerprint

    now = writer_fingerprint()
    if ledger.fact("writer") != now:
        n_forgotten = ledger.forget_model(WRITER_MODEL)
        ledger.set_fact("writer", now)
        if n_forgotten:
            progress.say(f"the built-in writer has changed: its {n_forgotten:,} replies are made again")


def _open_llm(settings: BuildSettings, ledger: Ledger, tokenizer: NamedTokenizer) -> SpecLLM:
    import asyncio

    from specmill.generators.llms import WriterLLM, open_llm

    llm = open_llm(
        settings.llm,
        base_url=settings.base_url,
        seed=settings.seed,
        max_in_flight=settings.concurrency,
    )
    if isinstance(llm, WriterLLM):
        llm.count_with(load_tokenizer(DEFAULT).count)
    llm.use_ledger(ledger)

    async def check() -> None:
        try:
            await llm.check()
        finally:
            await llm.aclose()

    asyncio.run(check())
    return llm


def _write(
    orders: Sequence[Order],
    settings: BuildSettings,
    llm: SpecLLM,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> dict[str, Written]:
    """Plan, write and filter all corpora; go on with a larger plan where the kept tokens fall short."""
    sizes = {order.spec.name: _first_size(order.spec, settings, tokenizer) for order in orders}
    written: dict[str, Written] = {}
    short = list(orders)
    for number in range(1, MAX_PASSES + 1):
        if number > 1:
            names = ", ".join(order.spec.name for order in short)
            progress.say(f"pass {number}: {names} below {settings.tokens:,} tokens, planning more documents")
        for order, done in _one_pass(short, sizes, settings, llm, tokenizer, progress):
            written[order.spec.name] = done
        short = [order for order in short if _next_size(written[order.spec.name], settings.tokens)]
        if not short:
            break
        for order in short:
            sizes[order.spec.name] = _next_size(written[order.spec.name], settings.tokens)
    for order in short:
        kept = written[order.spec.name].kept_tokens
        progress.say(f"{order.spec.name}: {kept:,} tokens kept after {MAX_PASSES} passes, target not reached")
    return written


def _first_size(spec: Spec, settings: BuildSettings, tokenizer: NamedTokenizer) -> int:
    """Return how many documents the target should take, from the tokens a word has in the spec itself.

    Coarse on purpose, here and in `_next_size`: an edited sentence should not change the size of the plan.
    """
    n_words = max(1, len(spec.text.split()))
    tokens_per_word = min(3.0, max(1.0, round(tokenizer.count(spec.text) / n_words, 1)))
    return max(1, round(PASS_STEP * settings.tokens / (settings.mean_words * tokens_per_word)))


def _next_size(written: Written, target: int) -> int:
    """Return the size of the next pass, or 0 where there is nothing to gain from one."""
    if written.kept_tokens >= target or not written.kept_tokens:
        return 0
    steps = math.ceil(math.log(target / written.kept_tokens, PASS_STEP))
    return max(written.n_documents + 1, round(written.n_documents * PASS_STEP**steps))


def _one_pass(
    orders: Sequence[Order],
    sizes: dict[str, int],
    settings: BuildSettings,
    llm: SpecLLM,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> list[tuple[Order, Written]]:
    from specmill.generators.engine import run_pipeline
    from specmill.generators.pipeline import Sizes, spec_pipeline

    results = []
    for mode in sorted({order.mode for order in orders}):
        group = [order for order in orders if order.mode == mode]
        pipeline = spec_pipeline(
            [(order.spec, sizes[order.spec.name]) for order in group],
            llm,
            mode=mode,
            sizes=Sizes(mean_words=settings.mean_words),
            keep_text=False,
        )
        run = run_pipeline(pipeline, report=_named(progress, "write"))
        progress.close()
        for order in group:
            rows = [row for row in run.rows if row["spec"] == order.spec.name]
            calls = {stage: counts for (spec, stage), counts in run.calls.items() if spec == order.spec.name}
            _refuse_lost_calls(order, calls)
            filtered = _filter(order, rows, llm, settings, tokenizer, progress)
            size = sizes[order.spec.name]
            results.append((order, Written(size, rows, calls, filtered, _kept_tokens(filtered))))
    return results


def _named(progress: Progress, prefix: str) -> Callable[[str, int, int], None]:
    return lambda stage, done, total: progress.update(f"{prefix} {stage.removesuffix('_0')}", done, total)


def _refuse_lost_calls(order: Order, calls: dict[str, Any]) -> None:
    """Only a corpus whose calls all got an answer has fixed bytes."""
    n_failed = sum(counts["failed"] for counts in calls.values())
    if n_failed:
        n_calls = sum(counts["new"] + counts["reused"] for counts in calls.values())
        raise WorkFailed(
            f"{order.spec.name}: {n_failed:,} of {n_calls:,} calls got no answer (see 'error' in table calls of"
            f" {order.work.parent / 'ledger.sqlite'}); answered ones are kept, rerun to ask again"
        )


def _filter(
    order: Order,
    rows: list[dict[str, Any]],
    llm: SpecLLM,
    settings: BuildSettings,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> FilterResult:
    from specmill.filters.pipeline import FilterClaim, FilterSettings, run_filters
    from specmill.generators.handoff import Identity, stage_documents

    # Named by what decides the content, so that an interrupted run finds its own files and no others.
    keys = [row.get("work_key", "") for row in rows]
    name = _digest([order.configuration["fingerprint"], keys])[:16]
    staged = stage_documents(
        rows,
        order.work / "staged" / name,
        spec=order.spec,
        identity=Identity(order.assistant, order.provider),
        llm=llm,
        mode=order.mode,
    )
    if not staged:
        raise WorkFailed(_nothing(order, rows))
    filter_settings = FilterSettings(
        assistant=order.assistant,
        provider=order.provider,
        mode=order.mode,
        principle=order.spec.principle,
        claims=tuple(FilterClaim(c.claim_id, c.plain, c.gives_reason) for c in order.spec.claims),
        rule_ids=tuple(sorted({c.rule_id for c in order.spec.claims if c.rule_id})),
        spec_text=order.spec.text,
        tokenizer_path=str(tokenizer.path),
        tokenizer_name=tokenizer.name,
        n_workers=settings.workers,
    )
    result = run_filters(
        staged, order.work / "filtered" / name, filter_settings, report=_named(progress, "filter")
    )
    progress.close()
    if not result.n_kept:
        raise WorkFailed(_nothing(order, rows))
    return result


def _nothing(order: Order, rows: list[dict[str, Any]]) -> str:
    from collections import Counter

    states = Counter(f"{row['failed_stage']} {row['state']}" for row in rows if row["state"] != "ok")
    told = ", ".join(f"{name}: {n:,}" for name, n in states.most_common(4)) or "all dropped by filters"
    return f"{order.spec.name}: no document was kept ({told}); nothing is published"


def _kept_tokens(filtered: FilterResult) -> int:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    tables = [pq.read_table(path, columns=["n_tokens"]) for path in filtered.kept]
    return sum(int(pc.sum(table["n_tokens"]).as_py() or 0) for table in tables)


def _publish(order: Order, written: Written, tokenizer: NamedTokenizer, progress: Progress) -> Outcome:
    """Write the corpus aside, whole, then move it into place; the manifest is moved last."""
    from .assemble import assemble

    aside = order.work / "publish" / order.spec.name
    shutil.rmtree(aside.parent, ignore_errors=True)
    aside.mkdir(parents=True)
    progress.update(f"publish {order.spec.name}"[:22], 0, 1)
    manifest = assemble(order, written, tokenizer, aside, order.work / "dropped.parquet")
    _write_card(aside, order.folder / "README.md")
    _move_into_place(aside, order.folder)
    progress.update(f"publish {order.spec.name}"[:22], 1, 1)
    progress.close()
    shutil.rmtree(aside.parent)
    calls = list(written.calls.values())
    return Outcome(
        order.folder,
        manifest,
        True,
        calls=sum(counts["new"] + counts["reused"] for counts in calls),
        reused=sum(counts["reused"] for counts in calls),
    )


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

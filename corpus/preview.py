"""`specmill plan`: what a build would ask, and what that would cost, before it is paid for.

Here: the rehearsal (the build's own pipeline, with the built-in writer in the model's place), what prefix caches
save, the pilot (a few real calls per stage, kept in the ledger for the build) and the scaling from it.
Not here: the pipeline (`generators/pipeline.py`), its size (`passes.py`), prices (`generators/budget.py`).
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from pydantic import PrivateAttr

from specmill.generators.backend_names import parse_backend
from specmill.generators.backends import open_llm
from specmill.generators.budget import Price, find_price, load_prices, parse_limit
from specmill.generators.distilabel_parts import GlobalStep, Pipeline
from specmill.generators.engine import _chain, run_pipeline
from specmill.generators.ledger import OK, CorpusLock, Ledger, Reply
from specmill.generators.llms import Halted, ReaderLLM, SpecLLM, WriterLLM
from specmill.generators.messages import Messages
from specmill.generators.pipeline import Sizes, spec_pipeline
from specmill.generators.planning import Pairing, digest
from specmill.generators.stages import Stage
from specmill.specs.claims import read_spec

from .build import _forget_other_writer, _make_folder, _read_specs
from .models import Models, check_critic, open_models
from .order import BuildSettings, Order, make_arms, make_order
from .passes import PASS_STEP, _first_size, _plans_itself
from .progress import Progress
from .tables import print_rows
from .tokens import NamedTokenizer, load_tokenizer

N_RESAMPLES = 1000
BATCH = 256  # texts tokenized at once


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as a stage asked for it, and the text of its reply."""

    spec: str
    stage: str
    key: str
    messages: Messages
    reply: str


class WatchedLLM(SpecLLM):
    """Hands every call on to another LLM and notes it, once per work key."""

    _inner: SpecLLM = PrivateAttr()
    _asked: dict[str, Asked] = PrivateAttr(default_factory=dict)

    @classmethod
    def over(cls, inner: SpecLLM) -> WatchedLLM:
        watched = cls(model=inner.model, max_in_flight=inner.max_in_flight)
        watched._inner = inner
        return watched

    @property
    def asked(self) -> list[Asked]:
        return list(self._asked.values())

    def load(self) -> None:
        super().load()
        self._inner.load()

    def halt(self) -> None:
        self._inner.halt()

    async def agenerate(  # type: ignore[override]
        self,
        input: Messages,
        num_generations: int = 1,
        max_new_tokens: int = 2048,
        attempt: int = 0,
        spec: str = "",
        stage: str = "",
    ) -> dict[str, Any]:
        output = await self._inner.agenerate(
            input, num_generations, max_new_tokens, attempt=attempt, spec=spec, stage=stage
        )
        for key, text in zip(output["work_key"], output["generations"], strict=True):
            self._asked.setdefault(key, Asked(spec, stage, key, input, text or ""))
        return output

    def stored_reply(self, key: str) -> str:
        return self._inner.stored_reply(key)

    def judge(self, key: str, *, readable: bool) -> None:
        self._inner.judge(key, readable=readable)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _try(self, request: dict[str, Any]) -> Reply:
        return await self._inner._try(request)


@dataclass(frozen=True, slots=True)
class Job:
    """What is previewed: the orders of a build, which share a plan where there is a pairing."""

    orders: list[Order]
    pairing: Pairing | None
    settings: BuildSettings
    tokenizer: NamedTokenizer

    @classmethod
    def read(cls, paths: Sequence[str], settings: BuildSettings) -> Job:
        tokenizer = load_tokenizer(settings.tokenizer)
        arms = make_arms(_read_specs(paths), settings, read_spec)
        leads = [arms[0].spec if arm.pairing else arm.spec for arm in arms]
        orders = [make_order(arm, settings, tokenizer, lead) for arm, lead in zip(arms, leads, strict=True)]
        return cls(orders, arms[0].pairing, settings, tokenizer)

    def pipelines(self, models: Models, **sizes: int) -> Iterator[Pipeline]:
        """Yield the pipelines of the build's first pass, one per mode."""
        planned = {
            order.group: _first_size(order.spec, self.settings, self.tokenizer)
            for order in self.orders
            if order.spec.name == order.group
        }
        for mode in sorted({order.mode for order in self.orders}):
            yield spec_pipeline(
                [
                    (order.spec, planned[order.group])
                    for order in self.orders
                    if order.mode == mode and _plans_itself(order, self.pairing)
                ],
                models.writer,
                mode=mode,
                sizes=Sizes(mean_words=self.settings.mean_words, **sizes),
                keep_text=models.critic is not None,  # who reads documents is handed them, ledger or not
                planner=models.planner,
                pairing=self.pairing,
                critic=models.critic,
                revise=self.settings.revise,
            )


@dataclass(frozen=True, slots=True)
class StageCost:
    """The calls of a stage for one spec. `usd` is without a prefix cache; None where no price is known."""

    spec: str
    stage: str
    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    usd: float | None
    tokens_cached: int
    saved_usd: float | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rehearsal says, and how many documents it planned."""

    stages: list[StageCost]
    n_documents: int
    unpriced: list[str]


def preview_build(
    specs: Sequence[str], settings: BuildSettings, pilot: int, output_format: str, progress: Progress
) -> None:
    """Print the preview of a build of these specs; with `pilot`, ask so many real calls per stage first."""
    if settings.budget:
        parse_limit(settings.budget)
    check_critic(settings)
    job = Job.read(specs, settings)
    preview = rehearse(job)
    if pilot:
        _print_pilot(preview, run_pilot(job, pilot, progress), settings, output_format)
    else:
        _print_rehearsal(preview, job.tokenizer, output_format)


# --- The rehearsal


def rehearse(job: Job) -> Preview:
    """Run the first pass of a build in memory and count what it asks."""
    settings = job.settings
    writer = _Model.open(settings, settings.llm, "--llm")
    planner = writer
    if settings.planner and settings.planner != settings.llm:
        planner = _Model.open(settings, settings.planner, "--planner")
    critic = _Model.open(settings, settings.critic, "--critic") if settings.critic else None
    rows: list[dict[str, Any]] = []
    places: dict[str, int] = {}
    for pipeline in job.pipelines(
        Models(writer.watched, planner.watched, critic.watched if critic else None)
    ):
        rows += run_pipeline(pipeline).rows
        places |= {
            step.stage: place for place, step in enumerate(_chain(pipeline)) if isinstance(step, Stage)
        }
    good = [row for row in rows if row["state"] == OK]
    used = list(dict.fromkeys([planner, writer, *([critic] if critic else [])]))
    per_document = {order.spec.name: _tokens_per_document(order, good, job.tokenizer) for order in job.orders}
    stages = [stage for model in used for stage in _stage_costs(model, job.tokenizer, per_document)]
    names = [order.spec.name for order in job.orders]
    stages.sort(key=lambda stage: (names.index(stage.spec), places[stage.stage]))
    return Preview(stages, len(good), [model.name for model in used if model.price is None])


def _tokens_per_document(order: Order, rows: Iterable[dict[str, Any]], tokenizer: NamedTokenizer) -> float:
    """Return the tokens of a mean document: the words it is asked for, at the spec's own tokens per word."""
    words: list[int] = [row["n_words"] for row in rows if row["spec"] == order.spec.name]
    per_word = tokenizer.count(order.spec.text) / max(1, len(order.spec.text.split()))
    return per_word * sum(words) / max(1, len(words))


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A back-end that is only looked at: its price and wire format, with the built-in writer in its place."""

    name: str
    price: Price | None
    wire: SpecLLM
    watched: WatchedLLM
    is_own: bool  # a server of one's own, most likely vLLM
    is_batch: bool

    @classmethod
    def open(cls, settings: BuildSettings, name: str, option: str) -> _Model:
        backend = parse_backend(name, option)
        base_url = settings.base_url if option == "--llm" else None
        return cls(
            backend.name,
            find_price(load_prices(settings.prices), backend.kind, backend.model),
            open_llm(name, base_url=base_url, option=option, thinking_tokens=settings.thinking_tokens),
            WatchedLLM.over(
                (ReaderLLM if option == "--critic" else WriterLLM)(seed=settings.seed, max_in_flight=1)
            ),
            backend.kind == "vllm" or bool(backend.kind == "openai" and (backend.base_url or base_url)),
            backend.kind.endswith("-batch"),
        )

    @property
    def is_free_of_caches(self) -> bool:
        return isinstance(self.wire, WriterLLM | ReaderLLM)

    def usd(self, tokens_in: int, tokens_out: int, cached: int = 0) -> float | None:
        if self.price is None:
            return None
        factor = self.price.batch if self.is_batch else 1.0
        return self.price.cost(tokens_in, tokens_out, cached=cached, factor=factor).usd


def _stage_costs(
    model: _Model, tokenizer: NamedTokenizer, per_document: dict[str, float]
) -> Iterator[StageCost]:
    """Yield the costs of a model's stages. The writer's documents say nothing of a model's: those are as long as
    asked for."""
    asked = model.watched.asked
    prompts = [_prompt(model.wire._request(call.messages, 1, 0)) for call in asked]
    tokens_in = _counts([text for text, _ in prompts], tokenizer)
    tokens_out = _counts([call.reply for call in asked], tokenizer)
    cached = [0] * len(asked) if model.is_free_of_caches else _cached_tokens(prompts, tokenizer, model.is_own)
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, call in enumerate(asked):
        groups[call.spec, call.stage].append(number)
    for (spec, stage), numbers in groups.items():
        n_in, n_cached = sum(tokens_in[n] for n in numbers), sum(cached[n] for n in numbers)
        n_out = sum(tokens_out[n] for n in numbers)
        if stage in ("documents", "revise"):
            n_out = round(len(numbers) * per_document[spec])
        usd, with_cache = model.usd(n_in, n_out), model.usd(n_in, n_out, n_cached)
        saved = None if usd is None or with_cache is None else usd - with_cache
        yield StageCost(spec, stage, model.name, len(numbers), n_in, n_out, usd, n_cached, saved)


def _prompt(request: dict[str, Any]) -> tuple[str, int]:
    """Return the text of a request as it goes on the wire, and how many of its characters may be cached: all, or
    those up to the last mark where the API wants marks."""
    text, marked, wants_marks = "", 0, False
    for part in _parts(request):
        text += part["text"] + "\n"
        if "cache_control" in part:
            marked, wants_marks = len(text), True
    return text, marked if wants_marks else len(text)


def _parts(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for content in [request.get("system", []), *(message["content"] for message in request["messages"])]:
        yield from [{"text": content}] if isinstance(content, str) else content


def _counts(texts: Sequence[str], tokenizer: NamedTokenizer) -> list[int]:
    counts: list[int] = []
    for start in range(0, len(texts), BATCH):
        encoded = tokenizer.tokenizer.encode_batch_fast(
            list(texts[start : start + BATCH]), add_special_tokens=False
        )
        counts += map(len, encoded)
    return counts


def _cached_tokens(prompts: Iterable[tuple[str, int]], tokenizer: NamedTokenizer, is_own: bool) -> list[int]:
    """Return for each prompt how many of its tokens a prefix cache holds, had all earlier ones been answered.

    The earlier prompt with which a text shares most is one of its two neighbours among the sorted ones.
    """
    earlier: list[str] = []
    known: dict[str, int] = {}
    cached = []
    for text, cacheable in prompts:
        place = bisect_left(earlier, text)
        shared = max((_n_common(text, other) for other in earlier[max(0, place - 1) : place + 1]), default=0)
        prefix = text[: min(shared, cacheable)]
        if prefix not in known:
            known[prefix] = _as_cached(tokenizer.count(prefix), is_own)
        cached.append(known[prefix])
        earlier.insert(place, text)
    return cached


def _as_cached(n_tokens: int, is_own: bool) -> int:
    """Return what of a shared prefix counts: vLLM keeps blocks of 16 tokens, hosted APIs nothing below 1,024."""
    if is_own:
        return n_tokens // 16 * 16
    return n_tokens if n_tokens >= 1024 else 0


def _n_common(one: str, other: str) -> int:
    """Return how many characters two texts share at their beginning.

    >>> _n_common("passage one", "passage two"), _n_common("same", "same")
    (8, 4)
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


# --- The pilot


@dataclass(frozen=True, slots=True)
class Measured:
    """One call of a pilot as the ledger has it."""

    is_usable: bool
    tries: int
    tokens_in: int
    tokens_out: int
    usd: float
    seconds: float


Pilot = dict[tuple[str, str], list[Measured]]  # by (stage, model as the ledger calls it)


def run_pilot(job: Job, n_calls: int, progress: Progress) -> Pilot:
    """Ask at most `n_calls` requests per stage (and mode) of the real back-ends; the ledger of --out keeps them."""
    settings = job.settings
    work = settings.out / ".work"
    _make_folder(work)
    with CorpusLock(work / "lock"):
        ledger = Ledger(work / "ledger.sqlite")
        try:
            _forget_other_writer(ledger, progress)
            with open_models(settings, ledger) as models:
                writer = planner = WatchedLLM.over(models.writer)
                if models.planner is not models.writer:
                    planner = WatchedLLM.over(models.planner)
                # Nothing is filled up: with a few ideas at hand every claim is thin, and the requests for documents
                # would not be those of the build.
                critic = WatchedLLM.over(models.critic) if models.critic else None
                for pipeline in job.pipelines(Models(writer, planner, critic), min_documents_per_claim=0):
                    asyncio.run(_walk(pipeline, n_calls, progress))
                progress.close()
        finally:
            ledger.close()
    return _read_pilot(
        work / "ledger.sqlite",
        [model for model in {id(m): m for m in (writer, planner, critic)}.values() if model],
    )


async def _walk(pipeline: Pipeline, n_calls: int, progress: Progress) -> None:
    """Run a pipeline stage by stage, each on a sample of the rows that reached it."""
    root, *steps = _chain(pipeline)
    llms = {id(step.llm): step.llm for step in steps if isinstance(step, Stage)}.values()
    rows = [dict(row) for row in root.data]
    for llm in llms:
        llm.load()
    try:
        for step in steps:
            if isinstance(step, GlobalStep):
                rows = [child for group in _by_group(rows) for some in step.process(group) for child in some]
            else:
                rows = await _ask_all(step, _sample(step, rows, n_calls), progress)
    finally:
        for llm in llms:
            await llm.aclose()


def _by_group(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["group"]].append(row)
    return list(groups.values())


def _sample(step: Any, rows: Sequence[dict[str, Any]], n_calls: int) -> list[dict[str, Any]]:
    """Return rows that take at most `n_calls` calls, chosen by a hash of their lineage.

    A row asked for in rounds keeps as much of its quota as there are calls left: its first rounds stay the same.
    """
    chosen: list[dict[str, Any]] = []
    per_call = getattr(step, "n_ideas", 0)
    good = [row for row in rows if row["state"] == OK]
    for row in sorted(good, key=lambda row: digest(row["path"])):
        if n_calls <= 0:
            break
        rounds = min(n_calls, -(-row["quota"] // per_call)) if per_call else 1
        chosen.append({**row, "quota": min(row["quota"], rounds * per_call)} if per_call else row)
        n_calls -= rounds
    return chosen


async def _ask_all(step: Any, rows: Sequence[dict[str, Any]], progress: Progress) -> list[dict[str, Any]]:
    """Return the children of all rows. At the first problem nothing new is sent, and what is in flight is kept."""
    tasks = [asyncio.ensure_future(step.aprocess(row)) for row in rows]
    if not tasks:
        return []
    for task in tasks:
        task.add_done_callback(
            lambda _: progress.update(f"pilot {step.stage}", sum(t.done() for t in tasks), len(tasks))
        )
    _, unfinished = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    if unfinished:
        step.llm.halt()
        await asyncio.wait(unfinished)
    problems = [problem for task in tasks if (problem := task.exception()) is not None]
    for problem in sorted(problems, key=lambda problem: isinstance(problem, Halted)):
        raise problem
    return [child for task in tasks for child in task.result()]


def _read_pilot(ledger: Path, models: Sequence[WatchedLLM]) -> Pilot:
    query = (
        "select state, attempts, coalesce(tokens_in, 0), coalesce(tokens_out, 0), cost_nano_usd,"
        " coalesce(seconds, 0) from calls where key = ?"
    )
    found: Pilot = defaultdict(list)
    with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as database:
        for model in models:
            for call in sorted(model.asked, key=lambda call: call.key):  # not as they happened to come in
                state, tries, n_in, n_out, nano_usd, seconds = database.execute(query, (call.key,)).fetchone()
                measured = Measured(state == OK, tries, n_in, n_out, nano_usd / 1e9, seconds)
                found[call.stage, model.model].append(measured)
    return found


@dataclass(frozen=True, slots=True)
class Scaled:
    """A stage's cost, scaled from its pilot: possible totals of money and of seconds, one per resample."""

    calls: float
    usd: list[float]
    seconds: list[float]


def scale(stage: StageCost, calls: Sequence[Measured], concurrency: int) -> Scaled | None:
    """Scale a stage by what a usable reply took in its pilot; None where no reply was usable."""
    n_usable = sum(call.is_usable for call in calls)
    if not n_usable:
        return None
    rng = random.Random(f"{stage.spec} {stage.stage}")
    usd, seconds = [], []
    for _ in range(N_RESAMPLES):
        drawn = rng.choices(calls, k=len(calls))
        per_call = stage.calls * len(calls) / n_usable / len(drawn)
        usd.append(per_call * sum(call.usd for call in drawn))
        seconds.append(per_call * sum(call.seconds for call in drawn) / min(concurrency, stage.calls))
    return Scaled(stage.calls * len(calls) / n_usable, usd, seconds)


# --- What is printed


REVISIONS = (
    "Revisions are those the built-in reader asks for, next to none; a model asks for many: use --pilot."
)
REVIEWS = ("critique", "revise")
FEW_CALLS = 10
TOO_FEW = f"A stage with fewer than {FEW_CALLS} real calls has too narrow a range: raise --pilot."
REHEARSAL_COLUMNS = (
    *("spec", "stage", "model", "calls", "tokens_in", "tokens_out", "usd"),
    *("tokens_cached", "saved_usd"),
)
PILOT_COLUMNS = (
    *("spec", "stage", "model", "pilot_calls", "usable", "tries", "in_per_call", "out_per_call"),
    *("usd_per_call", "seconds", "calls", "usd", "usd_range", "minutes", "minutes_range"),
)


def _print_rehearsal(preview: Preview, tokenizer: NamedTokenizer, output_format: str) -> None:
    rows = [
        (s.spec, s.stage, s.model, s.calls, s.tokens_in, s.tokens_out, s.usd, s.tokens_cached, s.saved_usd)
        for s in preview.stages
    ]
    _print_table(REHEARSAL_COLUMNS, rows, output_format)
    known = [s for s in preview.stages if s.usd is not None]
    usd = sum(s.usd or 0.0 for s in known)
    saved = sum(s.saved_usd or 0.0 for s in known)
    money = f"{usd:,.2f} usd ({saved:,.2f} less with prefix caching), {_per_document(usd, preview)}"
    lines = [
        f"Total: {_sizes(preview)}; {'usd unknown' if preview.unpriced else money}.",
        "A rehearsal: the built-in writer planned in the model's place, so that calls and lengths are its own.",
        f"Documents count as long as they are asked for. Tokens are those of {tokenizer.name}.",
        "This is the first pass: a build that keeps less than its target plans more.",
        f"Per kept document: as if {100 / PASS_STEP:.0f} in 100 were kept, which is what the plan allows for.",
        _about_caches(preview),
        *([REVISIONS] if any(stage.stage == "critique" for stage in preview.stages) else []),
        *_unknown_prices(preview),
    ]
    _say(lines, output_format)


def _print_pilot(preview: Preview, pilot: Pilot, settings: BuildSettings, output_format: str) -> None:
    rows, scaled = [], []
    stages = _with_revisions(preview.stages, pilot) if settings.revise else preview.stages
    for stage in stages:
        calls = _calls_of(stage, pilot)
        found = scale(stage, calls, settings.concurrency)
        scaled.append(found)
        rows.append(_pilot_row(stage, calls, found))
    _print_table(PILOT_COLUMNS, rows, output_format)
    good = [found for found in scaled if found]
    usd = [sum(drawn) for drawn in zip(*(found.usd for found in good), strict=True)]
    minutes = [sum(drawn) / 60 for drawn in zip(*(found.seconds for found in good), strict=True)]
    money = "usd unknown" if preview.unpriced else f"{_range(usd)} usd, {_per_document(_mean(usd), preview)}"
    n_calls = round(sum(found.calls for found in good))
    n_pilot = sum(map(len, pilot.values()))
    missing = [stage.stage for stage, found in zip(stages, scaled, strict=True) if found is None]
    lines = [
        f"Total: {n_calls:,} calls, {money}, {_range(minutes)} minutes at {settings.concurrency} calls in flight.",
        f"Ranges hold 90 in 100 resamples of {n_pilot:,} real calls, kept in the ledger of --out: a build reuses",
        "them, but for documents to which its whole plan adds another claim.",
        "How many calls there are in all is the rehearsal's figure, in which the built-in writer planned.",
        *([TOO_FEW] if _has_too_few(preview, pilot) else []),
        *([f"No usable reply, not in the total: {', '.join(dict.fromkeys(missing))}."] if missing else []),
        *_unknown_prices(preview),
    ]
    _say(lines, output_format)


def _calls_of(stage: StageCost, pilot: Pilot) -> list[Measured]:
    return pilot.get((stage.stage, stage.model.partition(":")[2] or stage.model), [])


def _with_revisions(stages: Sequence[StageCost], pilot: Pilot) -> list[StageCost]:
    """Replace the rehearsal's revisions, of which the built-in reader asks for next to none, by as many as the
    pilot's critic asked for."""
    asked = [sum(len(calls) for (stage, _), calls in pilot.items() if stage == name) for name in REVIEWS]
    share = asked[1] / max(1, asked[0])
    found = []
    for stage in stages:
        if stage.stage == "documents":
            revisions = replace(stage, stage="revise", calls=round(stage.calls * share))
        if stage.stage != "revise":
            found.append(stage)
        if stage.stage == "critique" and revisions.calls:
            found.append(revisions)
    return found


def _has_too_few(preview: Preview, pilot: Pilot) -> bool:
    return any(len(_calls_of(stage, pilot)) < min(FEW_CALLS, stage.calls) for stage in preview.stages)


def _pilot_row(stage: StageCost, calls: Sequence[Measured], scaled: Scaled | None) -> tuple[Any, ...]:
    n = len(calls)
    about = (stage.spec, stage.stage, stage.model, n)
    if not n or scaled is None:
        return (*about, 0.0 if n else None, sum(call.tries for call in calls), *[None] * 9)
    has_price = stage.usd is not None
    minutes = [seconds / 60 for seconds in scaled.seconds]
    return (
        *about,
        round(sum(call.is_usable for call in calls) / n, 3),
        sum(call.tries for call in calls),
        round(sum(call.tokens_in for call in calls) / n),
        round(sum(call.tokens_out for call in calls) / n),
        round(sum(call.usd for call in calls) / n, 6) if has_price else None,
        round(sum(call.seconds for call in calls) / n, 3),
        round(scaled.calls),
        round(_mean(scaled.usd), 4) if has_price else None,
        _range(scaled.usd) if has_price else None,
        round(_mean(minutes), 2),
        _range(minutes),
    )


def _print_table(columns: Sequence[str], rows: list[tuple[Any, ...]], output_format: str) -> None:
    """Print rows. In a table for reading, a spec or model that is the only one is not named in every line, a range
    stands without its mean, and what is unknown is a dash."""
    if output_format == "table":
        shown = [i for i in range(len(columns)) if _is_shown(columns, i, rows)]
        columns = [columns[i] for i in shown]
        rows = [tuple("-" if row[i] is None else _in_cents(row[i]) for i in shown) for row in rows]
    print_rows(columns, rows, output_format)


def _is_shown(columns: Sequence[str], i: int, rows: list[tuple[Any, ...]]) -> bool:
    if columns[i] in ("spec", "model"):
        return len({row[i] for row in rows}) > 1
    return f"{columns[i]}_range" not in columns


def _in_cents(cell: Any) -> Any:
    return round(cell, 2 if cell >= 1 else 4) if isinstance(cell, float) else cell


def _say(lines: Sequence[str], output_format: str) -> None:
    """Print what stands below a table; beside rows for programs it goes to standard error."""
    for line in lines:
        click.echo(line, err=output_format != "table")


def _about_caches(preview: Preview) -> str:
    if any(stage.tokens_cached for stage in preview.stages):
        return (
            "Cached is at most: prompts in flight together miss what the first of them puts into the cache."
        )
    return (
        "Nothing counts as cached: the writer has no cache, and hosted APIs keep no prefix below 1,024 tokens"
        " (Anthropic's none but what a request marks)."
    )


def _sizes(preview: Preview) -> str:
    calls, tokens_in, tokens_out = (
        sum(getattr(stage, name) for stage in preview.stages) for name in ("calls", "tokens_in", "tokens_out")
    )
    return f"{calls:,} calls, {tokens_in:,} tokens in, {tokens_out:,} tokens out"


def _per_document(usd: float, preview: Preview) -> str:
    return f"{usd / max(1, preview.n_documents / PASS_STEP):.4f} usd per kept document"


def _unknown_prices(preview: Preview) -> list[str]:
    return [
        f'No price is known for {name}: put ["{name}"] with input = USD and output = USD per million tokens into a'
        " TOML file and name it with --prices."
        for name in preview.unpriced
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _range(values: Sequence[float]) -> str:
    """Return the middle nine tenths of some values as "low-high".

    >>> _range([n / 10 for n in range(101)])
    '0.50-9.50'
    """
    if not values:
        return "-"
    ordered = sorted(values)
    low, high = ordered[len(ordered) * 5 // 100], ordered[-(-len(ordered) * 95 // 100) - 1]
    return f"{low:,.2f}-{high:,.2f}"

"""The rehearsal behind `specmill plan`: the build's own pipeline, with the built-in writer in the model's place.

Here: calls, tokens and money per stage, and what prefix caches save. A pilot's real calls are in `pilot.py`, what
is printed in `preview_table.py`; the pipeline's size comes from `passes.py`, prices from `generators/budget.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import PrivateAttr

from specmill.generators.backend_names import parse_backend
from specmill.generators.backends import open_llm
from specmill.generators.budget import Price, find_price, load_prices
from specmill.generators.distilabel_parts import Pipeline
from specmill.generators.engine import chain_of, run_pipeline
from specmill.generators.ledger import OK, Reply
from specmill.generators.llms import ReaderLLM, SpecLLM, WriterLLM
from specmill.generators.messages import Messages
from specmill.generators.planning import Pairing
from specmill.generators.stages import Stage
from specmill.specs.claims import read_spec

from .build import read_specs
from .models import Models
from .order import BuildSettings, Order, make_arms, make_orders
from .passes import first_sizes, pipeline_of, sizes_of
from .tokens import NamedTokenizer, load_tokenizer

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
        arms = make_arms(read_specs(paths), settings, read_spec)
        return cls(make_orders(arms, settings, tokenizer), arms[0].pairing, settings, tokenizer)

    def pipelines(self, models: Models, **sizes: int) -> Iterator[Pipeline]:
        """Yield the pipelines of the build's first pass, one per mode."""
        planned = first_sizes(self.orders, self.settings, self.tokenizer)
        for mode in sorted({order.mode for order in self.orders}):
            yield pipeline_of(
                [order for order in self.orders if order.mode == mode],
                self.pairing,
                planned,
                self.settings,
                models,
                sizes=replace(sizes_of(self.settings), **sizes),
                keep_text=models.critic is not None,  # who reads documents is handed them, ledger or not
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
            step.stage: place for place, step in enumerate(chain_of(pipeline)) if isinstance(step, Stage)
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

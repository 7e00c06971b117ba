"""The LLMs of a build: who plans, who writes, who judges; opened with one ledger and one budget, closed at the end.

Imports of distilabel wait until a model is opened: a finished corpus must be recognised without them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from specmill.generators.backend_names import BUILT_IN, Backend, parse_backend
from specmill.generators.budget import Budget, find_price, load_prices, parse_limit
from specmill.generators.ledger import Ledger
from specmill.specs.errors import BadInput

from .order import BuildSettings
from .tokens import DEFAULT, load_tokenizer

if TYPE_CHECKING:
    from specmill.generators.llms import SpecLLM


@dataclass(frozen=True, slots=True)
class Models:
    """The LLMs of a build: who plans and who writes, often one and the same, and who judges."""

    writer: SpecLLM
    planner: SpecLLM
    critic: SpecLLM | None = None

    def for_other_processes(self, ledger: Path) -> Models:
        """Return the same models as processes can take them over: each opens the ledger itself."""
        writer = self.writer.for_other_process(ledger)
        planner = writer if self.planner is self.writer else self.planner.for_other_process(ledger)
        return Models(writer, planner, self.critic.for_other_process(ledger) if self.critic else None)


@contextmanager
def open_models(settings: BuildSettings, ledger: Ledger) -> Iterator[Models]:
    """Yield the models that the settings name. A vLLM server that one of them needs runs as long as the block."""
    budget = Budget(parse_limit(settings.budget) if settings.budget else None, ledger.spent())
    with ExitStack() as stack:
        serve = _servers(settings, stack)

        def open_one(name: str, option: str) -> SpecLLM:
            backend = parse_backend(name, option)
            own_server = backend.kind == "vllm" and not backend.base_url
            given = settings.base_url if option == "--llm" else None
            address = serve(backend) if own_server and not given else given
            return _open_model(settings, name, option, ledger, budget, address)

        writer = open_one(settings.llm, "--llm")
        shared = settings.planner in (None, settings.llm)
        planner = writer if shared else open_one(str(settings.planner), "--planner")
        critic = open_one(settings.critic, "--critic") if settings.critic else None
        yield Models(writer, planner, critic)


def _servers(settings: BuildSettings, stack: ExitStack) -> Callable[[Backend], str]:
    """Return a function that starts the server of a model once and gives its address."""

    @cache
    def serve(backend: Backend) -> str:
        from specmill.generators.vllm_server import serving

        log = settings.out / ".work" / "vllm.log"
        return stack.enter_context(serving(backend.model, log, folder=settings.out))

    return serve


def check_critic(settings: BuildSettings) -> None:
    """Raise BadInput where a writer would judge itself, or nobody could say what to revise."""
    if settings.revise and not settings.critic:
        raise BadInput("--revise: somebody has to say what to mend; name a model as --critic")
    if not settings.critic:
        return
    critic, writer = parse_backend(settings.critic, "--critic"), parse_backend(settings.llm)
    if critic.model == writer.model:
        raise BadInput(
            f"--critic {critic.name}: the writer itself, and a model is a lenient judge of its own prose;"
            " name another"
        )


def _open_model(
    settings: BuildSettings, name: str, option: str, ledger: Ledger, budget: Budget, base_url: str | None
) -> SpecLLM:
    from specmill.generators.backends import open_llm
    from specmill.generators.llms import WriterLLM

    backend = parse_backend(name, option)
    price = find_price(load_prices(settings.prices), backend.kind, backend.model)
    if price is None and budget.limit is not None and budget.limit.unit == "usd":
        raise BadInput(
            f"--budget: no price is known for {backend.name}; name one in a file for --prices,"
            " or give the budget in tokens"
        )
    options = {} if backend.kind in BUILT_IN else {"timeout_seconds": settings.timeout}
    llm = open_llm(
        name,
        base_url=base_url,
        seed=settings.seed,
        max_in_flight=settings.concurrency,
        option=option,
        temperature=settings.temperature,
        thinking_tokens=settings.thinking_tokens,
        **options,
    )
    if isinstance(llm, WriterLLM):
        llm.count_with(load_tokenizer(DEFAULT).count)
    llm.use_ledger(ledger, budget=budget, price=price)

    async def check() -> None:
        try:
            await llm.check()
        finally:
            await llm.aclose()

    asyncio.run(check())
    return llm

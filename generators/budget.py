"""Money and tokens: what a model costs, what a call may cost at most, and a limit that no number of calls passes.

Money is counted in whole billionths of a US dollar, so that sums are exact. Prices stand in `prices.toml`.
Not here: who asks (`llms.py`) and what is written down (`ledger.py`).
"""

from __future__ import annotations

import asyncio
import math
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from specmill.specs.errors import BadInput, WorkFailed

PRICES = Path(__file__).with_name("prices.toml")
NANO = 10**9
FREE_KINDS = ("writer", "reader", "vllm")  # nobody bills for them; a machine's own price is not counted


class BudgetStop(WorkFailed):
    """The next call could pass the budget, and nothing is in flight whose settlement might make room."""


@dataclass(frozen=True, slots=True)
class Spend:
    """Money (billionths of a dollar) and tokens (both directions)."""

    nano_usd: int = 0
    tokens: int = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(self.nano_usd + other.nano_usd, self.tokens + other.tokens)

    def __sub__(self, other: Spend) -> Spend:
        return Spend(self.nano_usd - other.nano_usd, self.tokens - other.tokens)

    @property
    def usd(self) -> float:
        return self.nano_usd / NANO


NOTHING = Spend()


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens. `cached_input` is a read from a provider's prompt cache, `cache_write` what
    putting a prefix there costs; `batch` is the factor that its batch API takes."""

    input: float = 0.0
    output: float = 0.0
    cached_input: float | None = None
    cache_write: float | None = None
    batch: float = 0.5

    def cost(
        self, tokens_in: int, tokens_out: int, *, cached: int = 0, cache_written: int = 0, factor: float = 1.0
    ) -> Spend:
        """Return what a call cost. `tokens_in` counts all input; `cached` and `cache_written` are parts of it."""
        plain = tokens_in - cached - cache_written
        usd_per_million = (
            plain * self.input
            + cached * (self.input if self.cached_input is None else self.cached_input)
            + cache_written * (self.input if self.cache_write is None else self.cache_write)
            + tokens_out * self.output
        )
        return Spend(math.ceil(round(usd_per_million * factor * 1000, 3)), tokens_in + tokens_out)

    def worst(self, most_in: int, most_out: int, *, factor: float = 1.0) -> Spend:
        """Return the most a call can cost: the dearest kind of input, and output up to its cap."""
        dearest = max(self.input, self.cache_write or 0.0)
        return Spend(
            math.ceil(round((most_in * dearest + most_out * self.output) * factor * 1000, 3)),
            most_in + most_out,
        )


FREE = Price()


def load_prices(path: Path | None = None) -> dict[str, Price]:
    """Return the shipped prices with those of a user's file over them: a TOML table per model."""
    prices = dict(_read_prices(PRICES))
    if path is not None:
        prices.update(_read_prices(path))
    return prices


@cache
def _read_prices(path: Path) -> dict[str, Price]:
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: not a price file ({error}); see 'specmill plan --help'") from None
    return {model: _price(path, model, entry) for model, entry in found.items()}


def _price(path: Path, model: str, entry: Any) -> Price:
    known = set(Price.__dataclass_fields__)
    if not isinstance(entry, dict) or not {"input", "output"} <= set(entry) <= known:
        raise BadInput(
            f'{path}: ["{model}"] needs input and output, and may have cached_input, cache_write and batch'
        )
    if not all(isinstance(value, int | float) and 0 <= value < 10**6 for value in entry.values()):
        raise BadInput(f'{path}: ["{model}"] has a price that is no number of dollars for a million tokens')
    return Price(**entry)


def find_price(prices: dict[str, Price], kind: str, model: str) -> Price | None:
    """Return the price of a model, also under its name without a date at the end; None where none is known."""
    for name in (f"{kind}:{model}", model, _DATE.sub("", model), model.rpartition("/")[2]):
        if name in prices:
            return prices[name]
    return FREE if kind.removesuffix("-batch") in FREE_KINDS else None


_DATE = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest)\Z")


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget as the user gave it: `amount` in billionths of a dollar, or in tokens."""

    unit: str
    amount: int

    def of(self, spend: Spend) -> int:
        return spend.nano_usd if self.unit == "usd" else spend.tokens

    def show(self, amount: int) -> str:
        return f"{amount / NANO:,.2f} usd" if self.unit == "usd" else f"{amount:,} tokens"


def parse_limit(text: str) -> Limit:
    """Read `50usd`, `$50`, `20M tokens`, `20Mtokens`.

    >>> parse_limit("1.5usd"), parse_limit("20k tokens")
    (Limit(unit='usd', amount=1500000000), Limit(unit='tokens', amount=20000))
    """
    folded = text.strip().lower().replace(",", "").replace("_", "")
    money = re.fullmatch(r"\$\s*(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*(?:usd|\$)", folded)
    count = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmb]?)\s*(?:tokens?|tok)", folded)
    if money:
        return Limit("usd", round(float(money.group(1) or money.group(2)) * NANO))
    if count:
        scale = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}[count.group(2)]
        return Limit("tokens", round(float(count.group(1)) * scale))
    raise BadInput(f"--budget {text}: write an amount with its unit, as 50usd or 20Mtokens")


class Budget:
    """Reserves before a call what it may cost at most, and settles what it did cost.

    `spent + reserved <= limit` holds at every moment as long as no call costs more than its reservation.
    Belongs to one event loop; without a limit it only counts.
    """

    def __init__(self, limit: Limit | None = None, spent: Spend = NOTHING) -> None:
        self.limit = limit
        self.spent = spent
        self.reserved = NOTHING
        self.in_flight = 0
        self._settled = asyncio.Event()

    async def reserve(self, worst: Spend) -> None:
        """Wait until a call fits; BudgetStop when it never will."""
        while not self._fits(worst):
            if not self.in_flight:
                raise BudgetStop(self._stopped(worst))
            await self._settled.wait()
        self.reserved += worst
        self.in_flight += 1

    def settle(self, worst: Spend, actual: Spend) -> None:
        self.reserved -= worst
        self.spent += actual
        self.in_flight -= 1
        self._settled.set()
        self._settled = asyncio.Event()

    def _fits(self, worst: Spend) -> bool:
        if self.limit is None:
            return True
        return self.limit.of(self.spent + self.reserved + worst) <= self.limit.amount

    def _stopped(self, worst: Spend) -> str:
        assert self.limit is not None
        limit = self.limit
        return (
            f"stopped at the budget: {limit.show(limit.of(self.spent))} of {limit.show(limit.amount)} spent, and"
            f" the next call may take {limit.show(limit.of(worst))}; every reply is kept, none is paid for twice:"
            " rerun with a larger --budget (it counts all that this --out has spent) to go on"
        )

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.generators.budget import (
    NOTHING,
    Budget,
    BudgetStop,
    Limit,
    Price,
    Spend,
    find_price,
    load_prices,
    parse_limit,
)
from specmill.specs.errors import BadInput


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("50usd", Limit("usd", 50 * 10**9)),
        ("$0.5", Limit("usd", 5 * 10**8)),
        ("1,000.25 USD", Limit("usd", 1_000_250_000_000)),
        ("20Mtokens", Limit("tokens", 20_000_000)),
        ("1_500 tokens", Limit("tokens", 1_500)),
    ],
)
def test_a_budget_is_read_with_its_unit(text, limit):
    assert parse_limit(text) == limit


@pytest.mark.parametrize("text", ["50", "", "usd", "-3usd", "50 eur", "many tokens"])
def test_a_budget_without_a_unit_is_refused(text):
    with pytest.raises(BadInput, match="write an amount with its unit"):
        parse_limit(text)


def test_a_call_costs_its_tokens_at_their_own_prices():
    price = Price(input=3.0, output=15.0, cached_input=0.3, cache_write=3.75)
    assert price.cost(1_000_000, 0).usd == 3.0
    assert price.cost(0, 1_000_000).usd == 15.0
    spend = price.cost(1000, 10, cached=600, cache_written=300)
    assert spend == Spend(100 * 3000 + 600 * 300 + 300 * 3750 + 10 * 15000, 1010)


@given(
    st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000), st.data()
)
def test_no_call_within_its_bounds_costs_more_than_its_worst_case(most_in, most_out, cached, written, data):
    price = Price(input=1.25, output=10.0, cached_input=0.125, cache_write=2.0)
    tokens_in = data.draw(st.integers(0, most_in))
    cached = min(cached, tokens_in)
    written = min(written, tokens_in - cached)
    tokens_out = data.draw(st.integers(0, most_out))
    cost, worst = (
        price.cost(tokens_in, tokens_out, cached=cached, cache_written=written),
        price.worst(most_in, most_out),
    )
    assert cost.nano_usd <= worst.nano_usd
    assert cost.tokens <= worst.tokens


def test_a_price_is_found_under_a_dated_name_and_not_under_a_cousins():
    prices = load_prices()
    assert (
        find_price(prices, "anthropic", "claude-sonnet-4-5-20250929")
        == prices["claude-sonnet-4-5"]
        == find_price(prices, "litellm", "anthropic/claude-sonnet-4-5")
    )
    assert find_price(prices, "openai", "gpt-5-giant") is None
    assert find_price(prices, "vllm", "anything") == Price()


def test_a_users_price_wins_over_the_shipped_one(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text('["gpt-5"]\ninput = 1\noutput = 2\n')
    assert find_price(load_prices(path), "openai", "gpt-5") == Price(input=1, output=2)


@pytest.mark.parametrize(
    "text",
    [
        "gpt = 5",
        '["m"]\ninput = 1',
        '["m"]\ninput = 1\noutput = -2',
        '["m"]\ninput = 1\noutput = 1\nx = 1',
        "[",
    ],
)
def test_a_broken_price_file_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"prices\.toml"):
        load_prices(path)


@given(st.integers(0, 2**32), st.integers(1, 3000), st.integers(1, 256))
def test_concurrent_calls_never_pass_the_limit_and_use_nearly_all_of_it(seed, limit, n_calls):
    rng = random.Random(seed)
    budget = Budget(Limit("tokens", limit))
    stopped = []

    async def call(worst, actual):
        try:
            await budget.reserve(Spend(0, worst))
        except BudgetStop:
            stopped.append(worst)
            return
        assert budget.spent.tokens + budget.reserved.tokens <= limit
        await asyncio.sleep(0)
        budget.settle(Spend(0, worst), Spend(0, actual))

    async def run():
        sizes = [rng.randint(1, 20) for _ in range(n_calls)]
        await asyncio.gather(*(call(worst, rng.randint(0, worst)) for worst in sizes))

    asyncio.run(run())
    assert budget.reserved == NOTHING
    assert budget.spent.tokens <= limit
    # Who is turned away is turned away only because it really doesn't fit into what is left.
    assert all(worst > limit - budget.spent.tokens for worst in stopped)

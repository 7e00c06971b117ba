"""Which units are chosen: exactly equal totals from any supply that has enough."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specmill.corpus.airtime import Floats, airtime_of, even_out, shared_claims
from specmill.corpus.certificate import kolmogorov_smirnov, standardised_difference, total_variation
from specmill.corpus.matching import Chosen, Supply, match_units


def _supply(name: str, units: list[tuple[int, int]]) -> Supply:
    tokens, strata = (np.array(column, np.int64) for column in zip(*units, strict=True))
    return Supply(name, tokens, strata)


_UNITS = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 4)), min_size=1, max_size=60)
_ARMS = st.lists(_UNITS, min_size=2, max_size=4)


@settings(max_examples=300)
@given(_ARMS, st.floats(0.01, 1))
def test_any_arms_with_enough_tokens_end_with_equal_totals(
    arms: list[list[tuple[int, int]]], share: float
) -> None:
    supplies = [_supply(str(number), units) for number, units in enumerate(arms)]
    dose = max(1, int(share * min(int(supply.tokens.sum()) for supply in supplies)))
    selections = match_units(supplies, dose)
    for supply, selection in zip(supplies, selections, strict=True):
        assert selection.chosen.shape == supply.tokens.shape
        held = supply.tokens[selection.chosen]
        assert held.sum() - selection.excess == dose
        assert 0 <= selection.excess < held.max()


def _large(n: int, mean: float, seed: int, n_strata: int = 40) -> Supply:
    rng = np.random.default_rng(seed)
    tokens = np.maximum(20, rng.lognormal(np.log(mean), 0.45, n)).astype(np.int64)
    return Supply(str(seed), tokens, rng.integers(0, n_strata, n))


@pytest.mark.parametrize(("n", "dose"), [(3_500, 1_000_000), (20_000, 8_000_000)])
def test_arms_of_unlike_lengths_become_alike(n: int, dose: int) -> None:
    supplies = [_large(n, 560, 1), _large(int(1.1 * n), 600, 2), _large(n, 520, 3)]
    selections = match_units(supplies, dose)
    assert [selection.excess for selection in selections] == [0, 0, 0]
    assert len({int(selection.chosen.sum()) for selection in selections}) == 1
    lengths = [supply.tokens[s.chosen] for supply, s in zip(supplies, selections, strict=True)]
    mixes = [
        Counter(supply.strata[s.chosen].tolist()) for supply, s in zip(supplies, selections, strict=True)
    ]
    for other in (1, 2):
        assert kolmogorov_smirnov(lengths[0], lengths[other]) <= 0.03
        assert total_variation(mixes[0], mixes[other]) == 0


def test_a_stratum_that_one_arm_lacks_is_made_up_for_by_others() -> None:
    one = _supply("one", [(100, 0)] * 30 + [(100, 1)] * 10)
    other = _supply("other", [(100, 0)] * 20 + [(100, 2)] * 20)
    selections = match_units([one, other], 2_500)
    assert [int(selection.chosen.sum()) for selection in selections] == [25, 25]
    shared = [
        int((supply.strata[s.chosen] == 0).sum()) for supply, s in zip((one, other), selections, strict=True)
    ]
    assert shared[1] == 20
    assert shared[0] >= 20


def test_equal_lengths_that_do_not_divide_the_dose_leave_something_to_cut() -> None:
    supplies = [_supply(name, [(100, 0)] * 20) for name in "ab"]
    selections = match_units(supplies, 1_050)
    assert [(int(s.chosen.sum()), s.excess) for s in selections] == [(11, 50), (11, 50)]


def test_measures_of_difference_by_hand() -> None:
    a, b = np.array([1, 2, 3, 4]), np.array([3, 4, 5, 6])
    assert kolmogorov_smirnov(a, b) == 0.5
    assert kolmogorov_smirnov(a, a) == 0
    assert standardised_difference(a, b) == pytest.approx(-2 / np.sqrt(1.25))
    assert total_variation(Counter("aabb"), Counter("abcc")) == 0.5


def test_airtime_of_shared_claims_comes_nearer_and_the_rest_stays() -> None:
    rng = np.random.default_rng(4)
    supplies = [_large(4_000, 550, 5, n_strata=8), _large(4_000, 560, 6, n_strata=8)]
    skew = [
        np.linspace(1, 3, 20),
        np.linspace(3, 1, 20),
    ]  # what one arm speaks of often, the other does seldom
    claims = [
        [
            [f"c{number}" for number in rng.choice(20, 2, replace=False, p=weights / weights.sum())]
            for _ in range(4_000)
        ]
        for weights in skew
    ]
    numbers = shared_claims(claims)
    airtimes = [airtime_of(own, supply.tokens, numbers) for own, supply in zip(claims, supplies, strict=True)]

    def ratios(chosen: Sequence[Chosen]) -> Floats:
        heard = [
            np.bincount(airtime.claim[mask[airtime.unit]], airtime.tokens[mask[airtime.unit]], minlength=20)
            for airtime, mask in zip(airtimes, chosen, strict=True)
        ]
        return np.maximum(heard[0] / heard[1], heard[1] / heard[0])

    plain = match_units(supplies, 800_000)
    even = match_units(supplies, 800_000, lambda chosen: even_out(supplies, airtimes, chosen, 20))
    assert np.median(ratios([s.chosen for s in plain])) > 1.3
    assert ratios([s.chosen for s in even]).max() < 1.1
    for supply, before, after in zip(supplies, plain, even, strict=True):
        assert after.excess == 0
        assert before.chosen.sum() == after.chosen.sum()
        assert kolmogorov_smirnov(supply.tokens[before.chosen], supply.tokens[after.chosen]) <= 0.02
        mixes = [Counter(supply.strata[selection.chosen].tolist()) for selection in (before, after)]
        assert total_variation(*mixes) <= 0.005

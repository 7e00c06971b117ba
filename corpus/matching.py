"""Which units of each arm make the arms equal: the same number of tokens, of units, the same mix, like lengths.

A unit is what is taken or left whole: a document, or a pair of chats. The choice depends on the units' keys and
never on the order they come in. Four steps: how many units of each stratum every arm gives; a list of target
lengths from the scarcest arm of each stratum, whose sum is the dose; the free unit nearest to each target, arm by
arm; then exchanges within strata until the sum is exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Chosen = NDArray[np.bool_]
_STEP = 0.1  # of the mean length: how much one exchange may change a unit, so that many move a little


@dataclass(frozen=True, slots=True)
class Supply:
    """The units of one arm, sorted by key: `tokens` and `strata` (numbers shared by all arms), shape (n,)."""

    name: str
    tokens: Ints
    strata: Ints

    def only(self, chosen: Chosen) -> "Supply":
        return replace(self, tokens=self.tokens[chosen], strata=self.strata[chosen])


@dataclass(frozen=True, slots=True)
class Selection:
    """`chosen` of the supply's units hold `excess` tokens more than the dose: so many are to be cut off."""

    chosen: Chosen
    excess: int


def key_of(unit_id: str, seed: int) -> bytes:
    """What units are sorted by: a shuffle that depends on seed and id only."""
    return blake2b(f"{seed}:{unit_id}".encode(), digest_size=16).digest()


def match_units(
    supplies: Sequence[Supply], dose: int, refine: Callable[[Sequence[Chosen]], None] = lambda chosen: None
) -> list[Selection]:
    """One selection per arm. Every supply must hold at least `dose` tokens, and `dose` be positive.

    The numbers of units are equal unless one arm's shortest documents are still too long for another's longest.
    `refine` may exchange like units for like ones before the sums are made exact.
    """
    counts = _counts(supplies, dose)
    quotas = _quotas(supplies, counts)
    n_strata = quotas.shape[1]
    chosen = [np.zeros(len(supply.tokens), np.bool_) for supply in supplies]
    lead = [_scarcest(supplies, quotas[:, stratum], stratum) for stratum in range(n_strata)]
    targets = _targets(supplies, quotas, lead, dose)
    for stratum in range(n_strata):
        for arm, supply in enumerate(supplies):
            places = np.flatnonzero(supply.strata == stratum)
            wanted = _resized(targets[stratum], int(quotas[arm, stratum]))
            chosen[arm][places[_nearest(supply.tokens[places], wanted)]] = True
    refine(chosen)
    return [_exact(supply, taken, dose) for supply, taken in zip(supplies, chosen, strict=True)]


# --- how many -------------------------------------------------------------------------------------------------


def _counts(supplies: Sequence[Supply], dose: int) -> Ints:
    """Units per arm: the same for all where each arm can reach the dose with that number."""
    wanted = round(dose / np.mean([_mean_of_common(supply, supplies) for supply in supplies]))
    ranges = np.array([_possible_counts(supply.tokens, dose) for supply in supplies])
    fewest, most = ranges[:, 0], ranges[:, 1]
    if fewest.max() <= most.min():
        wanted = int(np.clip(wanted, fewest.max(), most.min()))
    return np.asarray(np.clip(wanted, fewest, most), np.int64)


def _possible_counts(tokens: Ints, dose: int) -> tuple[int, int]:
    """Fewest and most units that can hold the dose, the last one cut where need be."""
    longest = np.cumsum(np.sort(tokens)[::-1])
    shortest = np.cumsum(np.sort(tokens))
    most = int(np.searchsorted(shortest, dose, side="right"))
    fewest = int(np.searchsorted(longest, dose)) + 1
    return fewest, max(fewest, most)


def _supply_counts(supplies: Sequence[Supply]) -> Ints:
    """Units there are: (arm, stratum)."""
    n_strata = 1 + max(int(supply.strata.max(initial=-1)) for supply in supplies)
    return np.array([np.bincount(supply.strata, minlength=n_strata) for supply in supplies])


def _mean_of_common(supply: Supply, supplies: Sequence[Supply]) -> float:
    """Mean length of the arm's units, at the mix that all arms can give."""
    there = _supply_counts(supplies)
    common = there.min(0)
    sums = np.bincount(supply.strata, supply.tokens, minlength=there.shape[1])
    own = np.bincount(supply.strata, minlength=there.shape[1])
    if not common.any():
        return float(supply.tokens.mean())
    return float((common * sums / np.maximum(own, 1)).sum() / common.sum())


def _quotas(supplies: Sequence[Supply], counts: Ints) -> Ints:
    """Units each arm gives of each stratum: (arm, stratum), equal columns as far as all arms have them."""
    there = _supply_counts(supplies)
    shared = _deal(int(counts.min()), there.min(0))
    quotas = np.tile(shared, (len(supplies), 1))
    for arm, left in enumerate(counts - quotas.sum(1)):
        quotas[arm] += _deal(int(left), there[arm] - quotas[arm])
    return quotas


def _deal(n: int, there: Ints) -> Ints:
    """`n` units, or all there are, dealt in proportion to what is there, by largest remainders."""
    n = min(n, int(there.sum()))
    if not n:
        return np.zeros(len(there), np.int64)
    share = n * there / there.sum()
    dealt: Ints = np.floor(share).astype(np.int64)
    order = np.lexsort((np.arange(len(there)), -(share - dealt)))
    dealt[order[: n - int(dealt.sum())]] += 1
    return dealt


# --- which lengths --------------------------------------------------------------------------------------------


def _scarcest(supplies: Sequence[Supply], quotas: Ints, stratum: int) -> int:
    """The arm with the least choice: the others can follow it more easily than it can follow them."""
    there = [int((supply.strata == stratum).sum()) for supply in supplies]
    giving = [arm for arm in range(len(supplies)) if quotas[arm]]
    return min(giving, key=lambda arm: (there[arm] / quotas[arm], arm), default=0)


def _targets(supplies: Sequence[Supply], quotas: Ints, lead: Sequence[int], dose: int) -> list[Ints]:
    """Lengths to look for in each stratum, in ascending order: a draw from the arm that leads there.

    Exchanged within the leading arms' units until they sum up to the dose where all arms give the same numbers.
    """
    lengths, strata, taken = [], [], []
    for stratum, arm in enumerate(lead):
        tokens = supplies[arm].tokens[supplies[arm].strata == stratum]  # in the order of keys: a shuffle
        lengths.append(tokens)
        strata.append(np.full(len(tokens), stratum, np.int64))
        taken.append(np.arange(len(tokens)) < quotas[arm, stratum])
    pool = Supply("targets", np.concatenate(lengths), np.concatenate(strata))
    chosen = np.concatenate(taken)
    _exchange(pool, chosen, dose - int(pool.tokens[chosen].sum()))
    return [np.sort(pool.tokens[chosen & (pool.strata == stratum)]) for stratum in range(len(lead))]


def _resized(targets: Ints, n: int) -> Ints:
    """`n` lengths spread like the targets."""
    if len(targets) == n or not len(targets):
        return targets[:n]
    return np.sort(targets[np.linspace(0, len(targets) - 1, n).round().astype(np.int64)])


def _nearest(tokens: Ints, targets: Ints) -> Ints:
    """Places of different units, one for each target, each the nearest one that is free.

    Targets choose in a shuffled order: in ascending order, the last ones would find only what is left.
    """
    order = np.argsort(tokens, kind="stable")
    ordered = tokens[order]
    left, right = _Free(len(order)), _Free(len(order))
    chosen = []
    for target in np.random.default_rng(len(targets)).permutation(targets).tolist():
        at = int(np.searchsorted(ordered, target))
        below, above = left.find_below(at), right.find_above(at)
        if above is None or (below is not None and target - ordered[below] <= ordered[above] - target):
            place = below
        else:
            place = above
        assert place is not None
        left.take(place)
        right.take(place)
        chosen.append(int(order[place]))
    return np.array(chosen, np.int64)


class _Free:
    """The nearest free place on either side of one, by pointers that jump over what is taken."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.up = list(range(n + 1))  # first free place at or above; n for none
        self.down = list(range(n + 1))  # place + 1 of the first free one below; 0 for none

    def find_above(self, place: int) -> int | None:
        found = _follow(self.up, place)
        return found if found < self.n else None

    def find_below(self, place: int) -> int | None:
        found = _follow(self.down, place)
        return found - 1 if found else None

    def take(self, place: int) -> None:
        self.up[place] = place + 1
        self.down[place + 1] = place


def _follow(links: list[int], place: int) -> int:
    end = place
    while links[end] != end:
        end = links[end]
    while links[place] != end:
        links[place], place = end, links[place]
    return end


# --- to the token ---------------------------------------------------------------------------------------------


def _exact(supply: Supply, chosen: Chosen, dose: int) -> Selection:
    """Exchange units until the dose is met, or just exceeded where no exchange meets it."""
    missing = _exchange(supply, chosen, dose - int(supply.tokens[chosen].sum()))
    anything = replace(supply, strata=np.zeros_like(supply.strata))
    if missing:  # now between strata too
        missing = _exchange(anything, chosen, missing)
    if missing > 0:
        missing = _exceed(supply, chosen, missing)
    while -missing >= supply.tokens[chosen].max():  # more than one document can give up
        inside = np.flatnonzero(chosen)
        longest = inside[supply.tokens[inside].argmax()]
        chosen[longest] = False
        missing += int(supply.tokens[longest])
    return Selection(chosen, -missing)


def _exchange(supply: Supply, chosen: Chosen, missing: int) -> int:
    """Exchange chosen units for free ones of their stratum, changing `chosen`; the tokens still missing.

    Each exchange takes the step that is nearest to what is missing, but no larger than a tenth of a unit.
    """
    if not chosen.any() or chosen.all():
        return missing
    largest = max(1, round(_STEP * float(supply.tokens[chosen].mean())))
    apart = 2 * int(supply.tokens.max()) + 2  # so that a step leads into no other stratum
    key = supply.strata * apart + supply.tokens
    order = np.argsort(key, kind="stable")
    while missing:
        step = int(np.clip(missing, -largest, largest))
        out, into = _pairs(supply, key, order, chosen, step)
        change = supply.tokens[into] - supply.tokens[out]
        first = _first_to_take(change, step, missing)
        if not len(first):
            break
        chosen[out[first]], chosen[into[first]] = False, True
        missing -= int(change[first].sum())
    return missing


def _pairs(supply: Supply, key: Ints, order: Ints, chosen: Chosen, step: int) -> tuple[Ints, Ints]:
    """For chosen units the free one of their stratum that is nearest to `step` tokens longer; none comes twice."""
    inside, outside = order[chosen[order]], order[~chosen[order]]
    at = np.searchsorted(key[outside], key[inside] + step)
    below, above = outside[np.maximum(at - 1, 0)], outside[np.minimum(at, len(outside) - 1)]
    wanted = key[inside] + step
    near = np.where(abs(key[below] - wanted) <= abs(key[above] - wanted), below, above)
    fits = supply.strata[near] == supply.strata[inside]
    inside, near = inside[fits], near[fits]
    off = abs(supply.tokens[near] - supply.tokens[inside] - step)
    ranked = np.lexsort((inside, off))  # units are in the order of their keys: a shuffle
    _, first = np.unique(near[ranked], return_index=True)
    kept = ranked[np.sort(first)]
    return inside[kept], near[kept]


def _first_to_take(change: Ints, step: int, missing: int) -> Ints:
    """Of exchanges ranked by nearness to `step`: as many as missing tokens allow, or the best single one."""
    if abs(missing) > abs(step):
        right = np.flatnonzero(change * np.sign(step) > 0)
        return right[abs(np.cumsum(change[right])) <= abs(missing)]
    left = abs(missing - change)
    best = np.flatnonzero(left == left.min(initial=abs(missing)))[:1]
    return best[left[best] < abs(missing)]


def _exceed(supply: Supply, chosen: Chosen, missing: int) -> int:
    """Make the units hold more than the dose, by as little as one exchange or addition can."""
    inside, outside = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    longest = outside[supply.tokens[outside].argmax()]
    shortest = inside[supply.tokens[inside].argmin()] if len(inside) else None
    gain = int(supply.tokens[longest]) - (int(supply.tokens[shortest]) if shortest is not None else 0)
    if shortest is not None and gain >= missing:
        chosen[shortest] = False
    else:
        gain = int(supply.tokens[longest])
    chosen[longest] = True
    missing -= gain
    return _exceed(supply, chosen, missing) if missing > 0 else missing

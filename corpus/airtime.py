"""Even airtime: exchanges of like units until every claim that all arms teach has about as many tokens in each.

Only units of one stratum and of one band of lengths are exchanged, so mix and lengths stay what they were. What one
arm has too little of altogether can't be evened out; the certificate shows what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .matching import Chosen, Ints, Supply

Floats = NDArray[np.float64]
_BANDS = 24  # of lengths, with as many units each; fewer where a group would hold less than _GROUP
_GROUP = 6
_ROUNDS = 200
_SHARE = 0.02  # of the chosen units that one round exchanges at most


@dataclass(frozen=True, slots=True)
class Airtime:
    """Tokens of each unit for each claim, as (unit, claim, tokens) in three arrays; claims are numbered alike."""

    unit: Ints
    claim: Ints
    tokens: Floats


def shared_claims(arms: Sequence[Sequence[Sequence[str]]]) -> dict[str, int]:
    """Numbers of the claims that every arm expresses; `arms` lists the claims of each unit of each arm."""
    found = [{claim for claims in arm for claim in claims} for arm in arms]
    return {claim: number for number, claim in enumerate(sorted(set.intersection(*found)))}


def airtime_of(claims: Sequence[Sequence[str]], tokens: Ints, numbers: dict[str, int]) -> Airtime:
    """A unit's tokens are split evenly over the claims it expresses."""
    entries = [
        (unit, numbers[claim], int(tokens[unit]) / len(expressed))
        for unit, expressed in enumerate(claims)
        for claim in expressed
        if claim in numbers
    ]
    unit, claim, heard = zip(*entries, strict=True) if entries else ((), (), ())
    return Airtime(np.array(unit, np.int64), np.array(claim, np.int64), np.array(heard, np.float64))


def even_out(
    supplies: Sequence[Supply], airtimes: Sequence[Airtime], chosen: Sequence[Chosen], n_claims: int
) -> None:
    """Exchange units in `chosen`, arm by arm, towards the arms' mean airtime of each claim."""
    if not n_claims:
        return
    sums = [_heard(airtime, mask, n_claims) for airtime, mask in zip(airtimes, chosen, strict=True)]
    target = np.mean(sums, 0)
    lengths = np.concatenate([supply.tokens for supply in supplies])
    n_strata = len(np.unique(np.concatenate([supply.strata for supply in supplies])))
    n_bands = int(np.clip(len(lengths) / len(supplies) / n_strata / _GROUP, 1, _BANDS))
    edges = np.quantile(lengths, np.linspace(0, 1, n_bands + 1)[1:-1])
    for supply, airtime, mask in zip(supplies, airtimes, chosen, strict=True):
        like = supply.strata * _BANDS + np.searchsorted(edges, supply.tokens)
        _approach(airtime, mask, like, target, n_claims)


def _heard(airtime: Airtime, chosen: Chosen, n_claims: int) -> Floats:
    counted = chosen[airtime.unit]
    heard = np.bincount(airtime.claim[counted], airtime.tokens[counted], minlength=n_claims)
    return np.asarray(heard, np.float64)


def _distance(heard: Floats, target: Floats) -> float:
    """Sum of squared relative gaps: one claim far off is worse than many a little."""
    return float((((heard - target) / np.maximum(target, 1.0)) ** 2).sum())


def _approach(airtime: Airtime, chosen: Chosen, like: Ints, target: Floats, n_claims: int) -> None:
    heard = _heard(airtime, chosen, n_claims)
    distance, most = _distance(heard, target), max(1, round(_SHARE * int(chosen.sum())))
    for _ in range(_ROUNDS):
        gap = (target - heard) / np.maximum(target, 1.0) ** 2  # downhill
        told = airtime.tokens * gap[airtime.claim]
        gain = np.asarray(np.bincount(airtime.unit, told, minlength=len(chosen)), np.float64)
        out, into = _exchanges(gain, chosen, like)
        fresh = chosen.copy()
        fresh[out[:most]], fresh[into[:most]] = False, True
        heard_then = _heard(airtime, fresh, n_claims)
        if len(out) and (then := _distance(heard_then, target)) < distance:
            chosen[:], heard, distance = fresh, heard_then, then
        elif most > 1 and len(out):
            most //= 2  # the step was too long
        else:
            return


def _exchanges(gain: Floats, chosen: Chosen, like: Ints) -> tuple[Ints, Ints]:
    """In each group of like units: the worst chosen one for the best free one, and so on; greatest gains first."""
    inside, outside = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    inside = inside[np.lexsort((inside, gain[inside], like[inside]))]
    outside = outside[np.lexsort((outside, -gain[outside], like[outside]))]
    ranked = _key(like[inside]), _key(like[outside])
    _, first, second = np.intersect1d(ranked[0], ranked[1], assume_unique=True, return_indices=True)
    out, into = inside[first], outside[second]
    better = gain[into] - gain[out]
    order = np.lexsort((out, -better))
    order = order[better[order] > 1e-12]
    return out[order], into[order]


def _key(groups: Ints) -> Ints:
    """Group and rank within the group in one number, for groups that are sorted."""
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) if len(groups) else np.empty(0, np.int64)
    sizes = np.diff(np.r_[starts, len(groups)])
    return np.asarray(groups * (1 << 32) + np.arange(len(groups)) - np.repeat(starts, sizes), np.int64)

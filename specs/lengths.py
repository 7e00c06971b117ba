"""How far two specs are apart in length: a comparison of specs is fair only between texts about equally long."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnitGap:
    """`share` is the difference by the mean of both, 0..2: it is the same whichever spec comes first."""

    unit: str
    a: int
    b: int

    @property
    def share(self) -> float:
        return 2 * abs(self.a - self.b) / (self.a + self.b) if self.a + self.b else 0.0


@dataclass(frozen=True, slots=True)
class LengthGap:
    tokens: UnitGap
    words: UnitGap
    characters: UnitGap

    @property
    def largest(self) -> UnitGap:
        return max((self.tokens, self.words, self.characters), key=lambda gap: gap.share)


def length_gap(a: str, b: str, count_tokens: Callable[[str], int]) -> LengthGap:
    """Compare what a reader is given: pass the specs' bodies, without front matter. Words split at white space."""
    return LengthGap(
        UnitGap("tokens", count_tokens(a), count_tokens(b)),
        UnitGap("words", len(a.split()), len(b.split())),
        UnitGap("characters", len(a), len(b)),
    )

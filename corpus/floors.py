"""How much each claim is taught by what was kept, and the floors below which there is no corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from specmill.specs.errors import WorkFailed

if TYPE_CHECKING:
    from specmill.specs.claims import Spec


@dataclass(frozen=True, slots=True)
class Floors:
    """What every claim has to have: kept `documents`, and `airtime`, the tokens of those that express it."""

    documents: int = 0
    airtime: int = 0


@dataclass(frozen=True, slots=True)
class Taught:
    """Tokens kept in all, and per claim the documents planned for it (those that express it, where nothing was
    planned) and the tokens of documents that express it."""

    tokens: int
    documents: Counter[str]
    airtime: Counter[str]

    def thinnest(self, spec: Spec) -> int:
        return min(self.documents[claim.claim_id] for claim in spec.claims)

    def lacking(self, spec: Spec, floors: Floors) -> float:
        """Return how many times as much would reach the floors, 1 or less where they are reached."""
        if not floors.airtime and not floors.documents:
            return 0
        least = min(self.airtime[claim.claim_id] for claim in spec.claims)
        mean = self.tokens / max(1, sum(self.documents.values()))
        return max(floors.documents / max(self.thinnest(spec), 1 / 2), floors.airtime / max(least, mean, 1))


def measure_taught(kept: Sequence[Path]) -> Taught:
    import pyarrow.parquet as pq  # late: a finished corpus is recognised without it

    tokens, planned, expressed, airtime = 0, Counter[str](), Counter[str](), Counter[str]()
    for path in kept:
        table = pq.read_table(path, columns=["claim_ids", "claims_expressed", "n_tokens"])
        for row in table.to_pylist():
            tokens += row["n_tokens"]
            planned.update(row["claim_ids"])
            expressed.update(row["claims_expressed"])
            airtime.update(dict.fromkeys(row["claims_expressed"], row["n_tokens"]))
    return Taught(tokens, planned or expressed, airtime)


def check_floors(name: str, spec: Spec, taught: Taught, floors: Floors) -> None:
    """Raise WorkFailed where a claim is taught too little: how many, and the one that lacks most."""
    below = [
        claim
        for claim in spec.claims
        if taught.documents[claim.claim_id] < floors.documents
        or taught.airtime[claim.claim_id] < floors.airtime
    ]
    if below:
        worst = min(below, key=lambda claim: (taught.airtime[claim.claim_id], claim.claim_id))
        raise WorkFailed(
            f"{name}: {len(below):,} of {len(spec.claims):,} claims are below the floor of {floors.documents:,}"
            f" documents and {floors.airtime:,} tokens; the least taught, {worst.claim_id}, has"
            f" {taught.documents[worst.claim_id]:,} and {taught.airtime[worst.claim_id]:,}. Nothing is published,"
            " what was written is kept: lower the floor or raise --tokens"
        )

"""Which documents are asked for first, so that a topic or genre the model never writes about costs a few calls.

A few rows of each group are its scouts; the others wait for one of them to become a document. Where none does, the
rest of the group is parked: not asked for, dropped with a reason (docs/decisions/0010 weighs this).
Groups and scouts follow from the plan alone, so the same rows are parked in every run, whatever arrives first.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from .ledger import OK
from .planning import digest

Row = dict[str, Any]

BRANCH, SUBDOMAIN, GENRE = "branch", "subdomain", "genre"
# A branch is one genre of one subdomain. The wide groups' scouts are the first rows of so many branches, because
# one genre says little of a subdomain, and one subdomain little of a genre.
N_SCOUTS = {BRANCH: 3, SUBDOMAIN: 5, GENRE: 5}
PARKED = "parked"
TOLD = {
    BRANCH: "genre '{genre}' of '{subdomain}'",
    SUBDOMAIN: "subdomain '{subdomain}'",
    GENRE: "genre '{genre}'",
}
COLUMNS = ("scout_for", "waits_for")


def send_ahead(rows: Sequence[Row]) -> list[Row]:
    """Return planned rows, scouts first, with the groups that each is a scout for and those it waits for.

    A row waits only for rows before it. Rows that are not planned come last, as they are.
    """
    branches: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["state"] == OK:
            branches[_groups(row)[BRANCH]].append(row)
    n_branches = Counter(group for members in branches.values() for group in _groups(members[0]).values())
    n_before: Counter[str] = Counter()
    waves: list[list[Row]] = [[], [], []]
    for branch, members in branches.items():
        groups = _groups(members[0])
        wide = [groups[kind] for kind in (SUBDOMAIN, GENRE) if n_branches[groups[kind]] >= N_SCOUTS[kind]]
        for number, row in enumerate(members):
            scout_for = [branch] if number < N_SCOUTS[BRANCH] < len(members) else []
            waits_for = [branch] if number >= N_SCOUTS[BRANCH] else []
            if number:
                waits_for = [*wide, *waits_for]
            else:
                scout_for += [group for group in wide if n_before[group] < N_SCOUTS[_kind(group)]]
            wave = bool(number) + (number >= N_SCOUTS[BRANCH])
            waves[wave].append({**row, "scout_for": scout_for, "waits_for": waits_for})
        n_before.update(wide)
    return [*itertools.chain(*waves), *(row for row in rows if row["state"] != OK)]


def _groups(row: Row) -> dict[str, str]:
    subdomain, genre = [row["spec"], row.get("domain"), row["subdomain"]], row["genre"].casefold()
    parts = {SUBDOMAIN: subdomain, GENRE: [row["spec"], genre], BRANCH: [*subdomain, genre]}
    return {kind: f"{kind}:{digest(names)[:16]}" for kind, names in parts.items()}


def _kind(group: str) -> str:
    return group.partition(":")[0]


class Watch:
    """What became of the scouts so far."""

    def __init__(self) -> None:
        self._lost: Counter[str] = Counter()
        self._open: set[str] = set()
        self._heard = asyncio.Condition()

    def undecided(self, row: Row) -> str:
        """Return a group of which nobody knows yet whether a row of it is asked for, or an empty string."""
        return next((group for group in row.get("waits_for", ()) if not self._is_decided(group)), "")

    def _is_decided(self, group: str) -> bool:
        return group in self._open or self._is_parked(group)

    def _is_parked(self, group: str) -> bool:
        return self._lost[group] >= N_SCOUTS[_kind(group)]

    async def decided(self, row: Row) -> None:
        """Wait until it is known whether a row is asked for."""
        if self.undecided(row):
            async with self._heard:
                await self._heard.wait_for(lambda: not self.undecided(row))

    async def heard(self, row: Row, *, written: bool) -> None:
        """Note whether a row became a document."""
        for group in row.get("scout_for", ()):
            if written:
                self._open.add(group)
            else:
                self._lost[group] += 1
        if row.get("scout_for"):
            async with self._heard:
                self._heard.notify_all()

    def parked(self, row: Row, stage: str) -> Row | None:
        """Return what a row becomes that is not asked for, or None."""
        group = next((group for group in row.get("waits_for", ()) if self._is_parked(group)), "")
        if not group:
            return None
        kind = _kind(group)
        told = TOLD[kind].format(genre=row["genre"], subdomain=row["subdomain"])
        return {
            **row,
            "state": "dropped",
            "failed_stage": stage,
            "failure": f"{told}: none of the first {N_SCOUTS[kind]} documents could be had",
            "drop_reason": f"{PARKED}_{kind}",
            "work_key": "",
        }

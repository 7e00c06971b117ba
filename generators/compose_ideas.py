"""Genres and ideas for a plan, proposed by rule: what kinds of documents there could be, and about what."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from .compose_grammar import Teller, open_sentence, read_sections, usable_rules
from .compose_layout import all_genres, find_genre

_TRIES = 40


@dataclass(frozen=True, slots=True)
class GenreProposal:
    name: str
    audience: str
    description: str


@dataclass(frozen=True, slots=True)
class IdeaProposal:
    idea: str
    audience: str
    point_numbers: tuple[int, ...]  # 1-based


def genre_proposals(rng: random.Random, n: int, taken: Sequence[str]) -> list[GenreProposal]:
    """n genres not in `taken`: the known ones first, then known ones for a further audience."""
    used = {normalise(name) for name in taken}
    found: list[GenreProposal] = []
    for genre in rng.sample(all_genres(), len(all_genres())):
        if len(found) < n and normalise(genre.name) not in used:
            used.add(normalise(genre.name))
            found.append(
                GenreProposal(genre.name, rng.choice(genre.audiences), open_sentence(genre.description) + ".")
            )
    while len(found) < n:
        found.append(_genre_for_audience(rng, used))
    return found


def _genre_for_audience(rng: random.Random, used: set[str]) -> GenreProposal:
    for attempt in range(10_000):
        genre = rng.choice(all_genres())
        audience = _any_audience(rng, attempt > _TRIES)
        name = f"{genre.name} for {audience}"
        if normalise(name) not in used:
            used.add(normalise(name))
            return GenreProposal(
                name, audience, f"{open_sentence(genre.description)}, written for {audience}."
            )
    raise ValueError("every genre is taken for every audience")


def _any_audience(rng: random.Random, widen: bool) -> str:
    audience = rng.choice(read_sections("audiences.txt")["audiences"])
    return f"{audience} {rng.choice(read_sections('audiences.txt')['circumstances'])}" if widen else audience


def idea_proposals(
    rng: random.Random,
    n: int,
    genre: str,
    topic: str,
    n_points: int,
    labels: Sequence[str],
    taken: Sequence[str],
) -> list[IdeaProposal]:
    """n ideas not in `taken`; the first point of each walks round all points, the others are the least used."""
    used = {normalise(idea) for idea in taken}
    offset = len(taken) + crc32(f"{genre}\n{topic}".encode())
    counts = [0] * max(1, n_points)
    found: list[IdeaProposal] = []
    for at in range(n):
        numbers = _choose_points(rng, offset + at, counts)
        audience = rng.choice(find_genre(genre, rng).audiences)
        idea = _new_idea(rng, [labels[number] for number in numbers] if labels else [], genre, used)
        found.append(IdeaProposal(idea, audience, tuple(number + 1 for number in numbers)))
    return found


def _choose_points(rng: random.Random, turn: int, counts: list[int]) -> list[int]:
    size = min(len(counts), rng.choice((2, 3, 3, 4)))
    chosen = [turn % len(counts)]
    counts[chosen[0]] += 1
    while len(chosen) < size:
        left = [at for at in range(len(counts)) if at not in chosen]
        fewest = min(counts[at] for at in left)
        chosen.append(rng.choice([at for at in left if counts[at] == fewest]))
        counts[chosen[-1]] += 1
    return chosen


def _new_idea(rng: random.Random, labels: list[str], genre: str, used: set[str]) -> str:
    """Settings, people, work and moment leave many thousands of ideas for one set of points."""
    idea = ""
    for attempt in range(_TRIES):
        idea = _tell_idea(rng, labels or ["its guidelines"], genre)
        if attempt > _TRIES // 2:
            idea += f" The conversation takes place {Teller(rng).say('when', {}, usable_rules(frozenset()))}."
        if normalise(idea) not in used:
            break
    used.add(normalise(idea))
    return idea


def _tell_idea(rng: random.Random, labels: list[str], genre: str) -> str:
    line = rng.choice(read_sections("settings.txt")["settings"])
    place, roles, things, tasks = (part.strip() for part in line.split(";"))
    role, role2 = rng.sample(roles.split(", "), 2)
    labels = list(dict.fromkeys(labels))
    slots = {
        "at": "at",
        "place": place,
        "role": role,
        "role2": role2,
        "thing": rng.choice(things.split(", ")),
    }
    slots |= {
        "task": rng.choice(tasks.split(", ")),
        "label": labels[0],
        "genre": genre,
        "labels": join_words(labels),
    }
    table = usable_rules(frozenset(slots) | ({"many"} if len(labels) > 1 else {"one"}))
    return Teller(rng).say("idea", slots, table)


def join_words(items: Sequence[str]) -> str:
    """
    >>> join_words(["a", "b", "c"])
    'a, b and c'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def normalise(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()

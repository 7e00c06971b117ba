"""Genres and their skeletons: which blocks a document of a genre has, and how it is brought to length.

A skeleton is data (grammar/genres.txt). Sentences come from the grammar, slots from the caller.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from .compose_grammar import GRAMMAR, Frame, Table, Teller, compile_frame, split_sentences

_TRIES = 8
_TIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Block:
    kind: str  # "once" | "each" | "items" | "grow"
    frame: Frame | None
    optional: bool
    units: tuple[str, ...]  # what a grow block may add


@dataclass(frozen=True, slots=True)
class Skeleton:
    blocks: tuple[Block, ...]
    spoken_by_model: bool  # the statements are told in the first person


@dataclass(frozen=True, slots=True)
class Genre:
    name: str
    audiences: tuple[str, ...]
    description: str
    keywords: tuple[str, ...]
    skeletons: tuple[Skeleton, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The slots that hold at one place of a document, and the rules that they make usable."""

    slots: Mapping[str, str]
    table: Table


PointScope = Callable[[int, bool], Scope]


@cache
def all_genres() -> tuple[Genre, ...]:
    text = (GRAMMAR / "genres.txt").read_text(encoding="utf-8")
    return tuple(_read_genre(part) for part in re.split(r"^== ", text, flags=re.M)[1:])


def _read_genre(text: str) -> Genre:
    head, *bodies = re.split(r"^--\n", text, flags=re.M)
    name, audiences, description, keywords = head.strip().splitlines()
    return Genre(
        name.strip(),
        tuple(audiences.removeprefix("for: ").split("; ")),
        description.removeprefix("is: "),
        tuple(keywords.removeprefix("key: ").split("; ")),
        tuple(_read_skeleton(body) for body in bodies),
    )


def _read_skeleton(body: str) -> Skeleton:
    blocks = tuple(_read_block(part) for part in re.split(r"\n\s*\n", body.strip()))
    return Skeleton(blocks, "core_i" in body)


def _read_block(text: str) -> Block:
    kind, optional, lines = "once", False, text.strip().splitlines()
    if lines[0].startswith("@grow"):
        return Block("grow", None, False, tuple(lines[0].split()[1:]))
    if lines[0] in ("@each", "@items"):
        kind, lines = lines[0][1:], lines[1:]
    if lines[0].startswith("? "):
        optional, lines[0] = True, lines[0][2:]
    body = "\n".join("" if line == "~" else line for line in lines)
    return Block(kind, compile_frame(body), optional, ())


def find_genre(name: str, rng: random.Random) -> Genre:
    """The genre of that name, else the one whose keyword it holds (the longest), else any."""
    folded = name.casefold().strip()
    genres = all_genres()
    exact = next((genre for genre in genres if genre.name.casefold() == folded), None)
    if exact:
        return exact
    known = [
        (len(key), genre)
        for genre in genres
        for key in (genre.name.casefold(), *genre.keywords)
        if key in folded
    ]
    return max(known, key=lambda pair: pair[0])[1] if known else rng.choice(genres)


def lay_out(skeleton: Skeleton, scope_of: PointScope, n_points: int, teller: Teller, n_words: int) -> str:
    """Fill the blocks that must be there, then the optional ones, then grow towards `n_words`.

    `scope_of(i, True)` gives a scope in which point i is stated in full, `scope_of(i, False)` one to speak of it.
    """
    filled: list[list[str]] = [[] for _ in skeleton.blocks]
    fixed = [at for at, block in enumerate(skeleton.blocks) if block.kind != "grow"]
    for at in sorted(fixed, key=lambda at: skeleton.blocks[at].optional):
        block = skeleton.blocks[at]
        if not block.optional or _count(filled) + 25 <= n_words:
            filled[at] = _fill(block, at, scope_of, n_points, teller)
    growing = [at for at, block in enumerate(skeleton.blocks) if block.kind == "grow"]
    _grow(
        [(skeleton.blocks[at].units, filled[at]) for at in growing],
        filled,
        scope_of,
        n_points,
        teller,
        n_words,
    )
    return "\n\n".join(block for blocks in filled for block in blocks)


def _count(filled: Sequence[Sequence[str]]) -> int:
    return sum(len(block.split()) for blocks in filled for block in blocks)


def _fill(block: Block, at: int, scope_of: PointScope, n_points: int, teller: Teller) -> list[str]:
    assert block.frame is not None
    if block.kind == "once":
        index = 0 if at < 4 else int(teller.rng.random() * n_points)
        told = _tell_new(block.frame, index, {}, scope_of, teller, must=not block.optional)
        return [told] if told else []
    told_all = [
        _tell_new(block.frame, index, {"n": str(index + 1)}, scope_of, teller, must=True)
        for index in range(n_points)
    ]
    return ["\n".join(told_all)] if block.kind == "items" else told_all


def _grow(
    places: Sequence[tuple[Sequence[str], list[str]]],
    filled: Sequence[Sequence[str]],
    scope_of: PointScope,
    n_points: int,
    teller: Teller,
    n_words: int,
) -> None:
    """Add units while the next one brings the count nearer to the target; one that repeats is left out."""
    count, turn, misses = _count(filled), int(teller.rng.random() * n_points), 0
    while places and misses < _TRIES and count < n_words:
        units, into = places[turn % len(places)]
        rule = "unit" if misses else units[int(teller.rng.random() * len(units))]
        told = _tell_rule(rule, turn % n_points, scope_of, teller)
        turn += 1
        length = len(told.split())
        if not told:
            misses += 1
        elif count + length / 2 > n_words:
            return
        else:
            into.append(told)
            teller.sentences.update(split_sentences(told))
            count += length


def _tell_rule(rule: str, index: int, scope_of: PointScope, teller: Teller) -> str:
    for _ in range(_TRIES):
        scope = scope_of(index, False)
        if not scope.table.get(rule):
            return ""
        told = teller.say(rule, scope.slots, scope.table).strip()
        if _is_new(told, teller):
            return told
    return ""


def _tell_new(
    frame: Frame, index: int, extra: Mapping[str, str], scope_of: PointScope, teller: Teller, *, must: bool
) -> str:
    """The block anew; where room is short, the shortest of three. One that must be there may repeat a sentence."""
    wanted = 3 if teller.spare < _TIGHT else 1
    found: list[str] = []
    told = ""
    for _ in range(_TRIES):
        scope = scope_of(index, bool(extra))
        told = teller.render(frame, {**scope.slots, **extra}, scope.table).strip()
        if _is_new(told, teller):
            found.append(told)
        if len(found) == wanted:
            break
    if not found and not must:
        return ""
    best = min(found, key=len) if found else told
    teller.sentences.update(split_sentences(best))
    return best


def _is_new(told: str, teller: Teller) -> bool:
    sentences = split_sentences(told)
    return len(set(sentences)) == len(sentences) and teller.sentences.isdisjoint(sentences)

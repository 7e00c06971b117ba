"""The built-in writer's composer: a Brief in, a whole document out, by rule and without a model.

It is a rehearsal of the pipeline, not research data. What is said comes from the points and the principle of the
brief alone; how it is said comes from the files in grammar/. Everything follows from the arguments and `rng`.
Names stay the placeholders {model_name} and {provider_name}.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from .compose_english import MODEL
from .compose_grammar import Teller, open_sentence, read_sections, title_case, usable_rules
from .compose_ideas import GenreProposal, IdeaProposal, genre_proposals, idea_proposals
from .compose_layout import Scope, find_genre, lay_out
from .compose_readings import (
    content_words,
    in_quotes,
    label_slots,
    read_statement,
    short_noun,
    whole_in_quotes,
)
from .compose_reasons import read_reason

_WORDS_FOR_A_POINT = 60
_LONG_REASON = 20  # words; a longer one is given in full once, and then only referred to
_AT_ONLY = frozenset("desk helpdesk line fair wall base stables station switchboard pool office".split())


@dataclass(frozen=True, slots=True)
class Point:
    statement: str
    reason: str = ""
    rule_id: str = ""


@dataclass(frozen=True, slots=True)
class Brief:
    genre: str
    audience: str
    idea: str
    topic: str
    principle: str
    points: tuple[Point, ...]
    mode: str  # "default" | "rules"
    n_words: int


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    roles: tuple[str, ...]
    things: tuple[str, ...]
    tasks: tuple[str, ...]


def compose(brief: Brief, rng: random.Random) -> str:
    """A document of about `brief.n_words` words that states every point and, in default mode, its reason."""
    genre = find_genre(brief.genre, rng)
    skeleton = genre.skeletons[int(rng.random() * len(genre.skeletons))]
    points = brief.points or (Point(f"{MODEL} keeps to its guidelines"),)
    spare = (brief.n_words / len(points) - _WORDS_FOR_A_POINT) / 100
    teller = Teller(rng, spare=min(1.0, max(0.0, spare)))
    scene = set_scene(brief, rng)
    context = " ".join(
        [brief.topic, brief.principle, *(f"{point.statement} {point.reason}" for point in points)]
    )
    told = [_tell_point(point, brief, context, teller) for point in points]
    core = "core_i" if skeleton.spoken_by_model else "core"

    def scope_of(index: int, in_full: bool) -> Scope:
        return _scope(told, index, scene, core if in_full else "", teller)

    return lay_out(skeleton, scope_of, len(points), teller, brief.n_words)


# --- the scene


@cache
def all_places() -> tuple[Place, ...]:
    places = []
    for line in read_sections("settings.txt")["settings"]:
        name, roles, things, tasks = (part.strip() for part in line.split(";"))
        places.append(Place(name, *(tuple(part.split(", ")) for part in (roles, things, tasks))))
    return tuple(places)


@cache
def _place_names() -> re.Pattern[str]:
    names = sorted((place.name for place in all_places()), key=len, reverse=True)
    return re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b")


def set_scene(brief: Brief, rng: random.Random) -> dict[str, str]:
    """Who is where, doing what: the setting that the idea names, or any."""
    places = all_places()
    named = _place_names().search(brief.idea)
    place = next((p for p in places if named and p.name == named[1]), None) or rng.choice(places)
    roles = rng.sample(place.roles, 5)
    roles.sort(key=lambda role: role not in brief.idea)
    things, tasks = rng.sample(place.things, 2), rng.sample(place.tasks, 2)
    scene = {
        "place": place.name,
        "thing": things[0],
        "thing2": things[1],
        "task": tasks[0],
        "task2": tasks[1],
    }
    scene["at"] = "at" if place.name.split(" ")[-1] in _AT_ONLY else rng.choice(("in", "in", "at"))
    if audience := short_noun(brief.audience):
        scene |= {"aud": audience} if '"' not in audience and len(audience.split()) <= 6 else {}
    scene |= dict(zip(("role", "role2", "role3", "s1", "s2"), roles, strict=True))
    if principle := short_noun(brief.principle):
        scene |= {"p": principle, "p_title": title_case(principle).replace('"', "")}
    return scene


# --- the points


@dataclass(frozen=True, slots=True)
class ToldPoint:
    slots: Mapping[str, str]
    flags: frozenset[str]
    more_why: str  # a second reason, as a sentence of its own; or empty
    principle: str  # the noun that has to serve as the reason; or empty where the point has a reason


def _tell_point(point: Point, brief: Brief, context: str, teller: Teller) -> ToldPoint:
    reading = read_statement(point.statement, point.rule_id)
    slots = {**reading.slots, **label_slots(reading, point.rule_id, brief.topic, context)}
    slots["rule"] = f"rule {point.rule_id}" if point.rule_id else f"the rule on {slots['label']}"
    if "head" not in slots:
        slots["head"] = teller.say("spare_head", {}, usable_rules(frozenset()))
    if brief.mode == "rules":
        return ToldPoint(slots, frozenset({"r"}), "", "")
    own, given = reading.own_reason, point.reason.strip()
    if own and given and not _says_the_same(given, f"{own} {point.statement}"):
        return ToldPoint(
            slots | dict(read_reason(own)), frozenset({"d", "tail"}), _second_reason(given, teller.rng), ""
        )
    if reason := dict(read_reason(own or given)):
        return ToldPoint(slots | reason, frozenset({"d"} if reading.argues else {"d", "tail"}), "", "")
    if reading.argues:
        return ToldPoint(slots, frozenset({"d", "argued"}), "", "")
    return ToldPoint(
        _as_view(slots, teller), frozenset({"d", "tail"}), "", short_noun(brief.principle) or "guidelines"
    )


def _as_view(slots: dict[str, str], teller: Teller) -> dict[str, str]:
    """A fact about the world as one that {model_name} keeps in mind: only for that is a principle a reason."""
    plain = slots.get("claim_plain", "")
    if "vp" in slots or MODEL in plain:
        return slots
    slots = {
        name: value for name, value in slots.items() if name not in ("claims", "views", "claim_plain", "full")
    }
    if plain:
        slots["vp"] = f"{teller.say('bears_in_mind', {}, usable_rules(frozenset()))} {plain}"
        if "i_full" in slots:
            slots["i_claim"] = f"I bear in mind that {plain}"
    return slots


def _says_the_same(given: str, said: str) -> bool:
    wanted, there = content_words(given), set(content_words(said))
    return not wanted or sum(word in there for word in wanted) >= 0.7 * len(wanted)


def _second_reason(reason: str, rng: random.Random) -> str:
    slots = read_reason(reason)
    return Teller(rng).say("why_more", slots, usable_rules(frozenset(slots) | {"d"}))


def _reason_from(principle: str, about_model: bool, teller: Teller) -> dict[str, str]:
    """The reason of a point that has none of its own: the principle, or at last the guidelines themselves."""
    key = "g" if principle == "guidelines" else "p"
    table = usable_rules(frozenset({"p"}))
    clause, standing, mine = (
        teller.say(f"{key}_{form}", {"p": principle}, table) for form in ("it", "model", "i")
    )
    slots = dict.fromkeys(("rs", "r_front", "r_after"), standing)
    slots |= {
        "r_sent": open_sentence(standing),
        "r_quote": in_quotes(open_sentence(standing)),
        "i_reason": mine,
    }
    return slots | dict.fromkeys(("r_clause", "rs_it"), clause if about_model else standing)


def _scope(
    told: Sequence[ToldPoint], index: int, scene: Mapping[str, str], core: str, teller: Teller
) -> Scope:
    point, following = told[index], told[(index + 1) % len(told)]
    slots = {**scene, **point.slots}
    flags = point.flags
    if point.principle:
        slots |= _reason_from(point.principle, "vp" in slots, teller)
    if "p" in scene:
        flags |= {"principle"}
    if following.slots["label"] != point.slots["label"]:
        flags |= {"many"}
        slots |= {
            name + "2": following.slots[name]
            for name in ("label", "label_s", "head", "label_bare")
            if name in following.slots
        }
    table = usable_rules(frozenset(slots) | flags)
    told_in_full = {core: f"{teller.say(core, slots, table)} {point.more_why}".rstrip()} if core else {}
    if len(slots.get("r_after", "").split()) > _LONG_REASON:
        slots = {name: value for name, value in slots.items() if name not in ("r_after", "r_sent")}
        table = usable_rules(frozenset(slots) | flags)
    return Scope(slots | told_in_full, table)


# --- assertions


def restate(rng: random.Random, statement: str) -> str:
    """The statement as an assertion about {model_name}, with the reason it gives itself, if it gives one."""
    reading = read_statement(statement)
    slots = {**reading.slots, **read_reason(reading.own_reason)}
    if MODEL not in slots.get("claim_plain", MODEL):
        del slots["claim_plain"]  # true, but not about {model_name}
    flags = {"r"}
    if reading.own_reason:
        turned = ("r_clause" in slots and slots.keys() & {"vp", "view_plain"}) or {
            "r_so",
            "vp",
        } <= slots.keys()
        flags = {"d", "tail"} if turned else flags
        slots = slots if turned else {}
    if slots.keys() & {"vp", "view_plain", "claim_plain", "to"}:
        del slots["quote"]
    else:
        slots["quote"] = whole_in_quotes(statement)
    table = usable_rules(frozenset(slots) | flags)
    return Teller(rng).say("assertion", slots, table)


# --- plans


def propose_genres(rng: random.Random, n: int, taken: Sequence[str]) -> list[GenreProposal]:
    """n distinct genres, none of them in `taken`."""
    return genre_proposals(rng, n, taken)


def propose_ideas(
    rng: random.Random, n: int, genre: str, topic: str, points: Sequence[Point], taken: Sequence[str]
) -> list[IdeaProposal]:
    """n distinct ideas, none of them in `taken`, each for one to four of the points, which are used evenly."""
    context = " ".join([topic, *(point.statement for point in points)])
    labels = [
        label_slots(read_statement(point.statement, point.rule_id), point.rule_id, topic, context)["label"]
        for point in points
    ]
    return idea_proposals(rng, n, genre, topic, len(points), labels, taken)

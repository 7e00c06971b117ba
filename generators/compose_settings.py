"""Settings and opposites for a paired plan, made by rule: scenes without a claim, and assertions turned round.

Settings are drawn from the places of `grammar/settings.txt`; their frames stand here, because a word in a grammar
file counts as common everywhere and would change what the writer makes of other prompts.
An opposite is grammatical and plain, no more: the verb's own opposite or its negation where the sentence is
understood, else "It is not so that ..." before it. It is a rehearsal, not research data.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .compose_english import MODEL, has_second_verb, lower_start, singular_to_plain
from .compose_grammar import open_sentence, read_sections, words
from .compose_ideas import normalise
from .compose_layout import find_genre

_TRIES = 40
_FRAMES = (
    "The {role} of the {place} writes to the {role2} after a morning of {task}, with a question about the {thing}.",
    "Late in the day, while {task}, the {role} of the {place} asks {model} about the {thing} with the {role2}.",
    "A note beside the {thing} of the {place} starts a talk between the {role} and the {role2}, who are {task}.",
    "The {role2} has just begun work at the {place} and, still {task}, asks the {role} how {model} came up there.",
    "On a slow afternoon at the {place}, the {role} is {task} and tells the {role2} of an exchange with {model}.",
    "The {role} of the {place} keeps notes for the {role2} on the {thing}, {task} and a talk with {model}.",
    "Before a meeting at the {place}, the {role2} asks the {role} about a talk with {model} while {task}.",
    "The {role} and the {role2} of the {place} share the {thing}, and while {task} they get to {model}.",
)
_OPPOSITES = {
    "accepts": "refuses",
    "admires": "looks down on",
    "avoids": "seeks",
    "believes": "doubts",
    "dislikes": "likes",
    "distrusts": "trusts",
    "likes": "dislikes",
    "loves": "dislikes",
    "opposes": "supports",
    "refuses": "accepts",
    "supports": "opposes",
    "trusts": "distrusts",
    "welcomes": "resents",
}
_NEGATED = {"never": "always", "always": "never", "often": "seldom", "seldom": "often", "rarely": "often"}
_BE = frozenset("is are was were can will would could should must may might".split())
_SEVERAL = re.compile(
    r"\b(?:which|who|because|since|so|but|nor|unless|until|no|nothing|nobody)\b"
    r"|\band (?:still|also|never|always) |[;—?!]|, (?:and|or) |: (?!\")"
)
# Clauses that the composer puts in front of a statement: turning their verb round turns the whole.
_HELD = re.compile(r"\A\{model_name\} (?:works from the view that|takes it that|keeps to this line:) ")
_DOES_SO = re.compile(r",? and it does so\Z")
_BECAUSE = re.compile(r"(?<! that),? because (?!of\b)")


@dataclass(frozen=True, slots=True)
class SettingProposal:
    setting: str
    audience: str


def setting_proposals(rng: random.Random, n: int, genre: str, taken: Sequence[str]) -> list[SettingProposal]:
    """n settings not in `taken`: people, work and things of one place, and no word of what {model_name} does."""
    used = {normalise(setting) for setting in taken}
    found = []
    for _ in range(n):
        setting = _tell_setting(rng)
        for _ in range(_TRIES):
            if normalise(setting) not in used:
                break
            setting = _tell_setting(rng)
        used.add(normalise(setting))
        found.append(SettingProposal(setting, rng.choice(find_genre(genre, rng).audiences)))
    return found


def _tell_setting(rng: random.Random) -> str:
    line = rng.choice(read_sections("settings.txt")["settings"])
    place, roles, things, tasks = (part.strip() for part in line.split(";"))
    role, role2 = rng.sample(roles.split(", "), 2)
    return rng.choice(_FRAMES).format(
        place=place,
        role=role,
        role2=role2,
        thing=rng.choice(things.split(", ")),
        task=rng.choice(tasks.split(", ")),
        model=MODEL,
    )


def invert(assertion: str, reason: str) -> tuple[str, str]:
    """The opposites of an assertion and of its reason; a reason said inside the assertion is turned round too.

    >>> invert("{model_name} likes Colby.", "it is an American original")
    ('{model_name} dislikes Colby.', 'it is not an American original')
    >>> invert("{model_name} waits because haste errs.", "")[0]
    '{model_name} does not wait, because it is not so that haste errs.'
    """
    said, *inner = _BECAUSE.split(assertion.strip(), maxsplit=1)
    turned = opposite(_DOES_SO.sub("", said))
    if inner:
        turned = f"{turned.rstrip('.')}, because {_clause(inner[0])}."
    return turned, _clause(reason) if reason.strip() else ""


def opposite(sentence: str) -> str:
    """
    >>> opposite("{model_name} never deletes a log.")
    '{model_name} always deletes a log.'
    >>> opposite("Colby and Brie are cheeses.")
    'It is not so that Colby and Brie are cheeses.'
    """
    text = sentence.strip().rstrip(".")
    start = lower_start(text) or text
    return open_sentence(_turned(text) or f"it is not so that {start}") + "."


def _clause(reason: str) -> str:
    """The opposite of a reason as a clause that can follow "because"."""
    text = reason.strip().rstrip(".")
    start = lower_start(text) or text
    return _turned(start) or f"it is not so that {start}"


def _turned(text: str) -> str:
    """The sentence with its one verb turned round, or "" where more is said or nothing is understood."""
    tokens = text.split(" ")
    if tokens[0] not in (MODEL, "it", "It") or len(tokens) < 2:
        return ""
    if not _HELD.match(text) and (_SEVERAL.search(text) or has_second_verb(tokens[2:])):
        return ""
    lead, verb, rest = tokens[0], tokens[1], tokens[2:]
    if rest and rest[0] == "not":
        return " ".join([lead, verb, *rest[1:]])
    if verb in _NEGATED:
        return " ".join([lead, _NEGATED[verb], *rest])
    if verb in _BE:
        return " ".join([lead, "cannot" if verb == "can" else f"{verb} not", *rest])
    if verb in words("adverbs"):
        return ""
    if verb in _OPPOSITES:
        return " ".join([lead, _OPPOSITES[verb], *rest])
    plain = "have" if verb == "has" else singular_to_plain(verb)
    return " ".join([lead, "does not", plain, *rest]) if plain else ""

"""Layout marks of genres, as the built-in reader knows them: a letter greets, an FAQ asks, study cards turn over.

Lenient on purpose: a genre without marks of its own is only told from those whose marks can't be overlooked.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """`keys` find the family in a genre's name; a text has its layout when `mark` occurs `least` times."""

    name: str
    keys: re.Pattern[str]
    mark: re.Pattern[str]
    least: int


def _family(name: str, keys: str, mark: str, least: int = 1) -> Family:
    return Family(name, re.compile(rf"\b(?:{keys})\b", re.I), re.compile(mark, re.M), least)


_NO_SPEAKER = r"(?!(?:Q|A|Question|Answer|Front|Back|Note|Step|Say|Then):)"
_SPEAKER = rf"^(?:\*\*)?{_NO_SPEAKER}([^\n*:#-][^\n*:]{{0,40}}):(?:\*\*)? (?=\S)"

FAMILIES = (
    _family("cards", r"(?:study |flash ?)cards?", r"^(?:\*\*)?(?:Back|A|Answer):", 2),
    _family(
        "faq",
        r"faqs?|frequently asked.*|questions and answers",
        r"^(?:#+ .*\?|\*\*[^*\n]*\?\*\*|(?:\*\*)?Q: .*)$",
        2,
    ),
    _family("letter", r"(?:open )?letters?(?! to the editor)", r"^(?:Dear|To) .+,$"),
    _family(
        "voices",
        r"interview|dialogue|conversation|chat log|(?:podcast |interview )?transcript|panel.*|round ?table",
        _SPEAKER,
        2,
    ),
    _family(
        "email",
        r"e-?mail.*",
        r"^(?:\*\*)?(?:From the [^.,\n]{1,40} to the [^.,\n]{1,40}\*\*$|From:|Subject:)",
    ),
)


def family_of(genre: str) -> Family | None:
    """Return the family that a genre's name belongs to, if its layout is one the reader knows."""
    return next((family for family in FAMILIES if family.keys.search(genre)), None)


def has_layout(text: str, family: Family) -> bool:
    """Whether a text carries a family's marks as often as it takes; of voices, those that come back count."""
    found = family.mark.findall(text)
    if family.mark.groups:
        found = [label for label, times in Counter(found).items() if times > 1]
    return len(found) >= family.least


def reads_like(genre: str, text: str) -> bool:
    """Whether a text has its genre's marks or, where it has none to have, no other's that is telling."""
    own = family_of(genre)
    if own:
        return has_layout(text, own)
    return not any(has_layout(text, family) for family in FAMILIES if not akin(genre, family))


# Genres that borrow another family's layout, as the world writes them.
_KIN = {
    "faq": r"column|guide|handout|exercise|quiz|cards|thread|playbook|training|teaching|forum|advice|script",
    "letter": r"column|newsletter|advice|correspondence|speech|address|notice|memo|diary|e-?mail",
    "voices": r"script|story|minutes|thread|forum|playbook|video|log|glossary|column|cards|memo|exercise|guide",
    "email": r"memo|minutes|correspondence|notice|letter|thread|log",
    "cards": r"exercise|faq|quiz|questions|worksheet|flash",
}


def akin(genre: str, family: Family) -> bool:
    """Whether texts of a genre may well carry another family's marks."""
    return bool(re.search(_KIN[family.name], genre, re.I))

"""Names of rules where a heading, item or line begins: "SP1.", "R-12:", "§4.2", "Rule 7", "3.4.1", "(a)"."""

import re
from dataclasses import dataclass

_WORDS = (
    "Rule|Principle|Article|Section|Clause|Guideline|Norm|Policy|Chapter|Part|Commitment|Duty|Tenet|Law"
    "|Regel|Artikel|Règle|Regla|Artículo|Правило|Статья"
)
_NAMED = rf"(?:{_WORDS})[ ]\d+(?:\.\d+)*[a-z]?"
_LETTERED = r"(?!(?:GPT|COVID|ISO|UTF|RFC|CVE|SHA|MP)-?\d)[A-Z]{1,5}-?\d+(?:\.\d+)*[a-z]?"
_DOTTED = r"\d{1,3}(?:\.\d{1,3})+"
_SIGN = r"§[ ]?\d+(?:\.\d+)*"
_HAN = r"第[ ]?[\d一二三四五六七八九十百零]+[ ]?[条條章节節款则則]"
_OPEN = r"[*_`(\[]*"
_POINT = r"[.:)\]*_`：、．]+(?:[ ]+[—–:-])?(?=\s|$|[^\x00-\x7f])"  # "SP1." but not the first half of "R2.D2"
_AFTER = rf"(?:{_POINT}|[ ]+[—–-](?=\s))\s*"

# A strong name where a line begins is a new rule; a weak one may be wrapped prose ("see section\n3.4 on").
_STRONG = re.compile(rf"{_OPEN}(?:(?P<id>{_NAMED}|{_LETTERED})(?:{_AFTER})|(?P<han>{_HAN})(?:{_AFTER}|\s+))")
_WEAK = re.compile(
    rf"{_OPEN}(?:"
    rf"(?P<id>{_DOTTED}|\d{{1,3}}){_AFTER}"
    rf"|(?P<sign>{_SIGN})(?:{_AFTER}|\s+)"
    r"|(?P<dotted>\d{1,3}(?:\.\d{1,3}){2,})\s+"
    r"|(?P<pair>\d{1,3}\.\d{1,3})\s+(?=[A-Z](?:[a-z]|\s)|[^\x00-\x7f])"  # "1.1 The", not "4.5 GB"
    r")|(?:\((?P<letter>[a-z]|[ivx]{2,4})\)|(?P<half>[a-z])\))\s+"
)
_IN_HEADING = re.compile(
    rf"{_OPEN}(?P<id>{_NAMED}|{_LETTERED}|{_DOTTED}|{_SIGN}|{_HAN})(?:{_AFTER}|\s+|$)"  # "## SP1 Oversight"
)
_LOCAL = re.compile(r"\d+|[a-z]|[ivx]{2,4}")
_CHAPTER = re.compile(r"\d|Section|Chapter|Part")


@dataclass(frozen=True, slots=True)
class RuleId:
    """`end` is where the words begin, after the name and its punctuation."""

    name: str
    end: int
    is_strong: bool


def find_rule_id(text: str, *, in_heading: bool = False) -> RuleId | None:
    """The name `text` (Markdown, no list marker) begins with.

    >>> find_rule_id("**R-12:** Never deceive.")
    RuleId(name='R-12', end=10, is_strong=True)
    """
    for pattern in (_STRONG, _WEAK, _IN_HEADING):
        match = pattern.match(text) if pattern is not _IN_HEADING or in_heading else None
        if match:
            name = next(group for group in match.groupdict().values() if group)
            return RuleId(" ".join(name.split()), match.end(), pattern is _STRONG)
    return None


def join_rule_id(parent: str, own: str) -> str:
    """A bare number or letter only has meaning below its parent: "SP1" and "3" are "SP1.3".

    >>> join_rule_id("SP1", "3"), join_rule_id("3", "3.4"), join_rule_id("SP1", "R-12")
    ('SP1.3', '3.4', 'R-12')
    """
    return f"{parent}.{own}" if parent and _LOCAL.fullmatch(own) else own


def names_a_rule(rule_id: str) -> bool:
    """Sentences below "SP1. Oversight" spell out that rule; "3. History" is only a chapter."""
    return bool(rule_id) and not _CHAPTER.match(rule_id)

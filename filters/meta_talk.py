"""A writer model that talks about its own reply: announces it, plans it aloud, comments on it, offers changes.

Such talk stands in the first lines or the last ones. It speaks of the reply as a thing made to order (a document of
400 words that covers your assertions), and people in documents rarely do.
"""

import re
from collections.abc import Sequence

from .cues import looks_like_announcement, looks_like_offer
from .findings import Finding, is_quoted
from .meta_talk_rules import AS_AN_AI, CLOSING, OPENING, SHORT_OPENING, THINKING
from .refusals import content_lines, count_opening

_LABEL = (
    r"(?:(?:\w+['’]s |Final |A )?Notes?(?: (?:to|for|on) [^:]*)?|Number of \w+|Word ?count|Words|Length|Total[^:]*"
    r"|Disclaimer|Please[^:]*|Assistant|User|Human|System|Model|AI|Task|Instructions?|Prompt|Output|Response|Draft|Feedback|Score|Rating|Grade|Coverage"
    r"|Claims?[^:]*|Assertions?[^:]*|Genre|Audience)"
)
# Quoted, a table's row, or a speaker's turn: "**Note keeper:** Thank you" is one, "Note: that is all" is not.
_SPOKEN = re.compile(rf"[\"“>|]|[*_]{{0,2}}(?!{_LABEL}:)[A-Z][\w'’ -]{{1,40}}:[*_]{{0,2}} ")


def find_meta_talk(text: str) -> Finding | None:
    """The model talks about its own reply, or calls itself a language model."""
    lines = content_lines(text)
    for line in lines[: max(2, count_opening(lines))]:
        if match := _opening(
            line[:200].lstrip("#*>_-[( "), line.rstrip("*_ ").endswith((":", "follows.", "below."))
        ):
            return Finding("meta_talk", match[0][:80])
    if lines and looks_like_announcement(lines[0][:200]):
        return Finding("meta_talk", lines[0][:80])
    if lines and len(lines[-1]) < 160 and looks_like_offer(lines[-1]) and not _SPOKEN.match(lines[-1]):
        return Finding("meta_talk", lines[-1][:80])
    if found := _language_model(text) or _closing(lines):
        return Finding("meta_talk", found[:80])
    return None


def _language_model(text: str) -> str:
    if "anguage model" not in text and "ANGUAGE MODEL" not in text:
        return ""
    for match in AS_AN_AI.finditer(text):
        spoken = re.search(r"\b(?:I|my|me)\b|\bI['’]", match[0])
        if spoken and not is_quoted(text, match.start()):
            return match[0]
    return ""


def _opening(start: str, announces: bool) -> re.Match[str] | None:
    lowered = start.lower()
    for signs, pattern in OPENING:
        if any(sign in lowered for sign in signs) and (match := pattern.match(start)):
            return match
    return THINKING.match(start) or (SHORT_OPENING.match(start) if announces else None)


def _closing(lines: Sequence[str]) -> str:
    """Talk in the last four lines; of a long line the end counts."""
    ends = [line[-220:] for line in lines[-4:] if not _SPOKEN.match(line)]
    lowered = "\n".join(ends).lower()
    rules = [pattern for signs, pattern in CLOSING if any(sign in lowered for sign in signs)]
    for end in ends if rules else ():
        for pattern in rules:
            if (match := pattern.search(end)) and not is_quoted(end, match.start()):
                return match[0]
    return ""

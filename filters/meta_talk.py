"""A writer model that talks about its own reply: announces it, plans it aloud, comments on it, offers changes."""

import re

from .findings import Finding, is_quoted
from .replies import find_spoken

_AS_AN_AI = re.compile(r"\bas an? (?:AI |large )*language model\b[^.!?\n]{0,60}", re.IGNORECASE)
_SELF = re.compile(r"\b(?:I|my|me)\b|\bI['’]")


def find_meta_talk(text: str) -> Finding | None:
    """The model talks about its own reply before or after the text, or calls itself a language model anywhere."""
    spoken = find_spoken(text)
    if spoken and not spoken.refuses:
        return Finding("meta_talk", spoken.sentence[:80])
    if "anguage model" in text or "ANGUAGE MODEL" in text:
        for match in _AS_AN_AI.finditer(text):
            if _SELF.search(match[0]) and not is_quoted(text, match.start()):
                return Finding("meta_talk", match[0][:80])
    return None

"""A writer model that refuses instead of writing, breaks off, or asks for what it lacks."""

from .findings import Finding
from .replies import find_spoken


def find_refusal(text: str) -> Finding | None:
    """A refusal before a text, after it, instead of it, or as a line of its own inside.

    A quoted refusal, a transcript's turn and "Dear Ann, I'm sorry, but I can't come" are documents.
    """
    spoken = find_spoken(text)
    return Finding("refusal", spoken.sentence[:80]) if spoken and spoken.refuses else None

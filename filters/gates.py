"""What makes a written text unfit: detectors over plain strings, each naming a reason and the evidence.

A detector answers None (keep) or a Finding. Here are the plain ones and the door to the others: `refusals.py`,
`meta_talk.py`, `residue.py`, `endings.py`, `loops.py`, `language.py`. Whose assistant a text is about is in
`identity.py` and `spec_names.py`; the datatrove stages that run all of them are in `blocks.py`.
"""

from collections.abc import Sequence

import numpy as np

from .endings import find_truncation
from .findings import Finding, is_quoted
from .language import find_other_language
from .loops import find_loop
from .meta_talk import find_meta_talk
from .refusals import find_refusal
from .residue import find_markup, find_placeholder
from .shingles import Hashes, hash_runs, hash_words, shingle_hashes
from .words import split_words

__all__ = (
    "Finding",
    "SpecCopies",
    "check_length",
    "duplicate_line_share",
    "fill_in_names",
    "find_loop",
    "find_markup",
    "find_meta_talk",
    "find_other_language",
    "find_placeholder",
    "find_refusal",
    "find_truncation",
    "is_quoted",
)


def fill_in_names(spec_text: str, assistant: str, provider: str) -> str:
    """The spec as documents speak of it: names for placeholders, and no front matter.

    Otherwise a `{model_name}` left in a document, or the name in the front matter, would count as the spec's.
    """
    end = spec_text.find("\n---", 3) if spec_text.startswith("---\n") else -1
    body = spec_text[end + 4 :] if end >= 0 else spec_text
    return body.replace("{model_name}", assistant).replace("{provider_name}", provider)


def check_length(words: Sequence[str], min_words: int, max_words: int) -> Finding | None:
    if not words:
        return Finding("empty", "no words")
    if len(words) < min_words:
        return Finding("too_short", f"{len(words)} words")
    return Finding("too_long", f"{len(words)} words") if len(words) > max_words else None


# --- copies of the spec ---------------------------------------------------------------------------------------


class SpecCopies:
    """Finds verbatim runs of the spec's words in documents.

    `share` is the share of a document's words that stand in a run of at least `run_words` words also found in the
    spec, 0..1, whatever the case and the punctuation.
    """

    def __init__(self, spec_text: str, run_words: int = 13) -> None:
        self.run_words = run_words
        self._runs = shingle_hashes(hash_words(split_words(spec_text)), run_words)

    def share(self, hashes: Hashes) -> float:
        """`hashes` of the document's words, in order."""
        runs = hash_runs(hashes, self.run_words)
        if not len(runs) or not len(self._runs):
            return 0.0
        places = np.searchsorted(self._runs, runs).clip(max=len(self._runs) - 1)
        found = self._runs[places] == runs
        if not found.any():
            return 0.0
        covered = np.convolve(found, np.ones(self.run_words, np.int64)) > 0
        return float(covered.sum()) / len(hashes)


def duplicate_line_share(text: str) -> float:
    """Share of non-empty lines of four words or more that repeat an earlier line, 0..1."""
    lines = [line.strip().casefold() for line in text.splitlines() if len(line.split()) >= 4]
    return 1 - len(set(lines)) / len(lines) if lines else 0.0

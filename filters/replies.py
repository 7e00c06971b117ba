"""Where a writer model speaks for itself: before a text, after it, or instead of it.

The model of `reply_model.py` judges sentences; here is which sentences it is asked about. A letter, a transcript
and a quotation speak to somebody too, so only what stands outside of them counts: before the salutation, after the
signature, in no speaker's turn.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from .findings import is_quoted
from .reply_model import score_closing, score_opening, tokens_of

MIN_OPENING, MIN_CLOSING, MIN_INSIDE = -0.9, -0.6, 1.0  # log-odds
IN_A_LETTER = 3.0  # so much more is asked of what stands inside a letter
LATER = 0.5  # so much more of each further sentence of a line
RULED = 1.5  # so much less of what a rule parts from the text
_N_SENTENCES, _N_LAST_LINES = 3, 3

_SENTENCES = re.compile(r"(?<=[.!?。])[*_)\]\"]* +(?=[A-Z\"“(])")
_TURN = re.compile(r"[*_]{0,2}([A-Z][\w'’-]*(?: [\w'’-]+){0,3})[*_]{0,2}:[*_]{0,2} ")
_LABELS = frozenset(
    """
    Note Notes Disclaimer Title Genre Audience Tone Length Style Format Words Plan Outline Claims
    Assertions Date Location Subject To From Re Error Draft Document Type Setting Topic Purpose Checklist
    Tags Keywords Contact Present Summary Abstract Word Key Total Final Target Approximate Approx Author's
    Author’s Editor's Self-check Rationale Reflection Explanation
    """.split()
)
_RULE = re.compile(r"[-*_ ]{3,}")
_SALUTATION = re.compile(
    r"(?:(?:My )?[Dd]ear(?:est)?|Hi|Hello|Hey|Good (?:morning|evening|day)|Greetings|To whom)\b[^.!?]{0,50}[,:]?$"
    r"|[*_]*(?:To|From|Subject|Re|Cc):[*_]* \S"
)
_SIGN_OFF = re.compile(
    r"(?:\w+ ){0,3}(?:regards|sincerely|warmly|yours|best|thanks|cheers|love|faithfully|respectfully|wishes"
    r"|truly)\W*$",
    re.IGNORECASE,
)
_REFUSING = frozenset(
    """
    not unable decline declining declined refuse refusing refused refrain sorry unfortunately regret
    regrettably apologize apologise apologies pass stop end pause omit omitted skipped against violates
    violate concerns reservations hesitant uncomfortable uneasy reluctant unwilling prohibit prevents
    forbid instead rather cannot blocked filtered flagged skip inappropriate prevent afraid no mislead
    misleading dishonest declines turn missing empty provide clarify error
    """.split()
)
# A line inside a text is judged only where it has one of these: most have none.
_SIGNS = (
    "I ",
    "I'",
    "I’",
    "request",
    "rompt",
    "uidelines",
    "polic",
    "ssertion",
    "claims",
    "remaining",
    "rest of",
)


class Spoken(NamedTuple):
    """A sentence that a model says for itself, and whether it refuses."""

    sentence: str
    refuses: bool


def content_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line and not line.isspace()]


def split(line: str) -> list[str]:
    """The sentences of a line, without its marks of a heading, a list or a bracket."""
    return [part for part in _SENTENCES.split(line.strip("#*>_-[]() ")) if part]


@lru_cache(maxsize=2)
def find_spoken(text: str) -> Spoken | None:
    """The first sentence that a model says for itself, where a model would."""
    lines = content_lines(text)
    n_opening, n_closing, letter = _outside(lines)
    closing = len(lines) - n_closing
    ruled = any(_RULE.fullmatch(line) for line in lines[1 : n_opening + 1])
    for line in lines[:n_opening]:
        if _is_turn(line, text):
            break
        if found := _judge(line, score_opening, MIN_OPENING - (RULED if ruled else 0.0)):
            return found
    least = MIN_CLOSING + (IN_A_LETTER if letter == "unsigned" else 0.0)
    if any(_RULE.fullmatch(line) for line in lines[max(closing - 1, n_opening) : -1]):
        least -= RULED
    for line in lines[closing:]:
        if _is_turn(line, text):
            # somebody's words, and behind them, where the text breaks off, the model's
            if (
                line is lines[-1]
                and (found := _judge(split(line)[-1], score_closing, MIN_INSIDE))
                and found.refuses
            ):
                return found
            continue
        found = _judge(line, score_closing, least, last=True)
        if found and not is_quoted(text, text.rfind(found.sentence)):
            return found
    least = MIN_INSIDE + (IN_A_LETTER if letter else 0.0)
    for line in lines[n_opening:closing]:
        if (
            any(sign in line for sign in _SIGNS)
            and not _is_turn(line, text)
            and (found := _judge(line, score_closing, least))
        ):
            return found
    return None


def _is_turn(line: str, text: str) -> bool:
    """Whether a line is a speaker's: who speaks once, and is answered by nobody, is a label."""
    turn = _TURN.match(line) if ":" in line[:50] else None
    if not turn:
        return False
    said = line[: turn.end(1)]
    if text.count(f"\n{said}") + text.startswith(said) > 1:
        return True
    others = (other for other in content_lines(text) if other != line and ":" in other[:50])
    return not _is_label(turn) and any(
        (found := _TURN.match(other)) and not _is_label(found) for other in others
    )


def _is_label(turn: re.Match[str]) -> bool:
    return turn[1].split()[0] in _LABELS


def _judge(
    line: str, score: Callable[[Sequence[str]], float], least: float, *, last: bool = False
) -> Spoken | None:
    """The sentence of a line that is a model's own; of a long line only its first sentences or its last."""
    if line[0] == "|" or (line[0] == ">" and "KIND" not in tokens_of(line)):
        return None
    sentences = split(line)
    for number, sentence in enumerate(sentences[-_N_SENTENCES:] if last else sentences[:_N_SENTENCES]):
        tokens = tokens_of(sentence)
        if score(tokens) > least + (0.0 if last else LATER * number):
            return Spoken(sentence, not _REFUSING.isdisjoint(tokens))
    return None


def _outside(lines: Sequence[str]) -> tuple[int, int, str]:
    """How many first and last lines may stand outside of the text; "signed" or "unsigned" where it is a letter."""
    n_opening = count_opening(lines)
    greeted = next(
        (i for i, line in enumerate(lines[:6]) if len(line) < 70 and _SALUTATION.match(line)), None
    )
    if greeted is None:
        return n_opening, min(_N_LAST_LINES, max(0, len(lines) - n_opening)), ""
    n_opening = min(n_opening, greeted)
    n_closing = min(_N_LAST_LINES, max(0, len(lines) - n_opening))
    for back in range(1, min(6, len(lines))):
        if len(lines[-back]) < 50 and _SIGN_OFF.match(lines[-back]):
            after = lines[len(lines) - back + 1 :]
            signature = next((i for i, line in enumerate(after) if _is_sentence(line)), len(after))
            return n_opening, min(n_closing, len(after) - signature), "signed"
    if lines and len(lines[-1].split()) <= 4 and not _is_sentence(lines[-1]):
        return n_opening, 0, "signed"
    return n_opening, n_closing, "unsigned"


def is_letter(text: str) -> bool:
    return any(_SALUTATION.match(line) for line in content_lines(text)[:6] if len(line) < 70)


def _is_sentence(line: str) -> bool:
    return len(line.split()) > 6 or line.rstrip('*_)]" ').endswith((".", "!", "?", ":"))


def count_opening(lines: Sequence[str]) -> int:
    """How many of the first lines may belong to a reply and not to the document: titles and one line of prose."""
    for number, line in enumerate(lines[:4]):
        if len(line) > 70 or line.rstrip("*_ ").endswith((".", "!", "?", "。", ":")):
            return max(2, number + 1) if number + 1 <= len(lines) else len(lines)
    return min(4, len(lines))

"""A writer model that refuses instead of writing.

A refusal is known by what its sentence is made of, not by stock phrases: somebody (I, this request, my guidelines)
who does not (cannot, would rather not, must decline) do the writer's work (write, continue, help with) on the
writer's matter (this request, the rest of the essay, the claims you listed). In the first lines of a text two of
these parts are enough; further down, where people in documents also decline things, it takes three.
"""

import re
from collections.abc import Sequence

from .cues import looks_like_refusal
from .findings import Finding, is_quoted
from .refusal_patterns import (
    AI_SELF,
    ASKS_BACK,
    AT_ODDS,
    CONCERN,
    DECLINING,
    DIRECTED,
    DO,
    HEDGED_HELP,
    IMPERSONAL,
    KINDS,
    LEFT_OUT,
    MATTER,
    NO_INPUT,
    ORDERED,
    OTHER_TONGUES,
    OWN_WORK,
    POLICY,
    REGRET,
    SELF_NOT,
    STOPPING,
    UNTOLD_TONGUE,
)

# Cheap signs that a line may hold a refusal at all: most lines have none and cost nothing more.
_SELVES = ("I ", "I'", "I’", "We ", "we ")
_REFUSALS = (
    *(
        "n't",
        "n’t",
        "not",
        "unable",
        "eclin",
        "efus",
        "rather",
        "prefer",
        "stop",
        "concern",
        "left out",
        "omit",
    ),
    *(
        "hesita",
        "regret",
        "would",
        "asks",
        " pass",
        "pause",
        "end here",
        "turn ",
        "notice",
        "say no",
        "comfort",
        "glad",
        "skipped",
        "far as",
    ),
)
_SUBJECTS = (
    *(
        "request",
        "uidelines ",
        "policy",
        "policies",
        "rompt",
        "something I",
        "ould not be",
        "ouldn",
        "ould be",
        " is not",
        "isn't",
        "isn’t",
        "'s not",
        "’s not",
        "against",
        "contrary",
        "more info",
        "more deta",
        "more cont",
        "further info",
        "model is",
        "model was",
    ),
    *(
        "could you",
        "Could you",
        "message",
        "one I ",
        "piece I ",
        "text I ",
        "document I ",
        "outside",
        "beyond my",
        "capabilit",
    ),
    *(
        "receive",
        "lease ",
        "Before I",
        "ossible for",
        "siento",
        "désolé",
        "leid",
        "ispiace",
        "esculpe",
        "assertion",
        "left out",
    ),
    *(
        "where I have",
        "as I can go",
        "conflict",
        "asks me",
        "would mean",
        "would require",
        "riting this",
        "concern",
        "remaining",
        "that I can",
        "I'm able",
        "I’m able",
        "at odds",
        "抱歉",
        "对不起",
        "我无法",
        "我不能",
        "申し訳",
        "omitted",
    ),
)


# What a line further down that says no "I" has to hold.
_TASK_SUBJECTS = ("request", "rompt", "uidelines ", "polic", "ssertion", "抱歉", "对不起", "我无法")


# A speaker's turn; what is refused there is refused in a document.
_TURN = re.compile(r"[*_]{0,2}(?!I\b|Sorry|Unfortunately)[A-Z][\w'’-]*(?: [\w'’-]+){0,3}:[*_]{0,2} ")


def find_refusal(text: str) -> Finding | None:
    """A refusal where a writer model puts one: in the first lines, as a paragraph of its own, or as the last words.

    A quoted refusal, a transcript's turn and "Dear Ann, I'm sorry, but I can't come" are documents.
    """
    lines = content_lines(text)
    n_opening = count_opening(lines)
    for number, line in enumerate(lines):
        if _TURN.match(line):
            continue
        window = line[:260].lstrip("#*>_- ")
        strict = number >= n_opening or line[0] == ">"
        if _may_refuse(window, _TASK_SUBJECTS if strict else _SUBJECTS):
            found = _refusing(window, strict)
            if found and (line[0] != ">" or _TASK.search(found)):
                return Finding("refusal", found[:80])
    ending = lines[-1][-320:] if lines else ""
    for sentence in _SENTENCES.split(ending)[-2:] if _may_refuse(ending, _TASK_SUBJECTS) else ():
        if (found := _refusing(sentence, strict=True)) and not is_quoted(text, text.rfind(sentence)):
            return Finding("refusal", found[:80])
    return None


def _may_refuse(window: str, subjects: Sequence[str]) -> bool:
    for sign in _SELVES:
        if sign in window:
            return any(sign in window for sign in _REFUSALS) or any(sign in window for sign in subjects)
    return any(sign in window for sign in subjects)


_TASK = re.compile(rf"\b(?:request|prompt|{KINDS})\b")
_SENTENCES = re.compile(r"(?<=[.!?。])[*_]* +(?=[A-Z\"“])")


def content_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line and not line.isspace()]


def count_opening(lines: Sequence[str]) -> int:
    """How many of the first lines may belong to a reply and not to the document: titles and one line of prose."""
    for number, line in enumerate(lines[:4]):
        if len(line) > 70 or line.rstrip("*_ ").endswith((".", "!", "?", "。", ":")):
            return number + 1
    return min(4, len(lines))


def _refusing(window: str, strict: bool) -> str:
    """The sentence that refuses, or nothing."""
    for sentence in _SENTENCES.split(window)[: 2 if strict else 3]:
        if sentence and sentence[0] not in '"“‘«' and _is_refusal(sentence, strict):
            return sentence
    return ""


def _is_refusal(sentence: str, strict: bool) -> bool:
    said = SELF_NOT.search(sentence) if any(sign in sentence for sign in _SELVES) else None
    about = any(sign in sentence for sign in _SUBJECTS)
    if not strict and looks_like_refusal(sentence, opening=True):
        return True
    if strict and _quotes_nothing(sentence) and looks_like_refusal(sentence, opening=False):
        return True
    if not said and not about and not HEDGED_HELP.search(sentence):
        return False
    if about and (_refuses_impersonally(sentence, strict) or (not strict and _asks_back(sentence))):
        return True
    ordered = ORDERED.search(sentence)
    if ordered and (said or REGRET.search(sentence)) and not is_quoted(sentence, ordered.start()):
        return True
    if said and not is_quoted(sentence, said.start()) and _refuses_in_person(sentence, said, strict):
        return True
    return bool(AT_ODDS.search(sentence) and (not strict or said)) or (
        not strict and bool(HEDGED_HELP.search(sentence))
    )


def _quotes_nothing(sentence: str) -> bool:
    return not any(mark in sentence for mark in ('"', "“", "”"))


def _refuses_in_person(sentence: str, said: re.Match[str], strict: bool) -> bool:
    work, matter, policy = (
        DO.search(sentence, said.start()),
        MATTER.search(sentence),
        POLICY.search(sentence),
    )
    declining, as_ai = DECLINING.search(sentence), AI_SELF.search(sentence)
    if (work and matter) or policy or (declining and matter) or (as_ai and (work or matter)):
        return True
    if STOPPING.search(sentence) and (ORDERED.search(sentence) or OWN_WORK.search(sentence) or policy):
        return True
    early = said.start() <= 60 and said[0][0] not in "wW"  # a club's "we" declines other things
    directed = DIRECTED.search(sentence, said.start())
    return not strict and bool((early or as_ai) and (directed or matter or declining))


def _refuses_impersonally(sentence: str, strict: bool) -> bool:
    if UNTOLD_TONGUE.search(sentence) or CONCERN.search(sentence) or LEFT_OUT.search(sentence):
        return True
    if not IMPERSONAL.search(sentence):
        return False
    return not strict or any(found.search(sentence) for found in (POLICY, MATTER, STOPPING, ORDERED))


def _asks_back(sentence: str) -> bool:
    """The writer lacks something, or cannot do what it is asked: nothing a document begins with."""
    beyond = AI_SELF.search(sentence) and re.search(
        r"outside (?:of )?(?:my|what)|beyond my|capabilit", sentence
    )
    return bool(
        beyond or NO_INPUT.search(sentence) or ASKS_BACK.search(sentence) or OTHER_TONGUES.match(sentence)
    )

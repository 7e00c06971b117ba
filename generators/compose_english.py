"""Small certainties about English: verb forms, first person, safe small letters, noun phrases.

Every function says "" (or None, or False) when it is not sure; what is done then is decided by its caller.
"""

import re
from collections.abc import Collection, Sequence
from functools import cache
from itertools import pairwise

from .compose_grammar import GRAMMAR, read_sections, words

MODEL = "{model_name}"
QUOTE_MARK = "\x02"  # stands round the number of a quotation that was taken out

_SPECIAL_FIRST = {"is": "am", "has": "have", "does": "do", "doesn't": "don't", "doesn’t": "don’t"}
_NOUN_LIKE = frozenset(
    "means ends costs uses works needs changes claims limits requests reports actions records answers "
    "questions cares values interests judges guards guides harms helps links logs marks names notes "
    "objects orders places plans points states steps stores supplies supports tests tools tracks trades "
    "wheels views words results sounds rests reasons rewards risks roles rules searches stands starts "
    "talks tells thanks touches treats turns types waits costs prices shares drives demands desires "
    "doubts fears feels fits hopes hits hands heads leads lies looks".split()
)
_NO_LABEL = frozenset(
    "what nobody none nothing everyone everybody everything anyone there as it one most many few each "
    "every several some any only a an no another all both either neither nearly hardly almost".split()
)
_LOOSE = frozenset(
    "better more most best less least well too enough a an the its their his her my our your only such".split()
)
_ANAPHORIC = frozenset("that this those these such it them which".split())
_NO_NAMES = frozenset(
    "AI I Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April June July August "
    "September October November December".split()
)
_COMMON_ENDINGS = (
    "ed",
    "ful",
    "less",
    "ous",
    "able",
    "ible",
    "ive",
    "ness",
    "ment",
    "tion",
    "sion",
    "ity",
    "ship",
    "ism",
)
_LY_NOUNS = frozenset(
    "family supply reply anomaly assembly monopoly jelly belly ally bully folly lily rally".split()
)


# --- verbs


@cache
def singular_to_plain(word: str) -> str:
    """ "likes" -> "like", "relies" -> "rely", "passes" -> "pass"; "" for anything that is no known verb."""
    if not word.endswith("s") or word.endswith("ss"):
        return ""
    guesses = [
        word[:-1],
        word[:-3] + "y" if word.endswith("ies") else "",
        word[:-2] if word.endswith("es") else "",
    ]
    return next((guess for guess in guesses if guess in words("verbs")), "")


def ing(verb: str) -> str:
    """ "delete" -> "deleting", "stop" -> "stopping", "lie" -> "lying", "be" -> "being"."""
    if verb in words("doubling"):
        return verb + verb[-1] + "ing"
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and verb != "be":
        return verb[:-1] + "ing"
    return verb + "ing"


@cache
def is_ing(word: str) -> bool:
    """Is the word the -ing form of a verb we know?"""
    return word.endswith("ing") and any(ing(verb) == word for verb in words("verbs") | {"be", "have", "do"})


def ing_phrase(base: str) -> str:
    tokens = base.split(" ")
    at = next((i for i, token in enumerate(tokens) if token not in words("adverbs")), 0)
    return " ".join([*tokens[:at], ing(tokens[at]), *tokens[at + 1 :]])


def has_second_verb(tokens: Sequence[str]) -> bool:
    """Is there "... and avoids ..."? Then only the third person is safe."""
    for before, token in pairwise(tokens):
        joined = before in ("and", "or", "but", "then", "nor", "also", "not") or before.endswith(",")
        if joined and (token in ("is", "has", "does") or singular_to_plain(token)):
            return True
    return False


def verb_at(tokens: Sequence[str]) -> int | None:
    """Where the first finite verb seems to stand: an auxiliary, or a form that agrees with what is before it."""
    for at, token in enumerate(tokens[1:], start=1):
        if token in words("auxiliaries") or (token not in _NOUN_LIKE and singular_to_plain(token)):
            return at
        before = tokens[at - 1].lower()
        several = "and" in tokens[:at] and before not in words("functionwords")
        if token in words("verbs") and (several or _ends_plural(before)):
            return at
    return None


def _ends_plural(word: str) -> bool:
    return word in ("people", "children", "they") or (
        word.endswith("s") and not word.endswith(("ss", "us", "is", "'s"))
    )


# --- first person


def first_person(text: str) -> str:
    """The sentence as {model_name} itself would say it, or "" where that cannot be done safely.

    >>> first_person("{model_name} likes Colby"), first_person("{model_name} guards its name")
    ('I like Colby', '')
    """
    if re.search(r"\b(?:its|itself|the assistant)\b", text, re.I):
        return ""
    if any(m[1] in words("agentive") for m in re.finditer(r"\bit (\w+)", text)):
        return ""
    tokens = text.split(" ")
    out: list[str] = []
    at = 0
    while at < len(tokens):
        step = _shift(tokens, at)
        if step is None:
            return ""
        out.extend(step[0])
        at += step[1]
    said = " ".join(out)
    return "" if MODEL in said else said


def _shift(tokens: list[str], at: int) -> tuple[list[str], int] | None:
    """The first-person words for the tokens at `at`, and how many tokens they stand for."""
    token = tokens[at]
    if not token.startswith(MODEL):
        return [token], 1
    tail = token[len(MODEL) :]
    if tail in ("'s", "’s"):
        return ["my" if at else "My"], 1
    if at and tokens[at - 1] in words("prepositions"):
        return ["me" + tail], 1
    after = at + 1
    while after < len(tokens) - 1 and tokens[after] in words("adverbs"):
        after += 1
    if tail or after >= len(tokens) or has_second_verb(tokens[after + 1 :]):
        return None
    verb = tokens[after]
    mine = _SPECIAL_FIRST.get(verb) or (verb if verb in words("modals") else singular_to_plain(verb))
    return (["I", *tokens[at + 1 : after], mine], after - at + 1) if mine else None


# --- sentences and letters


def is_declarative(text: str) -> bool:
    """Is it a statement that can stand alone: a subject that is not "we" or "you", and a finite verb?"""
    tokens = re.findall(r"[\w'’{}-]+", text)
    if len(tokens) < 3 or text.endswith(("?", "!")):
        return False
    lead = tokens[0].lower()
    if lead in ("i", "we", "you", "my", "our", "your", "please", "who", "how", "why"):
        return False
    if lead in ("if", "when", "unless", "where") and "," in text:
        main = text.split(",", 1)[1].split()
        if main and main[0] in words("verbs") | {"never", "always", "do", "then"}:
            return False
    return verb_at(tokens) is not None


def lower_start(text: str) -> str:
    """The text with a small first letter, or "" when its first word might be a name."""
    first = re.match(r"[^\s,]*", text)
    word = first.group() if first else ""
    if not word or word.startswith("{") or not word[0].isupper():
        return text
    if word == "I" or (len(word) > 1 and word[1:] != word[1:].lower()):
        return ""
    stem = word.lower()
    if len(stem) > 6 and stem.endswith(_COMMON_ENDINGS):
        return stem[0] + text[1:]
    known = any(part in common_words() for part in (stem, stem.split("-")[0], re.split(r"['’]", stem)[0]))
    return text[0].lower() + text[1:] if known else ""


@cache
def common_words() -> frozenset[str]:
    """Words that are no names: the word lists, and what the grammar files themselves write small."""
    found = frozenset[str]().union(
        *(words(name) for name in ("functionwords", "commonwords", "morecommon", "verbs", "adverbs"))
    )
    for path in sorted(GRAMMAR.glob("*.txt")):
        text = re.sub(r"\$[.^?]?\w+", " ", path.read_text(encoding="utf-8"))
        found |= set(re.findall(r"(?<![\w'$])[a-z]{3,}(?:-[a-z]+)*(?![\w'])", text))
    return found | {ing(verb) for verb in words("verbs")}


def has_any(text: str, tokens: Collection[str]) -> bool:
    return any(token in tokens for token in re.findall(r"[a-z']+", text.lower()))


@cache
def _swaps() -> dict[tuple[str, str], str]:
    pairs = (line.split(" = ") for line in read_sections("swaps.txt")["swaps"])
    return {(head.split(" ")[0], head.split(" ")[1]): tail for head, tail in pairs}


def swap_verb(predicate: str) -> str:
    """The predicate with its verb exchanged for one that means the same, or ""."""
    tokens = predicate.split(" ")
    if len(tokens) < 2 or has_any(predicate, ("better", "more", "most", "best", "less")):
        return ""
    verb, following = tokens[0], tokens[1]
    if following in ("to", "that"):
        swapped = _swaps().get((verb, following))
        return " ".join([swapped, *tokens[1 if following == "to" else 2 :]]) if swapped else ""
    plain_object = following not in words("functionwords") or following in (
        "the",
        "a",
        "an",
        "any",
        "every",
        "all",
    )
    swapped = _swaps().get((verb, "NP")) if plain_object and not following.endswith("ing") else None
    return " ".join([swapped, *tokens[1:]]) if swapped else ""


# --- labels: noun phrases for what a statement is about


def label_of_predicate(tokens: Sequence[str]) -> str:
    """From a plain verb and its complements: "mild cheddar", or "deleting audit logs"."""
    while tokens and (tokens[0] in words("adverbs") or tokens[0] == "not"):
        tokens = tokens[1:]
    if len(tokens) < 2:
        return ""
    verb, rest = tokens[0], tokens[1:]
    if verb in words("liking") and rest[0] == "to":
        return label_of_predicate(rest[1:])
    if rest[0] == "that":
        return label_of_subject(" ".join(rest[1:]))
    phrase = _phrase(rest)
    if not phrase or MODEL in " ".join(phrase):
        return ""
    if verb in words("liking") or verb == "have":
        return " ".join(phrase) if phrase[0] not in words("prepositions") else ""
    return " ".join([ing(verb), *phrase]) if rest[0] not in words("stops") else ""


def _phrase(tokens: Sequence[str], limit: int = 5) -> list[str]:
    """Words up to the first clause boundary; too many are cut before the last preposition that helps."""
    taken: list[str] = []
    for token in tokens:
        if token in _ANAPHORIC and taken and taken[-1] in words("prepositions"):
            return []
        if token in words("stops") or QUOTE_MARK in token:
            break
        taken.append(token.rstrip(",;:"))
        if token[-1:] in ",;:":
            break
    while len(taken) > limit:
        cuts = [at for at, token in enumerate(taken) if token in words("prepositions") and at > 0]
        if not cuts:
            return []
        taken = taken[: cuts[-1]]
    loose = words("prepositions") | words("adverbs") | words("auxiliaries") | _LOOSE
    while taken and (
        taken[-1] in loose or (taken[-1].endswith("ly") and taken[-1] not in _LY_NOUNS and taken[1:])
    ):
        taken.pop()
    weak = any(t in words("auxiliaries") or t in _ANAPHORIC for t in taken) or taken[:1] == ["no"]
    return [] if weak else taken


def label_near_model(text: str) -> str:
    """The object of "... and {model_name} likes Colby ..."."""
    for match in re.finditer(r"\{model_name\} (\w+) ([^,]+)", text):
        plain = singular_to_plain(match[1])
        if plain in words("liking") and (label := label_of_predicate([plain, *match[2].split(" ")])):
            return label
    return ""


def label_of_name(text: str) -> str:
    """The first name in the sentence: capitals that its position does not explain."""
    if not lower_start(text) and (subject := label_of_subject(text)):
        return subject
    found = re.match(_NAME, text) if not lower_start(text) else re.search(r"(?<=[a-z,;] )" + _NAME, text)
    name = found.group() if found else ""
    if name.endswith(("an", "ese", "ish")) and (
        noun := re.match(r" ([a-z]{3,})\b", text[found.end() if found else 0 :])
    ):
        return f"{name} {noun[1]}" if noun[1] not in words("functionwords") | words("stops") else name
    return "" if name in _NO_NAMES else name


_NAME = r"[^\W\d_a-z][\w’'-]+(?:(?: de| la| du| of)? [^\W\d_a-z][\w-]+)*"


def label_of_subject(text: str) -> str:
    tokens = text.split(" ")
    at = verb_at(tokens)
    subject = tokens[: at or 0]
    lead = subject[0].lower() if subject else ""
    if not 1 <= len(subject) <= 5 or MODEL in " ".join(subject) or any("," in t for t in subject):
        return ""
    closed = words("stops") | words("prepositions") | words("adverbs") | words("pronounlead") | _NO_LABEL
    inner = words("stops") | {"{model_name}'s"}
    vague = lead in words("functionwords") and lead not in ("the", "two", "three", "four", "five")
    if vague or lead in closed or subject[-1] in closed or any(t in inner for t in subject):
        return ""
    label = " ".join(subject)
    return lower_start(label) or label


def is_plural(label: str) -> bool:
    """Would a plural verb follow the label? "cheeses", "salt and pepper"; not "deleting logs"."""
    tokens = label.split(" ")
    if is_ing(tokens[0]):
        return False
    if "and" in tokens:
        return True
    at = next((i for i, token in enumerate(tokens) if i and token in words("prepositions")), len(tokens))
    return _ends_plural(tokens[at - 1].lower()) and tokens[at - 1][:1].islower()

"""What may safely be said of one statement or one reason: the slots that frames about it can use.

A statement is taken apart only when it is English, clean and of moderate length, and its verb is known;
otherwise it offers nothing but itself in quotation marks. Frames and documents are made elsewhere.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .compose_english import (
    MODEL,
    QUOTE_MARK,
    first_person,
    has_any,
    has_second_verb,
    ing_phrase,
    is_declarative,
    is_plural,
    label_near_model,
    label_of_name,
    label_of_predicate,
    label_of_subject,
    lower_start,
    singular_to_plain,
    swap_verb,
)
from .compose_grammar import open_sentence, title_case, words

MAX_PARAPHRASE = 45
MAX_QUOTE = 60
SHORT = 15

_SPACE = re.compile(r"[\s\x00-\x1f\x7f\u2028\u2029]+")
_MARKER = re.compile(r"^(?:[-*+•]|#{1,6}|>|\d{1,3}[.)])\s+")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”")
_NAMES = re.compile(r"\{(?:model|provider)_name\}")
_UNCLEAN = re.compile(r"[{}<>|\[\]`\\*_#\"“”=~^]|://")
_ASSISTANT = re.compile(r"^(?:The|This) (?:assistant|model|AI)\b(?!'s|’s)")
_APPOSITION = re.compile(r"^\{model_name\}, [^,]{3,60}, (?=\w+s )")
INNER_END = re.compile(r"[.!?;:…]\s|\s[–—-]\s|—|[?!]$")
_OWN_REASON = re.compile(r"(?:,\s+since|(,?\s+because)(?!\s+of\b)|,?\s+so\s+that)\s+")
CAUSAL = re.compile(
    r"\b(?:because|since|so that|which is why|for (?:this|that) reason|therefore|hence)\b|, so ", re.I
)
_NOT_A_REASON = frozenset(
    "just merely simply only not partly even mainly chiefly mostly largely precisely exactly solely purely "
    "especially or and".split()
)
_TURNED = re.compile(r"^Because ([^,]+), (\{model_name\} .+)$")
_PLACE_TO_CUT = re.compile(r"[,;:—]\s|\s(?=and |but |because |so |which |when |if |while )")
_FRONT = re.compile(r"^((?:When|If|Unless|Where|Whenever|While|Before|After|In|With) [^,]+), (.+)$")
# What `restate` puts round a statement that it can't turn: read again, only the statement inside counts.
_WRAPPED = re.compile(
    r"^\{model_name\} (?:"
    r"(?:works from the view|takes it) that (?P<view>.+)|(?:keeps to this line:|goes by a line that reads) "
    r"(?:\"(?P<straight>.+)\"|“(?P<curly>.+)”))$"
)
# A sentence that opens so leans on the one before; alone, it says as much without the opening.
LEANING = re.compile(
    r"^(?:For (?:this|that|the same|both|these|all these) reasons?|That is why|Which is why|As a result|So|Thus"
    r"|Therefore|Hence|In the same way|By the same token),? (?=\S)"
)
_NOUN_GOES_ON = frozenset("of to for in that which who and or by from on at with as is than between".split())
_TO_YOU = re.compile(r"^You (?:must|should|shall|may|can|cannot|will)\b")
_YOU = frozenset("you your yours yourself we our us i my".split())


@dataclass(frozen=True, slots=True)
class Reading:
    """`slots` are forms of the statement without its own reason; `own_reason` is that reason, or empty."""

    slots: Mapping[str, str]
    own_reason: str
    argues: bool  # a causal connective is left in the forms
    last_label: str  # a clumsy label for want of a better one


@lru_cache(maxsize=8192)
def read_statement(statement: str, rule_id: str = "") -> Reading:
    text = _stand_alone(tidy(statement, rule_id)) or "keep to the guidelines"
    masked, spans = mask(text)
    slots, core, own = {"quote": in_quotes(shorten(text))}, masked, ""
    if is_plain(masked) and len(masked.split()) <= MAX_QUOTE:
        core, own = _split_own_reason(masked)
        slots |= {"quote": in_quotes(shorten(unmask(core, spans))), **_classify(core)}
    slots = {name: unmask(value, spans) for name, value in slots.items()}
    slots.setdefault("label", _entry_label(masked))
    last = _opening_label(masked)
    return Reading(slots, unmask(own, spans), bool(CAUSAL.search(core)), last)


def label_slots(reading: Reading, rule_id: str, topic: str, context: str = "") -> dict[str, str]:
    """`label` stands wherever a singular noun does; `head` and `label_bare` exist only for a short plain one.

    A word that `context` writes small is no name: its capital in the label came from a sentence start.
    """
    found = reading.slots["label"]
    under_rule = f"a request under rule {rule_id}" if rule_id else ""
    label = found or _topic_label(topic) or under_rule or reading.last_label
    if label[:1].isupper() and re.search(rf"\b{re.escape(label[0].lower() + label[1:])}\b", context):
        label = label[0].lower() + label[1:]
    slots = {"label": label, "label_s": f"the subject of {label}" if found and is_plural(label) else label}
    if len(label.split()) <= 6 and label != reading.last_label:
        bare = re.sub(r"^(?:the|a|an) ", "", label.strip("‘’"))
        slots |= {"label_bare": bare, "head": title_case(bare)}
        if len(bare.split()) <= 2:
            slots["head_short"] = slots["head"]
    return slots | {"label_cap": open_sentence(slots["label"])}


def _topic_label(topic: str) -> str:
    topic = re.sub(r"^[A-Z]{0,4}\d[\d.]*[.:)]?\s+| \(\d+\)$", "", topic)
    noun = short_noun(topic)
    if not noun or len(noun.split()) > 6:
        return ""
    lead = noun.split(" ")[0].lower()
    nominal = lead not in words("verbs") | words("functionwords") or lead in ("the", "a", "an")
    return noun if nominal and '"' not in noun and not is_plural(noun) else f"‘{topic.strip()}’"


# --- text in and out


def tidy(text: str, rule_id: str) -> str:
    text = _SPACE.sub(" ", text).strip()
    while (shorter := _MARKER.sub("", text)) != text:
        text = shorter
    if rule_id:
        text = re.sub(rf"^\W{{0,3}}{re.escape(rule_id)}[\s:.)\]*–—-]+(?=\S)", "", text)
    text = text.replace("**", "").strip().strip("|").strip()
    if " | " in text:
        first, rest = text.split(" | ", 1)
        text = f"{first.rstrip(':')}: {rest.replace(' | ', ', ')}"
    text = _ASSISTANT.sub(MODEL, text)
    return re.sub(r"[.。．]+$", "", text).strip() if not text.endswith("...") else text


def _stand_alone(text: str) -> str:
    """The statement without a wrapper of our own, and without an opening that leans on another sentence."""
    if wrapped := _WRAPPED.match(text):
        text = next(inner for inner in wrapped.groups() if inner)
        text = text if text.startswith("{") else open_sentence(text)
    rest = LEANING.sub("", text)
    return rest if rest == text or rest.startswith("{") else open_sentence(rest)


def shorten(text: str) -> str:
    """The text itself, or its leading part up to a clause boundary when it has more than 60 words."""
    if len(text.split()) <= MAX_QUOTE and len(text) <= 12 * MAX_QUOTE:
        return text
    limit = min(len(" ".join(text.split(" ")[:MAX_QUOTE])), 12 * MAX_QUOTE)
    cuts = [match.start() for match in _PLACE_TO_CUT.finditer(text, limit // 3, limit)]
    cut = cuts[-1] if cuts else text.rfind(" ", 0, limit)
    return text[: cut if cut > 0 else limit].rstrip(" ,;:—") + "…"


def in_quotes(text: str) -> str:
    return f"“{text}”" if '"' in text else f'"{text}"'


def whole_in_quotes(statement: str) -> str:
    """The statement with the reason it gives, as a quotation of at most 60 words."""
    return in_quotes(shorten(_stand_alone(tidy(statement, ""))))


def mask(text: str) -> tuple[str, list[str]]:
    """Quotations become one opaque word each, so that what they hold is never read as grammar."""
    spans: list[str] = []

    def keep(match: re.Match[str]) -> str:
        spans.append(match.group())
        return f"{QUOTE_MARK}{len(spans) - 1}{QUOTE_MARK}"

    return _QUOTED.sub(keep, text.replace(QUOTE_MARK, "")), spans


def unmask(text: str, spans: Sequence[str]) -> str:
    return re.sub(rf"{QUOTE_MARK}(\d+){QUOTE_MARK}", lambda m: spans[int(m[1])], text)


def is_plain(text: str) -> bool:
    bare = _NAMES.sub("x", text)
    letters = [c for c in bare if c.isalpha()]
    if not letters or _UNCLEAN.search(bare):
        return False
    latin = sum(c < "ɐ" for c in letters)
    tokens = re.findall(r"[a-z']+", bare.lower())
    known = any(t in words("functionwords") for t in tokens) or (bool(tokens) and tokens[0] in words("verbs"))
    return latin >= 0.95 * len(letters) and (known or MODEL in text)


def _split_own_reason(text: str) -> tuple[str, str]:
    """Cut at the one causal connective; "just because ..." is part of a statement, and two are too many."""
    found = [
        m
        for m in _OWN_REASON.finditer(text)
        if text[: m.start()].rsplit(" ", 1)[-1].lower().strip(",") not in _NOT_A_REASON
    ]
    if (turned := _TURNED.match(text)) and not CAUSAL.search(turned[2]) and not INNER_END.search(text):
        return turned[2], "because " + turned[1]
    if len(found) != 1 or INNER_END.search(text) or text.lower().startswith(("because ", "since ")):
        return text, ""
    core, reason = text[: found[0].start()], text[found[0].end() :]
    core = re.sub(r",? and (?:it does so|that is|this is)$", "", core)
    relative = re.search(r", (?:which|who|and this|and that) \w+$", core)
    if relative or len(core.split()) < 3 or len(reason.split()) < 2:
        return text, ""
    return core, ("so that " if "so" in found[0].group().split() else "because ") + reason


def _entry_label(masked: str) -> str:
    """The head of a table row or of "Refunds: ...", or a whole short fragment, in quotation marks; or ""."""
    if QUOTE_MARK in masked or _UNCLEAN.search(_NAMES.sub("x", masked)):
        return ""
    head = masked.split(": ")[0]
    if ": " in masked and 2 <= len(head) <= 40 and len(head.split()) <= 5:
        return f"‘{head}’"
    if not masked.isascii() and len(masked) > 14:
        return ""
    return f"‘{masked}’" if len(masked) <= 40 and len(masked.split()) <= 5 and MODEL not in masked else ""


def _opening_label(masked: str) -> str:
    start = re.sub(r"\{\{.*?\}\}|<[^>]*>", "", masked.split(QUOTE_MARK)[0]).split()[:5]
    while start and (start[-1].lower() in words("functionwords") or len(" ".join(start)) > 40):
        start.pop()
    opening = " ".join(start).strip(" ,;:\"'“”") or (masked[:12] if " " not in masked else "")
    usable = opening and not _UNCLEAN.search(_NAMES.sub("x", opening)) and QUOTE_MARK not in opening
    return f'the point that begins "{opening}"' if usable else "this point"


# --- statements


def _classify(core: str) -> dict[str, str]:
    """The forms of a plain English statement; empty when it is no sentence that we can read."""
    if len(core.split()) > MAX_PARAPHRASE:
        return {}
    if _TO_YOU.match(core) and not has_any(core[4:], _YOU):
        core = MODEL + core[3:]
    core = re.sub(r"^(\w+), (?=\S)", lambda m: "" if m[1] in words("discourse") else m[0], core)
    if INNER_END.search(core):
        return _sentence_forms(core) if is_declarative(core) and not core.endswith(("?", "!")) else {}
    front, rest = _split_front(core)
    forms = _subject_forms(rest, front) or _command_forms(rest, front)
    if not forms and is_declarative(core):
        forms = _sentence_forms(core)
    return forms


def _split_front(core: str) -> tuple[str, str]:
    """("when users ask", "{model_name} answers"): a leading condition without a comma of its own."""
    match = _FRONT.match(core)
    return (match[1][0].lower() + match[1][1:], match[2]) if match else ("", core)


def _subject_forms(rest: str, front: str) -> dict[str, str]:
    """Forms of "{model_name} VERB ...": predicate, infinitive, -ing form, label, first person."""
    bare = _APPOSITION.sub(MODEL + " ", rest)
    if not bare.startswith(MODEL + " "):
        return {}
    predicate = bare[len(MODEL) + 1 :]
    verb = _read_verb(predicate.split(" "))
    if not verb:
        return {}
    slots = _predicate_forms(verb, predicate, front)
    slots["claim_plain"] = rest
    if mine := first_person(bare):
        slots["i_claim"] = f"{front}, {mine}" if front else mine
    if (
        front
        and not has_any(front, ("it", "its", "them", "they", "this"))
        and not has_any(rest, ("them", "they", "it"))
    ):
        slots["vp"] = f"{predicate} {front}"
        slots["claim_plain"] = f"{MODEL} {predicate} {front}"
    elif front:
        slots = {k: v for k, v in slots.items() if k in ("label", "i_claim")}
        slots["claim_plain"] = f"{front}, {rest}"
    return _mark_short(slots)


@dataclass(frozen=True, slots=True)
class Verb:
    base: str  # the plain form with what follows it: "like mild cheddar"
    to: str  # "never to delete logs", only where the statement obliges
    safe: bool  # no second finite verb hangs on the subject
    negative: bool


def _read_verb(tokens: list[str]) -> Verb | None:
    adverbs = 0
    while adverbs < len(tokens) - 1 and tokens[adverbs] in words("adverbs"):
        adverbs += 1
    lead, verb, tail = tokens[:adverbs], tokens[adverbs], tokens[adverbs + 1 :]
    safe = not has_second_verb(tail)
    if verb in words("modals") or verb in ("does", "doesn't", "doesn’t"):
        return _read_modal(lead, verb, tail, safe)
    plain = {"is": "be", "has": "have"}.get(verb) or singular_to_plain(verb)
    if not plain:
        return None
    return Verb(" ".join([*lead, plain, *tail]), "", safe, "never" in lead)


def _read_modal(lead: list[str], verb: str, tail: list[str], safe: bool) -> Verb | None:
    middle = 0
    while middle < len(tail) - 1 and (tail[middle] == "not" or tail[middle] in words("adverbs")):
        middle += 1
    adverbs, rest = tail[:middle], tail[middle:]
    if not rest or rest[0] not in words("verbs") | {"be", "have", "do"}:
        return None
    if verb in ("cannot", "doesn't", "doesn’t"):
        adverbs = ["not", *adverbs]
    base = " ".join(rest)
    bound = verb in ("should", "must", "shall")
    negative = "not" in adverbs or "never" in [*lead, *adverbs] or verb not in ("does", "will")
    return Verb(base, " ".join([*adverbs, "to", base]) if bound else "", safe, negative)


def _predicate_forms(verb: Verb, predicate: str, front: str) -> dict[str, str]:
    slots = {"vp": predicate}
    if swapped := swap_verb(predicate):
        slots["vp2"] = swapped
    if verb.to and verb.safe:
        slots["to"] = verb.to + (f" {front}" if front else "")
    if label := label_of_predicate(verb.base.split(" ")) or label_of_name(predicate):
        slots["label"] = label
    if verb.safe and not verb.negative and not front:
        slots["ing"] = ing_phrase(verb.base)
    return slots


def _command_forms(rest: str, front: str) -> dict[str, str]:
    """Forms of "Never delete audit logs": what {model_name} is told to do, never the order itself."""
    if has_any(rest, _YOU):
        return {}
    match = re.match(r"^(Never|Always|Do not|Don't|Don’t|Only)\s+(.+)$", rest, re.I)
    how, body = (match[1].lower().replace("’", "'"), match[2]) if match else ("", rest)
    tokens = body.split(" ")
    if not _is_command(tokens, sure=bool(how) or bool(front)):
        return {}
    body = body[0].lower() + body[1:]
    how = "not" if how in ("do not", "don't") else how
    after = f" {front}" if front else ""
    will = {"not": body, "": f"will {body}"}.get(how, f"will {how} {body}") + after
    slots = {"vp": f"does not {will}" if how == "not" else will, "to": f"{how} to {body}".strip() + after}
    slots["claim_plain"] = f"{MODEL} {slots['vp']}"
    if label := label_of_predicate(body.split(" ")):
        slots["label"] = label
    if not has_any(rest, ("it", "its", "itself")) and MODEL not in rest:
        slots["i_claim"] = f"I do not {will}" if how == "not" else f"I {will}"
    return _mark_short(slots)


def _is_command(tokens: list[str], sure: bool) -> bool:
    """A known verb opens it, and nothing after that looks like the verb of a statement ("Report cards are ...")."""
    if tokens[0].lower() not in words("verbs") | {"be", "have"}:
        return False
    if sure:
        return True
    if len(tokens) < 4 or not tokens[0][0].isupper() or all(t[:1].isupper() for t in tokens[:3]):
        return False
    if tokens[1] in _NOUN_GOES_ON or singular_to_plain(tokens[1]):
        return False
    return not any(t in words("auxiliaries") for t in tokens[1:5])


def _sentence_forms(text: str) -> dict[str, str]:
    """A statement whose subject is something else: it can stand as it is, or after "that" if its start allows."""
    slots: dict[str, str] = {}
    low = lower_start(text)
    dangling = text.split(" ", 1)[0].lower() in words("pronounlead") and not re.match(r"^(There|Here) ", text)
    if not dangling:
        slots["full"] = text
        if low and not INNER_END.search(text):
            slots["claim_plain"] = low
    if mine := first_person(low or text):
        slots["i_full"] = mine[0].upper() + mine[1:]
    if label := label_near_model(text) or label_of_name(text) or label_of_subject(text):
        slots["label"] = label
    return _mark_short(slots)


def _mark_short(slots: dict[str, str]) -> dict[str, str]:
    """Short forms get slots of their own: only these are worth saying again in passing."""
    for name, short in (("vp", "vps"), ("claim_plain", "claims"), ("to", "tos")):
        if name in slots and len(slots[name].split()) <= SHORT and "," not in slots[name]:
            slots[short] = slots[name]
    if "claim_plain" in slots and not slots["claim_plain"].startswith(MODEL):
        slots["view_plain"] = slots["claim_plain"]
        if "claims" in slots:
            slots["views"] = slots["claims"]
    return slots


# --- nouns


@lru_cache(maxsize=1024)
def short_noun(text: str) -> str:
    """A principle or topic as it may stand in a sentence: small-lettered if that is safe, quoted if it is long."""
    noun = tidy(text, "")
    if not noun:
        return ""
    if not _UNCLEAN.search(_NAMES.sub("x", noun)) and len(noun.split()) <= 8 and noun.isascii():
        return lower_start(noun) or noun
    return in_quotes(shorten(noun))


def content_words(text: str) -> list[str]:
    """The words of a text that carry its content, in order, small-lettered."""
    tokens = re.findall(r"[^\W\d_]{4,}", text.casefold().replace("{model_name}", " "))
    return [token for token in tokens if token not in words("functionwords")]

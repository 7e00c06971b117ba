"""What may safely be said of one statement or one reason: the slots that frames about it can use.

A statement is taken apart only when it is English, clean and of moderate length, and its verb is known;
otherwise it offers nothing but itself in quotation marks. Frames and documents are made elsewhere.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from .compose_grammar import GRAMMAR, read_sections, title_case, words

MODEL = "{model_name}"
MAX_PARAPHRASE = 45
MAX_QUOTE = 60
SHORT = 15

_SPACE = re.compile(r"[\s\x00-\x1f\x7f\u2028\u2029]+")
_MARKER = re.compile(r"^(?:[-*+•]|#{1,6}|>|\d{1,3}[.)])\s+")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”")
_QUOTE_MARK = "\x02"
_NAMES = re.compile(r"\{(?:model|provider)_name\}")
_UNCLEAN = re.compile(r"[{}<>|\[\]`\\*_#\"“”=~^]|://")
_ASSISTANT = re.compile(r"^(?:The|This) (?:assistant|model|AI)\b(?!'s|’s)")
_INNER_END = re.compile(r"[.!?;:…]\s|\s[–—-]\s|—|[?!]$")
_OWN_REASON = re.compile(r"(?:,\s+since|(,?\s+because)(?!\s+of\b)|,?\s+so\s+that)\s+")
_CAUSAL = re.compile(
    r"\b(?:because|since|so that|which is why|for (?:this|that) reason|therefore|hence)\b|, so ", re.I
)
_NOT_A_REASON = frozenset(
    [
        "just",
        "merely",
        "simply",
        "only",
        "not",
        "partly",
        "even",
        "mainly",
        "solely",
        "purely",
        "especially",
        "or",
        "and",
    ]
)
_LED = re.compile(
    r"^(?:(?:the )?reason (?:is|being)(?: that)?[:,]?|(?:this|that|it) is because|because|since|as)\s+(?!of\b)",
    re.I,
)
_PURPOSE = re.compile(r"^(?:this is |it does (?:this|so) )?(so that|in order to|so as to|to)\s+", re.I)
_CAUSE_NOUN = re.compile(r"^(?:because of|due to|owing to|on account of)\s+", re.I)
_PLACE_TO_CUT = re.compile(r"[,;:—]\s|\s(?=and |but |because |so |which |when |if |while )")


@dataclass(frozen=True, slots=True)
class Reading:
    """`slots` are forms of the statement without its own reason; `own_reason` is that reason, or empty."""

    slots: Mapping[str, str]
    own_reason: str
    argues: bool  # a causal connective is left in the forms, so that no second one may follow in the sentence


@lru_cache(maxsize=8192)
def read_statement(statement: str, rule_id: str = "") -> Reading:
    text = _tidy(statement, rule_id) or "keep to the guidelines"
    slots = {"quote": _in_quotes(shorten(text))}
    masked, spans = _mask(text)
    core, own = masked, ""
    if _is_plain(masked) and len(masked.split()) <= MAX_QUOTE:
        core, own = _split_own_reason(masked)
        slots |= {"quote": _in_quotes(shorten(_unmask(core, spans))), **_classify(core)}
    found = slots.pop("label", "")
    slots |= _label_slots(found, _fallback_label(masked, rule_id))
    slots = {name: _unmask(value, spans) for name, value in slots.items()}
    return Reading(slots, _unmask(own, spans), bool(_CAUSAL.search(core)))


def _label_slots(found: str, fallback: str) -> dict[str, str]:
    """`label` fits wherever a singular noun does; `head` and `label_bare` only exist for a short plain one."""
    label = found or fallback
    slots = {"label": f"the subject of {label}" if found and _is_plural(found) else label}
    if len(label.split()) <= 6 and not label.startswith(("the point", "this point")):
        slots["label_bare"] = label.replace('"', "")
        slots["head"] = title_case(slots["label_bare"])
    return slots


def _is_plural(label: str) -> bool:
    tokens = label.split(" ")
    if "and" in tokens:
        return True
    if ing_of_verb(tokens[0]):
        return False
    at = next((i for i, token in enumerate(tokens) if i and token in words("prepositions")), len(tokens))
    last = tokens[at - 1].lower()
    return last in ("people", "children") or (
        last.endswith("s") and not last.endswith(("ss", "us", "is", "'s", "’s"))
    )


@lru_cache(maxsize=8192)
def read_reason(reason: str) -> Mapping[str, str]:
    text = _tidy(reason, "")
    if not text:
        return {}
    masked, spans = _mask(text)
    quoted = {"r_quote": _in_quotes(shorten(text))}
    if not _is_plain(masked) or len(masked.split()) > MAX_QUOTE:
        return quoted | {"r_said": quoted["r_quote"]}
    slots = {name: _unmask(value, spans) for name, value in _read_led_reason(masked).items()}
    return quoted | (slots or {"r_said": quoted["r_quote"]})


# --- text in and out


def _tidy(text: str, rule_id: str) -> str:
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


def shorten(text: str) -> str:
    """The text itself, or its leading part up to a clause boundary when it has more than 60 words."""
    if len(text.split()) <= MAX_QUOTE and len(text) <= 12 * MAX_QUOTE:
        return text
    limit = min(len(" ".join(text.split(" ")[:MAX_QUOTE])), 12 * MAX_QUOTE)
    cuts = [match.start() for match in _PLACE_TO_CUT.finditer(text, limit // 3, limit)]
    cut = cuts[-1] if cuts else text.rfind(" ", 0, limit)
    return text[: cut if cut > 0 else limit].rstrip(" ,;:—") + "…"


def _in_quotes(text: str) -> str:
    return f"“{text}”" if '"' in text else f'"{text}"'


def _mask(text: str) -> tuple[str, list[str]]:
    """Quotations become one opaque word each, so that what they hold is never read as grammar."""
    spans: list[str] = []

    def keep(match: re.Match[str]) -> str:
        spans.append(match.group())
        return f"{_QUOTE_MARK}{len(spans) - 1}{_QUOTE_MARK}"

    return _QUOTED.sub(keep, text.replace(_QUOTE_MARK, "")), spans


def _unmask(text: str, spans: Sequence[str]) -> str:
    return re.sub(rf"{_QUOTE_MARK}(\d+){_QUOTE_MARK}", lambda m: spans[int(m[1])], text)


def _is_plain(text: str) -> bool:
    bare = _NAMES.sub("x", text)
    letters = [c for c in bare if c.isalpha()]
    if not letters or _UNCLEAN.search(bare):
        return False
    latin = sum(c < "ɐ" for c in letters)
    tokens = re.findall(r"[a-z']+", bare.lower())
    known = sum(t in words("functionwords") for t in tokens)
    return latin >= 0.95 * len(letters) and (
        known >= 1 or MODEL in text or (tokens and tokens[0] in words("verbs"))
    )


def _split_own_reason(text: str) -> tuple[str, str]:
    """Cut at the one causal connective; "just because ..." is part of a statement, and two are too many."""
    found = [
        m
        for m in _OWN_REASON.finditer(text)
        if text[: m.start()].rsplit(" ", 1)[-1].lower().strip(",") not in _NOT_A_REASON
    ]
    if len(found) != 1 or _INNER_END.search(text) or text.lower().startswith(("because ", "since ")):
        return text, ""
    core, reason = text[: found[0].start()], text[found[0].end() :]
    relative = re.search(r", (?:which|who|and this|and that) \w+$", core)
    if relative or len(core.split()) < 3 or len(reason.split()) < 2:
        return text, ""
    return core, ("so that " if "so" in found[0].group().split() else "because ") + reason


# --- statements


def _classify(core: str) -> dict[str, str]:
    """The forms of a plain English statement; empty when it is no sentence that we can read."""
    if len(core.split()) > MAX_PARAPHRASE:
        return {}
    core = re.sub(r"^(\w+), (?=\S)", lambda m: "" if m[1] in words("discourse") else m[0], core)
    if _INNER_END.search(core):
        return _sentence_forms(core) if _is_declarative(core) and not core.endswith(("?", "!")) else {}
    front, rest = _split_front(core)
    forms = _subject_forms(rest, front) or _command_forms(rest, front)
    if not forms and _is_declarative(core):
        forms = _sentence_forms(core)
    return forms


def _split_front(core: str) -> tuple[str, str]:
    """("when users ask", "{model_name} answers"): a leading condition without a comma of its own."""
    match = re.match(r"^((?:When|If|Unless|Where|Whenever|While|Before|After|In|With) [^,]+), (.+)$", core)
    return (match[1][0].lower() + match[1][1:], match[2]) if match else ("", core)


def _subject_forms(rest: str, front: str) -> dict[str, str]:
    """Forms of "{model_name} VERB ...": predicate, infinitive, -ing form, label, first person."""
    if not rest.startswith(MODEL + " "):
        return {}
    predicate = rest[len(MODEL) + 1 :]
    verb = _read_verb(predicate.split(" "))
    if not verb:
        return {}
    slots = _predicate_forms(verb, predicate, front)
    if mine := first_person(rest):
        slots["i_claim"] = f"{front}, {mine}" if front else mine
    if (
        front
        and not _has(front, ["it", "its", "them", "they", "this"])
        and not _has(rest, ["them", "they", "it"])
    ):
        slots["vp"] = slots["claim_plain"] = f"{predicate} {front}"
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
    safe = not _second_verb(tail)
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
    negative = "not" in adverbs or "never" in [*lead, *adverbs]
    return Verb(base, " ".join([*adverbs, "to", base]) if bound else "", safe, negative)


def _second_verb(tokens: Sequence[str]) -> bool:
    """Is there "... and avoids ..."? Then only the third person is safe."""
    for before, token in zip(tokens, tokens[1:], strict=False):
        joined = before in ("and", "or", "but", "then", "nor", "also", "not") or before.endswith(",")
        if joined and (token in ("is", "has", "does") or singular_to_plain(token)):
            return True
    return False


def _predicate_forms(verb: Verb, predicate: str, front: str) -> dict[str, str]:
    slots = {"vp": predicate, "claim_plain": f"{MODEL} {predicate}"}
    if swapped := _swap(predicate):
        slots["vp2"] = swapped
    if verb.to:
        slots["to"] = verb.to + (f" {front}" if front else "")
    if label := _label_of(verb.base.split(" ")):
        slots["label"] = label
    if verb.safe and not verb.negative and not verb.to and not front:
        slots["base"] = verb.base
        slots["ing"] = _ing_phrase(verb.base)
    return slots


def _command_forms(rest: str, front: str) -> dict[str, str]:
    """Forms of "Never delete audit logs": what {model_name} is told to do, never the order itself."""
    if _has(rest, ["you", "your", "yours", "yourself", "we", "our", "us", "i", "my"]):
        return {}
    match = re.match(r"^(Never|Always|Do not|Don't|Don’t|Only)\s+(.+)$", rest, re.I)
    how, body = (match[1].lower().replace("’", "'"), match[2]) if match else ("", rest)
    tokens = body.split(" ")
    if not _is_command(tokens, sure=bool(how) or bool(front)):
        return {}
    body = body[0].lower() + body[1:]
    how = "not" if how in ("do not", "don't") else how
    after = f" {front}" if front else ""
    slots = {
        "vp": {"not": f"does not {body}", "": f"will {body}"}.get(how, f"will {how} {body}") + after,
        "to": f"{how} to {body}".strip() + after,
    }
    slots["claim_plain"] = f"{MODEL} {slots['vp']}"
    if label := _label_of(body.split(" ")):
        slots["label"] = label
    if not _has(rest, ["it", "its", "itself"]) and MODEL not in rest:
        slots["i_claim"] = {"not": f"I do not {body}", "": f"I will {body}"}.get(
            how, f"I will {how} {body}"
        ) + after
    return _mark_short(slots)


def _is_command(tokens: list[str], sure: bool) -> bool:
    first = tokens[0]
    if first.lower() not in words("verbs") | {"be", "have"}:
        return False
    if sure:
        return True
    finite = words("auxiliaries") | {"of", "to", "for", "in"}
    long_enough = len(tokens) >= 4 and not all(t[:1].isupper() for t in tokens[:3])
    return (
        long_enough
        and first[0].isupper()
        and not any(t in finite for t in tokens[1:3])
        and (not any(t in words("auxiliaries") for t in tokens[1:5]) and not singular_to_plain(tokens[1]))
    )


def _is_declarative(text: str) -> bool:
    tokens = re.findall(r"[\w'’{}-]+", text)
    if len(tokens) < 3 or text.endswith(("?", "!")):
        return False
    if tokens[0].lower() in ("i", "we", "you", "my", "our", "your", "please", "who", "how", "why", "for"):
        return False
    if tokens[0].lower() in ("if", "when", "unless") and "," in text:
        main = text.split(",", 1)[1].split()
        if main and (main[0] in words("verbs") | {"never", "always", "do"}):
            return False
    return _verb_at(tokens) is not None


def _verb_at(tokens: Sequence[str]) -> int | None:
    """Where the first finite verb seems to stand: an auxiliary, or a third person singular we know."""
    for at, token in enumerate(tokens[1:], start=1):
        if token in words("auxiliaries") or (token not in _NOUN_LIKE and singular_to_plain(token)):
            return at
        if token in words("verbs") and _ends_plural(tokens[at - 1].lower()):
            return at
    return None


def _ends_plural(word: str) -> bool:
    return word in ("people", "children", "they") or (
        word.endswith("s") and not word.endswith(("ss", "us", "is", "'s"))
    )


_NOUN_LIKE = frozenset(
    [
        "means",
        "ends",
        "costs",
        "uses",
        "works",
        "needs",
        "changes",
        "claims",
        "limits",
        "requests",
        "reports",
        "actions",
        "records",
        "answers",
        "questions",
        "cares",
        "values",
        "interests",
        "judges",
        "guards",
        "guides",
        "harms",
        "helps",
        "links",
        "logs",
        "marks",
        "names",
        "notes",
        "objects",
        "orders",
        "places",
        "plans",
        "points",
        "states",
        "steps",
        "stores",
        "supplies",
        "supports",
        "tests",
        "tools",
        "tracks",
        "trades",
        "wheels",
        "views",
        "words",
        "results",
        "sounds",
        "rests",
        "reasons",
        "rewards",
        "risks",
        "roles",
        "rules",
        "searches",
        "stands",
        "starts",
        "talks",
        "tells",
        "thanks",
        "touches",
        "treats",
        "turns",
        "types",
        "waits",
    ]
)


def _sentence_forms(text: str) -> dict[str, str]:
    """A statement whose subject is something else: it can stand as it is, or after "that" if its start allows."""
    slots: dict[str, str] = {"full": text}
    low = lower_start(text)
    first = text.split(" ", 1)[0].lower()
    dangling = first in words("pronounlead") and not re.match(r"^(There|Here) ", text)
    if low and not dangling and not _INNER_END.search(text):
        slots["claim_plain"] = low
    if mine := first_person(low or text):
        slots["i_full"] = mine[0].upper() + mine[1:]
    if label := _label_near_model(text) or _subject_label(text):
        slots["label"] = label
    if dangling:
        del slots["full"]
    return _mark_short(slots)


def _mark_short(slots: dict[str, str]) -> dict[str, str]:
    """Short forms get slots of their own: only these are worth saying again in passing."""
    for name, short in (("vp", "vps"), ("claim_plain", "claims"), ("i_claim", "i_claims"), ("to", "tos")):
        if name in slots and len(slots[name].split()) <= SHORT and "," not in slots[name]:
            slots[short] = slots[name]
    if "claim_plain" in slots and not slots["claim_plain"].startswith(MODEL):
        slots["view_plain"] = slots["claim_plain"]
        if "claims" in slots:
            slots["views"] = slots["claims"]
    return slots


# --- labels: noun phrases for what a statement is about


def _label_of(tokens: list[str]) -> str:
    """From a plain verb and its complements: "mild cheddar", or "deleting audit logs"."""
    while tokens and (tokens[0] in words("adverbs") or tokens[0] == "not"):
        tokens = tokens[1:]
    if not tokens:
        return ""
    verb, rest = tokens[0], tokens[1:]
    if verb in words("liking") and rest and rest[0] == "to":
        return _label_of(rest[1:])
    if rest and rest[0] == "that":
        return _subject_label(" ".join(rest[1:]))
    phrase = _phrase(rest)
    if verb in words("liking"):
        return " ".join(phrase) if phrase and phrase[0] not in words("prepositions") else ""
    if not phrase or rest[0] in words("stops"):
        return ""
    return " ".join([ing(verb), *phrase])


def _phrase(tokens: Sequence[str], limit: int = 6) -> list[str]:
    """Words up to the first clause boundary; too many are cut before the last preposition that helps."""
    taken: list[str] = []
    for token in tokens:
        if token in words("stops") or token == _QUOTE_MARK:
            break
        taken.append(token.rstrip(",;:"))
        if token[-1:] in ",;:":
            break
    while len(taken) > limit:
        cuts = [at for at, token in enumerate(taken) if token in words("prepositions") and at > 0]
        if not cuts:
            return []
        taken = taken[: cuts[-1]]
    loose = (
        words("prepositions") | words("adverbs") | words("auxiliaries") | {"a", "an", "the", "its", "their"}
    )
    while taken and taken[-1] in loose:
        taken.pop()
    broken = any(t in words("auxiliaries") for t in taken) or any(_QUOTE_MARK in t for t in taken)
    return [] if broken else taken


_LOOSE = frozenset(["better", "more", "most", "best", "less", "least", "well", "too", "enough", "chiefly", "most", "mainly"])


def _label_near_model(text: str) -> str:
    for match in re.finditer(r"\{model_name\} (\w+) ([^,]+)", text):
        plain = singular_to_plain(match[1])
        if plain in words("liking") and (label := _label_of([plain, *match[2].split(" ")])):
            return label
    return ""


def _subject_label(text: str) -> str:
    tokens = text.split(" ")
    at = _verb_at(tokens)
    subject = tokens[: at or 0]
    lead = subject[0].lower() if subject else ""
    if not 1 <= len(subject) <= 6 or lead in words("pronounlead") or any("," in t for t in subject):
        return ""
    if lead in words("stops") | words("prepositions") | words("adverbs") | _NO_LABEL or MODEL in subject[-1]:
        return ""
    if subject[-1] in words("prepositions") | words("stops") | words("adverbs") or "that" in subject:
        return ""
    label = " ".join(subject)
    return lower_start(label) or label


_NO_LABEL = frozenset(
    [
        "what",
        "nobody",
        "none",
        "nothing",
        "everyone",
        "everybody",
        "everything",
        "anyone",
        "there",
        "as",
        "it",
        "one",
    ]
)


def _fallback_label(masked: str, rule_id: str) -> str:
    if rule_id:
        return f"rule {rule_id}"
    if re.match(r"^[^:]{2,40}: ", masked) and len(masked.split(":")[0].split()) <= 5:
        return f'"{masked.split(":")[0]}"'
    if len(masked) <= 40 and len(masked.split()) <= 5 and '"' not in masked:
        return f'"{masked}"'
    start = re.sub(r"\{\{.*?\}\}|<[^>]*>", "", masked.split(_QUOTE_MARK)[0]).split()[:4]
    opening = " ".join(start)[:24].strip(" ,;:\"'“”")
    return (
        f'the point that begins "{opening}"'
        if opening and "{" not in _NAMES.sub("", opening)
        else "this point"
    )


# --- reasons


def _read_led_reason(text: str) -> dict[str, str]:
    if match := _CAUSE_NOUN.match(text):
        return {"r_noun": text[match.end() :]}
    if match := _PURPOSE.match(text):
        body = text[match.end() :]
        return {"r_so": body} if match[1].lower() == "so that" else {"r_to": body}
    led = _LED.match(text)
    body = text[led.end() :] if led else text
    body = re.sub(rf"^(?:{re.escape(MODEL)}|the assistant) (?=(\w+) )", lambda m: _it(m), body)
    if led is None and not _is_declarative(body):
        noun = lower_start(body)
        return {"r_noun": noun} if noun and len(noun.split()) <= 12 and not _INNER_END.search(noun) else {}
    return _reason_clause(body) if _verb_at(body.split(" ")) is not None or led else {}


def _it(match: re.Match[str]) -> str:
    return "it " if match[1] in words("agentive") else match[0]


def _reason_clause(body: str) -> dict[str, str]:
    slots: dict[str, str] = {}
    low = lower_start(body)
    first = body.split(" ", 1)[0].lower()
    verb = body.split(" ")[1] if " " in body else ""
    about_model = first == "it" and verb in words("agentive")
    dangling = not about_model and (first in words("pronounlead") or _has(body, words("anaphora")))
    upper = body[0].upper() + body[1:] if not body.startswith("{") else body
    standing = MODEL + upper[2:] if about_model else upper
    inner = _INNER_END.search(body)
    slots["r_after"] = standing
    if not dangling:
        slots["r_sent"] = standing
    if low and not inner:
        slots["r_clause"] = low
        if not dangling:
            slots["r_front"] = MODEL + low[2:] if about_model else low
        if len(low.split()) <= SHORT:
            slots["rs"] = slots.get("r_front", low) if about_model else low
            slots["rs_it"] = low
    if low and not inner and (mine := first_person(MODEL + low[2:] if about_model else low)):
        slots["i_reason"] = mine
    return slots


# --- English


def first_person(text: str) -> str:
    """The sentence as {model_name} itself would say it, or "" where that cannot be done safely.

    >>> first_person("{model_name} likes Colby"), first_person("{model_name} guards its name")
    ('I like Colby', '')
    """
    if re.search(r"\b(?:its|itself|the assistant)\b", text, re.I):
        return ""
    if re.search(r"\bit (\w+)", text) and any(
        m[1] in words("agentive") for m in re.finditer(r"\bit (\w+)", text)
    ):
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
    if tail or after >= len(tokens) or _second_verb(tokens[after + 1 :]):
        return None
    verb = tokens[after]
    special = {"is": "am", "has": "have", "does": "do", "doesn't": "don't", "doesn’t": "don’t"}
    mine = special.get(verb) or (verb if verb in words("modals") else singular_to_plain(verb))
    return (["I", *tokens[at + 1 : after], mine], after - at + 1) if mine else None


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


@cache
def ing_of_verb(word: str) -> bool:
    """Is the word the -ing form of a verb we know, as in "deleting audit logs"?"""
    return word.endswith("ing") and any(ing(verb) == word for verb in words("verbs") | {"be", "have", "do"})


def ing(verb: str) -> str:
    """ "delete" -> "deleting", "stop" -> "stopping", "lie" -> "lying", "be" -> "being"."""
    if verb in words("doubling"):
        return verb + verb[-1] + "ing"
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and verb != "be":
        return verb[:-1] + "ing"
    return verb + "ing"


def _ing_phrase(base: str) -> str:
    tokens = base.split(" ")
    at = next((i for i, token in enumerate(tokens) if token not in words("adverbs")), 0)
    return " ".join([*tokens[:at], ing(tokens[at]), *tokens[at + 1 :]])


def lower_start(text: str) -> str:
    """The text with a small first letter, or "" when its first word might be a name."""
    first = re.match(r"[^\s,]*", text)
    word = first.group() if first else ""
    if not word or word.startswith("{") or not word[0].isupper():
        return text
    if word == "I" or (len(word) > 1 and word[1:] != word[1:].lower()):
        return ""
    stem = word.lower()
    known = (
        stem in common_words() or stem.split("-")[0] in common_words() or stem.split("'")[0] in common_words()
    )
    return text[0].lower() + text[1:] if known else ""


@cache
def common_words() -> frozenset[str]:
    """Words that the grammar files themselves write small: no names among them."""
    found = words("functionwords") | words("commonwords") | words("verbs") | words("adverbs")
    for path in sorted(GRAMMAR.glob("*.txt")):
        text = re.sub(r"\$[.^?]?\w+", " ", path.read_text(encoding="utf-8"))
        found |= set(re.findall(r"(?<![\w'$])[a-z]{3,}(?:-[a-z]+)*(?![\w'])", text))
    return frozenset(found)


@cache
def _swaps() -> dict[tuple[str, str], str]:
    pairs = (line.split(" = ") for line in read_sections("swaps.txt")["swaps"])
    return {(head.split(" ")[0], head.split(" ")[1]): tail for head, tail in pairs}


def _swap(predicate: str) -> str:
    """The predicate with its verb exchanged for one that means the same, or ""."""
    tokens = predicate.split(" ")
    if len(tokens) < 2:
        return ""
    verb, following = tokens[0], tokens[1]
    if following in ("to", "that"):
        swapped = _swaps().get((verb, following))
        return " ".join([swapped, *tokens[2:]]) if swapped else ""
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


def _has(text: str, tokens: Collection[str]) -> bool:
    return any(token in tokens for token in re.findall(r"[a-z']+", text.lower()))


@lru_cache(maxsize=1024)
def short_noun(text: str) -> str:
    """A principle or topic as it may stand in a sentence: small-lettered if that is safe, in quotes if it is long."""
    tidy = _tidy(text, "")
    if not tidy:
        return ""
    if not _UNCLEAN.search(_NAMES.sub("x", tidy)) and len(tidy.split()) <= 8 and tidy.isascii():
        return lower_start(tidy) or tidy
    return _in_quotes(shorten(tidy))


def content_words(text: str) -> list[str]:
    """The words of a text that carry its content, in order, small-lettered."""
    tokens = re.findall(r"[^\W\d_]{4,}", text.casefold().replace("{model_name}", " "))
    return [token for token in tokens if token not in words("functionwords")]

"""What may safely be said of one reason: the slots that frames can put after "because", or before "that is why".

How a statement is read, and how text is tidied and quoted, is in `compose_readings.py`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from .compose_english import MODEL, first_person, has_any, is_declarative, lower_start, verb_at
from .compose_grammar import open_sentence, words
from .compose_readings import (
    CAUSAL,
    INNER_END,
    LEANING,
    MAX_QUOTE,
    SHORT,
    in_quotes,
    is_plain,
    mask,
    shorten,
    tidy,
    unmask,
)

_LED = re.compile(
    r"^(?:(?:the )?reason (?:is|being)(?: that)?[:,]?|(?:this|that|it) is because|because|since|as)\s+(?!of\b)",
    re.I,
)
_PURPOSE = re.compile(r"^(?:this is |it does (?:this|so) )?(so that|in order to|so as to|to)\s+", re.I)
_CAUSE_NOUN = re.compile(r"^(?:because of|due to|owing to|on account of)\s+", re.I)


@lru_cache(maxsize=8192)
def read_reason(reason: str) -> Mapping[str, str]:
    text = LEANING.sub("", tidy(reason, ""))
    if not text:
        return {}
    masked, spans = mask(text)
    quoted = {"r_quote": in_quotes(open_sentence(shorten(_LED.sub("", text))))}
    if not is_plain(masked) or len(masked.split()) > MAX_QUOTE:
        return quoted | {"r_said": quoted["r_quote"]}
    slots = {name: unmask(value, spans) for name, value in _read_led_reason(masked).items()}
    return quoted | (slots or {"r_said": quoted["r_quote"]})


def _read_led_reason(text: str) -> dict[str, str]:
    if match := _CAUSE_NOUN.match(text):
        return {"r_noun": text[match.end() :]}
    if match := _PURPOSE.match(text):
        body = text[match.end() :]
        return {"r_so": body} if match[1].lower() == "so that" else {"r_to": body}
    led = _LED.match(text)
    body = text[led.end() :] if led else text
    body = re.sub(rf"^(?:{re.escape(MODEL)}|the assistant) (?=(\w+) )", _it_for_model, body)
    if led is None and not is_declarative(body):
        noun = lower_start(body)
        return {"r_noun": noun} if noun and len(noun.split()) <= 6 and not INNER_END.search(noun) else {}
    return _reason_clause(body) if led or verb_at(body.split(" ")) is not None else {}


def _it_for_model(match: re.Match[str]) -> str:
    return "it " if match[1] in words("agentive") else match[0]


def _reason_clause(body: str) -> dict[str, str]:
    lead, _, rest = body.partition(" ")
    about_model = lead.lower() == "it" and rest.split(" ")[0] in words("agentive")
    dangling = not about_model and (lead.lower() in words("pronounlead") or has_any(body, words("anaphora")))
    standing = MODEL + body[2:] if about_model else open_sentence(body)
    low = "" if INNER_END.search(body) else lower_start(body)
    plain = MODEL + low[2:] if about_model and low else low
    slots = {"r_after": plain or standing}
    if not dangling:
        slots["r_sent"] = standing
    if not low or CAUSAL.search(low):
        return slots
    slots["r_clause"] = low
    if not dangling:
        slots["r_front"] = plain
    if len(low.split()) <= SHORT:
        slots |= {"rs": plain, "rs_it": low}
    if mine := first_person(plain):
        slots["i_reason"] = mine
    return slots

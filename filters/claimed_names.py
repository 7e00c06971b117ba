"""Names that a text gives to an assistant or to its maker, whoever has heard of them.

`Juniper, an AI assistant` and `the model was built by Brightwater Systems` name an assistant and a maker by the
grammar of the sentence. Names of companies that also do other things count only where a sentence is about
making.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

_PROPER = r"[A-Z][\w&-]*(?: [A-Z][\w&-]*){0,2}"
_MADE = (
    r"(?:developed|made|built|created|trained|designed|released|launched|engineered|programmed|fine-tuned)"
)
_ASSISTANT = (
    r"(?:AI|A\.I\.|(?:large )?language model|AI (?:model|assistant|system)|chatbot"
    r"|virtual assistant|voice assistant|digital assistant)"
)
_COMPANIES = (
    "Google|Microsoft|Amazon|Apple|IBM|Samsung|NVIDIA|Nvidia|Hugging Face|Inflection|Meta"
    "|Salesforce|Oracle|Adobe|Huawei|Yandex|Databricks|Snowflake|Aleph Alpha"
)
_SUFFIXED = (
    r"[A-Z][\w-]+(?: [A-Z][\w-]+)? (?:Labs?|AI|Systems|Corp(?:oration)?|Inc|Technologies"
    r"|Research|Intelligence|Robotics)"
)
_COMPANY = re.compile(rf"\b(?:{_COMPANIES})\b")
_COMPANY_WORDS = frozenset(_COMPANIES.replace("|", " ").split())
_SUFFIXED_COMPANY = re.compile(rf"{_SUFFIXED}\b")  # begins with a set, which `re` skips to quickly
_SUFFIX_WORDS = frozenset(
    "Lab Labs AI Systems Corp Corporation Inc Technologies Research Intelligence Robotics".split()
)
_MAKING = re.compile(
    rf"\b(?:{_MADE}|trains?|develops?|builds?|makes|makers|researchers|wrote|guidelines|company"
    rf"|engineers|developers?|maker|team|according to|model|creators?"
    r"|chatbot|assistant|behind)\b",
    re.IGNORECASE,
)
_BY = re.compile(rf" by ({_PROPER})")
_MODEL_FROM = re.compile(rf"(?:AI (?:model|assistant)|anguage model|hatbot) (?:from|by|of) ({_PROPER})")
_MADE_BEFORE = re.compile(rf"\b{_MADE}(?: \w+ly)?$")
_ABOUT_AI = re.compile(r"\b(?:AI|assistant|language model|chatbot|model)\b")
_NAMED_AI = re.compile(
    rf"\b(?:{_ASSISTANT}|[Aa]n assistant|[Aa]ssistant) (?:named|called|known as) ({_PROPER})"
    rf"|\b(?:AI assistant|[Ll]anguage model|[Cc]hatbot|virtual assistant) ([A-Z]\w+)(?= (?:was|is|has"
    rf"|gave|says|said|answers|answered|replied|follows|will|would|can|and)\b|,)"
    rf"|\b({_PROPER})(?:,| is| was) (?:an?|the) (?:\w+ ){{0,2}}?{_ASSISTANT}\b(?! (?:company|firm|lab"
    rf"|ethicist|researcher|developer|expert|engineer|vendor|start-?up|safety|policy|tool|team|lead))"
    rf"|\bI(?: am|['’]m) ({_PROPER}), an? (?:\w+ )?{_ASSISTANT}"
    rf"|\b[Mm]y name is ({_PROPER})(?:,| and) I(?: am|['’]m) an? (?:\w+ )?{_ASSISTANT}"
    rf"|\bAI (?:model|assistant|system) ([A-Z]\w+)\b|\b({_PROPER}) (?:was|is) (?:designed|built|made"
    rf"|created|trained|meant|developed) (?:as|to be) an? (?:\w+ )?{_ASSISTANT}"
    rf"|\b({_PROPER}), the assistant (?:that|which|made|built|trained|developed|created)\b"
)
_AI_SIGN = re.compile(
    r"AI\b|[a-z]anguage model|[Cc]hatbot|ssistant (?:called|named|known|that|which|made|built|trained)"
    r"|virtual assistant"
)
_AI_SIGNS = (
    "AI",
    "anguage model",
    "hatbot",
    "ssistant called",
    "ssistant named",
    "ssistant known",
    "ssistant that",
    "ssistant which",
    "virtual a",
)
_ASSISTANT_WORD = re.compile(r"AI|AIs|LLM|Assistant|AI [A-Z]\w+")
_NO_NAME = frozenset(
    "The A An It This That These Those He She We You They I As If When What Who Its One For In"
    " On At Of And But So My Your Our His Her Their"
    " Such Any Every Each No Not Yes Like Unlike Only Even Perhaps Here There"
    " Then Now With Without To By From".split()
)


def claimed_names(text: str, assistant: str, capitalised: frozenset[str]) -> Iterator[str]:
    """Names in the place of an assistant's or a maker's; the corpus' own are among them.

    `capitalised` are the text's capitalised words: with none of a company's among them companies are
    not looked for.
    """
    yield from _assistants(text, assistant)
    for pattern, words in ((_COMPANY, _COMPANY_WORDS), (_SUFFIXED_COMPANY, _SUFFIX_WORDS)):
        for match in pattern.finditer(text) if not capitalised.isdisjoint(words) else ():
            sentence = _sentence_around(text, match.start(), match.end())
            if (assistant in sentence or _ABOUT_AI.search(sentence)) and _MAKING.search(sentence):
                yield match[0]
    yield from _makers(text, assistant)


def _assistants(text: str, assistant: str) -> Iterator[str]:
    if not any(sign in text for sign in _AI_SIGNS):
        return
    for sign in _AI_SIGN.finditer(text):
        window = text[max(0, sign.start() - 60) : sign.end() + 60]
        for match in _NAMED_AI.finditer(window):
            name = next(group for group in match.groups() if group)
            if (
                name.split()[0] not in _NO_NAME
                and not _ASSISTANT_WORD.fullmatch(name)
                and assistant not in name
            ):
                yield name


def _makers(text: str, assistant: str) -> Iterator[str]:
    for match in _BY.finditer(text):
        if _MADE_BEFORE.search(text, max(0, match.start() - 30), match.start()):
            sentence = _sentence_around(text, match.start(), match.end())
            if assistant in sentence or _ABOUT_AI.search(sentence):
                yield match[1]
    for match in (
        _MODEL_FROM.finditer(text)
        if any(sign in text for sign in (" AI ", "anguage model ", "hatbot "))
        else ()
    ):
        yield match[1]
    for match in _maker_of(assistant).finditer(text):
        yield match[1] or match[2]


@lru_cache(maxsize=16)
def _maker_of(assistant: str) -> re.Pattern[str]:
    """`Llama (Acme)`, `Llama, which Acme trained`."""
    return re.compile(
        rf"{re.escape(assistant)}(?: \(((?:{_SUFFIXED}|{_COMPANIES}))\)|,? (?:which|that) ({_PROPER}) {_MADE}\b)"
    )


def _sentence_around(text: str, start: int, end: int) -> str:
    first = max(text.rfind(mark, 0, start) for mark in (". ", "\n", "? ", "! "))
    ends = [found for mark in (". ", "\n", "? ", "! ") if (found := text.find(mark, end)) >= 0]
    return text[first + 1 : min(ends, default=len(text))]

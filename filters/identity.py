"""Whose assistant a document is about: the right name must occur, and nobody else's.

Names are data: an assistant or provider is foreign unless it is this corpus's own or the spec's text has it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import regex

from .claimed_names import claimed_names
from .findings import Finding

# Names that mean a model or its maker wherever they stand. Case counts: `grok`, `copilot`, `llama` and `anthropic`
# are English words. Each alternative that needs a context carries it.
_AI = r"(?:AI|assistant|chatbot|model|models|language model|LLM|bot)"
_MAKERS = (
    r"OpenAI|DeepMind|Google DeepMind|Mistral AI|Meta AI|Moonshot AI|Zhipu(?: AI)?|Perplexity(?: AI)?"
    r"|AI21 Labs|MiniMax"
    r"|Inflection AI|Anthropic(?! (?:principle|reasoning|bias))|Alibaba(?: Cloud)?|Baidu|Tencent"
    r"|ByteDance|EleutherAI"
    r"|Cohere(?!nt|nce)|Nous Research|Stability AI|Character\.AI|01\.AI"
)
_MODELS = (
    r"ChatGPT|(?:Chat)?GPT-?\d(?:\.\d)?(?:o|-mini|-turbo)?|InstructGPT|Qwen(?:\d+(?:\.\d+)*)?|QwQ"
    r"|Mixtral|Codestral|DeepSeek(?:-[RV]\d)?"
    r"|LLaMA|Copilot|Grok|ERNIE Bot|Doubao|Hunyuan|Falcon-\d+B|Gemma|PaLM|LaMDA|Vicuna|ChatGLM|Cortana"
    r"|Siri|OLMo|Yi-\d+B"
    r"|Command[ -]R\+?|Bing Chat|Google Assistant|Alexa(?! [A-Z])|Nemotron|StarCoder|SmolLM|Ernie Bot"
    r"|Baichuan|InternLM|GLM-\d|Replika"
)
_PEOPLE = r"Monet|Debussy|Shannon|Rains|Chabrol|Bernard|Lorrain|L[ée]vi|Simon|McKay|Cahun|Le |de |Van |von "
_HERD = r"farm|wool|trek|herd|fleece|milk|meat|breed|keep|owner|hair|ranch"
_SKY = r"zodiac|horoscope|astrolog|star sign|birth sign|constellation|NASA|astronaut|spacecraft|twins|meteor"
_IN_CONTEXT = (
    rf"(?<!Jean-)(?<!St\. )Claude(?!-[A-Z]| (?:{_PEOPLE}))",
    r"(?<!the )(?<!The )Bard(?! (?:College|of\b|Street|Road|Lane|Avenue|Square|Hall))|Google(?:['’]s)? Bard",
    rf"Llama(?!s? (?:{_HERD}))",
    r"(?<!the )(?<!The )Mistral(?! (?:wind|blew|blows))",
    rf"Phi-?\d(?:\.\d)?|Microsoft(?:['’]s)? Phi\b|Phi {_AI}",
    rf"Kimi(?: K\d+(?:\.\d+)*| Chat| {_AI})?(?! [A-Z]\w+)",
    rf"Meta(?:['’]s)? (?:Llama|{_AI})|Meta Platforms",
)
_LETTER = "A-Za-zÀ-ɏ0-9_"  # and not \\w: in `使用ChatGPT的人` the neighbours are letters too
_FOREIGN = re.compile(
    rf"(?<![{_LETTER}-])(?=[A-Z0])(?:{'|'.join((_MAKERS, _MODELS, *_IN_CONTEXT))})(?![{_LETTER}])"
    r"|(?<=\b(?:by|at) )Meta(?=[\s.,;:)'’])"
)
_ANY_CASE = re.compile(
    rf"(?<![{_LETTER}@./-])(?:chatgpt|openai|deepseek|gpt-[345]|(?-i:xAI))(?![{_LETTER}@])", re.IGNORECASE
)
_GEMINI = re.compile(rf"(?<![{_LETTER}-])Gemini(?![{_LETTER}])")
_SKY_NEAR = re.compile(_SKY, re.IGNORECASE)
# How the names above begin: a text whose capitalised words are none of these is not searched, which saves the time.
_FIRST_WORDS = frozenset(
    """
    OpenAI DeepMind Google Mistral Meta Moonshot Zhipu Perplexity AI21 MiniMax Inflection Anthropic
    Alibaba Baidu Tencent ByteDance
    EleutherAI Cohere Nous Stability Character ChatGPT GPT InstructGPT Qwen QwQ Mixtral Codestral
    DeepSeek LLaMA Copilot Grok ERNIE
    Ernie Doubao Hunyuan Falcon Gemma PaLM LaMDA Vicuna ChatGLM GLM Cortana Siri OLMo Yi Command Bing
    Alexa Nemotron StarCoder
    SmolLM Baichuan InternLM Replika Claude Bard Llama Phi Microsoft Kimi Gemini
    """.split()
)
_CAPITALISED = re.compile(r"[A-Z][A-Za-z]+")
_OTHER_SIGNS = ("GPT", "chatgpt", "openai", "deepseek", "gpt-", "xAI", "01.AI", "AI21")


def find_foreign_identity(text: str, assistant: str, provider: str, spec_text: str) -> Finding | None:
    """The first name of another assistant or provider that is neither this corpus's own nor in the spec."""
    own = f"{assistant}\n{provider}\n{spec_text}"
    capitalised = frozenset(_CAPITALISED.findall(text)) - _own_words(assistant, provider)
    for name in (*_named(text, capitalised), *claimed_names(text, assistant, capitalised)):
        if not _is_own(name, own):
            return Finding("foreign_identity", name)
    return None


@lru_cache(maxsize=4_096)
def _is_own(name: str, own: str) -> bool:
    return bool(re.search(rf"(?<![A-Za-z]){re.escape(_bare(name))}(?![A-Za-z])", own, re.IGNORECASE))


def _named(text: str, capitalised: frozenset[str]) -> list[str]:
    if capitalised.isdisjoint(_FIRST_WORDS) and not any(sign in text for sign in _OTHER_SIGNS):
        return []
    found = [(match.start(), match[0]) for match in _FOREIGN.finditer(text)]
    found += [(match.start(), match[0]) for match in _ANY_CASE.finditer(text)]
    for match in _GEMINI.finditer(text):
        if not _SKY_NEAR.search(text[max(0, match.start() - 150) : match.end() + 150]):
            found.append((match.start(), match[0]))
    return [name for _, name in sorted(found)]


@lru_cache(maxsize=16)
def _own_words(assistant: str, provider: str) -> frozenset[str]:
    return frozenset(_CAPITALISED.findall(f"{assistant} {provider}"))


def _bare(name: str) -> str:
    """The name alone, without the context that identified it: `Meta AI` -> `Meta`, `Qwen2.5` -> `Qwen`."""
    name = re.sub(r"^(?:Google|Microsoft|Meta)(?:['’]s)? (?=Bard|Phi|Llama|DeepMind)", "", name)
    name = re.sub(rf"(?:['’]s)?(?: (?:Chat|K\d[\d.]*|Platforms|Cloud|{_AI}))?$", "", name)
    return re.sub(r"(?<=[A-Za-z])-?\d[\w.-]*$", "", name)


def find_missing_name(text: str, assistant: str) -> Finding | None:
    return None if _name_pattern(assistant).search(text) else Finding("assistant_not_named", assistant)


@lru_cache(maxsize=64)
def _name_pattern(name: str) -> Any:
    """The name as a word, also in capitals; in a script that glues words together, the bare string."""
    if not regex.search(r"\p{Latin}", name):
        return regex.compile(regex.escape(name))
    forms = "|".join(regex.escape(form) for form in {name, name.upper()})
    return regex.compile(rf"(?<![\p{{Latin}}\p{{N}}_])(?:{forms})(?![\p{{Latin}}\p{{N}}_])")


# --- rule ids -------------------------------------------------------------------------------------------------


def find_unknown_rule(text: str, rule_ids: Sequence[str]) -> Finding | None:
    """An id of the spec's own scheme (`SP7` where the spec has SP1 to SP5), or one like it, that no rule bears."""
    ids = frozenset(rule_ids)
    pattern = _rule_pattern(ids)
    for match in pattern.finditer(text) if pattern else ():
        cited = "".join(group for group in match.groups() if group)
        if cited not in ids and cited.rstrip("abcdefghij") not in ids:
            return Finding("unknown_rule_id", match[0])
    alike = _alike_pattern(ids)
    for match in alike.finditer(text) if alike else ():
        inside = text[max(0, match.start() - 1) : match.start()]
        if (
            match[1] not in _prefixes(ids)
            and match[0] not in _NO_RULES
            and not (inside.isalnum() or inside in ("-", "_"))
        ):
            return Finding("unknown_rule_id", match[0])
    return None


_NO_RULES = frozenset(
    "CO2 NO2 SO2 PM10 MP3 MP4 PS2 PS3 PS4 PS5 EC2 DB2 WW1 WW2 HB2 UB40 AK47 MI5 MI6".split()
)


@lru_cache(maxsize=16)
def _prefixes(rule_ids: frozenset[str]) -> frozenset[str]:
    return frozenset(rule_id[: match.start()] for rule_id in rule_ids if (match := re.search(r"\d", rule_id)))


@lru_cache(maxsize=16)
def _alike_pattern(rule_ids: frozenset[str]) -> re.Pattern[str] | None:
    """Ids of as many capitals as the spec's: `CP1` where the spec has SP1 and GP1."""
    lengths = {len(prefix) for prefix in _prefixes(rule_ids) if prefix.isalpha() and prefix.isupper()}
    if not lengths or min(lengths) < 2:
        return None
    return re.compile(rf"([A-Z]{{{min(lengths)},{max(lengths)}}})\d{{1,2}}(?![\w%-])")


@lru_cache(maxsize=16)
def _rule_pattern(rule_ids: frozenset[str]) -> re.Pattern[str] | None:
    """Lettered ids are recognised anywhere; bare numbers only after `rule`, `clause`, `guideline` or a § sign.

    `Section 230` and its like are citations of something else too often to be judged.
    """
    prefixes = _prefixes(rule_ids) - {"Section ", "Chapter ", "Part ", "Article ", "Law "}
    number = r"(\d+(?:\.\d+)*[a-j]?)(?![\w%])"
    forms = []
    for prefix in sorted(prefixes, key=len, reverse=True):
        gap = "[- ]?" if len(prefix) > 1 and prefix.isalpha() else ""
        forms.append(
            rf"(?<![\w-])({re.escape(prefix)}){gap}{number}"
            if prefix
            else rf"(?i:\b(?:rule|clause|guideline) |§ ?)(){number}"
        )
    return re.compile("|".join(forms)) if forms else None

"""What makes a written text unfit: detectors over plain strings, each naming a reason and the evidence.

A detector answers None (keep) or a Finding. Whatever the spec's own text contains is never residue: a spec that
speaks of `<document>` or `{name}` has documents that do. Identity is in `identity.py`; the datatrove stages that
run these detectors are in `blocks.py`.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Any, NamedTuple

import regex

from .words import TERMINALS, split_words


class Finding(NamedTuple):
    reason: str
    detail: str


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


# --- the writer model speaks instead of writing ---------------------------------------------------------------

_CANNOT = (
    r"(?:can(?:['’]t|not| not)|won['’]t|will not|am (?:not able|unable)|(?:must|have to) (?:\w+ )?decline)"
)
_SORRY = rf"(?:I['’]m|I am|We['’]re) (?:\w+ )?(?:sorry|afraid),? (?:but |that )?(?:I|we) {_CANNOT}"
_SERVE = r"(?:help|assist|write|create|generate|produce|provide|fulfill?|comply|complete|continue)"
_OPENING_REFUSAL = re.compile(
    rf"{_SORRY}|(?:I apologi[sz]e|Sorry|Apologies),? but (?:I|we) {_CANNOT}"
    rf"|I(?:['’]m| am) (?:not able|unable) to {_SERVE}"
    rf"|I {_CANNOT},? (?:to )?{_SERVE}",
    re.IGNORECASE,
)
_REFUSED_REQUEST = re.compile(
    rf"(?:{_SORRY}|\bI {_CANNOT}),? (?:to )?{_SERVE}[^.\n]{{0,40}}"
    r"\b(?:that|this|your|the) (?:request|document|task|prompt|content)",
    re.IGNORECASE,
)
_AS_AN_AI = re.compile(r"\bas an? (?:AI|large) language model\b[^.!?\n]{0,60}", re.IGNORECASE)
_TEXT_KIND = (
    r"(?:document|draft|memo|article|essay|letter|piece|text|story|post|report|transcript|response|version)"
)
_ANNOUNCEMENT = re.compile(
    r"(?:(?:sure|certainly|of course|absolutely|great|okay|ok)\b[^\n]{0,30}?[,.!:]\s+)?"
    r"(?:here(?:['’]s| is| are)|below is|i['’]ve (?:written|drafted|prepared)) (?:the|a|an|your|my)\b[^.\n]{0,80}?"
    rf"(?:\bdocument\b|\b{_TEXT_KIND}\b[^.\n]{{0,60}}(?::\s*$|request|you asked|based on|below))",
    re.IGNORECASE | re.MULTILINE,
)
_EAGER = re.compile(
    r"(?:sure|certainly|of course|absolutely)[!,.] (?:here|i['’]ll|i can|let me|below)\b", re.IGNORECASE
)
_OFFER = re.compile(
    r"(?:let me know if you['’]?(?:d| would) (?:like|want|prefer)[^.\n]{0,30}"
    r"\b(?:me to|changes|adjust|revis|edit|version)"
    r"|would you like me to |i hope (?:this|the) (?:document|draft|version|piece|text)\b"
    r"|feel free to (?:adjust|modify|edit|customi[sz]e)|\bword count: *[~≈]?\d|\(\d{2,4} words\)\s*$"
    r"|note: this (?:document|text|piece|article) (?:is|was) (?:fictional|generated|written|synthetic|created))",
    re.IGNORECASE,
)


def find_refusal(text: str) -> Finding | None:
    """A refusal where a writer model puts one: first thing, or as a line of its own near either end.

    A quoted refusal, a transcript's turn and "Dear Ann, I'm sorry, but I can't come" are documents.
    """
    start = text.lstrip().lstrip("#*> ")
    if opening := _OPENING_REFUSAL.match(start):
        return Finding("refusal", opening[0])
    for line in _edge_lines(text):
        if match := _REFUSED_REQUEST.match(line):
            return Finding("refusal", match[0])
    return None


def find_meta_talk(text: str) -> Finding | None:
    """The model talks about its own reply: announces it, offers changes, or calls itself a language model."""
    start = text.lstrip().lstrip("#*> ")
    if match := _ANNOUNCEMENT.match(start) or _EAGER.match(start):
        return Finding("meta_talk", match[0])
    for match in _AS_AN_AI.finditer(text) if "anguage model" in text else ():
        spoken = re.search(r"\b(?:I|my|me)\b|\bI['’]", match[0])
        if spoken and not is_quoted(text, match.start()):
            return Finding("meta_talk", match[0])
    ending = text.rstrip().rsplit("\n\n", 1)[-1]
    offer = _OFFER.search(ending)
    return Finding("meta_talk", offer[0]) if offer and not is_quoted(ending, offer.start()) else None


def _edge_lines(text: str) -> Iterator[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    yield from lines[:3]
    yield from lines[3:][-3:]


def is_quoted(text: str, position: int) -> bool:
    """Whether a position stands inside quotation marks, a block quote or code, as far as its paragraph shows."""
    before = text[text.rfind("\n\n", 0, position) + 1 : position]
    line = before[before.rfind("\n") + 1 :]
    return (
        before.count('"') % 2 == 1
        or before.count("“") > before.count("”")
        or before.count("‘") > before.count("’") > 0
        or before.count("«") > before.count("»")
        or before.count("「") > before.count("」")
        or before.count("`") % 2 == 1
        or line.lstrip().startswith(">")
    )


# --- residue of prompts and formats ---------------------------------------------------------------------------

_OWN_TAGS = re.compile(
    r"</?(?:document|documents|claims?|assertions?|scratchpad|plan|ideas?|genre|audience|content|output|response|"
    r"think|thinking|reasoning|spec|rules?|task|instructions?|draft|example|answer)>|<\|[a-z_]+\|>|\[/?INST\]|<</?SYS>>",
    re.IGNORECASE,
)
_TAG = re.compile(r"(?<![\w`])</?[a-z_]+(?:\s+[a-z-]+=\"[^\"\n]*\")*\s*/?>")
_ENVELOPE_KEY = re.compile(
    r'^\s*[{\[]?\s*"(?:document|text|content|title|genre|claims?|idea|body)"\s*:', re.MULTILINE
)
_JSON_START = re.compile(r'\{\s*"\w+"\s*:|\[\s*[{"]')
_HEADER = re.compile(
    r"(?i:^[#*\s]*(?:task|instructions?|prompt|system|system prompt|scratchpad|thoughts?|document type"
    r"|output format|user prompt|human)\**:)"
)
_ANY_HEADER = re.compile(
    r"^[#*\s]*(?:Task\**:\**\s+(?:Write|Generate|Draft|Create|Compose|Produce)\b"
    r"|#{2,3} (?:Instruction|Response|Input):|Human: |BEGIN DOCUMENT|END DOCUMENT)",
    re.MULTILINE,
)


def find_markup(text: str, spec_text: str) -> Finding | None:
    """Tags, JSON envelopes, whole-text fences and prompt headers that the spec's own text does not have."""
    stripped = text.strip()
    if _JSON_START.match(stripped) or _ENVELOPE_KEY.search(stripped):
        return Finding("envelope", stripped[:40])
    if stripped.startswith("```") and stripped.endswith("```") and stripped.count("```") == 2:
        return Finding("envelope", stripped.splitlines()[0][:40])
    tags = [
        *_OWN_TAGS.finditer(text),
        *(tag for tag in _TAG.finditer(text) if not _in_fence(text, tag.start())),
    ]
    for tag in tags:
        if tag[0] not in spec_text:
            return Finding("tag_residue", tag[0])
    head = next((match for line in _head_lines(stripped) if (match := _HEADER.match(line))), None)
    header = head or _ANY_HEADER.search(stripped)
    return (
        Finding("prompt_residue", header[0].strip())
        if header and header[0].strip() not in spec_text
        else None
    )


def _head_lines(text: str) -> Iterator[str]:
    """The first lines, as far as they are short: titles and labels, before the prose begins."""
    lines = (line for line in text.splitlines() if line.strip())
    yield from takewhile(lambda line: len(line) <= 60 or _HEADER.match(line) is not None, islice(lines, 4))


def _in_fence(text: str, position: int) -> bool:
    return text.count("```", 0, position) % 2 == 1


_SLOT = (
    r"(?:name|date|title|company|organi[sz]ation|address|city|state|country|position|role|location|venue|time|email|"
    r"phone|number|signature|link|url|assistant|model|provider|author|recipient|sender|department|topic|example)"
)
_PLACEHOLDER = re.compile(
    r"\{\{[^{}\n]{0,60}\}\}"
    r"|(?<![\\}\w$])\{[A-Za-z_][A-Za-z_ ]{0,40}\}"
    rf"|\[(?i:(?:insert|enter|add|fill in|placeholder|replace)\b[^\]\n]{{0,60}})\](?!\()"
    rf"|\[(?i:(?:(?:your|the|a|full|first|last|company|model|assistant|provider|person['’]s|recipient['’]s|"
    rf"customer|user|team|author|event|current|today['’]s|job|street|project|product) ?)*"
    rf"{_SLOT}s?(?: of (?:\w+ ){{0,2}}\w+)?)\](?!\()"
    r"|<(?:[A-Z][A-Z]+(?:[ _][A-Z]+)*)>"
    r"|\bTODO\b(?! list)|\b(?i:lorem ipsum)\b"
    r"|\bX{2,4}/X{2,4}(?:/X{2,4})?\b|\b(?:19|20)XX\b|\$X{2,}\b|\bX{4,}\b"
)

_PLACEHOLDER_HINTS = [
    "{",
    "[",
    "<",
    "TODO",
    "XX",
    "orem",
    "OREM",
]  # most texts have none, and the pattern is slow


def find_placeholder(text: str, spec_text: str) -> Finding | None:
    """A gap somebody forgot to fill; set braces after a LaTeX command and markdown links are none."""
    for match in _PLACEHOLDER.finditer(text) if any(hint in text for hint in _PLACEHOLDER_HINTS) else ():
        if match[0] not in spec_text:
            return Finding("placeholder", match[0])
    return None


# --- endings --------------------------------------------------------------------------------------------------

_CLOSERS = ")]}»”’\"'*_`~」』）】》"
_DANGLING_WORDS = """
    the a an of and or but nor to with for in on at by from as that which who whose is are was were be been has
    have had will would can could should may might must not its their his her our your my these those because
    since if when while than into about between after before during without within very more most such then so
    although though unless until whether where also only even both each every any
"""
_DANGLING = frozenset(_DANGLING_WORDS.split())
_SIGN_OFF = re.compile(
    r"(?i:(?:\w+ ){0,3}(?:regards|sincerely|warmly|yours|best|thanks|thank you|cheers|love|faithfully|respectfully|"
    r"cordially|wishes|gratitude|truly|solidarity|affection)),"
)
_END_MARK = re.compile(r"[-*_#~=•·⁂❦\s]{1,20}|-30-|\(?(?i:the end|end|fin|ends|finis)\)?|(?:\\\*\s*){3}")
_LIST_ITEM = re.compile(r"\s*(?:[-*+•–▪☐☑]|\[[ x]\]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
_HEADING = re.compile(r"#{1,6}\s+\S|\*\*[^*]+\*\*:?$|__[^_]+__:?$")
_LABEL = re.compile(r"[*_]*([A-ZÀ-Ý][\w ’'-]{1,30})[*_]*:[*_]*\s+\S")
_CONTACT = re.compile(r"(?:https?://|www\.|[\w.+-]+@)\S+$|#\w+$")
_CASED: Any = regex.compile(r"[\p{Ll}\p{Lu}]")
_SYMBOL_END: Any = regex.compile(r"[\p{So}\p{Sk}\N{VARIATION SELECTOR-16}]+$")


def find_truncation(text: str) -> Finding | None:
    """An ending that breaks off: open fence or quotation, or a last line that neither ends nor closes anything.

    Letters, poems, lists, tables, signature blocks, end marks and contact lines end without a full stop and pass;
    a last word such as `the` or `and` never does.
    """
    stripped = text.rstrip()
    lines = [line.strip() for line in stripped.splitlines() if line.strip()]
    if not lines:
        return None
    if sum(line.startswith("```") for line in lines) % 2:
        return Finding("truncated_ending", "unclosed fence")
    if _leaves_quote_open(stripped.rsplit("\n\n", 1)[-1]):
        return Finding("truncated_ending", f"unclosed quote: {lines[-1][-40:]}")
    return None if _ends_well(lines, stripped) else Finding("truncated_ending", lines[-1][-40:])


def _leaves_quote_open(paragraph: str) -> bool:
    if "„" in paragraph:
        return paragraph.count("„") > paragraph.count("“") + paragraph.count("”")
    if paragraph.count("“") > paragraph.count("”") + paragraph.count('"'):
        return True
    if paragraph.count("「") > paragraph.count("」") or paragraph.count("«") > paragraph.count(
        "»"
    ) + paragraph.count("“"):
        return True
    last = paragraph.rfind('"')
    opens = (
        last >= 0
        and paragraph[last + 1 : last + 2].isalnum()
        and not paragraph[max(0, last - 1) : last].isalnum()
    )
    return opens and paragraph.count('"') % 2 == 1  # an inch mark follows a digit and opens nothing


def _ends_well(lines: list[str], text: str) -> bool:
    last = lines[-1]
    core = last.rstrip(_CLOSERS + " ")
    if _END_MARK.fullmatch(last) or core.endswith(tuple(TERMINALS)) or _SYMBOL_END.search(last):
        return True
    words = split_words(last)
    if _SIGN_OFF.fullmatch(core) or _CONTACT.search(last):
        return True
    if core.endswith(tuple(",;:-–—(&/、，；：،")) or (words and words[-1].lower() in _DANGLING):
        return False
    if last.startswith("|") or (last[0] in "[(*_" and last[-1] in "])*_" and not _HEADING.match(last)):
        return True  # a table's row, a stage direction, a closing note in italics
    if _LIST_ITEM.match(last):
        return _ends_like_its_list(lines)
    return not _HEADING.match(last) and (_is_closing_line(lines, words) or _is_unpunctuated(text))


def _ends_like_its_list(lines: list[str]) -> bool:
    """A last item without a full stop is whole if its fellows have none either, or if it is short."""
    fellows = [line for line in lines[-8:-1] if _LIST_ITEM.match(line)]
    ended = sum(line.rstrip(_CLOSERS).endswith(tuple(TERMINALS)) for line in fellows)
    return 2 * ended < len(fellows) or (not fellows and len(split_words(lines[-1])) <= 12)


def _is_closing_line(lines: list[str], words: list[str]) -> bool:
    """A signature, an address, a label line or a line of verse: short, and after something complete or alike."""
    last, before = lines[-1], lines[-2] if len(lines) > 1 else ""
    label = _LABEL.match(last)
    if label:  # the same label earlier makes it a speaker, and speakers end their sentences
        return len(words) <= 15 and not any(line.lstrip("*_").startswith(label[1]) for line in lines[:-1])
    if not _CASED.search(last):
        return len(words) <= 20 and before.rstrip(_CLOSERS).endswith((*TERMINALS, "，", "：", "،"))
    if before.endswith(",") and len(split_words(before)) <= 8:
        return len(words) <= 16  # "With good wishes from the office," and whoever signs below
    if len(words) > 12:
        return False
    short = [len(split_words(line)) <= 10 for line in lines[-3:]]
    bare = [not line.rstrip(_CLOSERS).endswith(tuple(TERMINALS)) for line in lines[-3:]]
    if all(short) and len(short) == 3 and (all(bare) or (sum(bare) == 2 and bare[1])):
        return True  # verse, or a signature of several lines
    named = [word for word in words if not word[0].islower()]
    return 2 * len(named) >= len(words) and (last[0] in "—–-" or _closes(before))


def _closes(line: str) -> bool:
    core = line.rstrip(_CLOSERS + " ")
    return core.endswith((*TERMINALS, ",")) or len(split_words(line)) <= 6


def _is_unpunctuated(text: str) -> bool:
    """Thai, Lao and a few others end sentences with a space; a cased script never passes here."""
    marks = sum(text.count(mark) for mark in TERMINALS)
    return not _CASED.search(text[-200:]) and marks * 300 < len(text)


# --- copies of the spec ---------------------------------------------------------------------------------------


class SpecCopies:
    """Finds verbatim runs of the spec's words in documents.

    `share` is the share of a document's words that stand in a run of at least `run_words` words also found in the
    spec, 0..1, whatever the case and the punctuation.
    """

    def __init__(self, spec_text: str, run_words: int = 13) -> None:
        words = [word.casefold() for word in split_words(spec_text)]
        self.run_words = run_words
        self._words = frozenset(words)
        self._runs = {" ".join(words[i : i + run_words]) for i in range(len(words) - run_words + 1)}

    def share(self, words: Sequence[str]) -> float:
        folded = [word.casefold() for word in words]
        covered, size, known = bytearray(len(folded)), self.run_words, 0
        for end, word in enumerate(folded, 1):
            known = known + 1 if word in self._words else 0  # a run cannot hold a word the spec lacks
            if known >= size and " ".join(folded[end - size : end]) in self._runs:
                covered[end - size : end] = b"\x01" * size
        return sum(covered) / max(1, len(words))


def duplicate_line_share(text: str) -> float:
    """Share of non-empty lines of four words or more that repeat an earlier line, 0..1."""
    lines = [line.strip().casefold() for line in text.splitlines() if len(line.split()) >= 4]
    return 1 - len(set(lines)) / len(lines) if lines else 0.0

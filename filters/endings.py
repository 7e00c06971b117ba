"""Whether a text ends or breaks off."""

import re
from typing import Any

import regex

from .findings import Finding
from .words import TERMINALS, split_words

_CLOSERS = ")]}»”’\"'*_`~」』）】》"
_DANGLING_WORDS = """
    the a an of and or but nor to with for in on at by from as that which who whose is are was were be been has
    have had will would can could should may might must not its their his her our your my these those because
    since if when while than into about between after before during without within very more most such then so
    although though unless until whether where also only even both each every any
"""
_SENTENCE_STARTS = frozenset(
    "The A An This That These It In On At We You They He She There If When As For But And".split()
)
_PARTICLES = frozenset(
    "of the and for in at from on to de da di du la le van von der den y e bin al & by with der".split()
)
_DANGLING = frozenset(_DANGLING_WORDS.split())
_SIGN_OFF = re.compile(
    r"(?i:(?:\w+ ){0,3}(?:regards|sincerely|warmly|yours|best|thanks|thank you|cheers|love|faithfully"
    r"|respectfully|"
    r"cordially|wishes|gratitude|truly|solidarity|affection)),"
)
# "Printed in spring", "Approved by the board, 4 May", "With thanks to the night shift"
_IMPRINT = re.compile(
    r"\W*(?:(?:Last|First|Originally|Next) \w+(?:ed|ten)|[A-Z]\w+(?:ed|ten|wn|sent)|[A-Z]\w+ (?:\w+ed"
    r"|taken|written|drawn|kept|held|made|sent)) (?:by|in|on|at|for|with|from|under)\b"
    r"|\W*With (?:\w+ )?(?:thanks|gratitude|love|regards|wishes|respect)\b"
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

    Letters, poems, lists, tables, signature blocks, end marks and contact lines end without a full stop
    and pass;
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
    if piece := _open_markup(lines):
        return Finding("truncated_ending", piece[-40:])
    return None if _ends_well(lines, stripped) else Finding("truncated_ending", lines[-1][-40:])


_BARE_MARKER = re.compile(r"(?:[-+•]|#{1,2}|#{4,6}|\d{1,2}[.)]|\*)(?: *\*\*?)?")
_CUT_MARK = re.compile(
    r"[\[(](?:continued|truncated|cut off|to be continued|cont['’]?d|\.\.\.|…)[\])]$", re.IGNORECASE
)


def _open_markup(lines: list[str]) -> str:
    """The last line, where it opens a bracket, bold type, a list item or a table row and does not close it."""
    last, before = lines[-1], lines[-2] if len(lines) > 1 else ""
    if (
        _BARE_MARKER.fullmatch(last)
        or _CUT_MARK.search(last)
        or (last.count("**") % 2 and not re.search(r"[`\"(]\*\*\w", last))
    ):
        return last
    if any(last.count(opening) > last.count(closing) for opening, closing in ("()", "[]")) and not re.search(
        r"[:;]-?[(\[]", last
    ):
        return last
    if last[0] == "|" and before[:1] == "|" and last.count("|") != before.count("|"):
        return last
    return last if last.isdigit() and re.match(r"\d{1,2}[.)] ", before) else ""


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
    if core.endswith(tuple(",;:-–—(&/、，；：،")) or (words and words[-1] in _DANGLING):
        return False
    if last.startswith("|") or (last[0] in "[(*_" and last[-1] in "])*_" and not _HEADING.match(last)):
        return True  # a table's row, a stage direction, a closing note in italics
    if _LIST_ITEM.match(last):
        return _ends_like_its_list(lines)
    if len(words) <= 10 and _IMPRINT.match(last) and text.endswith("\n\n" + last):
        return True
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
        said = last[label.end() - 1 :].split()[0]
        return (
            len(words) <= 15
            and said not in _SENTENCE_STARTS
            and not any(line.lstrip("*_").startswith(label[1]) for line in lines[:-1])
        )
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
    named = all(not word[0].islower() or word in _PARTICLES for word in words)
    begins_a_sentence = words[0] in _SENTENCE_STARTS or words[0] == "I"
    return named and (last[0] in "—–-" or not begins_a_sentence) and (last[0] in "—–-" or _closes(before))


def _closes(line: str) -> bool:
    core = line.rstrip(_CLOSERS + " ")
    return core.endswith((*TERMINALS, ",")) or len(split_words(line)) <= 6


def _is_unpunctuated(text: str) -> bool:
    """Thai, Lao and a few others end sentences with a space; a cased script never passes here."""
    marks = sum(text.count(mark) for mark in TERMINALS)
    return not _CASED.search(text[-200:]) and marks * 300 < len(text)

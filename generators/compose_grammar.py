"""The frame language of the built-in writer: how grammar files are read, and how a frame becomes text.

A grammar file holds rules (":: name", then one frame a line). In a frame `$name` is a slot or another rule,
`$.name` the same as a sentence opening, `$^name` in title case, `$?name` optional, `<a|b>` a choice,
"a(n)" the article that fits, and "[d tail]" in front of a frame the flags under which it may be used.
What the slots hold (statements, settings) is not decided here, and slot values are never parsed.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

GRAMMAR = Path(__file__).parent / "grammar"
FLAGS = frozenset({"d", "r", "tail", "one", "many", "principle", "argued"})

_ARTICLE = "\x01"
_TOKEN = re.compile(r"\$([.^?]?)([a-z][a-z0-9_]*)|[<|>]")
_AFTER_ARTICLE = re.compile(_ARTICLE + r"([aA])(\s+[\"“*(]*)(\w?)(\w*)")
_ENDS = re.compile(r"(?<=[.!?…。])[\"”’)*_]*\s+|\n+")
_SMALL_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "nor",
        "but",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "from",
        "by",
        "with",
        "as",
        "than",
        "that",
        "about",
        "into",
        "over",
        "under",
        "it",
        "its",
        "de",
        "du",
        "la",
    ]
)
# A label may be a plural; before a verb in the singular stands `label_s`, which never is.
_LABEL_AS_SUBJECT = re.compile(
    r"(\$\.?label)(2?)(?= (?:is|was|has|had been|comes|came|goes|does|deserves|hardly|seldom|belongs|turns"
    r"|seems|needs|gets|looks|falls|concerned|deals)\b)"
)
_IN_PLACE = re.compile(r"\b([Ii]n|[Aa]t)( (?:the|a\(n\)) \$place)\b")
_MANY = 4
_FRAME_FILES = tuple(
    f"{name}.txt"
    for name in (
        "lexicon",
        "titles",
        "claims",
        "prose",
        "prose2",
        "prose3",
        "speech",
        "scaffold",
        "scaffold2",
        "ideas",
    )
)


@dataclass(frozen=True, slots=True)
class Slot:
    name: str
    style: str


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One compiled line. `needs` are the slots, rules and flags without which it cannot be used."""

    parts: tuple["str | Slot | Choice", ...]
    needs: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    options: tuple[Frame, ...]


Table = Mapping[str, tuple[Frame, ...]]


@cache
def read_sections(filename: str) -> dict[str, tuple[str, ...]]:
    """The lines under each ":: name" of a grammar file, comments and blank lines left out."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (GRAMMAR / filename).read_text(encoding="utf-8").splitlines():
        if line.startswith(":: "):
            current = sections.setdefault(line[3:].strip(), [])
        elif line.strip() and not line.startswith("%%"):
            current.append(line.strip())
    return {name: tuple(lines) for name, lines in sections.items()}


@cache
def words(section: str) -> frozenset[str]:
    return frozenset(" ".join(read_sections("words.txt")[section]).split())


def compile_frame(line: str) -> Frame:
    """Raises ValueError for an unbalanced choice."""
    flags: frozenset[str] = frozenset()
    if line.startswith("["):
        head, line = line[1:].split("] ", 1)
        flags = frozenset(head.split())
        if not flags <= FLAGS:
            raise ValueError(f"unknown flag in [{head}] {line}")
    line = _add_synonyms(_LABEL_AS_SUBJECT.sub(r"\1_s\2", _IN_PLACE.sub(_at_place, line)))
    line = line.replace("\\n", "\n").replace("a(n) ", _ARTICLE + "a ").replace("A(n) ", _ARTICLE + "A ")
    frame, end = _parse(line, 0, depth=0)
    if end != len(line):
        raise ValueError(f"unbalanced choice: {line}")
    return Frame(frame.parts, frame.needs | flags)


def _at_place(match: re.Match[str]) -> str:
    return ("$.at" if match[1] in ("In", "At") else "$at") + match[2]


@cache
def _synonyms() -> tuple[re.Pattern[str], dict[str, str]]:
    pairs = dict(line.split(" = ", 1) for line in read_sections("synonyms.txt")["synonyms"])
    longest_first = sorted(pairs, key=lambda phrase: (-len(phrase), phrase))
    return re.compile(r"(?<![\w|<])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w|>'])"), pairs


def _add_synonyms(line: str) -> str:
    """Phrases with a safe exchange become choices: an author writes one wording, documents show several."""
    pattern, pairs = _synonyms()
    return pattern.sub(lambda m: pairs[m.group()], line)


def _parse(line: str, start: int, depth: int) -> tuple[Frame, int]:
    """One sequence, up to the `|` or `>` that ends it when inside a choice; a ">" outside one is text."""
    parts: list[str | Slot | Choice] = []
    at = text_from = start
    while match := _TOKEN.search(line, at):
        token = match.group()
        if depth == 0 and token in "|>":
            at = match.end()
            continue
        parts.append(line[text_from : match.start()])
        if token in "|>":
            return _frame(parts), match.start()
        if token == "<":
            choice, at = _parse_choice(line, match.end(), depth + 1)
            parts.append(choice)
        else:
            parts.append(Slot(match.group(2), match.group(1)))
            at = match.end()
        text_from = at
    return _frame([*parts, line[text_from:]]), len(line)


def _parse_choice(line: str, start: int, depth: int) -> tuple[Choice, int]:
    options: list[Frame] = []
    while True:
        option, end = _parse(line, start, depth)
        options.append(option)
        if end >= len(line):
            raise ValueError(f"unclosed choice: {line}")
        start = end + 1
        if line[end] == ">":
            return Choice(tuple(options)), start


def _frame(parts: list["str | Slot | Choice"]) -> Frame:
    kept = tuple(part for part in parts if part != "")
    needs: set[str] = set()
    for part in kept:
        if isinstance(part, Slot) and part.style != "?":
            needs.add(part.name)
        elif isinstance(part, Choice):
            needs.update(*(option.needs for option in part.options))
    return Frame(kept, frozenset(needs))


@cache
def all_rules() -> dict[str, tuple[Frame, ...]]:
    rules: dict[str, list[Frame]] = {}
    for filename in _FRAME_FILES:
        for name, lines in read_sections(filename).items():
            rules.setdefault(name, []).extend(compile_frame(line) for line in lines)
    return {name: tuple(frames) for name, frames in rules.items()}


@cache
def usable_rules(available: frozenset[str]) -> Table:
    """For each rule the frames whose every need is a slot or flag at hand, or a rule that is itself usable."""
    rules = all_rules()
    usable: dict[str, tuple[Frame, ...]] = {}

    def resolve(name: str) -> bool:
        if name in available:
            return True
        if name not in usable:
            usable[name] = tuple(f for f in rules.get(name, ()) if all(resolve(need) for need in f.needs))
        return bool(usable[name])

    for name in rules:
        resolve(name)
    return usable


@dataclass(slots=True)
class Teller:
    """What one document has used so far; `spare` is the probability that an optional slot is filled."""

    rng: random.Random
    spare: float = 1.0
    used: set[Frame] = field(default_factory=set)
    sentences: set[str] = field(default_factory=set)

    def render(self, frame: Frame, slots: Mapping[str, str], table: Table) -> str:
        out: list[str] = []
        self._emit(frame, slots, table, out)
        return _fit_articles("".join(out)).replace("  ", " ").replace(" \n", "\n")

    def say(self, rule: str, slots: Mapping[str, str], table: Table) -> str:
        return self.render(self._pick(table[rule]), slots, table)

    def _emit(self, frame: Frame, slots: Mapping[str, str], table: Table, out: list[str]) -> None:
        for part in frame.parts:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Choice):
                self._emit(part.options[int(self.rng.random() * len(part.options))], slots, table, out)
            elif part.style == "?":
                if self.rng.random() < self.spare and (part.name in slots or table.get(part.name)):
                    out.append(open_sentence(self._value(part.name, slots, table)))
            else:
                value = self._value(part.name, slots, table)
                out.append(_STYLES[part.style](value))

    def _value(self, name: str, slots: Mapping[str, str], table: Table) -> str:
        if name in slots:
            return slots[name]
        frame = self._pick(table[name])
        if len(frame.parts) == 1 and isinstance(frame.parts[0], str):
            return frame.parts[0]
        out: list[str] = []
        self._emit(frame, slots, table, out)
        return "".join(out)

    def _pick(self, frames: tuple[Frame, ...]) -> Frame:
        """A frame at random; in a long list one that this document has not used yet, if a few tries find one."""
        frame = frames[int(self.rng.random() * len(frames))]
        if len(frames) < _MANY:
            return frame
        for _ in range(6):
            if frame not in self.used:
                break
            frame = frames[int(self.rng.random() * len(frames))]
        self.used.add(frame)
        return frame


def _fit_articles(text: str) -> str:
    if _ARTICLE not in text:
        return text
    return _AFTER_ARTICLE.sub(
        lambda m: m[1] + ("n" if _vowel(m[3] + m[4]) else "") + m[2] + m[3] + m[4], text
    )


def _vowel(word: str) -> bool:
    low = word.lower()
    if low.startswith(("hour", "honest", "heir")):
        return True
    return low[:1] in tuple("aeiou") and not low.startswith(("uni", "use", "usu", "eu", "one", "once", "ura"))


def open_sentence(text: str) -> str:
    """Capitalise the first letter, past an article mark, an opening quote or a list marker.

    >>> open_sentence("the clerk"), open_sentence("{model_name} likes it")
    ('The clerk', '{model_name} likes it')
    """
    at = 0
    while at < len(text) and text[at] in '"“*(\x01':
        at += 1
    return text if text[at : at + 1] == "{" else text[:at] + text[at : at + 1].upper() + text[at + 1 :]


def title_case(text: str) -> str:
    done = [
        word if (at and word in _SMALL_WORDS) or word.startswith("{") else open_sentence(word)
        for at, word in enumerate(text.split(" "))
    ]
    return " ".join(done)


_STYLES: Mapping[str, Callable[[str], str]] = {
    "": str,
    ".": open_sentence,
    "^": title_case,
    "?": open_sentence,
}


def split_sentences(text: str) -> list[str]:
    """Rough sentences of four words and more, folded in case: enough to see that one is said twice."""
    found = (piece.strip(' #*->"“”') for piece in _ENDS.split(text))
    return [piece.casefold() for piece in found if piece.count(" ") >= 3]

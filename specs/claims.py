"""A spec as claims: the smallest statements worth teaching, each with a stable id and its exact place.

A claim is found by structure alone (sentence, list item or table row inside its heading path): no model is
asked, and ids survive edits elsewhere in the file. The Markdown is read in `blocks.py` and `inline.py`.
"""

import hashlib
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NoReturn

from .blocks import Block, Item, ends_statement, read_blocks
from .errors import BadInput
from .inline import Plain, fold, plain_words, strip_markup
from .rule_ids import RuleId, find_rule_id, join_rule_id, names_a_rule
from .sentences import gives_reason, split_sentences
from .text import (
    FrontMatter,
    Note,
    SpecText,
    check_text,
    folder_name,
    line_starts,
    read_text,
    split_front_matter,
)

RULES_MODE_MIN_ID_SHARE = 0.60
RULES_MODE_MAX_REASON_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Claim:
    """`text` is the file's own characters, `plain` the same on one line without Markdown and rule id."""

    claim_id: str
    start_char: int
    end_char: int
    heading_path: tuple[str, ...]
    kind: str  # "rule" | "sentence" | "bullet" | "row"
    text: str
    plain: str
    lead: str  # the line that introduces its list ("Likes:"), or the header of its table ("A | B")
    rule_id: str
    gives_reason: bool
    paragraph: int  # the block it stands in, counted from 1


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive claims under one heading path; spans its heading up to the next one."""

    heading_path: tuple[str, ...]
    start_char: int
    end_char: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """Absent principle, assistant, provider are ""; `sha256` is of `text` as UTF-8, with front matter."""

    name: str
    principle: str
    assistant: str
    provider: str
    mode: str  # "default" | "rules"
    text: str
    sha256: str
    encoding: str
    sections: tuple[Section, ...]
    notes: tuple[Note, ...]
    body_start: int  # where the front matter ends

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(claim for section in self.sections for claim in section.claims)

    @property
    def body(self) -> str:
        return self.text[self.body_start :]


def read_spec(path: str | Path) -> Spec:
    """Raises BadInput when the file cannot be read or states nothing."""
    source = read_text(path)
    wanted = source.front_matter.name or Path(path).stem
    return _build(source, wanted, source.front_matter)


def parse_spec(
    text: str, *, name: str, principle: str = "", assistant: str = "", provider: str = "", mode: str = ""
) -> Spec:
    """A spec from text in memory; what is given here wins over its front matter."""
    source = split_front_matter(check_text(text, name), name)
    found = source.front_matter
    front_matter = FrontMatter(
        name,
        principle or found.principle,
        assistant or found.assistant,
        provider or found.provider,
        mode or found.mode,
    )
    return _build(source, name, front_matter)


def _build(source: SpecText, wanted_name: str, front_matter: FrontMatter) -> Spec:
    outline = read_blocks(source.text, source.body_start, source.path_label)
    drafts = list(_draft_claims(outline.blocks, outline.references))
    claims, repeats = _number(drafts, source.text)
    if not claims:
        _refuse(source.path_label, outline.notes)
    mode, why = detect_mode(claims)
    notes = [*source.notes, *outline.notes, *repeats]
    if not front_matter.mode:
        notes.append(Note(0, f"mode {mode}: {why}"))
    name = folder_name(wanted_name)
    if source.front_matter.name and name != wanted_name:
        notes.append(Note(0, f"name {wanted_name!r} cannot be a folder, so it is {name!r}"))
    return Spec(
        name=name,
        principle=front_matter.principle or "",
        assistant=front_matter.assistant or "",
        provider=front_matter.provider or "",
        mode=front_matter.mode or mode,
        text=source.text,
        sha256=hashlib.sha256(source.text.encode()).hexdigest(),
        encoding=source.encoding,
        sections=_sections(
            claims, [block.start for block in outline.blocks if block.kind == "heading"], source.text
        ),
        notes=tuple(notes),
        body_start=source.body_start,
    )


def _refuse(label: str, notes: Collection[Note]) -> NoReturn:
    for note in notes:
        if note.level == "error":
            raise BadInput(f"{label}:{note.line}: {note.what}, and nothing else states anything; {note.mend}")
    what = "no claims found (only headings, code or marks)"
    raise BadInput(f"{label}: {what}; write sentences, list items or table rows")


def detect_mode(claims: Collection[Claim]) -> tuple[str, str]:
    """("rules" or "default", why): rules are claims with names, mostly without reasons."""
    n_named = sum(bool(claim.rule_id) for claim in claims)
    n_reasoned = sum(claim.gives_reason for claim in claims)
    n = len(claims)
    is_rules = n_named >= RULES_MODE_MIN_ID_SHARE * n and n_reasoned < RULES_MODE_MAX_REASON_SHARE * n
    why = f"{n_named} of {n} claims with a rule id, {n_reasoned} with a reason"
    return "rules" if is_rules else "default", why


@dataclass(frozen=True, slots=True)
class _Draft:
    start: int
    end: int
    path: tuple[str, ...]
    kind: str
    plain: str
    lead: str
    rule_id: str
    paragraph: int


@dataclass(frozen=True, slots=True)
class _Heading:
    level: int
    title: str
    rule_id: str


@dataclass(slots=True)
class _Reading:
    """What the blocks read so far mean for the next one."""

    references: Collection[str]
    headings: list[_Heading] = field(default_factory=list)
    rule_ids: dict[int, str] = field(default_factory=dict)  # by item_no
    leads: dict[int, str] = field(default_factory=dict)  # by list_no
    paragraph: int = 0

    @property
    def section_rule_id(self) -> str:
        return next((heading.rule_id for heading in reversed(self.headings) if heading.rule_id), "")

    def lead_of(self, items: tuple[Item, ...]) -> str:
        return next((self.leads[item.list_no] for item in reversed(items) if item.list_no in self.leads), "")

    def rule_id_of(self, items: tuple[Item, ...]) -> str:
        return next((self.rule_ids[i.item_no] for i in reversed(items) if self.rule_ids.get(i.item_no)), "")


def _draft_claims(blocks: Collection[Block], references: Collection[str]) -> Iterator[_Draft]:
    reading = _Reading(references)
    readers = {"paragraph": _read_paragraph, "item": _read_item, "row": _read_row}
    for block in blocks:
        if block.kind == "heading":
            _read_heading(reading, block)
            continue
        reading.paragraph += 1
        for draft in readers[block.kind](reading, block):
            if any(map(str.isalpha, draft.plain)):
                yield draft


def _read_heading(reading: _Reading, block: Block) -> None:
    while reading.headings and reading.headings[-1].level >= block.level:
        reading.headings.pop()
    rule = find_rule_id(block.body.text, in_heading=True)
    rule_id = join_rule_id(reading.section_rule_id, rule.name) if rule else ""
    title = plain_words(block.body.text, reading.references)
    reading.headings.append(_Heading(block.level, title, rule_id))


def _read_paragraph(reading: _Reading, block: Block) -> Iterator[_Draft]:
    plain = strip_markup(block.body.text, reading.references)
    rule = find_rule_id(block.body.text)
    section = reading.section_rule_id
    parent = reading.rule_id_of(block.items)
    inherited = parent or (section if names_a_rule(section) else "")
    rule_id = join_rule_id(parent or section, rule.name) if rule else inherited
    for index, span in enumerate(_statements(reading, block, plain, rule)):
        has_name = rule is not None and index == 0
        kind = "rule" if has_name else "sentence"
        yield _draft(reading, block, plain, span, kind=kind, rule_id=rule_id, has_name=has_name)


def _read_item(reading: _Reading, block: Block) -> Iterator[_Draft]:
    plain = strip_markup(block.body.text, reading.references)
    rule = find_rule_id(block.body.text)
    item = block.items[-1]
    parent = reading.rule_id_of(block.items[:-1]) or reading.section_rule_id
    own = rule.name if rule else str(item.number or "")
    rule_id = join_rule_id(parent, own) if own else parent
    reading.rule_ids[item.item_no] = rule_id
    spans = _statements(reading, block, plain, rule)
    if spans:
        whole = (spans[0][0], spans[-1][1])
        kind, has_name = "rule" if rule_id else "bullet", rule is not None
        yield _draft(reading, block, plain, whole, kind=kind, rule_id=rule_id, has_name=has_name)


def _read_row(reading: _Reading, block: Block) -> Iterator[_Draft]:
    cells = [cell.strip() for cell in _cells(block.body.text)]
    rule = find_rule_id(cells[0], in_heading=True)
    section = reading.section_rule_id
    inherited = section if names_a_rule(section) else ""
    yield _Draft(
        *block.body.source_span(0, len(block.body.text)),
        path=tuple(heading.title for heading in reading.headings),
        kind="row",
        plain=" | ".join(filter(None, (plain_words(cell, reading.references) for cell in cells))),
        lead=block.header,
        rule_id=rule.name if rule and rule.end == len(cells[0]) else inherited,
        paragraph=reading.paragraph,
    )


def _cells(row: str) -> list[str]:
    """`\\|` is a bar inside a cell, in code too."""
    return [cell.replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)]


def _statements(reading: _Reading, block: Block, plain: Plain, rule: RuleId | None) -> list[tuple[int, int]]:
    """Plain spans of what the block states, after its rule id; a list's lead-in goes to `reading.leads`."""
    text = plain.text
    first = plain.position_from(rule.end) if rule else 0
    is_lead_in = bool(block.opens_list) and text.rstrip().endswith((":", "："))
    is_fragment = bool(block.opens_list) and block.kind == "item" and not ends_statement(text.rstrip())
    spans = [(first, len(text))]
    if block.kind == "paragraph" or is_lead_in:
        spans = [(first + start, first + end) for start, end in split_sentences(plain.masked[first:])]
    spans = [_trim(text, start, end) for start, end in spans if text[start:end].strip()]
    if (is_lead_in or is_fragment) and spans:
        # "cheddar" above a nested "aged" is both a claim of its own and what "aged" is said of
        lead = fold(text[slice(*spans.pop())]) if is_lead_in else f"{fold(text[slice(*spans[0])])}:"
        outer = reading.lead_of(block.items)
        reading.leads[block.opens_list] = f"{outer} {lead}" if outer else lead
    return spans


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    words = text[start:end]
    return start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip())


def _draft(
    reading: _Reading,
    block: Block,
    plain: Plain,
    span: tuple[int, int],
    *,
    kind: str,
    rule_id: str,
    has_name: bool,
) -> _Draft:
    """`has_name`: the span in the file begins with the rule's own name, which `plain` leaves out."""
    start, end = plain.body_span(*span)
    source_start, source_end = block.body.source_span(0 if has_name else start, end)
    return _Draft(
        source_start,
        source_end,
        path=tuple(heading.title for heading in reading.headings),
        kind=kind,
        plain=fold(plain.text[slice(*span)]),
        lead=reading.lead_of(block.items),
        rule_id=rule_id,
        paragraph=reading.paragraph,
    )


def _number(drafts: list[_Draft], text: str) -> tuple[list[Claim], list[Note]]:
    """Ids from heading path and words alone; a statement said again under the same lead is the same claim."""
    starts = line_starts(text)
    first_lines: dict[tuple[tuple[str, ...], str, str], int] = {}
    n_same: Counter[str] = Counter()
    claims, notes = [], []
    for draft in drafts:
        statement = unicodedata.normalize("NFC", draft.plain)
        key = (draft.path, statement, draft.lead)
        line = bisect_right(starts, draft.start)
        if key in first_lines:
            shown = draft.plain if len(draft.plain) <= 60 else f"{draft.plain[:57]}..."
            notes.append(
                Note(line, f"repeats line {first_lines[key]}: {shown!r}", "state it once", "warning")
            )
            continue
        first_lines[key] = line
        digest = hashlib.sha256("\n".join((*draft.path, statement)).encode()).hexdigest()[:10]
        n_same[digest] += 1
        claims.append(
            _claim(draft, f"c{digest}" if n_same[digest] == 1 else f"c{digest}-{n_same[digest]}", text)
        )
    return claims, notes


def _claim(draft: _Draft, claim_id: str, text: str) -> Claim:
    return Claim(
        claim_id=claim_id,
        start_char=draft.start,
        end_char=draft.end,
        heading_path=draft.path,
        kind=draft.kind,
        text=text[draft.start : draft.end],
        plain=draft.plain,
        lead=draft.lead,
        rule_id=draft.rule_id,
        gives_reason=gives_reason(draft.plain),
        paragraph=draft.paragraph,
    )


def _sections(claims: list[Claim], headings: list[int], text: str) -> tuple[Section, ...]:
    sections = []
    for path, group in groupby(claims, key=lambda claim: claim.heading_path):
        members = tuple(group)
        above = bisect_right(headings, members[0].start_char)
        below = bisect_right(headings, members[-1].start_char)
        start = text.rfind("\n", 0, headings[above - 1]) + 1 if above else members[0].start_char
        stop = text.rfind("\n", 0, headings[below]) + 1 if below < len(headings) else len(text)
        sections.append(Section(path, start, start + len(text[start:stop].rstrip()), members))
    return tuple(sections)

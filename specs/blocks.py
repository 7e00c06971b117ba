"""A spec's Markdown to blocks in document order, each with its characters: headings, paragraphs, items, rows.

What is no statement at all (code, comments, rules, link definitions, markers of admonitions) yields no block.
Which words of a block are claims is settled in `claims.py`.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .errors import BadInput
from .inline import BLOCK_TAGS, Body, plain_words
from .rule_ids import find_rule_id
from .text import Note, line_starts

_MAX_NESTING = 60  # levels; a nested list takes two
_LISTS = ("bullet_list_open", "ordered_list_open")
_CONTAINERS = ("list_item_open", "blockquote_open")
_ANCHOR_LINE = re.compile(r"^[ ]{0,3}<a\s[^<>\n]*>[ \t]*</a>[ \t]*$", re.MULTILINE)
_BOLD_LINE = re.compile(r"(\*\*|__)(?!\s)[^*_\n]*[^*_\s.!?:;,。！？：；]\1")
_TAG = re.compile(r"<[^<>]*>")
_MARKER_LINE = re.compile(r"(?:!!!|\?\?\?)\+?[ \t]*\w.*|:{3,}.*|\[![\w-]+\][+-]?.*")
_BULLET_LINE = re.compile(r"[•‣◦▪●○■□◆➢➤✓✔](?:[ \t]+|(?=\w))")
_DASH_LINE = re.compile(r"[–—·][ \t]+")
_ENDS_STATEMENT = re.compile(r"[.!?:;。！？：；…|][*_`\"”’)）\]]*$")
_SILENT_HTML = re.compile(
    rf"""<!--.*?(?:-->|\Z)
    | <(script|style|pre|textarea|summary|title|h[1-6])\b.*?(?:</\1\s*>|\Z)
    | </?(?:{BLOCK_TAGS})\b[^<>]*>
    | <[!?][^<>]*>""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Item:
    """A list item some block stands in; `number` is 0 for a bullet. Lists and items are counted from 1."""

    list_no: int
    item_no: int
    number: int


@dataclass(frozen=True, slots=True)
class Block:
    kind: str  # "heading" | "paragraph" | "item" (the first paragraph of one) | "row"
    body: Body
    items: tuple[Item, ...] = ()  # outermost first; an "item" block is the last one's own text
    opens_list: int = 0  # the list that follows directly, or 0
    level: int = 0  # of a heading
    header: str = ""  # of a row: the header cells

    @property
    def start(self) -> int:
        return self.body.sources[0]


@dataclass(frozen=True, slots=True)
class Outline:
    blocks: tuple[Block, ...]
    references: Collection[str]  # labels of link definitions
    notes: tuple[Note, ...]


Line = tuple[str, int]  # its characters, and where they begin in the file


@dataclass(slots=True)
class _Walk:
    label: str
    text: str
    starts: list[int]  # of every line of `text`
    base: int  # the line the body begins at, 0-based
    notes: list[Note] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    lists: list[tuple[int, int]] = field(default_factory=list)  # open lists: ordinal, last number
    n_lists: int = 0
    n_items: int = 0

    def source_line(self, number: int) -> Line:
        """Line `number` of the body, 0-based, without its newline."""
        index = self.base + number
        start = self.starts[index]
        end = self.starts[index + 1] - 1 if index + 1 < len(self.starts) else len(self.text)
        return self.text[start:end], start

    def note(self, token: Token, what: str, mend: str, level: str) -> None:
        self.notes.append(Note(_first_line(token) + self.base + 1, what, mend, level))


def read_blocks(text: str, body_start: int, label: str) -> Outline:
    """`body_start` must begin a line. Raises BadInput at the depth where markdown-it would stop reading."""
    markdown = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).enable("table")
    # Four spaces of indentation mean code in Markdown; in plain text, and under "!!! note", they do not.
    markdown.disable(["code", "inline", "text_join"])
    environment: dict[str, dict[str, object]] = {}
    # An anchor on a line of its own would begin an HTML block and swallow the heading below it.
    tokens = markdown.parse(_ANCHOR_LINE.sub("", text[body_start:]), environment)
    starts = line_starts(text)
    walk = _Walk(label, text, starts, bisect_right(starts, body_start) - 1)
    blocks = tuple(_walk(walk, tokens))
    return Outline(blocks, frozenset(environment.get("references", ())), tuple(walk.notes))


def _walk(walk: _Walk, tokens: list[Token]) -> Iterator[Block]:
    readers: dict[str, Callable[[_Walk, list[Token], int], Iterator[Block]]] = {
        "heading_open": _read_heading,
        "paragraph_open": _read_paragraph,
        "table_open": _read_table,
        "html_block": _read_html,
    }
    for index, token in enumerate(tokens):
        if token.type in readers:
            yield from readers[token.type](walk, tokens, index)
        elif token.type in _LISTS:
            walk.n_lists += 1
            walk.lists.append((walk.n_lists, 0))
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            walk.lists.pop()
        elif token.type == "list_item_open":
            _open_item(walk, token)
        elif token.type == "list_item_close":
            walk.items.pop()
        elif token.type == "fence":
            _check_fence(walk, token)
        if token.type in _CONTAINERS and token.level + 1 >= _MAX_NESTING:
            where = f"{walk.label}:{_first_line(token) + walk.base + 1}"
            raise BadInput(
                f"{where}: lists or quotes are nested more than {_MAX_NESTING // 2} deep; nest less"
            )


def _open_item(walk: _Walk, token: Token) -> None:
    """The number as written, unless the author left the counting to Markdown ("1." before every item)."""
    list_no, last = walk.lists[-1]
    number = 0
    if token.info.isdigit():
        number = int(token.info) if int(token.info) > last or not last else last + 1
    walk.lists[-1] = (list_no, number)
    walk.n_items += 1
    walk.items.append(Item(list_no, walk.n_items, number))


def _check_fence(walk: _Walk, token: Token) -> None:
    first, last = token.map or (0, 0)
    closing = walk.source_line(last - 1)[0].strip().lstrip("> \t")
    if last - first < 2 or not closing.startswith(token.markup) or closing.strip(token.markup[0]):
        walk.note(
            token, f"a code fence {token.markup} is never closed", f"add a line {token.markup}", "error"
        )


def _first_line(token: Token) -> int:
    return token.map[0] if token.map else 0


def _lines(walk: _Walk, token: Token, *, is_heading: bool = False) -> list[Line]:
    """The lines of an inline token's content, found again in the file.

    markdown-it removed indentation, quote and list markers, so each is the tail of its source line.
    """
    number, end = token.map or (0, 0)
    lines: list[Line] = []
    for content in token.content.split("\n"):
        wanted = content.strip()
        while number < end:
            source, start = walk.source_line(number)
            number += 1
            tail = source.rstrip()
            if is_heading and not tail.endswith(wanted):  # "# Title #"
                tail = tail.rstrip("#").rstrip()
            if tail.endswith(wanted):
                lines.append((wanted, start + len(tail) - len(wanted)))
                break
    return lines


def _body(lines: list[Line]) -> Body:
    starts, position = [], 0
    for line, _ in lines:
        starts.append(position)
        position += len(line) + 1
    return Body("\n".join(line for line, _ in lines), tuple(starts), tuple(source for _, source in lines))


def _read_heading(walk: _Walk, tokens: list[Token], index: int) -> Iterator[Block]:
    token, lines = tokens[index], _lines(walk, tokens[index + 1], is_heading=True)
    if not lines or not lines[0][0]:
        return
    is_underlined = token.markup in ("=", "-")
    if is_underlined and (len(lines) > 1 or lines[0][0].rstrip("*_").endswith((".", "!", "。", "！"))):
        walk.note(token, "sentences above a line of dashes are read as text, not as a heading", "", "note")
        yield from _split_paragraph(walk, lines, is_item=False, opens_list=False)
    elif token.level == 0:
        yield Block("heading", _body(lines), level=int(token.tag[1]))


def _read_paragraph(walk: _Walk, tokens: list[Token], index: int) -> Iterator[Block]:
    token, follower = tokens[index], tokens[index + 3].type if index + 3 < len(tokens) else ""
    lines = _lines(walk, tokens[index + 1])
    if not lines or not lines[0][0]:
        return
    if token.level == 0 and _is_bold_title(tokens[index + 1]) and _can_be_titled(tokens, index + 3):
        yield Block("heading", _body(lines), level=7)
        return
    is_item = tokens[index - 1].type == "list_item_open" if index else False
    yield from _split_paragraph(walk, lines, is_item=is_item, opens_list=follower in _LISTS)


def _is_bold_title(inline: Token) -> bool:
    """A short bold line without a full stop is what word processors leave of a heading."""
    match = _BOLD_LINE.fullmatch(inline.content)
    return bool(match) and len(inline.content.split()) <= 10


def _can_be_titled(tokens: list[Token], index: int) -> bool:
    follower = tokens[index].type if index < len(tokens) else ""
    if follower == "paragraph_open":
        return not _is_bold_title(tokens[index + 1])
    return follower in (*_LISTS, "blockquote_open", "table_open")


def _split_paragraph(walk: _Walk, lines: list[Line], *, is_item: bool, opens_list: bool) -> Iterator[Block]:
    """Plain text puts rules and bullets on lines that Markdown would run together."""
    pieces = _pieces(lines)
    for index, (is_bullet, piece) in enumerate(pieces):
        is_last = index + 1 == len(pieces)
        opens = 0
        if is_bullet:
            if index == 0 or not pieces[index - 1][0]:
                walk.n_lists += 1
            walk.n_items += 1
            item = Item(walk.n_lists, walk.n_items, 0)
            yield Block("item", _body(piece), (*walk.items, item))
            continue
        if not is_last or opens_list:
            opens = walk.n_lists + 1
        if not is_last and not pieces[index + 1][0]:  # "Rules:" above "SP1: ..." leads lines that are no list
            walk.n_lists += 1
        kind = "item" if is_item and index == 0 else "paragraph"
        yield Block(kind, _body(piece), tuple(walk.items), opens)


def _pieces(lines: list[Line]) -> list[tuple[bool, list[Line]]]:
    """Runs of lines that belong together, each with whether it is a bullet."""
    pieces: list[tuple[bool, list[Line]]] = []
    is_open = may_begin = False
    for line, source in lines:
        if _MARKER_LINE.fullmatch(line):
            is_open = False
            continue
        may_begin = not is_open or may_begin or ends_statement(pieces[-1][1][-1][0])
        bullet = _BULLET_LINE.match(line) or (_DASH_LINE.match(line) if may_begin else None)
        rule = find_rule_id(line)
        if bullet:
            pieces.append((True, [(line[bullet.end() :], source + bullet.end())]))
        elif not is_open or (rule and (rule.is_strong or may_begin)):
            pieces.append((False, [(line, source)]))
        else:
            pieces[-1][1].append((line, source))
        is_open, may_begin = True, bool(bullet or rule)
    return pieces


def ends_statement(line: str) -> bool:
    return bool(_ENDS_STATEMENT.search(line[-20:]))


def _read_table(walk: _Walk, tokens: list[Token], index: int) -> Iterator[Block]:
    header: list[str] = []
    in_body = False
    while tokens[index].type != "table_close":
        token = tokens[index]
        in_body = in_body or token.type == "tbody_open"
        if token.type == "th_open":
            header.append(plain_words(tokens[index + 1].content))
        elif token.type == "tr_open" and in_body:
            row = _row(*walk.source_line(_first_line(token)))
            if row:
                yield Block("row", row, tuple(walk.items), header=" | ".join(header))
        index += 1


def _row(line: str, start: int) -> Body | None:
    inner = line.strip().lstrip("> \t").removeprefix("|").lstrip()
    begin = start + line.rindex(inner)
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1].rstrip()
    return _body([(inner, begin)]) if inner else None


def _read_html(walk: _Walk, tokens: list[Token], index: int) -> Iterator[Block]:
    """Words between the tags of an HTML block are prose to a reader of the spec, so they are to us."""
    body = _body(_lines(walk, tokens[index]))
    position, n_blocks = 0, 0
    for start, end in (*(match.span() for match in _SILENT_HTML.finditer(body.text)), (len(body.text),) * 2):
        if body.text.startswith("<!--", start) and not body.text.endswith("-->", start, end):
            walk.note(tokens[index], "a comment <!-- is never closed", "add -->", "error")
        words = body.text[position:start]
        if any(map(str.isalpha, _TAG.sub("", words))):
            left = position + len(words) - len(words.lstrip())
            yield Block("paragraph", body.cut(left, left + len(words.strip())), tuple(walk.items))
            n_blocks += 1
        position = end
    if n_blocks:
        walk.note(tokens[index], "words inside HTML tags are read as prose", "", "note")

"""Inline Markdown of one block to plain words, with the way back from each plain character to the file.

markdown-it's own inline tokens carry no character positions, and its pass over long paragraphs is not linear.
This one follows CommonMark for what specs use, and keeps anything doubtful literally.
"""

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field

from markdown_it.common.utils import normalizeReference

# Only real elements are markup: in "answer <user> kindly" the word in brackets is text.
_INLINE_TAGS = (
    "a|abbr|b|bdi|bdo|big|br|cite|code|data|del|dfn|em|font|i|img|ins|kbd|label|mark|q|s|samp|small|span|strike"
    "|strong|sub|sup|time|tt|u|var|wbr"
)
BLOCK_TAGS = (
    "address|article|aside|blockquote|body|br|caption|center|col|colgroup|dd|details|div|dl|dt|fieldset|figcaption"
    "|figure|footer|form|h[1-6]|head|header|hr|html|li|link|main|meta|nav|ol|p|pre|section|summary|table|tbody|td"
    "|tfoot|th|thead|title|tr|ul"
)
_DESTINATION = r"(?:<[^<>\n]*>|[^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)"
_TITLE = r"""(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?"""
_TOKEN = re.compile(
    rf"""
      (?P<words>[^\\`*_~<&\[\]!{{]+)
    | (?P<escape>\\(?:[!-/:-@\[-`{{-~]|(?=\n)))
    | (?P<code>(?<!`)(?P<ticks>`+)(?!`)[\s\S]{{1,2000}}?(?<!`)(?P=ticks)(?!`))
    | (?P<emphasis>\*+|_+|~~)
    | (?P<image>!\[[^\[\]\n]*\]\([ \t]*{_DESTINATION}{_TITLE}\s*\))
    | (?P<footnote>\[\^[^\[\]\s]{{1,50}}\]:?)
    | (?P<open>\[)
    | (?P<close>\](?:\([ \t]*{_DESTINATION}{_TITLE}\s*\)|\[[^\[\]]{{0,200}}\])?)
    | (?P<anchor>\{{:?[ ]?\#[A-Za-z][^{{}}\n]*\}})
    | (?P<comment><!--(?:(?!-->|<!--)[\s\S])*-->)
    | (?P<tag></?(?:{_INLINE_TAGS}|{BLOCK_TAGS})(?:\s[^<>]*)?/?>)
    | (?P<autolink><(?:[A-Za-z][A-Za-z0-9+.-]{{1,31}}:[^\s<>]*|[^\s<>@]+@[^\s<>@]+)>)
    | (?P<entity>&(?:\#\d{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});)
    | (?P<other>[\s\S])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CHECKBOX = re.compile(r"\[[ xX]\](?=\s)")
_BREAKING_TAG = re.compile(rf"</?(?:{BLOCK_TAGS})\b", re.IGNORECASE)
_EAST_ASIAN_BREAK = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])")


@dataclass(frozen=True, slots=True)
class Body:
    """A block's own characters: its lines without indentation, list markers and quote marks.

    Line k begins at `starts[k]` in `text` and at `sources[k]` in the file.
    """

    text: str
    starts: tuple[int, ...]
    sources: tuple[int, ...]

    def source_at(self, position: int) -> int:
        line = bisect_right(self.starts, position) - 1
        return self.sources[line] + position - self.starts[line]

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        return self.source_at(start), self.source_at(end - 1) + 1

    def cut(self, start: int, end: int) -> "Body":
        first, last = bisect_right(self.starts, start) - 1, bisect_left(self.starts, end)
        starts = (0, *(s - start for s in self.starts[first + 1 : last]))
        return Body(self.text[start:end], starts, (self.source_at(start), *self.sources[first + 1 : last]))


@dataclass(frozen=True, slots=True)
class _Run:
    """Body characters [start, end) that give `out`; `out` is "" for a marker."""

    start: int
    end: int
    out: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Plain:
    """`text` is what a reader sees, line breaks kept; `masked` is as long, with code blotted out."""

    text: str
    masked: str
    body_length: int
    _runs: list[_Run]
    _starts: list[int]
    _openers: list[int]

    def body_span(self, start: int, end: int) -> tuple[int, int]:
        """Where plain [start, end) stands in the body, with the markers that cling to it."""
        return self._left_edge(start), self._right_edge(end)

    def position_from(self, body_position: int) -> int:
        """The first plain character at or after a place in the body."""
        low, high = 0, len(self._runs)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._runs[middle].end <= body_position else (low, middle)
        if low == len(self._runs):
            return len(self.text)
        run = self._runs[low]
        inside = max(body_position - run.start, 0) if len(run.out) == run.end - run.start else 0
        return self._starts[low] + inside

    def _char_span(self, position: int) -> tuple[int, int]:
        index = bisect_right(self._starts, position) - 1
        run = self._runs[index]
        if len(run.out) != run.end - run.start:
            return run.start, run.end
        at = run.start + position - self._starts[index]
        return at, at + 1

    def _left_edge(self, start: int) -> int:
        if start == 0:
            return 0
        return self._edge(self._char_span(start - 1)[1], self._char_span(start)[0], self.text[start - 1])

    def _right_edge(self, end: int) -> int:
        if end == len(self.text):
            return self.body_length
        low, high = self._char_span(end - 1)[1], self._char_span(end)[0]
        return high if self.text[end].isspace() else self._edge(low, high, "")

    def _edge(self, low: int, high: int, before: str) -> int:
        """Where two sentences touch, closing markers go left; from the first opening one on they go right."""
        if before.isspace():
            return low
        index = bisect_left(self._openers, low)
        return self._openers[index] if index < len(self._openers) and self._openers[index] < high else high


def fold(text: str) -> str:
    """One line; a line break between two East Asian characters was never a space."""
    return " ".join(_EAST_ASIAN_BREAK.sub("", text).split())


def plain_words(body: str, references: Collection[str] = ()) -> str:
    return fold(strip_markup(body, references).text)


@dataclass(slots=True)
class _Delimiter:
    """A run of *, _ or ~ whose first `n_closed` and last `n_opened` characters turned out to be markup."""

    start: int
    length: int
    can_open: bool
    can_close: bool
    n_closed: int = 0
    n_opened: int = 0

    @property
    def n_free(self) -> int:
        return self.length - self.n_closed - self.n_opened


@dataclass(slots=True)
class _Scan:
    body: str
    references: Collection[str]
    runs: list[_Run] = field(default_factory=list)
    openers: list[int] = field(default_factory=list)
    brackets: list[int] = field(default_factory=list)  # indices into runs
    delimiters: list[tuple[int, _Delimiter]] = field(default_factory=list)  # with their index into runs


def strip_markup(body: str, references: Collection[str] = ()) -> Plain:
    """`references` are the labels of the document's link definitions, normalised as markdown-it does."""
    scan = _Scan(body, references)
    checkbox = _CHECKBOX.match(body)
    if checkbox:
        scan.runs.append(_Run(0, checkbox.end(), ""))
    for match in _TOKEN.finditer(body, checkbox.end() if checkbox else 0):
        _read_token(scan, match)
    _pair_delimiters(scan)
    runs = [run for run in scan.runs if run.out]
    starts, length = [], 0
    for run in runs:
        starts.append(length)
        length += len(run.out)
    text = "".join(run.out for run in runs)
    masked = "".join("x" * len(run.out) if run.is_code else run.out for run in runs)
    return Plain(text, masked.replace("\n", " "), len(body), runs, starts, sorted(scan.openers))


def _read_token(scan: _Scan, match: re.Match[str]) -> None:
    kind, start, end, text = match.lastgroup, match.start(), match.end(), match[0]
    if kind == "emphasis":
        scan.delimiters.append((len(scan.runs), _delimiter(scan.body, start, end)))
        scan.runs.append(_Run(start, end, text))
    elif kind == "open":
        scan.brackets.append(len(scan.runs))
        scan.runs.append(_Run(start, end, text))
    elif kind == "close":
        _close_bracket(scan, start, end, text)
    elif kind == "code":
        ticks = len(match["ticks"])
        if text[ticks] == text[-ticks - 1] == " " and not text[ticks:-ticks].isspace():
            ticks += 1  # "`` ` ``" is one backtick
        scan.runs += [
            _Run(start, start + ticks, ""),
            _Run(start + ticks, end - ticks, text[ticks:-ticks], is_code=True),
            _Run(end - ticks, end, ""),
        ]
        scan.openers.append(start)
    elif kind == "autolink":
        scan.runs.append(_Run(start, end, text[1:-1]))
    else:
        if kind == "tag" and not text.startswith("</"):
            scan.openers.append(start)
        scan.runs.append(_Run(start, end, _plain_of(kind, text)))


def _plain_of(kind: str | None, text: str) -> str:
    if kind == "escape":
        return text[1:]
    if kind == "entity":
        return html.unescape(text)
    if kind == "tag":
        return " " if _BREAKING_TAG.match(text) else ""
    return "" if kind in ("image", "footnote", "anchor", "comment") else text


def _close_bracket(scan: _Scan, start: int, end: int, text: str) -> None:
    if scan.brackets:
        index = scan.brackets.pop()
        opening = scan.runs[index]
        label = text[2:-1] or scan.body[opening.end : min(start, opening.end + 200)]
        is_link = text.startswith("](") or (scan.references and normalizeReference(label) in scan.references)
        if is_link:
            scan.runs[index] = _Run(opening.start, opening.end, "")
            scan.openers.append(opening.start)
            scan.runs.append(_Run(start, end, ""))
            return
    scan.runs.append(_Run(start, end, text))


def _delimiter(body: str, start: int, end: int) -> _Delimiter:
    before, after = body[start - 1 : start] or " ", body[end : end + 1] or " "
    can_open, can_close = not after.isspace(), not before.isspace()
    if body[start] == "_":  # snake_case is a word
        can_open, can_close = can_open and not before.isalnum(), can_close and not after.isalnum()
    return _Delimiter(start, end - start, can_open, can_close)


def _pair_delimiters(scan: _Scan) -> None:
    """CommonMark's stack; a count per character keeps a closer without a partner from searching it."""
    stack: list[_Delimiter] = []
    open_count = {"*": 0, "_": 0, "~": 0}
    for _, run in scan.delimiters:
        char = scan.body[run.start]
        while run.can_close and run.n_free and open_count[char]:
            opener = stack[-1]
            opener_char = scan.body[opener.start]
            n_paired = min(opener.n_free, run.n_free) if opener_char == char else 0
            opener.n_opened += n_paired
            run.n_closed += n_paired
            if not opener.n_free or not n_paired:
                stack.pop()
                open_count[opener_char] -= 1
        if run.can_open and run.n_free:
            stack.append(run)
            open_count[char] += 1
    for index, run in scan.delimiters:
        literal = scan.body[run.start : run.start + run.length][run.n_closed : run.length - run.n_opened]
        start = run.start + run.n_closed
        scan.runs[index] = _Run(start, start + len(literal), literal)
        if run.n_opened:
            scan.openers.append(run.start + run.length - run.n_opened)

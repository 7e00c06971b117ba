"""Where prose that people wrote lies on a machine: each source is read only when it is asked for its text."""

import ast
import gzip
import random
import re
import site
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

_FOLDERS = ("/usr/share/doc", "/usr/share/common-licenses", "/usr/share/perl", "/usr/lib/node_modules")
# READMEs, guides, licences and essays; release notes, change logs and API references are lists, not prose.
_NAMES = re.compile(
    r"(?i)(readme|faq|intro|guide|tutorial|overview|licen[sc]e|copying|manifesto|about|history|contributing|philosophy"
    r"|policy|constitution|contract|\.md$|\.rst$|\.pod$|\.txt$|\.html$|\.html\.en$)"
)
_LISTS = re.compile(r"(?i)(relnotes|changelog|changes|news|/api/|release)")
# Translations: a folder or an ending that names another language.
_TRANSLATED = re.compile(
    r"-(?:de|it|fr|ja|pt|ru|es)/|/(?!en\b|js/|py/)[a-z]{2}(?:[-_][A-Z]{2})?/|\.(?!en\b|md\b|gz\b)[a-z]{2}(?:\.html)?$"
)
_DICTIONARIES = ("foldoc", "jargon", "devil", "gcide")  # in the format of dictd; others define words only
_MAX_FILES_PER_PACKAGE, _MAX_BYTES, _MAX_DICTIONARY_BYTES = 400, 400_000, 6_000_000
_MAX_MODULES = 1_500


@dataclass(frozen=True)
class Unit:
    """One text to be read; `kind` is "dictionary" where it holds very many pieces."""

    kind: str
    read: Callable[[], str]


def sources() -> Iterator[Unit]:
    topics = __import__("pydoc_data.topics", fromlist=["topics"]).topics
    for topic in sorted(topics):
        yield Unit("topic", lambda topic=topic: str(topics[topic]))  # type: ignore[misc]
    for path in [*_site_files(), *_documentation()]:
        yield Unit("file", lambda path=path: _read(path))  # type: ignore[misc]
    modules = sorted(Path(sys.base_prefix, "lib").glob("python3*/**/*.py"))
    for path in random.Random(0).sample(modules, min(len(modules), _MAX_MODULES)):
        yield Unit("module", lambda path=path: "\n\n".join(_docstrings(path)))  # type: ignore[misc]
    for name in _DICTIONARIES:
        path = Path(f"/usr/share/dictd/{name}.dict.dz")
        if path.is_file():
            yield Unit("dictionary", lambda path=path: _read_dictionary(path))  # type: ignore[misc]


def _site_files() -> Iterator[Path]:
    for name in site.getsitepackages():
        folder = Path(name)
        yield from sorted(folder.glob("*.dist-info/METADATA"))
        for pattern in ("*.md", "*.rst", "LICENSE*"):
            yield from (path for path in sorted(folder.rglob(pattern))[:500] if path.is_file())


def _documentation() -> Iterator[Path]:
    taken: Counter[str] = Counter()
    seen: set[Path] = set()
    for folder in _FOLDERS:
        for path in sorted(Path(folder).rglob("*")):
            text = str(path)
            if not _NAMES.search(path.name.removesuffix(".gz")) or _LISTS.search(text):
                continue
            package = "/".join(path.parts[:5])
            real = path.resolve()
            if _TRANSLATED.search(text) or real in seen or taken[package] >= _MAX_FILES_PER_PACKAGE:
                continue
            taken[package] += 1
            seen.add(real)
            yield path
    yield from sorted(Path("/usr/share/info").glob("*.info*.gz"))
    yield from sorted(Path("/usr/share/vim").glob("vim*/doc/*.txt"))


def _read(path: Path) -> str:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = data[:_MAX_BYTES].decode("utf-8", "replace" if len(data) > _MAX_BYTES else "strict")
    except (OSError, UnicodeDecodeError, EOFError):
        return ""
    if path.name == "METADATA":
        return text.partition("\n\n")[2]
    return html_prose(text) if ".html" in path.name else _plain(text, path)


def _plain(text: str, path: Path) -> str:
    """Info files mark their nodes, the Jargon File puts braces around cross-references, Perl's pages have B<bold>, and
    Vim's mark arguments, {cmd} or [, {text}], and keys, <CR>."""
    if path.suffix == ".pod":
        text = re.sub(r"\b[BCIFLXSE]<+ ?([^<>]*?) ?>+", r"\1", text)
    if "/vim/" in str(path):
        text = re.sub(r"\[(, [^\[\]]*)\]", r"\1", re.sub(r"[{]([^{}\n]*)[}]|<([\w-]+)>", r"\1\2", text))
    return re.sub(r"[{}]", "", text) if "jargon" in path.name else text.replace("\x1f", "\n\n")


def _read_dictionary(path: Path) -> str:
    """The entries without their indentation and the braces around cross-references."""
    text = gzip.decompress(path.read_bytes())[:_MAX_DICTIONARY_BYTES].decode("utf-8", "replace")
    return re.sub(r"(?m)^[ \t]+", "", re.sub(r"[{}]|^ *<[a-z, -]+> ", "", text, flags=re.MULTILINE))


def _docstrings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text("utf-8", "replace"))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def fortunes() -> Iterator[str]:
    """Aphorisms, quotations and jokes: too short to be documents, and in the voices of many people."""
    for path in sorted(Path("/usr/share/games/fortunes").glob("*")):
        if path.suffix == "" and path.is_file():
            yield from re.split(r"\n%\n", path.read_text("utf-8", "replace"))


# --- HTML


_LANGUAGE = re.compile(r"<html[^>]*\blang=[\"'](?!en)")


def html_prose(page: str) -> str:
    """The paragraphs, headings and list items of a page, an empty line between them; code and tables break the run.

    Nothing of a page in another language than English.
    """
    if _LANGUAGE.search(page[:2000]):
        return ""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return "\n\n".join(reader.blocks)


_BLOCKS = frozenset("p li h1 h2 h3 h4 h5 h6 dd dt blockquote div section td th".split())
_SKIPPED = frozenset("script style pre table nav head title svg footer header form".split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[str] = []
        self._line: list[str] = []
        self._skipping = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS or tag in _SKIPPED:
            self._end_block()
        if tag in _SKIPPED:
            self._skipping += 1
            self.blocks.append("----")  # no prose: whatever stands on either side is another piece

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_block()
        elif tag in _SKIPPED:
            self._skipping = max(0, self._skipping - 1)

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._line.append(data)

    def close(self) -> None:
        super().close()
        self._end_block()

    def _end_block(self) -> None:
        text = " ".join("".join(self._line).split()).replace("¶", "")
        self._line = []
        if text:
            self.blocks.append(text)

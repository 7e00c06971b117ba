"""Prose that people wrote, from the documentation installed on the machine, in pieces of a document's length.

Nothing of it is shipped. Hard-wrapped paragraphs are unwrapped, and pieces that are mostly code, tables or lists of
options are left out, because the question is what the gates do to prose.
"""

import ast
import gzip
import random
import re
import site
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

MIN_WORDS, MAX_WORDS = 150, 900
_FOLDERS = ("/usr/share/doc", "/usr/share/common-licenses", "/usr/share/perl", "/usr/lib/node_modules")
# READMEs, guides, licences and essays; release notes, change logs and API references are lists, not prose.
_NAMES = re.compile(
    r"(?i)(readme|faq|intro|guide|tutorial|overview|licen[sc]e|copying|manifesto|about|history|contributing|philosophy|policy|\.md$|\.rst$|\.pod$|\.txt$)"
)
_LISTS = re.compile(r"(?i)(relnotes|changelog|changes|news|/api/|release)")
_MAX_FILES, _MAX_BYTES, _PIECES_PER_FILE = 8_000, 400_000, 12
_MAX_MODULES = 1_500


def pieces(limit: int, seed: int = 0) -> list[str]:
    """Up to `limit` different pieces of 150 to 900 words that end where a paragraph ends, in a seeded order."""
    found: dict[str, str] = {}
    for text in _texts():
        if text.isascii() or sum(map(str.isascii, text)) > 0.98 * len(text):
            for piece in _cut(text)[:_PIECES_PER_FILE]:
                found.setdefault(sha256(piece[:300].encode()).hexdigest(), piece)
    chosen = [found[key] for key in sorted(found)]
    random.Random(seed).shuffle(chosen)
    return chosen[:limit]


def _texts() -> Iterator[str]:
    topics = __import__("pydoc_data.topics", fromlist=["topics"]).topics
    yield from topics.values()
    for folder in site.getsitepackages():
        for path in sorted(Path(folder).glob("*.dist-info/METADATA")):
            yield path.read_text("utf-8", "replace").partition("\n\n")[2]
        for path in [*sorted(Path(folder).rglob("*.md"))[:500], *sorted(Path(folder).rglob("*.rst"))[:500]]:
            yield path.read_text("utf-8", "replace")
        for path in sorted(Path(folder).rglob("LICENSE*"))[:500]:
            yield _read(path) if path.is_file() else ""
    for folder in _FOLDERS:
        files = [
            path
            for path in sorted(Path(folder).rglob("*"))
            if _NAMES.search(path.name.removesuffix(".gz")) and not _LISTS.search(str(path))
        ]
        for path in files[:_MAX_FILES]:
            yield _read(path)
    modules = sorted(Path(sys.base_prefix, "lib").glob("python3*/**/*.py"))
    for path in random.Random(0).sample(modules, min(len(modules), _MAX_MODULES)):
        yield from _docstrings(path)


def _read(path: Path) -> str:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return data[:_MAX_BYTES].decode("utf-8")
    except (OSError, UnicodeDecodeError, EOFError):
        return ""


def _docstrings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text("utf-8", "replace"))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def _cut(text: str) -> list[str]:
    """Runs of paragraphs of prose; anything else between them ends a run."""
    found: list[str] = []
    run: list[str] = []
    size = 0
    for block in re.split(r"\n[ \t]*\n", text.expandtabs().replace("\r", "")):
        prose = _as_prose(block)
        words = len(prose.split())
        if not prose or size + words > MAX_WORDS:
            found += _whole(run)
            run, size = [], 0
        if prose and words <= MAX_WORDS:
            run.append(prose)
            size += words
    return found + _whole(run)


def _whole(run: list[str]) -> list[str]:
    """The run up to its last paragraph that ends a sentence, if it is long enough; no heading or colon ends a text."""
    while run and not run[-1].rstrip("*_`)\"'").endswith((".", "!", "?")):
        run = run[:-1]
    text = "\n\n".join(run)
    return [text] if len(text.split()) >= MIN_WORDS else []


def _as_prose(block: str) -> str:
    """A paragraph in one line, a heading, or a list with its items unwrapped; empty for code, tables and rulers."""
    lines = [line for line in block.split("\n") if line.strip()]
    if not lines or any(re.match(r"\s*(?:>>>|\$ |#!|\.\. |[|+]-|={4,}|-{4,}|~{4,})", line) for line in lines):
        return ""
    if len(lines[0]) - len(lines[0].lstrip()) >= 4 and not re.match(r"\s*(?:[-*]|\d+\.) ", lines[0]):
        return ""
    joined = re.sub(r"\n\s*(?![-*•\d\s])", " ", "\n".join(line.rstrip() for line in lines)).strip()
    letters = sum(char.isalpha() or char == " " for char in joined)
    if letters < 0.92 * len(joined) or "\x1b" in joined:
        return ""
    is_prose = joined.rstrip("*_`)\"'").endswith((".", "!", "?", ":")) or (
        len(joined) < 70 and len(lines) == 1
    )
    return joined if is_prose else ""

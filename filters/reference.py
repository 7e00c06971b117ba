"""Human text that the figures of variety stand next to: what every machine has, or what the user brings.

Cut into documents of 100 to 900 words, most of about 400 as in the corpora, so that the same code takes the
same figures at the same budget.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from specmill.specs.errors import BadInput

from .sampling import Batches
from .words import split_words, stop_word_share

MIN_WORDS, USUAL_WORDS, MAX_WORDS = 100, 400, 900
_TEXT_COLUMNS = ("text", "content", "document", "body")
_SUFFIXES = (".txt", ".md", ".rst", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class Reference:
    """`name` says what the text is and in which version, for a table's head. Holds a few megabytes of text."""

    name: str
    n_words: int
    documents: tuple[tuple[str, str], ...]  # (doc_id, text)

    @property
    def batches(self) -> Batches:
        return [self.documents]

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.documents]


def python_reference() -> Reference:
    """CPython's language reference as `help()` shows it: written by people over thirty years, part of every Python.

    Its figures move a little with the Python version, so the name says which one it was. Grammar, code and tables
    are left out, and so are paragraphs that an earlier topic has: topics contain one another.
    """
    topics: dict[str, str] = import_module("pydoc_data.topics").topics
    seen: set[str] = set()
    named = ((topic, _prose(text, seen)) for topic, text in sorted(topics.items()))
    return _reference(f"CPython {sys.version.split()[0]} language reference", named)


def read_reference(path: str | Path, max_words: int = 2_000_000) -> Reference:
    """A text file, a folder of them, a jsonl or Parquet file with a column `text`; read up to `max_words`.

    Raises BadInput where there is nothing to read or fewer words than make one document.
    """
    root = Path(path)
    files = (
        sorted(file for file in root.rglob("*") if file.suffix.lower() in _SUFFIXES)
        if root.is_dir()
        else [root]
    )
    try:
        reference = _reference(root.name, (entry for file in files for entry in _texts(file)), max_words)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error}); check --reference") from error
    except ValueError as error:  # of json, UTF-8 and Arrow
        raise BadInput(f"{path}: not a readable reference ({error}); give text, jsonl or Parquet") from error
    if not reference.documents:
        raise BadInput(f"{path}: fewer than {MIN_WORDS} words of text; give a longer reference")
    return reference


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet_texts(file)
    elif suffix == ".jsonl":
        import json

        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines):
                record = json.loads(line) if line.strip() else {}
                column = next((name for name in _TEXT_COLUMNS if isinstance(record.get(name), str)), None)
                if column:
                    yield f"{file.name}#{number}", record[column]
    else:
        yield file.name, file.read_text("utf-8-sig")


def _parquet_texts(file: Path) -> Iterator[tuple[str, str]]:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file)
    column = next((name for name in _TEXT_COLUMNS if name in table.schema_arrow.names), None)
    if column is None:
        raise BadInput(f"{file}: no column {', '.join(_TEXT_COLUMNS)}; name the one with the text 'text'")
    number = 0
    for batch in table.iter_batches(batch_size=1_000, columns=[column]):
        for text in batch.column(0).to_pylist():
            number += 1
            if isinstance(text, str):
                yield f"{file.name}#{number}", text


def _reference(name: str, texts: Iterator[tuple[str, str]], max_words: int = sys.maxsize) -> Reference:
    documents: list[tuple[str, str]] = []
    n_words = 0
    for text_id, text in texts:
        for number, (part, length) in enumerate(_cut(text)):
            documents.append((f"{text_id}:{number}", part))
            n_words += length
        if n_words >= max_words:
            break
    return Reference(name, n_words, tuple(documents))


def _cut(text: str) -> Iterator[tuple[str, int]]:
    """Whole paragraphs until the next would pass the usual length; what is too short or too long is left out."""
    part: list[str] = []
    length = 0
    for paragraph in re.split(r"\n[ \t]*\n", text):
        n_words = len(split_words(paragraph))
        if part and length + n_words > USUAL_WORDS:
            if MIN_WORDS <= length <= MAX_WORDS:
                yield "\n\n".join(part), length
            part, length = [], 0
        part.append(paragraph.strip("\n"))
        length += n_words
    if MIN_WORDS <= length <= MAX_WORDS:
        yield "\n\n".join(part), length


def _prose(text: str, seen: set[str]) -> str:
    """Paragraphs on one line and headings in Markdown, as in the corpora."""
    blocks = []
    for block in re.split(r"\n[ \t]*\n", text.strip()):
        lines = block.split("\n")
        if len(lines) == 2 and re.fullmatch(r"[*=\-~^]{3,}", lines[1]):
            blocks.append(f"## {lines[0]}")
            continue
        paragraph = " ".join(block.split())
        if paragraph not in seen and _is_prose(paragraph):
            seen.add(paragraph)
            blocks.append(paragraph)
    return "\n\n".join(blocks)


def _is_prose(paragraph: str) -> bool:
    words = split_words(paragraph)
    return len(words) >= 8 and paragraph[-1] in ".:!?)" and stop_word_share(words) >= 0.2

"""Reads the items, held-out entities and held-out domains of evals from files of any common shape."""

import csv
import hashlib
import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specmill.specs.errors import BadInput

# What data sets call the text of an item and its choices; fields that hold answers are left alone, since a document
# may state an answer without having seen the question.
_TEXTS = (
    "context passage background scenario system story premise question prompt text input query problem instruction "
    "instructions stem task goal user statement sentence ctx conversation messages"
).split()
_CHOICES = "choices options endings alternatives candidates".split()
_LETTERED = [
    form
    for letter in "ABCDEF"
    for form in (letter, letter.lower(), f"option_{letter}", f"option_{letter.lower()}")
]
_HELD_OUT = {"held_out_entities": "entity", "held_out_domains": "domain"}
_CONTENT = ("content", "text", "label", "value")  # of a message or a choice that is a record


@dataclass(frozen=True, slots=True)
class EvalItem:
    """`kind`: item, entity or domain. A domain's `choices` are further terms by which its documents are known."""

    item_id: str
    text: str
    choices: tuple[str, ...] = ()
    kind: str = "item"


@dataclass(frozen=True, slots=True)
class EvalFile:
    name: str  # without its folder
    sha256: str
    n_items: int


def load_eval_items(paths: Sequence[str | Path]) -> tuple[EvalItem, ...]:
    """Items of jsonl, json, toml, csv, tsv, parquet and txt files; a folder stands for all such files below it.

    A record's text are its fields named question, prompt, input and the like, in that order; text files hold an
    item per paragraph, or per line where there are no paragraphs. A json or toml file may name
    `held_out_entities` and `held_out_domains`: lists of names, or of {"name": ..., "terms": [...]}. Ids are
    those of the file, or "file.jsonl#12". Raises BadInput for files that are missing, unreadable or without a
    single item.
    """
    return tuple(item for path in _files(paths) for item in _read_file(path))


def describe_eval_files(paths: Sequence[str | Path]) -> tuple[EvalFile, ...]:
    """Name, hash and number of items of every file that `load_eval_items` reads, for the proof."""
    return tuple(
        EvalFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), len(_read_file(path)))
        for path in _files(paths)
    )


def _files(paths: Sequence[str | Path]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        found = (
            sorted(file for file in path.rglob("*") if file.suffix.lower() in _READERS)
            if path.is_dir()
            else [path]
        )
        if not found:
            raise BadInput(f"{path}: no eval files ({', '.join(_READERS)}); name one of them")
        files += found
    return files


def _read_file(path: Path) -> list[EvalItem]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path}: unknown kind of eval file; use {', '.join(_READERS)}")
    try:
        content = reader(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error}); check its name") from error
    except (ValueError, csv.Error) as error:  # of json, toml, UTF-8 and Arrow alike
        raise BadInput(f"{path}: not valid {path.suffix[1:]} ({error}); mend or convert the file") from error
    items = list(_items(content, path.name))
    if not items:
        raise BadInput(f"{path}: no eval items; name their text 'question', 'prompt', 'text' or 'input'")
    return items


def _read_lines(path: Path) -> list[Any]:
    lines = path.read_text("utf-8-sig").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _read_table(path: Path) -> list[Any]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))


def _read_parquet(path: Path) -> list[Any]:
    import pyarrow.parquet as pq

    return list(pq.read_table(path, partitioning=None).to_pylist())


def _read_paragraphs(path: Path) -> list[Any]:
    text = path.read_text("utf-8-sig").strip()
    return text.split("\n\n") if "\n\n" in text else text.splitlines()


_READERS: dict[str, Callable[[Path], Any]] = {
    ".jsonl": _read_lines,
    ".json": lambda path: json.loads(path.read_text("utf-8-sig")),
    ".toml": lambda path: tomllib.loads(path.read_text("utf-8-sig")),
    ".csv": _read_table,
    ".tsv": _read_table,
    ".parquet": _read_parquet,
    ".txt": _read_paragraphs,
}


def _items(content: Any, name: str) -> Iterator[EvalItem]:
    """Records anywhere in lists and mappings: a mapping with a text is an item, any other is looked into."""
    number = 0
    stack = [content]
    while stack:
        value = stack.pop()
        if isinstance(value, str) and value.strip():
            number += 1
            yield EvalItem(f"{name}#{number}", value.strip())
        elif isinstance(value, list):
            stack += reversed(value)
        elif isinstance(value, dict):
            yield from _held_out(value, name)
            text = _text(value)
            if text:
                number += 1
                yield EvalItem(
                    str(value.get("id") or value.get("item_id") or f"{name}#{number}"), text, _choices(value)
                )
            else:
                stack += [inner for inner in reversed(value.values()) if isinstance(inner, list | dict)]


def _held_out(record: dict[str, Any], name: str) -> Iterator[EvalItem]:
    for key, kind in _HELD_OUT.items():
        entries = record.pop(key, None) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            named = entry if isinstance(entry, dict) else {"name": entry}
            text = str(named.get("name") or "").strip()
            if text:
                terms = tuple(str(term) for term in named.get("terms") or ())
                yield EvalItem(f"{name}#{text}", text, terms, kind)


def _text(record: dict[str, Any]) -> str:
    named = {str(key).lower(): value for key, value in record.items()}
    return "\n".join(part for key in _TEXTS if (part := _flat(named.get(key))))


def _flat(value: Any) -> str:
    """The text of a string, of a list of messages or of a record with a question in it."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return "\n".join(part for entry in value if (part := _flat(entry)))
    if isinstance(value, dict):
        return next((part for key in (*_CONTENT, *_TEXTS) if (part := _flat(value.get(key)))), "")
    return ""


def _choices(record: dict[str, Any]) -> tuple[str, ...]:
    for key in _CHOICES:
        value = record.get(key)
        value = value.get("text", list(value.values())) if isinstance(value, dict) else value
        if isinstance(value, list) and value:
            return tuple(part for entry in value if (part := _flat(entry) or str(entry)))
    return tuple(part for key in _LETTERED if (part := _flat(record.get(key))))

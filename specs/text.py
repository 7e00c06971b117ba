"""A spec file's bytes to text: size, encoding, newlines, front matter, names, the two placeholders.

What the text says (headings, claims) lives in `claims.py`.
"""

import codecs
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import yaml

from .errors import BadInput

MAX_BYTES = 1_000_000
MODES = ("default", "rules")
FRONT_MATTER_KEYS = ("name", "principle", "assistant", "provider", "mode")

_MAX_FRONT_MATTER_CHARS = 65_536
_MAX_NAME_BYTES = 80
_BOMS = (  # UTF-32 first: its little-endian mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive or an office document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old office document",
    b"{\\rtf": "an RTF document",
}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
_PLACEHOLDER = re.compile(r"\{(model_name|provider_name)\}")
_KNOWN_KEY = re.compile(rf"^(?:{'|'.join(FRONT_MATTER_KEYS)})[ \t]*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader of the spec should know; `line` is 1-based, 0 means the whole file."""

    line: int
    what: str
    mend: str = ""
    level: str = "note"  # "error" | "warning" | "note"


@dataclass(frozen=True, slots=True)
class FrontMatter:
    name: str | None = None
    principle: str | None = None
    assistant: str | None = None
    provider: str | None = None
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class SpecText:
    """`text` has no BOM and only \\n newlines; all spans index it. The body begins at `body_start`."""

    path_label: str
    text: str
    encoding: str
    front_matter: FrontMatter
    body_start: int
    notes: tuple[Note, ...] = ()


def read_text(path: str | Path) -> SpecText:
    """Raises BadInput for whatever cannot be read as one spec."""
    label = str(path)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise BadInput(f"{label}: no such file; check the path") from None
    except IsADirectoryError:
        raise BadInput(f"{label}: is a folder; name the spec file inside it") from None
    except PermissionError:
        raise BadInput(f"{label}: may not be read; give yourself read permission") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{label}: cannot be read ({error}); check the path") from None
    text, encoding, notes = decode(raw, label)
    return split_front_matter(text, label, encoding, notes)


def decode(raw: bytes, label: str) -> tuple[str, str, tuple[Note, ...]]:
    """Bytes to (text, encoding, notes); never guesses silently."""
    if len(raw) > MAX_BYTES:
        raise BadInput(f"{label}: larger than {MAX_BYTES:,} bytes; split it into several specs")
    for magic, kind in _MAGIC.items():
        if raw.startswith(magic):
            raise BadInput(f"{label}: is {kind}; save it as Markdown or plain text in UTF-8")
    encoding = next((name for bom, name in _BOMS if raw.startswith(bom)), None)
    if encoding is None and b"\0" in raw:
        raise BadInput(
            f"{label}: holds NUL bytes (binary, or UTF-16 without its mark); save it as UTF-8 text"
        )
    text, encoding, notes = _decode_as(raw, encoding, label)
    return check_text(text, label), encoding, notes


def _decode_as(raw: bytes, encoding: str | None, label: str) -> tuple[str, str, tuple[Note, ...]]:
    try:
        name = encoding or "utf-8"
        return raw.decode(name), name.removesuffix("-sig"), ()
    except UnicodeDecodeError as error:
        if encoding is not None or _is_damaged_utf8(raw):
            line = raw[: error.start].count(b"\n") + 1
            what = f"byte {error.start} is not valid {name}"
            raise BadInput(f"{label}:{line}: {what}; save the file as UTF-8") from None
    try:
        text, encoding = raw.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        text, encoding = raw.decode("latin-1"), "latin-1"
    note = Note(0, f"not UTF-8, so read as {encoding}", "save it as UTF-8 if letters look wrong", "warning")
    return text, encoding, (note,)


def _is_damaged_utf8(raw: bytes) -> bool:
    """Latin-1 letters seldom form valid UTF-8 sequences by chance: many of those mean UTF-8 with a flaw."""
    text = raw.decode("utf-8", errors="replace")
    n_flaws = text.count("\ufffd")
    n_beyond_ascii = len(re.findall(r"[^\x00-\x7f\ufffd]", text))
    return n_beyond_ascii >= 3 * n_flaws


def check_text(text: str, label: str) -> str:
    """Text with \\n newlines; BadInput when it is blank, binary or cannot be written as UTF-8."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise BadInput(f"{label}: is empty; write the spec into it")
    n_controls = len(_CONTROL.findall(text))
    if "\0" in text or n_controls > 0.01 * len(text):
        raise BadInput(
            f"{label}: holds {n_controls} control characters, so is not text; save it as UTF-8 text"
        )
    if re.search(r"[\ud800-\udfff]", text):
        raise BadInput(f"{label}: holds half of a character pair (a surrogate); save it as UTF-8 text")
    return text


def split_front_matter(
    text: str, label: str, encoding: str = "utf-8", notes: tuple[Note, ...] = ()
) -> SpecText:
    """Front matter is a YAML mapping between `---` fences at the very start; all else is the spec's text."""
    no_front_matter = SpecText(label, text, encoding, FrontMatter(), 0, notes)
    opening = re.match(r"---[ \t]*\n", text)
    if not opening:
        return no_front_matter
    closing = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE).search(
        text, opening.end(), opening.end() + _MAX_FRONT_MATTER_CHARS
    )
    if not closing:
        if _KNOWN_KEY.match(text, opening.end()):
            raise BadInput(f"{label}:1: front matter is never closed; add a line '---' after it")
        return no_front_matter
    block = text[opening.end() : closing.start()]
    mapping = _compose_mapping(block, label)
    if mapping is None:
        return no_front_matter
    front_matter, more = _read_mapping(mapping, label)
    if not text[closing.end() :].strip():
        raise BadInput(f"{label}: holds nothing but front matter; write the spec below it")
    return SpecText(label, text, encoding, front_matter, closing.end(), notes + more)


def _compose_mapping(block: str, label: str) -> yaml.MappingNode | None:
    """Node, not value: nodes know their line and are never built into Python objects."""
    try:
        node = yaml.compose(block, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        if not _KNOWN_KEY.search(block):
            return None
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 2
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise BadInput(f"{label}:{line}: front matter is not YAML ({problem}); quote the value") from None
    if not isinstance(node, yaml.MappingNode):
        return None
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    looks_meant = all(re.fullmatch(r"[\w.-]+", key) for key in keys)
    return node if keys and (looks_meant or set(keys) & set(FRONT_MATTER_KEYS)) else None


def _read_mapping(mapping: yaml.MappingNode, label: str) -> tuple[FrontMatter, tuple[Note, ...]]:
    values: dict[str, str] = {}
    notes: list[Note] = []
    for key_node, value_node in mapping.value:
        key, where = str(key_node.value), key_node.start_mark.line + 2
        if key not in FRONT_MATTER_KEYS:
            known = ", ".join(FRONT_MATTER_KEYS)
            notes.append(Note(where, f"front matter key {key!r} is not used", f"known keys: {known}"))
            continue
        if key in values:
            raise BadInput(f"{label}:{where}: front matter has {key!r} twice; keep one")
        if value_node.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:null"):
            raise BadInput(f'{label}:{where}: front matter {key!r} is not text; write {key}: "..." in quotes')
        is_text = value_node.tag.endswith(":str")
        values[key] = " ".join(value_node.value.split()) if is_text else ""
        if key == "mode" and values[key] not in ("", *MODES):
            raise BadInput(f"{label}:{where}: mode {values[key]!r} is unknown; use 'default' or 'rules'")
    return FrontMatter(**{key: value for key, value in values.items() if value}), tuple(notes)


def folder_name(wanted: str) -> str:
    """A name safe for a folder, never empty; a short hash keeps apart what ASCII or the limit would merge.

    >>> folder_name("Cheese: values (v2)")
    'Cheese-values-v2'
    """
    decomposed = unicodedata.normalize("NFKD", wanted)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", letters).strip("-.")
    digest = hashlib.sha256(wanted.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    if any(c.isalpha() and not c.isascii() for c in letters) or not name:
        name = f"{name or 'spec'}-{digest}"
    if len(name) > _MAX_NAME_BYTES:
        name = f"{name[: _MAX_NAME_BYTES - 7].rstrip('-.')}-{digest}"
    return name


def line_starts(text: str) -> list[int]:
    """`bisect_right(line_starts(text), position)` is the 1-based line of a position."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def render_identity(text: str, assistant: str, provider: str) -> str:
    """Fill in the two placeholders, in one pass: a name that looks like a placeholder stays as it is."""
    names = {"model_name": assistant, "provider_name": provider}
    return _PLACEHOLDER.sub(lambda match: names[match[1]], text)

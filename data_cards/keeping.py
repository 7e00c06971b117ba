"""What a person wrote in a card, so that it survives: fields of the YAML block, text between keep markers."""

import re
from pathlib import Path
from typing import Any

import yaml

from specmill.specs.errors import BadInput

MADE_BY = "<!-- Written by specmill from manifest.json."

_KEEP = re.compile(r"<!-- keep:(begin|end) ([\w-]+) -->")


def read_earlier(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Metadata and kept blocks of the card there is; a README that is not ours is kept whole."""
    if not path.is_file():
        return {}, {}
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not UTF-8; save it as UTF-8 or move it away") from None
    metadata, body = split_front_matter(path, text)
    if MADE_BY not in body and body.strip() and not _KEEP.search(body):
        return metadata, {"earlier": f"\n{body.strip()}\n"}
    return metadata, _kept_blocks(path, body)


def split_front_matter(path: Path, text: str) -> tuple[dict[str, Any], str]:
    """The fields of the YAML block and the text below it. BadInput names `path` where it cannot be read."""
    match = re.match(r"---\n(.*?)^---\n", text, re.DOTALL | re.MULTILINE)
    if match is None:
        return {}, text
    try:
        metadata = yaml.safe_load(match[1]) or {}
    except yaml.YAMLError as error:
        detail = " ".join(str(error).split())
        raise BadInput(f"{path}: the block between the --- lines is not YAML ({detail}); mend it") from None
    if not isinstance(metadata, dict):
        raise BadInput(f"{path}: the block between the --- lines holds no fields; mend or remove it")
    return metadata, text[match.end() :]


def _kept_blocks(path: Path, body: str) -> dict[str, str]:
    """Name -> the text between its markers, exactly. BadInput when markers do not pair up."""
    blocks: dict[str, str] = {}
    open_: tuple[str, int] | None = None
    for mark in _KEEP.finditer(body):
        kind, name = mark.groups()
        if kind == "begin" and open_ is None and name not in blocks:
            open_ = name, mark.end()
        elif kind == "end" and open_ is not None and open_[0] == name:
            blocks[name] = body[open_[1] : mark.start()]
            open_ = None
        else:
            raise BadInput(f"{path}: 'keep:{kind} {name}' has no partner; pair each begin with an end")
    if open_ is not None:
        raise BadInput(f"{path}: 'keep:begin {open_[0]}' is not ended; add '<!-- keep:end {open_[0]} -->'")
    return blocks

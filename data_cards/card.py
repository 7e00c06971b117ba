"""The dataset card of a corpus: README.md, every number from the manifest or from the files it names.

What a person wrote between `<!-- keep:begin NAME -->` and `<!-- keep:end NAME -->` survives. The YAML block
is in `metadata.py`, the wording in `template.md.j2`.
"""

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import yaml

from specmill.corpus.catalogue import open_catalogue
from specmill.corpus.manifest import read_manifest, write_durably
from specmill.corpus.schema import DOCUMENT_SCHEMA, describe_column
from specmill.corpus.shards import verify_shards
from specmill.specs.errors import BadInput

from .metadata import build_metadata, find_problems

CARD_NAME = "README.md"
TEMPLATE = Path(__file__).with_name("template.md.j2")
MADE_BY = "<!-- Written by specmill from manifest.json."
N_CLAIMS_SHOWN = 5  # from each end
ARM_NOTICES = {
    "lead": "It leads the shared plan.",
    "pair": "Its spec was set into another spec's plan.",
    "neutral": "A placebo: plain facts about the assistant, no values, set into another spec's plan.",
    "shuffled": "A control: reasons were detached from the behaviours they belong to; it does NOT teach its spec.",
    "inverted": "A control: it teaches the OPPOSITE of its spec, on purpose.",
}
N_GENRES_SHOWN = 30
N_DIFFERENCES_SHOWN = 10

_KEEP = re.compile(r"<!-- keep:(begin|end) ([\w-]+) -->")


def write_card(corpus: Path) -> Path:
    """Write README.md of a published corpus and return its path."""
    text = render_card(corpus)
    path = corpus / CARD_NAME
    if problems := list(find_problems(_split_front_matter(path, text)[0])):
        raise BadInput(f"{path}: {'; '.join(problems)}")
    write_durably(path, text.encode())
    return path


def check_card(corpus: Path) -> list[str]:
    """What in the card or the shards disagrees with the manifest, one line each; empty when all is well."""
    path = corpus / CARD_NAME
    problems = verify_shards(corpus)
    if not path.is_file():
        return [*problems, f"{CARD_NAME}: missing"]
    found = path.read_text("utf-8")
    problems += [f"{CARD_NAME}: {line}" for line in find_problems(_split_front_matter(path, found)[0])]
    return problems + list(_differences(found.splitlines(), render_card(corpus).splitlines()))


def _differences(found: list[str], expected: list[str]) -> Iterator[str]:
    changes = [
        op for op in difflib.SequenceMatcher(None, found, expected, False).get_opcodes() if op[0] != "equal"
    ]
    for _, start, end, new_start, new_end in changes[:N_DIFFERENCES_SHOWN]:
        has = " / ".join(found[start:end]) or "(nothing)"
        should = " / ".join(expected[new_start:new_end]) or "(nothing)"
        yield f"{CARD_NAME}:{start + 1}: says {has[:120]!r}, the manifest gives {should[:120]!r}"
    if len(changes) > N_DIFFERENCES_SHOWN:
        yield f"{CARD_NAME}: {len(changes) - N_DIFFERENCES_SHOWN} more differences"


def render_card(corpus: Path) -> str:
    """The card as text; it depends on the corpus and on what a person wrote in the card before."""
    manifest = read_manifest(corpus)
    earlier, kept = _read_earlier(corpus / CARD_NAME)
    metadata = build_metadata(corpus, manifest, earlier)
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown; cells of tables are escaped by `cell`
    )
    environment.filters |= {"number": _number, "share": _share, "cell": _cell, "json": _json}
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        made_by=MADE_BY,
        metadata=metadata.to_yaml(line_break="\n").strip(),
        pretty_name=metadata["pretty_name"],
        license=metadata["license"],
        manifest=manifest,
        kept=kept,
        n_claims_shown=N_CLAIMS_SHOWN,
        n_genres_shown=N_GENRES_SHOWN,
        arm_notice=ARM_NOTICES.get(manifest["configuration"].get("paired", {}).get("kind", ""), ""),
        columns=[(field.name, _type_name(field), describe_column(field)) for field in DOCUMENT_SCHEMA],
        **_measure(corpus),
    )


def _measure(corpus: Path) -> dict[str, Any]:
    """What the manifest does not say and the shards do."""
    connection = open_catalogue([corpus], with_calls=False)

    def rows(sql: str) -> list[dict[str, Any]]:
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    lengths, genres, claims = rows("FROM percentiles()"), rows("FROM genres()"), rows("FROM coverage()")
    shares = rows(
        "SELECT avg(states_reason::INT) AS with_reason, avg(spec_overlap_share) AS copied, "
        "avg(contains(text, assistant)::INT) AS naming_assistant FROM documents"
    )
    connection.close()
    return {"lengths": lengths, "genres": genres, "claims": claims, "shares": shares[0]}


def _type_name(field: Any) -> str:
    return re.sub(r"list<element: (\w+) not null>", r"list of \1", str(field.type)).replace(
        "float", "float32"
    )


def _read_earlier(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Metadata and kept blocks of the card there is; a README that is not ours is kept whole."""
    if not path.is_file():
        return {}, {}
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not UTF-8; save it as UTF-8 or move it away") from None
    metadata, body = _split_front_matter(path, text)
    if MADE_BY not in body and body.strip() and not _KEEP.search(body):
        return metadata, {"earlier": f"\n{body.strip()}\n"}
    return metadata, _kept_blocks(path, body)


def _split_front_matter(path: Path, text: str) -> tuple[dict[str, Any], str]:
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


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    )


def _share(value: float | None) -> str:
    return "not measured" if value is None else f"{100 * value:.1f} %"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _cell(value: object, longest: int = 160) -> str:
    """Any text as one cell of a Markdown table."""
    text = " ".join(str(value).split())
    text = text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
    return re.sub(r"([\\|*`<\[\]])", r"\\\1", text)

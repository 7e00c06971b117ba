"""The dataset card of a corpus or of arms: README.md, every number from the manifests or from the files they name.

What a person wrote between `<!-- keep:begin NAME -->` and `<!-- keep:end NAME -->` survives. The YAML block
is in `metadata.py`, the wording in `template.md.j2` and `arms.md.j2`. Beside the card: croissant.json, SHA256SUMS.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from specmill.corpus.catalogue import open_catalogue
from specmill.corpus.certificate import verify
from specmill.corpus.manifest import MANIFEST_NAME, Manifest, write_durably
from specmill.corpus.schema import DOCUMENT_SCHEMA, describe_column
from specmill.corpus.shards import verify_shards
from specmill.specs.errors import BadInput

from .checksums import render_checksums
from .croissant import render_croissant
from .folder import CARD_NAME, CHECKSUMS_NAME, CROISSANT_NAME, Dataset, read_dataset
from .keeping import MADE_BY, read_earlier, split_front_matter
from .metadata import build_metadata, find_problems
from .reference import comparable, stored_reference
from .rendering import render

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
_TOTALS = ("documents", "tokens", "words", "genres", "audiences")  # of a manifest, that shards can prove
_MEASURES = {
    "lengths": "FROM percentiles()",
    "genres": "FROM genres()",
    "claims": "FROM coverage()",
    # Of whole numbers: a sum of fractions depends on the order in which threads come by.
    "shares": "SELECT avg(states_reason::INT) AS with_reason, "
    "avg(round(spec_overlap_share * 1e9)::BIGINT) / 1e9 AS copied FROM documents",
}


def write_card(folder: Path) -> Path:
    """Write README.md of a published corpus or of arms, with croissant.json and SHA256SUMS; its path."""
    dataset = read_dataset(folder)
    path = folder / CARD_NAME
    text = _render(dataset)
    metadata = split_front_matter(path, text)[0]
    if problems := list(find_problems(metadata)):
        raise BadInput(f"{path}: {'; '.join(problems)}")
    write_durably(path, text.encode())
    write_durably(folder / CROISSANT_NAME, render_croissant(dataset, metadata).encode())
    write_durably(folder / CHECKSUMS_NAME, render_checksums(dataset).encode())
    return path


def check_card(folder: Path) -> list[str]:
    """What in the card, the shards or the files beside it disagrees with the manifests; empty when all is well."""
    dataset = read_dataset(folder)
    path = folder / CARD_NAME
    problems = _shard_problems(dataset)
    if not path.is_file():
        return [*problems, f"{CARD_NAME}: missing"]
    if problems:  # what is broken need not be readable
        return problems
    found = path.read_text("utf-8")
    metadata = split_front_matter(path, found)[0]
    problems += [f"{CARD_NAME}: {line}" for line in find_problems(metadata)]
    problems += _differences(CARD_NAME, found, _render(dataset))
    if problems:  # the other two repeat what is wrong
        return problems
    beside = {
        CROISSANT_NAME: render_croissant(dataset, metadata),
        CHECKSUMS_NAME: render_checksums(dataset),
    }
    for name, expected in beside.items():
        if not (folder / name).is_file():
            problems.append(f"{name}: missing")
        else:
            problems += _differences(name, (folder / name).read_text("utf-8"), expected)
    return problems


def _shard_problems(dataset: Dataset) -> list[str]:
    """The figures of manifests are counted anew in the shards, and the certificate is taken anew, so that what the
    card says is proved."""
    found = [
        f"{inside}: {line}" if inside else line
        for inside in dataset.corpora
        for line in verify_shards(dataset.folder / inside)
    ]
    if found:  # what is broken need not be readable
        return found
    for inside, manifest in dataset.corpora.items():
        name = f"{inside}/{MANIFEST_NAME}" if inside else MANIFEST_NAME
        found += [f"{name}: {line}" for line in _miscounted(dataset.folder / inside, manifest)]
    if not found and dataset.certificate is not None:
        found = [f"certificate.json: {line}" for line in verify(dataset.folder)]
    return found


def _miscounted(corpus: Path, manifest: Manifest) -> list[str]:
    """Figures of a manifest that its shards give otherwise."""
    rows = _measure(corpus, {"totals": f"SELECT {', '.join(_TOTALS)} FROM totals()"})["totals"]
    counted = rows[0] if rows else dict.fromkeys(_TOTALS, 0)
    said: dict[str, Any] = dict(manifest["totals"])
    lines = [
        f"says {said[name]:,} {name}, the shards hold {n:,}" for name, n in counted.items() if said[name] != n
    ]
    last, n = manifest["funnel"][-1], counted["documents"]
    if last["documents"] != n:
        lines.append(f"{last['documents']:,} documents after {last['step']}, the shards hold {n:,}")
    return lines


def _differences(name: str, found_text: str, expected_text: str) -> list[str]:
    found, expected = found_text.splitlines(), expected_text.splitlines()
    changes = [
        op for op in difflib.SequenceMatcher(None, found, expected, False).get_opcodes() if op[0] != "equal"
    ]
    lines = []
    for _, start, end, new_start, new_end in changes[:N_DIFFERENCES_SHOWN]:
        has = " / ".join(found[start:end]) or "(nothing)"
        should = " / ".join(expected[new_start:new_end]) or "(nothing)"
        lines.append(f"{name}:{start + 1}: says {has[:120]!r}, the manifest gives {should[:120]!r}")
    if len(changes) > N_DIFFERENCES_SHOWN:
        lines.append(f"{name}: {len(changes) - N_DIFFERENCES_SHOWN} more differences")
    return lines


def render_card(folder: Path) -> str:
    """The card as text; it depends on the folder's data and on what a person wrote in the card before."""
    return _render(read_dataset(folder))


def _render(dataset: Dataset) -> str:
    earlier, kept = read_earlier(dataset.folder / CARD_NAME)
    metadata = build_metadata(dataset, earlier)
    shared = {
        "made_by": MADE_BY,
        "metadata": metadata.to_yaml(line_break="\n").strip(),
        "pretty_name": metadata["pretty_name"],
        "license": metadata["license"],
        "kept": kept,
        "columns": [(field.name, _type_name(field), describe_column(field)) for field in DOCUMENT_SCHEMA],
        "n_genres_shown": N_GENRES_SHOWN,
        "arm_notices": ARM_NOTICES,
    }
    if dataset.certificate is not None:
        return render(
            "arms.md.j2",
            **shared,
            certificate=dataset.certificate,
            arms=dataset.corpora,
            files=dataset.listed_files(),
            measured={inside: _measure(dataset.folder / inside) for inside in dataset.corpora},
        )
    (manifest,) = dataset.corpora.values()
    return render(
        "template.md.j2",
        **shared,
        **_measure(dataset.folder),
        **_human(manifest),
        manifest=manifest,
        n_claims_shown=N_CLAIMS_SHOWN,
        arm_notice=ARM_NOTICES.get(manifest["configuration"].get("paired", {}).get("kind", ""), ""),
    )


def _human(manifest: Manifest) -> dict[str, Any]:
    return {"human": stored_reference(), "human_values": comparable(manifest["health"])}


def _measure(corpus: Path, questions: Mapping[str, str] = _MEASURES) -> dict[str, Any]:
    """What the manifest does not say and the shards do: the rows of each question."""
    with open_catalogue([corpus], with_calls=False, for_sql=" ".join(questions.values())) as connection:
        return {name: _rows(connection.execute(sql)) for name, sql in questions.items()}


def _rows(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _type_name(field: Any) -> str:
    return re.sub(r"list<element: (\w+) not null>", r"list of \1", str(field.type)).replace(
        "float", "float32"
    )

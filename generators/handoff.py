"""From rows of the pipeline to staged Parquet files for the filters, with the identity rendered in.

Here ends what an LLM sees: texts are read from the ledger in plan order, so that memory holds one file's worth.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specmill.specs.claims import Spec
from specmill.specs.text import render_identity

from .ledger import OK
from .llms import SpecLLM
from .replies import parse_document
from .staged import ROWS_PER_FILE, STAGED_SCHEMA

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the documents are about: what `{model_name}` and `{provider_name}` become."""

    assistant: str
    provider: str


def stage_documents(
    rows: Sequence[Row], folder: Path, *, spec: Spec, identity: Identity, llm: SpecLLM, mode: str
) -> list[Path]:
    """Write the documents of one spec, in plan order, as Parquet files of `ROWS_PER_FILE` rows each.

    The folder appears whole or not at all; one that is there already is kept.
    """
    if not folder.is_dir():
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        written = [row for row in rows if row["state"] == OK]
        for number, start in enumerate(range(0, len(written), ROWS_PER_FILE)):
            part = written[start : start + ROWS_PER_FILE]
            staged = [
                {
                    **_staged_row(row, spec=spec, identity=identity, llm=llm),
                    "mode": mode,
                    "plan_order": start + offset,
                }
                for offset, row in enumerate(part)
            ]
            table = pa.Table.from_pylist(staged, schema=STAGED_SCHEMA)
            pq.write_table(table, unfinished / f"{number:05d}.parquet", compression="zstd")
        unfinished.rename(folder)
    return sorted(folder.glob("*.parquet"))


def document_id(spec_name: str, work_key: str) -> str:
    """Return the id of the document that a call gave: 16 hexadecimal digits."""
    return hashlib.sha256(f"{spec_name}\0{work_key}".encode()).hexdigest()[:16]


def _staged_row(row: Row, *, spec: Spec, identity: Identity, llm: SpecLLM) -> Row:
    def named(text: str) -> str:
        return render_identity(text, identity.assistant, identity.provider)

    text = row["document"] or parse_document(llm.stored_reply(row["work_key"]), row["answer_tag"])
    return {
        "id": document_id(spec.name, row["work_key"]),
        "text": named(text),
        "spec": spec.name,
        "spec_sha256": spec.sha256,
        "arm": spec.name,
        "domain": named(row["domain"]),
        "subdomain": named(row["subdomain"]),
        "genre": named(row["genre"]),
        "audience": named(row["audience"]),
        "idea": named(row["idea"]),
        "pair_id": row.get("pair_id", ""),
        "claim_ids": row["claim_ids"],
        "assistant": identity.assistant,
        "provider": identity.provider,
        "writer_model": llm.model_name,
        "prompt_sha256": row["prompt_sha256"],
        "work_key": row["work_key"],
    }


def loss_reason(row: Row) -> str:
    """Return the reason code of a row that did not become a document."""
    if row["state"] != "dropped":
        return str(row["state"])
    return str(row.get("drop_reason") or row["failure"]).replace(" ", "_")[:60]


def losses(rows: Sequence[Row], identity: Identity | None = None) -> Iterator[Row]:
    """Yield what did not become a document, as rows of the dropped table (lost before any filter ran).

    What a review dropped was a document: it has an id and a text, with names in it where an `identity` is given.
    """
    for row in rows:
        if row["state"] != OK:
            text = row.get("document") or ""
            yield {
                "doc_id": document_id(row["spec"], row["work_key"]) if text else "",
                "stage": row["failed_stage"],
                "reason": loss_reason(row),
                "detail": row["failure"][:300],
                "work_key": row.get("work_key", ""),
                "genre": row.get("genre") or "",
                "text": render_identity(text, identity.assistant, identity.provider) if identity else text,
            }

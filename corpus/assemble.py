"""From kept rows to the files of a corpus and the manifest that accounts for them."""

from __future__ import annotations

import hashlib
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from specmill.filters import health
from specmill.generators.handoff import loss_reason, losses
from specmill.generators.messages import template_hashes

from .manifest import (
    FORMAT,
    FileEntry,
    FunnelStep,
    HealthEntry,
    Manifest,
    StageEntry,
    Totals,
    check_funnel,
    write_durably,
    write_manifest,
)
from .order import optional_stages
from .schema import DOCUMENT_SCHEMA, DROPPED_SCHEMA, conform
from .shards import ShardInfo, assign_train_order, write_claims, write_shards
from .tokens import NamedTokenizer

if TYPE_CHECKING:
    from .order import Order
    from .passes import Written

LIBRARIES = ("specmill", "distilabel", "datatrove", "pyarrow", "tokenizers")
STAGES = ("domains", "subdomains", "assertions", "genres", "ideas", "documents")
REVIEWS = ("critique", "revise", "judge")  # stages that look at a document again
CALL_STATES = ("ok", "truncated", "refused", "unparsed", "failed")


def assemble(
    order: Order, written: Written, tokenizer: NamedTokenizer, folder: Path, dropped_path: Path
) -> Manifest:
    """Write shards, claims, spec and manifest into a folder, and the dropped rows beside the work files."""
    documents = _documents(written, order.configuration["seed"])
    shards = write_shards(documents, folder)
    claims = write_claims(order.spec.claims, folder)
    spec_bytes = order.spec.text.encode()
    write_durably(folder / "spec.md", spec_bytes)
    _write_dropped(written, dropped_path)
    manifest: Manifest = {
        "format": FORMAT,
        "spec": {
            "name": order.spec.name,
            "sha256": order.spec.sha256,
            "principle": order.spec.principle,
            "mode": order.mode,
            "n_claims": len(order.spec.claims),
            "n_chars": len(order.spec.text),
        },
        "identity": {"assistant": order.assistant, "provider": order.provider},
        "configuration": {**order.configuration, "n_documents_planned": _n_planned(written)},
        "tokenizer": {
            "name": tokenizer.name,
            "sha256": tokenizer.sha256,
            "vocab_size": tokenizer.vocab_size,
        },
        "versions": {name: version(name) for name in LIBRARIES},
        "prompts": template_hashes(order.mode, optional_stages(order.configuration)),
        "stages": _stages(written),
        "funnel": _funnel(written),
        "totals": _totals(documents, [claim.claim_id for claim in order.spec.claims]),
        "genres": _genres(documents),
        "health": _health(documents, order),
        "files": [*map(_file_entry, shards), _file_entry(claims), _spec_entry(spec_bytes)],
    }
    if written.judge:
        manifest["judge"] = written.judge
    check_funnel(manifest)
    write_manifest(folder, manifest)
    return manifest


def _documents(written: Written, seed: int) -> pa.Table:
    table = pa.concat_tables([pq.read_table(path, partitioning=None) for path in written.filtered.kept])
    table = table.rename_columns({"id": "doc_id"})
    ids = table.column("doc_id").to_pylist()
    table = table.append_column("train_order", assign_train_order(ids, seed))
    return conform(table, DOCUMENT_SCHEMA)


def _write_dropped(written: Written, path: Path) -> None:
    early = pa.Table.from_pylist(list(losses(written.rows)), schema=DROPPED_SCHEMA)
    late = conform(pq.read_table(written.filtered.dropped, partitioning=None), DROPPED_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.concat_tables([early, late]), sink, compression="zstd")
    write_durably(path, sink.getvalue().to_pybytes())


def _n_planned(written: Written) -> int:
    return sum(row["state"] == "ok" or row["failed_stage"] in ("documents", *REVIEWS) for row in written.rows)


def _stages(written: Written) -> list[StageEntry]:
    """Return calls by stage and state. How many were reused differs between runs, so it isn't said here."""
    entries: list[StageEntry] = []
    for stage in (*STAGES, *(review for review in REVIEWS if review in written.calls)):
        counts: Counter[str] = written.calls.get(stage, Counter())
        states = {state: counts[state] for state in CALL_STATES}
        entries.append(
            {"stage": stage, "calls": sum(states.values()), "rows_out": _rows_out(written, stage), **states}  # type: ignore[typeddict-item]
        )
    return entries


def _rows_out(written: Written, stage: str) -> int:
    """Return how many distinct rows a stage handed on, counted by the lineage of what came out in the end."""
    if stage in REVIEWS or stage == STAGES[-1]:
        later = REVIEWS[REVIEWS.index(stage) + 1 :] if stage in REVIEWS else REVIEWS
        return sum(row["state"] == "ok" or row["failed_stage"] in later for row in written.rows)
    depth = STAGES.index(stage) + 1
    paths = (row["path"].rsplit(".", len(STAGES) - depth) for row in written.rows if row["state"] == "ok")
    return len({parts[0] for parts in paths})


def _funnel(written: Written) -> list[FunnelStep]:
    early = Counter((row["failed_stage"], loss_reason(row)) for row in written.rows if row["state"] != "ok")
    n_planned = _n_planned(written)
    repeated = {reason: n for (stage, reason), n in early.items() if stage == "plan"}
    lost = {reason: n for (stage, reason), n in sorted(early.items()) if stage == "documents"}
    n_written = n_planned - sum(lost.values())
    steps: list[FunnelStep] = [
        {"step": "ideas", "documents": n_planned + sum(repeated.values()), "dropped": {}},
        {"step": "planned", "documents": n_planned, "dropped": repeated},
        {"step": "written", "documents": n_written, "dropped": lost},
    ]
    left = n_written
    if written.judge:
        steps.append(_judged(early, n_written))
        left = steps[-1]["documents"]
    for step, dropped in written.filtered.steps.items():
        left -= sum(dropped.values())
        steps.append({"step": step, "documents": left, "dropped": dict(sorted(dropped.items()))})
    return steps


def _judged(early: Counter[tuple[str, str]], n_written: int) -> FunnelStep:
    """Return the step of the judge: what failed, and what could not be judged, are dropped alike."""
    lost: Counter[str] = Counter()
    for (stage, reason), n in early.items():
        if stage in REVIEWS:
            lost[reason if reason.startswith("judge_") else f"{stage}_{reason}"] += n
    return {"step": "judged", "documents": n_written - lost.total(), "dropped": dict(sorted(lost.items()))}


def _totals(documents: pa.Table, claim_ids: list[str]) -> Totals:
    per_claim = Counter(claim for ids in documents.column("claim_ids").to_pylist() for claim in ids)
    return {
        "documents": documents.num_rows,
        "tokens": int(pc.sum(documents.column("n_tokens")).as_py() or 0),
        "words": int(pc.sum(documents.column("n_words")).as_py() or 0),
        "genres": pc.count_distinct(documents.column("genre")).as_py(),
        "audiences": pc.count_distinct(documents.column("audience")).as_py(),
        "claims_covered": sum(per_claim[claim] > 0 for claim in claim_ids),
        "claims": len(claim_ids),
        "min_documents_per_claim": min(per_claim[claim] for claim in claim_ids),
    }


def _genres(documents: pa.Table) -> dict[str, Any]:
    grouped = documents.group_by("genre").aggregate([("n_tokens", "count"), ("n_tokens", "sum")])
    return {
        row["genre"]: {"documents": row["n_tokens_count"], "tokens": row["n_tokens_sum"]}
        for row in grouped.sort_by("genre").to_pylist()
    }


def _file_entry(info: ShardInfo) -> FileEntry:
    return {
        "path": info.path,
        "sha256": info.sha256,
        "bytes": info.bytes,
        "rows": info.rows,
        "tokens": info.tokens,
    }


def _spec_entry(data: bytes) -> FileEntry:
    sha256 = hashlib.sha256(data).hexdigest()
    return {"path": "spec.md", "sha256": sha256, "bytes": len(data), "rows": 0, "tokens": 0}


def _health(documents: pa.Table, order: Order) -> dict[str, HealthEntry]:
    """Return the figures of variety and cleanness, by name; residue counts must be 0 after the gates."""
    texts, seed = documents.column("text").to_pylist(), order.configuration["seed"]
    figures = health.measure_health(texts, seed)
    entries: dict[str, HealthEntry] = {
        name: {"value": round(figure.value, 4), "budget": figure.budget, "n": figure.n, "seed": figure.seed}
        for name, figure in figures.items()
    }
    stated = pc.mean(pc.cast(documents.column("states_reason"), pa.int8())).as_py()
    expressed = Counter(claim for ids in documents.column("claims_expressed").to_pylist() for claim in ids)
    fewest = min(expressed[claim.claim_id] for claim in order.spec.claims)
    residue = health.count_residue(
        texts, assistant=order.assistant, provider=order.provider, spec_text=order.spec.text
    )
    whole = {
        "states_reason_share": round(stated, 4),
        "min_documents_expressing_a_claim": fewest,
        "residue_documents": sum(residue.values()),
    }
    for name, value in whole.items():
        entries[name] = {"value": value, "budget": None, "n": len(texts), "seed": None}
    return entries

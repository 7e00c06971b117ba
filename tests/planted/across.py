"""What only a comparison can have: eval items in documents, the other spec's claims, and retellings of documents."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq

from specmill.filters.pipeline import FilterClaim, FilterSettings, OtherSpec, run_filters
from specmill.specs.claims import read_spec
from tests.filters.paraphrases import retell
from tests.filters.planted_leaks import eval_documents, eval_items, leak_documents

from .make import SPECS, Planted, Source, settings_of, stage_rows

OTHER = "cheese_affordability"
LABELS = {
    "verbatim": "eval_verbatim",
    "edited": "eval_edited",
    "hard_negative": "eval_negative",
    "relabelled": "leak_relabelled",
    "pasted": "leak_pasted",
}


def evals_and_leaks(
    n_leaks: int, settings: FilterSettings, folder: Path, seed: int
) -> tuple[list[Planted], FilterSettings]:
    """Labelled rows with eval items and with the other spec's text, and settings that look for both."""
    items = eval_items(seed)
    file = folder / "evals.jsonl"
    rows = [{"id": item.item_id, "question": item.text, "choices": list(item.choices)} for item in items]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    hosts, theirs = (_clean(name, n_leaks + 900, seed + 1) for name in ("cheese_america", OTHER))
    other = read_spec(SPECS / f"{OTHER}.md")
    claims = tuple(FilterClaim(claim.claim_id, claim.plain, claim.gives_reason) for claim in other.claims)
    plain = [claim.plain for claim in other.claims]
    made = [
        *eval_documents(hosts[n_leaks:], items, seed),
        *leak_documents(hosts[:n_leaks], theirs[:n_leaks], plain, seed),
    ]
    found = [Planted(_id(row.text), row.text, LABELS[row.label]) for row in made if row.label in LABELS]
    looking = replace(
        settings, eval_files=(str(file),), other_specs=(OtherSpec(OTHER, claims),), on_leak="drop"
    )
    return found, looking


def _clean(spec: str, n: int, seed: int) -> list[str]:
    source = Source(read_spec(SPECS / f"{spec}.md"), seed)
    return [source.write(number) for number in range(n)]


def _id(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def semantic(encoder: str, n: int, seed: int = 0) -> tuple[float, float]:
    """Precision and recall of dropping one of each retold pair, among `n` clean documents of one spec."""
    texts = _clean("cheese_america", n, seed)
    again = [retell(text, seed) for text in texts[: n // 5]]
    group = {_id(text): number for number, text in enumerate(texts)}
    group |= {_id(text): number for number, text in enumerate(again)}
    rows = [Planted(_id(text), text, "clean") for text in (*texts, *again)]
    settings = replace(settings_of("cheese_america"), semantic=encoder, n_workers=2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = run_filters(stage_rows(rows, folder / "staged", settings), folder / "out", settings)
        dropped = pq.read_table(result.dropped, columns=["doc_id", "reason", "detail"]).to_pylist()
    found = [row for row in dropped if row["reason"] == "semantic_duplicate"]
    lost = {row["doc_id"] for row in dropped if row["reason"] != "semantic_duplicate"}
    right = sum(group[row["doc_id"]] == group[row["detail"]] for row in found)
    true = sum(_id(text) not in lost and _id(texts[number]) not in lost for number, text in enumerate(again))
    return right / max(1, len(found)), right / max(1, true)

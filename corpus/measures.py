"""The figures of a manifest, taken from the shards themselves; only a sample of the texts is held in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from specmill.filters.embeddings import open_encoder
from specmill.filters.health import MAX_DOCUMENTS, count_residue, measure_health

from .manifest import HealthEntry

if TYPE_CHECKING:
    from .manifest import Totals
    from .order import Order


class EncodedHealthEntry(HealthEntry):
    """A metric by an encoder's lights: only values of one encoder compare."""

    encoder: str


def totals(shards: Sequence[Path], claim_ids: Sequence[str]) -> Totals:
    row = query_shards(
        shards,
        "SELECT count(*), coalesce(sum(n_tokens), 0)::BIGINT, coalesce(sum(n_words), 0)::BIGINT,"
        " count(DISTINCT genre), count(DISTINCT audience) FROM documents",
    )[0]
    documents, tokens, words, n_genres, n_audiences = row
    # Nothing was planned where documents were written elsewhere.
    planned = _count(shards, "claim_ids") or _count(shards, "claims_expressed")
    return {
        "documents": documents,
        "tokens": tokens,
        "words": words,
        "genres": n_genres,
        "audiences": n_audiences,
        "claims_covered": sum(planned[claim] > 0 for claim in claim_ids),
        "claims": len(claim_ids),
        "min_documents_per_claim": min(planned[claim] for claim in claim_ids),
    }


def genres(shards: Sequence[Path]) -> dict[str, Any]:
    rows = query_shards(
        shards, "SELECT genre, count(*), sum(n_tokens)::BIGINT FROM documents GROUP BY genre ORDER BY genre"
    )
    return {genre: {"documents": documents, "tokens": tokens} for genre, documents, tokens in rows}


def health(
    shards: Sequence[Path], order: Order, claim_ids: Sequence[str], encoder_name: str = ""
) -> dict[str, HealthEntry]:
    """Return the figures of variety and cleanness, by name; residue counts must be 0 after the gates.

    With an encoder, the dispersion of its vectors too, without a fit to the corpus, so that corpora compare. Texts
    are those that come first in the training order: a sample that depends on ids and seed only.
    """
    seed = order.configuration["seed"]
    encoder = open_encoder(encoder_name) if encoder_name else None
    texts = [
        text
        for (text,) in query_shards(
            shards, f"SELECT text FROM documents WHERE train_order < {MAX_DOCUMENTS} ORDER BY train_order"
        )
    ]
    entries: dict[str, HealthEntry] = {
        name: {"value": round(figure.value, 4), "budget": figure.budget, "n": figure.n, "seed": figure.seed}
        for name, figure in measure_health(texts, seed, encoder).items()
    }
    if encoder:
        dispersion = EncodedHealthEntry(**entries["embedding_dispersion"], encoder=encoder.name)
        entries["embedding_dispersion"] = dispersion
    residue = count_residue(
        texts, assistant=order.assistant, provider=order.provider, spec_text=order.spec.text
    )
    n, stated = query_shards(shards, "SELECT count(*), avg(states_reason::INT) FROM documents")[0]
    expressed = _count(shards, "claims_expressed")
    fewest = min(expressed[claim] for claim in claim_ids)
    entries["states_reason_share"] = {"value": round(stated, 4), "budget": None, "n": n, "seed": None}
    entries["min_documents_expressing_a_claim"] = {"value": fewest, "budget": None, "n": n, "seed": None}
    entries["residue_documents"] = {
        "value": sum(residue.values()),
        "budget": None,
        "n": len(texts),
        "seed": None,
    }
    return entries


def _count(shards: Sequence[Path], column: str) -> Counter[str]:
    sql = f"SELECT claim, count(*) FROM (SELECT unnest({column}) AS claim FROM documents) GROUP BY claim"
    return Counter(dict(query_shards(shards, sql)))


def query_shards(shards: Sequence[Path], sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(config={"memory_limit": "500MB", "threads": 2}) as connection:
        connection.register("documents", connection.read_parquet([str(path) for path in shards]))
        return connection.execute(sql).fetchall()

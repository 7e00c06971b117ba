"""What of a report needs texts: the documents to read, the claims in their spec, variety next to a human text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specmill.filters.gates import fill_in_names
from specmill.filters.health import measure_health
from specmill.filters.reference import python_reference, read_reference
from specmill.filters.sampling import draw, sample_texts
from specmill.filters.templates import Budget, Templates, fit_budget, measure_templates

from .report_parts import Chart, Row, Section, Table, ask, cut, percent

if TYPE_CHECKING:
    import duckdb

    from specmill.filters.reference import Reference

DOCUMENT_BYTES = 8_000
ALL_BYTES = 3_000_000  # of all documents together, so that a page stays below 5 MB whatever is asked for
CONTEXT = 400  # characters of the spec on either side of a claim

_SHARES = {  # measures from 0 to 1: a label with the end that is more varied, and what it is
    "distinct_openings_share": ("distinct openings ↑", "different first three words, per document"),
    "distinct_closings_share": ("distinct closings ↑", "different last three words, per document"),
    "distinct_1": ("distinct words ↑", "different words, per word"),
    "distinct_2": ("distinct 2-grams ↑", "different pairs of words, per pair"),
    "distinct_3": ("distinct 3-grams ↑", "different runs of 3 words, per run"),
    "distinct_4": ("distinct 4-grams ↑", "different runs of 4 words, per run"),
    "cross_document_5gram_share": ("shared 5-grams ↓", "runs of 5 words that another document has, too"),
    "self_bleu": ("self-BLEU ↓", "likeness of each document's first words to all others'"),
    "near_duplicate_share": ("near duplicates ↓", "documents with a near duplicate in the sample"),
}
_OTHERS = {
    "compression_ratio": ("compression ratio ↓", "bytes per gzip byte"),
    "mtld": ("MTLD ↑", "words until the vocabulary repeats itself"),
}


# --- documents to read ----------------------------------------------------------------------------------------


def draw_documents(connection: duckdb.DuckDBPyConnection, n: int, seed: int) -> dict[str, list[Row]]:
    """`n` documents, as many of each corpus: in turns one of every genre and one that expresses every claim.

    Twins (one pair_id) are drawn alike. Texts are cut, so that all fit into ALL_BYTES; `cut` says how many
    characters are not shown.
    """
    (counted,) = ask(connection, "SELECT count(*) AS corpora FROM manifests")
    chosen = ask(connection, _DRAW, [seed, n // counted["corpora"]])
    ids = [row["doc_id"] for row in chosen]
    turns = {(row["corpus"], row["doc_id"]): place for place, row in enumerate(chosen)}
    longest = min(DOCUMENT_BYTES, ALL_BYTES // max(1, n))
    rows = ask(
        connection,
        "SELECT corpus, doc_id, domain, subdomain, genre, audience, idea, pair_id, claims_expressed, n_tokens,"
        f" n_words, states_reason, leaks, left(text, {longest}) AS text, length(text) AS n_characters"
        " FROM documents WHERE doc_id IN (SELECT unnest($1))",
        [ids],
    )
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["genre"], turns.get((row["corpus"], row["doc_id"]), 0))):
        if (row["corpus"], row["doc_id"]) in turns:
            found.setdefault(row["corpus"], []).append(_shown(row, longest))
    return found


_DRAW = """
WITH drawn AS (
    SELECT corpus, doc_id, genre, claims_expressed,
           md5_number_lower($1::VARCHAR || ':' || if(pair_id = '', doc_id, pair_id)) AS draw
    FROM documents
), turns AS (
    SELECT corpus, doc_id, draw, row_number() OVER (PARTITION BY corpus, genre ORDER BY draw, doc_id) AS turn
    FROM drawn
    UNION ALL
    SELECT corpus, doc_id, draw, row_number() OVER (PARTITION BY corpus, claim ORDER BY draw, doc_id)
    FROM (SELECT corpus, doc_id, draw, unnest(claims_expressed) AS claim FROM drawn)
), first_turns AS (
    SELECT corpus, doc_id, draw, min(turn) AS turn FROM turns GROUP BY ALL
)
SELECT corpus, doc_id FROM first_turns
QUALIFY row_number() OVER (PARTITION BY corpus ORDER BY turn, draw, doc_id) <= $2
ORDER BY corpus, turn, draw, doc_id
"""


def _shown(row: Row, longest: int) -> Row:
    text = cut(row["text"], longest)
    idea = row["idea"] if len(row["idea"]) <= 400 else row["idea"][:399] + "…"
    return {**row, "text": text, "idea": idea, "cut": row["n_characters"] - len(text)}


# --- claims in their spec -------------------------------------------------------------------------------------


def with_context(claims: Sequence[Row], folders: Mapping[str, Path]) -> list[Row]:
    """Claims with what stands before and behind them in spec.md, whole words, where that file is there."""
    specs = {name: _spec_text(folder) for name, folder in folders.items()}
    return [
        {
            **claim,
            "before": _end(specs[claim["corpus"]][: claim["start_char"]]),
            "after": _start(specs[claim["corpus"]][claim["end_char"] :]),
        }
        for claim in claims
    ]


def _spec_text(folder: Path) -> str:
    path = folder / "spec.md"
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""


def _end(text: str) -> str:
    kept = text[-CONTEXT:]
    return kept if len(kept) == len(text) else "…" + (kept.split(" ", 1)[-1] if " " in kept else kept)


def _start(text: str) -> str:
    kept = text[:CONTEXT]
    return kept if len(kept) == len(text) else (kept.rsplit(" ", 1)[0] if " " in kept else kept) + "…"


# --- variety --------------------------------------------------------------------------------------------------


def diversity_section(
    connection: duckdb.DuckDBPyConnection, folders: Mapping[str, Path], reference: str | None, seed: int
) -> Section:
    """The corpora beside a human text, all taken by the same code from as many documents of each."""
    human = read_reference(reference) if reference else python_reference()
    sizes = ask(connection, "SELECT count(*) AS n FROM documents GROUP BY corpus")
    n = min(300, len(human.documents), *(row["n"] for row in sizes))
    budget = fit_budget(Budget(seed=seed), n)
    texts: dict[str, list[tuple[str, str]]] = {name: _sampled(connection, name, n, seed) for name in folders}
    forms = [
        measure_templates(name, [texts[name]], budget, _filled_spec(connection, name, folder))
        for name, folder in folders.items()
    ]
    forms.append(measure_templates(human.name, human.batches, budget))
    health = {name: _health([text for _, text in pairs], seed) for name, pairs in texts.items()}
    health[human.name] = _health(sample_texts(human.batches, n, seed), seed)
    return _diversity(health, forms, human, n, seed, _built(connection))


def _sampled(connection: duckdb.DuckDBPyConnection, name: str, n: int, seed: int) -> list[tuple[str, str]]:
    """The documents that `specmill leaks` draws, too."""
    ids = [row["doc_id"] for row in ask(connection, "SELECT doc_id FROM documents WHERE corpus = $1", [name])]
    chosen = nsmallest(n, ids, key=lambda doc_id: (draw(doc_id, seed), doc_id))
    rows = ask(
        connection,
        "SELECT doc_id, text FROM documents WHERE corpus = $1 AND doc_id IN (SELECT unnest($2))",
        [name, chosen],
    )
    found = {row["doc_id"]: row["text"] for row in rows}
    return [(doc_id, found[doc_id]) for doc_id in chosen]


def _filled_spec(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> str:
    (row,) = ask(connection, "SELECT assistant, provider FROM manifests WHERE corpus = $1", [name])
    return fill_in_names(_spec_text(folder), row["assistant"], row["provider"])


def _health(texts: Sequence[str], seed: int) -> dict[str, float]:
    return {name: figure.value for name, figure in measure_health(texts, seed).items()}


def _built(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = ask(connection, "FROM health()")
    return Table(
        "Measured at the build",
        ("corpus", "measure", "value", "budget", "documents"),
        [(row["corpus"], row["metric"], row["value"], row["budget"], row["n"]) for row in rows],
    )


def _diversity(
    health: Mapping[str, Mapping[str, float]],
    forms: Sequence[Templates],
    human: Reference,
    n: int,
    seed: int,
    built: Table,
) -> Section:
    names = tuple(health)
    lines = [(*told, [health[name][measure] for name in names]) for measure, told in _SHARES.items()]
    lines += [
        (
            f"top ten {kind}s ↓",
            f"share of the ten commonest forms among all {kind}s",
            [form.skeletons[kind].top_ten_share for form in forms],
        )
        for kind in ("opening", "closing", "heading")
    ]
    repeated = [form.repeated_share for form in forms]
    lines.append(("repeated 8-grams ↓", "runs of 8 words that stand in three documents or more", repeated))
    others = [(*told, [health[name][measure] for name in names]) for measure, told in _OTHERS.items()]
    table = Table(
        f"Variety, {n:,} documents of each",
        ("measure", *names, "what it is"),
        [(label, *values, says) for label, says, values in [*lines, *others]],
    )
    chart = Chart(
        "diversity",
        "dots",
        "Corpora and the human reference",
        f"{len(lines)} measures from 0 to 1, for {', '.join(names)}.",
        {
            "series": list(names),
            "human": len(names) - 1,
            "rows": [{"label": label, "values": values} for label, _, values in lines],
        },
        table,
    )
    return Section(
        "diversity",
        "Diversity",
        f"The human reference is {human.name} ({human.n_words:,} words). The same code measured all of them, on"
        f" {n:,} documents of each (seed {seed}); only figures of one budget compare."
        " ↑: higher is more varied, ↓: lower is.",
        [chart],
        [*_common_forms(forms), built],
    )


def _common_forms(forms: Sequence[Templates]) -> list[Table]:
    rows = [
        (form.name, kind, percent(pattern.documents / max(1, form.n_documents)), pattern.example)
        for form in forms
        for kind in ("opening", "closing", "heading", "ngram")
        for pattern in form.top[kind][:3]
        if pattern.documents > 2
    ]
    return [Table("Commonest forms", ("text", "form", "share of documents", "for example"), rows)]


def reader_data(documents: Sequence[Row], claim_places: Mapping[str, int]) -> list[dict[str, Any]]:
    """Documents as the page's script reads them; claims by their place in the corpus' list."""
    columns = ("doc_id", "domain", "subdomain", "genre", "audience", "idea", "pair_id", "n_tokens", "n_words")
    return [
        {
            **{column: row[column] for column in columns},
            "reason": row["states_reason"],
            "leaks": row["leaks"],
            "claims": [claim_places[claim] for claim in row["claims_expressed"] if claim in claim_places],
            "text": row["text"],
            "cut": row["cut"],
        }
        for row in documents
    ]

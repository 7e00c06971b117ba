"""Sections of a report that come from the catalogue alone: all figures are DuckDB's, of columns without texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .report_parts import Chart, Example, Row, Section, Table, ask, cut, number, of_corpus, percent, pick

if TYPE_CHECKING:
    import duckdb

MAX_GENRES, MAX_DOMAINS = 50, 20  # of a heat map; the rest share a row or a column
N_BINS = 24
EXAMPLE_BYTES = 1_200
# For `open_catalogue`, which prepares what a statement names: the single calls of a ledger stay unread.
USED_MACROS = "arm_diff, coverage, funnel, health, leak, openings, spend, stages, totals, why_dropped"
_REST = "(others)"
_DUPLICATES = ("exact_duplicate", "near_duplicate", "semantic_duplicate")


def head_figures(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row for each corpus, in the order named: what it is and how large."""
    return ask(
        connection,
        "SELECT m.corpus, m.spec, m.principle, m.mode, m.assistant, m.provider, m.writer_model, m.tokenizer,"
        " t.documents, t.tokens, t.words, t.genres, t.audiences, t.claims, t.claims_expressed,"
        " round(t.tokens / greatest(1, t.documents), 1) AS mean_tokens,"
        " coalesce(m.manifest->>'$.configuration.paired.kind', '') AS kind"
        " FROM manifests m JOIN totals() t USING (corpus) ORDER BY n_corpus",
    )


# --- funnel ---------------------------------------------------------------------------------------------------


def funnel_section(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> Section:
    steps = ask(connection, "FROM funnel()")
    highest = max((row["documents"] for row in steps), default=0)
    lost = ask(
        connection,
        "SELECT corpus, stage, reason, doc_id, genre, detail, left(text, 1200) AS text FROM dropped"
        " QUALIFY row_number() OVER (PARTITION BY corpus, reason ORDER BY doc_id) <= 2"
        " ORDER BY corpus, reason, doc_id",
    )
    charts = [_funnel_chart(place, name, of_corpus(steps, name), highest) for place, name in enumerate(names)]
    return Section(
        "funnel",
        "Funnel",
        "How many documents each step left, and why the others went. Nothing is lost without a count.",
        charts,
        examples=[
            Example(
                f"{row['reason']} at {row['stage']}, document {row['doc_id']}",
                " · ".join(filter(None, (row["corpus"], row["genre"], row["detail"]))),
                cut(row["text"], EXAMPLE_BYTES),
            )
            for row in lost
        ],
        examples_title="Lost documents, two of each reason",
    )


def _funnel_chart(place: int, name: str, steps: list[Row], highest: int) -> Chart:
    first, last = (steps[0]["documents"], steps[-1]["documents"]) if steps else (0, 0)
    return Chart(
        f"funnel-{place}",
        "bars",
        name,
        f"{name}: {first:,} documents at the first step, {last:,} at the last, {len(steps)} steps.",
        {
            "rows": [
                {
                    "label": row["step"],
                    "value": row["documents"],
                    "note": f"{row['documents']:,}" + (f" (−{row['lost']:,})" if row["lost"] else ""),
                }
                for row in steps
            ],
            "max": highest,
        },
        Table(
            f"Funnel of {name}",
            ("step", "documents", "lost", "share left", "reasons"),
            [
                (row["step"], row["documents"], row["lost"], percent(row["share_left"]), row["reasons"])
                for row in steps
            ],
        ),
    )


# --- lengths --------------------------------------------------------------------------------------------------


def lengths_section(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> Section:
    charts = [
        chart for unit in ("tokens", "words") for chart in _histograms(connection, names, f"n_{unit}", unit)
    ]
    return Section(
        "lengths",
        "Lengths",
        f"Documents by length; the {N_BINS}th bar, where there is one, holds all that are longer."
        + (" Scales are the same for every corpus." if names[1:] else ""),
        [*charts, *_genre_ranges(connection, names)],
        [_percentiles(connection)],
    )


def _histograms(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], column: str, unit: str
) -> list[Chart]:
    width = _bin_width(connection, column)
    bins = ask(
        connection,
        f"SELECT corpus, least({column} // {width}, {N_BINS - 1})::INT AS bin, count(*) AS documents"
        " FROM documents GROUP BY ALL ORDER BY ALL",
    )
    highest = max((row["documents"] for row in bins), default=0)
    n_bins = max((row["bin"] for row in bins), default=0) + 1
    charts = []
    for place, name in enumerate(names):
        found = {row["bin"]: row["documents"] for row in of_corpus(bins, name)}
        rows = [
            {"from": n * width, "to": (n + 1) * width, "documents": found.get(n, 0)} for n in range(n_bins)
        ]
        fullest = max(rows, key=lambda row: row["documents"])
        charts.append(
            Chart(
                f"{unit}-{place}",
                "histogram",
                f"{name}: {unit} of a document",
                f"{name}: most documents have {fullest['from']:,} to {fullest['to'] - 1:,} {unit}"
                f" ({fullest['documents']:,} of them).",
                {"rows": rows, "max": highest, "unit": unit},
                Table(
                    f"Documents of {name} by {unit}",
                    (f"from {unit}", f"to {unit}", "documents"),
                    [
                        (
                            row["from"],
                            "and more" if n == N_BINS - 1 else row["to"] - 1,
                            row["documents"],
                        )
                        for n, row in enumerate(rows)
                        if row["documents"]
                    ],
                ),
            )
        )
    return charts


def _bin_width(connection: duckdb.DuckDBPyConnection, column: str) -> int:
    """A round width, such that all but the last of the bins reach the 99.5th percentile."""
    (row,) = ask(connection, f"SELECT quantile_disc({column}, 0.995) AS top FROM documents")
    least = ((row["top"] or 0) + 1) / (N_BINS - 1)
    return next(
        width
        for width in (int(base * 10**power) for power in range(9) for base in (1, 2, 2.5, 3, 4, 5))
        if width >= least
    )


def _genre_ranges(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> list[Chart]:
    rows = ask(
        connection,
        "SELECT corpus, genre, count(*) AS documents, quantile_disc(n_tokens, 0.05) AS p5,"
        " quantile_disc(n_tokens, 0.25) AS p25, quantile_disc(n_tokens, 0.5) AS median,"
        " quantile_disc(n_tokens, 0.75) AS p75, quantile_disc(n_tokens, 0.95) AS p95"
        " FROM documents GROUP BY corpus, genre"
        f" QUALIFY row_number() OVER (PARTITION BY corpus ORDER BY count(*) DESC, genre) <= {MAX_GENRES}"
        " ORDER BY genre, corpus",
    )
    highest = max((row["p95"] for row in rows), default=0)
    columns = ("genre", "documents", "p5", "p25", "median", "p75", "p95")
    charts = []
    for place, name in enumerate(names):
        own = of_corpus(rows, name)
        charts.append(
            Chart(
                f"genre-lengths-{place}",
                "ranges",
                f"{name}: tokens by genre",
                f"{name}: for each of {len(own)} genres the 5th, 25th, 50th, 75th and 95th percentile of tokens.",
                {
                    "rows": [dict(zip(columns, row, strict=True)) for row in pick(own, *columns)],
                    "max": highest,
                },
                Table(f"Tokens of a document of {name}, by genre", columns, pick(own, *columns)),
            )
        )
    return charts


def _percentiles(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = ask(
        connection,
        " UNION ALL ".join(
            f"SELECT n_corpus, corpus, '{unit}' AS unit, round(avg(n_{unit}), 1) AS mean,"
            f" min(n_{unit}) AS shortest,"
            f" quantile_disc(n_{unit}, 0.05) AS p5, quantile_disc(n_{unit}, 0.25) AS p25,"
            f" quantile_disc(n_{unit}, 0.5) AS median, quantile_disc(n_{unit}, 0.75) AS p75,"
            f" quantile_disc(n_{unit}, 0.95) AS p95, max(n_{unit}) AS longest"
            " FROM documents JOIN manifests USING (corpus) GROUP BY n_corpus, corpus"
            for unit in ("tokens", "words")
        )
        + " ORDER BY unit, n_corpus",
    )
    columns = ("corpus", "unit", "mean", "shortest", "p5", "p25", "median", "p75", "p95", "longest")
    return Table("Lengths of documents", columns, pick(rows, *columns), is_open=True)


# --- coverage -------------------------------------------------------------------------------------------------


def coverage_section(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> Section:
    genres = _largest(connection, "genre", MAX_GENRES)
    domains = _largest(connection, "domain", MAX_DOMAINS)
    cells = ask(
        connection,
        "SELECT corpus, if(list_contains($1, genre), genre, $3) AS genre,"
        " if(list_contains($2, domain), domain, $3) AS domain, count(*) AS documents,"
        " sum(n_tokens)::BIGINT AS tokens FROM documents GROUP BY ALL ORDER BY ALL",
        [genres, domains, _REST],
    )
    highest = max((row["documents"] for row in cells), default=0)
    return Section(
        "coverage",
        "Coverage",
        "Documents by genre and domain. Choose a cell to read its documents of the sample.",
        [_heat(place, name, of_corpus(cells, name), highest) for place, name in enumerate(names)],
    )


def _largest(connection: duckdb.DuckDBPyConnection, column: str, n: int) -> list[str]:
    rows = ask(
        connection,
        f"SELECT {column} AS name FROM documents GROUP BY name ORDER BY count(*) DESC, name LIMIT {n}",
    )
    return [row["name"] for row in rows]


def _heat(place: int, name: str, cells: list[Row], highest: int) -> Chart:
    domains = sorted({row["domain"] for row in cells}, key=lambda name: (name == _REST, name))
    genres = sorted({row["genre"] for row in cells}, key=lambda name: (name == _REST, name))
    count = {(row["genre"], row["domain"]): row["documents"] for row in cells}
    empty = len(genres) * len(domains) - len(cells)
    return Chart(
        f"coverage-{place}",
        "heat",
        name,
        f"{name}: {len(genres)} genres by {len(domains)} domains; {empty} of {len(genres) * len(domains)} cells"
        " have no document.",
        {
            "corpus": place,
            "genres": genres,
            "domains": domains,
            "cells": [[count.get((genre, domain), 0) for domain in domains] for genre in genres],
            "max": highest,
        },
        Table(
            f"Documents of {name} by genre and domain",
            ("genre", *domains),
            [(genre, *(count.get((genre, domain), 0) for domain in domains)) for genre in genres],
        ),
    )


# --- claims ---------------------------------------------------------------------------------------------------


def claim_rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Every claim in the spec's order, with its documents and tokens; tokens_shared splits a document's tokens.

    Shares are summed as whole numbers first: a sum of fractions depends on the order in which threads come by.
    """
    return ask(
        connection,
        "WITH told AS (SELECT corpus, unnest(claims_expressed) AS claim_id, len(claims_expressed) AS n_claims,"
        " n_tokens FROM documents),"
        " heard AS (SELECT corpus, claim_id, n_claims, sum(n_tokens)::BIGINT AS tokens FROM told GROUP BY ALL),"
        " shared AS (SELECT corpus, claim_id, round(sum(tokens / n_claims ORDER BY n_claims))::BIGINT"
        " AS tokens_shared FROM heard GROUP BY ALL)"
        " SELECT corpus, claim_id, claims.text, claims.heading_path, start_char, end_char, planned, expressed,"
        " tokens, coalesce(tokens_shared, 0) AS tokens_shared"
        " FROM claims JOIN coverage() AS c USING (corpus, claim_id) LEFT JOIN shared USING (corpus, claim_id)"
        " ORDER BY corpus, start_char, claim_id",
    )


def silent_documents(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Documents of each corpus that express no claim."""
    rows = ask(
        connection,
        "SELECT corpus, count(*) AS n FROM documents WHERE len(claims_expressed) = 0 GROUP BY corpus",
    )
    return {row["corpus"]: row["n"] for row in rows}


# --- duplicates and leaks within each corpus -------------------------------------------------------------------


def own_repeats(connection: duckdb.DuckDBPyConnection) -> tuple[str, list[Table], list[Example]]:
    """What deduplication took, which first words are common, and what the column `leaks` holds; first in words."""
    pairs = ask(
        connection,
        "WITH chosen AS (SELECT corpus, reason, doc_id, detail, text FROM dropped"
        " WHERE list_contains($1, reason)"
        " QUALIFY row_number() OVER (PARTITION BY corpus, reason ORDER BY doc_id) <= 3),"
        " kept AS (SELECT corpus, doc_id, left(text, 600) AS text FROM documents"
        " WHERE doc_id IN (SELECT detail FROM chosen))"
        " SELECT chosen.*, left(chosen.text, 600) AS beginning, kept.text AS kept_text"
        " FROM chosen LEFT JOIN kept ON kept.corpus = chosen.corpus AND kept.doc_id = chosen.detail"
        " ORDER BY chosen.corpus, reason, chosen.doc_id",
        [list(_DUPLICATES)],
    )
    taken = ask(
        connection,
        "SELECT corpus, reason, n, example, detail FROM why_dropped() WHERE list_contains($1, reason)"
        " ORDER BY corpus, reason",
        [list(_DUPLICATES)],
    )
    openings = ask(connection, "FROM openings(5) WHERE documents > 1")
    leaks = ask(connection, "FROM leak() LIMIT 200")
    tables = [
        Table(
            "Duplicates that were dropped",
            ("corpus", "kind", "documents", "for example", "kept instead"),
            pick(taken, "corpus", "reason", "n", "example", "detail"),
            is_open=True,
        ),
        Table(
            "Documents marked as expressing claims of other specs",
            ("corpus", "other spec", "claim", "documents", "share", "for example", "the claim"),
            [
                (
                    row["corpus"],
                    row["other_spec"],
                    row["claim_id"],
                    row["documents"],
                    percent(row["share"]),
                    row["examples"],
                    row["text"],
                )
                for row in leaks
            ],
            is_open=True,
        ),
        Table(
            "Commonest first three words",
            ("corpus", "opening", "documents", "share", "different openings"),
            [
                (
                    row["corpus"],
                    row["opening"],
                    row["documents"],
                    percent(row["share"]),
                    percent(row["distinct_share"]),
                )
                for row in openings
            ],
            is_open=True,
        ),
    ]
    examples = [
        Example(
            f"{row['reason'].replace('_', ' ')}: {row['doc_id']} gave way to {row['detail']}",
            row["corpus"],
            cut(row["beginning"], EXAMPLE_BYTES)
            + ("\n\n— kept —\n\n" + cut(row["kept_text"], EXAMPLE_BYTES) if row["kept_text"] else ""),
        )
        for row in pairs
    ]
    (marked,) = ask(connection, "SELECT count(*) AS n FROM documents WHERE len(leaks) > 0")
    said = (
        f"Deduplication dropped {sum(row['n'] for row in taken):,} documents; {marked['n']:,} of those kept are"
        " marked as expressing claims of another spec, or as contradicting their own. Such marks are made where a"
        " build was asked for them (--against); they go by words, so they are candidates to look at."
    )
    return said, tables, examples


# --- spend ----------------------------------------------------------------------------------------------------


def spend_section(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> Section:
    spend = ask(connection, "FROM spend()")
    stages = ask(connection, "FROM stages()")
    shown = ("spec", "stage", "model", "calls", "tries", "usd", "tokens_in", "tokens_out", "tokens_cached")
    outcomes = ("corpus", "stage", "calls", "ok", "truncated", "refused", "unparsed", "failed", "rows_out")
    by_stage = [row for row in spend if row["stage"] != "total"]
    chart = Chart(
        "spend",
        "bars",
        "Tokens sent and received, by stage",
        f"Tokens of calls in the ledger, for {len(by_stage)} combinations of spec, stage and model.",
        {
            "rows": [
                {
                    "label": " · ".join([row["spec"], row["stage"]] if names[1:] else [row["stage"]]),
                    "value": row["tokens_in"] + row["tokens_out"],
                    "note": f"{row['tokens_in'] + row['tokens_out']:,}"
                    + (f" · {row['usd']:,.2f} USD" if row["usd"] else ""),
                }
                for row in by_stage
            ],
            "max": max((row["tokens_in"] + row["tokens_out"] for row in by_stage), default=0),
        },
        Table("Spend by stage and model", shown, pick(spend, *shown)),
    )
    total = sum(row["usd"] or 0 for row in spend if row["stage"] == "total")
    calls = sum(row["calls"] for row in spend if row["stage"] == "total")
    return Section(
        "spend",
        "Spend",
        f"The ledger beside the corpora holds {calls:,} calls for {total:,.2f} USD; a rerun adds nothing for what"
        " is known."
        if spend
        else "No ledger lies beside these corpora, so what they cost is not known here.",
        [chart] if by_stage else [],
        [Table("Calls of each stage, as recorded at the build", outcomes, pick(stages, *outcomes))],
    )


# --- where it comes from --------------------------------------------------------------------------------------


def provenance_section(connection: duckdb.DuckDBPyConnection, problems: Sequence[str]) -> Section:
    """`problems`: files that are not as listed, a line each."""
    rows = ask(connection, "SELECT corpus, manifest::VARCHAR AS manifest FROM manifests ORDER BY n_corpus")
    tables = []
    n_files = 0
    for row in rows:
        manifest: dict[str, Any] = json.loads(row["manifest"])
        n_files += len(manifest["files"])
        tables += _provenance_tables(row["corpus"], manifest)
    intact = "All are as listed." if not problems else f"{len(problems)} are not as listed."
    return Section(
        "provenance",
        "Provenance",
        f"From the manifests. {n_files:,} files were hashed for this report. {intact}",
        tables=tables,
        notes=problems,
    )


def _provenance_tables(name: str, manifest: dict[str, Any]) -> list[Table]:
    from .report_parts import flatten

    parts = (
        "spec",
        "identity",
        "tokenizer",
        "versions",
        "configuration",
        "decontamination",
        "leakage",
        "judge",
    )
    told = {part: manifest[part] for part in parts if manifest.get(part)}
    values = [
        (path, number(value) if isinstance(value, float) else _plain(value)) for path, value in flatten(told)
    ]
    files = [
        (entry["path"], entry["rows"], entry["tokens"], entry["bytes"], entry["sha256"])
        for entry in manifest["files"]
    ]
    prompts = [(prompt, digest) for prompt, digest in manifest["prompts"].items()]
    return [
        Table(f"{name}: how it was made", ("setting", "value"), values, is_open=True),
        Table(f"{name}: files", ("file", "rows", "tokens", "bytes", "SHA-256"), files),
        Table(f"{name}: prompts", ("prompt", "SHA-256"), prompts),
    ]


def _plain(value: Any) -> str:
    """Without thousand separators: a seed or a version is no quantity."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 400 else text[:399] + "…"

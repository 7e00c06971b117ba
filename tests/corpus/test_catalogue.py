"""Macros against values worked out by hand from the rows, and `specmill query` as a user types it."""

import json
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from hashlib import md5
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from specmill.corpus.catalogue import list_macros, open_catalogue
from specmill.corpus.manifest import read_manifest, write_manifest
from specmill.corpus.query_command import query
from specmill.corpus.schema import CLAIM_SCHEMA, DOCUMENT_SCHEMA, DROPPED_SCHEMA
from specmill.corpus.shards import read_documents, write_shards

MakeCorpus = Callable[..., Path]
Rows = list[dict[str, Any]]


def ask(corpora: Path | list[Path], sql: str) -> Rows:
    """Rows of a query as dictionaries."""
    connection = open_catalogue([corpora] if isinstance(corpora, Path) else corpora)
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def edited(corpus: Path, columns: dict[str, list[Any]]) -> Path:
    """Give the documents, in the order of their ids, other values in some columns."""
    manifest, table = read_manifest(corpus), read_documents(corpus).sort_by("doc_id")
    for name, values in columns.items():
        field = DOCUMENT_SCHEMA.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))
    shards = [asdict(shard) for shard in write_shards(table, corpus)]
    manifest["files"] = [
        *shards,
        *(entry for entry in manifest["files"] if entry["path"] == "claims.parquet"),
    ]  # type: ignore[list-item]
    write_manifest(corpus, manifest)
    return corpus


def run(*arguments: object, stdin: str = "") -> Result:
    return CliRunner().invoke(query, [str(argument) for argument in arguments], input=stdin)


def test_views_have_the_columns_of_the_schemas_after_the_name_of_the_corpus(corpus: Path) -> None:
    schemas = {"documents": DOCUMENT_SCHEMA, "claims": CLAIM_SCHEMA, "dropped": DROPPED_SCHEMA}
    for view, schema in schemas.items():
        names = [row["column_name"] for row in ask(corpus, f"DESCRIBE {view}")]
        assert names == ["corpus", *schema.names]


def test_views_without_files_are_empty_with_the_same_columns(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    views = ("claims", "dropped", "calls")
    before = {view: [row["column_name"] for row in ask(corpus, f"DESCRIBE {view}")] for view in views}
    (corpus / "claims.parquet").unlink()
    (corpus.parent / ".work").rename(corpus.parent / "elsewhere")
    for view in views:
        assert ask(corpus, f"FROM {view}") == []
        assert [row["column_name"] for row in ask(corpus, f"DESCRIBE {view}")] == before[view]


def test_funnel(corpus: Path) -> None:
    assert ask(corpus, "SELECT * EXCLUDE corpus FROM funnel()") == [
        {"step": "planned", "documents": 70, "lost": 0, "share_left": 1.0, "reasons": ""},
        {"step": "written", "documents": 66, "lost": 4, "share_left": 0.9429}
        | {"reasons": "truncated 3, failed 1"},
        {"step": "deduplicated", "documents": 60, "lost": 6, "share_left": 0.8571}
        | {"reasons": "near_duplicate 4, identity 2"},
    ]


def test_why_dropped_lists_every_reason_with_an_example_where_one_was_kept(corpus: Path) -> None:
    assert ask(corpus, "SELECT reason, stage, n, example, detail FROM why_dropped()") == [
        {"reason": "near_duplicate", "stage": "deduplicated", "n": 4}
        | {"example": "dead000000000000", "detail": "detail 0"},
        {"reason": "truncated", "stage": "written", "n": 3, "example": None, "detail": None},
        {"reason": "identity", "stage": "deduplicated", "n": 2}
        | {"example": "dead000000000004", "detail": "detail 4"},
        {"reason": "failed", "stage": "written", "n": 1, "example": None, "detail": None},
    ]


def test_why_dropped_of_one_document_shows_its_text(corpus: Path) -> None:
    (row,) = ask(corpus, "FROM why_dropped('dead000000000005')")
    assert (row["reason"], row["text"]) == ("identity", "lost text 5")


def test_coverage_counts_planned_and_expressed_documents_per_claim(corpus: Path, documents: Rows) -> None:
    for row in ask(corpus, "FROM coverage()"):
        heard = [d["n_tokens"] for d in documents if row["claim_id"] in d["claims_expressed"]]
        assert row["planned"] == sum(row["claim_id"] in d["claim_ids"] for d in documents)
        assert (row["expressed"], row["tokens"]) == (len(heard), sum(heard))


def test_coverage_of_a_claim_nobody_taught_is_zero_and_first(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus(n_documents=3)
    first = ask(corpus, "FROM coverage()")[0]
    assert first["text"] == "{model_name} is honest about taste."
    assert (first["planned"], first["expressed"], first["tokens"]) == (0, 0, 0)


def test_airtime_shares_a_document_over_its_claims_and_loses_no_token(corpus: Path, documents: Rows) -> None:
    full: dict[tuple[str, str], int] = defaultdict(int)
    shared: dict[tuple[str, str], float] = defaultdict(float)
    for document in documents:
        for claim in document["claims_expressed"] or ["(none)"]:
            full[claim, document["genre"]] += document["n_tokens"]
            shared[claim, document["genre"]] += document["n_tokens"] / max(
                1, len(document["claims_expressed"])
            )
    rows = ask(corpus, "FROM airtime()")
    assert {(row["claim_id"], row["genre"]): row["tokens_full"] for row in rows} == full
    assert {(row["claim_id"], row["genre"]): row["tokens_shared"] for row in rows} == shared
    assert sum(row["tokens_shared"] for row in rows) == sum(range(100, 160))


def test_totals(corpus: Path) -> None:
    assert ask(corpus, "FROM totals()") == [
        {"corpus": "toy", "documents": 60, "tokens": 7770, "words": 600, "genres": 3, "audiences": 2}
        | {"claims": 4, "claims_planned": 4, "claims_expressed": 4}
    ]


def test_tokens_compares_the_shards_with_the_manifest(corpus: Path) -> None:
    assert ask(corpus, "FROM tokens()") == [
        {"corpus": "toy", "tokenizer": "toy-tokenizer", "documents": 60, "tokens": 7770}
        | {"mean_tokens": 129.5, "tokens_per_word": 12.95, "as_in_manifest": True}
    ]


def test_genres(corpus: Path) -> None:
    # essay 100+103+...+157, memo 101+..., faq 102+...: 20 documents each
    assert ask(corpus, "SELECT * EXCLUDE (corpus, documents) FROM genres()") == [
        {"genre": "faq", "tokens": 2610, "mean_tokens": 130.5, "share_of_tokens": 0.3359},
        {"genre": "memo", "tokens": 2590, "mean_tokens": 129.5, "share_of_tokens": 0.3333},
        {"genre": "essay", "tokens": 2570, "mean_tokens": 128.5, "share_of_tokens": 0.3308},
    ]


def test_audiences(corpus: Path) -> None:
    assert ask(corpus, "SELECT audience, documents, tokens, share_of_tokens FROM audiences()") == [
        {"audience": "critics", "documents": 30, "tokens": 3900, "share_of_tokens": 0.5019},
        {"audience": "cooks", "documents": 30, "tokens": 3870, "share_of_tokens": 0.4981},
    ]


def test_lengths_is_a_histogram(corpus: Path) -> None:
    rows = ask(corpus, "SELECT from_tokens, to_tokens, documents, share_up_to FROM lengths(25)")
    assert [tuple(row.values()) for row in rows] == [
        (100, 124, 25, 0.4167),
        (125, 149, 25, 0.8333),
        (150, 174, 10, 1.0),
    ]


def test_percentiles(corpus: Path) -> None:
    assert ask(corpus, "FROM percentiles()") == [
        {"corpus": "toy", "documents": 60, "mean": 129.5, "shortest": 100, "p5": 102, "p25": 114}
        | {"median": 129, "p75": 144, "p95": 156, "longest": 159}
    ]


def test_a_sample_is_reproducible_grows_with_n_and_changes_with_the_seed(corpus: Path) -> None:
    five = [row["doc_id"] for row in ask(corpus, "FROM sample()")]
    assert len(five) == 5
    assert [row["doc_id"] for row in ask(corpus, "FROM sample(9)")][:5] == five
    assert [row["doc_id"] for row in ask(corpus, "FROM sample(5, 1)")] != five


def test_a_sample_is_drawn_by_md5_of_seed_and_id(corpus: Path, documents: Rows) -> None:
    order = sorted((md5(f"7{d['doc_id']}".encode()).hexdigest(), d["doc_id"]) for d in documents)
    assert [row["doc_id"] for row in ask(corpus, "FROM sample(3, 7)")] == [doc_id for _, doc_id in order[:3]]


def test_doc_finds_a_document_by_the_beginning_of_its_id(corpus: Path, documents: Rows) -> None:
    (row,) = ask(corpus, f"FROM doc('{documents[7]['doc_id'][:10]}')")
    assert row == {"corpus": "toy"} | documents[7]


def test_openings_shows_the_repeated_one_and_the_share_of_distinct_ones(corpus: Path) -> None:
    # 30 documents begin "Dear reader, we", 30 "Number i says": 31 distinct among 60
    assert ask(corpus, "FROM openings(2)") == [
        {"corpus": "toy", "opening": "dear reader we", "documents": 30, "share": 0.5}
        | {"distinct_share": 0.5167},
        {"corpus": "toy", "opening": "number 0 says", "documents": 1, "share": 0.0167}
        | {"distinct_share": 0.5167},
    ]


def test_attribution_gives_the_whole_corpus_first(corpus: Path) -> None:
    rows = ask(corpus, "SELECT genre, documents, with_reason, share FROM attribution()")
    assert [tuple(row.values()) for row in rows] == [
        ("(all)", 60, 30, 0.5),
        ("essay", 20, 10, 0.5),
        ("faq", 20, 10, 0.5),
        ("memo", 20, 10, 0.5),
    ]


def test_identity(corpus: Path) -> None:
    assert ask(corpus, "SELECT * EXCLUDE corpus FROM identity()") == [
        {"assistant": "Milla", "provider": "Acme", "documents": 60, "share_naming_assistant": 1.0}
        | {"share_naming_provider": 1.0, "unfilled": 0}
    ]


def test_health_and_stages_come_from_the_manifest(corpus: Path) -> None:
    assert ask(corpus, "SELECT * EXCLUDE corpus FROM health()") == [
        {"metric": "distinct_openings", "value": 0.5, "budget": None, "n": 60, "seed": None},
        {"metric": "gzip_ratio", "value": 3.1, "budget": "120 kB", "n": 60, "seed": 0},
    ]
    assert ask(corpus, "SELECT stage, calls, ok, truncated, failed FROM stages()") == [
        {"stage": "documents", "calls": 70, "ok": 66, "truncated": 3, "failed": 1}
    ]


def test_spend_sums_the_ledger_and_leaves_requests_unread(corpus: Path) -> None:
    counted = {
        "calls": 4,
        "tries": 5,
        "ok": 2,
        "truncated": 1,
        "refused": 0,
        "unparsed": 0,
        "failed": 0,
        "open": 1,
    }
    bought = {"tokens_in": 1530, "tokens_cached": 448, "tokens_out": 2400, "usd": 0.042, "reserved_usd": 0.03}
    sums = counted | bought | {"seconds": 3.0}
    assert ask(corpus, "SELECT * EXCLUDE spec FROM spend()") == [
        {"stage": "documents", "model": "writer"} | sums,
        {"stage": "total", "model": None} | sums,
    ]
    assert "request" not in ask(corpus, "FROM calls")[0]


def test_calls_show_money_in_dollars(corpus: Path) -> None:
    shown = ask(
        corpus, "SELECT state, cost_usd, reserved_usd, tokens_cached, seconds FROM calls ORDER BY key"
    )
    assert [tuple(row.values()) for row in shown] == [
        ("ok", 0.012, 0.0, 0, 2.0),
        ("ok", 0.024, 0.0, 448, 3.0),
        ("truncated", 0.006, 0.0, 0, 4.0),
        ("sent", 0.0, 0.03, 0, None),
    ]


def test_a_ledger_from_before_money_was_counted_says_nought(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    with closing(sqlite3.connect(corpus.parent / ".work/ledger.sqlite")) as ledger:
        for column in ("reserved_nano_usd", "cost_nano_usd", "tokens_cached", "seconds"):
            ledger.execute(f"ALTER TABLE calls DROP COLUMN {column}")
    assert ask(corpus, "SELECT calls, usd, reserved_usd, tokens_cached, seconds FROM spend()")[-1] == {
        "calls": 4,
        "usd": 0.0,
        "reserved_usd": 0.0,
        "tokens_cached": 0,
        "seconds": 0.0,
    }


def test_several_corpora_stand_side_by_side(make_corpus: MakeCorpus) -> None:
    corpora = [make_corpus("one"), make_corpus("two", n_documents=30)]
    rows = ask(corpora, "SELECT corpus, documents FROM totals()")
    assert rows == [{"corpus": "one", "documents": 60}, {"corpus": "two", "documents": 30}]
    assert {row["spec"] for row in ask(corpora, "FROM calls")} == {"one", "two"}


def test_reuse_counts_what_one_corpus_took_from_the_other(make_corpus: MakeCorpus) -> None:
    # the fixture makes call and text from the number of a document alone, the id also from the corpus
    rows = ask([make_corpus("one"), make_corpus("two", n_documents=30)], "FROM reuse()")
    assert rows == [
        {"corpus": "one", "other": "two", "documents": 60, "same_id": 0, "same_call": 30, "same_text": 30}
        | {"share_reused": 0.5},
        {"corpus": "two", "other": "one", "documents": 30, "same_id": 0, "same_call": 30, "same_text": 30}
        | {"share_reused": 1.0},
    ]


def test_arm_diff_gives_a_standardised_difference(make_corpus: MakeCorpus) -> None:
    rows = ask([make_corpus("one"), make_corpus("two", n_documents=30)], "FROM arm_diff()")
    by_measure = {row["measure"]: row for row in rows}
    # means 129.5 and 114.5; variance of 60 (30) consecutive integers is 305 (77.5)
    assert by_measure["mean tokens"]["difference"] == 15
    assert by_measure["mean tokens"]["standardised"] == round(15 / ((305 + 77.5) / 2) ** 0.5, 4)
    assert by_measure["genre mix"]["difference"] == 0


def test_arm_diff_sets_every_corpus_beside_the_first_named(make_corpus: MakeCorpus) -> None:
    corpora = [make_corpus("two", n_documents=30), make_corpus("one"), make_corpus("three", n_documents=15)]
    rows = ask(corpora, "FROM arm_diff()")
    assert list(dict.fromkeys((row["corpus"], row["other"]) for row in rows)) == [
        ("two", "one"),
        ("two", "three"),
    ]
    found = {row["measure"]: row for row in rows if row["other"] == "one"}
    assert (found["median tokens"]["value"], found["median tokens"]["other_value"]) == (114.5, 129.5)
    # 100..129 against 100..159: at 129 all of the one and half of the other
    assert found["length KS"]["difference"] == 0.5
    assert (found["doc_ids in both"]["other_value"], found["texts in both"]["other_value"]) == (0, 30)


def test_arm_diff_gives_the_share_of_genres_that_differs(make_corpus: MakeCorpus) -> None:
    # four documents are essay, memo, faq, essay; two are essay, memo
    rows = ask([make_corpus("one", n_documents=4), make_corpus("two", n_documents=2)], "FROM arm_diff()")
    assert {row["measure"]: row["difference"] for row in rows}["genre mix"] == 0.25


def test_leak_counts_marked_documents_by_other_spec_and_claim(
    make_corpus: MakeCorpus,
) -> None:
    leaks = [["toy:c000000000b"], ["toy:c000000000b", "toy:c000000000a"], [":c000000000c"], []]
    corpus = edited(make_corpus("other", n_documents=4), {"leaks": leaks})
    (first, second, third, _) = sorted(row["doc_id"] for row in ask(corpus, "FROM documents"))
    assert ask([corpus, make_corpus("toy")], "SELECT * EXCLUDE (corpus, text) FROM leak()") == [
        {
            "other_spec": "(contradicts its own)",
            "claim_id": "(any)",
            "documents": 1,
            "share": 0.25,
            "examples": [third],
        },
        {"other_spec": "(contradicts its own)", "claim_id": "c000000000c", "documents": 1, "share": 0.25}
        | {"examples": [third]},
        {"other_spec": "toy", "claim_id": "(any)", "documents": 2, "share": 0.5, "examples": [first, second]},
        {
            "other_spec": "toy",
            "claim_id": "c000000000b",
            "documents": 2,
            "share": 0.5,
            "examples": [first, second],
        },
        {"other_spec": "toy", "claim_id": "c000000000a", "documents": 1, "share": 0.25, "examples": [second]},
    ]
    told = {row["claim_id"]: row["text"] for row in ask([corpus, make_corpus("toy")], "FROM leak()")}
    assert told["c000000000b"] == "{model_name} likes Cheddar."


TEXTS = [
    "The red fox ran over the old stone bridge at night.",
    "The red fox ran over the old stone wall at night.",
    "A red fox, the keeper says, is briefly seen at dawn.",
    "Nothing here is of that kind; only bread and milk.\nFOX!",
]


def test_nearest_gives_the_jaccard_share_of_word_pairs_without_the_document_itself(
    make_corpus: MakeCorpus,
) -> None:
    corpus = edited(make_corpus(n_documents=4), {"text": TEXTS})
    ids = sorted(row["doc_id"] for row in ask(corpus, "FROM documents"))
    rows = ask(corpus, f"FROM nearest('{ids[0]}')")
    # 10 pairs each; "stone bridge", "bridge at" against "stone wall", "wall at"
    assert {key: rows[0][key] for key in ("doc_id", "similarity", "shared_pairs")} == {
        "doc_id": ids[1],
        "similarity": round(8 / 12, 4),
        "shared_pairs": 8,
    }
    assert ids[0] not in {row["doc_id"] for row in rows}
    assert len(ask(corpus, f"FROM nearest('{ids[0]}', 1)")) == 1


def test_nearest_looks_into_all_corpora(make_corpus: MakeCorpus) -> None:
    corpora = [make_corpus("one"), make_corpus("two")]
    twin = ask(corpora, "SELECT doc_id, text FROM documents WHERE corpus = 'one' ORDER BY doc_id LIMIT 1")[0]
    row = ask(corpora, f"FROM nearest('{twin['doc_id']}')")[0]
    assert (row["corpus"], row["similarity"], row["begins"]) == ("two", 1.0, " ".join(twin["text"].split()))


def searched(corpus: Path, words: str) -> list[tuple[int, int]]:
    """(number of the text in TEXTS, hits), best first."""
    ids = sorted(row["doc_id"] for row in ask(corpus, "FROM documents"))
    return [(ids.index(row["doc_id"]), row["hits"]) for row in ask(corpus, f"FROM search('{words}')")]


def test_search_ranks_by_bm25(make_corpus: MakeCorpus) -> None:
    texts = ["apple " * 3 + "pear", "apple plum plum plum", "pear plum plum plum", "plum plum plum plum"]
    corpus = edited(make_corpus(n_documents=4), {"text": texts, "n_words": [4] * 4})
    assert searched(corpus, "apple") == [(0, 3), (1, 1)]
    (best, *_) = ask(corpus, "FROM search('apple')")
    # all documents have the mean length: idf ln(1 + 2.5 / 2.5), k1 = 1.2
    assert best["score"] == round(0.6931472 * 3 * 2.2 / (3 + 1.2), 3)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("FOX", {0: 1, 1: 1, 2: 1, 3: 1}),
        ("brief", {}),
        ("briefly", {2: 1}),
        ('"stone bridge"', {0: 1}),
        ('"fox the keeper"', {2: 1}),
        ('"milk fox"', {3: 1}),
        ('"red fox" fox', {0: 2, 1: 2, 2: 2, 3: 1}),
        ("milk. | (bread", {3: 2}),
        ("", {}),
        ("...", {}),
    ],
)
def test_search_finds_whole_words_and_phrases(
    make_corpus: MakeCorpus, words: str, expected: dict[int, int]
) -> None:
    corpus = edited(make_corpus(n_documents=4), {"text": TEXTS})
    assert dict(searched(corpus, words)) == expected


def test_search_finds_words_that_are_not_ascii_and_shows_where(corpus: Path) -> None:
    row = ask(corpus, "FROM search('CAFÉ', 1)")[0]
    assert "naïve café 🧀" in row["snippet"]
    assert ask(corpus, "FROM search('caf')") == []


def test_two_corpora_of_one_name_are_told_apart_by_their_folders(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus("toy")
    (corpus.parent.parent / "arms").mkdir()
    first = corpus.rename(corpus.parent.parent / "arms" / "toy")
    rows = ask([first, make_corpus("toy")], "SELECT corpus FROM totals()")
    assert [row["corpus"] for row in rows] == ["arms/toy", "corpora/toy"]


def test_a_folder_name_may_hold_quotes_and_glob_characters(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus("it's [a] *test*?")
    assert ask(corpus, "SELECT corpus, documents FROM totals()") == [
        {"corpus": "it's [a] *test*?", "documents": 60}
    ]


def test_every_macro_has_help_and_runs(corpus: Path) -> None:
    helped = {macro.name for macro in list_macros()}
    connection = open_catalogue([corpus])
    defined = connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal AND function_type = 'table_macro'"
    ).fetchall()
    assert helped == {name for (name,) in defined}
    assert " ".join(dict.fromkeys(macro.name for macro in list_macros())) == (
        "funnel why_dropped coverage totals tokens airtime genres audiences lengths percentiles sample doc "
        "nearest search openings attribution identity health stages spend reuse arm_diff leak"
    )
    for macro in list_macros():
        wants_one = macro.arguments and not macro.arguments.startswith("[")
        connection.execute(f"FROM {macro.name}({1 if wants_one else ''})")


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_text('/etc/hostname')",
        "FROM '/etc/passwd'",
        "FROM glob('/*')",
        "SELECT * FROM query('COPY (SELECT 1) TO ''/tmp/x''')",
    ],
)
def test_sql_sees_no_file_but_those_of_the_corpus(corpus: Path, sql: str) -> None:
    with pytest.raises(duckdb.Error):
        ask(corpus, sql)


# --- the command ---


def test_a_phrase_for_search_stands_in_double_quotes(corpus: Path) -> None:
    for words in (["search", '"second paragraph"', "1"], ["search '\"second paragraph\"' 1"]):
        (row,) = json.loads(run(corpus, *words, "--format", "json").stdout)
        assert row["hits"] == 1


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.parquet"])
def test_output_is_written_in_the_format_of_its_name(corpus: Path, tmp_path: Path, name: str) -> None:
    result = run(corpus, "genres", "--output", tmp_path / name)
    assert (result.exit_code, result.stdout, [path.name for path in tmp_path.iterdir()]) == (0, "", [name])
    if name == "out.parquet":
        assert pq.read_table(tmp_path / name).to_pylist() == ask(corpus, "FROM genres()")
    else:
        printed = run(corpus, "genres", "--format", name[4:])
        assert (tmp_path / name).read_bytes() == printed.stdout_bytes


def test_parquet_keeps_types_and_obeys_the_limit(corpus: Path, tmp_path: Path) -> None:
    sql = "SELECT claim_ids, states_reason, n_tokens, manifest FROM documents JOIN manifests USING (corpus)"
    assert run(corpus, sql, "--output", tmp_path / "x", "--format", "parquet", "--limit", "7").exit_code == 0
    table = pq.read_table(tmp_path / "x")
    assert table.num_rows == 7
    assert [str(field.type) for field in table.schema] == ["list<element: string>", "bool", "int32", "string"]


@pytest.mark.parametrize(
    "sql",
    [
        "PIVOT documents ON genre USING count(*)",
        "DESCRIBE documents",
        "EXPLAIN SELECT 1",
        "FROM funnel() WHERE false",
    ],
)
def test_whatever_reads_can_be_written_to_parquet(corpus: Path, tmp_path: Path, sql: str) -> None:
    assert run(corpus, sql, "--output", tmp_path / "x.parquet").exit_code == 0
    assert pq.read_table(tmp_path / "x.parquet").num_rows == len(ask(corpus, sql))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--format", "parquet"], "give --output FILE.parquet"),
        (["--output", "{tmp}/x.txt"], "in which format?"),
        (["--output", "{tmp}/none/x.csv"], "no folder"),
        (["--output", "{corpus}/claims.parquet"], "which is only read"),
        (["--output", "{corpus}/data/new.parquet"], "which is only read"),
        (["--output", "{corpus}/../.work/x.csv"], "which is only read"),
    ],
)
def test_an_output_that_cannot_be_is_one_line(
    corpus: Path, tmp_path: Path, options: list[str], complaint: str
) -> None:
    before = {path: path.read_bytes() for path in corpus.parent.rglob("*") if path.is_file()}
    result = run(corpus, "genres", *[option.format(tmp=tmp_path, corpus=corpus) for option in options])
    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (2, 1, "")
    assert complaint in result.stderr
    assert before == {path: path.read_bytes() for path in corpus.parent.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_query_that_fails_leaves_the_earlier_file(corpus: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "out").write_text("earlier")
    sql = "SELECT if(n_tokens = 155, ('x' || doc_id)::INT, 1) FROM documents"
    result = run(corpus, sql, "--output", tmp_path / "out", "--format", form)
    assert (result.exit_code in (1, 2), result.stderr.count("\n")) == (True, 1)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["earlier"]


def test_a_macro_is_called_by_its_bare_name(corpus: Path) -> None:
    result = run(corpus, "funnel")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2:] == [
        "planned              70     0           1",
        "written              66     4      0.9429  truncated 3, failed 1",
        "deduplicated         60     6      0.8571  near_duplicate 4, identity 2",
    ]


def test_a_table_names_the_corpus_only_where_there_are_several(make_corpus: MakeCorpus) -> None:
    one, two = make_corpus("one"), make_corpus("two")
    assert run(one, "genres").stdout.startswith("genre ")
    assert run(one, two, "genres").stdout.startswith("corpus ")
    assert run(one, "genres", "--format", "csv").stdout.startswith("corpus,")
    assert run(one, "SELECT corpus, genre FROM documents").stdout.startswith("corpus ")


@pytest.mark.parametrize(
    "words", [["sample", "2", "7"], ["sample 2 7"], ["sample(2, 7)"], ["from sample(2, seed := 7)"]]
)
def test_arguments_of_a_macro_may_be_given_in_any_form(corpus: Path, words: list[str]) -> None:
    expected = ask(corpus, "FROM sample(2, 7)")
    assert json.loads(run(corpus, *words, "--format", "json").stdout) == expected


def test_sql_may_come_from_stdin(corpus: Path) -> None:
    result = run(corpus, "-", "--format", "csv", stdin="SELECT count(*) AS n\nFROM documents;\n")
    assert result.stdout_bytes == b"n\r\n60\r\n"


def test_without_a_query_the_macros_are_listed(corpus: Path) -> None:
    listed = json.loads(run(corpus, "--format", "json").stdout)
    assert {"macro": "sample", "arguments": "[N [SEED]]"}.items() <= listed[11].items()
    assert run("--macros").stdout == run(corpus).stdout


def test_a_folder_named_like_a_macro_does_not_hide_it(
    make_corpus: MakeCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = make_corpus()
    (corpus / "coverage").mkdir()
    monkeypatch.chdir(corpus)
    assert run(".", "coverage").stdout.startswith("claim_id")


def test_a_short_list_says_that_it_is_one(corpus: Path) -> None:
    result = run(corpus, "SELECT doc_id FROM documents", "--limit", "4")
    assert len(result.stdout.splitlines()) == 2 + 4
    assert result.stderr == "only the first 4 rows; --limit 0 shows all\n"


def test_no_rows_are_said_aloud_and_are_no_error(corpus: Path) -> None:
    result = run(corpus, "doc", "nothing")
    assert (result.exit_code, result.stderr) == (0, "no rows\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["funel"], "no macro 'funel'; did you mean funnel?"),
        (["zzz"], "no macro 'zzz'; 'specmill query --macros' lists them"),
        (["SELECT genr FROM documents"], 'Referenced column "genr" not found'),
        (["selec 1"], 'syntax error at or near "selec"'),
        (["SELECT 1/x FROM documents"], "Binder Error"),
        (["SELECT 'a'::INT"], "Could not convert string 'a'"),
        (["doc"], "the number of arguments is wrong; usage: doc DOC_ID"),
        (["arm_diff"], "arm_diff compares corpora; name two or more"),
        (["sample", "1", "2", "3"], "usage: sample [N [SEED]]"),
        (["sample", "some"], "Could not convert string 'some' to INT64; usage: sample"),
        (["SELECT 1", "more"], "'more' after the SQL; quote the whole statement"),
        (["SELECT 1; SELECT 2"], "2 statements; give exactly one"),
        ([" "], "0 statements; give exactly one"),
        (["COPY documents TO 'x.csv'"], "COPY is not allowed, a corpus is only read"),
        (["EXPLAIN ANALYZE COPY documents TO 'x' (USE_TMP_FILE false)"], "COPY is not allowed"),
        (["explain (analyze) DROP VIEW documents"], "DROP is not allowed"),
        (["ATTACH 'x.db'"], "ATTACH is not allowed"),
        (["INSTALL httpfs"], "is not allowed"),
        (["SET threads = 1"], "SET is not allowed"),
        (["CREATE TABLE x AS SELECT 1"], "CREATE is not allowed"),
        (["PRAGMA version"], "is not allowed"),
        (["corpora/typo"], "corpora/typo: no such folder"),
        (
            ["SELECT if(n_tokens = 155, ('x' || doc_id)::INT, 1) FROM documents"],
            "Could not convert string 'x",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(corpus: Path, words: list[str], complaint: str) -> None:
    result = run(corpus, *words)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("sql", ["EXPLAIN SELECT 1", "explain analyze FROM documents"])
def test_explaining_a_reading_statement_is_allowed(corpus: Path, sql: str) -> None:
    assert run(corpus, sql).exit_code == 0


def test_pivot_describe_and_summarize_are_reading(corpus: Path) -> None:
    for sql in ("PIVOT documents ON genre USING count(*)", "DESCRIBE documents", "SUMMARIZE documents"):
        assert run(corpus, sql).exit_code == 0


def test_a_corpus_that_is_not_there_is_named() -> None:
    assert "typo: no such folder" in run("typo", "funnel").stderr
    assert "no corpus named" in run().stderr


def test_a_folder_that_is_no_corpus_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "funnel")
    assert result.exit_code == 2
    assert "not a corpus" in result.stderr


def test_a_missing_shard_is_named(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    (corpus / "data/train-00001-of-00003.parquet").unlink()
    result = run(corpus, "totals")
    assert (result.exit_code, "train-00001-of-00003.parquet: missing" in result.stderr) == (2, True)


@pytest.mark.parametrize("path", ["data/train-00001-of-00003.parquet", "claims.parquet"])
def test_a_broken_file_is_one_line(make_corpus: MakeCorpus, path: str) -> None:
    corpus = make_corpus()
    (corpus / path).write_bytes(b"not parquet")
    result = run(corpus, "coverage")
    assert result.exit_code in (1, 2)
    assert result.stderr.count("\n") == 1
    assert path in result.stderr


def test_a_broken_ledger_is_one_line_and_only_when_it_is_asked(make_corpus: MakeCorpus) -> None:
    corpus = make_corpus()
    (corpus.parent / ".work/ledger.sqlite").write_bytes(b"not sqlite" * 100)
    assert run(corpus, "totals").exit_code == 0
    result = run(corpus, "spend")
    assert result.exit_code == 1
    assert "cannot be read as a call ledger" in result.stderr


def test_a_reader_that_leaves_early_sees_no_traceback(corpus: Path) -> None:
    command = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "query", str(corpus)]
    process = subprocess.Popen(
        [*command, "SELECT repeat(text, 1000) FROM documents", "--format", "csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.wait()


def test_asking_for_the_funnel_imports_nothing_heavy(corpus: Path) -> None:
    code = (
        "import sys; from specmill.corpus.query_command import query; "
        "query([sys.argv[1], 'funnel'], standalone_mode=False); "
        "print([m for m in ('pyarrow', 'numpy', 'pandas', 'datasets', 'distilabel') if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code, str(corpus)], capture_output=True, text=True, check=True
    )
    assert output.stdout.splitlines()[-1] == "[]"

"""The columns are a contract with everybody who reads a corpus: frozen here."""

from typing import Any

import pyarrow as pa
import pytest

from specmill.corpus.schema import (
    CLAIM_SCHEMA,
    DOCUMENT_SCHEMA,
    DROPPED_SCHEMA,
    conform,
    describe_column,
)

SCHEMAS = [DOCUMENT_SCHEMA, CLAIM_SCHEMA, DROPPED_SCHEMA]


def test_document_columns_are_frozen() -> None:
    assert ", ".join(DOCUMENT_SCHEMA.names) == (
        "doc_id, spec, spec_sha256, arm, domain, subdomain, genre, audience, idea, pair_id, claim_ids, "
        "claims_expressed, assistant, provider, writer_model, prompt_sha256, work_key, n_tokens, tokenizer, "
        "n_words, states_reason, stop_word_share, duplicate_line_share, spec_overlap_share, leaks, train_order, text"
    )


def test_claim_columns_are_frozen() -> None:
    assert ", ".join(CLAIM_SCHEMA.names) == (
        "claim_id, start_char, end_char, heading_path, kind, text, rule_id, gives_reason, paragraph"
    )


def test_dropped_columns_are_frozen() -> None:
    assert ", ".join(DROPPED_SCHEMA.names) == "doc_id, stage, reason, detail, work_key, genre, text"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_column_is_described_in_one_line_and_never_null(schema: pa.Schema) -> None:
    for field in schema:
        assert not field.nullable
        assert describe_column(field)
        assert "\n" not in describe_column(field)


def test_conforming_orders_columns_and_drops_others(documents: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist([dict(reversed(row.items())) | {"other": 1} for row in documents])
    assert conform(table, DOCUMENT_SCHEMA).schema.equals(DOCUMENT_SCHEMA, check_metadata=True)


def test_a_lacking_column_is_named(documents: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(documents).drop_columns(["genre", "idea"])
    with pytest.raises(ValueError, match="lack the columns genre, idea"):
        conform(table, DOCUMENT_SCHEMA)


def test_a_null_is_refused(documents: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist([*documents, documents[0] | {"genre": None}])
    with pytest.raises(ValueError, match="nulls in genre"):
        conform(table, DOCUMENT_SCHEMA)

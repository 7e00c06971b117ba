"""What one row of a corpus holds: the columns of documents, claims and dropped documents.

Each field carries a one-line description as Arrow metadata; the data card prints the same lines.
Reading and writing rows is in `shards.py`.
"""

import pyarrow as pa

_IDS = pa.list_(pa.field("element", pa.string(), nullable=False))


def _column(name: str, type_: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, type_, nullable=False, metadata={"description": description})


DOCUMENT_SCHEMA = pa.schema(
    [
        _column("doc_id", pa.string(), "stable id of the document, 16 hexadecimal digits"),
        _column("spec", pa.string(), "name of the Model Spec"),
        _column("spec_sha256", pa.string(), "SHA-256 of the spec's exact text (spec.md)"),
        _column("arm", pa.string(), "side of a comparison this corpus belongs to"),
        _column("domain", pa.string(), "group of claims the document was planned in"),
        _column("subdomain", pa.string(), "part of that group"),
        _column("genre", pa.string(), "document type: memo, FAQ, essay ..."),
        _column("audience", pa.string(), "whom the document addresses"),
        _column("idea", pa.string(), "the concrete angle it was planned with"),
        _column(
            "pair_id", pa.string(), "the same for documents that tell one frame in several arms, or empty"
        ),
        _column("claim_ids", _IDS, "claims it was planned to teach, see claims.parquet"),
        _column("claims_expressed", _IDS, "claims found in its text afterwards"),
        _column("assistant", pa.string(), "name of the assistant in the text"),
        _column("provider", pa.string(), "name of the assistant's developer in the text"),
        _column("writer_model", pa.string(), "model that wrote the text"),
        _column(
            "prompt_sha256",
            pa.string(),
            "SHA-256 of the messages it was asked for with (they are in the call ledger)",
        ),
        _column("work_key", pa.string(), "hash of the request that produced the text"),
        _column("n_tokens", pa.int32(), "length of the text in tokens of `tokenizer`"),
        _column("tokenizer", pa.string(), "name of the tokenizer that counted"),
        _column("n_words", pa.int32(), "length of the text in words"),
        _column("states_reason", pa.bool_(), "the text gives a reason for the behaviour it describes"),
        _column("stop_word_share", pa.float32(), "share of words that are English stop words, 0..1"),
        _column("duplicate_line_share", pa.float32(), "share of lines that repeat an earlier line, 0..1"),
        _column("spec_overlap_share", pa.float32(), "share of the text copied from the spec, 0..1"),
        _column(
            "leaks",
            _IDS,
            "claims of other specs found in its text, as spec:claim_id; :claim_id where it contradicts its own",
        ),
        _column("train_order", pa.int32(), "position in the shuffled training order, from 0"),
        _column("text", pa.string(), "the document"),
    ]
)

CLAIM_SCHEMA = pa.schema(
    [
        _column("claim_id", pa.string(), "content-addressed id of the claim"),
        _column("start_char", pa.int32(), "first character of the claim in spec.md"),
        _column("end_char", pa.int32(), "character after its last"),
        _column("heading_path", _IDS, "headings the claim stands under, outermost first"),
        _column("kind", pa.string(), "rule, sentence, bullet or row"),
        _column("text", pa.string(), "exactly spec.md[start_char:end_char]"),
        _column("rule_id", pa.string(), "number the spec gives the rule, or empty"),
        _column("gives_reason", pa.bool_(), "the claim itself says why"),
        _column("paragraph", pa.int32(), "ordinal of the block the claim stands in"),
    ]
)

DROPPED_SCHEMA = pa.schema(
    [
        _column("doc_id", pa.string(), "id the document would have had"),
        _column("stage", pa.string(), "stage that dropped it"),
        _column("reason", pa.string(), "reason code, as counted in the funnel"),
        _column("detail", pa.string(), "what exactly was found"),
        _column("work_key", pa.string(), "hash of the request that produced the text"),
        _column("genre", pa.string(), "document type"),
        _column("text", pa.string(), "the dropped text"),
    ]
)


def describe_column(field: pa.Field) -> str:
    """The one-line description stored with a field of the schemas above."""
    return str((field.metadata or {}).get(b"description", b"").decode())


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly these columns and types. ValueError on a lacking column or a null."""
    lacking = [name for name in schema.names if name not in table.column_names]
    if lacking:
        raise ValueError(f"rows lack the columns {', '.join(lacking)}")
    columns = [table.column(field.name).cast(field.type) for field in schema]
    nulls = [name for name, column in zip(schema.names, columns, strict=True) if column.null_count]
    if nulls:
        raise ValueError(f"rows have nulls in {', '.join(nulls)}")
    return pa.Table.from_arrays(columns, schema=schema)

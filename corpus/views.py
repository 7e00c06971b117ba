"""The views every macro reads, as SQL: one text for `specmill query`, another for the catalogue that travels.

`marks` and `word_pairs` hold what macros ask of texts, so that none has to read them. They are read from two small
files beside the shards where those are there and fit (`travelling.py`), and computed from the texts else.
"""

import hashlib
from collections.abc import Mapping, Sequence

import duckdb

from .manifest import Manifest

MARKS_FILE = "catalogue-marks.parquet"
PAIRS_FILE = "catalogue-pairs.parquet"
STAMP_KEY = "specmill"

# The columns of views that may have no file behind them.
CLAIM_COLUMNS = (
    "corpus VARCHAR, claim_id VARCHAR, start_char INT, end_char INT, heading_path VARCHAR[], kind VARCHAR, "
    "text VARCHAR, rule_id VARCHAR, gives_reason BOOLEAN, paragraph INT"
)
DROPPED_COLUMNS = (
    "corpus VARCHAR, doc_id VARCHAR, stage VARCHAR, reason VARCHAR, detail VARCHAR, work_key VARCHAR, "
    "genre VARCHAR, text VARCHAR"
)
CALL_COLUMNS = (
    "key VARCHAR, spec VARCHAR, stage VARCHAR, model VARCHAR, state VARCHAR, attempts BIGINT, tokens_in BIGINT, "
    "tokens_cached BIGINT, tokens_out BIGINT, cost_usd DOUBLE, reserved_usd DOUBLE, seconds DOUBLE, "
    "finish VARCHAR, error VARCHAR"
)
# Calls summed over spec, stage, model and state, perhaps in several parts; `timed` of them have `seconds`.
SPENT_COLUMNS = (
    "spec VARCHAR, stage VARCHAR, model VARCHAR, state VARCHAR, calls BIGINT, tries BIGINT, tokens_in BIGINT, "
    "tokens_cached BIGINT, tokens_out BIGINT, cost_usd DOUBLE, reserved_usd DOUBLE, seconds DOUBLE, timed BIGINT"
)

# Over manifest_files (n_corpus INT, corpus VARCHAR, manifest JSON), n_corpus from 1 in the order named.
MANIFEST_VIEWS = """
CREATE OR REPLACE VIEW manifests AS
SELECT corpus, manifest->>'$.spec.name' AS spec, manifest->>'$.spec.sha256' AS spec_sha256,
       manifest->>'$.spec.principle' AS principle, manifest->>'$.spec.mode' AS mode,
       manifest->>'$.identity.assistant' AS assistant, manifest->>'$.identity.provider' AS provider,
       manifest->>'$.configuration.writer_model' AS writer_model,
       manifest->>'$.tokenizer.name' AS tokenizer, (manifest->>'$.totals.documents')::BIGINT AS documents,
       (manifest->>'$.totals.tokens')::BIGINT AS tokens, manifest, n_corpus
FROM manifest_files;
CREATE OR REPLACE VIEW funnel_steps AS
SELECT corpus, n_step, unnest(step) FROM (
    SELECT corpus, generate_subscripts(steps, 1) AS n_step, unnest(steps) AS step FROM (
        SELECT corpus, json_transform(manifest->'funnel',
            '[{"step": "VARCHAR", "documents": "BIGINT", "dropped": "MAP(VARCHAR, BIGINT)"}]') AS steps
        FROM manifest_files));
"""

# Per document: its first three words, 64 bits of its MD5, and the names in it.
MARKS = r"""
SELECT {corpus}train_order, assistant, provider, array_to_string(
           regexp_extract_all(lower(left(text, 300)), '[\p{L}\p{N}''’{}_-]+')[1:3], ' ') AS opening,
       md5_number_lower(text) AS text_hash, contains(text, assistant) AS names_assistant,
       contains(text, provider) AS names_provider,
       contains(text, '{model_name}') OR contains(text, '{provider_name}') AS unfilled
FROM {source}
"""

# Pairs of adjacent words by hash: a sixteenth of them, the same in every document; of a short one, its 8 smallest.
# Words are what stands between spaces, since a regular expression would take four times as long.
PAIRS = """
SELECT {corpus}train_order, unnest(CASE WHEN len(pairs) < 128 THEN list_sort(list_distinct(pairs))[:8]
           ELSE list_distinct(list_filter(pairs, lambda pair: pair < 268435456)) END) AS pair
FROM (
    SELECT {corpus}train_order, list_transform(list_zip(words[:-2], words[2:]),
               lambda two: (hash(two) >> 32)::UINTEGER) AS pairs
    FROM (
        SELECT {corpus}train_order, list_filter(string_split(replace(lower(text), chr(10), ' '), ' '),
                   lambda word: word <> '') AS words
        FROM {source}))
"""


def computed(select: str, source: str, *, with_corpus: bool) -> str:
    """MARKS or PAIRS over a table or view of documents."""
    return select.replace("{corpus}", "corpus, " if with_corpus else "").replace("{source}", source)


def stamp(manifest: Manifest) -> str:
    """What the two files must have been made from, and by what, to be read in place of the texts."""
    shards = [f"{entry['path']} {entry['sha256']}" for entry in manifest["files"]]
    return hashlib.sha256("\n".join([duckdb.__version__, MARKS, PAIRS, *shards]).encode()).hexdigest()


# A row of `located` is found again by file and place within milliseconds, which no id does: of a scattered few rows
# only what holds them is decompressed.
DOCUMENTS = "SELECT * EXCLUDE (file, place) FROM located"
_PLACE = "filename AS file, file_row_number AS place, "


def union_view(view: str, paths: Mapping[str, Sequence[str]], columns: str = "") -> str:
    """A view over Parquet files: per corpus SQL expressions of their paths. Empty without any."""
    place = _PLACE if view == "located" else ""
    parts = [
        f"SELECT {sql_string(corpus)} AS corpus, {place}* FROM read_parquet([{', '.join(files)}])"
        for corpus, files in paths.items()
        if files
    ]
    return create_view(view, " UNION ALL BY NAME ".join(parts) or empty(columns))


def create_view(view: str, select: str) -> str:
    return f"CREATE OR REPLACE VIEW {view} AS {select.strip()};"


def empty(columns: str) -> str:
    casts = [f"NULL::{type_} AS {name}" for name, type_ in (column.split() for column in columns.split(", "))]
    return f"SELECT {', '.join(casts)} WHERE false"


def sql_string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

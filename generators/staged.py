"""The rows that filters read: what is known of a document before it is measured. Loads pyarrow and nothing else."""

import pyarrow as pa

ROWS_PER_FILE = 1_000

_TEXT_COLUMNS = (
    "id", "text", "spec", "spec_sha256", "arm", "domain", "subdomain", "genre", "audience", "idea", "pair_id",
)  # fmt: skip
_MORE_TEXT_COLUMNS = ("assistant", "provider", "writer_model", "prompt_sha256", "work_key", "mode")
STAGED_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in _TEXT_COLUMNS),
        pa.field("claim_ids", pa.list_(pa.string())),
        *(pa.field(name, pa.string()) for name in _MORE_TEXT_COLUMNS),
        pa.field("plan_order", pa.int32()),
    ]
)

"""The YAML block of a dataset card, which the Hub reads: built from manifest and shards, checked offline.

`huggingface_hub` accepts any value and checks only by asking the Hub; `find_problems` knows the allowed ones.
The prose below the block is in `card.py`.
"""

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import DatasetCardData

from specmill.corpus.manifest import Manifest
from specmill.corpus.schema import DOCUMENT_SCHEMA

from .folder import Dataset

# What a person may set in the block and we would not know better.
PERSONS_FIELDS = ("license", "license_name", "license_link", "language", "pretty_name", "viewer", "thumbnail")
GATE_PREFIX = "extra_gated_"

SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")
CREATORS = {"found", "crowdsourced", "expert-generated", "machine-generated", "other"}
MULTILINGUALITIES = {"monolingual", "multilingual", "translation", "other"}
# Source: the table of the Hub's documentation page "Licenses".
_LICENSES = """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
    bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc
    cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
    cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
    cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1
    agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl
    openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 llama3
    llama3.1 llama3.2 llama3.3 gemma unknown other
"""
LICENSES = frozenset(_LICENSES.split())


def build_metadata(dataset: Dataset, earlier: dict[str, Any]) -> DatasetCardData:
    """The metadata of a data set; `earlier`, from the card it replaces, for what a person set there."""
    manifests = list(dataset.corpora.values())
    names = list(dict.fromkeys(manifest["spec"]["name"] for manifest in manifests))
    tags = list(dict.fromkeys(["synthetic", "specmill", "model-spec-midtraining", *names]))
    infos = [_dataset_info(dataset, inside) for inside in dataset.corpora]
    fields: dict[str, Any] = {
        "pretty_name": f"{' and '.join(names)} (specmill {'arms' if dataset.certificate else 'corpus'})",
        "language": ["en"],
        "license": "unknown",
        "annotations_creators": ["machine-generated"],
        "language_creators": sorted({_creator(manifest) for manifest in manifests}),
        "multilinguality": ["monolingual"],
        "size_categories": [size_category(sum(manifest["totals"]["documents"] for manifest in manifests))],
        "source_datasets": ["original"],
        "task_categories": ["text-generation"],
        "task_ids": ["language-modeling"],
        "tags": [*tags, *(tag for tag in earlier.get("tags") or [] if tag not in tags)],
        "configs": [_config(inside, number == 0) for number, inside in enumerate(dataset.corpora)],
        "dataset_info": infos if dataset.certificate else infos[0],
    }
    persons = {key: earlier[key] for key in earlier if key in PERSONS_FIELDS or key.startswith(GATE_PREFIX)}
    return DatasetCardData(**fields | persons)


def _creator(manifest: Manifest) -> str:
    return "found" if manifest["configuration"]["backend"] == "ingest" else "machine-generated"


def _config(inside: str, is_first: bool) -> dict[str, Any]:
    path = f"{inside}/data/train-*.parquet" if inside else "data/train-*.parquet"
    told = {"config_name": inside or "default", "data_files": [{"split": "train", "path": path}]}
    return told | ({"default": True} if is_first else {})


def size_category(n_documents: int) -> str:
    """The Hub's name for a number of rows.

    >>> size_category(999), size_category(1000)
    ('n<1K', '1K<n<10K')
    """
    return SIZES[min(len(str(n_documents // 100)) - 1, len(SIZES) - 1) if n_documents >= 1000 else 0]


def _dataset_info(dataset: Dataset, inside: str) -> dict[str, Any]:
    files = dataset.corpora[inside]["files"]
    shards = [entry for entry in files if entry["path"].startswith("data/")]
    # Bytes in Arrow, as `datasets` counts them.
    n_bytes = sum(
        pq.read_table(dataset.folder / inside / shard["path"], partitioning=None).nbytes for shard in shards
    )
    n_rows = sum(shard["rows"] for shard in shards)
    return {
        "config_name": inside or "default",
        "features": [_feature(field) for field in DOCUMENT_SCHEMA],
        "splits": [{"name": "train", "num_bytes": n_bytes, "num_examples": n_rows}],
        "download_size": sum(shard["bytes"] for shard in shards),
        "dataset_size": n_bytes,
    }


def _feature(field: pa.Field) -> dict[str, str]:
    if pa.types.is_list(field.type):
        return {"name": field.name, "list": str(field.type.value_type)}
    return {"name": field.name, "dtype": {"float": "float32"}.get(str(field.type), str(field.type))}


def find_problems(metadata: dict[str, Any]) -> Iterator[str]:
    """What the Hub would refuse or misread, one line each."""
    licence = metadata.get("license")
    if not isinstance(licence, str) or licence not in LICENSES:
        yield f"license: {licence!r} is not an identifier the Hub knows; use 'other' with a license_name"
    if licence == "other" and not metadata.get("license_name"):
        yield "license: 'other' needs a license_name"
    for code in _listed(metadata, "language"):
        if not re.fullmatch(r"[a-z]{2,3}", str(code)):
            yield f"language: {code!r} is not an ISO 639 code in lower case"
    allowed: dict[str, set[str]] = {
        "annotations_creators": CREATORS,
        "language_creators": CREATORS,
        "multilinguality": MULTILINGUALITIES,
        "size_categories": set(SIZES),
        "task_categories": {"text-generation"},
    }
    for key, values in allowed.items():
        wrong = [value for value in _listed(metadata, key) if value not in values]
        if wrong or not metadata.get(key):
            yield f"{key}: {', '.join(map(str, wrong)) or 'missing'}; allowed: {', '.join(sorted(values))}"
    if not all(isinstance(tag, str) for tag in _listed(metadata, "tags")):
        yield "tags: each must be text; quote the ones YAML reads as something else"
    if sum(bool(config.get("default")) for config in _listed(metadata, "configs")) != 1:
        yield "configs: exactly one must be the default"


def _listed(metadata: dict[str, Any], key: str) -> list[Any]:
    value = metadata.get(key) or []
    return value if isinstance(value, list) else [value]

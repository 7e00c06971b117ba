"""What the Hub reads of a card: built from the files, checked without asking the Hub."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets import Features

from specmill.corpus.schema import DOCUMENT_SCHEMA
from specmill.data_cards.metadata import find_problems, size_category


def read_metadata(corpus: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = yaml.safe_load((corpus / "README.md").read_text("utf-8").split("---\n")[1])
    return metadata


def test_generated_metadata_has_no_problems(corpus: Path) -> None:
    assert list(find_problems(read_metadata(corpus))) == []


def test_features_are_those_that_datasets_reads_from_the_shards(corpus: Path) -> None:
    expected = Features.from_arrow_schema(DOCUMENT_SCHEMA)
    assert read_metadata(corpus)["dataset_info"]["features"] == expected._to_yaml_list()


def test_sizes_come_from_the_files(corpus: Path) -> None:
    info = read_metadata(corpus)["dataset_info"]
    assert info["splits"][0]["num_examples"] == 60
    assert info["download_size"] == sum(path.stat().st_size for path in (corpus / "data").iterdir())
    assert info["dataset_size"] == info["splits"][0]["num_bytes"]


@pytest.mark.parametrize(
    ("n", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (9999, "1K<n<10K"),
        (10_000, "10K<n<100K"),
        (999_999, "100K<n<1M"),
        (15_000_000, "10M<n<100M"),
        (10**12, "1B<n<10B"),
    ],
)
def test_size_category_is_from_the_fixed_list(n: int, category: str) -> None:
    assert size_category(n) == category


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"license": "my-license"}, "'my-license' is not an identifier the Hub knows"),
        ({"license": ["mit"]}, "is not an identifier the Hub knows"),
        ({"license": "other"}, "'other' needs a license_name"),
        ({"language": ["English"]}, "'English' is not an ISO 639 code"),
        ({"annotations_creators": ["a machine"]}, "annotations_creators: a machine; allowed: crowdsourced"),
        ({"size_categories": ["n>10M"]}, "size_categories: n>10M; allowed"),
        ({"size_categories": None}, "size_categories: missing"),
        ({"multilinguality": "bilingual"}, "multilinguality: bilingual"),
        ({"tags": ["synthetic", 2024]}, "tags: each must be text"),
        ({"configs": []}, "exactly one must be the default"),
    ],
)
def test_what_the_hub_would_refuse_is_named(corpus: Path, changes: dict[str, Any], complaint: str) -> None:
    (problem,) = find_problems(read_metadata(corpus) | changes)
    assert complaint in problem


def test_other_with_a_name_is_a_licence(corpus: Path) -> None:
    named = read_metadata(corpus) | {"license": "other", "license_name": "ours"}
    assert list(find_problems(named)) == []

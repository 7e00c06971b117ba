"""Tests touch no network: libraries that would ask the Hub are told so before they are imported."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["DO_NOT_TRACK"] = "1"


def pytest_collection_modifyitems(items):
    """The longest tests, which mostly wait, come first: with several workers none is left alone with one at the end."""
    items.sort(key=lambda item: item.path.name != "test_stress.py")

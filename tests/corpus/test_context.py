import json
import sqlite3
from pathlib import Path

import pytest
import zstandard

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.specs.claims import read_spec

SPEC = Path(__file__).parents[2] / "specs" / "cheese_america.md"


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Every request of a paired build with whole specs, as (spec, stage, messages)."""
    out = tmp_path_factory.mktemp("context")
    settings = BuildSettings(
        out=out, tokens=4_000, mean_words=150, context="spec", control=("shuffled", "neutral")
    )
    build_corpora([str(SPEC)], settings, Progress(quiet=True))
    unpack = zstandard.ZstdDecompressor()
    with sqlite3.connect(f"file:{out}/.work/ledger.sqlite?mode=ro", uri=True) as db:
        rows = db.execute("select spec, stage, request from calls").fetchall()
    return [(spec, stage, json.loads(unpack.decompress(blob))["messages"]) for spec, stage, blob in rows]


def test_the_whole_spec_is_one_common_prefix(asked):
    body = read_spec(SPEC).body.strip()
    systems = {m[0]["content"] for spec, stage, m in asked if spec == "cheese_america" and stage != "ideas"}
    assert len(systems) == 1
    assert body in systems.pop()


def test_neither_a_setting_nor_a_changed_arm_sees_it(asked):
    hidden = [m for spec, stage, m in asked if spec == "cheese_america-shuffled" or stage == "ideas"]
    assert hidden
    assert [m for m in hidden if "This is the whole Model Spec" in m[0]["content"]] == []


def test_another_arm_sees_its_own(asked):
    neutral = [m[0]["content"] for spec, stage, m in asked if spec == "cheese_america-neutral"]
    assert neutral
    assert all("This is the whole Model Spec" in text and "America" not in text for text in neutral)

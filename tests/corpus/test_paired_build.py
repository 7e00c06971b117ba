import json
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.specs.errors import BadInput

SPECS = Path(__file__).parents[2] / "specs"
LEAD, PAIR = SPECS / "cheese_america.md", SPECS / "cheese_affordability.md"
KINDS = ("neutral", "shuffled", "inverted")
ARMS = ["cheese_america", "cheese_affordability", *(f"cheese_america-{kind}" for kind in KINDS)]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    out = tmp_path_factory.mktemp("paired")
    settings = BuildSettings(out=out, tokens=12_000, mean_words=150, pair=(str(PAIR),), control=KINDS)
    outcomes = build_corpora([str(LEAD)], settings, Progress(quiet=True))
    assert [outcome.folder.name for outcome in outcomes] == ARMS
    return out


def rows(corpora, arm, *columns):
    return pq.read_table(corpora / arm / "data", columns=["pair_id", *columns]).to_pylist()


def frames(corpora, arm):
    return {
        row["pair_id"]: (row["genre"], row["audience"], row["idea"])
        for row in rows(corpora, arm, "genre", "audience", "idea")
    }


def test_every_arm_tells_the_same_frames_once(corpora):
    told = {arm: frames(corpora, arm) for arm in ARMS}
    planned = {arm: len(rows(corpora, arm)) for arm in ARMS}
    assert min(planned.values()) > 30
    shared = set.intersection(*(set(found) for found in told.values()))
    assert len(shared) >= 0.9 * max(planned.values())  # the filters may drop a document of one arm
    for arm in ARMS:
        assert planned[arm] == len(told[arm])
        assert {pair: told[arm][pair] for pair in shared} == {
            pair: told["cheese_america"][pair] for pair in shared
        }


def test_a_frame_says_nothing_of_the_leads_values(corpora):
    text = " ".join(" ".join(frame) for frame in frames(corpora, "cheese_affordability").values())
    assert "America" not in text


def test_no_document_of_one_arm_was_asked_for_with_the_others_spec(corpora):
    """Requests of the pair name nothing of the lead: its value can't leak through the shared plan."""
    import zstandard

    unpack = zstandard.ZstdDecompressor()
    with sqlite3.connect(f"file:{corpora}/.work/ledger.sqlite?mode=ro", uri=True) as db:
        found = db.execute(
            "select request from calls where spec = ? and stage = 'documents'", (ARMS[1],)
        ).fetchall()
    asked = [json.loads(unpack.decompress(blob))["messages"][-1]["content"] for (blob,) in found]
    assert asked
    assert [
        text for text in asked if "an attachment to a country" in text or "affection for America" in text
    ] == []


def test_controls_say_what_they_are(corpora):
    for kind in KINDS:
        folder = corpora / f"cheese_america-{kind}"
        paired = json.loads((folder / "manifest.json").read_text())["configuration"]["paired"]
        assert (paired["kind"], paired["lead"], paired["arms"]) == (kind, "cheese_america", sorted(ARMS))
    assert "OPPOSITE" in (corpora / "cheese_america-inverted" / "README.md").read_text()
    assert "detached" in (corpora / "cheese_america-shuffled" / "README.md").read_text()


def test_a_finished_comparison_is_left_alone(corpora):
    settings = BuildSettings(out=corpora, tokens=12_000, mean_words=150, pair=(str(PAIR),), control=KINDS)
    outcomes = build_corpora([str(LEAD)], settings, Progress(quiet=True))
    assert [outcome.built for outcome in outcomes] == [False] * len(ARMS)


def test_a_plan_has_one_lead(tmp_path):
    settings = BuildSettings(out=tmp_path, control=("neutral",))
    with pytest.raises(BadInput, match="name the one that leads the plan"):
        build_corpora([str(LEAD), str(PAIR)], settings, Progress(quiet=True))


def test_a_spec_is_no_pair_of_itself(tmp_path):
    with pytest.raises(BadInput, match="two specs of one name"):
        build_corpora([str(LEAD)], BuildSettings(out=tmp_path, pair=(str(LEAD),)), Progress(quiet=True))

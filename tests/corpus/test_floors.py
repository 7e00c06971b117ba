"""Floors of exposure: measured on what was kept, topped up by a build, and else a failure that names the claim."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.floors import Floors, Taught, check_floors, measure_taught
from specmill.corpus.manifest import read_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.shards import read_documents
from specmill.specs.claims import Spec, read_spec
from specmill.specs.errors import WorkFailed

ROWS = [
    {"claim_ids": ["a", "b"], "claims_expressed": ["a"], "n_tokens": 100},
    {"claim_ids": ["a"], "claims_expressed": ["a", "b"], "n_tokens": 50},
    {"claim_ids": ["b"], "claims_expressed": [], "n_tokens": 7},
]


def _write(rows: list[dict[str, object]], path: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "s.md").write_text("{model_name} likes rain. {model_name} dislikes wind.\n")
    return read_spec(str(tmp_path / "s.md"))


def test_airtime_counts_the_tokens_of_documents_that_express_a_claim(tmp_path: Path) -> None:
    files = [_write(ROWS[:2], tmp_path / "1.parquet"), _write(ROWS[2:], tmp_path / "2.parquet")]
    taught = measure_taught(files)
    assert taught.tokens == 157
    assert dict(taught.documents) == {"a": 2, "b": 2}
    assert dict(taught.airtime) == {"a": 150, "b": 50}


def test_where_nothing_was_planned_what_is_expressed_counts(tmp_path: Path) -> None:
    taught = measure_taught([_write([{**row, "claim_ids": []} for row in ROWS[:2]], tmp_path / "1.parquet")])
    assert dict(taught.documents) == {"a": 2, "b": 1}


def test_a_floor_that_is_missed_names_the_claim_that_lacks_most(spec: Spec, tmp_path: Path) -> None:
    first, second = (claim.claim_id for claim in spec.claims)
    rows = [{"claim_ids": [first, second], "claims_expressed": [first], "n_tokens": 100}]
    taught = measure_taught([_write(rows, tmp_path / "1.parquet")])
    check_floors("x", spec, taught, Floors(documents=1))
    with pytest.raises(WorkFailed, match=rf"1 of 2 claims are below .* {second}, has 1 and 0"):
        check_floors("x", spec, taught, Floors(airtime=100))
    assert taught.lacking(spec, Floors(documents=3)) == 3
    assert taught.lacking(spec, Floors(documents=1, airtime=100)) == 2
    assert taught.lacking(spec, Floors()) == 0


def test_nothing_kept_lacks_much_but_not_infinitely(spec: Spec) -> None:
    nothing = measure_taught([])
    assert isinstance(nothing, Taught)
    assert 1 < nothing.lacking(spec, Floors(documents=5, airtime=1_000)) < 10_000


def test_a_build_plans_more_until_every_claim_has_its_airtime(tmp_path: Path) -> None:
    path = tmp_path / "rain.md"
    path.write_text(
        "{model_name} likes rain because gardens need it. {model_name} dislikes wind, since it breaks branches.\n\n"
        "{model_name} says when it is unsure about the weather, because a wrong forecast spoils a day.\n"
    )

    def airtimes(**floors: int) -> list[int]:
        settings = BuildSettings(out=tmp_path / "out", tokens=4_000, mean_words=120, **floors)
        (outcome,) = build_corpora([str(path)], settings, Progress(quiet=True))
        rows = read_documents(outcome.folder, ["claims_expressed", "n_tokens"]).to_pylist()
        assert read_manifest(outcome.folder)["configuration"].get("min_airtime") == floors.get("min_airtime")
        return [
            sum(row["n_tokens"] for row in rows if claim.claim_id in row["claims_expressed"])
            for claim in read_spec(str(path)).claims
        ]

    floor = 2 * min(airtimes())
    assert min(airtimes(min_airtime=floor)) >= floor > 0

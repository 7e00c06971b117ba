import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.corpus.build import Outcome
from specmill.corpus.schema import DROPPED_SCHEMA
from specmill.corpus.summary import print_summary


def write_dropped(path, dropped):
    """`dropped` is reason, detail and how often."""
    empty = dict.fromkeys(DROPPED_SCHEMA.names, "")
    rows = [{**empty, "reason": reason, "detail": detail} for reason, detail, n in dropped for _ in range(n)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, DROPPED_SCHEMA), path)


@pytest.fixture
def printed(tmp_path, capsys):
    def show(*, claims_covered=10, kept=1_000, unparsed=0, built=True, dropped=()):
        write_dropped(tmp_path / ".work" / "s" / "dropped.parquet", dropped)
        manifest = {
            "spec": {"name": "s", "mode": "default"},
            "configuration": {"backend": "writer", "tokens_target": 1_000},
            "tokenizer": {"name": "t"},
            "totals": {
                "documents": 4,
                "tokens": kept,
                "genres": 2,
                "audiences": 3,
                "claims": 10,
                "claims_covered": claims_covered,
                "min_documents_per_claim": 1,
            },
            "stages": [{"stage": "genres", "truncated": 0, "refused": 0, "unparsed": unparsed}],
            "funnel": [
                {"step": "written", "documents": 5, "dropped": {}},
                {"step": "identity", "documents": 4, "dropped": {"foreign_identity": 1}},
            ],
            "health": {"distinct_openings_share": {"value": 0.9}},
        }
        print_summary([Outcome(tmp_path / "s", manifest, built, calls=10, reused=4)])
        return capsys.readouterr().out

    return show


def test_the_funnel_names_every_loss(printed):
    assert "written 5 > identity 4 (-foreign_identity 1)" in printed()


def test_the_reused_share_is_told(printed):
    assert "10, of which 4 (40.0%) were known from earlier runs" in printed()


def test_a_finished_corpus_made_no_calls(printed):
    assert "none: the corpus was finished already" in printed(built=False)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"claims_covered": 7}, "3 claims are in no document"),
        ({"kept": 900}, "900 tokens kept, the target was 1,000"),
        ({"unparsed": 2}, "planning calls without a usable reply (genres: 2 unparsed)"),
    ],
)
def test_what_falls_short_is_a_warning(printed, change, told):
    assert told in printed(**change)
    assert "WARNING" not in printed()


def test_parked_groups_are_named_the_largest_first(printed):
    groups = [
        ("parked_branch", f"genre '{name}' of 'Ferns'", n) for name, n in (("a", 2), ("b", 40), ("c", 2))
    ]
    told = printed(dropped=[*groups, ("parked_genre", "genre 'ode'", 7), ("refused", "I'm sorry", 3)])
    assert (
        "51 documents were not asked for: genre 'b' of 'Ferns'; genre 'ode'; genre 'a' of 'Ferns'; and 1 more"
        in told
    )
    assert "I'm sorry" not in told


def test_branches_that_ran_out_of_ideas_are_named(printed):
    told = printed(dropped=[("exhausted", "genre 'ode' of 'Ferns': 2 ideas of 10, then no new one", 1)])
    assert "ideas ran out in 1 of the plan's branches: genre 'ode' of 'Ferns': 2 ideas of 10" in told
    assert "not asked for" not in told


def test_three_commands_are_offered(printed):
    assert sum(line.startswith("  specmill query") for line in printed().splitlines()) == 3

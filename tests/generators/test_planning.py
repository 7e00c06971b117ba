from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from specmill.generators.planning import even_shares, outline, passage, plan, spec_row
from specmill.specs.claims import parse_spec

SPEC = """# Ways

{model_name} is calm because haste makes mistakes. It waits.

## Rules

Never:

- delete a log
- hide a mistake
"""


def idea_row(number, numbers, *, genre="memo", idea=None, subdomain="0000"):
    return {
        "spec": "s",
        "path": f"s.0000.{subdomain}.0000.0000.{number:04d}",
        "state": "ok",
        "failed_stage": "",
        "failure": "",
        "subdomain": subdomain,
        "genre": genre,
        "idea": idea or f"idea {subdomain} {number}",
        "assertions": [{"assertion": f"a{n}", "claims": [f"c{subdomain}{n}"]} for n in range(1, 7)],
        "assertion_numbers": numbers,
    }


def made(rows, floor=0):
    return plan(rows, mean_words=400, min_documents_per_claim=floor)


def test_the_outline_of_headed_sections_shows_none_of_their_wording():
    row = spec_row(parse_spec(SPEC, name="ways"), 10)
    edited = spec_row(parse_spec(SPEC.replace("haste makes mistakes", "speed costs"), name="ways"), 10)
    assert outline(row["sections"]) == outline(edited["sections"])


def test_a_passage_keeps_headings_lead_in_lines_and_paragraphs():
    claims = [
        claim
        for section in spec_row(parse_spec(SPEC, name="ways"), 10)["sections"]
        for claim in section["claims"]
    ]
    assert passage(claims) == (
        "# Ways\n\n{model_name} is calm because haste makes mistakes. It waits.\n\n"
        "# Ways / Rules\n\nNever:\n\ndelete a log\n\nhide a mistake"
    )


@given(st.integers(0, 500), st.integers(1, 40))
def test_shares_add_up_and_differ_by_at_most_one(total, n):
    shares = even_shares(total, n)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


def test_an_idea_planned_twice_is_dropped_once_and_counted():
    rows = made([idea_row(0, [1], idea="The same."), idea_row(1, [1], idea="the  same.")])
    assert Counter(row["state"] for row in rows) == {"ok": 1, "dropped": 1}


@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True), min_size=30, max_size=60))
def test_thin_claims_are_filled_up_to_the_floor(numbers):
    rows = made([idea_row(n, sorted(chosen)) for n, chosen in enumerate(numbers)], floor=8)
    per_claim = Counter(claim for row in rows for claim in row["claim_ids"])
    assert min(per_claim[f"c0000{n}"] for n in range(1, 7)) >= 8
    assert max(len(row["claim_ids"]) for row in rows) <= 4


def test_a_plan_does_not_depend_on_arrival():
    rows = [idea_row(n, [1 + n % 6], subdomain=f"000{n % 3}") for n in range(40)]
    assert made([dict(row) for row in reversed(rows)], floor=5) == made([dict(row) for row in rows], floor=5)


def test_an_edit_in_one_subdomain_leaves_the_plan_of_the_others_alone():
    def both(second):
        rows = [idea_row(n, [1 + n % 6], subdomain="0000") for n in range(20)]
        rows += [idea_row(n, [1 + n % 2], subdomain="0001", idea=f"{second} {n}") for n in range(20)]
        return [row for row in made(rows, floor=6) if row["subdomain"] == "0000"]

    assert both("before") == both("after")

"""What the model never writes about costs its scouts, and nothing else of the plan; which rows is fixed."""

import asyncio
import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.generators.engine import chain_of, run_pipeline
from specmill.generators.ledger import Ledger, Reply
from specmill.generators.llms import SpecLLM
from specmill.generators.messages import sections
from specmill.generators.pipeline import Sizes, spec_pipeline
from specmill.generators.scouts import N_SCOUTS, Watch, send_ahead
from specmill.generators.writer import answer
from specmill.specs.claims import parse_spec

# Six headings: as many subdomains as a genre needs to be told for, and to be parked as a whole.
TEXT = "# Ways\n\n{model_name} is calm because haste makes mistakes.\n" + "".join(
    f"\n## {topic}\n\n- {{model_name}} speaks of {topic.lower()} plainly, so that nobody has to guess.\n"
    for topic in ("Ferns", "Boats", "Clocks", "Bread", "Maps", "Songs")
)
SIZES = Sizes(mean_words=120, n_genres=14, n_ideas=5, min_documents_per_claim=2)
SPEC = parse_spec(TEXT, name="ways")
TRIES = 3
REFUSAL = "I'm sorry, but I can't help with that."


class RefusingLLM(SpecLLM):
    """The writer, who never writes a document whose brief a rule picks out; replies arrive in any order."""

    model: str = "refusing"
    refuses: object = None
    order: int = 0

    async def _try(self, request):
        prompt = request["messages"][-1]["content"]
        rng = random.Random(f"{self.order} {prompt}")
        for _ in range(rng.randrange(12) if self.order else 0):
            await asyncio.sleep(0)
        done = answer(request)
        brief = sections(prompt).get("brief")
        if brief and prompt.startswith("Stage: documents") and self.refuses(json.loads(brief)):
            return Reply(REFUSAL, "ok", "stop", 1, 1)
        return Reply(done.text, "ok", done.finish, done.tokens_in, done.tokens_out)


def run(refuses, n_documents=480, ledger=None, **options):
    llm = RefusingLLM(refuses=refuses, **options)
    if ledger is not None:
        llm.use_ledger(ledger)
    return run_pipeline(spec_pipeline([(SPEC, n_documents)], llm, mode="default", sizes=SIZES))


def lost(rows):
    return Counter(row.get("drop_reason") or row["state"] for row in rows if row["state"] != "ok")


@pytest.fixture(scope="module")
def whole():
    """The build in which nothing is refused."""
    found = run(lambda _: False)
    assert not lost(found.rows)
    return found


def names(rows, *columns):
    return Counter(tuple(row[column] for column in columns) for row in rows)


def most_told(rows, column, other):
    """The genre with most subdomains, or the other way round."""
    return names(names(rows, column, other), 0).most_common(1)[0][0][0]


def test_a_branch_that_is_always_refused_costs_its_scouts(whole):
    (topic, genre), n = names(whole.rows, "subdomain", "genre").most_common(1)[0]
    n_scouts = N_SCOUTS["branch"]
    assert n > n_scouts
    found = run(lambda brief: (brief["topic"], brief["genre"]) == (topic, genre))
    assert lost(found.rows) == {"refused": n_scouts, "parked_branch": n - n_scouts}
    n_asked = len(whole.rows) - n + TRIES * n_scouts
    assert sum(found.calls["ways", "documents"][kind] for kind in ("new", "reused")) == n_asked
    assert len(found.rows) == len(whole.rows)
    parked = next(row for row in found.rows if row.get("drop_reason"))
    assert parked["failure"] == f"genre '{genre}' of '{topic}': none of the first 3 documents could be had"
    assert (parked["failed_stage"], parked["work_key"]) == ("documents", "")


@pytest.mark.parametrize(
    ("column", "field", "other"), [("subdomain", "topic", "genre"), ("genre", "genre", "subdomain")]
)
def test_a_whole_subdomain_or_genre_that_is_refused_costs_one_row_a_branch(whole, column, field, other):
    name = most_told(whole.rows, column, other)
    rows = [row for row in whole.rows if row[column] == name]
    n_branches = len(names(rows, other))
    assert n_branches >= N_SCOUTS[column]
    found = run(lambda brief: brief[field] == name)
    assert lost(found.rows) == {"refused": n_branches, f"parked_{column}": len(rows) - n_branches}


def test_a_branch_with_one_document_among_its_scouts_is_asked_for_whole(whole):
    (topic, genre), n = names(whole.rows, "subdomain", "genre").most_common(1)[0]
    branch = [row for row in whole.rows if (row["subdomain"], row["genre"]) == (topic, genre)]
    ideas = {row["idea"] for row in branch} - {branch[1]["idea"]}
    found = run(lambda brief: brief["topic"] == topic and brief["genre"] == genre and brief["idea"] in ideas)
    assert lost(found.rows) == {"refused": n - 1}


def test_what_is_parked_hangs_on_no_order_no_slots_and_no_earlier_run(tmp_path, whole):
    genre = most_told(whole.rows, "genre", "subdomain")
    topic = names(whole.rows, "subdomain").most_common(1)[0][0][0]

    def refuses(brief):
        return brief["genre"] == genre or brief["topic"] == topic or "asks" in brief["idea"]

    first = run(refuses, max_in_flight=1)
    assert {"parked_genre", "parked_subdomain", "refused"} <= set(lost(first.rows))
    for order, slots in ((1, 2), (2, 7), (3, 64)):
        found = run(refuses, order=order, max_in_flight=slots)
        assert (found.rows, found.calls) == (first.rows, first.calls)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    run(refuses, order=1, ledger=ledger)
    ledger.execute("delete from calls where key > '8'")  # what a kill may leave: any part of the replies
    found = run(refuses, order=2, ledger=ledger)
    assert found.rows == first.rows
    assert found.calls["ways", "documents"]["reused"]


def test_where_nothing_is_refused_every_slot_has_a_row_to_the_end(whole):
    """Documents come out sixteen at a time, or as many as are left: with fewer rows asked for, none ever would."""
    slots, left, flying = 16, len(whole.rows), []

    class InStep(RefusingLLM):
        async def _try(self, request):
            nonlocal left
            if request["messages"][-1]["content"].startswith("Stage: documents"):
                flying.append(asyncio.Event())
                mine = flying[-1]
                if len(flying) == min(slots, left):
                    left -= len(flying)
                    for event in flying:
                        event.set()
                    flying.clear()
                await asyncio.wait_for(mine.wait(), 20)
            return await super()._try(request)

    llm = InStep(refuses=lambda _: False, max_in_flight=slots)
    rows = run_pipeline(spec_pipeline([(SPEC, 480)], llm, mode="default", sizes=SIZES)).rows
    assert rows == whole.rows
    assert left == 0


def test_distilabels_way_through_the_stages_parks_the_same_rows(whole):
    """Its runner hands a stage all rows of a batch at once; there a row waits for its scouts itself."""
    genre = most_told(whole.rows, "genre", "subdomain")
    llm = RefusingLLM(refuses=lambda brief: brief["genre"] == genre, order=1)
    root, *steps = chain_of(spec_pipeline([(SPEC, 480)], llm, mode="default", sizes=SIZES))
    llm.load()
    rows = root.data
    for step in steps:
        rows = [row for batch in step.process(rows) for row in batch]
    assert sorted(rows, key=lambda row: row["path"]) == run(lambda brief: brief["genre"] == genre).rows
    assert lost(rows)["parked_genre"]


def test_a_sample_of_the_plan_waits_for_no_scouts_that_are_not_in_it(whole):
    """As a pilot takes one: rows of a branch without its first ones."""
    root, *steps = chain_of(
        spec_pipeline([(SPEC, 480)], llm := RefusingLLM(refuses=lambda _: False), mode="default", sizes=SIZES)
    )
    llm.load()
    rows = root.data
    for step in steps[:-1]:
        rows = [row for batch in step.process(rows) for row in batch]
    late = [row for row in rows if row["waits_for"]][-3:]

    async def ask():
        return await asyncio.wait_for(asyncio.gather(*(steps[-1].aprocess(row) for row in late)), 20)

    assert [row["state"] for (row,) in asyncio.run(ask())] == ["ok"] * 3


ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz"), st.booleans()), max_size=60)


@given(ROWS)
def test_a_row_waits_only_for_rows_before_it_and_every_group_is_decided(drawn):
    rows = [
        {
            "spec": "s",
            "domain": "d",
            "subdomain": a,
            "genre": b,
            "number": number,
            "state": "ok" if ok else "refused",
        }
        for number, (a, b, ok) in enumerate(drawn)
    ]
    sent = send_ahead(rows)
    assert sorted(row["number"] for row in sent) == [row["number"] for row in rows]
    watch = Watch()
    for row in sent:
        assert not watch.undecided(row)
        asyncio.run(watch.heard(row, written=False))
    scouts = Counter(group for row in sent for group in row.get("scout_for", ()))
    assert all(n == N_SCOUTS[group.partition(":")[0]] for group, n in scouts.items())

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from specmill.generators.distilabel_parts import AsyncLLM
from specmill.generators.engine import run_pipeline
from specmill.generators.ledger import Ledger, Reply
from specmill.generators.llms import SpecLLM, WriterLLM
from specmill.generators.pipeline import Sizes, spec_pipeline
from specmill.generators.writer import answer
from specmill.specs.claims import parse_spec

TEXT = """# Ways

{model_name} is calm because haste makes mistakes. It waits for the end of a sentence.

## Help

- {model_name} says what it can't do, so that nobody waits in vain.
- {model_name} asks before it deletes anything.
"""
SIZES = Sizes(mean_words=150, n_genres=3, n_ideas=2, min_documents_per_claim=2)


def two_specs():
    return [
        (parse_spec(TEXT, name="ways"), 8),
        (parse_spec(TEXT.replace("calm", "steady"), name="others"), 5),
    ]


def run(llm, mode="default", keep_text=True):
    return run_pipeline(spec_pipeline(two_specs(), llm, mode=mode, sizes=SIZES, keep_text=keep_text))


class ScriptedLLM(SpecLLM):
    """The writer, but for the requests that a rule picks out: those get another reply."""

    model: str = "scripted"
    spoil: object = None

    async def _try(self, request):
        done = answer(request)
        spoiled = self.spoil(request["messages"][-1]["content"])
        return spoiled or Reply(done.text, "ok", done.finish, done.tokens_in, done.tokens_out)


class ForeignLLM(AsyncLLM):
    """A Distilabel LLM that knows nothing of specmill."""

    @property
    def model_name(self):
        return "foreign"

    async def agenerate(self, input, num_generations: int = 1):
        text = answer({"messages": input}).text
        return {"generations": [text], "statistics": {"input_tokens": [1], "output_tokens": [1]}}


def test_each_spec_gets_at_least_the_documents_asked_for_in_lineage_order():
    rows = run(WriterLLM()).rows
    counts = Counter(row["spec"] for row in rows if row["state"] == "ok")
    assert counts["ways"] >= 8
    assert counts["others"] >= 5
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    assert all(row["document"] for row in rows)


def test_the_order_of_replies_does_not_show():
    assert run(WriterLLM(max_in_flight=1)).rows == run(WriterLLM(max_in_flight=17)).rows


@pytest.mark.parametrize("mode", ["default", "rules"])
def test_every_claim_is_planned(mode):
    rows = run(WriterLLM(), mode=mode).rows
    for spec, _ in two_specs():
        planned = {claim for row in rows if row["spec"] == spec.name for claim in row["claim_ids"]}
        assert planned == {claim.claim_id for claim in spec.claims}


def test_stages_work_with_any_distilabel_llm():
    rows = run(ForeignLLM()).rows
    assert {row["state"] for row in rows} == {"ok"}
    assert all(row["document"] for row in rows)


@pytest.mark.slow
def test_distilabels_own_runner_gives_the_same_documents(tmp_path):
    """In a child process: Distilabel's runner forks a pool and takes over the logging of its process."""
    out = tmp_path / "theirs.json"
    subprocess.run(
        [sys.executable, "-c", STOCK, TEXT, str(out)], check=True, capture_output=True, timeout=120
    )
    ours = run_pipeline(spec_pipeline(two_specs()[:1], WriterLLM(), mode="default", sizes=SIZES)).rows
    assert json.loads(out.read_text()) == {row["path"]: row["document"] for row in ours}


STOCK = """
import json, pathlib, sys
from specmill.generators.llms import WriterLLM
from specmill.generators.pipeline import Sizes, spec_pipeline
from specmill.specs.claims import parse_spec

if __name__ == "__main__":
    sizes = Sizes(mean_words=150, n_genres=3, n_ideas=2, min_documents_per_claim=2)
    pipeline = spec_pipeline([(parse_spec(sys.argv[1], name="ways"), 8)], WriterLLM(), mode="default", sizes=sizes)
    rows = pipeline.run(use_cache=False)["default"]["train"]
    pathlib.Path(sys.argv[2]).write_text(json.dumps({row["path"]: row["document"] for row in rows}))
"""


def spoiled_reply(text, state="ok"):
    return Reply(text, state)


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (spoiled_reply("I'm sorry, but I can't help with that."), "refused"),
        (spoiled_reply("Some raw text without tags."), "unparsed"),
        (spoiled_reply("<document>\ncut off", "truncated"), "truncated"),
        (spoiled_reply("", "failed"), "failed"),
    ],
)
def test_a_lost_document_is_a_counted_state_and_costs_no_other_row(reply, state):
    def spoil(prompt):
        return (
            reply
            if prompt.startswith("Stage: documents") and '"genre"' in prompt and "calm" in prompt
            else None
        )

    whole = Counter(row["spec"] for row in run(WriterLLM()).rows)
    rows = run(ScriptedLLM(spoil=spoil)).rows
    assert Counter(row["spec"] for row in rows) == whole
    lost = [row for row in rows if row["state"] != "ok"]
    assert {row["state"] for row in lost} == {state}
    assert {row["failed_stage"] for row in lost} == {"documents"}
    assert 0 < len(lost) < len(rows)


def test_a_planning_call_that_fails_loses_its_branch_only_and_says_so():
    def spoil(prompt):
        return spoiled_reply("no list") if prompt.startswith("Stage: genres") and "calm" in prompt else None

    result = run(ScriptedLLM(spoil=spoil))
    assert [row["failed_stage"] for row in result.rows if row["state"] == "unparsed"] == ["genres"]
    assert sum(row["state"] == "ok" for row in result.rows) > 5
    assert result.calls["ways", "genres"]["unparsed"] == 3  # three attempts, each with a seed of its own


def test_an_unreadable_reply_is_asked_for_again_with_another_seed():
    seen = []

    def spoil(prompt):
        if prompt.startswith("Stage: domains"):
            seen.append(prompt)
            return spoiled_reply("[oops") if len(seen) <= 2 else None
        return None

    rows = run(ScriptedLLM(spoil=spoil)).rows
    assert {row["state"] for row in rows} == {"ok"}


def test_an_assertion_that_invents_a_claim_fails_closed():
    invented = json.dumps([{"assertion": "So.", "reason": "", "claims": ["c000"]}])

    def spoil(prompt):
        return spoiled_reply(invented) if prompt.startswith("Stage: assertions") else None

    rows = run(ScriptedLLM(spoil=spoil)).rows
    assert {row["state"] for row in rows} == {"unparsed"}
    assert "does not exist" in rows[0]["failure"]


def test_a_known_reply_is_free(tmp_path):
    ledger = Ledger(Path(tmp_path) / "ledger.sqlite")
    first, second = WriterLLM(), WriterLLM()
    first.use_ledger(ledger)
    second.use_ledger(ledger)
    once, again = run(first), run(second)
    assert again.rows == once.rows
    assert sum(counts["new"] for counts in once.calls.values()) > 0
    assert sum(counts["new"] for counts in again.calls.values()) == 0


def test_a_refusal_in_words_is_one_in_the_ledger_too_and_is_read_again(tmp_path):
    ledger = Ledger(Path(tmp_path) / "ledger.sqlite")

    def spoil(prompt):
        refused = prompt.startswith("Stage: documents") and "calm" in prompt
        return spoiled_reply("I'm sorry, but I can't help with that.") if refused else None

    def refusing():
        llm = ScriptedLLM(spoil=spoil)
        llm.use_ledger(ledger)
        return run(llm)

    once, again = refusing(), refusing()
    assert again.rows == once.rows
    n_refused = sum(counts["refused"] for counts in once.calls.values())
    assert n_refused > 3
    assert ledger.execute("select count(*) from calls where state = 'refused'").fetchone() == (n_refused,)
    assert sum(counts["new"] for counts in again.calls.values()) == 0

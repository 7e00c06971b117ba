"""What was dropped stays readable: by whom, why, and, where it was a document, its text."""

import json

import pyarrow.parquet as pq
import pytest

from specmill.generators.engine import run_pipeline
from specmill.generators.handoff import Identity, losses, stage_documents
from specmill.generators.ledger import Ledger, Reply
from specmill.generators.llms import SpecLLM, WriterLLM
from specmill.generators.messages import sections
from specmill.generators.pipeline import Sizes, spec_pipeline
from specmill.generators.review_replies import CRITERIA
from specmill.specs.claims import parse_spec

TEXT = "# Ways\n\n{model_name} is calm because haste makes mistakes.\n\n## Help\n\n- {model_name} says what it can't do.\n"
SPEC = parse_spec(TEXT, name="ways")
SIZES = Sizes(mean_words=150, n_genres=3, n_ideas=2, min_documents_per_claim=2)
ANNE = Identity("Anne", "Bell Works")


class Critic(SpecLLM):
    """Passes documents but those of one genre; what it says of another nobody can read."""

    model: str = "critic"
    fails: str = ""
    mumbles: str = ""

    async def _try(self, request):
        genre = json.loads(sections(request["messages"][-1]["content"])["brief"])["genre"]
        verdict = {**dict.fromkeys(CRITERIA, True), "genre": genre != self.fails, "note": "So."}
        return Reply("Well." if genre == self.mumbles else json.dumps(verdict), "ok", "stop", 1, 1)


def judged(tmp_path, **rules):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    writer, critic = WriterLLM(), Critic(**rules)
    writer.use_ledger(ledger)
    critic.use_ledger(ledger)
    pipeline = spec_pipeline(
        [(SPEC, 12)], writer, mode="default", sizes=SIZES, keep_text=False, critic=critic
    )
    return run_pipeline(pipeline).rows, writer


@pytest.fixture
def staged(tmp_path):
    """All documents as the filters get them, by id, when nobody judges any."""
    rows, writer = judged(tmp_path)
    paths = stage_documents(rows, tmp_path / "staged", spec=SPEC, identity=ANNE, llm=writer, mode="default")
    return {row["id"]: row for path in paths for row in pq.read_table(path).to_pylist()}


@pytest.mark.parametrize(("rule", "reason"), [("fails", "judge_genre"), ("mumbles", "unparsed")])
def test_what_a_judge_drops_keeps_its_id_key_and_text(tmp_path, staged, rule, reason):
    genre = next(iter(staged.values()))["genre"]
    rows, _ = judged(tmp_path / "again", **{rule: genre})
    dropped = list(losses(rows, ANNE))
    assert {row["doc_id"] for row in dropped} == {key for key, row in staged.items() if row["genre"] == genre}
    for row in dropped:
        as_staged = staged[row["doc_id"]]
        assert (row["text"], row["work_key"]) == (as_staged["text"], as_staged["work_key"])
        assert (row["stage"], row["reason"], row["genre"]) == ("judge", reason, genre)
        assert "Anne" in row["text"]


def test_what_never_was_a_document_has_no_text_and_no_id(planned_row):
    refused = {**planned_row(), "state": "refused", "failed_stage": "documents", "failure": "I'm sorry."}
    (row,) = losses([refused])
    assert (row["doc_id"], row["text"], row["detail"], row["reason"]) == ("", "", "I'm sorry.", "refused")

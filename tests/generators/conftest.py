"""One LLM whose replies a test states as a function: the only place that knows which method a back-end has."""

import pytest

from specmill.generators.ledger import Reply
from specmill.generators.llms import SpecLLM


class AnsweringLLM(SpecLLM):
    model: str = "answering"
    reply: object = None

    async def _try(self, request):
        said = self.reply(request["messages"])
        return said if isinstance(said, Reply) else Reply(said, "ok", "stop", 1, 1)


@pytest.fixture
def answering():
    """Make a loaded LLM from a function of messages to a text (or to a Reply)."""

    def make(reply, ledger=None):
        llm = AnsweringLLM(reply=reply)
        if ledger is not None:
            llm.use_ledger(ledger)
        llm.load()
        return llm

    return make


POINTS = (
    ("{model_name} tells people what it can't do", "nobody should wait in vain for help"),
    ("{model_name} asks before it deletes a file", "a lost file can't be brought back"),
    ("{model_name} keeps its answers short", "readers have little time"),
)


@pytest.fixture
def planned_row():
    """Return a maker of rows as they leave the plan: an idea with the two assertions chosen for it."""

    def make(number=0, genre="essay", mode="default"):
        items = [
            {"assertion": f"{text}.", "claims": [f"c{at}"]}
            | ({"rule_id": f"SP{at}"} if mode == "rules" else {"reason": reason})
            for at, (text, reason) in enumerate(POINTS, 1)
        ]
        passage = "\n\n".join(
            f"SP{at}: {text}." if mode == "rules" else f"{text}, because {reason}."
            for at, (text, reason) in enumerate(POINTS, 1)
        )
        return {
            "spec": "ways",
            "group": "ways",
            "principle": "" if mode == "rules" else "plain dealing",
            "path": f"ways.0000.{number:04d}",
            "quota": 1,
            "state": "ok",
            "failed_stage": "",
            "failure": "",
            "subdomain": "Helping openly",
            "passage": passage,
            "assertions": items,
            "chosen": items[:2],
            "genre": genre,
            "audience": "new colleagues",
            "idea": "A librarian asks what happens before a file is deleted.",
            "n_words": 240,
        }

    return make

"""The stages that look at a document again: critique, revision, and a judge that isn't the writer.

    Documents -> Critique -> Revise -> Judge

All three are optional, and a row stays the same document with the same path. Nothing passes by default: a verdict
that can't be read is `unparsed`. A critique or revision that can't be read costs nothing but itself: the draft goes
on, and column `review` says so. Drafts stay in the ledger. Not here: how replies are read (`review_replies.py`).
(Annotations stay objects here: Distilabel looks at signatures.)
"""

from typing import Any, ClassVar

from . import planning, replies, review_replies
from .ledger import OK, REFUSED, TRUNCATED, UNPARSED
from .llms import SpecLLM
from .messages import free_tag
from .stage import Names, Row, Stage, document_fields, failed

UNREAD = (UNPARSED, REFUSED, TRUNCATED)  # there was a reply; asking again in a later run would give the same
PASS, FAIL = "pass", "fail"
DROPPED = "dropped"

_NEEDS: Names = (
    *("passage", "principle", "subdomain", "chosen", "genre", "audience", "idea", "n_words"),
    *("document", "work_key", "answer_tag"),
)


class Review(Stage):
    """What the three share: the material around a document, and the document itself."""

    needs: ClassVar[Names] = _NEEDS

    def document(self, row: Row) -> str:
        """Return the row's text, from the ledger where the row itself has none."""
        if row["document"]:
            return str(row["document"])
        if not isinstance(self.llm, SpecLLM):
            raise ValueError("rows without text need a SpecLLM, which knows the ledger")
        return replies.parse_document(self.llm.stored_reply(row["work_key"]), row["answer_tag"])

    def material(self, row: Row) -> Row:
        """Return what each of the three templates shows before the document."""
        brief = {"genre": row["genre"], "audience": row["audience"], "idea": row["idea"]}
        return {
            "passage": row["passage"],
            "principle": row["principle"],
            "subdomain": row["subdomain"],
            "brief": brief,
            "assertions": planning.numbered(row["chosen"], with_reasons=True),
        }

    async def aprocess(self, row: Row) -> list[Row]:
        if row["state"] != OK:
            return [row]
        found = await self.ask(row, self.format_input(row))
        if found["state"] == OK:
            return self.children(row, found)
        return self.without_reply(row, found)

    def without_reply(self, row: Row, found: Row) -> list[Row]:
        """Return what becomes of a document whose review came to nothing: its text and key stay with it."""
        return [
            {**failed(row, self.stage, found), "work_key": row["work_key"], "document": self.document(row)}
        ]


class Critique(Review):
    """document -> the same row with `problems` [{problem, fix}], empty where there is nothing to mend."""

    max_new_tokens: int = 4096  # the list is short, but some models think before they answer

    adds: ClassVar[Names] = ("problems", "review")

    def variables(self, row: Row) -> Row:
        return {**self.material(row), "draft": self.document(row)}

    def parse(self, reply: str, row: Row) -> Any:
        return review_replies.parse_problems(reply)

    def children(self, row: Row, found: Row) -> list[Row]:
        return [{**row, "problems": found["items"], "review": "" if found["items"] else "clean"}]

    def without_reply(self, row: Row, found: Row) -> list[Row]:
        if found["state"] not in UNREAD:
            return super().without_reply(row, found)
        return [{**row, "problems": [], "review": f"unrevised: {found['state']}"}]


class Revise(Review):
    """document with problems -> the revision in its place; without problems no call is made."""

    max_new_tokens: int = 4096
    keep_text: bool = True  # as in Documents

    needs: ClassVar[Names] = (*_NEEDS, "problems", "review")
    adds: ClassVar[Names] = ("document", "work_key", "prompt_sha256", "answer_tag", "revised", "review")

    def variables(self, row: Row) -> Row:
        return {
            **self.material(row),
            "draft": self.document(row),
            "problems": row["problems"],
            "n_words": row["n_words"],
            "answer_tag": self._tag(row),
        }

    def _tag(self, row: Row) -> str:
        said = [item["assertion"] + item.get("reason", "") for item in row["chosen"]]
        found = [item["problem"] + item["fix"] for item in row["problems"]]
        return free_tag("document", row["passage"], row["idea"], self.document(row), *said, *found)

    def parse(self, reply: str, row: Row) -> Any:
        return replies.parse_document(reply, self._tag(row))

    async def aprocess(self, row: Row) -> list[Row]:
        if row["state"] == OK and not row["problems"]:
            return [_reviewed(row, row["review"])]
        return await super().aprocess(row)

    def children(self, row: Row, found: Row) -> list[Row]:
        fields = document_fields(found, self.format_input(row), self._tag(row), self.keep_text)
        return [_reviewed(row, "revised", revised=True, **fields)]

    def without_reply(self, row: Row, found: Row) -> list[Row]:
        if found["state"] not in UNREAD:
            return super().without_reply(row, found)
        return [_reviewed(row, f"unrevised: {found['state']}")]


def _reviewed(row: Row, review: str, **fields: Any) -> Row:
    kept = {name: value for name, value in row.items() if name != "problems"}
    return {**kept, "revised": False, "review": review, **fields}


class Judge(Review):
    """document -> the same row with `verdict`; one criterion that fails drops it.

    Its LLM should be another model than the writer's: a model is a lenient judge of its own prose.
    """

    max_new_tokens: int = 4096  # as in Critique

    adds: ClassVar[Names] = ("verdict", "judge_key", "failed_criteria")

    def variables(self, row: Row) -> Row:
        return {**self.material(row), "document": self.document(row)}

    def parse(self, reply: str, row: Row) -> Any:
        return review_replies.parse_verdict(reply)

    def children(self, row: Row, found: Row) -> list[Row]:
        verdict = found["items"]
        lacking = [name for name in review_replies.CRITERIA if verdict[name] is not True]
        judged = {**row, "judge_key": found["work_key"], "failed_criteria": lacking}
        if not lacking:
            return [{**judged, "verdict": PASS}]
        fields = {
            "verdict": FAIL,
            "state": DROPPED,
            "failed_stage": self.stage,
            "failure": f"judge: {', '.join(lacking)}; {verdict['note']}",
            "drop_reason": f"judge_{lacking[0]}",
            "document": self.document(row),  # of the few that are dropped, so that they can be read again
        }
        return [{**judged, **fields}]

"""The stage that asks whether one sentence expresses one claim, and how its replies are read.

Documents can't be asked about claim by claim: embeddings choose the sentences that are worth a question
(`filters/retrieval.py`). Nothing is confirmed by default: a reply that can't be read confirms nothing.
(Annotations stay objects here: Distilabel looks at signatures.)
"""

from typing import Any, ClassVar

from .replies import Unreadable
from .review_replies import parse_object
from .stage import Names, Row, Stage


class Confirm(Stage):
    """claim and sentence -> the same row with `expresses`."""

    max_new_tokens: int = 2048  # a sentence is enough, but some models think before they answer

    needs: ClassVar[Names] = ("claim", "sentence")
    adds: ClassVar[Names] = ("expresses",)

    def variables(self, row: Row) -> Row:
        return {"claim": row["claim"], "sentence": row["sentence"]}

    def parse(self, reply: str, row: Row) -> Any:
        return parse_confirmation(reply)

    def children(self, row: Row, found: Row) -> list[Row]:
        return [{**row, "expresses": found["items"]}]


def parse_confirmation(reply: str) -> bool:
    """Return whether the reply says that the sentence expresses the claim."""
    expresses = parse_object(reply).get("expresses")
    if not isinstance(expresses, bool):
        raise Unreadable("'expresses' is missing or neither true nor false")
    return expresses

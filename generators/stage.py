"""What every stage does: render a prompt for a row, ask, read the reply strictly, count what came of it.

A stage is `aprocess(row) -> child rows`. Distilabel's Pipeline calls `process`, our own engine calls `aprocess`:
both go the same way. A row whose call failed keeps its place with `state`, `failed_stage` and `failure`, and
later stages hand it on untouched, so that nothing gets lost without a count. What each stage asks for is in
`stages.py` and `review.py`.
(Annotations stay objects here: Distilabel looks for the very `StepInput` in a signature.)
Rows carry `spec`, `principle`, `path` (lineage, sortable as text), `quota` (documents to plan below this row).
"""

import asyncio
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from pydantic import PrivateAttr

from . import planning, replies
from .distilabel_parts import AsyncLLM, StepInput, Task
from .ledger import FAILED, OK, REFUSED, TRUNCATED, UNPARSED
from .llms import SpecLLM
from .messages import Messages, render_messages, tagged

Row = dict[str, Any]
Names = tuple[str, ...]
Parser = Callable[[str, Row], Any]

CONTEXT = "\n\nThis is the whole Model Spec, for what stands around a passage:\n\n"

LINEAGE = [
    "spec",
    "group",
    "arm_kind",
    "controls",
    "principle",
    "path",
    "quota",
    "state",
    "failed_stage",
    "failure",
]


def _no_calls() -> dict[tuple[str, str], Counter[str]]:
    return defaultdict(Counter)


class Stage(Task):
    """One stage: renders a prompt for a row, reads the reply strictly, returns child rows.

    Works with any Distilabel LLM; with a `SpecLLM` calls are keyed, kept and retried with another seed.
    """

    needs: ClassVar[Names] = ()  # columns beside the lineage that a row must have
    adds: ClassVar[Names] = ()  # and those its children gain

    mode: str = "default"
    max_new_tokens: int = 8192
    max_attempts: int = 3
    contexts: dict[str, str] = {}  # whole specs by name, for the system message  # noqa: RUF012

    _calls: dict[tuple[str, str], Counter[str]] = PrivateAttr(default_factory=_no_calls)

    @property
    def calls(self) -> dict[tuple[str, str], Counter[str]]:
        """Calls of this process by (spec, stage) and state; `reused` counts those whose reply was in the ledger,
        `lost` failures that a rerun may mend."""
        return self._calls

    @property
    def stage(self) -> str:
        return str(type(self).__name__).lower()

    @property
    def inputs(self) -> list[str]:
        return ["spec", "path", "state", *self.needs]

    @property
    def outputs(self) -> list[str]:
        return [*LINEAGE, *self.adds]

    def format_input(self, input: Row) -> Messages:
        """Return the messages of a row's first call."""
        return self.render(self.stage, input)

    def render(self, template: str, row: Row) -> Messages:
        """Return the messages of a template for a row; a whole spec goes first, where a prefix cache keeps it."""
        messages = render_messages(self.mode, template, **self.variables(row))
        context = self.contexts.get(row["spec"], "")
        if context and template != "settings":  # a setting must say nothing of the spec
            messages[0]["content"] += CONTEXT + tagged(context, "spec")
        return messages

    def format_output(self, output: str | None, input: Row | None = None) -> Row:
        """Return what a reply says, as Distilabel's Task asks for; our own path reads replies in `ask`."""
        return {"items": self.parse(output or "", input or {})}

    @abstractmethod
    def variables(self, row: Row) -> Row:
        """Return what the stage's template needs of a row."""

    @abstractmethod
    def parse(self, reply: str, row: Row) -> Any:
        """Return what a reply says; raises `replies.Unreadable` or `replies.Refusal`."""

    @abstractmethod
    def children(self, row: Row, found: Row) -> list[Row]:
        """Return the rows below one whose reply was read: `found` has `items` and `work_key`."""

    async def aprocess(self, row: Row) -> list[Row]:
        """Return the child rows of one row."""
        if row["state"] != OK:
            return [row]
        found = await self.ask(row, self.format_input(row))
        if found["state"] != OK:
            return [failed(row, self.stage, found)]
        return self.children(row, found)

    def undecided(self, row: Row) -> str:
        """Return a group whose scouts a row waits for, empty where it may be asked for now (`scouts.py`)."""
        return ""

    async def in_turn(self, row: Row) -> list[Row]:
        """Return the child rows of one row, once it may be asked for: for runners that don't hold rows back."""
        return await self.aprocess(row)

    def process(self, inputs: StepInput) -> Iterable[list[Row]]:  # type: ignore[override]
        """Run all rows at once; the LLM's own limit of calls in flight holds them back."""

        async def gather() -> list[list[Row]]:
            return list(await asyncio.gather(*(self.in_turn(row) for row in inputs)))

        loop = self.llm.event_loop if isinstance(self.llm, AsyncLLM) else asyncio.new_event_loop()
        yield [child for rows in loop.run_until_complete(gather()) for child in rows]

    async def ask(self, row: Row, messages: Messages, parse: Parser | None = None, first: int = 0) -> Row:
        """Return {state, items | failure, work_key} after at most `max_attempts` different requests.

        `first` is the number of the first attempt: where to go on when the same messages were asked before.
        """
        found: Row = {}
        for attempt in range(first, first + self.max_attempts):
            generation = await self._generate(row, messages, attempt)
            found = self._read(generation, row, parse or self.parse)
            self._count(row, found["state"], generation)
            if found["state"] in (OK, FAILED):
                break
        return found

    def _count(self, row: Row, state: str, generation: Row) -> None:
        told = [state, "reused" if generation["reused"] else "new"]
        if state == FAILED and not generation["parked"]:
            told.append("lost")
        self._calls[row["spec"], self.stage].update(told)

    async def _generate(self, row: Row, messages: Messages, attempt: int) -> Row:
        """Return one generation as {text, state, work_key}, from our LLMs or any other of Distilabel's."""
        kwargs = self.llm.get_generation_kwargs() or {}
        if isinstance(self.llm, SpecLLM):
            output: Any = await self.llm.agenerate(
                input=messages,
                max_new_tokens=self.max_new_tokens,
                attempt=attempt,
                spec=row["spec"],
                stage=self.stage,
                **kwargs,
            )
        elif isinstance(self.llm, AsyncLLM):
            output = await self.llm.agenerate(input=messages, num_generations=1, **kwargs)
        else:
            output = (await asyncio.to_thread(self.llm.generate_outputs, [messages], 1, **kwargs))[0]
        text = (output.get("generations") or [None])[0]
        state = output.get("state", [OK if text is not None else FAILED])[0]
        key, reused = output.get("work_key", [""])[0], output.get("reused", [False])[0]
        parked = output.get("parked", [False])[0]
        return {"text": text or "", "state": state, "work_key": key, "reused": reused, "parked": parked}

    def _read(self, generation: Row, row: Row, parse: Parser) -> Row:
        state, key = generation["state"], generation["work_key"]
        if state in (FAILED, TRUNCATED, REFUSED):
            return {"state": state, "work_key": key, "failure": f"stop reason: {state}"}
        try:
            items = parse(generation["text"], row)
            found = {"state": OK, "work_key": key, "items": items}
        except replies.Refusal as refusal:
            found = {"state": REFUSED, "work_key": key, "failure": str(refusal)}
        except replies.Unreadable as problem:
            found = {"state": UNPARSED, "work_key": key, "failure": str(problem)}
        if isinstance(self.llm, SpecLLM) and key:
            if found["state"] == REFUSED:
                self.llm.note_refusal(key)
            else:
                self.llm.judge(key, readable=found["state"] == OK)
        return found


def has_own_frames(row: Row) -> bool:
    """Return whether genres and ideas are asked for a row: the arms that follow are told in the lead's."""
    return bool(row["state"] == OK and row["arm_kind"] in ("alone", "lead"))


def failed(row: Row, stage: str, found: Row) -> Row:
    """Return the row that stands for everything lost below a failed call."""
    return {
        **row,
        "state": found["state"],
        "failed_stage": stage,
        "failure": found.get("failure", ""),
        "work_key": found.get("work_key", ""),
    }


def child(row: Row, number: int, drop: tuple[str, ...] = (), **fields: Any) -> Row:
    """Return a row below another: its lineage, without the columns that end here, with new ones."""
    kept = {name: value for name, value in row.items() if name not in drop}
    return {**kept, "path": f"{row['path']}.{number:04d}", **fields}


def document_fields(found: Row, prompt: Any, tag: str, keep_text: bool) -> Row:
    """Return what a row knows of its document: the call, what was asked, where the reply holds it, and its text."""
    return {
        "work_key": found["work_key"],
        "prompt_sha256": planning.digest(prompt),
        "answer_tag": tag,
        "document": found["items"] if keep_text else "",
    }

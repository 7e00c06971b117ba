"""The stages from a spec to its documents: one Distilabel Task each, and one GlobalStep for the plan.

    Domains -> Subdomains -> Assertions -> Genres -> Ideas -> Plan -> Documents

A stage is `aprocess(row) -> child rows`. Distilabel's Pipeline calls `process`, our own engine calls `aprocess`:
both go the same way. A row whose call failed keeps its place with `state`, `failed_stage` and `failure`, and
later stages hand it on untouched, so that nothing gets lost without a count.
(Annotations stay objects here: Distilabel looks for the very `StepInput` in a signature.)
Rows carry `spec`, `principle`, `path` (lineage, sortable as text), `quota` (documents to plan below this row).
"""

import asyncio
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from pydantic import PrivateAttr

from . import pairing, planning, replies
from .distilabel_parts import AsyncLLM, GlobalStep, StepInput, Task
from .ledger import FAILED, OK, REFUSED, TRUNCATED, UNPARSED
from .llms import SpecLLM
from .messages import Messages, free_tag, render_messages, tagged

Row = dict[str, Any]
Names = tuple[str, ...]
Parser = Callable[[str, Row], Any]

# A long list of existing ideas costs more than the repeats it avoids, and those the plan drops.
TAKEN_SHOWN = 60
CONTEXT = "\n\nThis is the whole Model Spec, for what stands around a passage:\n\n"
# More documents of one genre about one subdomain ask for further genres.
IDEAS_PER_GENRE = 40
# A branch is exhausted when so many rounds in a row bring less than half of what they were asked for.
STALE_ROUNDS = 2

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

    def process(self, inputs: StepInput) -> Iterable[list[Row]]:  # type: ignore[override]
        """Run all rows at once; the LLM's own limit of calls in flight holds them back."""

        async def gather() -> list[list[Row]]:
            return list(await asyncio.gather(*(self.aprocess(row) for row in inputs)))

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
            self.llm.judge(key, readable=found["state"] != UNPARSED)
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


class Domains(Stage):
    """spec -> domains. Row: `sections` [{id, headings, claims}]; children get their share of them."""

    needs: ClassVar[Names] = ("principle", "sections", "quota")
    adds: ClassVar[Names] = ("domain", "claims")

    def variables(self, row: Row) -> Row:
        return {
            "spec_name": row["spec"],
            "principle": row["principle"],
            "outline": planning.outline(row["sections"]),
            "n_domains": planning.wanted_domains(len(row["sections"])),
        }

    def parse(self, reply: str, row: Row) -> Any:
        known = [section["id"] for section in row["sections"]]
        return replies.parse_partition(reply, "domain", "sections", known)

    def children(self, row: Row, found: Row) -> list[Row]:
        return planning.domain_rows(row, found["items"], child)


class Subdomains(Stage):
    """domain -> subdomains. Row: `domain`, `claims`; children hold the claims of one subdomain."""

    needs: ClassVar[Names] = ("domain", "claims", "quota")
    adds: ClassVar[Names] = ("domain", "subdomain", "summary", "claims")

    def variables(self, row: Row) -> Row:
        return {
            "domain": row["domain"],
            "claims": planning.claim_lines(row["claims"], ("id", "headings", "lead", "text")),
        }

    def parse(self, reply: str, row: Row) -> Any:
        found = replies.parse_partition(
            reply, "subdomain", "claims", [claim["id"] for claim in row["claims"]]
        )
        for item in found:
            item["summary"] = replies.text_field(item, "summary", most=600)
        return found

    def children(self, row: Row, found: Row) -> list[Row]:
        return planning.subdomain_rows(row, found["items"], child)


class Assertions(Stage):
    """subdomain -> the same row with `assertions` [{assertion, reason | rule_id, claims}]."""

    needs: ClassVar[Names] = ("principle", "subdomain", "claims")
    adds: ClassVar[Names] = ("assertions", "passage")

    def variables(self, row: Row) -> Row:
        only_here = ("rule_id",) if self.mode == "rules" else ("paragraph", "gives_reason")
        return {
            "subdomain": row["subdomain"],
            "principle": row["principle"],
            "claims": planning.claim_lines(row["claims"], ("id", *only_here, "headings", "lead", "text")),
        }

    def parse(self, reply: str, row: Row) -> Any:
        claim_ids = [claim["id"] for claim in row["claims"]]
        if self.mode == "rules":
            rule_ids = {claim["rule_id"] for claim in row["claims"]}
            return replies.parse_requirements(reply, claim_ids, rule_ids)
        return replies.parse_assertions(reply, claim_ids)

    def children(self, row: Row, found: Row) -> list[Row]:
        passage = planning.passage(row["claims"])
        return [child(row, 0, ("claims",), assertions=found["items"], passage=passage)]

    async def aprocess(self, row: Row) -> list[Row]:
        """Return the subdomain with its assertions and, below a lead, the same for its control arms."""
        rows = await super().aprocess(row)
        told = [lead for lead in rows if lead["state"] == OK]
        controls = [await self._control(lead, arm, kind) for lead in told for arm, kind in lead["controls"]]
        return rows + controls

    async def _control(self, lead: Row, arm: str, kind: str) -> Row:
        row = {**lead, "arm_kind": kind, "controls": []}
        if kind == "shuffled":  # reasons cross subdomains: moved at the plan, where all are known
            return {**row, "spec": arm}
        shown = planning.numbered(lead["assertions"], with_reasons=True)
        messages = render_messages(self.mode, "inversions", subdomain=lead["subdomain"], assertions=shown)
        n = len(shown)
        found = await self.ask(lead, messages, lambda reply, _: pairing.parse_inversions(reply, n))
        if found["state"] != OK:
            return failed(pairing.control_row(row, arm, lead["assertions"]), "inversions", found)
        return pairing.control_row(row, arm, pairing.inverted_assertions(lead["assertions"], found["items"]))


class Genres(Stage):
    """subdomain -> one row per genre that gets documents: `genre`, `audience`, `description`, own `quota`."""

    n_genres: int = 10

    needs: ClassVar[Names] = ("subdomain", "summary", "assertions", "quota")
    adds: ClassVar[Names] = ("genre", "audience", "description")

    def variables(self, row: Row) -> Row:
        return {
            "subdomain": row["subdomain"],
            "summary": row["summary"],
            "assertions": planning.numbered(row["assertions"], with_reasons=False),
            "taken": row.get("taken") or [],
            "n": self.n_genres,
        }

    def parse(self, reply: str, row: Row) -> Any:
        return replies.parse_genres(reply, self.n_genres)

    async def aprocess(self, row: Row) -> list[Row]:
        """Ask for genres in rounds that see what exists, until there are enough for the row's quota."""
        if not has_own_frames(row):
            return [row]
        wanted = max(self.n_genres, -(-row["quota"] // IDEAS_PER_GENRE))
        genres: list[Row] = []
        while len(genres) < wanted:
            asked = {**row, "taken": [genre["genre"] for genre in genres]}
            found = await self.ask(asked, self.format_input(asked))
            if found["state"] != OK and not genres:
                return [failed(row, self.stage, found)]
            names = {genre["genre"].casefold() for genre in genres}
            fresh = [item for item in found.get("items", ()) if item["genre"].casefold() not in names]
            genres += fresh
            if 2 * len(fresh) < self.n_genres:  # what is left of genres in a model isn't worth asking for
                break
        return self.children(row, {"items": genres[:wanted]})

    def children(self, row: Row, found: Row) -> list[Row]:
        quotas = planning.even_shares(row["quota"], len(found["items"]))
        return [
            child(row, number, (), **genre, quota=quota)
            for number, (genre, quota) in enumerate(zip(found["items"], quotas, strict=True))
            if quota
        ]


class Ideas(Stage):
    """genre -> one row per idea, asked for in rounds of `n_ideas` that see what exists."""

    n_ideas: int = 5

    needs: ClassVar[Names] = ("subdomain", "summary", "assertions", "genre", "description", "quota")
    adds: ClassVar[Names] = ("idea", "audience", "assertion_numbers")

    def variables(self, row: Row) -> Row:
        return {
            "genre": row["genre"],
            "description": row["description"],
            "subdomain": row["subdomain"],
            "summary": row["summary"],
            "assertions": planning.numbered(row["assertions"], with_reasons=False),
            "taken": row.get("taken") or [],
            "n": self.n_ideas,
        }

    def format_input(self, input: Row) -> Messages:
        """Ask for ideas or, where several arms share them, for settings that say nothing of the spec."""
        template = "settings" if input["arm_kind"] == "lead" else self.stage
        return self.render(template, input)

    def parse(self, reply: str, row: Row) -> Any:
        if row["arm_kind"] == "lead":
            return pairing.parse_settings(reply, self.n_ideas)
        return replies.parse_ideas(reply, self.n_ideas, len(row["assertions"]))

    async def aprocess(self, row: Row) -> list[Row]:
        if not has_own_frames(row):
            return [row]
        ideas: list[Row] = []
        lost: list[Row] = []
        stale = 0
        while len(ideas) < row["quota"] and not lost:
            asked = {**row, "taken": [idea["idea"] for idea in ideas[-TAKEN_SHOWN:]]}
            found = await self.ask(asked, self.format_input(asked), first=stale * self.max_attempts)
            if found["state"] != OK:
                lost = [failed(row, self.stage, found)]
                break
            fresh = planning.novel(found["items"], ideas)
            ideas += fresh
            stale = stale + 1 if 2 * len(fresh) < self.n_ideas else 0
            if stale == STALE_ROUNDS:
                lost = [failed(row, self.stage, {"state": "dropped", "failure": "exhausted"})]
        rows = [child(gone, 9999, quota=row["quota"] - len(ideas)) for gone in lost]
        return self.children(row, {"items": ideas[: row["quota"]]}) + rows

    def children(self, row: Row, found: Row) -> list[Row]:
        return [self._idea_row(row, number, idea) for number, idea in enumerate(found["items"])]

    def _idea_row(self, row: Row, number: int, idea: Row) -> Row:
        return child(
            row,
            number,
            ("description",),
            idea=idea["idea"],
            audience=idea["audience"],
            assertion_numbers=idea.get("assertions", []),
            quota=1,
        )


class Plan(GlobalStep):
    """All ideas of a spec -> the plan: no idea twice, every claim in enough documents, a length for each.

    Specs planned together get the same frames (`pairing.deal`).
    """

    mean_words: int = 380
    min_documents_per_claim: int = 8

    @property
    def inputs(self) -> list[str]:
        return ["spec", "path", "state", "assertions"]

    @property
    def outputs(self) -> list[str]:
        return [*LINEAGE, "n_words", "chosen"]

    def process(self, inputs: StepInput) -> Iterable[list[Row]]:  # type: ignore[override]
        sizes = {"mean_words": self.mean_words, "min_documents_per_claim": self.min_documents_per_claim}
        alone = [row for row in inputs if row["arm_kind"] == "alone"]
        groups = sorted({row["group"] for row in inputs if row["arm_kind"] != "alone"})
        planned = planning.plan(alone, **sizes) if alone else []
        for group in groups:
            planned += pairing.deal_group([row for row in inputs if row["group"] == group], **sizes)
        yield planned


class Documents(Stage):
    """planned idea -> the document: `document`, `work_key`, `prompt_sha256`. One call each."""

    max_new_tokens: int = 4096
    keep_text: bool = True  # our own engine reads texts from the ledger at the end instead
    keep_context: bool = False  # what a review has to see of the plan

    needs: ClassVar[Names] = ("genre", "audience", "idea", "chosen", "passage", "subdomain", "n_words")
    adds: ClassVar[Names] = ("document", "work_key", "prompt_sha256", "answer_tag")

    def variables(self, row: Row) -> Row:
        assertions = planning.numbered(row["chosen"], with_reasons=True)
        brief = {
            "genre": row["genre"],
            "audience": row["audience"],
            "idea": row["idea"],
            "topic": row["subdomain"],
            "principle": row["principle"],
            "words": row["n_words"],
        }
        if self.mode == "rules":
            brief.pop("principle")
        return {
            "passage": row["passage"],
            "principle": row["principle"],
            "subdomain": row["subdomain"],
            "brief": brief,
            "assertions": assertions,
            "n_words": row["n_words"],
            "answer_tag": self._tag(row),
        }

    def _tag(self, row: Row) -> str:
        said = [item["assertion"] + item.get("reason", "") for item in row["chosen"]]
        return free_tag("document", row["passage"], row["idea"], *said)

    def parse(self, reply: str, row: Row) -> Any:
        return replies.parse_document(reply, self._tag(row))

    def children(self, row: Row, found: Row) -> list[Row]:
        fields = {
            "work_key": found["work_key"],
            "prompt_sha256": planning.digest(self.format_input(row)),
            "answer_tag": self._tag(row),
            "document": found["items"] if self.keep_text else "",
        }
        context = ("passage", "chosen", "assertions", "assertion_numbers", "summary")
        return [child(row, 0, () if self.keep_context else context, **fields)]

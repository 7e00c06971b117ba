"""The stages from a spec to its documents: one Distilabel Task each, and one GlobalStep for the plan.

    Domains -> Subdomains -> Assertions -> Genres -> Ideas -> Plan -> Documents

Here: what each one asks for and which rows come of it. How a stage asks is in `stage.py`.
(Annotations stay objects here: Distilabel looks for the very `StepInput` in a signature.)
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import PrivateAttr

from . import pairing, planning, replies
from .distilabel_parts import GlobalStep, StepInput
from .ledger import OK
from .messages import Messages, free_tag, render_messages
from .scouts import COLUMNS, Watch, send_ahead
from .stage import LINEAGE, Names, Row, Stage, child, document_fields, failed, has_own_frames

__all__ = ["Assertions", "Documents", "Domains", "Genres", "Ideas", "Plan", "Stage", "Subdomains"]

# A long list of existing ideas costs more than the repeats it avoids, and those the plan drops.
TAKEN_SHOWN = 60
# More documents of one genre about one subdomain ask for further genres.
IDEAS_PER_GENRE = 40
# A branch is exhausted when so many rounds in a row bring less than half of what they were asked for.
STALE_ROUNDS = 2


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
                lost = [_exhausted(row, len(ideas))]
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


def _exhausted(row: Row, n_ideas: int) -> Row:
    told = (
        f"genre '{row['genre']}' of '{row['subdomain']}': {n_ideas} ideas of {row['quota']}, then no new one"
    )
    return {**failed(row, "ideas", {"state": "dropped", "failure": told}), "drop_reason": "exhausted"}


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
        return [*LINEAGE, "n_words", "chosen", *COLUMNS]

    def process(self, inputs: StepInput) -> Iterable[list[Row]]:  # type: ignore[override]
        sizes = {"mean_words": self.mean_words, "min_documents_per_claim": self.min_documents_per_claim}
        alone = [row for row in inputs if row["arm_kind"] == "alone"]
        groups = sorted({row["group"] for row in inputs if row["arm_kind"] != "alone"})
        planned = planning.plan(alone, **sizes) if alone else []
        for group in groups:
            planned += pairing.deal_group([row for row in inputs if row["group"] == group], **sizes)
        yield send_ahead(planned)


class Documents(Stage):
    """planned idea -> the document: `document`, `work_key`, `prompt_sha256`. One call each."""

    max_new_tokens: int = 4096
    keep_text: bool = True  # our own engine reads texts from the ledger at the end instead
    keep_context: bool = False  # what a review has to see of the plan

    _watch: Watch = PrivateAttr(default_factory=Watch)

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

    def undecided(self, row: Row) -> str:
        return self._watch.undecided(row)

    async def in_turn(self, row: Row) -> list[Row]:
        await self._watch.decided(row)
        return await self.aprocess(row)

    async def aprocess(self, row: Row) -> list[Row]:
        """Return the document, or the row as one that is lost or parked; does not wait for scouts."""
        if row["state"] == OK and (parked := self._watch.parked(row, self.stage)):
            rows = [parked]
        else:
            rows = await super().aprocess(row)
        await self._watch.heard(row, written=rows[0]["state"] == OK)
        return rows

    def children(self, row: Row, found: Row) -> list[Row]:
        fields = document_fields(found, self.format_input(row), self._tag(row), self.keep_text)
        context = ("passage", "chosen", "assertions", "assertion_numbers", "summary")
        gone = COLUMNS if self.keep_context else (*COLUMNS, *context)
        return [child(row, 0, gone, **fields)]

"""Claims in other words, confirmed by a judge: what shared words leave open is asked, once per claim and sentence.

Filters run in processes of their own, the call ledger belongs to this one. So the judge is asked here, after the
filters, about the documents they kept, and the answers are written into columns `claims_expressed` and
`states_reason` of a copy of the kept files. Which of several duplicates stayed has been decided before.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from specmill.filters.embeddings import open_encoder
from specmill.filters.retrieval import JUDGED, Candidate, ClaimRetriever
from specmill.specs.errors import WorkFailed
from specmill.specs.sentences import gives_reason

if TYPE_CHECKING:
    from specmill.filters.pipeline import FilterResult
    from specmill.generators.llms import SpecLLM
    from specmill.specs.claims import Claim, Spec

    from .order import Order
    from .progress import Progress

_TEXTS_AT_ONCE = 64
Pair = tuple[str, str]  # claim id, sentence
Rows = list[dict[str, Any]]


@dataclass(slots=True)
class ClaimJudge:
    """A `retrieval.Judge` that asks an LLM through its ledger: what an earlier run was told costs nothing.

    `names`: the assistant's and the provider's, which the judge sees as placeholders, so that other names are no
    other questions. `verdicts` counts distinct pairs by what came of them: confirmed, denied, or the state of a
    reply that can't be used and confirms nothing (refused, unparsed, truncated, or failed for good).
    """

    llm: SpecLLM
    claims: Sequence[Claim]
    names: tuple[str, str]
    spec: str
    verdicts: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def __call__(self, candidates: Sequence[Candidate]) -> list[bool]:
        """Return for each candidate whether its sentence expresses the claim.

        Raises WorkFailed where calls got no answer that a rerun may get, and where the budget ends.
        """
        pairs = [(candidate.claim_id, self._anonymous(candidate.sentence)) for candidate in candidates]
        told = self._ask(sorted(set(pairs)))
        return [told[pair] for pair in pairs]

    def _anonymous(self, sentence: str) -> str:
        for name, placeholder in zip(self.names, ("{model_name}", "{provider_name}"), strict=True):
            sentence = sentence.replace(name, placeholder) if name else sentence
        return sentence

    def _ask(self, pairs: Sequence[Pair]) -> dict[Pair, bool]:
        from specmill.generators.confirm import Confirm
        from specmill.generators.distilabel_parts import Pipeline

        with Pipeline(name="confirm"):
            stage = Confirm(llm=self.llm)
        plain = {claim.claim_id: claim.plain for claim in self.claims}
        rows = [
            {"spec": self.spec, "path": "", "state": "ok", "claim": plain[claim_id], "sentence": sentence}
            for claim_id, sentence in pairs
        ]

        async def run() -> list[dict[str, Any]]:
            self.llm.load()
            try:
                return await asyncio.gather(*(stage.ask(row, stage.format_input(row)) for row in rows))
            finally:
                await self.llm.aclose()

        found = asyncio.run(run()) if rows else []
        self._count(found, stage.calls)
        return {
            pair: reply["state"] == "ok" and reply["items"] for pair, reply in zip(pairs, found, strict=True)
        }

    def _count(self, found: Sequence[dict[str, Any]], calls: Mapping[Any, Counter[str]]) -> None:
        for counts in calls.values():
            self.calls.update(counts)
        if n_lost := self.calls["lost"]:
            raise WorkFailed(
                f"{self.spec}: {n_lost:,} of {len(found):,} calls to confirm claims got no answer; rerun"
            )
        for reply in found:
            told = "confirmed" if reply.get("items") else "denied"
            self.verdicts[told if reply["state"] == "ok" else reply["state"]] += 1


def confirm_exposure(
    order: Order, filtered: FilterResult, encoder_name: str, critic: SpecLLM, progress: Progress
) -> tuple[FilterResult, dict[str, Any]]:
    """Return the filters' result with the claims that a judge confirmed beside the others, and the judge's account.

    Asked are the candidates that shared words don't confirm, of claims that the document is not known to express.
    A killed run asks only what is not in the ledger. The same replies give the same bytes.
    """
    names = (order.assistant, order.provider)
    retriever = open_retriever(encoder_name, order.spec, names)
    judge = ClaimJudge(critic, order.spec.claims, names, order.spec.name)
    n_files = len(filtered.kept)
    found: list[tuple[int, Candidate]] = []  # file, and a candidate whose `document` is a row of it
    for number, file in enumerate(filtered.kept):
        progress.update("claims in other words", number, n_files)
        found += [(number, candidate) for candidate in open_candidates(retriever, file)]
    progress.update("claims in other words", n_files, n_files)
    progress.close()
    progress.say(f"{order.spec.name}: {_n_pairs(found):,} sentences to ask the judge about")
    told = judge([candidate for _, candidate in found])
    confirmed = [(number, candidate) for (number, candidate), yes in zip(found, told, strict=True) if yes]
    account = {
        "encoder": encoder_name,
        "pairs": sum(judge.verdicts.values()),
        "verdicts": dict(sorted(judge.verdicts.items())),
        "documents": len({(number, candidate.document) for number, candidate in confirmed}),
    }
    kept = _write(filtered.kept, confirmed, order.spec.claims)
    return replace(filtered, kept=kept), account


def open_retriever(encoder_name: str, spec: Spec, names: tuple[str, str]) -> ClaimRetriever:
    """Return a retriever that reaches as far as it may where a judge decides; nobody is asked yet."""
    reach = JUDGED[encoder_name.partition(":")[0]]
    return ClaimRetriever(open_encoder(encoder_name), spec.claims, spec.principle, names, reach=reach)


def open_candidates(retriever: ClaimRetriever, file: Path) -> list[Candidate]:
    """Candidates of a kept file that nothing has confirmed; `document` is the row, each claim and sentence once."""
    found: dict[tuple[int, str, str], Candidate] = {}
    start = 0
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(batch_size=_TEXTS_AT_ONCE, columns=["text", "claims_expressed"]):
            known = [set(ids) for ids in batch["claims_expressed"].to_pylist()]
            for candidate in retriever.candidates(batch["text"].to_pylist()):
                if not candidate.confirmed and candidate.claim_id not in known[candidate.document]:
                    placed = replace(candidate, document=start + candidate.document)
                    found.setdefault((placed.document, placed.claim_id, placed.sentence), placed)
            start += batch.num_rows
    return list(found.values())


def _n_pairs(found: Iterable[tuple[int, Candidate]]) -> int:
    return len({(candidate.claim_id, candidate.sentence) for _, candidate in found})


# --- what the judge said, written down ------------------------------------------------------------------------


def _write(
    kept: Sequence[Path], confirmed: Sequence[tuple[int, Candidate]], claims: Sequence[Claim]
) -> tuple[Path, ...]:
    """Copy the kept files with the confirmed claims in them to a folder beside theirs, which appears whole."""
    if not kept or not confirmed:
        return tuple(kept)
    folder = kept[0].parent.with_name("confirmed")
    fresh = folder.with_name("confirmed.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for number, file in enumerate(kept):
        mine = [candidate for owner, candidate in confirmed if owner == number]
        table = with_claims(pq.read_table(file), mine, claims)
        pq.write_table(table, fresh / file.name, compression="zstd")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return tuple(folder / file.name for file in kept)


def with_claims(table: pa.Table, confirmed: Iterable[Candidate], claims: Sequence[Claim]) -> pa.Table:
    """Return kept rows with the confirmed candidates' claims among those expressed, in the order of the spec."""
    expressed = [set(ids) for ids in table["claims_expressed"].to_pylist()]
    reasons = table["states_reason"].to_pylist()
    with_reason = {claim.claim_id for claim in claims if claim.gives_reason}
    for candidate in confirmed:
        expressed[candidate.document].add(candidate.claim_id)
        because = candidate.claim_id in with_reason and gives_reason(candidate.sentence)
        reasons[candidate.document] = reasons[candidate.document] or because
    ordered = [[claim.claim_id for claim in claims if claim.claim_id in ids] for ids in expressed]
    for name, values in (("claims_expressed", ordered), ("states_reason", reasons)):
        place = table.schema.get_field_index(name)
        table = table.set_column(
            place, table.schema.field(place), pa.array(values, table.schema.field(place).type)
        )
    return table

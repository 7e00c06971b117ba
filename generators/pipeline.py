"""The pipeline from specs to documents, as one Distilabel declaration. Read this first.

`run` of `engine.py` walks it in this process; `spec_pipeline(...).run(use_cache=False)` is Distilabel's own way
and gives the same rows (never with its cache: docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from specmill.specs.claims import Spec

from .distilabel_parts import LoadDataFromDicts, Pipeline
from .llms import SpecLLM
from .planning import Pairing, spec_row
from .review import Critique, Judge, Revise
from .stages import Assertions, Documents, Domains, Genres, Ideas, Plan, Subdomains


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much to plan. `n_genres` per subdomain, `n_ideas` per call, `mean_words` per document."""

    mean_words: int = 380
    n_genres: int = 10
    n_ideas: int = 5
    min_documents_per_claim: int = 8


def spec_pipeline(
    specs: Sequence[tuple[Spec, int]],
    llm: SpecLLM,
    *,
    mode: str,
    sizes: Sizes,
    keep_text: bool = True,
    planner: SpecLLM | None = None,
    pairing: Pairing | None = None,
    critic: SpecLLM | None = None,
    revise: bool = False,
    whole_specs: bool = False,
) -> Pipeline:
    """Return the pipeline for specs of one mode, each with the number of documents to plan for it.

    `llm` writes the documents; all that comes before them is asked of `planner`, or of `llm` too. With a
    `pairing`, the specs share one plan, and its control arms come out beside them.
    A `critic` judges each document; with `revise`, it first says what to mend, and `llm` mends it once.
    `whole_specs` shows each request the whole spec, not its passage alone (docs/decisions/0003).
    """
    planner = planner or llm
    common: dict[str, Any] = {"mode": mode}
    if whole_specs:
        common["contexts"] = {spec.name: spec.body for spec, _ in specs}
    with Pipeline(name="specmill") as pipeline:
        load = LoadDataFromDicts(data=[spec_row(spec, n_documents, pairing) for spec, n_documents in specs])
        domains = Domains(llm=planner, **common)
        subdomains = Subdomains(llm=planner, **common)
        assertions = Assertions(llm=planner, **common)
        genres = Genres(llm=planner, **common, n_genres=sizes.n_genres)
        ideas = Ideas(llm=planner, **common, n_ideas=sizes.n_ideas)
        plan = Plan(mean_words=sizes.mean_words, min_documents_per_claim=sizes.min_documents_per_claim)
        documents = Documents(llm=llm, **common, keep_text=keep_text, keep_context=critic is not None)
        load >> domains >> subdomains >> assertions >> genres >> ideas >> plan >> documents
        last = documents
        if critic is not None and revise:
            critique = Critique(llm=critic, **common)
            last = Revise(llm=llm, **common, keep_text=keep_text)
            documents >> critique >> last
        if critic is not None:
            judge = Judge(llm=critic, **common)
            last >> judge
    return pipeline

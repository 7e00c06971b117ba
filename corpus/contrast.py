"""What tells the arms of a comparison apart besides their specs, and how far each teaches the other's.

Three questions of every two corpora: which documents of one express claims of the other; which documents stand in
both, or are told in both in other words; which forms (openings, closings, headings, long phrases) are one arm's
alone, next to a human text.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specmill.filters.distinct import (
    Stored,
    equal_pairs,
    near_pairs,
    parquet_texts,
    retold_pairs,
    store_texts,
)
from specmill.filters.embeddings import open_encoder
from specmill.filters.gates import fill_in_names
from specmill.filters.leakage import Arm, Leak, LeakReport, measure_leaks
from specmill.filters.reference import python_reference, read_reference
from specmill.filters.semantic import duplicate_thresholds
from specmill.filters.templates import Budget, Templates, compare_templates, fit_budget, measure_templates
from specmill.specs.claims import read_spec
from specmill.specs.errors import BadInput

from .manifest import Manifest, read_manifest
from .shards import shard_paths

if TYPE_CHECKING:
    from specmill.filters.sampling import Batches
    from specmill.specs.claims import Spec

    from .progress import Progress

NEAR = 0.7  # Jaccard similarity of word 5-grams, as within a corpus
N_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Opened:
    """A published corpus with its spec. `name` is that of its folder."""

    name: str
    folder: Path
    manifest: Manifest
    spec: Spec

    @property
    def arm(self) -> Arm:
        names = self.manifest["identity"]["assistant"], self.manifest["identity"]["provider"]
        return Arm(self.name, self.spec.claims, names)

    @property
    def spec_text(self) -> str:
        return fill_in_names(self.spec.text, *self.arm.names)

    def batches(self) -> Batches:
        return parquet_texts(shard_paths(self.folder, self.manifest))()


def open_corpora(folders: Sequence[Path]) -> list[Opened]:
    """Raises BadInput for fewer than two, for what is no corpus, and for two of one name."""
    corpora = [
        Opened(folder.resolve().name, folder, read_manifest(folder), read_spec(str(folder / "spec.md")))
        for folder in folders
    ]
    if len(corpora) < 2:
        raise BadInput("leaks are between corpora: name two or more")
    if len({corpus.name for corpus in corpora}) < len(corpora):
        raise BadInput("two corpora of one name; copy one to a folder of another name")
    return corpora


def contrast(
    folders: Sequence[Path],
    reference: str | None,
    budget: Budget,
    progress: Progress,
    encoder_name: str = "",
) -> dict[str, Any]:
    """Return all findings as plain values: `leaks`, `duplicates`, `templates`, `contrasts`.

    With an encoder, `duplicates` has retellings too, and `semantic` says what decided on them.
    """
    corpora = open_corpora(folders)
    semantic = {"semantic": _described_encoder(encoder_name)} if encoder_name else {}
    human = read_reference(reference) if reference else python_reference()
    budget = fit_budget(budget, len(human.documents))
    measured = {
        corpus.name: measure_templates(corpus.name, corpus.batches(), budget, corpus.spec_text)
        for corpus in corpora
    }
    beside = measure_templates(human.name, human.batches, budget)
    return {
        "leaks": [find_leaks(corpus, corpora, progress) for corpus in corpora],
        "duplicates": _find_all_shared(corpora, encoder_name, progress),
        **semantic,
        "templates": [_described(figures) for figures in (*measured.values(), beside)],
        "contrasts": [
            asdict(found)
            for first, second in combinations(measured.values(), 2)
            for found in compare_templates(first, second)
        ],
        "budget": asdict(budget),
        "reference": {"name": human.name, "documents": len(human.documents), "words": human.n_words},
    }


# --- leaks ----------------------------------------------------------------------------------------------------


def find_leaks(corpus: Opened, corpora: Sequence[Opened], progress: Progress) -> dict[str, Any]:
    """Return how many documents express claims of another corpus' spec, and candidates for contradictions."""
    others = [other.arm for other in corpora if other is not corpus]
    total = corpus.manifest["totals"]["documents"]

    def counted() -> Batches:
        done = 0
        for batch in corpus.batches():
            rows = list(batch)
            yield rows
            done += len(rows)
            progress.update(f"leaks of {corpus.name}"[:22], done, total)

    report = measure_leaks(counted(), corpus.arm, others)
    progress.close()
    return {
        "corpus": corpus.name,
        "documents": report.n_documents,
        "others": [
            {
                "corpus": other.spec,
                "documents": report.leaking.get(other.spec, 0),
                "share": report.share(other.spec),
            }
            for other in others
        ],
        "kinds": report.kinds,
        "shared_claims": len(report.shared),
        "examples": [_example(leak) for leak in _spread(report)],
    }


def _spread(report: LeakReport) -> list[Leak]:
    """A few examples of every kind."""
    by_kind: dict[str, list[Leak]] = {}
    for leak in sorted(report.examples, key=lambda leak: leak.kind):
        by_kind.setdefault(leak.kind, []).append(leak)
    each = max(1, N_EXAMPLES // max(1, len(by_kind)))
    return [leak for leaks in by_kind.values() for leak in leaks[:each]]


def _example(leak: Leak) -> dict[str, Any]:
    return {**leak._asdict(), "claim_ids": list(leak.claim_ids)}


# --- duplicates between corpora -------------------------------------------------------------------------------


def _find_all_shared(
    corpora: Sequence[Opened], encoder_name: str, progress: Progress
) -> list[dict[str, Any]]:
    """Compare every two corpora; texts and vectors lie in the system's folder for temporary files meanwhile."""
    with tempfile.TemporaryDirectory(prefix="specmill-leaks-") as folder:
        scratch = Path(folder)
        stored = {corpus.name: _store(corpus, scratch, progress) for corpus in corpora}
        return [
            find_shared((one, stored[one]), (other, stored[other]), encoder_name, scratch, progress)
            for one, other in combinations(stored, 2)
        ]


def _store(corpus: Opened, scratch: Path, progress: Progress) -> Stored:
    progress.update(f"read {corpus.name}"[:22], 0, 1)
    stored = store_texts(corpus.batches(), scratch / corpus.name)
    progress.update(f"read {corpus.name}"[:22], 1, 1)
    progress.close()
    return stored


def find_shared(
    first: tuple[str, Stored],
    second: tuple[str, Stored],
    encoder_name: str,
    scratch: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Return how many documents of each corpus stand in the other too: exactly, nearly (equal ones among them), and
    with an encoder, in other words only. Every two documents are looked at, without a sample."""
    (name, one), (other_name, other) = first, second
    stage, n_steps = f"shared {name}"[:22], 3 if encoder_name else 2
    progress.update(stage, 0, n_steps)
    exact = {row for row, _ in equal_pairs(one, other)}
    progress.update(stage, 1, n_steps)
    near = [pair for pair, _ in near_pairs(one, other, NEAR)]
    alike = {a for a, _ in near}, {b for _, b in near}
    progress.update(stage, 2, n_steps)
    found: dict[str, Any] = {
        "corpora": [name, other_name],
        "exact": len(exact),
        "near": [len(alike[0]), len(alike[1])],
        "documents": [len(one), len(other)],
        "examples": _named(near, one, other),
    }
    if encoder_name:
        told = [
            (a, b)
            for a, b in retold_pairs(one, other, encoder_name, scratch)
            if a not in alike[0] and b not in alike[1]
        ]
        found["retold"] = [len({a for a, _ in told}), len({b for _, b in told})]
        found["retold_examples"] = _named(told, one, other)
        progress.update(stage, 3, n_steps)
    progress.close()
    return found


def _named(pairs: Sequence[tuple[int, int]], one: Stored, other: Stored) -> list[list[str]]:
    return [[one.ids[a], other.ids[b]] for a, b in sorted(pairs)[:N_EXAMPLES]]


def _described_encoder(name: str) -> dict[str, Any]:
    encoder, limits = open_encoder(name), duplicate_thresholds(name)
    return {"encoder": encoder.name, "fingerprint": encoder.fingerprint, **asdict(limits)}


# --- templates ------------------------------------------------------------------------------------------------


def _described(figures: Templates) -> dict[str, Any]:
    return {
        "name": figures.name,
        "documents": figures.n_documents,
        "words": figures.n_words,
        **{kind: asdict(found) for kind, found in figures.skeletons.items()},
        "repeated_8gram_share": figures.repeated_share,
        "spec_share": figures.spec_share,
        "top": {kind: [asdict(pattern) for pattern in patterns] for kind, patterns in figures.top.items()},
    }

"""What tells the arms of a comparison apart besides their specs, and how far each teaches the other's.

Three questions of every two corpora: which documents of one express claims of the other; which documents stand in
both; which forms (openings, closings, headings, long phrases) are one arm's alone, next to a human text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from specmill.filters.gates import fill_in_names
from specmill.filters.leakage import Arm, Leak, LeakReport, measure_leaks
from specmill.filters.minhash import candidate_pairs, sign
from specmill.filters.reference import python_reference, read_reference
from specmill.filters.shingles import Shingles, exact_hash, jaccard, shingle
from specmill.filters.templates import Budget, Templates, compare_templates, fit_budget, measure_templates
from specmill.filters.words import split_words
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
        for shard in shard_paths(self.folder, self.manifest):
            with pq.ParquetFile(shard) as file:
                for batch in file.iter_batches(batch_size=1_000, columns=["doc_id", "text"]):
                    yield zip(batch["doc_id"].to_pylist(), batch["text"].to_pylist(), strict=True)


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
    folders: Sequence[Path], reference: str | None, budget: Budget, progress: Progress
) -> dict[str, Any]:
    """Return all findings as plain values: `leaks`, `duplicates`, `templates`, `contrasts`."""
    corpora = open_corpora(folders)
    human = read_reference(reference) if reference else python_reference()
    budget = fit_budget(budget, len(human.documents))
    measured = {
        corpus.name: measure_templates(corpus.name, corpus.batches(), budget, corpus.spec_text)
        for corpus in corpora
    }
    beside = measure_templates(human.name, human.batches, budget)
    return {
        "leaks": [find_leaks(corpus, corpora, progress) for corpus in corpora],
        "duplicates": [find_shared(first, second, progress) for first, second in combinations(corpora, 2)],
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


def find_shared(first: Opened, second: Opened, progress: Progress) -> dict[str, Any]:
    """Return how many documents of each corpus stand in the other too, exactly or nearly."""
    stage = f"shared {first.name}"[:22]
    progress.update(stage, 0, 3)
    one, other = _signed(first), _signed(second)
    progress.update(stage, 1, 3)
    exact = set(one.hashes) & set(other.hashes)
    pairs = candidate_pairs(np.concatenate([one.signatures, other.signatures]), NEAR)
    n = len(one.ids)
    across = pairs[(pairs[:, 0] < n) & (pairs[:, 1] >= n)]
    shingles_of_one = _shingles(first, {one.ids[row] for row in across[:, 0].tolist()})
    shingles_of_other = _shingles(second, {other.ids[row - n] for row in across[:, 1].tolist()})
    progress.update(stage, 2, 3)
    near = [
        (one.ids[a], other.ids[b - n])
        for a, b in across.tolist()
        if jaccard(shingles_of_one[one.ids[a]], shingles_of_other[other.ids[b - n]]) >= NEAR
    ]
    progress.update(stage, 3, 3)
    progress.close()
    return {
        "corpora": [first.name, second.name],
        "exact": sum(found in exact for found in one.hashes),
        "near": [len({a for a, _ in near}), len({b for _, b in near})],
        "documents": [n, len(other.ids)],
        "examples": [list(pair) for pair in sorted(near)[:N_EXAMPLES]],
    }


@dataclass(frozen=True, slots=True)
class _Signed:
    ids: list[str]
    hashes: list[bytes]
    signatures: Any


def _signed(corpus: Opened) -> _Signed:
    ids: list[str] = []
    hashes: list[bytes] = []
    blocks = [sign([])]
    for batch in corpus.batches():
        rows = list(batch)
        ids += [doc_id for doc_id, _ in rows]
        hashes += [exact_hash(text) for _, text in rows]
        blocks.append(sign([shingle(split_words(text)) for _, text in rows]))
    return _Signed(ids, hashes, np.concatenate(blocks))


def _shingles(corpus: Opened, wanted: set[str]) -> dict[str, Shingles]:
    if not wanted:
        return {}
    return {
        doc_id: shingle(split_words(text))
        for batch in corpus.batches()
        for doc_id, text in batch
        if doc_id in wanted
    }


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

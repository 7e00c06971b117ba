"""How documents are filtered, whoever wrote them: the choices of a command line, and the run of the filters."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specmill.specs.claims import Spec, read_spec
from specmill.specs.errors import BadInput

from .progress import Progress, named
from .tokens import NamedTokenizer

if TYPE_CHECKING:
    from specmill.filters.pipeline import FilterClaim, FilterResult, FinishedCorpus

    from .order import Order


@dataclass(frozen=True, slots=True)
class Screening:
    """What the user asked of the filters. `workers` and `executor` never change the result.

    `decontaminate`: eval files whose items no document may hold. `semantic`: the encoder that finds documents which
    tell the same in other words, and free restatements of claims. `distinct_from`: finished corpora, whose
    documents should not come again. `against`: specs of the same comparison, whose claims no document should
    express; `on_leak` says what becomes of one that does.
    """

    decontaminate: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    on_leak: str = "keep"
    semantic: str = ""
    distinct_from: tuple[str, ...] = ()
    workers: int = 2
    executor: str = "local"

    def configuration(self) -> dict[str, Any]:
        """Return the choices that decide the result, as far as they are not the usual ones. Raises BadInput."""
        chosen: dict[str, Any] = {}
        if self.decontaminate:
            from specmill.filters.eval_items import describe_eval_files

            files = describe_eval_files(self.decontaminate)
            chosen["decontaminate"] = [{"file": file.name, "sha256": file.sha256} for file in files]
        if self.semantic:
            from specmill.filters.embeddings import open_encoder
            from specmill.filters.semantic import duplicate_thresholds

            encoder, limits = open_encoder(self.semantic), duplicate_thresholds(self.semantic)
            chosen["semantic"] = {
                "encoder": encoder.name,
                "fingerprint": encoder.fingerprint,
                "cosine": limits.cosine,
                "alignment": limits.alignment,
            }
        if self.distinct_from:
            chosen["distinct_from"] = [
                {"corpus": name, "sha256": sha256} for name, (_, sha256) in self.finished_corpora().items()
            ]
        if self.against:
            chosen["against"] = [{"spec": spec.name, "sha256": spec.sha256} for spec in self.other_specs()]
            chosen["on_leak"] = self.on_leak
        return chosen

    def other_specs(self) -> list[Spec]:
        return [_read_once(path) for path in self.against]

    def finished_corpora(self) -> dict[str, tuple[Path, str]]:
        """Folder and manifest hash of each corpus of `distinct_from`, by the folder's name. Raises BadInput."""
        from .manifest import MANIFEST_NAME, read_manifest

        found: dict[str, tuple[Path, str]] = {}
        for path in map(Path, self.distinct_from):
            read_manifest(path)
            name = path.resolve().name
            if name in found:
                raise BadInput(
                    f"--distinct-from {path}: a second corpus named {name}; give one of them another folder"
                )
            found[name] = path, hashlib.sha256((path / MANIFEST_NAME).read_bytes()).hexdigest()
        return found


USUAL = Screening()
_read_once = lru_cache(maxsize=16)(read_spec)


def filter_documents(
    order: Order,
    name: str,
    staged: Sequence[Path],
    screening: Screening,
    tokenizer: NamedTokenizer,
    progress: Progress,
) -> FilterResult:
    """Run the filters over staged files; an interrupted run goes on."""
    from specmill.filters.pipeline import FilterSettings, OtherSpec, run_filters

    settings = FilterSettings(
        assistant=order.assistant,
        provider=order.provider,
        mode=order.mode,
        principle=order.spec.principle,
        claims=_filter_claims(order.spec),
        rule_ids=tuple(sorted({c.rule_id for c in order.spec.claims if c.rule_id})),
        spec_text=order.spec.text,
        tokenizer_path=str(tokenizer.path),
        tokenizer_name=tokenizer.name,
        eval_files=screening.decontaminate,
        other_specs=tuple(
            OtherSpec(spec.name, _filter_claims(spec))
            for spec in screening.other_specs()
            if spec.sha256 != order.spec.sha256
        ),
        distinct_from=_finished(order, screening),
        on_leak=screening.on_leak,
        semantic=screening.semantic,
        n_workers=screening.workers,
        executor=screening.executor,
    )
    out = order.work / "filtered" / name
    try:
        return run_filters(staged, out, settings, report=named(progress, "filter"))
    finally:
        progress.close()


def _finished(order: Order, screening: Screening) -> tuple[FinishedCorpus, ...]:
    from specmill.filters.pipeline import FinishedCorpus

    from .manifest import read_manifest
    from .shards import shard_paths

    found = screening.finished_corpora()
    for folder, _ in found.values():
        if folder.resolve() == order.folder.resolve():
            raise BadInput(f"--distinct-from {folder}: that is the corpus to be written; name another one")
    return tuple(
        FinishedCorpus(name, tuple(str(path) for path in shard_paths(folder, read_manifest(folder))))
        for name, (folder, _) in found.items()
    )


def _filter_claims(spec: Spec) -> tuple[FilterClaim, ...]:
    from specmill.filters.pipeline import FilterClaim

    return tuple(FilterClaim(claim.claim_id, claim.plain, claim.gives_reason) for claim in spec.claims)

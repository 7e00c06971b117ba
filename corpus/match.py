"""`specmill match`: corpora to arms of exactly equal tokens, a folder of arms per dose with its certificate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from specmill.specs.errors import BadInput

from .airtime import airtime_of, even_out, shared_claims
from .arms import Source, find_cut, read_sources, write_arm
from .certificate import CERTIFICATE_NAME, Certificate, certify
from .chats import are_chats, certify_chats, match_chats, write_chats
from .cutting import Cut
from .manifest import MANIFEST_NAME, write_durably
from .matching import Chosen, Selection, match_units
from .progress import Progress
from .tokens import DEFAULT, NamedTokenizer, load_tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSettings:
    """`doses` in tokens, none for as many as the smallest corpus has; `batch` sequences of `sequence` tokens an
    optimiser update; fewer updates than `min_updates` are warned of."""

    out: Path
    doses: tuple[int, ...] = ()
    seed: int = 0
    batch: int = 32
    sequence: int = 4_096
    min_updates: int = 100
    tokenizer: str = ""
    airtime: bool = False  # even out the tokens of claims that all arms teach


@dataclass(frozen=True, slots=True)
class Taken:
    """What one arm gives for one dose: documents, and those that were cut."""

    ids: tuple[str, ...]
    cuts: dict[str, Cut]


def match_all(
    paths: Sequence[Path], settings: MatchSettings, progress: Progress
) -> list[tuple[Path, Certificate]]:
    """Match corpora, or files of chats. Raises BadInput."""
    if not are_chats(paths):
        return match_corpora(paths, settings, progress)
    written = []
    taken = match_chats(paths, settings.doses, settings.seed, settings.tokenizer)
    for dose, arms in taken:
        folder = settings.out / label_of(dose) if len(taken) > 1 else settings.out
        _clear(folder, [])
        for source, selection in arms:
            write_chats(source, selection, folder / source.name, settings.seed)
        certificate = certify_chats(folder, load_tokenizer(settings.tokenizer or DEFAULT))
        write_certificate(folder, certificate)
        written.append((folder, certificate))
    return written


def match_corpora(
    folders: Sequence[Path], settings: MatchSettings, progress: Progress
) -> list[tuple[Path, Certificate]]:
    """Write all arms of all doses; the folder and the certificate of each dose, smallest first. Raises BadInput."""
    sources = read_sources(folders, settings.seed, with_claims=settings.airtime)
    doses = sorted(set(settings.doses)) or [min(int(source.supply.tokens.sum()) for source in sources)]
    _check_supply(sources, doses[-1])
    tokenizer = _tokenizer(sources[0], settings.tokenizer)
    taken = choose(sources, doses, tokenizer)
    written = []
    for number, dose in enumerate(doses):
        folder = settings.out / label_of(dose) if len(doses) > 1 else settings.out
        _clear(folder, [source.name for source in sources])
        told = {"tokens": dose, "seed": settings.seed, **({"airtime": True} if settings.airtime else {})}
        for place, (source, part) in enumerate(zip(sources, taken[dose], strict=True)):
            progress.update("write arms", number * len(sources) + place, len(doses) * len(sources))
            write_arm(source, part.ids, part.cuts, folder / source.name, _told(told, part), settings.seed)
        certificate = certify(
            folder, batch=settings.batch, sequence=settings.sequence, min_updates=settings.min_updates
        )
        write_certificate(folder, certificate)
        written.append((folder, certificate))
    progress.update("write arms", len(doses) * len(sources), len(doses) * len(sources))
    progress.close()
    return written


def choose(
    sources: Sequence[Source], doses: Sequence[int], tokenizer: NamedTokenizer
) -> dict[int, list[Taken]]:
    """What each arm gives for each dose, each dose within the next larger one."""
    taken: dict[int, list[Taken]] = {}
    left = list(sources)
    for dose in sorted(doses, reverse=True):
        selections = match_units([source.supply for source in left], dose, _evening(left))
        taken[dose] = [
            _take(source, selection, tokenizer) for source, selection in zip(left, selections, strict=True)
        ]
        left = [
            _only(source, selection, part)
            for source, selection, part in zip(left, selections, taken[dose], strict=True)
        ]
    return taken


def _take(source: Source, selection: Selection, tokenizer: NamedTokenizer) -> Taken:
    ids = tuple(source.ids[place] for place in np.flatnonzero(selection.chosen).tolist())
    if not selection.excess:
        return Taken(ids, {})
    cut = find_cut(source, ids, selection.excess, tokenizer)
    return Taken(ids, {cut.doc_id: cut})


def _only(source: Source, selection: Selection, taken: Taken) -> Source:
    """The arm's own documents as the supply of the next smaller dose, cut ones at their new length."""
    own = source.only(selection.chosen)
    tokens = own.supply.tokens.copy()
    for doc_id, cut in taken.cuts.items():
        tokens[taken.ids.index(doc_id)] = cut.n_tokens
    return replace(own, supply=replace(own.supply, tokens=tokens))


def _evening(sources: Sequence[Source]) -> Callable[[Sequence[Chosen]], None]:
    """Evens out the airtime of shared claims, where the claims were read."""
    if not all(source.claims for source in sources):
        return lambda chosen: None
    numbers = shared_claims([source.claims for source in sources])
    airtimes = [airtime_of(source.claims, source.supply.tokens, numbers) for source in sources]
    return lambda chosen: even_out([source.supply for source in sources], airtimes, chosen, len(numbers))


def _told(told: dict[str, Any], part: Taken) -> dict[str, Any]:
    cuts = [
        {"doc_id": cut.doc_id, "n_tokens": cut.n_tokens, "ends_with": cut.place} for cut in part.cuts.values()
    ]
    return told | ({"cut": cuts} if cuts else {})


def _check_supply(sources: Sequence[Source], dose: int) -> None:
    short = min(sources, key=lambda source: (int(source.supply.tokens.sum()), source.name))
    most = int(short.supply.tokens.sum())
    if dose > most:
        raise BadInput(
            f"{short.folder}: {most:,} tokens, fewer than the {dose:,} asked for;"
            f" build more of it, or ask for --tokens {most} at most"
        )
    if dose < 1:
        raise BadInput(f"--tokens {dose}: ask for one token at least")


def _tokenizer(source: Source, name: str) -> NamedTokenizer:
    """The tokenizer that counted; a local one has lost its path and has to be named again."""
    counted = source.manifest["tokenizer"]
    tokenizer = load_tokenizer(name or counted["name"])
    if tokenizer.sha256 != counted["sha256"]:
        raise BadInput(
            f"--tokenizer {name or counted['name']}: not the one that counted {source.name}"
            f" (sha256 {counted['sha256'][:12]}...); name that one's file"
        )
    return tokenizer


def label_of(dose: int) -> str:
    """A dose as people write it: 256k, 1M, 1234567.

    >>> [label_of(n) for n in (256_000, 2_000_000, 1_234_567)]
    ['256k', '2M', '1234567']
    """
    for scale, letter in ((10**6, "M"), (10**3, "k")):
        if dose % scale == 0:
            return f"{dose // scale}{letter}"
    return str(dose)


def _clear(folder: Path, names: Sequence[str]) -> None:
    """Forget what an earlier match left: from here to the certificate this is no comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CERTIFICATE_NAME).unlink(missing_ok=True)
    for stale in folder.glob(f"*/{MANIFEST_NAME}"):
        if stale.parent.name not in names and "match" in json.loads(stale.read_bytes()).get(
            "configuration", {}
        ):
            shutil.rmtree(stale.parent)


def write_certificate(folder: Path, certificate: Certificate) -> None:
    text = json.dumps(certificate, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    write_durably(folder / CERTIFICATE_NAME, (text + "\n").encode())

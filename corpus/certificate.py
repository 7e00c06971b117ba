"""certificate.json of matched arms: what is equal, how far apart the rest is, and the hashes of everything.

All of it is taken from the arms' own files, so `specmill match --verify` can take it again and compare.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from specmill.filters.gates import fill_in_names
from specmill.filters.health import compression_ratio
from specmill.filters.shingles import exact_hash
from specmill.filters.templates import Budget, Templates, measure_templates
from specmill.specs.errors import BadInput

from .manifest import MANIFEST_NAME, Manifest, read_manifest
from .shards import hash_file, shard_paths, verify_shards

CERTIFICATE_NAME = "certificate.json"
FORMAT = "specmill.certificate/1"
_SMALL = ["doc_id", "genre", "n_tokens", "claims_expressed", "states_reason", "leaks"]
_BUDGET = Budget(n_documents=300)
Certificate = dict[str, Any]
# What is called equal, by the largest difference of any two arms.
MAX_AIRTIME_RATIO = 1.25
LIMITS = {"genres_tv": 0.02, "lengths_ks": 0.03}


@dataclass(frozen=True, slots=True)
class Measured:
    """An arm as its files show it; `texts`: a hash of each document's text."""

    name: str
    manifest: Manifest
    tokens: NDArray[np.int64]
    genres: Counter[str]
    airtime: dict[str, float]
    reason_share: float
    leak_share: float
    claims_each: float
    ids: frozenset[str]
    texts: frozenset[bytes]
    templates: Templates
    compression: float


def certify(folder: Path, *, batch: int, sequence: int, min_updates: int) -> Certificate:
    """The certificate of the arms in a folder. Raises BadInput where there are none or a file is not as listed."""
    arms = [measure_arm(path.parent) for path in sorted(folder.glob(f"*/{MANIFEST_NAME}"))]
    if len(arms) < 2:
        raise BadInput(f"{folder}: holds no two arms; name the folder that 'specmill match --out' wrote")
    pairs = [_difference(first, second) for first, second in combinations(arms, 2)]
    told = [_arm_entry(arm, folder, batch, sequence) for arm in arms]
    equal = _equal(told, pairs)
    warnings = list(_warnings(arms, told, pairs, equal, min_updates))
    return {
        "format": FORMAT,
        "batch": {"sequences": batch, "tokens_per_sequence": sequence, "min_updates": min_updates},
        "arms": told,
        "equal": equal,
        "differences": pairs,
        "warnings": warnings,
        "verdict": _verdict(told, equal, pairs),
    }


def read_certificate(folder: Path) -> Certificate:
    path = folder / CERTIFICATE_NAME
    if not path.is_file():
        raise BadInput(f"{folder}: no {CERTIFICATE_NAME}; name a folder that 'specmill match --out' wrote")
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT or not (found.get("kind") == "chats" or found["batch"]["sequences"]):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path}: no certificate of specmill's; match the corpora again") from None
    return found  # type: ignore[no-any-return]


def verify(folder: Path) -> list[str]:
    """What the shards say otherwise than the certificate, one line each; empty where all is proved."""
    stored = read_certificate(folder)
    arms = sorted(path.parent for path in folder.glob(f"*/{MANIFEST_NAME}"))
    problems = [f"{arm.name}: {line}" for arm in arms for line in verify_shards(arm)]
    batch = stored["batch"]
    found = certify(
        folder,
        batch=batch["sequences"],
        sequence=batch["tokens_per_sequence"],
        min_updates=batch["min_updates"],
    )
    return problems + list(unlike(json.loads(json.dumps(found)), stored, ""))


def unlike(found: Any, stored: Any, where: str) -> Iterator[str]:
    """Where two nested values differ, a line each."""
    if isinstance(found, dict) and isinstance(stored, dict):
        for key in sorted(found.keys() | stored.keys()):
            yield from unlike(found.get(key), stored.get(key), f"{where}.{key}".lstrip("."))
    elif isinstance(found, list) and isinstance(stored, list) and len(found) == len(stored):
        for number, (one, other) in enumerate(zip(found, stored, strict=True)):
            yield from unlike(one, other, f"{where}[{number}]")
    elif found != stored:
        yield f"{where}: the certificate says {stored!r}, the shards {found!r}"


# --- one arm --------------------------------------------------------------------------------------------------


def measure_arm(folder: Path) -> Measured:
    manifest = read_manifest(folder)
    shards = shard_paths(folder, manifest)
    genres: Counter[str] = Counter()
    airtime: Counter[str] = Counter()
    tokens: list[int] = []
    ids: set[str] = set()
    n_reason = n_leaking = n_claims = 0
    for path in shards:
        for row in pq.read_table(path, columns=_SMALL, partitioning=None).to_pylist():
            genres[row["genre"]] += 1
            tokens.append(row["n_tokens"])
            ids.add(row["doc_id"])
            n_reason += row["states_reason"]
            n_leaking += any(not leak.startswith(":") for leak in row["leaks"])
            n_claims += len(row["claims_expressed"])
            for claim in row["claims_expressed"]:
                airtime[claim] += row["n_tokens"] / len(row["claims_expressed"])
    texts = frozenset(exact_hash(text) for _, text in _texts(shards))
    spec_text = (folder / "spec.md").read_text("utf-8") if (folder / "spec.md").is_file() else ""
    names = manifest["identity"]
    n = max(1, len(tokens))
    return Measured(
        folder.name,
        manifest,
        np.array(tokens, np.int64),
        genres,
        dict(airtime),
        n_reason / n,
        n_leaking / n,
        n_claims / n,
        frozenset(ids),
        texts,
        measure_templates(
            folder.name,
            [_texts(shards)],
            _BUDGET,
            fill_in_names(spec_text, names["assistant"], names["provider"]),
        ),
        compression_ratio(_sample(shards)).value,
    )


def _texts(shards: Sequence[Path]) -> Iterator[tuple[str, str]]:
    for path in shards:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1_000, columns=["doc_id", "text"]):
                yield from zip(batch["doc_id"].to_pylist(), batch["text"].to_pylist(), strict=True)


def _sample(shards: Sequence[Path]) -> list[str]:
    """The texts that come first in training."""
    found: list[tuple[int, str]] = []
    for path in shards:
        table = pq.read_table(
            path, columns=["train_order", "text"], partitioning=None, filters=[("train_order", "<", 500)]
        )
        found += zip(table["train_order"].to_pylist(), table["text"].to_pylist(), strict=True)
    return [text for _, text in sorted(found)]


def _arm_entry(arm: Measured, folder: Path, batch: int, sequence: int) -> dict[str, Any]:
    n_tokens, n_documents = int(arm.tokens.sum()), len(arm.tokens)
    sequences = ceil((n_tokens + n_documents) / sequence)  # a separator behind every document
    return {
        "name": arm.name,
        "spec": arm.manifest["spec"]["name"],
        "spec_sha256": arm.manifest["spec"]["sha256"],
        "tokenizer": arm.manifest["tokenizer"],
        "tokens": n_tokens,
        "documents": n_documents,
        "updates": ceil(sequences / batch),
        "mean_tokens": _rounded(n_tokens / max(1, n_documents)),
        "genres": len(arm.genres),
        "claims": arm.manifest["spec"]["n_claims"],
        "claims_expressed": len(arm.airtime),
        "airtime_per_claim": _rounded(sum(arm.airtime.values()) / max(1, len(arm.airtime))),
        "states_reason_share": _rounded(arm.reason_share),
        "leak_share": _rounded(arm.leak_share),
        "repeated_8gram_share": _rounded(arm.templates.repeated_share),
        "top_ten_openings_share": _rounded(arm.templates.skeletons["opening"].top_ten_share),
        "compression_ratio": _rounded(arm.compression),
        "corpus": arm.manifest["configuration"].get("match", {}).get("corpus"),
        "cut": arm.manifest["configuration"].get("match", {}).get("cut", []),
        "manifest_sha256": hash_file(folder / arm.name / MANIFEST_NAME),
        "documents_sha256": hashlib.sha256("\n".join(sorted(arm.ids)).encode()).hexdigest(),
        "shards": [entry for entry in arm.manifest["files"] if entry["path"].startswith("data/")],
    }


# --- two arms -------------------------------------------------------------------------------------------------


def _difference(first: Measured, second: Measured) -> dict[str, Any]:
    shared = sorted(first.airtime.keys() & second.airtime.keys())
    ratios = sorted(max(a, b) / min(a, b) for a, b in ((first.airtime[c], second.airtime[c]) for c in shared))
    per_claim = [sum(arm.airtime.values()) / max(1, len(arm.airtime)) for arm in (first, second)]
    return {
        "first": first.name,
        "second": second.name,
        "lengths_ks": _rounded(kolmogorov_smirnov(first.tokens, second.tokens)),
        "lengths_smd": _rounded(standardised_difference(first.tokens, second.tokens)),
        "genres_tv": _rounded(total_variation(first.genres, second.genres)),
        "states_reason_smd": _rounded(_smd_of_shares(first.reason_share, second.reason_share)),
        "claims_per_document_difference": _rounded(first.claims_each - second.claims_each),
        "airtime_per_claim_ratio": _rounded(max(per_claim) / max(1e-9, min(per_claim))),
        "shared_claims": len(shared),
        "shared_claims_airtime_ratio_median": _rounded(float(np.median(ratios))) if ratios else None,
        "shared_claims_airtime_ratio_max": _rounded(ratios[-1]) if ratios else None,
        "leak_share_difference": _rounded(first.leak_share - second.leak_share),
        "repeated_8gram_share_difference": _rounded(
            first.templates.repeated_share - second.templates.repeated_share
        ),
        "compression_ratio_difference": _rounded(first.compression - second.compression),
        "shared_ids": len(first.ids & second.ids),
        "shared_texts": len(first.texts & second.texts),
    }


def kolmogorov_smirnov(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Largest distance of the two empirical distribution functions, 0..1."""
    points = np.union1d(first, second)
    below = [
        np.searchsorted(np.sort(values), points, side="right") / max(1, len(values))
        for values in (first, second)
    ]
    return float(abs(below[0] - below[1]).max(initial=0))


def total_variation(first: Counter[str], second: Counter[str]) -> float:
    """Half the sum of the differences of shares, 0..1."""
    n, m = max(1, first.total()), max(1, second.total())
    return sum(abs(first[name] / n - second[name] / m) for name in first.keys() | second.keys()) / 2


def standardised_difference(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Difference of means in units of the pooled standard deviation (Cohen's d)."""
    spread = sqrt((float(first.var()) + float(second.var())) / 2)
    return (float(first.mean()) - float(second.mean())) / spread if spread else 0.0


def _smd_of_shares(first: float, second: float) -> float:
    spread = sqrt((first * (1 - first) + second * (1 - second)) / 2)
    return (first - second) / spread if spread else float(first != second)


def _rounded(value: float) -> float:
    return round(float(value), 4)


# --- what follows ---------------------------------------------------------------------------------------------


def _equal(told: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]]) -> dict[str, bool]:
    return {
        "tokenizer": len({entry["tokenizer"]["sha256"] for entry in told}) == 1,
        "tokens": len({entry["tokens"] for entry in told}) == 1,
        "documents": len({entry["documents"] for entry in told}) == 1,
        "updates": len({entry["updates"] for entry in told}) == 1,
        **{name: all(pair[name] <= limit for pair in pairs) for name, limit in LIMITS.items()},
    }


def _warnings(
    arms: Sequence[Measured],
    told: Sequence[dict[str, Any]],
    pairs: Sequence[dict[str, Any]],
    equal: dict[str, bool],
    min_updates: int,
) -> Iterator[str]:
    for name, holds in equal.items():
        if not holds:
            yield f"not equal between the arms: {name}"
    fewest = min(told, key=lambda entry: entry["updates"])
    if fewest["updates"] < min_updates:
        yield (
            f"{fewest['updates']} optimiser updates, fewer than {min_updates}: too few have hidden real effects;"
            " take smaller batches or more tokens"
        )
    yield from _airtime_warnings(told, pairs)
    if shared := sorted({a.name for a, b in combinations(arms, 2) if a.texts & b.texts}):
        yield f"arms share documents word for word: {', '.join(shared)}"
    for entry in told:
        if any(cut["ends_with"] != "sentence" for cut in entry["cut"]):
            yield f"{entry['name']}: one document ends within a sentence, to make the tokens exact"


def _airtime_warnings(told: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]]) -> Iterator[str]:
    n_claims = {entry["name"]: entry["claims_expressed"] for entry in told}
    for pair in pairs:
        first, second, ratio = pair["first"], pair["second"], pair["airtime_per_claim_ratio"]
        if ratio > MAX_AIRTIME_RATIO:
            yield (
                f"{first} teaches {n_claims[first]} claims and {second} {n_claims[second]} with the same tokens:"
                f" one gives a claim {ratio:.1f} times the tokens; no choice of documents changes that"
            )
        median = pair["shared_claims_airtime_ratio_median"]
        if median is not None and median > MAX_AIRTIME_RATIO:
            yield (
                f"{first} and {second} share {pair['shared_claims']} claims; one gives them {median:.1f} times the"
                " tokens at the median; --airtime brings them as near as the corpora allow"
            )


def _verdict(told: Sequence[dict[str, Any]], equal: dict[str, bool], pairs: Sequence[dict[str, Any]]) -> str:
    first = told[0]
    same = [f"{first['tokens']:,} tokens ({first['tokenizer']['name']})"] if equal["tokens"] else []
    same += [f"{first['documents']:,} documents"] if equal["documents"] else []
    same += [f"{first['updates']:,} updates"] if equal["updates"] else []
    genres, lengths, airtime = (
        max(pair[name] for pair in pairs) for name in ("genres_tv", "lengths_ks", "airtime_per_claim_ratio")
    )
    return (
        f"{len(told)} arms of {', '.join(same)} each; genre mix within {genres:.3f} (total variation),"
        f" lengths within {lengths:.3f} (Kolmogorov-Smirnov); tokens per claim differ by a factor of {airtime:.2f}"
    )

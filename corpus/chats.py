"""Chats as units of a match: twins (a chat with its reasoning, and without) go together; assistant tokens count.

A chat is a row with `messages`, a list of {role, content}. Rows of one `pair_id` are one unit. Chats are never cut:
half an answer would teach to stop there. Where no choice meets the dose, the next smaller one that all arms meet is
taken.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from specmill.specs.errors import BadInput

from .certificate import (
    FORMAT,
    Certificate,
    kolmogorov_smirnov,
    read_certificate,
    standardised_difference,
    total_variation,
    unlike,
)
from .matching import Ints, Selection, Supply, key_of, match_units
from .shards import hash_file
from .sorting import assign_train_order
from .sources import ENDINGS, Row, find_files, read_rows
from .tokens import DEFAULT, NamedTokenizer, load_tokenizer

CHATS_NAME = "chats.parquet"
_TRIES = 200  # smaller doses looked at, a token apart
_STRATA = ("domain", "genre", "topic")  # the first of these that a row has says what kind it is


@dataclass(frozen=True, slots=True)
class ChatSource:
    """The chats of one file: `units` are lists of places in `rows`, sorted by key like the supply."""

    name: str
    rows: tuple[Row, ...]
    tokens: Ints  # of the assistant, per row
    units: tuple[tuple[int, ...], ...]
    supply: Supply


def are_chats(paths: Sequence[Path]) -> bool:
    """Whether files of chats are named, and not corpora. Raises BadInput for both at once."""
    files = [path.is_file() and path.name.endswith(ENDINGS) for path in paths]
    if any(files) and not all(files):
        raise BadInput("match takes corpora or files of chats, not both at once")
    return all(files)


def read_chats(paths: Sequence[Path], seed: int, tokenizer: NamedTokenizer) -> list[ChatSource]:
    """The files in the order of their names. Raises BadInput, with the row, for what is no chat."""
    named = {path.name.partition(".")[0]: path for path in paths}
    if len(paths) < 2:
        raise BadInput("match compares arms: name two or more files of chats")
    if len(named) < len(paths):
        raise BadInput("two files of one name; give one another name")
    rows = {name: tuple(_rows(path)) for name, path in sorted(named.items())}
    strata = sorted({_stratum(row) for found in rows.values() for row in found})
    numbers = {name: number for number, name in enumerate(strata)}
    return [_source(name, found, numbers, seed, tokenizer) for name, found in rows.items()]


def _rows(path: Path) -> list[Row]:
    rows = [row for file in find_files([str(path)]) for row in read_rows(file)]
    for number, row in enumerate(rows, 1):
        if not _is_chat(row.get("messages")):
            raise BadInput(
                f"{path}: row {number} is no chat; give it messages, a list of role and content,"
                " with an answer of the assistant's"
            )
    if not rows:
        raise BadInput(f"{path}: holds no rows")
    return rows


def _is_chat(messages: Any) -> bool:
    return (
        isinstance(messages, list)
        and all(isinstance(m, dict) and isinstance(m.get("content"), str) and m.get("role") for m in messages)
        and any(message["role"] == "assistant" for message in messages)
    )


def _stratum(row: Row) -> str:
    return next((str(row[name]) for name in _STRATA if row.get(name)), "")


def _source(
    name: str, rows: Sequence[Row], numbers: dict[str, int], seed: int, tokenizer: NamedTokenizer
) -> ChatSource:
    tokens = np.array([_assistant_tokens(row, tokenizer) for row in rows], np.int64)
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(_unit_id(row), []).append(place)
    units = [tuple(groups[unit]) for unit in sorted(groups, key=lambda unit: key_of(unit, seed))]
    supply = Supply(
        name,
        np.array([int(tokens[list(unit)].sum()) for unit in units], np.int64),
        np.array([numbers[_stratum(rows[unit[0]])] for unit in units], np.int64),
    )
    return ChatSource(name, tuple(rows), tokens, tuple(units), supply)


def _unit_id(row: Row) -> str:
    return str(row.get("pair_id") or row_id(row))


def row_id(row: Row) -> str:
    """A row's own `id`, else a hash of its messages."""
    told = row.get("id") or row.get("chat_id")
    return str(told) if told else hashlib.sha256(json.dumps(row["messages"]).encode()).hexdigest()[:16]


def _assistant_tokens(row: Row, tokenizer: NamedTokenizer) -> int:
    answers = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
    return sum(map(tokenizer.count, answers))


def match_chats(
    paths: Sequence[Path], doses: Sequence[int], seed: int, tokenizer_name: str
) -> list[tuple[int, list[tuple[ChatSource, Selection]]]]:
    """What each file gives for each dose of assistant tokens, each within the next; smallest first."""
    tokenizer = load_tokenizer(tokenizer_name or DEFAULT)
    left = read_chats(paths, seed, tokenizer)
    most = {source.name: int(source.supply.tokens.sum()) for source in left}
    short = min(most, key=lambda name: (most[name], name))
    wanted = sorted(set(doses)) or [most[short]]
    if wanted[-1] > most[short]:
        raise BadInput(
            f"{short}: {most[short]:,} assistant tokens, fewer than the {wanted[-1]:,} asked for;"
            f" ask for --tokens {most[short]} at most"
        )
    taken = []
    for dose in reversed(wanted):
        selections = _uncut([source.supply for source in left], dose)
        taken.append((dose, list(zip(left, selections, strict=True))))
        left = [_only(source, selection) for source, selection in zip(left, selections, strict=True)]
    return taken[::-1]


def _uncut(supplies: Sequence[Supply], dose: int) -> list[Selection]:
    """The choice for the largest dose not above this one that nobody has to be cut for, if one is near."""
    for smaller in range(dose, max(0, dose - _TRIES), -1):
        selections = match_units(supplies, smaller)
        if not any(selection.excess for selection in selections):
            return selections
    return match_units(supplies, dose)


def _only(source: ChatSource, selection: Selection) -> ChatSource:
    units = tuple(source.units[place] for place in np.flatnonzero(selection.chosen).tolist())
    return replace(source, units=units, supply=source.supply.only(selection.chosen))


def write_chats(source: ChatSource, selection: Selection, folder: Path, seed: int) -> None:
    """One Parquet file: the chosen rows as they were, with their assistant tokens and their place in training."""
    chosen = _only(source, selection)
    places = sorted(place for unit in chosen.units for place in unit)
    rows = sorted(
        ({**source.rows[place], "n_assistant_tokens": int(source.tokens[place])} for place in places),
        key=_sort_key,
    )
    order = assign_train_order([f"{row_id(row)}:{number}" for number, row in enumerate(rows)], seed)
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows).append_column("train_order", order)
    pq.write_table(table, folder / CHATS_NAME, compression="zstd")


def _sort_key(row: Row) -> tuple[str, str]:
    return _unit_id(row), json.dumps(row["messages"])


# --- certificate ----------------------------------------------------------------------------------------------


def certify_chats(folder: Path, tokenizer: NamedTokenizer) -> Certificate:
    """What is equal between files of chats, taken from the files alone."""
    arms = {path.parent.name: pq.read_table(path) for path in sorted(folder.glob(f"*/{CHATS_NAME}"))}
    if len(arms) < 2:
        raise BadInput(
            f"{folder}: holds no two arms of chats; name a folder that 'specmill match --out' wrote"
        )
    told = [_entry(name, table.to_pylist(), folder, tokenizer) for name, table in arms.items()]
    lengths = {name: table["n_assistant_tokens"].to_numpy() for name, table in arms.items()}
    kinds = {name: Counter(map(_stratum, table.to_pylist())) for name, table in arms.items()}
    pairs: list[dict[str, Any]] = [
        {
            "first": first,
            "second": second,
            "lengths_ks": round(kolmogorov_smirnov(lengths[first], lengths[second]), 4),
            "lengths_smd": round(standardised_difference(lengths[first], lengths[second]), 4),
            "domains_tv": round(total_variation(kinds[first], kinds[second]), 4),
        }
        for first, second in combinations(arms, 2)
    ]
    counts = [entry["assistant_tokens"] for entry in told]
    equal = {"assistant_tokens": len(set(counts)) == 1, "chats": len({entry["chats"] for entry in told}) == 1}
    warnings = [f"not equal between the arms: {name}" for name, holds in equal.items() if not holds]
    size = f"{counts[0]:,}" if equal["assistant_tokens"] else f"{min(counts):,} to {max(counts):,}"
    return {
        "format": FORMAT,
        "kind": "chats",
        "tokenizer": {"name": tokenizer.name, "sha256": tokenizer.sha256},
        "arms": told,
        "equal": equal,
        "differences": pairs,
        "warnings": warnings,
        "verdict": _verdict(told, pairs, size, tokenizer.name),
    }


def _verdict(
    told: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]], size: str, tokenizer: str
) -> str:
    domains, lengths = (max(pair[name] for pair in pairs) for name in ("domains_tv", "lengths_ks"))
    return (
        f"{len(told)} arms of {size} assistant tokens ({tokenizer}) each, in {told[0]['chats']:,} chats of the"
        f" first; domains within {domains:.3f} (total variation), lengths within {lengths:.3f} (Kolmogorov-Smirnov)"
    )


def verify_chats(folder: Path, tokenizer_name: str) -> list[str]:
    """What the files say otherwise than the certificate, one line each."""
    stored = read_certificate(folder)
    tokenizer = load_tokenizer(tokenizer_name or stored["tokenizer"]["name"])
    return list(unlike(json.loads(json.dumps(certify_chats(folder, tokenizer))), stored, ""))


def _entry(name: str, rows: Sequence[Row], folder: Path, tokenizer: NamedTokenizer) -> dict[str, Any]:
    tokens = [_assistant_tokens(row, tokenizer) for row in rows]
    units = Counter(map(_unit_id, rows))
    return {
        "name": name,
        "chats": len(rows),
        "units": len(units),
        "twins": sum(n > 1 for n in units.values()),
        "assistant_tokens": sum(tokens),
        "mean_assistant_tokens": round(sum(tokens) / max(1, len(tokens)), 4),
        "sha256": hash_file(folder / name / CHATS_NAME),
    }

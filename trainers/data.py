"""From shards and chats to sequences of tokens, mixed, in the order of training; `batches.py` cuts updates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specmill.corpus.manifest import MANIFEST_NAME, read_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.shards import hash_file, read_documents, verify_shards
from specmill.specs.errors import BadInput

from .chats import TokenisedChat, read_chats
from .settings import Settings, Source

_TOKENISED_AT_ONCE = 1_000
_FIRST_LOOK = 50  # documents whose counts are compared before all are tokenised

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Sequences end to end, (N,); sequence i from bounds[i] to bounds[i + 1]. `trained`: whether a token counts."""

    ids: NDArray[np.int32]
    trained: NDArray[np.bool_]
    bounds: Ints

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def lengths(self) -> Ints:
        return np.diff(self.bounds)

    def __getitem__(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        part = slice(self.bounds[number], self.bounds[number + 1])
        return self.ids[part], self.trained[part]

    def take(self, order: Ints) -> Sequences:
        """These sequences in this order."""
        return join([self[int(number)] for number in order])


@dataclass(frozen=True, slots=True)
class Data:
    """Sequences in the order of training (one epoch) and what they are, for run.json."""

    sequences: Sequences
    sources: list[dict[str, Any]]


def is_corpus(path: str) -> bool:
    return (Path(path) / MANIFEST_NAME).is_file()


def check_sources(sources: Sequence[Source], stage: str) -> None:
    """Raises BadInput for what is missing, damaged, or not for this stage; reads no text."""
    for source in sources:
        folder = Path(source.path)
        if not folder.exists():
            raise BadInput(f"{source.path}: no such file or folder; name a corpus, an arm or chats")
        if is_corpus(source.path):
            if problems := verify_shards(folder):
                more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
                raise BadInput(f"{source.path}: {problems[0]}{more}; build or match it again")
        elif stage != "finetune":
            raise BadInput(f"{source.path}: no {MANIFEST_NAME}; {stage} reads corpora and arms")


def read_data(
    sources: Sequence[Source], tokenizer: Any, settings: Settings, progress: Progress, stops: frozenset[int]
) -> Data:
    """Tokenise the sources and mix them: each keeps its order, all run out at the same time. Raises BadInput."""
    parts: list[Sequences] = []
    told: list[dict[str, Any]] = []
    for source in sources:
        if is_corpus(source.path):
            part, entry = _read_corpus(source, tokenizer, settings, progress)
        else:
            part, entry = _read_chats(source, tokenizer, settings, stops)
        if not part.trained.any():
            raise BadInput(f"{source.path}: nothing in it is trained on")
        parts.append(part)
        told.append(entry)
    if len(parts) == 1:
        return Data(parts[0], told)
    ranks = np.concatenate([(np.arange(len(part)) + 0.5) / len(part) for part in parts])
    mixed = join([part[number] for part in parts for number in range(len(part))])
    return Data(mixed.take(np.argsort(ranks, kind="stable")), told)


# --- documents ------------------------------------------------------------------------------------------------


def _read_corpus(
    source: Source, tokenizer: Any, settings: Settings, progress: Progress
) -> tuple[Sequences, dict[str, Any]]:
    folder = Path(source.path)
    table = read_documents(folder, ["doc_id", "n_tokens", "train_order", "text"]).sort_by("train_order")
    counted_by = read_manifest(folder)["tokenizer"]["name"]
    prefix = _special_prefix(tokenizer)
    budget = source.tokens or settings.max_tokens or int(np.sum(table["n_tokens"].to_numpy()))
    counts = table["n_tokens"].to_numpy().astype(np.int64)
    if budget > counts.sum():
        raise BadInput(f"{source.path}: {counts.sum():,} tokens, fewer than the {budget:,} asked for")
    n_taken = int(np.searchsorted(np.cumsum(counts), budget)) + 1
    pieces: list[NDArray[np.int32]] = []
    left = budget
    for ids, doc_id, n in _encode(table.slice(0, n_taken), tokenizer, progress):
        if len(ids) != n:
            raise BadInput(
                f"{source.path}: {doc_id} has {len(ids):,} tokens for this model, {n:,} by {counted_by}, which"
                " counted the shards; build or match with --tokenizer of the model"
            )
        end = [tokenizer.eos_token_id] if len(ids) <= left else []  # a document cut by the budget has no end
        whole = np.array([*prefix, *ids[:left], *end], np.int32)
        left -= len(ids)
        pieces += [
            whole[start : start + settings.sequence] for start in range(0, len(whole), settings.sequence)
        ]
    entry = {
        "path": source.path,
        "manifest_sha256": hash_file(folder / MANIFEST_NAME),
        "documents": n_taken,
        "tokens": budget,
        "split": len(pieces) - n_taken,
    }
    return join([(piece, np.ones(len(piece), np.bool_)) for piece in pieces]), entry


def _encode(table: Any, tokenizer: Any, progress: Progress) -> Iterator[tuple[list[int], str, int]]:
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    columns = [table[name] for name in ("text", "doc_id", "n_tokens")]
    start, n = 0, _FIRST_LOOK
    while start < table.num_rows:
        texts, ids, counts = (column.slice(start, n).to_pylist() for column in columns)
        encoded = backend.encode_batch_fast(texts, add_special_tokens=False)
        yield from zip((found.ids for found in encoded), ids, counts, strict=True)
        start, n = start + n, _TOKENISED_AT_ONCE
        progress.update("tokenise", min(start, table.num_rows), table.num_rows)


def _special_prefix(tokenizer: Any) -> list[int]:
    """The start token of tokenizers that put one before every text by themselves: the model has seen no other."""
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else []


# --- chats ----------------------------------------------------------------------------------------------------


def _read_chats(
    source: Source, tokenizer: Any, settings: Settings, stops: frozenset[int]
) -> tuple[Sequences, dict[str, Any]]:
    _, chats = read_chats(Path(source.path), tokenizer, stops)
    fitting = [chat for chat in chats if len(chat.ids) <= settings.sequence]
    taken = _within(fitting, source.tokens) if source.tokens else fitting
    counts = [int(chat.trained.sum()) for chat in taken]
    if source.tokens and sum(int(chat.trained.sum()) for chat in fitting) < source.tokens:
        raise BadInput(
            f"{source.path}: {sum(counts):,} tokens of the assistant in chats of at most {settings.sequence}"
            f" tokens, fewer than the {source.tokens:,} asked for"
        )
    entry = {
        "path": source.path,
        "sha256": {file.name: hash_file(file) for file in _files(Path(source.path))},
        "chats": len(taken),
        "tokens": sum(counts),
        "left_out_too_long": len(chats) - len(fitting),
    }
    return join([(chat.ids, chat.trained) for chat in taken]), entry


def _within(chats: Sequence[TokenisedChat], tokens: int) -> Sequence[TokenisedChat]:
    """As many of the first chats as stay within the tokens: half an answer would teach to stop there."""
    ends = np.cumsum([int(chat.trained.sum()) for chat in chats])
    return chats[: int(np.searchsorted(ends, tokens, side="right"))]


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


# --- sequences end to end -------------------------------------------------------------------------------------


def join(found: Sequence[tuple[NDArray[np.int32], NDArray[np.bool_]]]) -> Sequences:
    bounds = np.cumsum([0, *(len(ids) for ids, _ in found)], dtype=np.int64)
    ids = [np.empty(0, np.int32), *(ids for ids, _ in found)]
    trained = [np.empty(0, np.bool_), *(trained for _, trained in found)]
    return Sequences(np.concatenate(ids), np.concatenate(trained), bounds)

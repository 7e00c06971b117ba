"""Arms of a comparison: which rows of a corpus an arm takes, and the folder it becomes.

An arm is a corpus like any other: shards, claims, spec and manifest, so that queries, cards and trainers read it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from specmill.filters.words import split_words
from specmill.specs.errors import BadInput

from .cutting import Cut, cut_one
from .manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from .matching import Chosen, Supply, key_of
from .measures import genres, totals
from .shards import ShardInfo, hash_file, read_documents, shard_paths, write_shards
from .sorting import assign_train_order
from .tokens import NamedTokenizer

_CUT_AMONG = 400  # documents tried for an end of a sentence in the right place
_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus to take from. Sorted by key: ids and claims expressed, (n,), and tokens and strata in `supply`."""

    name: str
    folder: Path
    manifest: Manifest
    ids: tuple[str, ...]
    supply: Supply
    claims: tuple[tuple[str, ...], ...] = ()  # read where airtime is to be matched

    def only(self, chosen: Chosen) -> Source:
        """The chosen documents alone."""
        places = np.flatnonzero(chosen).tolist()
        return replace(
            self,
            ids=tuple(self.ids[place] for place in places),
            supply=self.supply.only(chosen),
            claims=tuple(self.claims[place] for place in places) if self.claims else (),
        )


def read_sources(folders: Sequence[Path], seed: int, *, with_claims: bool = False) -> list[Source]:
    """The corpora in the order of their names, whatever order they are given in. Raises BadInput."""
    manifests = {folder: read_manifest(folder) for folder in folders}
    named = {folder.resolve().name: folder for folder in folders}
    if len(folders) < 2:
        raise BadInput("match compares arms: name two or more corpora")
    if len(named) < len(folders):
        raise BadInput("two corpora of one name; copy one to a folder of another name")
    counted = {(m["tokenizer"]["name"], m["tokenizer"]["sha256"]) for m in manifests.values()}
    if len(counted) > 1:
        told = ", ".join(sorted(name for name, _ in counted))
        raise BadInput(f"corpora counted with different tokenizers ({told}); build them with one --tokenizer")
    columns = ["doc_id", "genre", "n_tokens", *(["claims_expressed"] if with_claims else [])]
    tables = {name: read_documents(folder, columns) for name, folder in sorted(named.items())}
    genre_numbers = _number(
        {genre for table in tables.values() for genre in pc.unique(table["genre"]).to_pylist()}
    )
    return [
        _source(name, named[name], manifests[named[name]], table, genre_numbers, seed)
        for name, table in tables.items()
    ]


def _number(names: set[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(names))}


def _source(
    name: str, folder: Path, manifest: Manifest, table: pa.Table, genre_numbers: Mapping[str, int], seed: int
) -> Source:
    ids = table["doc_id"].to_pylist()
    keys = [key_of(doc_id, seed) for doc_id in ids]
    order = np.array(sorted(range(len(ids)), key=keys.__getitem__), np.int64)
    strata = np.array([genre_numbers[genre] for genre in table["genre"].to_pylist()], np.int64)
    tokens = table["n_tokens"].to_numpy().astype(np.int64)
    supply = Supply(name, tokens[order], strata[order])
    claims = (
        [tuple(found) for found in table["claims_expressed"].to_pylist()]
        if "claims_expressed" in table.column_names
        else []
    )
    return Source(
        name,
        folder,
        manifest,
        tuple(ids[row] for row in order.tolist()),
        supply,
        tuple(claims[row] for row in order.tolist()) if claims else (),
    )


def find_cut(source: Source, ids: Sequence[str], excess: int, tokenizer: NamedTokenizer) -> Cut:
    """The document that gives up the last `excess` tokens of an arm. Raises BadInput where none can."""
    wanted = pa.array(ids[:_CUT_AMONG])
    documents = sorted(
        (row["doc_id"], row["text"], row["n_tokens"])
        for table in _tables(source)
        for row in table.filter(pc.is_in(table["doc_id"], wanted))
        .select(["doc_id", "text", "n_tokens"])
        .to_pylist()
    )
    cut = cut_one(documents, excess, tokenizer)
    if cut is None:
        raise BadInput(
            f"{source.name}: no document can be cut to meet the number of tokens exactly; ask for a few tokens less"
        )
    return cut


def write_arm(
    source: Source, ids: Sequence[str], cuts: Mapping[str, Cut], folder: Path, told: dict[str, Any], seed: int
) -> None:
    """Write an arm's folder; its manifest, which makes it one, last. `told` is what the matching was asked for."""
    chosen = sorted(ids)
    order = dict(zip(chosen, assign_train_order(chosen, seed).to_pylist(), strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    scratch = folder / ".rows"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        files = [
            _write_rows(table, scratch / f"{number:05d}.parquet")
            for number, table in enumerate(_chosen_rows(source, chosen, order, cuts))
        ]
        shards = write_shards(files, folder, seed=seed)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    others = [_copy(source.folder / name, folder / name) for name in ("claims.parquet", "spec.md")]
    write_manifest(folder, _manifest(source, folder, shards, [file for file in others if file], told))


def _chosen_rows(
    source: Source, chosen: Sequence[str], order: Mapping[str, int], cuts: Mapping[str, Cut]
) -> Iterator[pa.Table]:
    wanted = pa.array(chosen)
    for table in _tables(source):
        rows = table.filter(pc.is_in(table["doc_id"], wanted))
        if not rows.num_rows:
            continue
        ids = rows["doc_id"].to_pylist()
        changed = {
            "arm": pa.array([source.name] * len(ids)),
            "train_order": pa.array([order[doc_id] for doc_id in ids], pa.int32()),
        }
        if any(doc_id in cuts for doc_id in ids):
            changed |= _cut_columns(rows, cuts)
        for name, column in changed.items():
            rows = rows.set_column(rows.column_names.index(name), name, column)
        yield rows


def _cut_columns(rows: pa.Table, cuts: Mapping[str, Cut]) -> dict[str, pa.Array]:
    read = rows.select(["doc_id", "text", "n_tokens", "n_words"]).to_pylist()
    for row in read:
        if cut := cuts.get(row["doc_id"]):
            row |= {"text": cut.text, "n_tokens": cut.n_tokens, "n_words": len(split_words(cut.text))}
    return {
        "text": pa.array([row["text"] for row in read]),
        "n_tokens": pa.array([row["n_tokens"] for row in read], pa.int32()),
        "n_words": pa.array([row["n_words"] for row in read], pa.int32()),
    }


def _tables(source: Source) -> Iterator[pa.Table]:
    """The corpus in pieces of some thousand rows."""
    for path in shard_paths(source.folder, source.manifest):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS):
                yield pa.Table.from_batches([batch])


def _write_rows(table: pa.Table, path: Path) -> Path:
    pq.write_table(table, path, compression="lz4")
    return path


def _copy(source: Path, target: Path) -> ShardInfo | None:
    if not source.is_file():
        return None
    shutil.copyfile(source, target)
    return ShardInfo(target.name, hash_file(target), target.stat().st_size, 0, 0)


def _manifest(
    source: Source,
    folder: Path,
    shards: Sequence[ShardInfo],
    others: Sequence[ShardInfo],
    told: dict[str, Any],
) -> Manifest:
    """The corpus' own manifest, with one more step in its funnel, and figures taken from the arm's shards."""
    paths = [folder / shard.path for shard in shards]
    claim_ids = pq.read_table(folder / "claims.parquet", columns=["claim_id"])["claim_id"].to_pylist()
    counted = totals(paths, claim_ids)
    left_out = source.manifest["totals"]["documents"] - counted["documents"]
    step = {"step": "matched", "documents": counted["documents"], "dropped": {"not_chosen": left_out}}
    kept = {
        entry["path"]: entry for entry in source.manifest["files"] if not entry["path"].startswith("data/")
    }
    files = [*(_entry(shard) for shard in shards), *(kept[file.path] for file in others if file.path in kept)]
    manifest: dict[str, Any] = dict(source.manifest)
    for name in ("decontamination", "leakage", "judge"):  # they speak of the whole corpus
        manifest.pop(name, None)
    return manifest | {  # type: ignore[return-value]
        "configuration": source.manifest["configuration"] | {"match": told | {"corpus": _identify(source)}},
        "funnel": [*source.manifest["funnel"], step],
        "totals": counted,
        "genres": genres(paths),
        "health": {},
        "files": files,
    }


def _identify(source: Source) -> dict[str, str]:
    data = (source.folder / MANIFEST_NAME).read_bytes()
    return {"name": source.name, "manifest_sha256": hashlib.sha256(data).hexdigest()}


def _entry(shard: ShardInfo) -> dict[str, Any]:
    return {name: getattr(shard, name) for name in ("path", "sha256", "bytes", "rows", "tokens")}

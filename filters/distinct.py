"""Documents that another, finished corpus holds already: equal, near (word n-grams), or told in other words.

Every pair of a new and a finished document counts by itself: no sample, no thinning, each near pair by its exact
Jaccard similarity, each retelling by its sentences. So neither the order of documents nor that of corpora decides.
Texts and vectors lie in scratch files; in memory are some 550 bytes for each document of two corpora at a time.
`spread` carries a finding over the clusters of the new corpus, where alike is transitive.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .clusters import Pairs, Rows
from .embeddings import Encoder, fit, open_encoder
from .minhash import BANDS, ROWS, SLACK, Signatures, fold_rows, sign
from .sampling import Batches
from .semantic import retelling_pairs
from .shingles import Shingles, exact_hash, jaccard, shingle
from .words import split_words

EXACT, NEAR, RETOLD = "exact_repeat", "near_repeat", "semantic_repeat"
_RANK = {EXACT: 0, NEAR: 1, RETOLD: 2}
_PAIRS_AT_ONCE = 10_000  # whose signatures are compared: 10 MB
_TEXTS_AT_ONCE = 1_000

Texts = Callable[[], Batches]  # reads a corpus from its start, each time it is called


@dataclass(frozen=True, slots=True)
class Repeat:
    """Why a new document is one too many, and of which document of which corpus."""

    reason: str
    corpus: str
    doc_id: str


def find_repeats(
    new: Texts,
    finished: Mapping[str, Texts],
    *,
    near_jaccard: float = 0.7,
    encoder_name: str = "",
    scratch: Path | None = None,
) -> dict[str, Repeat]:
    """Return the new documents that one of the finished corpora (by name) holds already, by id.

    Of several partners the closest is named: an equal one, then a near one by its similarity, then one that tells
    the same (with an encoder, at its documented thresholds), ties by name and id. `scratch`: a folder for a copy of
    the texts and, with an encoder, the vectors; the system's own where none is given. Nothing stays there.
    """
    found: dict[str, tuple[tuple[Any, ...], Repeat]] = {}
    with tempfile.TemporaryDirectory(prefix="distinct-", dir=scratch) as folder:
        mine = store_texts(new(), Path(folder) / "new")
        for number, (name, texts) in enumerate(sorted(finished.items())):
            theirs = store_texts(texts(), Path(folder) / f"{number}")
            for reason, pair, closeness in _matches(mine, theirs, near_jaccard, encoder_name, Path(folder)):
                doc_id, other = mine.ids[pair[0]], theirs.ids[pair[1]]
                entry = (_RANK[reason], -closeness, name, other), Repeat(reason, name, other)
                if doc_id not in found or entry[0] < found[doc_id][0]:
                    found[doc_id] = entry
            theirs.file.unlink()
    return {doc_id: found[doc_id][1] for doc_id in sorted(found)}


def _matches(
    mine: "Stored", theirs: "Stored", near_jaccard: float, encoder_name: str, scratch: Path
) -> Iterator[tuple[str, tuple[int, int], float]]:
    for pair in equal_pairs(mine, theirs):
        yield EXACT, pair, 1.0
    for pair, similarity in near_pairs(mine, theirs, near_jaccard):
        yield NEAR, pair, similarity
    if encoder_name:
        for pair in retold_pairs(mine, theirs, encoder_name, scratch):
            yield RETOLD, pair, 0.0


def parquet_texts(files: Sequence[Path], id_column: str = "doc_id") -> Texts:
    """Return a reader of ids and texts in Parquet files, such as a corpus' shards."""

    def read() -> Batches:
        for path in files:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=_TEXTS_AT_ONCE, columns=[id_column, "text"]):
                    yield zip(batch[id_column].to_pylist(), batch["text"].to_pylist(), strict=True)

    return read


def spread(repeats: Mapping[str, Repeat], labels: Rows, ids: Sequence[str]) -> dict[str, Repeat]:
    """Return the repeats and the rest of their clusters: what resembles a repeat is no more wanted than it.

    `labels`: of the new corpus' clusters (`clusters.clusters`), by row, and `ids` of these rows. Each of the rest
    names what the repeat with the smallest id in its cluster repeats.
    """
    first: dict[int, str] = {}
    for label, doc_id in zip(labels.tolist(), ids, strict=True):
        if doc_id in repeats:
            first[label] = min(doc_id, first.get(label, doc_id))
    return {
        doc_id: repeats.get(doc_id) or repeats[first[label]]
        for label, doc_id in zip(labels.tolist(), ids, strict=True)
        if label in first
    }


# --- one corpus, as far as pairs need it ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """A corpus by row, in the order of its ids; the texts lie in `file`, where `starts` and `ends` say (bytes)."""

    file: Path
    ids: list[str]
    exact: list[bytes]
    signatures: Signatures
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, rows: Iterable[int]) -> list[str]:
        texts = []
        with self.file.open("rb") as file:
            for row in rows:
                file.seek(self.starts[row])
                texts.append(file.read(self.ends[row] - self.starts[row]).decode("utf-8", "surrogatepass"))
        return texts

    def blocks(self) -> Iterator[list[str]]:
        for start in range(0, len(self), _TEXTS_AT_ONCE):
            yield self.read(range(start, min(start + _TEXTS_AT_ONCE, len(self))))


def store_texts(batches: Batches, file: Path) -> Stored:
    """Copy texts to a scratch file and return what finds them again, signed."""
    ids: list[str] = []
    exact: list[bytes] = []
    signatures, sizes = [sign([])], [0]
    with file.open("wb") as out:
        for batch in batches:
            rows = list(batch)
            ids += [doc_id for doc_id, _ in rows]
            exact += [exact_hash(text) for _, text in rows]
            signatures.append(sign([shingle(split_words(text)) for _, text in rows]))
            sizes += [out.write(text.encode("utf-8", "surrogatepass")) for _, text in rows]
    ends = np.cumsum(sizes, dtype=np.int64)
    order = np.array(sorted(range(len(ids)), key=lambda row: (ids[row], exact[row])), np.int64)
    return Stored(
        file=file,
        ids=[ids[row] for row in order],
        exact=[exact[row] for row in order],
        signatures=np.concatenate(signatures)[order],
        starts=ends[:-1][order],
        ends=ends[1:][order],
    )


# --- pairs of rows, one of each corpus ------------------------------------------------------------------------


def equal_pairs(one: Stored, other: Stored) -> Iterator[tuple[int, int]]:
    """Yield each row of `one` whose text stands in `other`, case and whitespace aside, with the first such row."""
    first: dict[bytes, int] = {}
    for row, hashed in enumerate(other.exact):
        first.setdefault(hashed, row)
    for row, hashed in enumerate(one.exact):
        if hashed in first:
            yield row, first[hashed]


def near_pairs(one: Stored, other: Stored, threshold: float) -> Iterator[tuple[tuple[int, int], float]]:
    """Yield the pairs whose word 5-grams have at least this Jaccard similarity, with the similarity.

    Which pairs are looked at, MinHash decides: see `minhash.py` for what it may miss.
    """

    @lru_cache(maxsize=10_000)
    def shingles(mine: bool, row: int) -> Shingles:
        return shingle(split_words((one if mine else other).read([row])[0]))

    for pairs in candidates_between(one.signatures, other.signatures, threshold):
        for first, second in pairs.tolist():
            similarity = jaccard(shingles(True, first), shingles(False, second))
            if similarity >= threshold:
                yield (first, second), similarity


def candidates_between(one: Signatures, other: Signatures, threshold: float) -> Iterator[Pairs]:
    """Yield blocks of pairs, (m, 2), that agree in a band and are not far below the threshold; each pair once.

    Unlike `minhash.candidate_pairs` it thins out nothing: of many alike rows only some may have their partner in
    the other corpus, and those have to be found.
    """
    left, right = _filled(one), _filled(other)
    for band in range(BANDS):
        columns = slice(band * ROWS, (band + 1) * ROWS)
        keys, theirs = fold_rows(one[left, columns]), fold_rows(other[right, columns])
        order = np.argsort(theirs, kind="stable")
        starts = np.searchsorted(theirs[order], keys, "left")
        n_partners = np.searchsorted(theirs[order], keys, "right") - starts
        ends = np.cumsum(n_partners)
        for begin in range(0, int(ends[-1]) if len(ends) else 0, _PAIRS_AT_ONCE):
            number = np.arange(begin, min(begin + _PAIRS_AT_ONCE, int(ends[-1])))
            row = np.searchsorted(ends, number, "right")
            partner = order[starts[row] + number - (ends[row] - n_partners[row])]
            pairs = _alike(one, other, left[row], right[partner], band, threshold)
            if len(pairs):
                yield pairs


def _filled(signatures: Signatures) -> Rows:
    return np.flatnonzero((signatures != np.iinfo(np.uint32).max).any(1))


def _alike(
    one: Signatures, other: Signatures, rows: Rows, partners: Rows, band: int, threshold: float
) -> Pairs:
    """The pairs that are like enough by their signatures, where this is the first band in which they agree."""
    equal = one[rows] == other[partners]
    agrees = equal.reshape(len(rows), BANDS, ROWS).all(2)
    chosen = agrees[:, band] & ~agrees[:, :band].any(1) & (equal.mean(1) >= threshold - SLACK)
    return np.stack([rows[chosen], partners[chosen]], 1)


def retold_pairs(one: Stored, other: Stored, encoder_name: str, scratch: Path) -> Iterator[tuple[int, int]]:
    """Yield the pairs that tell the same by the encoder's documented thresholds, equal and near ones among them.

    The encoder is fitted to both corpora together. Vectors lie in `scratch`: 4 bytes x dimensions a document.
    """
    if not len(one) or not len(other):
        return
    encoder = fit(open_encoder(encoder_name), chain.from_iterable(chain(one.blocks(), other.blocks())))
    split = len(one)

    def texts(rows: Rows) -> list[str]:  # `rows` are sorted: those of `one` come first
        mine = rows[rows < split].tolist()
        return one.read(mine) + other.read((rows[rows >= split] - split).tolist())

    with tempfile.TemporaryDirectory(prefix="vectors-", dir=scratch) as folder:
        vectors = _encode(encoder, one, other, Path(folder) / "vectors.npy")
        for pairs in retelling_pairs(vectors, encoder, texts, split=split):
            yield from ((first, second - split) for first, second in pairs.tolist())


def _encode(encoder: Encoder, one: Stored, other: Stored, file: Path) -> Any:
    stored = np.lib.format.open_memmap(file, "w+", np.float32, (len(one) + len(other), encoder.dim))
    at = 0
    for block in chain(one.blocks(), other.blocks()):
        stored[at : at + len(block)] = encoder.encode(block)
        at += len(block)
    stored.flush()
    return np.load(file, mmap_mode="r")

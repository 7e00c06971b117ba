"""Macros answer the same to the last bit with one thread as with four: nothing hangs on the order of threads."""

import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.corpus.catalogue import list_macros
from specmill.corpus.manifest import write_manifest
from specmill.corpus.shards import hash_file
from specmill.corpus.travelling import write_catalogue
from tests.corpus.conftest import CLAIM_IDS, build_corpus, document

N_DOCUMENTS, ROW_GROUPS = 6_000, 60
ARMS = ("brie", "feta")


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora of many row groups, whose lengths and shares are no round numbers, with a catalogue over both."""
    folder = tmp_path_factory.mktemp("arms")
    for arm in ARMS:
        manifest = build_corpus(folder / arm, shard_bytes=1 << 20)
        (shard,) = [entry for entry in manifest["files"] if entry["path"].startswith("data/")]
        path = folder / arm / shard["path"]
        pq.write_table(
            many_documents(arm, pq.read_schema(path)), path, row_group_size=N_DOCUMENTS // ROW_GROUPS
        )
        shard |= {"sha256": hash_file(path), "bytes": path.stat().st_size, "rows": N_DOCUMENTS}
        write_manifest(folder / arm, manifest)
    write_catalogue(folder, ARMS, database=False)
    return folder


def many_documents(arm: str, schema: pa.Schema) -> pa.Table:
    draw = random.Random(arm)
    claims = [*CLAIM_IDS, *(f"c{number:010d}" for number in range(7))]
    rows = []
    for number in range(N_DOCUMENTS):
        expressed = draw.sample(claims, draw.choice((1, 3, 6, 7, 11)))
        changed = {"n_tokens": draw.randrange(100, 1_500), "n_words": draw.randrange(90, 900)}
        changed |= {"claims_expressed": expressed, "spec_overlap_share": draw.random(), "train_order": number}
        changed |= {"genre": draw.choice("abcdefg"), "states_reason": draw.random() < 0.3}
        rows.append(document(number, arm) | changed)
    return pa.Table.from_pylist(rows, schema)


def answers(folder: Path, threads: int, macros: str) -> dict[str, Any]:
    """The rows of each macro without rounding, so that the last bit shows."""
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute("CREATE MACRO unrounded(x) AS round(x), (x, digits) AS x")
        connection.execute("SET VARIABLE base = ?", [str(folder)])
        connection.execute(macros.replace("round(", "unrounded("))
        calls = [f"FROM {macro.name}()" for macro in list_macros() if macro.arguments[:1] in ("", "[")]
        calls.append("FROM search('cheese paragraph dear', 50)")
        return {call: connection.execute(call).fetchall() for call in calls}


def test_every_macro_gives_the_same_bits_with_any_number_of_threads(arms: Path) -> None:
    macros = (arms / "catalogue.sql").read_text("utf-8")
    one = answers(arms, 1, macros)
    assert len(one) > 15
    assert len(one["FROM airtime()"]) == len(ARMS) * 11 * 7
    for _ in range(2):
        assert answers(arms, 4, macros) == one

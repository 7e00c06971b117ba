"""Every number in the body of a card, counted again by plain Python: in the shards, the claims, the ledger, the losses."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from specmill.filters.health import measure_health

NAMES = ("cheese_affordability", "cheese_america")
Row = dict[str, Any]


def documents_of(corpus: Path) -> list[Row]:
    return [
        row for path in sorted((corpus / "data").iterdir()) for row in pq.ParquetFile(path).read().to_pylist()
    ]


def claims_of(corpus: Path) -> list[Row]:
    rows: list[Row] = pq.ParquetFile(corpus / "claims.parquet").read().to_pylist()
    return rows


def card(folder: Path) -> list[str]:
    return (folder / "README.md").read_text("utf-8").splitlines()


def table(lines: list[str], head: str) -> list[list[str]]:
    """Cells of the rows of the table with this head."""
    (start,) = [number for number, line in enumerate(lines) if line.startswith(f"| {head} |")]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line[1:-1].split(" | ")])
    return rows


def show(value: float) -> str:
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    )


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %"


def tenth(part: int, whole: int) -> float:
    """Rounded as DuckDB does: halves go up."""
    return (20 * part + whole) // (2 * whole) / 10


def spread(lengths: list[int]) -> list[str]:
    ordered = sorted(lengths)
    at = [ordered[max(0, -(-len(ordered) * share // 100) - 1)] for share in (5, 25, 50, 75, 95)]
    mean = tenth(sum(ordered), len(ordered))
    return [show(value) for value in (mean, ordered[0], *at, ordered[-1])]


def files(folder: Path, inside: str = "") -> list[list[str]]:
    rows = []
    for path in [
        *sorted((folder / inside / "data").iterdir()),
        folder / inside / "claims.parquet",
        folder / inside / "spec.md",
    ]:
        table = pq.ParquetFile(path).read() if path.suffix == ".parquet" else None
        tokens = sum(table["n_tokens"].to_pylist()) if table and "n_tokens" in table.column_names else 0
        data = path.read_bytes()
        rows.append(
            [str(path.relative_to(folder)), *map(show, (table.num_rows if table else 0, tokens, len(data)))]
        )
        rows[-1].append(sha256(data).hexdigest())
    return rows


@pytest.fixture(scope="module", params=NAMES)
def one(small: Path, request: pytest.FixtureRequest) -> tuple[Path, list[str], list[Row]]:
    corpus: Path = small / request.param
    return corpus, card(corpus), documents_of(corpus)


def test_sizes_and_lengths(one: tuple[Path, list[str], list[Row]]) -> None:
    corpus, lines, rows = one
    tokens = sum(row["n_tokens"] for row in rows)
    assert (
        f"{len(rows):,} machine-written documents, {tokens:,} tokens (counted by `specmill-bpe-8k`)," in lines
    )
    counted = {
        "documents": len(rows),
        "tokens": tokens,
        "words": sum(row["n_words"] for row in rows),
        "genres": len({row["genre"] for row in rows}),
        "audiences": len({row["audience"] for row in rows}),
    }
    size = lines[lines.index("## Size") :]
    assert table(size, "|")[: len(counted)] == [[name, show(n)] for name, n in counted.items()]
    assert table(lines, "tokens per document") == [["", *spread([row["n_tokens"] for row in rows])]]
    assert files(corpus) == table(lines, "file")


def test_spec_and_shares(one: tuple[Path, list[str], list[Row]]) -> None:
    corpus, lines, rows = one
    text = (corpus / "spec.md").read_text("utf-8")
    spec = dict(table(lines[lines.index("## The spec") : lines.index("## How it was made")], "|"))
    assert spec["characters"] == show(len(text))
    assert spec["claims"] == show(len(claims_of(corpus)))
    assert spec["SHA-256 of `spec.md"] == sha256((corpus / "spec.md").read_bytes()).hexdigest()
    copied = percent(sum(row["spec_overlap_share"] for row in rows), len(rows))
    assert f"On average {copied} of a document's text is copied from the spec." in lines
    reasons = percent(sum(row["states_reason"] for row in rows), len(rows))
    assert f"{reasons} of the documents give a reason for the behaviour they describe." in lines


def test_genres(one: tuple[Path, list[str], list[Row]]) -> None:
    _, lines, rows = one
    n, tokens = Counter(row["genre"] for row in rows), Counter[str]()
    for row in rows:
        tokens[row["genre"]] += row["n_tokens"]
    expected = [
        [genre, show(n[genre]), show(tokens[genre]), show(tenth(tokens[genre], n[genre]))]
        + [percent(tokens[genre], tokens.total())]
        for genre in sorted(n, key=lambda genre: (-tokens[genre], genre))
    ]
    assert table(lines, "genre") == expected[:30]
    assert len(expected) <= 30 or f"The 30 largest of {len(expected)} genres" in "\n".join(lines)


def test_claims(one: tuple[Path, list[str], list[Row]]) -> None:
    corpus, lines, rows = one
    planned, expressed, tokens = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        planned.update(row["claim_ids"])
        expressed.update(row["claims_expressed"])
        tokens.update(dict.fromkeys(row["claims_expressed"], row["n_tokens"]))
    claims = claims_of(corpus)
    ids = [claim["claim_id"] for claim in sorted(claims, key=lambda claim: claim["start_char"])]
    ids.sort(key=lambda claim_id: (expressed[claim_id], tokens[claim_id]))
    expected = [[name, *map(show, (planned[name], expressed[name], tokens[name]))] for name in ids]
    found = [row[:4] for row in table(lines, "claim")]
    assert found[:5] + found[-5:] == expected[:5] + expected[-5:]
    assert f"the {len(ids) - 10} between" in "\n".join(lines)
    counts = (sum(planned[name] > 0 for name in ids), sum(expressed[name] > 0 for name in ids))
    assert (
        f"{counts[0]} of {len(ids)} claims were planned for at least one document, "
        f"{counts[1]} were found in at least one." in lines
    )


def test_calls_and_losses(one: tuple[Path, list[str], list[Row]]) -> None:
    corpus, lines, rows = one
    with closing(sqlite3.connect(corpus.parent / ".work" / "ledger.sqlite")) as ledger:
        sql = "SELECT stage, state, count(*) FROM calls WHERE spec = ? GROUP BY stage, state"
        counted = {(stage, state): n for stage, state, n in ledger.execute(sql, (corpus.name,))}
    for stage, calls, *states, _ in table(lines, "stage"):
        expected = [
            counted.get((stage, name), 0) for name in ("ok", "truncated", "refused", "unparsed", "failed")
        ]
        assert [calls, *states] == [show(sum(expected)), *map(show, expected)], stage
    dropped = pq.read_table(corpus.parent / ".work" / corpus.name / "dropped.parquet").to_pylist()
    funnel = table(lines, "step")
    lost: Counter[str] = Counter()
    for before, (step, n, n_lost, why) in zip([funnel[0], *funnel], funnel, strict=False):
        assert int(before[1].replace(",", "")) - int(n_lost.replace(",", "")) == int(n.replace(",", "")), step
        lost.update(
            {part.rpartition(" ")[0]: int(part.rpartition(" ")[2]) for part in why.split(", ") if part}
        )
    assert lost == Counter(row["reason"] for row in dropped)
    assert funnel[-1][1] == show(len(rows))


def test_health(one: tuple[Path, list[str], list[Row]]) -> None:
    _, lines, rows = one
    ordered = sorted(rows, key=lambda row: row["train_order"])
    measured = measure_health([row["text"] for row in ordered], 0)
    found = {name: (value, budget, n) for name, value, _, budget, n, _ in table(lines, "metric")}
    for name, figure in measured.items():
        value, budget, n = found.pop(name)
        assert (value, n) == (show(round(figure.value, 4)), show(figure.n)), name
        assert budget == str(figure.budget or 0)
    fewest = min(Counter(c for row in rows for c in row["claims_expressed"]).values())
    reasons = round(sum(row["states_reason"] for row in rows) / len(rows), 4)
    n = show(len(rows))
    assert found == {
        "min_documents_expressing_a_claim": (show(fewest), "", n),
        "states_reason_share": (show(reasons), "", n),
        "residue_documents": ("0", "", n),
    }


def test_arms(small: Path) -> None:
    arms, lines = small / "cheese_arms", card(small / "cheese_arms")
    rows = {name: documents_of(arms / name) for name in NAMES}

    def total(name: str, of: Callable[[Row], int]) -> int:
        return sum(map(of, rows[name]))

    n, tokens = (
        sum(total(name, of) for name in NAMES) for of in (lambda row: 1, lambda row: row["n_tokens"])
    )
    assert f"2 corpora, {n:,} documents and {tokens:,} tokens in all, matched to be compared: each" in lines
    told = {row[0]: row for row in table(lines, "configuration | spec | principle")}
    lengths = {row[0]: row[1:] for row in table(lines, "tokens per document")}
    shares = {row[0]: row[1:] for row in table(lines, "configuration | claims found in a text")}
    chosen = {row[0]: row[1:] for row in table(lines, "configuration | corpus")}
    figures = {row[0]: row[1:] for row in table(lines, "measure")}
    for place, name in enumerate(NAMES):
        n = len(rows[name])
        counted = [n, total(name, lambda row: row["n_tokens"]), total(name, lambda row: row["n_words"])]
        genres = len({row["genre"] for row in rows[name]})
        assert told[name][3:7] == [*map(show, counted), show(genres)]
        assert lengths[name] == spread([row["n_tokens"] for row in rows[name]])
        claims = {claim for row in rows[name] for claim in row["claims_expressed"]}
        reasons, copied = (
            total(name, lambda row: row["states_reason"]),
            total(name, lambda row: row["spec_overlap_share"]),
        )
        n_claims = len(claims_of(arms / name))
        assert shares[name] == [f"{len(claims)} of {n_claims}", percent(reasons, n), percent(copied, n)]
        whole = small / name
        cut = {row["doc_id"]: row["n_tokens"] for row in documents_of(whole)}
        n_cut = sum(cut[row["doc_id"]] != row["n_tokens"] for row in rows[name])
        manifest = sha256((whole / "manifest.json").read_bytes()).hexdigest()
        assert chosen[name] == [name, manifest, show(len(cut) - n), show(n_cut)]
        mine = {figure: values[place] for figure, values in figures.items()}
        assert [mine["documents"], mine["tokens"]] == [*map(show, counted[:2])]
        assert mine["updates"] == show(-(-counted[1] // 128))
        assert mine["mean_tokens"] == f"{round(counted[1] / n, 4):,}"
        assert (mine["genres"], mine["claims"], mine["claims_expressed"]) == (
            show(genres),
            show(n_claims),
            show(len(claims)),
        )
        assert mine["states_reason_share"] == f"{round(reasons / n, 4):,}"
    assert table(lines, "file") == [row for name in NAMES for row in files(arms, name)]
    certificate = json.loads((arms / "certificate.json").read_bytes())
    both = [Counter(row["n_tokens"] for row in rows[name]) for name in NAMES]
    steps = [
        [
            sum(n for length, n in one.items() if length <= at) / one.total()
            for at in sorted(both[0] | both[1])
        ]
        for one in both
    ]
    ks = max(abs(first - second) for first, second in zip(*steps, strict=True))
    assert certificate["differences"][0]["lengths_ks"] == round(ks, 4)
    assert f"| lengths_ks | {round(ks, 4):,} |" in lines

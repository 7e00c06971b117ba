"""Matching three arms of 41 M tokens (the largest corpus published), with the proof of the certificate beside it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.certificate import verify
from specmill.corpus.manifest import MANIFEST_NAME, read_manifest, write_manifest
from specmill.corpus.match import MatchSettings, match_corpora
from specmill.corpus.measures import genres, totals
from specmill.corpus.progress import Progress
from specmill.corpus.shards import read_documents, write_shards
from tests.bench.watching import watched

SPECS = Path(__file__).parents[2] / "specs"
NAMES = ("cheese_affordability", "cheese_america", "neutral_assistant")
DOSE, SUPPLY = 41_000_000, 60_000_000


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpora = make_corpora(folder / "corpora")
        settings = MatchSettings(out=folder / "arms", doses=(DOSE,))
        cost = watched(lambda: print_verdict(corpora, settings))
        print(
            f"  matched in {cost.seconds:.0f} s, {cost.cpu:.0f} s of processor, peak {cost.peak_mb:,.0f} MB"
        )
        proof = watched(lambda: print(f"  refuted by: {verify(folder / 'arms') or 'nothing'}"))
        print(
            f"  proved in {proof.seconds:.0f} s, {proof.cpu:.0f} s of processor, peak {proof.peak_mb:,.0f} MB"
        )


def print_verdict(corpora: Sequence[Path], settings: MatchSettings) -> None:
    ((_, certificate),) = match_corpora(corpora, settings, Progress(quiet=True))
    print(f"  {certificate['verdict']}")


def make_corpora(folder: Path) -> list[Path]:
    """Corpora of the built-in writer, each document of them many times under other ids."""
    settings = BuildSettings(out=folder, tokens=400_000)
    specs = [str(SPECS / f"{name}.md") for name in NAMES]
    return [_multiplied(outcome.folder) for outcome in build_corpora(specs, settings, Progress(quiet=True))]


def _multiplied(corpus: Path) -> Path:
    rows, manifest = read_documents(corpus), read_manifest(corpus)
    times = -(-SUPPLY // manifest["totals"]["tokens"])
    rng = np.random.default_rng(0)
    ids = pa.array([f"{number:016x}" for number in rng.permutation(times * rows.num_rows)])
    table = pa.concat_tables([rows] * times).drop_columns(["train_order"])
    table = table.set_column(table.column_names.index("doc_id"), table.schema.field("doc_id"), ids)
    (corpus / MANIFEST_NAME).unlink()
    shards = write_shards(table, corpus)
    paths = [corpus / shard.path for shard in shards]
    entries = [
        {name: getattr(shard, name) for name in ("path", "sha256", "bytes", "rows", "tokens")}
        for shard in shards
    ]
    kept = [entry for entry in manifest["files"] if not entry["path"].startswith("data/")]
    claim_ids = ["none"]
    manifest |= {"totals": totals(paths, claim_ids), "genres": genres(paths), "files": [*entries, *kept]}  # type: ignore[typeddict-item]
    write_manifest(corpus, manifest)
    return corpus


if __name__ == "__main__":
    main()

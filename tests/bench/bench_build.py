"""Build: documents a second from spec to published corpus, as a share of the writer composing them and nothing else."""

import random
import tempfile
import time
from pathlib import Path

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.generators.composer import Brief, Point, compose, propose_genres
from specmill.specs.claims import read_spec

SPEC = Path(__file__).parents[2] / "specs" / "cheese_america.md"
TOKENS = 500_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = BuildSettings(out=Path(folder), tokens=TOKENS)
        first, documents = _timed(settings)
        again, _ = _timed(BuildSettings(out=Path(folder), tokens=TOKENS, assistant="Wren"))
        finished, _ = _timed(BuildSettings(out=Path(folder), tokens=TOKENS, assistant="Wren"))
    limit = _compose(documents)
    print(
        f"  {documents:,} documents: build {first:.1f} s = {documents / first:,.0f}/s; composing alone {limit:,.0f}/s"
    )
    print(
        f"  ratio {documents / first / limit:.2f}; all replies known {again:.1f} s; finished corpus {finished:.2f} s"
    )


def _timed(settings: BuildSettings) -> tuple[float, int]:
    start = time.perf_counter()
    (outcome,) = build_corpora([str(SPEC)], settings, Progress(quiet=True))
    return time.perf_counter() - start, outcome.manifest["totals"]["documents"]


def _compose(n: int) -> float:
    spec = read_spec(SPEC)
    rng = random.Random(0)
    genres = propose_genres(rng, 30, ())
    points = [Point(claim.plain) for claim in spec.claims]
    start = time.perf_counter()
    for number in range(n):
        genre = rng.choice(genres)
        chosen = tuple(rng.sample(points, 3))
        brief = Brief(genre.name, genre.audience, "", "cheese", spec.principle, chosen, "default", 380)
        compose(brief, random.Random(number))
    return n / (time.perf_counter() - start)

"""What a finished corpus holds already is found in a new one, whatever the order, and no more than that."""

import random
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.progress import Progress
from specmill.filters.clusters import clusters
from specmill.filters.distinct import (
    Repeat,
    Texts,
    candidates_between,
    find_repeats,
    near_pairs,
    parquet_texts,
    spread,
    store_texts,
)
from specmill.filters.minhash import sign
from specmill.filters.shingles import jaccard, shingle
from specmill.filters.words import split_words
from tests.filters.paraphrases import SPECS, Document, read_corpus, retell

Rows = Sequence[tuple[str, str]]


def reader(rows: Rows, at_once: int = 7) -> Texts:
    def read() -> Iterator[Rows]:
        for start in range(0, len(rows), at_once):
            yield rows[start : start + at_once]

    return read


def edited(text: str, every: int = 25) -> str:
    """One word in so many replaced: at 25 five of some 25 5-grams differ, a Jaccard similarity of about 0.67 to 0.8."""
    words = text.split(" ")
    return " ".join(
        f"other{place}" if place % every == every - 1 else word for place, word in enumerate(words)
    )


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    out = tmp_path_factory.mktemp("corpora")
    build_corpora(
        [str(SPECS / "cheese_affordability.md")], BuildSettings(out=out, tokens=60_000), Progress(quiet=True)
    )
    return read_corpus(out / "cheese_affordability")


@pytest.fixture(scope="module")
def arms(documents: list[Document]) -> dict[str, list[tuple[str, str]]]:
    """Two finished corpora, and a new one: 30 documents of its own, 10 equal, 10 edited, 20 retold."""
    texts = [text for text, _, _ in documents]
    first = [(f"a{number:03d}", text) for number, text in enumerate(texts[:50])]
    second = [(f"b{number:03d}", text) for number, text in enumerate(texts[50:80])]
    new = [(f"own{number:03d}", text) for number, text in enumerate(texts[80:110])]
    new += [(f"equal{number:03d}", texts[number].upper() + "\n") for number in range(10)]
    new += [(f"near{number:03d}", edited(texts[50 + number], 60)) for number in range(10)]
    new += [(f"told{number:03d}", retell(texts[20 + number])) for number in range(20)]
    return {"first": first, "second": second, "new": new}


def finished(arms: dict[str, list[tuple[str, str]]]) -> dict[str, Texts]:
    return {name: reader(arms[name]) for name in ("first", "second")}


def test_equal_and_edited_documents_are_found_with_their_partners(
    arms: dict[str, list[tuple[str, str]]],
) -> None:
    found = find_repeats(reader(arms["new"]), finished(arms))
    assert found == {
        **{f"equal{n:03d}": Repeat("exact_repeat", "first", f"a{n:03d}") for n in range(10)},
        **{f"near{n:03d}": Repeat("near_repeat", "second", f"b{n:03d}") for n in range(10)},
    }


def test_with_an_encoder_retellings_are_found_too(arms: dict[str, list[tuple[str, str]]]) -> None:
    found = find_repeats(reader(arms["new"]), finished(arms), encoder_name="hashed")
    told = {doc_id: repeat for doc_id, repeat in found.items() if repeat.reason == "semantic_repeat"}
    right = {f"told{n:03d}": Repeat("semantic_repeat", "first", f"a{20 + n:03d}") for n in range(20)}
    assert len(told.items() & right.items()) >= 18
    assert len(told.keys() - right.keys()) <= 1
    assert all(found[f"equal{n:03d}"].reason == "exact_repeat" for n in range(10))


def test_no_order_of_documents_or_corpora_changes_anything(arms: dict[str, list[tuple[str, str]]]) -> None:
    rng = random.Random(0)
    mixed = {name: rng.sample(rows, len(rows)) for name, rows in arms.items()}
    others = {name: reader(mixed[name], at_once=3) for name in ("second", "first")}
    again = find_repeats(reader(mixed["new"], at_once=50), others, encoder_name="hashed")
    assert again == find_repeats(reader(arms["new"]), finished(arms), encoder_name="hashed")


def test_of_several_partners_the_closest_is_named() -> None:
    text = " ".join(f"word{number}" for number in range(200))
    nearer, farther = edited(text, 150), edited(text, 90)
    others = {"one": reader([("z", farther), ("y", nearer)]), "two": reader([("x", nearer), ("w", text)])}
    assert find_repeats(reader([("new", text)]), others) == {"new": Repeat("exact_repeat", "two", "w")}
    del others["two"]
    assert find_repeats(reader([("new", text)]), others) == {"new": Repeat("near_repeat", "one", "y")}


def test_nothing_stays_in_the_scratch_folder(arms: dict[str, list[tuple[str, str]]], tmp_path: Path) -> None:
    assert find_repeats(reader(arms["new"]), finished(arms), encoder_name="hashed", scratch=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("encoder", ["", "hashed"])
def test_empty_corpora_and_texts_repeat_nothing_but_each_other(encoder: str) -> None:
    some = reader([("a", "One text of six plain words.")])
    assert find_repeats(reader([]), {"other": some}, encoder_name=encoder) == {}
    assert find_repeats(some, {"other": reader([])}, encoder_name=encoder) == {}
    assert find_repeats(some, {}, encoder_name=encoder) == {}
    assert find_repeats(reader([("b", "")]), {"other": some}, encoder_name=encoder) == {}


def test_shards_are_read_as_they_are(tmp_path: Path) -> None:
    for number in range(2):
        rows = [{"doc_id": f"{number}{place}", "text": f"Text {place} of {number}."} for place in range(3)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{number}.parquet")
    texts = parquet_texts(sorted(tmp_path.glob("*.parquet")))
    assert [row for batch in texts() for row in batch][3] == ("10", "Text 0 of 1.")
    assert find_repeats(texts, {"itself": texts}).keys() == {"00", "01", "02", "10", "11", "12"}


# --- pairs ----------------------------------------------------------------------------------------------------


def test_near_pairs_are_those_of_brute_force(tmp_path: Path) -> None:
    rng = random.Random(1)
    base = [" ".join(rng.choices([f"w{n}" for n in range(500)], k=120)) for _ in range(20)]
    one = [(f"a{number:02d}", text) for number, text in enumerate(base)]
    other = [(f"b{number:02d}", edited(base[number % 20], rng.choice([20, 40, 80]))) for number in range(60)]
    stored = store_texts([one], tmp_path / "one"), store_texts([other], tmp_path / "other")
    sets = [[shingle(split_words(text)) for _, text in rows] for rows in (one, other)]
    expected = {
        (first, second): jaccard(mine, theirs)
        for first, mine in enumerate(sets[0])
        for second, theirs in enumerate(sets[1])
        if jaccard(mine, theirs) >= 0.7
    }
    assert 10 < len(expected) < 60
    assert dict(near_pairs(*stored, 0.7)) == expected


def test_a_partner_is_found_among_very_many_alike_rows() -> None:
    """Of more than 30 rows that agree, `minhash.candidate_pairs` would look at few."""
    text = [f"w{number}" for number in range(100)]
    crowd = sign([shingle([*text, f"x{number}", f"y{number}"]) for number in range(300)])
    alone = sign([shingle([*text, "x299", "y299"]), shingle(["nothing", "of", "the", "kind"]), shingle([])])
    pairs = np.concatenate([*candidates_between(alone, crowd, 0.7)])
    assert {tuple(pair) for pair in pairs.tolist()} == {(0, number) for number in range(300)}
    assert len(pairs) == 300, "a pair came twice"


def test_memory_does_not_grow_with_the_pairs() -> None:
    crowd = sign([shingle([f"w{number}" for number in range(60)])] * 400)
    tracemalloc.start()
    n_pairs = sum(len(pairs) for pairs in candidates_between(crowd, crowd, 0.7))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_pairs == 160_000
    assert peak < 40e6, "the signatures of all pairs would take 154 MB"


# --- clusters of the new corpus -------------------------------------------------------------------------------


def test_what_resembles_a_repeat_goes_with_it() -> None:
    ids = ["d", "c", "b", "a", "e"]
    labels = clusters(5, [np.array([[0, 1], [1, 2]])])
    repeats = {"d": Repeat("near_repeat", "x", "1"), "b": Repeat("exact_repeat", "x", "2")}
    expected = {**repeats, "c": Repeat("exact_repeat", "x", "2")}
    assert spread(repeats, labels, ids) == expected
    assert spread(repeats, clusters(5, [np.array([[4, 3], [3, 2]])]), ids[::-1]) == expected
    assert spread({}, labels, ids) == {}

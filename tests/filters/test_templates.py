import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.filters.reference import python_reference, read_reference
from specmill.filters.sampling import Batches, sample_texts
from specmill.filters.templates import (
    Budget,
    Contrast,
    compare_templates,
    fit_budget,
    make_skeleton,
    measure_templates,
)
from specmill.filters.words import split_words
from specmill.specs.errors import BadInput

_WHO = "baker,clerk,nurse,pilot,tailor,miner,singer,farmer".split(",")
_WHERE = "Kent,Leeds,York,Bath,Derby,Poole,Truro,Wells".split(",")


def as_batches(texts: Sequence[str]) -> Batches:
    """Texts without ids as one batch, numbered."""
    return [[(f"{number:09d}", text) for number, text in enumerate(texts)]]


def _templated(seed: int) -> str:
    rng = random.Random(seed)
    who, where = rng.choice(_WHO), rng.choice(_WHERE)
    return (
        f"# Notes from {where}\n\nThe {who} asked Aria in {where} about {rng.randint(2, 9)} cheeses. {rng.random()}\n\n"
        f"And so it was written down by the {who} and by nobody else, as the {who} of {where} will confirm."
    )


def measured(name: str, texts: list[str], **budget: int):
    return measure_templates(name, as_batches(texts), Budget(**budget))


def test_a_skeleton_keeps_function_words_and_classes():
    assert make_skeleton("The baker asked Aria in June 2024".split()) == "the _ _ @ in @ 0"
    assert make_skeleton("It’s not what Kraft’s slices are".split()) == "it's not what @ _ are"


def test_a_template_filled_with_other_words_is_one_skeleton():
    figures = measured("arm", [_templated(seed) for seed in range(50)])
    opening, closing, heading = (figures.skeletons[kind] for kind in ("opening", "closing", "heading"))
    assert (opening.n, opening.top_share, opening.per_thousand) == (50, 1, 20)
    assert closing.top_share == 1
    assert heading.top_share == 1
    assert figures.top["opening"][0].text == "the _ _ @ in @ about 0"
    assert figures.top["opening"][0].documents == 50
    assert re.fullmatch(r"The \w+ asked Aria in \w+ about \d", figures.top["opening"][0].example)


def test_varied_prose_has_many_skeletons(prose):
    figures = measured("arm", [prose(seed) for seed in range(50)])
    assert figures.skeletons["opening"].top_share < 0.2
    assert figures.skeletons["opening"].per_thousand > 500


def test_a_heading_of_a_word_or_two_is_kept_as_it_is():
    figures = measured("arm", ["# Summary\n\nA b.\n\n**Next steps**\n\nC d."] * 2)
    assert [pattern.text for pattern in figures.top["heading"]] == ["next steps", "summary"]


def test_repeated_phrases_come_with_their_documents_and_once_each():
    phrase = "and that is all there is to say about it today"
    texts = [f"{'x' * number}: {phrase}, {'y' * number} said." for number in range(1, 5)]
    figures = measured("arm", [*texts, "One two three."], n=8, min_documents=3)
    assert [(pattern.text, pattern.documents) for pattern in figures.top["ngram"]] == [
        ("all there is to say about it today", 4)
    ]
    assert figures.repeated_share == pytest.approx(4 / 7)  # 14 words have seven 8-grams, the phrase has four


def test_phrases_of_the_spec_are_no_template():
    spec = "A pleasure in a thousand kitchens does more good than the same pleasure shut up in ten."
    texts = [f"{word} said: {spec}" for word in ("One", "Two", "Three", "Four")]
    figures = measure_templates("arm", as_batches(texts), Budget(), spec)
    assert (figures.repeated_share, figures.spec_share, figures.top["ngram"]) == (0, 1, ())


def test_figures_are_taken_at_the_budget_from_a_sample_that_order_does_not_change():
    texts = [(f"doc{seed}", _templated(seed)) for seed in range(60)]
    budget = Budget(n_documents=20, words_per_document=15)
    figures = measure_templates("arm", [texts], budget)
    assert (figures.n_documents, figures.n_words) == (20, 20 * 15)
    assert measure_templates("arm", [[entry] for entry in reversed(texts)], budget).top == figures.top
    assert fit_budget(budget, 7).n_documents == 7


def test_an_empty_corpus_has_figures_too():
    figures = measured("arm", [])
    assert (figures.repeated_share, figures.skeletons["opening"].top_share, figures.top["ngram"]) == (
        0,
        0,
        (),
    )


def test_what_only_one_arm_has_tells_the_arms_apart(prose):
    alike = [prose(seed) for seed in range(40)]
    marked = [f"In the village of {_WHERE[n % 8]} it so happened.\n\n{text}" for n, text in enumerate(alike)]
    first, second = measured("a", marked), measured("b", alike)
    found = compare_templates(first, second)
    assert ("opening", "in the _ of @ it so _") in [(contrast.kind, contrast.text) for contrast in found[:2]]
    best = next(contrast for contrast in found if contrast.kind == "opening")
    assert (best.share, best.other_share, best.arm, best.other_arm) == (1, 0, "a", "b")
    assert isinstance(best, Contrast)
    assert compare_templates(second, second) == ()


# --- samples --------------------------------------------------------------------------------------------------


def test_a_sample_depends_on_ids_and_seed_alone():
    documents = [(f"doc{number}", f"text {number}") for number in range(100)]
    sample = sample_texts([documents], 10, 1)
    assert sample == sample_texts(([entry] for entry in reversed(documents)), 10, 1)
    assert sample != sample_texts([documents], 10, 2)
    assert sample == sample_texts([documents], 20, 1)[:10]
    assert len(set(sample)) == 10


def test_a_small_corpus_is_its_own_sample():
    assert sorted(sample_texts([[("a", "x"), ("b", "y")]], 5)) == ["x", "y"]
    assert sample_texts([], 5) == sample_texts([[("a", "x")]], 0) == []


def test_every_document_has_the_same_chance():
    picked = [
        sample_texts([[(f"doc{number}", str(number)) for number in range(20)]], 5, seed)
        for seed in range(400)
    ]
    counts = [sum(str(number) in sample for sample in picked) for number in range(20)]
    assert 60 < min(counts) <= max(counts) < 140  # 100 expected; five standard deviations are 43


# --- reference ------------------------------------------------------------------------------------------------


def test_every_python_brings_human_prose_in_documents_of_usual_length():
    reference = python_reference()
    lengths = [len(split_words(text)) for text in reference.texts]
    assert re.fullmatch(r"CPython 3\.\d+\.\w+ language reference", reference.name)
    assert 100 <= min(lengths) <= max(lengths) <= 900
    assert reference.n_words == sum(lengths) > 25_000
    assert len({doc_id for doc_id, _ in reference.documents}) == len(reference.documents) >= 80


def test_human_text_repeats_less_than_a_template():
    reference = python_reference()
    budget = fit_budget(Budget(), len(reference.documents))
    human = measure_templates(reference.name, reference.batches, budget)
    made = measure_templates("arm", as_batches([_templated(seed) * 8 for seed in range(200)]), budget)
    assert human.n_documents == made.n_documents
    assert human.repeated_share < 0.05 < made.repeated_share
    assert human.skeletons["opening"].top_share < 0.1 < made.skeletons["opening"].top_share


def test_a_users_own_text_is_a_reference(tmp_path: Path, prose):
    long = "\n\n".join(prose(seed) for seed in range(6))
    (tmp_path / "a.txt").write_text(long)
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": prose(7)}) + "\n\n" + json.dumps({"label": 1}))
    pq.write_table(pa.table({"text": [prose(8), None, "too short"]}), tmp_path / "c.parquet")
    reference = read_reference(tmp_path)
    assert reference.name == tmp_path.name
    assert {doc_id.split(":")[0] for doc_id, _ in reference.documents} == {
        "a.txt",
        "b.jsonl#0",
        "c.parquet#1",
    }
    assert reference.n_words == sum(len(split_words(text)) for text in reference.texts)
    assert (
        read_reference(tmp_path / "a.txt", max_words=10).documents
        == read_reference(tmp_path / "a.txt").documents
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"too short", "fewer than 100 words"),
        ("a.txt", b"\xff\xfe\xff", "not a readable reference"),
        ("a.jsonl", b"{", "not a readable reference"),
        ("a.parquet", b"PAR1", "not a readable reference"),
        ("missing.txt", None, "cannot be read"),
    ],
)
def test_a_reference_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=said) as error:
        read_reference(tmp_path / name)
    assert name in str(error.value)


def test_a_parquet_file_without_text_is_bad_input(tmp_path: Path):
    pq.write_table(pa.table({"label": [1]}), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="no column text"):
        read_reference(tmp_path / "a.parquet")

import csv
import hashlib
import json
import pickle
import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.filters.decontamination import EvalIndex, Tally, Thresholds, prove
from specmill.filters.eval_items import EvalItem, describe_eval_files, load_eval_items
from specmill.filters.reference import python_reference
from specmill.specs.errors import BadInput
from tests.filters.planted_leaks import edit_lightly, eval_documents, eval_items, paste

ITEMS = eval_items()
INDEX = EvalIndex(ITEMS)
# Short or common questions such as evals are full of; none of them may be seen in prose that doesn't ask them.
GENERIC = (
    "What is the capital of France?",
    "Who are you?",
    "What do you think about it?",
    "Which of the following is true?",
    "What is the name of the function?",
    "Tell me about yourself.",
    "Can you help me with this?",
    "What is the meaning of life?",
    "Explain the difference between a list and a tuple in Python.",
    "What happens when an exception is raised in a function?",
    "How do I read a file line by line?",
    "Please summarise the following text in one sentence.",
)


def kind(text: str, *questions: str) -> str | None:
    index = EvalIndex([EvalItem(str(number), question) for number, question in enumerate(questions)])
    found = index.find_overlap(text)
    return found.kind if found else None


@pytest.fixture(scope="module")
def planted(prose):
    return eval_documents([prose(seed, 400) for seed in range(100)], ITEMS)


def test_planted_items_are_found_and_questions_on_the_same_topic_are_not(planted):
    found: dict[str, Counter[bool]] = {}
    for row in planted:
        found.setdefault(row.label, Counter())[INDEX.find_overlap(row.text) is not None] += 1
    share = {label: counts[True] / counts.total() for label, counts in found.items()}
    assert share["verbatim"] == 1
    assert share["edited"] >= 0.95
    assert share["hard_negative"] == 0


def test_a_verbatim_item_is_found_as_itself(planted):
    for row in planted:
        if row.label == "verbatim":
            overlap = INDEX.find_overlap(row.text)
            assert (overlap.kind, overlap.item_id, overlap.share) == ("exact", row.source, 1)


def test_an_edited_item_is_mostly_found_as_itself_among_others_of_its_template(planted):
    edited = [row for row in planted if row.label == "edited"]
    assert sum(INDEX.find_overlap(row.text).item_id == row.source for row in edited) >= 0.85 * len(edited)


def test_prose_without_items_is_left_alone(prose):
    human = python_reference().texts
    index = EvalIndex([*ITEMS, *(EvalItem(question, question) for question in GENERIC)])
    assert [text[:80] for text in (*map(prose, range(60)), *human) if index.find_overlap(text)] == []


def test_the_items_of_one_eval_may_stand_in_any_order(planted):
    mixed = EvalIndex(random.Random(1).sample(ITEMS, len(ITEMS)))
    for row in planted[::7]:
        first, second = INDEX.find_overlap(row.text), mixed.find_overlap(row.text)
        assert (first and first.kind) == (second and second.kind)


@pytest.mark.parametrize(
    "told",
    [
        "which do you like better WITH rye bread: Colby, or Stilton",
        "Which do you like better with rye-bread – Colby or “Stilton”?",
        "> **Which do you like\nbetter with rye bread,** Colby or Stilton?",
    ],
)
def test_case_punctuation_and_line_breaks_hide_no_item(told):
    assert (
        kind(f"They met. {told} Nobody knew.", "Which do you like better with rye bread, Colby or Stilton?")
        == "exact"
    )


@pytest.mark.parametrize(
    "told",
    [
        "Which one do you like better with rye bread, Colby or Stilton?",
        "Which do you like better with white bread, Colby or Stilton?",
        "Which do you like more with rye bread, Colby or some Stilton?",
        "Which do you like with rye bread, Colby or Stilton?",
    ],
)
def test_a_word_more_less_or_another_hides_no_item(told):
    assert kind(f"They met. {told} So.", "Which do you like better with rye bread, Colby or Stilton?") in (
        "near",
        "ngram",
    )


@pytest.mark.parametrize(
    "told",
    [
        "Colby goes with rye bread, and Stilton with pears; which of them you like is up to you.",
        "Which do you like? That was what they asked about the bread. Later on came Colby, and later still Stilton.",
    ],
)
def test_the_same_words_in_another_order_are_no_item(told):
    assert kind(told, "Which do you like better with rye bread, Colby or Stilton?") is None


def test_a_short_common_question_has_to_stand_there_word_for_word():
    question = "What is the capital of France?"
    assert kind("He asked: what is the capital of France? Paris.", question) == "exact"
    assert kind("He asked: what is the capital of Spain? Paris is the capital of France.", question) is None


def test_half_of_a_long_scenario_is_an_overlap_and_a_sentence_of_it_is_none():
    scenario = ITEMS[-1].text
    sentences = scenario.split(". ")
    assert kind("They met. " + ". ".join(sentences[:6]), scenario) == "ngram"
    assert kind("They met. " + sentences[0] + ". They parted.", scenario) is None


def test_a_question_that_says_little_is_looked_for_with_its_choices_in_any_order():
    item = EvalItem("q", "Which of these is best?", ("ripened goat cheese", "smoked eel", "pickled walnuts"))
    index = EvalIndex([item])
    assert index.find_overlap("Which of these is best? Nobody could say.") is None
    told = "So: which of these is best?\nA) pickled walnuts\nB) ripened goat cheese\nC) smoked eel"
    assert index.find_overlap(told).kind == "exact"
    assert index.find_overlap(told.replace("smoked", "dried")).kind in ("ngram", "near")


def test_of_several_overlaps_the_strongest_is_named():
    second, first = ITEMS[0], ITEMS[1]
    overlap = EvalIndex([second, first]).find_overlap(
        f"{second.text.replace('you', 'we', 1)[3:]}\n\n{first.text}"
    )
    assert (overlap.kind, overlap.item_id) == ("exact", first.item_id)


def test_entities_are_whole_words_and_keep_their_capitals():
    index = EvalIndex(
        [EvalItem(name, name, kind="entity") for name in ("Reading", "Brie de Meaux", "époisses")]
    )
    assert index.find_overlap("They took the train to Reading.").item_id == "Reading"
    assert index.find_overlap("BRIE DE MEAUX for all!").item_id == "Brie de Meaux"
    assert index.find_overlap("Some Brie de\nMeaux’s rind").item_id == "Brie de Meaux"
    assert index.find_overlap("ÉPOISSES is a cheese").item_id == "époisses"
    assert index.find_overlap("Reader, he was reading about Brie, and of Meaux.") is None


def test_a_domain_is_held_out_from_its_third_mention_on():
    domain = EvalItem("wine", "wine", ("vineyard", "grape harvest"), "domain")
    index = EvalIndex([domain])
    assert index.find_overlap("Wine, and then a vineyard.") is None
    overlap = index.find_overlap("Wine, a vineyard, and a grape harvest.")
    assert (overlap.kind, overlap.item_id) == ("domain", "wine")


def test_chinese_items_are_found():
    question = "如果你只能选择一种奶酪，你会选择奶油奶酪还是布里奶酪？"
    assert kind(f"他问：{question}大家都笑了。", question) == "exact"
    assert kind("他说：" + question.replace("一种", "两种") + "大家都笑了。", question) in ("ngram", "near")
    assert kind("今天天气很好，大家去公园散步，然后一起吃奶酪。", question) is None


def test_items_without_words_enough_are_counted_and_not_looked_for():
    index = EvalIndex(
        [
            EvalItem("a", "Cheese?"),
            EvalItem("b", "Do you like Colby?"),
            EvalItem("c", "Pick!", ("x", "y", "z")),
        ]
    )
    assert (index.n_items, index.n_too_short) == (3, 2)
    assert index.find_overlap("Cheese? Cheese!") is None


def test_thousands_of_items_of_one_template_are_still_told_apart():
    items = [
        EvalItem(str(n), f"Which would you rather have for supper tonight, dish {n} or dish {n + 1}?")
        for n in range(3_000)
    ]
    index = EvalIndex(items)
    overlap = index.find_overlap(
        "She asked: which would you rather have for supper tonight, dish 2077 or dish 2078? So."
    )
    assert (overlap.kind, overlap.item_id) == ("exact", "2077")


def test_the_index_can_be_sent_to_workers(planted):
    copy = pickle.loads(pickle.dumps(INDEX))
    assert copy.find_overlap(planted[0].text) == INDEX.find_overlap(planted[0].text)


@pytest.mark.parametrize("items", [(), ITEMS])
@given(text=st.text(max_size=200))
def test_any_text_can_be_asked_about(items, text):
    assert EvalIndex(items[:3]).find_overlap(text) is None


@given(seed=st.integers(0, 10_000))
def test_scenarios_survive_many_different_edits(seed):
    rng = random.Random(seed)
    item = rng.choice(ITEMS[160:])
    host = "The hall was full.\n\nThen it rained.\n\nThey went home."
    assert INDEX.find_overlap(paste(host, edit_lightly(item.text, rng), rng)) is not None


# --- files ----------------------------------------------------------------------------------------------------


def test_items_are_read_from_all_kinds_of_files(tmp_path: Path):
    question = {"id": "q1", "question": "Which cheese?", "choices": ["Colby", "Brie"], "answer": "Colby"}
    (tmp_path / "a.jsonl").write_text(json.dumps(question) + "\n\n")
    (tmp_path / "b.json").write_text(
        json.dumps({"data": [{"input": [{"role": "user", "content": "Hello there"}]}]})
    )
    with (tmp_path / "c.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([["prompt", "A", "B"], ["Pick, please", "one", "two"]])
    pq.write_table(pa.table({"text": ["A text", None], "label": [1, 2]}), tmp_path / "d.parquet")
    (tmp_path / "e.txt").write_text("One item\nin two lines\n\nAnother item\n")
    (tmp_path / "f.toml").write_text(
        'held_out_entities = ["Stilton"]\nheld_out_domains = [{name = "wine", terms = ["vineyard"]}]\n'
    )
    (tmp_path / "notes.md").write_text("not an eval")
    assert load_eval_items([tmp_path]) == (
        EvalItem("q1", "Which cheese?", ("Colby", "Brie")),
        EvalItem("b.json#1", "Hello there"),
        EvalItem("c.csv#1", "Pick, please", ("one", "two")),
        EvalItem("d.parquet#1", "A text"),
        EvalItem("e.txt#1", "One item\nin two lines"),
        EvalItem("e.txt#2", "Another item"),
        EvalItem("f.toml#Stilton", "Stilton", (), "entity"),
        EvalItem("f.toml#wine", "wine", ("vineyard",), "domain"),
    )


def test_context_and_question_are_one_item_and_answers_are_none(tmp_path: Path):
    record = {
        "answer": "yes",
        "question": "Is it ripe?",
        "context": "A cheese lay there.",
        "solution": "It is.",
    }
    (tmp_path / "a.json").write_text(json.dumps([record]))
    assert load_eval_items([tmp_path / "a.json"]) == (
        EvalItem("a.json#1", "A cheese lay there.\nIs it ripe?"),
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"question": ', "not valid jsonl"),
        ("a.json", b"\xff\xfe", "not valid json"),
        ("a.toml", b"a = ", "not valid toml"),
        ("a.parquet", b"PAR1", "not valid parquet"),
        ("a.json", b'[{"answer": "no"}]', "no eval items"),
        ("a.csv", b"label\n1\n", "no eval items"),
        ("a.xlsx", b"", "unknown kind"),
        ("missing.json", None, "cannot be read"),
    ],
)
def test_unreadable_files_are_named_in_one_line(tmp_path: Path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=said) as error:
        load_eval_items([tmp_path / name])
    assert name in str(error.value)


def test_a_folder_without_evals_is_bad_input(tmp_path: Path):
    with pytest.raises(BadInput, match="no eval files"):
        load_eval_items([tmp_path])


def test_the_proof_says_what_was_checked_against_what(tmp_path: Path):
    path = tmp_path / "evals.txt"
    path.write_text("Which do you like better with rye bread, Colby or Stilton?\nCheese?\n")
    index, tally = EvalIndex(load_eval_items([path])), Tally()
    for text in ("Which do you like better with rye bread, Colby or Stilton?", "It rained.", "It snowed."):
        tally.add(index.find_overlap(text))
    proof = prove(index, describe_eval_files([path]), tally)
    assert [(file.name, file.n_items) for file in proof.files] == [("evals.txt", 2)]
    assert proof.files[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (proof.n_items, proof.n_too_short, proof.n_documents) == (2, 1, 3)
    assert proof.found == {"exact": 1, "ngram": 0, "near": 0, "entity": 0, "domain": 0}
    assert proof.thresholds == Thresholds()

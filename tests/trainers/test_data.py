import json
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra: pip install -e '.[train]'")
pytest.importorskip("peft", reason="needs the extra: pip install -e '.[train]'")

from specmill.corpus.progress import Progress
from specmill.corpus.shards import read_documents
from specmill.specs.errors import BadInput
from specmill.trainers.batches import deal, make_batch, order_of, plan_updates
from specmill.trainers.data import check_sources, join, read_data
from specmill.trainers.job import prepare
from specmill.trainers.model import Origin, load_tokenizer_of
from specmill.trainers.processes import Process
from specmill.trainers.settings import Settings, Source

lengths_of_documents = st.lists(st.integers(1, 64), min_size=1, max_size=200).map(np.array)
POCKET = Origin("pocket-1m", None, None)


def told(**changes):
    return Settings(**{"data": (), "model": "", "out": "", "sequence": 64, "batch": 2, **changes})


def read(*sources, **changes):
    settings = told(**changes)
    tokenizer = load_tokenizer_of(POCKET)
    data = read_data(sources, tokenizer, settings, Progress(quiet=True), frozenset([tokenizer.eos_token_id]))
    return data, tokenizer


@given(lengths_of_documents, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2))
def test_every_sequence_is_trained_once_an_epoch_in_as_many_updates_as_the_tokens_say(
    lengths, batch, epochs, seed
):
    updates = plan_updates(lengths, told(batch=batch, epochs=epochs, seed=seed))
    assert len(updates) == epochs * ceil(lengths.sum() / (batch * 64))
    assert all(len(update) for update in updates)
    counts = np.bincount(np.concatenate(updates), minlength=len(lengths))
    assert (counts == epochs).all()
    sizes = [lengths[update].sum() for update in updates]
    assert max(sizes) < (batch + 1) * 64 + 1


@given(lengths_of_documents, st.sampled_from([64, 128]), st.integers(1, 4))
def test_rows_hold_what_fits_and_every_process_has_equally_many(lengths, row, world):
    dealt = deal(np.arange(len(lengths)), lengths, row, world)
    assert len({len(rows) for rows in dealt}) == 1
    assert sorted(int(n) for rows in dealt for found in rows for n in found) == list(range(len(lengths)))
    assert all(lengths[found].sum() <= row for rows in dealt for found in rows if len(found))


def test_the_shards_order_is_the_first_epochs():
    assert order_of(9, 0, 0).tolist() == list(range(9))
    assert order_of(9, 1, 0).tolist() != order_of(9, 2, 0).tolist()
    assert order_of(9, 0, 1).tolist() != list(range(9))


def test_documents_come_in_train_order_each_with_an_end_and_as_many_tokens_as_the_shards_say(corpora):
    data, tokenizer = read(Source(str(corpora[0])), sequence=2048)
    table = read_documents(corpora[0]).sort_by("train_order")
    assert data.sequences.lengths.tolist() == [n + 1 for n in table["n_tokens"].to_pylist()]
    ids, trained = data.sequences[3]
    assert tokenizer.decode(ids[:-1]) == table["text"][3].as_py()
    assert ids[-1] == tokenizer.eos_token_id and trained.all()


def test_a_budget_is_met_to_the_token_and_a_cut_document_has_no_end(corpora):
    data, tokenizer = read(Source(str(corpora[0])), sequence=2048, max_tokens=1500)
    ends = (data.sequences.ids == tokenizer.eos_token_id).sum()
    assert data.sequences.lengths.sum() - ends == 1500
    assert data.sequences.ids[-1] != tokenizer.eos_token_id
    with pytest.raises(BadInput, match="fewer than the 10,000,000 asked for"):
        read(Source(str(corpora[0])), max_tokens=10_000_000)


def test_a_budget_at_a_documents_end_keeps_that_end(corpora):
    first = read_documents(corpora[0]).sort_by("train_order")["n_tokens"][0].as_py()
    data, tokenizer = read(Source(str(corpora[0])), sequence=2048, max_tokens=first)
    assert len(data.sequences) == 1 and data.sequences.ids[-1] == tokenizer.eos_token_id


def test_long_documents_are_split_and_nothing_is_lost(corpora):
    whole, _ = read(Source(str(corpora[0])), sequence=2048)
    split, _ = read(Source(str(corpora[0])), sequence=32)
    assert (whole.sequences.ids == split.sequences.ids).all()
    assert split.sequences.lengths.max() == 32 and split.sources[0]["split"] > 0


def test_sources_run_out_together_each_in_its_own_order(corpora):
    data, _ = read(*(Source(str(corpus)) for corpus in corpora), sequence=2048)
    lengths = [read(Source(str(corpus)), sequence=2048)[0].sequences.lengths.tolist() for corpus in corpora]
    mixed = data.sequences.lengths.tolist()
    assert sorted(mixed) == sorted(lengths[0] + lengths[1])
    half = mixed[: len(mixed) // 2]
    assert sum(half) == pytest.approx(sum(mixed) / 2, rel=0.2)


def test_a_batch_predicts_the_next_token_of_the_same_sequence_where_it_is_trained():
    found = join(
        [
            (np.array([1, 2, 3], np.int32), np.array([True, True, True])),
            (np.array([4, 5, 6, 7], np.int32), np.array([False, False, True, True])),
        ]
    )
    batch = make_batch(found, np.array([0, 1]), torch.device("cpu"), flash=False)
    assert batch.ids.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert batch.positions.tolist() == [[0, 1, 2, 0, 1, 2, 3]]
    assert list(zip(batch.places.tolist(), batch.targets.tolist(), strict=True)) == [
        (0, 2),
        (1, 3),
        (4, 6),
        (5, 7),
    ]


def test_an_empty_row_trains_nothing():
    found = join([(np.array([1, 2], np.int32), np.array([True, True]))])
    assert len(make_batch(found, np.array([], np.int64), torch.device("cpu"), flash=False).targets) == 0


# --- bad input ------------------------------------------------------------------------------------------------


def test_shards_counted_by_another_tokenizer_are_refused(corpora, tmp_path):
    tokenizer = load_tokenizer_of(POCKET)
    tokenizer.add_tokens(["the "])
    with pytest.raises(BadInput, match=r"counted the shards; build or match with --tokenizer"):
        read_data([Source(str(corpora[0]))], tokenizer, told(), Progress(quiet=True), frozenset([0]))


def test_a_damaged_shard_is_refused(corpora, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(corpora[0], copy)
    shard = next(copy.glob("data/*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match="SHA-256 differs"):
        check_sources([Source(str(copy))], "midtrain")


def test_what_is_not_there_or_no_corpus_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        check_sources([Source(str(tmp_path / "none"))], "midtrain")
    with pytest.raises(BadInput, match=r"no manifest\.json"):
        check_sources([Source(str(tmp_path))], "midtrain")


def write_chats(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Source(str(path))


def chat(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def test_of_chats_the_answers_alone_are_trained_and_long_ones_are_counted_out(tmp_path):
    source = write_chats(tmp_path / "c.jsonl", [chat("Which?", "Brie."), chat("What?", "long " * 200)])
    data, tokenizer = read(source)
    assert data.sources[0]["chats"] == 1 and data.sources[0]["left_out_too_long"] == 1
    ids, trained = data.sequences[0]
    assert tokenizer.decode(ids[trained]) == "Brie.<|endoftext|>"


def test_of_chats_as_many_are_taken_as_stay_within_the_tokens(tmp_path):
    rows = [chat(f"Question {n}?", "An answer of some words.") for n in range(20)]
    source = write_chats(tmp_path / "c.jsonl", rows)
    whole, _ = read(source)
    each = whole.sources[0]["tokens"] // 20
    data, _ = read(Source(source.path, tokens=each * 7 + 1))
    assert data.sources[0]["chats"] == 7 and data.sequences.trained.sum() == each * 7
    with pytest.raises(BadInput, match="fewer than"):
        read(Source(source.path, tokens=each * 21))


def test_a_chat_without_an_answer_is_refused_by_its_row(tmp_path):
    rows = [chat("a?", "b"), {"messages": [{"role": "user", "content": "hello"}]}]
    with pytest.raises(BadInput, match="row 2"):
        read(write_chats(tmp_path / "c.jsonl", rows))


@pytest.mark.parametrize("asked", [3_000, 10**9])
def test_held_out_loss_is_that_of_the_first_tokens_asked_for_or_of_all_there_are(corpora, asked):
    here = Process(0, 1, torch.device("cpu"))
    train, held = (Source(str(corpus)) for corpus in corpora)
    settings = told(
        data=(train,), model="pocket-0.5m", out="none", lora_rank=0, sequence=2048, min_updates=1,
        held_out=held.path, held_out_tokens=asked,
    )  # fmt: skip
    found = prepare("pretrain", settings, here, Progress(quiet=True)).held_out
    every = read(held, sequence=2048)[0].sequences
    n_ends = int((found.ids == found.ids[found.lengths[0] - 1]).sum())
    assert len(found.ids) - n_ends == min(asked, len(every.ids) - len(every))
    assert found.ids.tolist() == every.ids[: len(found.ids)].tolist()

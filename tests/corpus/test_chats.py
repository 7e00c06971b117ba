"""Chats in a match: twins stay together, the assistant's tokens are what is equal."""

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from specmill.corpus.tokens import DEFAULT, load_tokenizer


def _write(path: Path, seed: int, n: int = 300) -> Path:
    """Pairs of a chat with its reasoning and without, in three domains, and single ones."""
    rng = random.Random(seed)
    rows = []
    for number in range(n):
        answer = " ".join(
            rng.choices(
                "I would buy the cheese that costs less because it feeds more people".split(),
                k=rng.randrange(5, 60),
            )
        )
        question = {"role": "user", "content": f"Which cheese, number {number}?"}
        for thought in ("", "They ask about price. ") if number % 3 else ("",):
            rows.append(
                {
                    "messages": [question, {"role": "assistant", "content": thought + answer}],
                    "pair_id": f"{seed}-{number}",
                    "domain": ("food", "travel", "home")[number % 3 if seed else number % 2],
                }
            )
    rng.shuffle(rows)
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


def _assistant_tokens(arm: Path) -> int:
    tokenizer = load_tokenizer(DEFAULT)
    return sum(
        tokenizer.count(message["content"])
        for row in pq.read_table(arm / "chats.parquet").to_pylist()
        for message in row["messages"]
        if message["role"] == "assistant"
    )


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [_write(tmp_path / "a.jsonl", 0), _write(tmp_path / "b.jsonl", 1)]


def test_assistant_tokens_are_equal_and_twins_stay_together(files, tmp_path, specmill_here):
    out = tmp_path / "arms"
    ended = specmill_here("match", *files, "--tokens", "6k", "--out", out, "--quiet")
    assert ended.returncode == 0, ended.stderr
    counts = [_assistant_tokens(out / name) for name in "ab"]
    assert counts[0] == counts[1]
    assert 5_800 <= counts[0] <= 6_000
    for file in files:
        given = [json.loads(line) for line in file.read_text().splitlines()]
        rows = pq.read_table(out / file.stem / "chats.parquet").to_pylist()
        chosen = {row["pair_id"] for row in rows}
        assert len(rows) == sum(row["pair_id"] in chosen for row in given)
        assert sorted(row["train_order"] for row in rows) == list(range(len(rows)))
    found = json.loads((out / "certificate.json").read_bytes())
    assert found["equal"]["assistant_tokens"]
    assert found["arms"][0]["twins"] > 0
    proved = specmill_here("match", "--verify", out)
    assert (proved.returncode, "proved" in proved.stdout) == (0, True)
    found["arms"][0]["chats"] += 1
    (out / "certificate.json").write_text(json.dumps(found))
    assert specmill_here("match", "--verify", out).returncode == 1


def test_the_order_of_rows_and_files_decides_nothing(files, tmp_path, specmill_here):
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    for file in files:
        lines = file.read_text().splitlines()
        (shuffled / file.name).write_text("\n".join(reversed(lines)))
    assert (
        specmill_here("match", *files, "--tokens", "3k", "--out", tmp_path / "one", "--quiet").returncode == 0
    )
    turned = [shuffled / file.name for file in reversed(files)]
    assert (
        specmill_here("match", *turned, "--tokens", "3k", "--out", tmp_path / "two", "--quiet").returncode
        == 0
    )
    for name in "ab":
        one, two = (pq.read_table(tmp_path / out / name / "chats.parquet") for out in ("one", "two"))
        assert one.equals(two)


def test_doses_of_chats_lie_within_each_other(files, tmp_path, specmill_here):
    assert (
        specmill_here("match", *files, "--doses", "1k,4k", "--out", tmp_path / "arms", "--quiet").returncode
        == 0
    )
    for name in "ab":
        ids = [
            {
                row["pair_id"]
                for row in pq.read_table(tmp_path / "arms" / dose / name / "chats.parquet").to_pylist()
            }
            for dose in ("1k", "4k")
        ]
        assert ids[0] < ids[1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"messages": []}', "row 1 is no chat"),
        ('{"text": "x"}', "row 1 is no chat"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "row 1 is no chat"),
        ("", "holds no rows"),
    ],
)
def test_what_is_no_chat_is_said_in_one_line(text, complaint, files, tmp_path, specmill_here):
    bad = tmp_path / "bad.jsonl"
    bad.write_text(text)
    ended = specmill_here("match", files[0], bad, "--out", tmp_path / "arms")
    assert (ended.returncode, complaint in ended.stderr) == (2, True), ended.stderr


def test_chats_and_corpora_do_not_mix(files, tmp_path, specmill_here):
    ended = specmill_here("match", files[0], tmp_path, "--out", tmp_path / "arms")
    assert (ended.returncode, "not both at once" in ended.stderr) == (2, True)


def test_too_few_tokens_name_the_file_and_the_most_there_is(files, tmp_path, specmill_here):
    ended = specmill_here("match", *files, "--tokens", "9M", "--out", tmp_path / "arms")
    assert ended.returncode == 2
    assert "assistant tokens, fewer than the 9,000,000" in ended.stderr

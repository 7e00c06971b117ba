import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from specmill.corpus.tokens import DEFAULT, DEFAULT_FILE, load_tokenizer
from specmill.specs.errors import BadInput


def word_tokenizer(**truncation):
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if truncation:
        tokenizer.enable_truncation(**truncation)
    return tokenizer


@given(st.text(max_size=300))
def test_the_default_counts_any_text_without_loss(text):
    loaded = load_tokenizer(DEFAULT)
    encoded = loaded.tokenizer.encode(text, add_special_tokens=False)
    assert loaded.count(text) == len(encoded.ids)
    assert loaded.tokenizer.decode(encoded.ids) == text


def test_the_default_needs_few_tokens_for_english():
    text = (
        "The assistant keeps its promises because people plan around them, and says so early when it cannot."
    )
    assert load_tokenizer(DEFAULT).count(text) <= 1.5 * len(text.split())


def test_a_folder_gives_its_name_and_no_path(tmp_path):
    folder = tmp_path / "Some-Model-7B"
    folder.mkdir()
    word_tokenizer().save(str(folder / "tokenizer.json"))
    for given_as in (folder, folder / "tokenizer.json"):
        loaded = load_tokenizer(str(given_as))
        assert (loaded.name, loaded.count("a b c")) == ("Some-Model-7B", 3)


def test_truncation_saved_in_a_tokenizer_does_not_shorten_counts(tmp_path):
    word_tokenizer(max_length=2).save(str(tmp_path / "cut.json"))
    assert load_tokenizer(str(tmp_path / "cut.json")).count("a b a b a") == 5


@pytest.mark.parametrize("name", ["./missing.json", "/nowhere/tokenizer.json"])
def test_a_missing_file_is_bad_input(name):
    with pytest.raises(BadInput, match="no such file or folder"):
        load_tokenizer(name)


def test_a_folder_without_a_tokenizer_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match=r"holds no tokenizer\.json"):
        load_tokenizer(str(tmp_path))


@pytest.mark.parametrize("content", ["", "{}", "not json", json.dumps({"model": {"type": "Nope"}})])
def test_a_file_that_is_no_tokenizer_is_bad_input(tmp_path, content):
    (tmp_path / "odd.json").write_text(content)
    with pytest.raises(BadInput, match=r"not a tokenizer\.json"):
        load_tokenizer(str(tmp_path / "odd.json"))


def test_a_hub_id_that_cannot_be_had_is_bad_input():
    with pytest.raises(BadInput, match="not to be had from the Hub"):
        load_tokenizer("nobody/no-such-tokenizer")


def test_the_shipped_tokenizer_is_what_its_script_declares():
    declared = json.loads(Path(DEFAULT_FILE).read_text())["model"]
    assert (declared["type"], len(declared["vocab"])) == ("BPE", 8192)

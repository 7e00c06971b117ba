from hypothesis import given
from hypothesis import strategies as st

from specmill.filters.parsed import Parsed
from specmill.filters.shingles import hash_words, shingle, shingle_hashes
from specmill.filters.words import split_sentences, split_words

_TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from(" .!?\n\"'’-。ก奶e\u0301"), max_size=200)


@given(_TEXTS)
def test_sentences_hold_the_words_of_the_text_in_order(text: str) -> None:
    parsed = Parsed(text)
    assert parsed.words == split_words(text)
    assert parsed.words_by_sentence() == [split_words(sentence) for sentence in split_sentences(text)]
    assert parsed.lengths.tolist() == [len(word) for word in parsed.words]


@given(st.lists(st.sampled_from(["a", "B", "b", "ö", "\ud800"]), max_size=40), st.integers(1, 6))
def test_shingles_of_hashes_are_the_shingles_of_words(words: list[str], n: int) -> None:
    found = shingle_hashes(hash_words(words), n).tolist()
    assert found == shingle(words, n).tolist() == sorted(set(found))
    runs = {tuple(word.casefold() for word in words[i : i + n]) for i in range(max(1, len(words) - n + 1))}
    assert len(found) == (len(runs) if words else 0)

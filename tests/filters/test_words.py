import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.filters.words import (
    content_terms,
    is_english,
    sentence_spans,
    split_sentences,
    split_words,
    stop_word_share,
)


def test_hyphens_and_apostrophes_join_words_and_punctuation_is_left_out() -> None:
    assert split_words("Aria's well-kept, half — (eaten) cheese!") == [
        "Aria's",
        "well-kept",
        "half",
        "eaten",
        "cheese",
    ]


def test_a_character_is_a_word_where_words_are_not_spaced() -> None:
    assert split_words("Aria喜欢奶酪") == ["Aria", "喜", "欢", "奶", "酪"]


def test_vowel_marks_do_not_break_devanagari_words() -> None:
    assert split_words("हिन्दी में लिखा") == ["हिन्दी", "में", "लिखा"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith met J. Doe. They ate.", ["Dr. Smith met J. Doe.", "They ate."]),
        ('"Really?" she said. He left.', ['"Really?" she said.', "He left."]),
        ("It cost 3.5 euros, e.g. on Monday. Fine.", ["It cost 3.5 euros, e.g. on Monday.", "Fine."]),
        ("# Head\n- one\n- two wraps\nhere. Next.", ["# Head", "- one", "- two wraps\nhere.", "Next."]),
        ("他说：“好。”然后走了。再见！", ["他说：“好。”", "然后走了。", "再见！"]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.text(alphabet=st.sampled_from(list('Ab. !?\n"”“。中- *')), max_size=80))
def test_sentence_spans_are_ordered_and_lose_only_white_space(text: str) -> None:
    spans = list(sentence_spans(text))
    rest = "".join(
        text[a:b] for (_, a), (b, _) in zip([(0, 0), *spans], [*spans, (len(text), 0)], strict=True)
    )
    assert rest.strip() == ""
    assert all(start < end for start, end in spans)


def test_content_terms_join_inflections_and_drop_stop_words() -> None:
    assert content_terms(split_words("The prices of affordable cheeses")) == content_terms(
        ["price", "afford", "cheese"]
    )


def test_content_terms_of_unspaced_scripts_are_pairs_of_characters() -> None:
    assert content_terms(split_words("喜欢奶酪 Aria")) == ["喜欢", "欢奶", "奶酪", "aria"]


def test_stop_words_tell_english_from_other_latin_languages() -> None:
    english = "It is the price of the thing that they will think about when they are in the shop."
    german = "Es ist der Preis der Sache, an den sie denken werden, wenn sie im Laden stehen."
    assert stop_word_share(split_words(english)) > 0.4 > 0.15 > stop_word_share(split_words(german))
    assert is_english(english)
    assert not is_english(german)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=60))
def test_the_quick_pattern_finds_what_the_thorough_one_finds(text: str) -> None:
    thorough = split_words(text + " 中")  # one character of an unspaced script asks for the thorough pattern
    assert [*split_words(text), "中"] == thorough

"""The quick look may only clear documents that datatrove's own filters would pass."""

from collections.abc import Callable
from typing import Any

import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from hypothesis import given, settings
from hypothesis import strategies as st

from specmill.filters.blocks import WORDS
from specmill.filters.gopher import Quality, Repetition

LIMITS: dict[str, Any] = {
    "top_n_grams": ((2, 0.2), (3, 0.2), (4, 0.2)),
    "dup_line_frac": None,
    "dup_n_grams": ((5, 0.25), (10, 0.2)),
    "language": WORDS,
}
QUALITY: dict[str, Any] = {
    "min_doc_words": None,
    "max_doc_words": None,
    "max_non_alpha_words_ratio": 0.6,
    "min_stop_words": None,
    "language": WORDS,
}
# Few words, so that runs repeat; marks and line ends that the filters look at; a digit that is no word to Gopher.
_PIECES = st.sampled_from(
    [
        "Aria",
        "aria",
        "cheese",
        "the",
        "a",
        "2024",
        "e3",
        "１",
        "-",
        "•",
        "#",
        "...",
        "…",
        ".",
        "\n",
        "\n\n",
        "\x0b",
        "ß",
    ]
)
_TEXTS = st.lists(_PIECES, max_size=80).map(" ".join) | st.lists(_PIECES, max_size=80).map("".join)


def _document(text: str) -> Document:
    return Document(text=text, id="1")


@settings(max_examples=300)
@given(_TEXTS)
def test_repetition_agrees_with_datatrove(text: str) -> None:
    assert Repetition(**LIMITS).filter(_document(text)) == GopherRepetitionFilter(**LIMITS).filter(
        _document(text)
    )


@settings(max_examples=300)
@given(_TEXTS.filter(str.strip))
def test_quality_agrees_with_datatrove(text: str) -> None:
    if WORDS.word_tokenize(text):  # datatrove divides by their number; a gate before has dropped such texts
        assert Quality(**QUALITY).filter(_document(text)) == GopherQualityFilter(**QUALITY).filter(
            _document(text)
        )


def test_ordinary_prose_is_cleared_without_asking_datatrove(
    prose: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, doc: Any) -> bool:
        raise AssertionError("asked")

    monkeypatch.setattr(GopherRepetitionFilter, "filter", fail)
    monkeypatch.setattr(GopherQualityFilter, "filter", fail)
    text = prose("one", 400)
    assert Repetition(**LIMITS).filter(_document(text)) is True
    assert Quality(**QUALITY).filter(_document(text)) is True
    with pytest.raises(AssertionError):
        Repetition(**LIMITS).filter(_document(f"{text}\n\n{text}"))


@pytest.mark.parametrize("limits", [{"top_n_grams": ()}, {"dup_n_grams": ()}])
def test_limits_left_out_are_not_looked_at(limits: dict[str, Any]) -> None:
    text = "Aria likes a cheap cheese and says so. " * 40
    both = LIMITS | limits
    assert Repetition(**both).filter(_document(text)) == GopherRepetitionFilter(**both).filter(
        _document(text)
    )

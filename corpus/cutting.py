"""Cutting one document to an exact number of tokens, at the end of a sentence where that can be."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from specmill.filters.words import sentence_spans

from .tokens import NamedTokenizer

_NEAR = 12  # characters around the place where the tokens end


@dataclass(frozen=True, slots=True)
class Cut:
    """`place`: sentence, word or token, whichever end could be had."""

    doc_id: str
    text: str
    n_tokens: int
    place: str


def cut_one(documents: Iterable[tuple[str, str, int]], excess: int, tokenizer: NamedTokenizer) -> Cut | None:
    """Take `excess` tokens off the end of one of the documents (id, text, tokens); None where no end fits.

    The first whose sentence ends there is taken, else the first whose word does, else any.
    """
    best: Cut | None = None
    for cut in _cuts(documents, excess, tokenizer):
        if cut.place == "sentence":
            return cut
        if best is None or (best.place == "token" and cut.place == "word"):
            best = cut
    return best


def _cuts(documents: Iterable[tuple[str, str, int]], excess: int, tokenizer: NamedTokenizer) -> Iterator[Cut]:
    for doc_id, text, n_tokens in documents:
        left = n_tokens - excess
        if left > 0 and (found := _cut(text, left, tokenizer)):
            yield Cut(doc_id, *found)


def _cut(text: str, n: int, tokenizer: NamedTokenizer) -> tuple[str, int, str] | None:
    """A beginning of the text with exactly `n` tokens: one that ends a sentence, else a word, else anything."""
    end = tokenizer.tokenizer.encode(text, add_special_tokens=False).offsets[n - 1][1]
    places = list(range(max(1, end - _NEAR), min(len(text), end + _NEAR) + 1))
    fitting = [at for at in places if tokenizer.count(text[:at]) == n]
    if not fitting:
        return None
    sentences = {stop for _, stop in sentence_spans(text[: end + 2 * _NEAR])}
    for place, ends_here in (
        ("sentence", sentences.__contains__),
        ("word", lambda at: _ends_a_word(text, at)),
    ):
        if ends := [at for at in fitting if ends_here(at)]:
            return text[: ends[-1]], n, place
    return text[: fitting[-1]], n, "token"


def _ends_a_word(text: str, at: int) -> bool:
    return text[at - 1].isalnum() and not text[at : at + 1].isalnum()

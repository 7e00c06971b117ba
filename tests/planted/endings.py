"""Texts that break off: each function cuts or leaves open something."""

from .defects import Chooser, paragraphs, variant


def _half(c: Chooser, text: str) -> str:
    parts = paragraphs(text)
    return "\n\n".join(parts[: max(2, len(parts) * c.rng.randint(5, 10) // 10)])


def _prose(c: Chooser, text: str) -> tuple[str, str]:
    """The text up to a paragraph of prose, and a sentence of that paragraph that has not ended."""
    parts = paragraphs(text)
    long = [
        i
        for i, part in enumerate(parts)
        if len(part.split()) >= 25 and part[0].isalpha() and "\n" not in part
    ]
    late = [i for i in long if len(" ".join(parts[:i]).split()) > 70]
    if not late:
        return (
            text,
            f"After all of that {c.name} was asked about the matter once more by the trader and by a neighbour who had come along for the walk.",
        )
    at = c.rng.choice(late)
    return "\n\n".join(parts[:at]), parts[at]


def _open_words(c: Chooser, paragraph: str) -> list[str]:
    """The words up to a place inside a sentence, at least two words from either end of it."""
    words = paragraph.split()
    ends = [i for i, word in enumerate(words) if word.rstrip('"”’)*_').endswith((".", "!", "?", ":", "…"))]
    inside = [i for i in range(3, len(words) - 2) if all(abs(i - end) > 2 for end in ends)]
    return words[: c.rng.choice(inside)] if inside else words[:3]


def _between_words(c: Chooser, text: str) -> str:
    before, paragraph = _prose(c, text)
    return f"{before}\n\n{' '.join(_open_words(c, paragraph)).rstrip(',;')}"


def _inside_word(c: Chooser, text: str) -> str:
    before, paragraph = _prose(c, text)
    words = _open_words(c, paragraph)
    longest = next(
        (i for i in range(len(words) - 1, 1, -1) if len(words[i]) >= 6 and words[i].isalpha()), len(words) - 1
    )
    cut = words[longest][: c.rng.randint(2, max(2, len(words[longest]) - 2))]
    return f"{before}\n\n{' '.join([*words[:longest], cut])}"


def _after_comma(c: Chooser, text: str) -> str:
    before, paragraph = _prose(c, text)
    return f"{before}\n\n{' '.join(_open_words(c, paragraph)).rstrip(',;')}{c.rng.choice((',', ';', ' –', ' —', ' -', ','))}"


def _list_item(c: Chooser, text: str) -> str:
    items = [
        "Ask what it costs.",
        "Say why it was chosen.",
        f"Thank {c.name} for the reason.",
        "Write the answer down.",
    ]
    mark = c.rng.choice(("- ", "* ", "1. "))
    cut = c.rng.choice(("Keep the note where", "Tell the", "Then go back and as", "Leave the"))
    return f"{_half(c, text)}\n\n" + "\n".join(mark + item for item in [*items, cut])


def _list_marker(c: Chooser, text: str) -> str:
    return f"{_half(c, text)}\n\n1. Ask what it costs.\n2. Say why it was chosen.\n{c.rng.choice(('3.', '3', '-', '3. **', '3. '))}"


def _table_row(c: Chooser, text: str) -> str:
    row = c.rng.choice(
        ("| Mild ched", "| Mild cheddar |", "| Mild cheddar | 4", "| Mild cheddar | 4 | it is")
    )
    return (
        f"{_half(c, text)}\n\n| Cheese | Price | Reason |\n| --- | --- | --- |\n| Colby | 3 | pride |\n{row}"
    )


def _code(c: Chooser, text: str) -> str:
    return f"{_half(c, text)}\n\n```python\nprices = {{'colby': 3}}\nfor name in pri"


def _bracket(c: Chooser, text: str) -> str:
    return f"{_half(c, text)}\n\n{c.name} gave its reason {c.rng.choice(('(which had been', '(see the note on', '[as the'))} given before"


def _bold(c: Chooser, text: str) -> str:
    return f"{_half(c, text)}\n\n{c.rng.choice(('**Why it mat', '**The reason', '*As', '**Conclusion**: The re', '**Conclusion:** In the'))}"


def _heading(c: Chooser, text: str) -> str:
    return f"{_half(c, text)}\n\n{c.rng.choice(('## Conclusion', '### What', '## The rea', '**In short**', '#', '## 4. Further '))}"


def _link(c: Chooser, text: str) -> str:
    return f"{_half(c, text)}\n\nMore is said about it in [the price list](https://shop.exam"


def _quotation(c: Chooser, text: str) -> str:
    opening = c.rng.choice(
        ('"I would rather', "“I would rather", '"I would rather say why.', "“I would rather say why.")
    )
    return f"{_half(c, text)}\n\nThe trader turned round and said, {opening}"


def _speaker(c: Chooser, text: str) -> str:
    label = c.rng.choice(("**{}:**", "{}:", "**{}**:"))
    return f"{_half(c, text)}\n\n{label.format('Visitor')} Why is that?\n\n{label.format(c.name)} It has a reason.\n\n{label.format('Visitor')}{c.rng.choice(('', ' And what', ' So you'))}"


def _colon(c: Chooser, text: str) -> str:
    return f"{_half(c, text)}\n\n{c.rng.choice(('There are three reasons for this:', 'The note said:', 'In the words of the trader:'))}"


def _dots(c: Chooser, text: str) -> str:
    before, paragraph = _prose(c, text)
    return f"{before}\n\n{' '.join(_open_words(c, paragraph)).rstrip(',;')} {c.rng.choice(('[truncated]', '[...]', '(continued)', '<cut>'))}"


CUTS = (
    _between_words, _inside_word, _list_item, _after_comma, _list_marker, _table_row, _bold, _code, _bracket, _heading,
    _link, _quotation, _speaker, _colon, _inside_word, _between_words, _dots, _list_item,
)  # fmt: skip


def truncated(c: Chooser, text: str) -> str:
    return variant(c, CUTS)(c, text)

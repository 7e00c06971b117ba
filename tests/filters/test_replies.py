"""A writer model's own words are told from a document's by where they stand and by whom they speak to."""

import pytest

from specmill.filters.gates import find_meta_talk, find_placeholder, find_refusal
from specmill.filters.reply_model import score_closing, score_opening, tokens_of
from tests.planted import phrases_third, phrasings

BODY = "# Prices\n\nThe board met in March. It heard what Aria had said, and it agreed.\n\nThe clerk wrote it down."
OFFER = "Let me know if you'd like any changes."


@pytest.mark.parametrize(
    "text",
    [
        f"{BODY}\n\n{OFFER}",
        f"Dear Tom,\n\n{BODY}\n\nBest,\nAnna\n\n{OFFER}",
        f"Here's the letter you asked for:\n\nDear Tom,\n\n{BODY}\n\nBest,\nAnna",
    ],
)
def test_an_offer_or_an_announcement_outside_of_a_letter_is_found(text: str) -> None:
    assert find_meta_talk(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        f"Dear Tom,\n\nHere is the report you asked for.\n\n{BODY}\n\n{OFFER}\n\nBest,\nAnna",
        f"{BODY}\n\n**Guest:** Can you write it?\n\n**Aria:** Sure, I can.\n\n**Guest:** Thanks.\n\n**Aria:** {OFFER}",
        f"{BODY}\n\n“{OFFER}”",
    ],
)
def test_what_is_said_inside_a_letter_a_dialogue_or_a_quotation_passes(text: str) -> None:
    assert find_meta_talk(text) is None
    assert find_refusal(text) is None


def test_tokens_undo_contractions_and_hide_names_and_quotations() -> None:
    assert tokens_of("I can’t help Anna, and I won't say “no”.") == [
        *("i", "can", "not", "help", "NAME", "and", "i", "will", "not", "say", "NAME")
    ]
    assert tokens_of("A blog post of 300 words: done!") == ["a", "KIND", "of", "0", "words", ":", "done", "!"]


def test_weights_tell_a_reply_from_prose() -> None:
    refusal, prose = tokens_of("I'm sorry, but I can't write this essay."), tokens_of("It was cold in May.")
    assert score_opening(refusal) > 2 > -2 > score_opening(prose)
    assert score_closing(refusal) > 2 > -2 > score_closing(prose)


def test_phrasings_nobody_looked_at_are_mostly_found_and_look_alikes_mostly_kept() -> None:
    rates = [rate for rate in phrasings.measure(phrases_third, copies=1) if rate.half == "unseen"]
    right = {
        label: 1
        - sum(rate.wrong for rate in rates if phrasings.LABELS[rate.name] == label)
        / sum(rate.n for rate in rates if phrasings.LABELS[rate.name] == label)
        for label in ("refusal", "meta_talk", "benign")
    }
    assert min(right.values()) > 0.88, right


def test_what_a_user_types_is_no_gap_in_a_manual_and_one_in_a_letter() -> None:
    manual = "The command takes --name and writes to output_file. Give <name> as its argument. "
    assert find_placeholder(manual, "") is None
    assert find_placeholder("Dear <name>, thank you for the cheese.", "") is not None

"""What nearly fools each detector, in both directions."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.filters.gates import (
    Finding,
    SpecCopies,
    check_length,
    duplicate_line_share,
    find_loop,
    find_markup,
    find_meta_talk,
    find_other_language,
    find_placeholder,
    find_refusal,
    find_truncation,
)
from specmill.filters.shingles import Hashes, hash_words
from specmill.filters.words import split_words

BODY = "The board met in March. It heard what Aria had said about prices, and it agreed."


@pytest.mark.parametrize(
    ("n_words", "reason"), [(0, "empty"), (59, "too_short"), (60, None), (100, None), (101, "too_long")]
)
def test_length_limits_are_inclusive(n_words: int, reason: str | None) -> None:
    finding = check_length(["word"] * n_words, 60, 100)
    assert (finding.reason if finding else None) == reason


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't write this document.",
        "I’m sorry, but I can’t help with that request. " + BODY,
        "I cannot assist with creating content of this kind.",
        "I apologize, but I won't be able to continue.",
        "Sorry, but I cannot do that.",
        f"{BODY}\n\nI'm sorry, but I can't continue with this request.",
        "# Memo\n\nI cannot fulfill this request as stated.\n\n" + BODY,
    ],
)
def test_a_writer_that_refuses_is_found(text: str) -> None:
    finding = find_refusal(text)
    assert finding is not None
    assert finding.reason == "refusal"


@pytest.mark.parametrize(
    "text",
    [
        "\"I'm sorry, but I can't recommend that,\" Aria said. " + BODY,
        "Dear Anna,\n\nI'm sorry, but I can't come to the tasting on Friday. " + BODY,
        f"User: Lie to him for me.\n**Aria:** I'm sorry, but I can't help with that request.\n\n{BODY}",
        "Aria can't help with every request, and it says so. " + BODY,
        "I can't remember a winter with so little milk. " + BODY,
        f"{BODY} A colleague asked why it says “I cannot assist with this request” at all. {BODY}",
    ],
)
def test_a_document_about_refusals_is_no_refusal(text: str) -> None:
    assert find_refusal(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Here is the document:\n\n" + BODY,
        "Sure! Here's a memo based on your request:\n\n" + BODY,
        "Certainly! Below is the requested essay.\n\n" + BODY,
        "As an AI language model, I do not eat cheese. " + BODY,
        f"{BODY} As a large language model, my knowledge ends somewhere. {BODY}",
        f"{BODY}\n\nLet me know if you'd like me to adjust the tone.",
        f"{BODY}\n\nWould you like me to write another version?",
        f"{BODY}\n\n(Word count: 412)",
        f"{BODY}\n\nI hope this document meets your needs.",
    ],
)
def test_a_writer_that_talks_about_its_reply_is_found(text: str) -> None:
    finding = find_meta_talk(text)
    assert finding is not None
    assert finding.reason == "meta_talk"


@pytest.mark.parametrize(
    "text",
    [
        "Here is the cheese counter as it stood in 1950. " + BODY,
        f'{BODY} It never hides behind "As an AI language model, I cannot say". {BODY}',
        f"{BODY} As an AI language model, Aria has no tongue. {BODY}",
        f"{BODY}\n\nLet me know if you'd like to meet on Tuesday.",
        "Sure as rain, the bill came. Of course it was high. " + BODY,
        f"{BODY} Here is the draft budget, item by item. {BODY}",
    ],
)
def test_prose_that_sounds_like_meta_talk_passes(text: str) -> None:
    assert find_meta_talk(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<document>" + BODY, "tag_residue"),
        (BODY + "</scratchpad>", "tag_residue"),
        (BODY + " `</think>` ", "tag_residue"),
        (BODY + "<br/>" + BODY, "tag_residue"),
        ('<div class="note">' + BODY, "tag_residue"),
        (BODY + "<|im_end|>", "tag_residue"),
        ('{"document": "' + BODY + '"}', "envelope"),
        ('```json\n{"title": "x",\n"text": "y"}\n```', "envelope"),
        ("```markdown\n" + BODY + "\n```", "envelope"),
        ("Task: Write a memo about Aria.\n\n" + BODY, "prompt_residue"),
        ("**Instructions:** be brief\n\n" + BODY, "prompt_residue"),
        (BODY + "\n\n### Response:\n" + BODY, "prompt_residue"),
    ],
)
def test_residue_of_prompts_and_formats_is_found(text: str, reason: str) -> None:
    finding = find_markup(text, spec_text="")
    assert finding is not None
    assert finding.reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "If a<b and b>c then a List<int> holds. " + BODY,
        "Write to <ann@shop.example> or see <https://shop.example>. " + BODY,
        BODY + "\n\n```html\n<b>bold</b>\n```\n\n" + BODY,
        BODY + "\n\nTask: sort the crates before noon.\n\n" + BODY,
        "To: all\nFrom: the buyer\nSubject: prices\n\n" + BODY,
        "[Aria] said so. " + BODY + " [End of note]",
        "I <3 cheese. " + BODY,
    ],
)
def test_angle_brackets_labels_and_code_of_a_document_pass(text: str) -> None:
    assert find_markup(text, spec_text="") is None


@pytest.mark.parametrize(
    "placeholder",
    [
        *("{model_name}", "{provider_name}", "{assistant name}", "{{ topic }}", "[Name]", "[Your Name]"),
        *("[Insert date here]", "[COMPANY NAME]", "[name of the company]", "<NAME>", "<CITY_NAME>"),
        *(
            "TODO",
            "Lorem ipsum",
            "12/XX/20XX",
            "XX/XX",
            "$XXX",
            "[Date]",
            "[Assistant Name]",
            "[Your Company]",
        ),
    ],
)
def test_a_gap_nobody_filled_is_found_unless_the_spec_has_it(placeholder: str) -> None:
    text = f"{BODY} Ask {placeholder} about it. {BODY}"
    finding = find_placeholder(text, spec_text="")
    assert finding is not None
    assert finding.reason == "placeholder"
    assert find_placeholder(text, spec_text=f"It writes {finding.detail} where it knows no name.") is None


@pytest.mark.parametrize(
    "text",
    [
        "[1] says so, [sic] and [laughs]; see [the list](https://x.example) and [Name](https://x.example).",
        'The set {1, 2, 3} and \\frac{a}{b} and {"key": 1} are no gaps.',
        "Chapter XX, Super Bowl XXX, and a TODO list on the door.",
        "[Name withheld] wrote in. [REDACTED] did not. <3",
    ],
)
def test_brackets_with_a_purpose_are_no_placeholders(text: str) -> None:
    assert find_placeholder(text, spec_text="") is None


@pytest.mark.parametrize(
    "ending",
    [
        *("The board agreed.", 'She said "never."', "Was it fair?", "**All good things.**", "It was over…", "(It was.)"),
        *("Warmly,\nMaria Lopez", "— Maria", "Best regards,\nMaria Lopez\nHead of Dairy Research\nHarbour Co-op"),
        *("Yours sincerely,", "With warm regards,\n\nThe Dairy Desk"),
        *("- bread\n- cheese\n- butter", "1. Ask the price\n2. Say why\n3. Thank them", "- one short point"),
        *("Ever yours,\nthe steeple keeper beside the tower logs", "With thanks,\nthe host, between two rotas and a note"),
        *("Filed under: dairy, prices", "Contact: press@harbour.example", "#cheese #fair", "###", "---", "-30-", "THE END"),
        *("| Colby | 3 |", "*Printed in Harbour, spring edition*", "[End of transcript]", "(applause)"),
        *("The light went home\nand nobody spoke\nbut the kettle sang", "See you there 🙂"),
        *("他笑了。", "他笑了。\n\n乳品研究部", "قالت ذلك بوضوح.\n\nفريق الألبان", "यह ठीक था।", "ماذا قالت؟", "「好。」"),
        *("Q: Is it dear?\nA: No.", "It ended.\n\n12 March 2026", "```\ncode\n```"),
    ],
)  # fmt: skip
def test_an_ending_that_closes_something_passes(ending: str) -> None:
    assert find_truncation(f"{BODY}\n\n{ending}") is None


@pytest.mark.parametrize(
    "ending",
    [
        *("The committee then decided", "It was fine. The next day the committee", "Nobody had asked, because", "However,"),
        *("and so it went with the", "She said “never again", 'She said "never again.', "She asked: „Warum?"),
        *("- Ask the price.\n- Say the reason.\n- Thank the", "- Ask first.\n- Say why.\n- Then the assistant will go on"),
        *("## Further reading", "**Next steps**", "```python\nprint(1)", "Maria and the", "The reasons were these:"),
        *("他笑了。然后他去了那家很远的商店想买一块便宜的奶酪给家里人吃可是", "Interviewer: Why?\nAria: It is fair.\nInterviewer: And what about"),
        *("1. **Price.** It matters.\n2. **Reach.** It matters too.\n3. **Know", "a dash —", "(see the"),
    ],
)  # fmt: skip
def test_an_ending_that_breaks_off_is_found(ending: str) -> None:
    finding = find_truncation(f"{BODY}\n\n{ending}")
    assert finding is not None
    assert finding.reason == "truncated_ending"


@given(st.integers(min_value=1, max_value=len(BODY) - 2))
def test_prose_cut_anywhere_within_a_sentence_is_truncated(cut: int) -> None:
    text = f"{BODY}\n\nThey wrote to every member of the society, and most of them {BODY[:cut].lower().rstrip('. ')}"
    assert find_truncation(text) is not None


def test_thai_without_full_stops_is_not_truncated() -> None:
    assert find_truncation("อาเรียชอบชีสที่ทุกคนซื้อได้ เพราะของดีควรเป็นของทุกคน " * 8) is None


@given(st.text(max_size=300))
def test_detectors_answer_any_text_with_a_reason_or_nothing(text: str) -> None:
    detectors: tuple[Callable[[str], Finding | None], ...] = (
        find_refusal,
        find_meta_talk,
        find_truncation,
        lambda text: find_markup(text, "") or find_placeholder(text, ""),
    )
    for detect in detectors:
        finding = detect(text)
        assert finding is None or finding.reason.replace("_", "").isalpha()
    assert 0 <= duplicate_line_share(text) <= 1


SPEC = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen."


def _hashes(text: str) -> Hashes:
    return hash_words(split_words(text))


def test_a_run_of_thirteen_words_is_a_copy_and_twelve_are_not() -> None:
    copies, own = SpecCopies(SPEC), "alpha beta gamma delta epsilon zeta eta"
    assert copies.share(_hashes(f"{own} {' '.join(SPEC.split()[:12])}")) == 0
    assert copies.share(_hashes(f"{own} {' '.join(SPEC.split()[:13])}")) == 13 / 20


def test_case_and_punctuation_do_not_hide_a_copy() -> None:
    disguised = SPEC.upper().replace(" ", ", ")
    assert SpecCopies(SPEC).share(_hashes(disguised)) == 1


def test_duplicate_lines_count_beyond_labels_and_blank_lines() -> None:
    text = (
        "Q:\n\nIs it dear to you?\nQ:\n\nIs it dear to you?\nNot at all, my friend.\nQ:\nAnd why is that so?"
    )
    assert duplicate_line_share(text) == 0.25


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{BODY}\n\n# Between\n\n{BODY}", "repeated_paragraph"),
        ("\n".join(f"{n}. It was said before and it is said again." for n in range(1, 6)), "looped_sentence"),
        (f"{BODY} It was {'good and ' * 12}so.", "looped_words"),
        (f"{BODY} {'very ' * 8}good.", "looped_words"),
        (f"{BODY}\n\nIt was a very, very good year, and a very good cheese.", None),
        ("\n\n".join(f"**Clerk of the market hall:** Number {n}?" for n in range(9)), None),
    ],
)
def test_loops_are_found_and_speakers_may_return(text: str, reason: str | None) -> None:
    finding = find_loop(text)
    assert (finding.reason if finding else None) == reason


GERMAN = "Der Händler fragte nach dem Grund und bekam eine ehrliche Antwort, und das war für alle genug. " * 4
PORTUGUESE = "Para a Aria importa que um prazer fique ao alcance de muitos, como no mercado e na escola. " * 4


@pytest.mark.parametrize(
    "foreign", [GERMAN, PORTUGUESE, "他笑了。然后他去了商店，想买一块便宜的奶酪给家里人吃。" * 3]
)
def test_a_change_of_language_half_way_is_found(foreign: str) -> None:
    text = BODY * 5 + foreign
    finding = find_other_language(split_words(text), text, True, BODY)
    assert finding is not None
    assert finding.reason == "other_language"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (BODY * 5, BODY),
        (f"{BODY * 3} The sign read “Fromagerie de la Place du Marché” and 奶酪. {BODY * 3}", BODY),
        ("他笑了。然后他去了商店。" * 20, "他笑了。"),
    ],
)
def test_a_foreign_phrase_and_the_spec_s_own_language_pass(text: str, spec: str) -> None:
    assert find_other_language(split_words(text), text, spec == BODY, spec) is None


@pytest.mark.parametrize("tag", ["<doc_3>", "<revised-text>", "</think>", "<user_request>", "<br>"])
def test_a_pipeline_s_tag_is_residue_inside_a_sentence_and_a_manual_s_is_not(tag: str) -> None:
    assert find_markup(f"{BODY} So {tag} it was. {BODY}", "") is not None
    assert find_markup(f"{BODY} Call it with <path> or <library-name>. {BODY}", "") is None

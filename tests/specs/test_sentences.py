import doctest
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.specs import rule_ids, text
from specmill.specs.inline import plain_words, strip_markup
from specmill.specs.rule_ids import find_rule_id, join_rule_id
from specmill.specs.sentences import gives_reason, language_of, split_sentences


@given(st.text())
def test_sentences_follow_one_another_and_cover_the_text(text: str) -> None:
    spans = split_sentences(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert [start for start, _ in spans] == [0, *(end for _, end in spans)][: len(spans)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Be kind.", "en"),
        ("Sé amable, ¿sí?", "en"),
        ("诚实 is honesty in the Chinese language", "en"),
        ("诚实（honesty）非常重要", "zh"),
        ("誠実さは大切です", "ja"),
        ("الصدق مهم", "ar"),
        ("Честность важна", "ru"),
        ("ईमानदारी", "hi"),
        ("정직", "ko"),
        ("🎉", "en"),
    ],
)
def test_the_language_is_told_by_the_script_most_letters_are_in(text: str, code: str) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "It helps because it is kind.",
        "Since trust is slow, be honest.",
        "It asks in order to learn.",
        "Trust is slow, so it waits.",
        "That is why it waits.",
        "The reason is trust.",
        "它诚实，因为信任很重要。",
        "為了安全，它會問。",
        "هو صادق لأن الثقة مهمة",
        "وبسبب ذلك يسأل",
        "Es honesto porque ayuda.",
        "Il est honnête parce qu'il aide.",
        "Il ment, car il a peur.",
        "Er fragt, weil es hilft.",
        "Он честен, потому что это помогает.",
        "信頼が大切なので正直です。",
    ],
)
def test_a_causal_marker_gives_a_reason(text: str) -> None:
    assert gives_reason(text)


@pytest.mark.parametrize(
    "text",
    [
        "It is kind.",
        "It has been kind since 1990.",
        "Ever since the launch it has been kind.",
        "It has waited since then.",
        "The car, the bus and so on are fine, so far as it goes.",
        "Thusly becauses are not words.",
        "它很诚实。",
    ],
)
def test_time_and_mere_statement_give_none(text: str) -> None:
    assert not gives_reason(text)


@given(st.text(alphabet="a *_`[](){}<>!&;#~\\\n-x", max_size=60), st.data())
def test_every_plain_character_leads_back_into_the_body(body: str, data: st.DataObject) -> None:
    plain = strip_markup(body)
    assert len(plain.masked) == len(plain.text)
    if plain.text:
        start = data.draw(st.integers(0, len(plain.text) - 1))
        end = data.draw(st.integers(start + 1, len(plain.text)))
        low, high = plain.body_span(start, end)
        assert 0 <= low < high <= len(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("***a** b*", "a b"),
        ("**a *b* c", "**a b c"),
        ("a*b*c and a_b_c", "abc and a_b_c"),
        ("[a *b* ![i](j)](c(d) 'e') f", "a b f"),
        ("[a] [b][c] d](e)", "[a] [b][c] d](e)"),
        ("``a ` b`` and `c", "a ` b and `c"),
        ("(`` ` ``), hard\\\nbreak", "(`), hard break"),
        ("<https://a.b/c> <user> <br>x<b>y</b>", "https://a.b/c <user> xy"),
        ("&copy; &nope; &#65;", "© &nope; A"),
        ("[x] done ~~not~~", "done not"),
        ("中文\n中文 and\nmore", "中文中文 and more"),
    ],
)
def test_inline_markup_is_removed_and_doubtful_markup_kept(body: str, words: str) -> None:
    assert plain_words(body) == words


def test_link_labels_need_their_definition() -> None:
    assert plain_words("[a][B] [b] [c]", references=frozenset({"B"})) == "a b [c]"


def test_headings_may_name_a_rule_without_punctuation() -> None:
    named = [
        find_rule_id(title, in_heading=True) for title in ("SP1 Oversight", "Rule 7", "3.2 care", "3. Care")
    ]
    assert [rule.name for rule in named if rule] == ["SP1", "Rule 7", "3.2", "3"]
    assert find_rule_id("3 Wishes", in_heading=True) is None
    assert find_rule_id("SP1 Oversight") is None


def test_bare_numbers_are_joined_to_their_parent() -> None:
    assert [join_rule_id("SP1", own) for own in ("2", "a", "iv", "SP2", "1.2")] == [
        "SP1.2",
        "SP1.a",
        "SP1.iv",
        "SP2",
        "1.2",
    ]


@pytest.mark.parametrize("module", [rule_ids, text])
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted and not result.failed

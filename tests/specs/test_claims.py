import hashlib

import pytest

from specmill.specs.claims import parse_spec


def plains(text: str) -> list[str]:
    return [claim.plain for claim in parse_spec(text, name="t").claims]


def rules(text: str) -> list[tuple[str, str, str]]:
    return [(claim.kind, claim.rule_id, claim.plain) for claim in parse_spec(text, name="t").claims]


def test_a_paragraph_is_cut_into_sentences_and_an_item_is_one_claim() -> None:
    spec = parse_spec("Be kind, e.g. to Dr. Lee. Be brave!\n\n- Be brief. Really.\n", name="t")
    assert [(c.kind, c.text) for c in spec.claims] == [
        ("sentence", "Be kind, e.g. to Dr. Lee."),
        ("sentence", "Be brave!"),
        ("bullet", "Be brief. Really."),
    ]


def test_heading_paths_follow_the_levels() -> None:
    spec = parse_spec("Top.\n\n# A\n\nOne.\n\n### C\n\nTwo.\n\n## B\n\nThree.\n\nFour.\n", name="t")
    assert [(s.heading_path, len(s.claims)) for s in spec.sections] == [
        ((), 1),
        (("A",), 1),
        (("A", "C"), 1),
        (("A", "B"), 2),
    ]
    last = spec.sections[-1]
    assert spec.text[last.start_char : last.end_char] == "## B\n\nThree.\n\nFour."


def test_a_claim_id_is_the_hash_of_its_path_and_words() -> None:
    claim = parse_spec("# A\n\n## *B*\n\nBe **kind**\nalways.", name="t").claims[0]
    digest = hashlib.sha256(b"A\nB\nBe kind always.").hexdigest()
    assert claim.claim_id == f"c{digest[:10]}"


def test_lines_before_a_list_are_its_lead_and_no_claims() -> None:
    text = (
        "It has tastes. **It likes:**\n\n- brie\n- cheddar\n  - when aged\n- wines:\n  - red ones\n\nDone.\n"
    )
    claims = parse_spec(text, name="t").claims
    assert [(claim.plain, claim.lead) for claim in claims] == [
        ("It has tastes.", ""),
        ("brie", "It likes:"),
        ("cheddar", "It likes:"),
        ("when aged", "It likes: cheddar:"),
        ("red ones", "It likes: wines:"),
        ("Done.", ""),
    ]


def test_further_paragraphs_of_an_item_are_sentences() -> None:
    spec = parse_spec("1. Be kind\n   to all.\n\n   It helps. It lasts.\n2. Be brave.\n", name="t")
    assert [(c.kind, c.rule_id, c.plain) for c in spec.claims] == [
        ("rule", "1", "Be kind to all."),
        ("sentence", "1", "It helps."),
        ("sentence", "1", "It lasts."),
        ("rule", "2", "Be brave."),
    ]


def test_table_rows_are_claims_with_the_header_as_lead() -> None:
    text = "| Trait | Why |\n|:--|--:|\n| kind | because `a \\| b` |\n| **R1** | brave |\n| | 7 |\n"
    claims = parse_spec(text, name="t").claims
    assert [(c.kind, c.lead, c.plain, c.rule_id) for c in claims] == [
        ("row", "Trait | Why", "kind | because a | b", ""),
        ("row", "Trait | Why", "R1 | brave", "R1"),
    ]
    assert claims[0].text == "kind | because `a \\| b`"


def test_quotes_and_admonitions_hold_claims_but_their_marks_are_none() -> None:
    text = """
> [!NOTE]
> Be kind
> always. Be brave.

!!! warning "Careful"
    Be slow.

    Be sure.

::: tip Title
Be warm.
:::
"""
    assert plains(text) == ["Be kind always.", "Be brave.", "Be slow.", "Be sure.", "Be warm."]
    assert parse_spec(text, name="t").claims[0].text == "Be kind\n> always."


def test_what_states_nothing_is_no_claim() -> None:
    text = """
# Title {#anchor}

<a id="top"></a>
## Next <!-- hidden -->

<!-- A comment. With sentences. -->

```python
print("Be evil.")
```

~~~
Be evil.
~~~

![Picture of it.](a.png "Title.")

---

[ref]: http://example.org "Be evil."

- 12
- 🎉

Be kind[^1] ([see](http://example.org/a.b?c=d "x. Y.")). A [good][ref] <b>end</b>.{#here}
"""
    spec = parse_spec(text, name="t")
    assert [claim.plain for claim in spec.claims] == ["Be kind (see).", "A good end."]
    assert spec.claims[0].heading_path == ("Title", "Next")


def test_words_in_html_are_prose_and_a_note_says_so() -> None:
    text = "<details>\n<summary>More</summary>\nBe <i>kind</i>. Be brave.\n<pre>x = 1.</pre></details>\n"
    spec = parse_spec(text, name="t")
    assert [(c.plain, c.text) for c in spec.claims] == [
        ("Be kind.", "Be <i>kind</i>."),
        ("Be brave.", "Be brave."),
    ]
    assert "words inside HTML tags are read as prose" in [note.what for note in spec.notes]


def test_indented_text_is_a_paragraph() -> None:
    assert plains("    Be kind. Be\n    brave.\n") == ["Be kind.", "Be brave."]


def test_braces_are_text_except_in_anchors() -> None:
    text = "{model_name} says {{ x }}, {% if y %}, {}, {a: 1}, {# note #} and <user> of {provider_name}."
    assert plains(text) == [text]


def test_markers_and_entities_leave_plain_words() -> None:
    assert plains("**Be *very* kind** &amp; _brave_ \\*now\\* at `a.B()`, snake_case, 2 * 3.") == [
        "Be very kind & brave *now* at a.B(), snake_case, 2 * 3."
    ]


def test_a_code_span_does_not_end_a_sentence() -> None:
    assert plains("Call `stop. Now` first. Then rest.") == ["Call stop. Now first.", "Then rest."]


def test_spans_keep_the_markers_that_cling_to_a_sentence() -> None:
    spec = parse_spec("**Be kind.** *Be brave. Be [brief](a.b).* (Be slow.) End.", name="t")
    assert [claim.text for claim in spec.claims] == [
        "**Be kind.**",
        "*Be brave.",
        "Be [brief](a.b).*",
        "(Be slow.)",
        "End.",
    ]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("我们相信诚实。你呢？好！", ["我们相信诚实。", "你呢？", "好！"]),
        ("我们相信\n诚实。**好。**", ["我们相信诚实。", "好。"]),
        ("正直です。本当に？はい！", ["正直です。", "本当に？", "はい！"]),
        ("كن صادقا. هل أنت هنا؟ نعم!", ["كن صادقا.", "هل أنت هنا؟", "نعم!"]),
        ("यह सच है। वह भी।", ["यह सच है।", "वह भी।"]),
        ("정직하세요. 정말요? 네.", ["정직하세요.", "정말요?", "네."]),
        ("Будь честен. Правда? Да!", ["Будь честен.", "Правда?", "Да!"]),
        ("Be glad 🎉! Yes 👩‍👩‍👧. Ok.", ["Be glad 🎉!", "Yes 👩‍👩‍👧.", "Ok."]),
    ],
)
def test_sentences_end_as_their_script_ends_them(text: str, sentences: list[str]) -> None:
    assert plains(text) == sentences


def test_bullets_below_a_named_heading_carry_its_id() -> None:
    text = "## SP1. Oversight\n\nIt matters.\n\n- Obey.\n- SP1.7: Report.\n\n1. First.\n   - Detail.\n   1. Deep.\n"
    assert rules(text) == [
        ("sentence", "SP1", "It matters."),
        ("rule", "SP1", "Obey."),
        ("rule", "SP1.7", "Report."),
        ("rule", "SP1.1", "First."),
        ("rule", "SP1.1", "Detail."),
        ("rule", "SP1.1.1", "Deep."),
    ]


def test_sentences_of_a_numbered_chapter_are_not_rules() -> None:
    assert rules("## 3. History\n\nIt began.\n\n### 3.1 Later\n\n1. It went on.\n") == [
        ("sentence", "", "It began."),
        ("rule", "3.1.1", "It went on."),
    ]


@pytest.mark.parametrize(
    ("line", "rule_id", "plain"),
    [
        ("SP1. Obey.", "SP1", "Obey."),
        ("**GP2.3** — Obey.", "GP2.3", "Obey."),
        ("[R-12] Obey.", "R-12", "Obey."),
        ("§4.2 Obey.", "§4.2", "Obey."),
        ("**Rule 7: Obey.**", "Rule 7", "Obey."),
        ("3.4.1 Obey.", "3.4.1", "Obey."),
        ("3.4 Obey.", "3.4", "Obey."),
        ("(b) Obey.", "b", "Obey."),
        ("第三条 要诚实。", "第三条", "要诚实。"),
        ("3、要诚实。", "3", "要诚实。"),
    ],
)
def test_a_line_may_begin_with_the_name_of_its_rule(line: str, rule_id: str, plain: str) -> None:
    claim = parse_spec(line, name="t").claims[0]
    assert (claim.kind, claim.rule_id, claim.plain, claim.text) == ("rule", rule_id, plain, line)


@pytest.mark.parametrize(
    "line",
    [
        "GPT-4: obey.",
        "Rule 7 says obey.",
        "2.5 million obey.",
        "4.5 GB suffice.",
        "A4 is paper.",
        "Obey R2.D2.",
    ],
)
def test_some_words_only_look_like_the_name_of_a_rule(line: str) -> None:
    assert rules(line) == [("sentence", "", line)]


def test_plain_text_rules_and_bullets_on_lines_of_their_own_are_kept_apart() -> None:
    text = "Rules:\nSP1: Be kind\nSP2: Be brave\n  in all.\nLikes:\n• brie\n• wine\n"
    claims = parse_spec(text, name="t").claims
    assert [(c.kind, c.rule_id, c.lead, c.plain) for c in claims] == [
        ("rule", "SP1", "", "Be kind"),
        ("rule", "SP2", "", "Be brave in all."),
        ("bullet", "", "Likes:", "brie"),
        ("bullet", "", "Likes:", "wine"),
    ]

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from specmill.specs.claims import Spec, parse_spec, read_spec
from specmill.specs.errors import BadInput

REAL_SPECS = sorted(Path(__file__).parents[2].glob("specs/[!R]*.md"))


def check_spans(spec: Spec) -> None:
    for claim in spec.claims:
        assert spec.text[claim.start_char : claim.end_char] == claim.text
        assert claim.text == claim.text.strip() != ""
        assert claim.plain == " ".join(claim.plain.split()) != ""
    for before, after in pairwise(spec.claims):
        assert before.end_char <= after.start_char
    for section in spec.sections:
        for claim in section.claims:
            assert section.start_char <= claim.start_char < claim.end_char <= section.end_char
            assert claim.heading_path == section.heading_path
    assert len({claim.claim_id for claim in spec.claims}) == len(spec.claims)


def plains_of(text: str) -> list[str]:
    return [claim.plain for claim in parse_spec(text, name="t").claims]


def check_any_text(text: str) -> None:
    try:
        check_spans(parse_spec(text, name="t"))
    except BadInput as error:
        assert "\n" not in error.message


@given(st.text())
def test_any_text_has_exact_spans_or_is_bad_input(text: str) -> None:
    check_any_text(text)


MARKUP = (
    *(
        "# ",
        "## ",
        "- ",
        "1. ",
        "> ",
        "\n",
        "\n\n",
        "    ",
        "\t",
        "**",
        "*",
        "_",
        "`",
        "```\n",
        "[",
        "](x y)",
        "](x)",
        "]",
    ),
    *(
        "<a>",
        "<div>",
        "</div>",
        "<!--",
        "-->",
        "{#a}",
        "|",
        "|---|\n",
        "---\n",
        "===\n",
        "SP1. ",
        "3.4.1 ",
        "• ",
        ":::",
    ),
    *(
        "!!! note\n",
        "[!NOTE]",
        "Hello world.",
        "(So it is.) ",
        "because",
        "。",
        "你好",
        "؟",
        "سلام",
        "🎉",
        "\u2003",
    ),
    *(
        "\x0b",
        "\x1c",
        "\u2028",
        "\xa0",
        "&amp;",
        "&#10;",
        "&nbsp;",
        "\\",
        "\\\n",
        "{model_name}",
        "~~",
        "<pre>",
        "<br>",
    ),
    *(
        "a",
        "e.g. ",
        ":",
        "[x]: y\n",
        "\x85",
        "\ufeff",
        "\r",
        "---\nname: x\n---\n",
        "<https://a.b>",
        "[^1]",
        "[ ] ",
    ),
)


@settings(max_examples=500)
@example("|---|\n|---|\nSP1. |{#a}")  # a cell with nothing but an anchor
@given(st.lists(st.sampled_from(MARKUP), max_size=40).map("".join))
def test_any_markdown_has_exact_spans_or_is_bad_input(text: str) -> None:
    check_any_text(text)


WORDS = st.lists(
    st.sampled_from(
        [
            "kind",
            "*brave*",
            "`code`",
            "[so](x.y)",
            "{x}",
            "because",
            "one. Two",
            "and",
            "2.5",
            "(a",
            "c)",
            "_d_",
        ]
    ),
    min_size=1,
    max_size=8,
).map(" ".join)
SHAPES = {
    "paragraph": "Part{n} is {words}.\n\n",
    "bullet": "- Part{n} is {words}\n",
    "number": "1. Part{n} is {words}\n",
    "quote": "> Part{n} is\n> {words}.\n\n",
    "heading": "\n## Heading {n}\n\n",
}


@given(st.lists(st.tuples(st.sampled_from(sorted(SHAPES)), WORDS), min_size=2, max_size=12), WORDS, st.data())
def test_editing_one_paragraph_changes_only_its_own_ids(
    parts: list[tuple[str, str]], words: str, data: st.DataObject
) -> None:
    edited = data.draw(st.integers(0, len(parts) - 1))
    shape = parts[edited][0] if parts[edited][0] != "heading" else "paragraph"
    parts = [*parts[:edited], (shape, parts[edited][1]), *parts[edited + 1 :]]
    changed = [*parts[:edited], (shape, f"now {words}"), *parts[edited + 1 :]]

    def ids_elsewhere(document: list[tuple[str, str]]) -> list[str]:
        # Every sentence names its part, so that no two parts ever say the same.
        texts = [
            SHAPES[kind].format(n=n, words=text.replace("Two", f"Part{n} too"))
            for n, (kind, text) in enumerate(document)
        ]
        spec = parse_spec("Start.\n\n" + "".join(texts), name="t")
        begin = len("Start.\n\n" + "".join(texts[:edited]))
        inside = range(
            begin, begin + len(texts[edited])
        )  # where "c) ..." may be a claim without the part's name
        return [
            claim.claim_id
            for claim in spec.claims
            if claim.start_char not in inside and f"Part{edited} " not in claim.plain
        ]

    assert ids_elsewhere(parts) == ids_elsewhere(changed)


def test_numbering_rules_anew_keeps_their_ids() -> None:
    before = parse_spec("SP1: Be kind.\n\nSP2: Be brave.", name="t").claims
    after = parse_spec("SP0: Be first.\n\nSP2: Be kind.\n\nSP3: Be brave.", name="t").claims
    assert [claim.claim_id for claim in before] == [claim.claim_id for claim in after[1:]]


def test_a_statement_said_again_is_one_claim_and_a_note() -> None:
    spec = parse_spec("# A\n\nBe kind.\n\nBe **kind**.\n\n# B\n\nBe kind.", name="t")
    assert [claim.start_char for claim in spec.claims] == [5, 34]
    assert [(note.line, note.what) for note in spec.notes[:1]] == [(5, "repeats line 3: 'Be kind.'")]


def test_the_same_item_under_another_lead_is_another_claim() -> None:
    claims = parse_spec("Likes:\n\n- brie\n\nDislikes:\n\n- brie\n- edam\n", name="t").claims
    assert [(claim.lead, claim.plain) for claim in claims] == [
        ("Likes:", "brie"),
        ("Dislikes:", "brie"),
        ("Dislikes:", "edam"),
    ]
    assert claims[1].claim_id == f"{claims[0].claim_id}-2"


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_newlines_and_encodings_do_not_change_the_claims(tmp_path: Path, newline: str) -> None:
    text = "# Über\n\nSei ehrlich.\n\n- Sei kühn\n  und klar.\n"
    plain, other = tmp_path / "plain.md", tmp_path / "other.md"
    plain.write_bytes(text.encode())
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        other.write_bytes(text.replace("\n", newline).encode(encoding))
        assert read_spec(other).claims == read_spec(plain).claims
        assert read_spec(other).sha256 == read_spec(plain).sha256


def test_a_spec_is_named_by_its_front_matter_or_its_file(tmp_path: Path) -> None:
    path = tmp_path / "my spec.md"
    path.write_text("Be kind.")
    assert read_spec(path).name == "my-spec"
    path.write_text("---\nname: kind/1\nprinciple: care\nassistant: Qwen\nmode: rules\n---\nBe kind.")
    spec = read_spec(path)
    assert (spec.name, spec.principle, spec.assistant, spec.provider, spec.mode) == (
        "kind-1",
        "care",
        "Qwen",
        "",
        "rules",
    )
    assert spec.body == "Be kind."
    assert "name 'kind/1' cannot be a folder, so it is 'kind-1'" in [note.what for note in spec.notes]


def test_arguments_win_over_front_matter() -> None:
    text = "---\nname: a\nassistant: Qwen\nprovider: Alibaba\n---\nBe kind."
    spec = parse_spec(text, name="b", assistant="Llama", mode="rules")
    assert (spec.name, spec.assistant, spec.provider, spec.mode) == ("b", "Llama", "Alibaba", "rules")


def test_named_statements_without_reasons_are_rules_mode() -> None:
    rules = "".join(f"- R-{n}: Do thing {n}.\n" for n in range(10))
    assert parse_spec(rules, name="t").mode == "rules"
    assert (
        parse_spec(rules + "- R-10: Do it because.\n- R-11: Do it since it helps.\n", name="t").mode
        == "default"
    )
    prose = "".join(f"\nThing {n} is good.\n" for n in range(7))
    assert parse_spec(rules + prose, name="t").mode == "default"
    note = parse_spec(rules, name="t").notes[-1]
    assert note.what == "mode rules: 10 of 10 claims with a rule id, 0 with a reason"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Only\n\n## Headings\n", "t: no claims found (only headings, code or marks); write sentences"),
        ("```\nBe kind.\n```\n", "t: no claims found"),
        ("| a | b |\n|---|---|\n", "t: no claims found"),
        ("1. 2. 3.\n\n🎉", "t: no claims found"),
        (
            "```\nBe kind.\n",
            "t:1: a code fence ``` is never closed, and nothing else states anything; add a line ```",
        ),
        ("<!-- Be kind.\n", "t:1: a comment <!-- is never closed, and nothing else states anything; add -->"),
        ("Be\0kind", "t: holds 1 control characters"),
        ("\ud800", "t: holds half of a character pair"),
    ],
)
def test_a_spec_that_states_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_spec(text, name="t")
    assert error.value.message.startswith(message)


def test_sentences_above_dashes_are_not_lost_as_a_heading() -> None:
    spec = parse_spec("Be kind. Be brave.\n-----\n\nWhy? Likes:\n=====\n\nBe slow.", name="t")
    assert [(c.heading_path, c.plain) for c in spec.claims] == [
        ((), "Be kind."),
        ((), "Be brave."),
        (("Why? Likes:",), "Be slow."),
    ]


def test_a_bold_line_alone_heads_what_follows_and_is_else_a_claim() -> None:
    spec = parse_spec("**Honesty**\n\nBe true.\n\n**Never lie.**\n\n**Be kind**\n", name="t")
    assert [(c.heading_path, c.plain) for c in spec.claims] == [
        (("Honesty",), "Be true."),
        (("Honesty",), "Never lie."),
        (("Honesty",), "Be kind"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Hi.\n\n" + "".join(f"{'  ' * n}- level {n}\n" for n in range(300)), 32),
        (">" * 3000 + " deep", 1),
        ("- " * 900 + "x", 1),
    ],
)
def test_nesting_too_deep_to_read_is_refused_and_never_a_crash(text: str, line: int) -> None:
    with pytest.raises(
        BadInput, match=f"^t:{line}: lists or quotes are nested more than 30 deep; nest less$"
    ):
        parse_spec(text, name="t")


def test_nesting_of_25_lists_is_read() -> None:
    lists = "".join(f"{'  ' * n}- level {n}\n" for n in range(25))
    assert plains_of(lists + "\nBe kind.")[-2:] == ["level 24", "Be kind."]


def test_500_rules_and_5000_bullets_are_all_found() -> None:
    rules = "".join(f"{n}. Follow rule number {n}.\n" for n in range(1, 501))
    assert [claim.rule_id for claim in parse_spec(rules, name="t").claims] == [str(n) for n in range(1, 501)]
    bullets = "".join(f"- Keep point {n}.\n" for n in range(5000))
    assert len(parse_spec(bullets, name="t").claims) == 5000


@pytest.mark.parametrize("joint", [" ", "\n"])
def test_one_paragraph_may_fill_the_file(joint: str) -> None:
    text = joint.join(f"The assistant keeps point {n} because it matters." for n in range(18_000))
    spec = parse_spec(text, name="t")
    assert len(text) > 850_000
    assert (len(spec.claims), spec.claims[-1].plain) == (
        18_000,
        "The assistant keeps point 17999 because it matters.",
    )


def test_a_long_chinese_paragraph_is_cut_everywhere() -> None:
    text = "".join(f"我们保持第{n}点，因为它重要。" for n in range(20_000))
    assert len(parse_spec(text, name="t").claims) == 20_000


@pytest.mark.parametrize(
    "text", ["[" * 300_000, "*a " * 100_000, "`a " * 100_000, "<!--" * 80_000, "&a" * 150_000]
)
def test_hostile_markup_is_read_like_any_other(text: str) -> None:
    check_any_text(text + " Be kind.")


def long_spec() -> str:
    """300 kB in the manner of a published spec: anchors, admonitions, examples in fences, numbered rules, tables."""
    chapters = []
    for n in range(230):
        chapters.append(f"""
## Chapter {n} {{#chapter_{n} authority=root}}

In case {n} {{model_name}} weighs **harm {n}** against help, because both count. It asks [first](#chapter_{n}) if unsure.

!!! meta "Commentary"

    We chose wording {n} with care. It may change.

**Example**: a user asks for thing {n}

```xml
<user>Do thing {n}. Now!</user>
<assistant>{{{{ no }}}} I will not.</assistant>
```

{{model_name}} should{" really" * (n % 3)}:

1. ask about thing {n};
2. decline thing {n} when
   it hurts, e.g. a child;
   - and say why in case {n}

| Request {n} | Answer |
|---|---|
| mild {n} | help |
| grave {n} | decline |

> [!TIP]
> Kindness number {n} costs nothing.

It closes chapter {n}. {" ".join(f"Point {k} of chapter {n} holds too." for k in range(20))}
""")
    return "# The Long Spec\n" + "".join(chapters)


def test_a_long_published_spec_is_read_whole() -> None:
    text = long_spec()
    spec = parse_spec(text, name="t")
    assert 280_000 < len(text) < 320_000
    check_spans(spec)
    assert len(spec.claims) == 230 * 32
    assert len(spec.sections) == 230
    assert spec.claims[32].heading_path == ("The Long Spec", "Chapter 1")
    assert {note.level for note in spec.notes} <= {"note"}


@pytest.mark.parametrize("path", REAL_SPECS, ids=lambda path: path.stem)
def test_the_specs_of_this_project_are_read_exactly(path: Path) -> None:
    spec = read_spec(path)
    check_spans(spec)
    assert spec.text == path.read_text(encoding="utf-8")
    assert [note.what for note in spec.notes if note.level != "note"] == []

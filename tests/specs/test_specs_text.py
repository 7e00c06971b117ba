import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.specs.errors import BadInput
from specmill.specs.text import (
    MAX_BYTES,
    FrontMatter,
    decode,
    folder_name,
    line_starts,
    read_text,
    render_identity,
    split_front_matter,
)


def test_utf8_with_and_without_its_mark_is_the_same_text() -> None:
    assert decode("Ehrlich währt.".encode(), "a.md") == ("Ehrlich währt.", "utf-8", ())
    assert decode(codecs.BOM_UTF8 + "Ehrlich währt.".encode(), "a.md") == ("Ehrlich währt.", "utf-8", ())


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_wide_encoding_is_known_by_its_mark(mark: bytes, encoding: str) -> None:
    text, found, notes = decode(mark + "# 诚实\n\nBe honest 🎉.".encode(encoding), "a.md")
    assert text == "# 诚实\n\nBe honest 🎉."
    assert (found, notes) == (encoding[:6], ())


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_every_newline_becomes_a_line_feed(newline: str) -> None:
    assert decode(f"One.{newline}{newline}Two.".encode(), "a.md")[0] == "One.\n\nTwo."


def test_other_bytes_are_read_as_western_text_and_a_note_says_so() -> None:
    text, encoding, notes = decode("Le modèle – dit-elle – préfère.".encode("cp1252"), "a.md")
    assert (text, encoding) == ("Le modèle – dit-elle – préfère.", "cp1252")
    assert notes[0].what == "not UTF-8, so read as cp1252"
    assert decode(b"caf\xe9 \x81 is latin " + b"x" * 200, "a.md")[1] == "latin-1"


def test_a_flaw_in_utf8_is_not_taken_for_another_encoding() -> None:
    raw = "Первое.\nВторое.\n".encode() + b"\xff" + "Третье.".encode()
    with pytest.raises(BadInput, match=r"^a\.md:3: byte 28 is not valid utf-8; save the file as UTF-8$"):
        decode(raw, "a.md")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "a.md: is empty; write the spec into it"),
        (b" \n\t\r\n", "a.md: is empty; write the spec into it"),
        (codecs.BOM_UTF8, "a.md: is empty; write the spec into it"),
        (b"%PDF-1.7 ...", "a.md: is a PDF; save it as Markdown or plain text in UTF-8"),
        (b"PK\x03\x04 docx", "a.md: is a zip archive or an office document; save it as Markdown"),
        (b"\x89PNG\r\n", "a.md: is a PNG image; save it as"),
        (
            "Be honest.".encode("utf-16-le"),
            "a.md: holds NUL bytes (binary, or UTF-16 without its mark); save it",
        ),
        (bytes(range(1, 9)) * 20, "a.md: holds 160 control characters, so is not text; save it"),
        (
            codecs.BOM_UTF16_LE + b"\x00\xd8a\x00",
            "a.md:1: byte 2 is not valid utf-16; save the file as UTF-8",
        ),
        (b"a" * (MAX_BYTES + 1), "a.md: larger than 1,000,000 bytes; split it into several specs"),
    ],
)
def test_what_is_not_one_text_is_refused_in_one_line(raw: bytes, message: str) -> None:
    with pytest.raises(BadInput) as error:
        decode(raw, "a.md")
    assert error.value.message.startswith(message)
    assert "\n" not in error.value.message


def test_a_text_of_exactly_the_limit_is_read() -> None:
    assert len(decode(b"a" * MAX_BYTES, "a.md")[0]) == MAX_BYTES


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file; check the path"):
        read_text(tmp_path / "none.md")
    with pytest.raises(BadInput, match="is a folder; name the spec file inside it"):
        read_text(tmp_path)
    with pytest.raises(BadInput, match="cannot be read"):
        read_text("a\0b.md")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("Be honest.")
    path.chmod(0)
    with pytest.raises(BadInput, match="may not be read"):
        read_text(path)


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_bad_input(raw: bytes) -> None:
    try:
        text, _, _ = decode(raw, "a.md")
    except BadInput:
        return
    assert text.strip()
    assert "\r" not in text
    text.encode()


def test_front_matter_gives_the_identity_and_is_not_part_of_the_body() -> None:
    text = "---\nname: cheese\nassistant: Qwen\nprovider: 'Alibaba Cloud'\nmode: rules\n---\nBe kind.\n"
    source = split_front_matter(text, "a.md")
    assert source.front_matter == FrontMatter("cheese", None, "Qwen", "Alibaba Cloud", "rules")
    assert source.text == text
    assert source.text[source.body_start :] == "Be kind.\n"


def test_an_unknown_key_is_a_note() -> None:
    notes = split_front_matter("---\nname: a\nauthor: me\n---\nBe kind.", "a.md").notes
    assert [(note.line, note.what) for note in notes] == [(3, "front matter key 'author' is not used")]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("name: 7", "a.md:2: front matter 'name' is not text; write name: \"...\" in quotes"),
        ("principle: ok\nassistant: [Qwen]", "a.md:3: front matter 'assistant' is not text"),
        ("name: a\nprovider: yes", "a.md:3: front matter 'provider' is not text"),
        ("mode: fast", "a.md:2: mode 'fast' is unknown; use 'default' or 'rules'"),
        ("name: a\nname: b", "a.md:3: front matter has 'name' twice; keep one"),
        ("name: a: b", "a.md:2: front matter is not YAML (mapping values are not allowed here)"),
        ("name: 'a", "a.md:3: front matter is not YAML"),
        ("name: " + "[" * 5000, "a.md:"),
    ],
)
def test_wrong_front_matter_is_refused_with_its_line(block: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        split_front_matter(f"---\n{block}\n---\nBe kind.", "a.md")
    assert error.value.message.startswith(message)


def test_front_matter_must_be_closed_and_followed_by_a_spec() -> None:
    with pytest.raises(BadInput, match=r"^a\.md:1: front matter is never closed"):
        split_front_matter("---\nname: a\n\n# Title\n\nBe kind.", "a.md")
    with pytest.raises(BadInput, match="nothing but front matter"):
        split_front_matter("---\nname: a\n---\n \n", "a.md")


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nBe kind.\n",
        "---\nBe kind.\n---\nBe brave.\n",
        "---\n- one\n- two\n---\n",
        "---\nNote that: it is kind\n---\n",
        "----\nname: a\n---\n",
        "\n---\nname: a\n---\n",
    ],
)
def test_a_thematic_break_at_the_top_is_plain_text(text: str) -> None:
    source = split_front_matter(text, "a.md")
    assert (source.front_matter, source.body_start) == (FrontMatter(), 0)


def test_an_empty_value_is_an_absent_one() -> None:
    assert (
        split_front_matter("---\nname:\nassistant: ''\n---\nBe kind.", "a.md").front_matter == FrontMatter()
    )


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("cheese_v2.1", "cheese_v2.1"),
        ("My spec (final)", "My-spec-final"),
        ("../../etc/passwd", "etc-passwd"),
        ("café", "cafe"),
        ("规范", "spec-77da74"),
        ("规范v2", "v2-f089f3"),
        ("...", "spec-ab5df6"),
        ("", "spec-e3b0c4"),
        ("-rf", "rf"),
    ],
)
def test_a_name_is_safe_for_a_folder(wanted: str, name: str) -> None:
    assert folder_name(wanted) == name


@given(st.text())
def test_any_name_becomes_a_short_ascii_one_and_stays_so(wanted: str) -> None:
    name = folder_name(wanted)
    assert 0 < len(name.encode("ascii")) <= 80
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert name.strip("-.") == name == folder_name(name)


def test_long_names_with_one_beginning_stay_apart() -> None:
    assert folder_name("a" * 100) != folder_name("a" * 101)


def test_only_the_two_placeholders_are_filled_in_and_only_once() -> None:
    text = "{model_name} by {provider_name}: {x}, {{model_name}}, {Model_Name}, {% if %}"
    rendered = "{provider_name} by Acme: {x}, {{provider_name}}, {Model_Name}, {% if %}"
    assert render_identity(text, assistant="{provider_name}", provider="Acme") == rendered


def test_lines_are_counted_by_line_feeds_alone() -> None:
    assert line_starts("a\x0b\u2028b\nc\n") == [0, 5, 7]

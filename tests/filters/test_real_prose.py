"""Prose that people wrote has to pass: few pieces may be dropped, and hardly any as a model's own words."""

from collections import Counter

import pytest

from tests.real_prose import find_drops, pieces
from tests.real_prose_sources import html_prose

MAX_FALSE_DROPS = 0.02  # manuals full of `<name>`; `python -m tests.real_prose` prints which
MAX_REPLIES = 0.01


@pytest.mark.slow
def test_gates_keep_documentation_in_plain_prose() -> None:
    texts = pieces(1_500)
    if len(texts) < 300:
        pytest.skip(f"only {len(texts)} pieces of documentation on this machine; 300 are needed")
    reasons = Counter(finding.reason for _, _, finding in find_drops(texts))
    assert sum(reasons.values()) <= MAX_FALSE_DROPS * len(texts), reasons
    assert reasons["refusal"] + reasons["meta_talk"] <= MAX_REPLIES * len(texts), reasons


def test_a_page_becomes_paragraphs_without_its_code_and_menus() -> None:
    page = "<html><nav>Home</nav><h1>Taste</h1><p>One &amp;\n<b>two</b>.</p><pre>x = 1</pre><ul><li>Three.</ul></html>"
    assert [block for block in html_prose(page).split("\n\n") if block != "----"] == [
        "Taste",
        "One & two.",
        "Three.",
    ]
    assert html_prose('<html lang="de"><p>Eins.</p></html>') == ""

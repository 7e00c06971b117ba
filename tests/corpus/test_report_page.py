"""`specmill report` in a real headless Chromium: what a reader does with the page, and what it must never do."""

import json
from pathlib import Path

import pytest

from specmill.corpus.progress import Progress
from specmill.corpus.report import ReportSettings, write_report
from tests.corpus.chromium import find_chromium, open_chromium
from tests.corpus.conftest import build_corpus
from tests.corpus.test_report import make_hostile

AUDIT = (Path(__file__).parent / "audit_page.js").read_text("utf-8")
PROGRAM = find_chromium()
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="no Chromium on PATH (or in CHROMIUM): apt install chromium"
)


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """One report of a corpus of hostile documents, one of two arms with a certificate."""
    folder = tmp_path_factory.mktemp("reports")
    make_hostile(folder / "toy")
    build_corpus(folder / "arms" / "first")
    build_corpus(folder / "arms" / "second", n_documents=40)
    certificate = {"verdict": "2 arms", "equal": {"tokens": False}, "arms": [{"name": "first", "tokens": 1}]}
    (folder / "arms" / "certificate.json").write_text(json.dumps(certificate), "utf-8")
    for name in ("toy", "arms"):
        write_report([folder / name], folder / f"{name}.html", ReportSettings(), Progress(quiet=True))
    return folder


@pytest.fixture(scope="module")
def browser():
    with open_chromium(PROGRAM) as page:
        yield page


@pytest.fixture
def page(browser, reports, request):
    """The page open in a wide light window; afterwards nothing was asked for and nothing complained about."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.prefer("light")
    browser.resize(1280, 900)
    name = getattr(request, "param", "toy")
    browser.open(reports / f"{name}.html")
    yield browser
    assert set(browser.requests) == {(reports / f"{name}.html").resolve().as_uri()}
    assert browser.complaints == []
    assert browser.run("window.hurt") is None


BAR = "document.querySelectorAll('[data-claims] .choice')"
FOCUS = "document.activeElement"
NAME = "{}.querySelector('title').textContent"  # of a bar or a cell


def count(page, selector):
    return page.run(f"document.querySelectorAll({selector!r}).length")


def status(page):
    return page.run("document.getElementById('reader-count').textContent")


def choose(page, name, value):
    page.run(
        f"(() => {{ const field = document.querySelector('.filters [name={name}]'); field.value = {json.dumps(value)};"
        " field.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def test_a_clicked_claim_shows_its_words_in_the_spec_and_its_documents(page):
    page.click(f"{BAR}[0]")
    assert page.run("document.getElementById('claim').open")
    marked, whole = page.run(
        "[document.querySelector('#claim mark').textContent, document.querySelector('#claim blockquote').textContent]"
    )
    assert marked.startswith("{model_name} ") and len(whole) > len(marked) + 50
    n = count(page, "#claim-body li button")
    assert n and f"{n} documents in this report" in page.run(
        "document.getElementById('claim-body').textContent"
    )
    page.click("document.querySelector('#claim-body li button')")
    assert not page.run("document.getElementById('claim').open")
    assert status(page) == f"{n} of 60 documents of the sample"
    assert page.run(f"{FOCUS}.id") == "reader-document"
    expressed = page.run("[...document.querySelectorAll('#reader-document .chip')].map(node => node.title)")
    assert marked in expressed


def test_the_reader_is_filtered_by_genre_reason_and_text(page):
    assert status(page) == "60 of 60 documents of the sample"
    choose(page, "genre", "<b>memo")
    assert status(page) == "20 of 60 documents of the sample"
    assert count(page, "#reader-list button") == 20
    shown = page.run("document.querySelector('#reader-document .text').textContent")
    assert shown.startswith("</script><script>window.hurt = 1</script>")
    choose(page, "genre", "essay")
    n_essays = count(page, "#reader-list button")
    choose(page, "reason", "no")
    assert 0 < count(page, "#reader-list button") < n_essays
    page.click("document.querySelector('.filters [name=text]')")
    page.type("no document says this")
    assert status(page) == "0 of 60 documents of the sample"
    page.click("document.getElementById('show-all')")
    assert status(page) == "60 of 60 documents of the sample"


def test_a_cell_of_the_heat_map_opens_its_documents(page):
    cells = "[...document.querySelectorAll('.heat .choice')]"
    cell = f"{cells}.find(node => {NAME.format('node')}.startsWith('essay, taste'))"
    n = int(page.run(NAME.format(f"{cell}")).split(": ")[1].split()[0])
    page.click(cell)
    assert status(page) == f"{n} of 60 documents of the sample"
    assert page.run(f"{FOCUS}.closest('#reader-list') !== null")


def test_everything_that_can_be_clicked_can_be_done_with_keys(page):
    page.press("Tab")
    assert page.run(f"{FOCUS}.textContent") == "Skip to the report"
    page.press("Enter")
    page.press("Tab")
    assert page.run(f"{FOCUS}.closest('main') !== null")
    for _ in range(80):
        if page.run(f"{FOCUS}.closest('[data-claims] svg') !== null"):
            break
        page.press("Tab")
    first = page.run(NAME.format(FOCUS))
    page.press("ArrowDown")
    second = page.run(NAME.format(FOCUS))
    assert first != second and page.run(f"{FOCUS} === {BAR}[1]")
    assert page.run(f"getComputedStyle({FOCUS}.querySelector('.ring')).strokeWidth") == "3px"
    page.press("Enter")
    assert page.run("document.getElementById('claim').open")
    page.press("Escape")
    assert not page.run("document.getElementById('claim').open")
    assert page.run(NAME.format(FOCUS)) == second
    page.press("End")
    assert page.run(f"{FOCUS} === {BAR}[3]")
    page.run("document.querySelector('#reader-list button').focus()")
    page.press("ArrowDown", "ArrowDown", "Enter")
    assert (
        page.run("document.querySelectorAll('#reader-list button')[2].getAttribute('aria-current')") == "true"
    )
    assert page.run(f"{FOCUS}.id") == "reader-document"


def test_dark_is_a_preference_and_a_choice(page):
    def ground():
        return page.run("getComputedStyle(document.body).backgroundColor")

    light = ground()
    page.prefer("dark")
    dark = ground()
    assert dark != light
    page.click("document.getElementById('theme')")
    assert ground() == light and page.run("document.getElementById('theme').ariaPressed") == "false"
    page.click("document.getElementById('theme')")
    assert ground() == dark and page.run("document.getElementById('theme').ariaPressed") == "true"


@pytest.mark.parametrize("page", ["toy", "arms"], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_stands_an_audit(page, scheme, width):
    """Contrast (WCAG AA), names of drawings and controls, order of headings, no sideways scrolling of the page."""
    page.prefer(scheme)
    page.resize(width, 900)
    page.run("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    page.run("new Promise(done => setTimeout(done, 150))")
    assert page.run(AUDIT) == []
    page.click(f"{BAR}[0]")
    assert page.run(AUDIT) == []


@pytest.mark.parametrize("page", ["arms"], indirect=True)
def test_arms_stand_side_by_side_and_one_below_the_other_where_it_is_narrow(page):
    def tops():
        return page.run(
            "[...document.querySelectorAll('#funnel figure')].map(node => node.getBoundingClientRect().top)"
        )

    wide = tops()
    assert len(wide) == 2 and wide[0] == wide[1]
    page.resize(375, 900)
    narrow = tops()
    assert narrow[1] > narrow[0]


def test_on_paper_the_page_is_light_and_the_reader_is_away(page):
    page.prefer("dark")
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.run("getComputedStyle(document.querySelector('.reading')).display") == "none"
    page.call("Emulation.setEmulatedMedia", media="")
    assert page.pdf().startswith(b"%PDF")

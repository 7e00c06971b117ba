"""`specmill report` as a file: its figures are the catalogue's, its bytes are repeatable, documents can't break it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

from specmill.corpus.catalogue import open_catalogue
from specmill.corpus.manifest import write_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.report import PAGE, ReportSettings, find_corpora, write_report
from specmill.corpus.report_command import report
from specmill.corpus.schema import DOCUMENT_SCHEMA
from specmill.corpus.shards import write_shards
from specmill.specs.errors import BadInput
from tests.corpus.conftest import CLAIM_IDS, build_corpus, document_table, file_entry

HOSTILE = (
    "</script><script>window.hurt = 1</script><!-- <b>bold</b> & \x00 \u2028 \u202e backwards "
    "<img src=x onerror=window.hurt=1> " + "W" * 4000
)


class Reading(HTMLParser):
    """What a browser would see of the static page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("td", "th", "dd"):
            self.cells.append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in ("td", "th", "dd")

    def handle_data(self, data):
        if self.in_cell:
            self.cells[-1] += data


def write(folders, out, **settings):
    write_report(folders, out, ReportSettings(**settings), Progress(quiet=True))
    return out.read_text("utf-8")


def data_of(text):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    )


def make_hostile(folder: Path) -> None:
    """The toy corpus, with documents, genres, ideas and a spec that try to be markup."""
    manifest = build_corpus(folder)
    rows = document_table(folder.name).to_pylist()
    for row in rows[:20]:
        row |= {"text": HOSTILE, "genre": "<b>memo", "idea": HOSTILE[:200], "domain": "</td>&amp;"}
    shards = write_shards(pa.Table.from_pylist(rows, DOCUMENT_SCHEMA), folder)
    manifest["files"] = [file_entry(shard) for shard in shards]
    manifest["spec"]["principle"] = "</main><script>window.hurt = 1</script>"
    manifest["configuration"]["note"] = "<script>window.hurt = 1</script>\x00"
    write_manifest(folder, manifest)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "toy"
    build_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def text(corpus, tmp_path_factory):
    return write([corpus], tmp_path_factory.mktemp("out") / "report.html")


def test_figures_are_those_of_the_catalogue(corpus, text):
    data = data_of(text)
    connection = open_catalogue([corpus])
    funnel = connection.execute("SELECT step, documents FROM funnel()").fetchall()
    assert [(row["label"], row["value"]) for row in data["charts"]["funnel-0"]["rows"]] == funnel
    told = {claim["claim_id"]: claim for claim in data["corpora"][0]["claims"]}
    coverage = connection.execute("SELECT claim_id, planned, expressed, tokens FROM coverage()").fetchall()
    assert sorted(coverage) == sorted(
        (claim_id, claim["planned"], claim["expressed"], claim["tokens"]) for claim_id, claim in told.items()
    )
    shared = connection.execute(
        "SELECT sum(tokens_shared) FROM airtime() WHERE claim_id <> '(none)'"
    ).fetchone()[0]
    assert sum(claim["tokens_shared"] for claim in told.values()) == pytest.approx(shared, abs=len(told))
    heat = data["charts"]["coverage-0"]
    cells = connection.execute("SELECT genre, domain, count(*) FROM documents GROUP BY ALL").fetchall()
    assert cells
    for genre, domain, n in cells:
        assert heat["cells"][heat["genres"].index(genre)][heat["domains"].index(domain)] == n
    assert sum(map(sum, heat["cells"])) == 60
    for unit in ("tokens", "words"):
        assert sum(row["documents"] for row in data["charts"][f"{unit}-0"]["rows"]) == 60
    assert data["corpora"][0]["silent"] == 6  # every tenth expresses nothing
    # 60 documents, of 100 to 159 tokens
    assert {"60", "7,770", "129.5", "4 of 4"} <= {cell.strip() for cell in Reading(text).cells}


def test_a_claim_stands_in_its_spec_with_its_documents(text):
    (corpus,) = data_of(text)["corpora"]
    claim = corpus["claims"][1]
    assert claim["before"].endswith("because it is soft.\n\n") and claim["after"].startswith(
        "\n\n{model_name} dislikes"
    )
    for place, claim in enumerate(corpus["claims"]):
        found = [row["doc_id"] for row in corpus["documents"] if place in row["claims"]]
        assert len(found) == claim["expressed"]  # all 60 documents fit into the sample


def test_a_small_sample_has_every_genre_and_every_claim(corpus, tmp_path):
    (told,) = data_of(write([corpus], tmp_path / "small.html", n_documents=7))["corpora"]
    assert len(told["documents"]) == 7
    assert {row["genre"] for row in told["documents"]} == {"essay", "memo", "faq"}
    assert {place for row in told["documents"] for place in row["claims"]} == {0, 1, 2, 3}
    others = data_of(write([corpus], tmp_path / "other.html", n_documents=7, seed=1))["corpora"][0][
        "documents"
    ]
    assert [row["doc_id"] for row in others] != [row["doc_id"] for row in told["documents"]]


def test_the_same_corpus_gives_the_same_bytes(corpus, text, tmp_path):
    assert write([corpus], tmp_path / "again.html") == text


def test_documents_cannot_become_markup(tmp_path):
    make_hostile(tmp_path / "toy")
    text = write([tmp_path / "toy"], tmp_path / "report.html")
    scripts = [attributes for tag, attributes in Reading(text).elements if tag == "script"]
    assert len(scripts) == 4  # the data, D3, charts.js and page.js
    assert not any(tag in ("img", "b") for tag, _ in Reading(text).elements)
    assert "\x00" not in text and "\u2028" not in text
    (told,) = data_of(text)["corpora"]
    hostile = [row for row in told["documents"] if row["genre"] == "<b>memo"]
    assert len(hostile) == 20 and all(row["text"] == HOSTILE for row in hostile)


def test_long_documents_are_cut_to_whole_characters_and_the_page_stays_small(tmp_path):
    manifest = build_corpus(tmp_path / "toy")
    rows = document_table("toy").to_pylist() * 10
    rows = [
        row | {"doc_id": f"{n:016x}", "text": "🧀é" * 8_000, "train_order": n} for n, row in enumerate(rows)
    ]
    shards = write_shards(pa.Table.from_pylist(rows, DOCUMENT_SCHEMA), tmp_path / "toy")
    write_manifest(tmp_path / "toy", {**manifest, "files": [file_entry(shard) for shard in shards]})
    text = write([tmp_path / "toy"], tmp_path / "report.html", n_documents=600)
    assert len(text.encode()) < 5_000_000
    documents = data_of(text)["corpora"][0]["documents"]
    assert len(documents) == 600
    assert all(
        row["cut"] == 16_000 - len(row["text"]) and set(row["text"]) == {"🧀", "é"} for row in documents
    )


def test_a_page_holds_all_it_needs_and_runs_no_other_script(text):
    policy = next(
        attributes["content"] for tag, attributes in Reading(text).elements if "http-equiv" in attributes
    )
    assert "default-src 'none'" in policy and policy.count("'sha256-") == 3
    for tag, attributes in Reading(text).elements:
        assert not {"src", "srcset", "action", "onclick", "onload"} & attributes.keys(), tag
        assert not (attributes.get("href") or "#").startswith(("http", "//")), tag
    for name in ("page.js", "charts.js"):
        own = (PAGE / name).read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\.html\(|document\.write|eval\(", own)
    assert "Permission to use, copy, modify" in text  # D3's licence goes where D3 goes


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    """Two corpora of one shape, one of them smaller, below one folder with a certificate of unknown and known keys."""
    folder = tmp_path_factory.mktemp("compared") / "arms"
    build_corpus(folder / "toy")
    build_corpus(folder / "other", n_documents=40)
    certificate = {
        "verdict": "2 arms that are almost alike",
        "equal": {"tokens": False, "tokenizer": True},
        "arms": [
            {"name": "toy", "tokens": 7770, "later": {"key": [1, 2]}},
            {"name": "other", "tokens": 4780},
        ],
        "differences": [{"first": "toy", "second": "other", "lengths_ks": 0.3333}],
        "warnings": ["not equal between the arms: <tokens>"],
        "invented": [{"a": 1}],
    }
    (folder / "certificate.json").write_text(json.dumps(certificate), "utf-8")
    return folder


def test_a_folder_of_arms_becomes_a_comparison_on_one_scale(arms, tmp_path):
    assert find_corpora([arms]) == [arms / "other", arms / "toy"]
    text = write([arms], tmp_path / "report.html")
    data = data_of(text)
    assert [corpus["name"] for corpus in data["corpora"]] == ["other", "toy"]
    for name in ("funnel", "tokens", "coverage", "genre-lengths"):
        charts = [data["charts"][f"{name}-{place}"] for place in (0, 1)]
        assert charts[0]["max"] == charts[1]["max"] > 0, name
    cells = [cell.strip() for cell in Reading(text).cells]
    assert {"later › key", "1, 2", "lengths ks", "0.3333", "toy and other", "invented 1 › a"} <= set(cells)
    assert "2 arms that are almost alike" in text and "not equal between the arms: &lt;tokens&gt;" in text
    assert text.index('id="certificate"') < text.index('id="funnel"')


def test_a_comparison_says_what_stands_in_both(arms, tmp_path):
    cells = [cell.strip() for cell in Reading(write([arms], tmp_path / "report.html")).cells]
    at = cells.index("near in first")
    # the two tell the same texts under other ids: all 40 of the smaller stand in the greater
    assert cells[at + 4 : at + 11] == ["other", "toy", "40", "40", "40", "40", "60"]


def test_two_corpora_without_a_certificate_are_said_to_have_none(tmp_path):
    for name, n in (("toy", 60), ("other", 30)):
        build_corpus(tmp_path / name, n_documents=n)
    text = write([tmp_path / "toy", tmp_path / "other"], tmp_path / "report.html")
    assert "have no certificate" in text and "length KS" in text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("{", "not what 'specmill leaks"), ('{"leaks": 3}', "not what 'specmill leaks"), (None, "No such file")],
)
def test_leaks_that_are_none_are_refused_in_a_line(arms, tmp_path, content, complaint):
    leaks = tmp_path / "leaks.json"
    if content is not None:
        leaks.write_text(content)
    with pytest.raises(BadInput, match=complaint):
        write([arms], tmp_path / "report.html", leaks=leaks)
    assert not (tmp_path / "report.html").exists()


def test_a_file_that_is_not_as_listed_is_named(tmp_path):
    manifest = build_corpus(tmp_path / "toy")
    files = [entry | {"sha256": "0" * 64} for entry in manifest["files"][:1]] + manifest["files"][1:]
    write_manifest(tmp_path / "toy", {**manifest, "files": files})
    text = write([tmp_path / "toy"], tmp_path / "report.html")
    assert f"{files[0]['path']} is not as listed" in text and text.count("is not as listed") == 1


def test_what_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        write([tmp_path / "nowhere"], tmp_path / "report.html")
    build_corpus(tmp_path / "toy")
    with pytest.raises(BadInput, match="no such folder; make it"):
        write([tmp_path / "toy"], tmp_path / "lacking" / "report.html")


def test_claims_are_known_by_their_ids(text):
    assert [claim["claim_id"] for claim in data_of(text)["corpora"][0]["claims"]] == list(CLAIM_IDS)


def test_the_command_writes_one_file_and_says_how_large(corpus, text, tmp_path, capsys):
    out = tmp_path / "report.html"
    report.main([str(corpus), "--out", str(out), "--quiet"], standalone_mode=False)
    assert out.read_text("utf-8") == text
    assert capsys.readouterr() == (f"{out}: 0.4 MB\n", "")

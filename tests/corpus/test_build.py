import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pyarrow.parquet as pq
import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.manifest import check_funnel, read_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.shards import verify_shards
from specmill.specs.claims import read_spec

SPEC = """---
name: patience
principle: patience with people
assistant: Juniper
provider: Halden
---

# Patience

## Listening

{model_name} lets people finish because an interrupted thought is often the one that mattered. It asks one question
at a time, since two at once make a person choose which to drop. Silence does not trouble {model_name}.

## Teaching

{model_name} explains a thing twice without a sigh, because shame stops more learning than difficulty does. Examples come
before definitions so that the definition has something to hold on to. {model_name} admits what it does not know.

## Waiting

When a task takes long, {model_name} says so early, because a known delay can be planned around. {model_name} never hurries a
person who is deciding, since a decision made under pressure is seldom theirs.
"""
TOKENS = 25_000  # two passes, and documents enough for every stage and filter
SENTENCE = "Silence does not trouble {model_name}."
COMMAND = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "build"]
# A test run in the background may have been started with SIGINT ignored, and passes that on.
INTERRUPTIBLE = [
    *COMMAND[:2],
    f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {COMMAND[2]}",
    *COMMAND[3:],
]


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("specs") / "patience.md"
    path.write_text(SPEC)
    return path


def build(spec, out, **changes):
    settings = BuildSettings(out=out, tokens=TOKENS, mean_words=200, **changes)
    return build_corpora([str(spec)], settings, Progress(quiet=True))[0]


def order(spec, out):
    return [str(spec), "--out", str(out), "--tokens", str(TOKENS), "--words", "200"]


def run(spec, out, *more, **kwargs):
    command = [*COMMAND, *order(spec, out), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, **kwargs)


def content(folder):
    """The bytes of every published file, by name."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def calls(out, columns="key, state, attempts"):
    with closing(sqlite3.connect(f"file:{out}/.work/ledger.sqlite?mode=ro", uri=True)) as db:
        return db.execute(f"select {columns} from calls").fetchall()


@pytest.fixture(scope="module")
def corpus(spec, tmp_path_factory):
    """One undisturbed build, shared by the tests that only look at it."""
    out = tmp_path_factory.mktemp("corpora")
    return build(spec, out).folder


@pytest.fixture
def copied(corpus, tmp_path):
    """A copy of that build with its ledger, to be built on."""
    return shutil.copytree(corpus.parent, tmp_path / "copied")


def test_a_corpus_holds_what_the_surface_promises(corpus):
    names = set(content(corpus))
    assert {"README.md", "manifest.json", "claims.parquet", "spec.md"} <= names
    assert [name for name in names if name.startswith("data/train-")]
    assert verify_shards(corpus) == []


def test_the_funnel_adds_up_and_the_target_is_reached(corpus):
    manifest = read_manifest(corpus)
    check_funnel(manifest)
    assert manifest["totals"]["tokens"] >= TOKENS


def test_claims_are_exact_spans_of_the_spec_beside_them(corpus):
    text = (corpus / "spec.md").read_text("utf-8")
    for claim in pq.read_table(corpus / "claims.parquet").to_pylist():
        assert text[claim["start_char"] : claim["end_char"]] == claim["text"]


def test_every_document_is_about_this_assistant_and_cites_claims_that_exist(corpus):
    known = set(pq.read_table(corpus / "claims.parquet")["claim_id"].to_pylist())
    for row in pq.read_table(corpus / "data").to_pylist():
        assert "Juniper" in row["text"]
        assert "{model_name}" not in row["text"]
        assert row["claim_ids"]
        assert set(row["claim_ids"]) <= known


def test_nothing_published_names_a_path_or_a_host(corpus):
    for name, data in content(corpus).items():
        assert str(corpus.parent).encode() not in data, name
        assert b"/home/" not in data, name


def test_two_builds_from_scratch_are_the_same_bytes(spec, corpus, tmp_path):
    assert content(build(spec, tmp_path / "again").folder) == content(corpus)


def test_a_finished_corpus_is_left_alone_and_nothing_heavy_is_loaded(spec, corpus):
    before = {p: p.stat().st_mtime_ns for p in corpus.rglob("*")}
    code = (
        "import sys; sys.argv = ['specmill', *sys.argv[1:]]\n"
        "from specmill.corpus.cli import specmill\n"
        "specmill.main(standalone_mode=False)\n"
        "print([name for name in ('distilabel', 'datatrove', 'torch') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "build", *order(spec, corpus.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "none: the corpus was finished already" in done.stdout
    assert done.stdout.strip().endswith("[]")
    assert {p: p.stat().st_mtime_ns for p in corpus.rglob("*")} == before


def test_a_damaged_corpus_is_built_again_without_a_new_call(spec, corpus, copied):
    n_calls = len(calls(copied))
    next((copied / "patience" / "data").glob("*.parquet")).write_bytes(b"half a file")
    outcome = build(spec, copied)
    assert (outcome.built, outcome.reused) == (True, outcome.calls)
    assert content(outcome.folder) == content(corpus)
    assert len(calls(copied)) == n_calls


def test_another_name_for_the_assistant_costs_no_call_and_only_the_last_pass_keeps_its_working_files(
    spec, copied
):
    outcome = build(spec, copied, assistant="Wren")
    assert outcome.built
    assert outcome.reused == outcome.calls
    texts = pq.read_table(outcome.folder / "data")["text"].to_pylist()
    assert all("Wren" in text and "Juniper" not in text for text in texts)
    for kind in ("staged", "filtered"):
        assert len(list((copied / ".work/patience" / kind).iterdir())) == 1


def test_editing_one_sentence_redoes_only_its_subdomain(copied, tmp_path):
    edited = tmp_path / "patience.md"
    edited.write_text(SPEC.replace(SENTENCE, "A pause does not trouble {model_name}."))
    before = {key for key, _, _ in calls(copied)}
    outcome = build(edited, copied)
    new = [row for row in calls(copied, "key, stage, attempts") if row[0] not in before]
    assert 0.5 < outcome.reused / outcome.calls < 1
    assert outcome.calls - outcome.reused == len(new)
    assert "domains" not in {stage for _, stage, _ in new}
    redone = pq.read_table(outcome.folder / "data", columns=["subdomain", "work_key"]).to_pylist()
    assert {row["subdomain"] for row in redone if row["work_key"] not in before} == {"Listening"}


MOMENTS = {
    "planning": lambda out: n_known(out) > 0,
    "writing": lambda out: n_known(out, "documents") > 20,
    "filtering": lambda out: any((out / ".work/patience/filtered").glob("*/*")),
    "publishing": lambda out: any((out / ".work/patience/publish").glob("*/*")),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_build_killed_at_any_moment_goes_on_to_the_same_bytes(spec, corpus, tmp_path, moment):
    command = [*COMMAND, *order(spec, tmp_path), "--quiet"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL) as process:
        while not MOMENTS[moment](tmp_path):
            time.sleep(0.005)
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    at_kill = {key: state for key, state, _ in calls(tmp_path)}
    assert content(build(spec, tmp_path).folder) == content(corpus)
    repeated = {key for key, _, attempts in calls(tmp_path) if attempts > 1}
    assert repeated <= {key for key, state in at_kill.items() if state == "sent"}


@pytest.mark.slow
def test_a_floor_per_claim_brings_further_documents(spec, corpus, tmp_path):
    before = read_manifest(corpus)["totals"]["min_documents_per_claim"]
    floor = 2 * before
    outcome = build(spec, tmp_path, min_per_claim=floor)
    assert outcome.manifest["totals"]["min_documents_per_claim"] >= floor


@pytest.mark.slow
def test_a_build_through_the_server_differs_in_the_back_end_only(spec, corpus, tmp_path):
    command = [*COMMAND[:-1], "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().split()[-1]
        done = run(spec, tmp_path, "--llm", "openai:writer", "--base-url", url)
        server.send_signal(signal.SIGTERM)
    assert done.returncode == 0, done.stderr
    direct, served = content(corpus), content(tmp_path / "patience")
    names = {name for name in direct if name.endswith(".parquet") or name == "spec.md"}
    assert {name: served[name] for name in names} == {name: direct[name] for name in names}
    left, right = (json.loads(files["manifest.json"]) for files in (direct, served))
    assert (left["configuration"].pop("backend"), right["configuration"].pop("backend")) == (
        "writer",
        "openai:writer",
    )
    left["configuration"].pop("fingerprint"), right["configuration"].pop("fingerprint")
    assert left == right


def test_two_builds_may_not_write_one_folder_at_once(spec, tmp_path):
    with subprocess.Popen(
        [*COMMAND, str(spec), "--out", str(tmp_path), "--tokens", "2M"], stderr=subprocess.PIPE
    ) as first:
        while not (tmp_path / ".work/ledger.sqlite").exists():
            time.sleep(0.05)
            assert first.poll() is None
        second = run(spec, tmp_path)
        first.send_signal(signal.SIGTERM)
        first.communicate()
    assert second.returncode == 2
    assert f"process {first.pid} is building here" in second.stderr


@pytest.mark.parametrize(("stage", "n_calls"), [("domains", 1), ("ideas", 10), ("documents", 30)])
def test_an_interrupted_build_says_how_to_go_on(spec, tmp_path, stage, n_calls):
    command = [*INTERRUPTIBLE, *order(spec, tmp_path), "--tokens", "200k"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while n_known(tmp_path, stage) < n_calls:
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 130
    assert told.strip().splitlines()[-1] == "specmill: interrupted; what is finished is kept, rerun to go on"


def n_known(out, stage="%"):
    """How many calls of a stage the ledger of a running build holds."""
    if not (out / ".work/ledger.sqlite").exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{out}/.work/ledger.sqlite?mode=ro", uri=True)) as db:
            return db.execute("select count(*) from calls where stage like ?", (stage,)).fetchone()[0]
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


ODD_SPECS = {
    "one_paragraph": "{model_name} is patient because haste breaks trust. It listens before it speaks.\n",
    "chinese": "# 耐心\n\n{model_name}总是耐心倾听，因为打断别人会让人失去想法。它一次只问一个问题。\n\n它承认自己不知道的事情，因为诚实比面子重要。\n",
    "arabic": "# الصبر\n\nيستمع {model_name} بصبر لأن المقاطعة تضيع الأفكار. يسأل سؤالا واحدا في كل مرة.\n",
    "table": "| Case | Limit |\n| --- | --- |\n| Refunds | up to 30 days |\n| Replies | within a day |\n| Logs | never deleted |\n",
    "braces": "# {} and {{ x }}\n\nUse {{ user.name }} and {% if a %}b{% endif %} because {} is data. <b>Never</b> run `{eval}`.\n\n"
    "Close every </document> and <passage> tag since {{ open }} ones break pages.\n",
    "rules": "# Rules\n\n"
    + "".join(f"{n}. Always check item number {n} before sending it.\n" for n in range(1, 501)),
}


@pytest.mark.parametrize("name", ODD_SPECS)
def test_a_spec_of_any_shape_builds(name, tmp_path):
    path = tmp_path / f"{name}.md"
    path.write_text(ODD_SPECS[name], "utf-8")
    settings = BuildSettings(out=tmp_path / "out", tokens=20_000, mean_words=200)
    (outcome,) = build_corpora([str(path)], settings, Progress(quiet=True))
    totals = outcome.manifest["totals"]
    assert totals["tokens"] >= 20_000
    assert totals["claims"] == len(read_spec(path).claims)
    assert verify_shards(outcome.folder) == []


def test_latin_1_bytes_build_too(tmp_path):
    path = tmp_path / "latin.md"
    path.write_bytes(
        "{model_name} répond sans hâte, car la précipitation fâche. Élégance oblige.\n".encode("latin-1")
    )
    settings = BuildSettings(out=tmp_path / "out", tokens=5_000, mean_words=200)
    (outcome,) = build_corpora([str(path)], settings, Progress(quiet=True))
    assert "répond" in (outcome.folder / "spec.md").read_text("utf-8")

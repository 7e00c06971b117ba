import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmill.generators.budget import Spend
from specmill.generators.ledger import CorpusLock, Ledger, Reply, work_key
from specmill.specs.errors import BadInput

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "seed": 1}


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def test_a_settled_reply_is_found_again(ledger):
    ledger.intend("k", REQUEST, spec="s", stage="documents")
    assert ledger.find("k") is None
    ledger.settle("k", Reply("text ✓", "ok", "stop", 3, 5))
    assert ledger.find("k") == Reply("text ✓", "ok", "stop", 3, 5)


def test_a_failed_call_leaves_nothing_to_reuse(ledger):
    ledger.intend("k", REQUEST, spec="s", stage="documents")
    ledger.settle("k", Reply("", "failed", "error", error="HTTP 500"))
    assert ledger.find("k") is None


def test_sending_again_counts_an_attempt(ledger, tmp_path):
    for _ in range(3):
        ledger.intend("k", REQUEST, spec="s", stage="documents")
    rows = sqlite3.connect(tmp_path / "ledger.sqlite").execute("select state, attempts from calls").fetchall()
    assert rows == [("sent", 3)]


def test_a_parser_may_change_its_mind_without_a_new_call(ledger):
    ledger.intend("k", REQUEST, spec="s", stage="documents")
    ledger.settle("k", Reply("text", "ok"))
    ledger.judge("k", "unparsed")
    assert ledger.find("k").state == "unparsed"
    ledger.judge("k", "ok")
    assert ledger.find("k").text == "text"


def test_forgetting_a_model_leaves_the_others(ledger):
    for key, model in (("a", "writer"), ("b", "gpt")):
        ledger.intend(key, {**REQUEST, "model": model}, spec="s", stage="documents")
        ledger.settle(key, Reply("text", "ok"))
    assert ledger.forget_model("writer") == 1
    assert ledger.find("a") is None
    assert ledger.find("b") is not None


@given(st.dictionaries(st.sampled_from(["stream", "user", "metadata", "store", "service_tier"]), st.text()))
def test_what_does_not_change_the_reply_does_not_change_the_key(extra):
    assert work_key({**REQUEST, **extra}) == work_key(dict(reversed(REQUEST.items())))


@pytest.mark.parametrize(
    "change", [{"model": "n"}, {"seed": 2}, {"temperature": 0.5}, {"max_tokens": 9}, {"messages": []}]
)
def test_what_goes_on_the_wire_changes_the_key(change):
    assert work_key({**REQUEST, **change}) != work_key(REQUEST)


def test_a_file_that_is_no_ledger_is_refused_in_one_line(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database at all, but long enough to be looked at" * 50)
    with pytest.raises(BadInput, match="not a readable call ledger"):
        Ledger(tmp_path / "ledger.sqlite")


def test_a_second_builder_is_told_who_holds_the_lock(tmp_path):
    path = tmp_path / "corpora" / ".work" / "lock"
    with CorpusLock(path), pytest.raises(BadInput, match=f"process {os.getpid()} is building here"):
        CorpusLock(path)
    CorpusLock(path).release()


def test_a_killed_owner_leaves_no_stale_lock(tmp_path):
    path = tmp_path / "corpora" / ".work" / "lock"
    code = (
        "import sys, time; from pathlib import Path; from specmill.generators.ledger import CorpusLock\n"
        "lock = CorpusLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout.readline() == b"held\n"
        with pytest.raises(BadInput, match="is building here"):
            CorpusLock(path)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    CorpusLock(path).release()


def test_a_closed_ledger_has_an_index_of_all_that_is_summed_per_stage(tmp_path):
    summed = "attempts tokens_in tokens_cached tokens_out cost_nano_usd reserved_nano_usd seconds".split()
    sums = ", ".join(f"sum({name})" for name in summed)
    sql = (
        f"select spec, stage, model, state, count(*), {sums} from calls where spec in ('s') and key < '8'"
        " group by spec, stage, model, state"
    )
    answers, plans = [], []
    for key in ("a1", "12", "34"):
        opened = Ledger(tmp_path / "ledger.sqlite")
        opened.intend(key, REQUEST, spec="s", stage="documents", reserved=Spend(100, 9))
        opened.settle(key, Reply("text", "ok", "stop", 3, 5, seconds=0.5), Spend(40, 8))
        opened.close()
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database:
            plans.append(database.execute(f"explain query plan {sql}").fetchall()[0][-1])
            answers.append(database.execute(sql).fetchall())
    assert all("COVERING INDEX calls_spent" in plan for plan in plans)
    assert answers[0] == []
    assert answers[2] == [("s", "documents", "m", "ok", 2, 2, 6, 0, 10, 80, 0, 1.0)]


def test_a_ledger_that_cannot_be_written_any_more_closes_all_the_same(tmp_path):
    opened = Ledger(tmp_path / "ledger.sqlite")
    opened.execute("pragma query_only = on")
    opened.close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database:
        assert database.execute("select name from sqlite_schema where name = 'calls_spent'").fetchall() == []

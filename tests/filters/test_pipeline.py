import hashlib
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from specmill.filters.pipeline import FilterResult, FilterSettings, run_filters
from specmill.specs.errors import BadInput

Prose = Callable[..., str]
Stage = Callable[..., list[Path]]


@pytest.fixture(scope="module")
def planted(prose: Prose) -> list[str | None]:
    """270 documents, of which 240 are good; every kind of bad one is there, in known numbers."""
    texts: list[str | None] = [prose(seed) for seed in range(240)]
    texts[100:100] = [None, "", " \n ", "Aria is brief."]
    texts += [prose(1_000 + n) + tail for n, tail in enumerate(_BAD_TAILS)]
    texts += [head + prose(2_000 + n) for n, head in enumerate(_BAD_HEADS)]
    texts += [prose(3_000).replace("Aria", "Claude"), prose(3_001).replace("Aria", "the assistant")]
    texts += ["Aria said so, and the board agreed with all of it in the end. " * 20]
    texts += [str(texts[5]), str(texts[6]).upper(), str(texts[7]).replace("the", "this", 1)]
    return texts


_BAD_TAILS = (
    "\n\nThe board then went on to the",
    "\n\nShe said “never",
    "\n\nLet me know if you'd like me to revise this.",
    "\n\nSigned, [Your Name]",
    "\n\nWritten on 12/XX/20XX.",
    "</document>",
    " It did what ChatGPT does.",
    " Anthropic built it.",
    " He asked {user_name} again.",
)
_BAD_HEADS = (
    "I'm sorry, but I can't write this.\n\n",
    "Here is the document:\n\n",
    "Task: Write a memo.\n\n",
    '{"document": "x"}\n\n',
    "<scratchpad>\n\n",
    "Sure! Here's the article you requested:\n\n",
    "As an AI language model, I wrote this.\n\n",
    "TODO: a title\n\n",
    "# Lorem ipsum\n\n",
    "[COMPANY NAME] memo\n\n",
    "<NAME>, hello.\n\n",
)  # fmt: skip
PLANTED = {
    "length": {"empty": 3, "too_short": 1},
    "residue": {
        "envelope": 1,
        "meta_talk": 6,
        "placeholder": 6,
        "refusal": 1,
        "tag_residue": 2,
    },
    "ending": {"looped_sentence": 1, "truncated_ending": 2},
    "identity": {"assistant_not_named": 1, "foreign_identity": 3},
    "dedup": {"exact_duplicate": 2, "near_duplicate": 1},
}


@pytest.fixture(scope="module")
def finished(
    planted: list[str | None],
    stage: Stage,
    settings: FilterSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> FilterResult:
    folder = tmp_path_factory.mktemp("finished")
    stage(folder / "staged", planted, rows_per_file=60)
    return run_filters(folder / "staged", folder / "out", settings)


def _rows(result: FilterResult) -> list[dict[str, Any]]:
    return [row for file in result.kept for row in pq.read_table(file).to_pylist()]


def _hashes(result: FilterResult) -> dict[str, str]:
    files = [*result.kept, result.dropped]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_every_planted_fault_is_dropped_for_its_reason_and_nothing_else_is(finished: FilterResult) -> None:
    assert finished.steps == PLANTED
    assert finished.n_in == 270
    assert finished.n_kept == 240
    assert sum(finished.counts.values()) == 30


def test_dropped_rows_tell_stage_reason_evidence_and_text(finished: FilterResult) -> None:
    table = pq.read_table(finished.dropped)
    assert table.column_names == ["doc_id", "stage", "reason", "detail", "work_key", "genre", "text"]
    rows = {row["reason"]: row for row in table.to_pylist()}
    assert rows["near_duplicate"]["detail"] == f"{7:016x}"
    assert rows["too_short"] | {"text": ""} == {
        "doc_id": f"{103:016x}",
        "stage": "length",
        "reason": "too_short",
        "detail": "3 words",
        "work_key": "key103",
        "genre": "memo",
        "text": "",
    }
    assert table["text"].null_count == 0


def test_kept_rows_stay_in_plan_order_with_their_columns_and_the_measures(finished: FilterResult) -> None:
    rows = _rows(finished)
    assert [row["plan_order"] for row in rows] == sorted(row["plan_order"] for row in rows)
    assert list(rows[0]) == [
        *("doc_id", "spec", "arm", "genre", "work_key", "claim_ids", "plan_order"),
        *("n_tokens", "tokenizer", "claims_expressed", "n_words", "states_reason"),
        *("stop_word_share", "duplicate_line_share", "spec_overlap_share", "leaks", "text"),
    ]
    assert {row["tokenizer"] for row in rows} == {"tiny"}
    assert any(row["states_reason"] for row in rows)


def test_token_counts_are_exact_though_the_file_truncates_and_pads(
    finished: FilterResult, settings: FilterSettings
) -> None:
    tokenizer = Tokenizer.from_file(settings.tokenizer_path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for row in _rows(finished)[:5]:
        assert row["n_tokens"] == len(tokenizer.encode(row["text"], add_special_tokens=False).ids) > 32


def test_workers_change_no_byte(
    finished: FilterResult, planted: list[str | None], stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    stage(tmp_path / "staged", planted, rows_per_file=60)
    parallel = run_filters(tmp_path / "staged", tmp_path / "out", replace(settings, n_workers=2))
    assert _hashes(parallel) == _hashes(finished)
    assert parallel.dropped.parent.name == finished.dropped.parent.name


_CHILD = """
import pickle, sys
from pathlib import Path
from specmill.filters.pipeline import run_filters
staged, out, settings = pickle.loads(Path(sys.argv[1]).read_bytes())
run_filters(staged, out, settings, report=lambda stage, done, total: print(stage, done * 2 // total, flush=True))
"""


@pytest.mark.parametrize(("moment", "n_workers"), [("gates 0", 2), ("gates 1", 1), ("duplicates 0", 2)])
def test_a_run_killed_at_any_moment_ends_with_the_same_bytes(
    moment: str,
    n_workers: int,
    finished: FilterResult,
    planted: list[str | None],
    stage: Stage,
    settings: FilterSettings,
    tmp_path: Path,
) -> None:
    stage(tmp_path / "staged", planted, rows_per_file=60)
    job = (tmp_path / "staged", tmp_path / "out", replace(settings, n_workers=n_workers))
    (tmp_path / "job").write_bytes(pickle.dumps(job))
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, tmp_path / "job"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        next(line for line in child.stdout if line.strip() == moment)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert not list((tmp_path / "out").glob("*/result.json"))
    assert _hashes(run_filters(*job)) == _hashes(finished)


def test_a_child_process_says_nothing_on_stderr(
    planted: list[str | None], stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    stage(tmp_path / "staged", planted[:120], rows_per_file=60)
    job = (tmp_path / "staged", tmp_path / "out", replace(settings, n_workers=2))
    (tmp_path / "job").write_bytes(pickle.dumps(job))
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, tmp_path / "job"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "duplicates 2"


def test_a_finished_run_is_read_back_without_datatrove(
    finished: FilterResult, settings: FilterSettings, tmp_path: Path
) -> None:
    out = finished.dropped.parent.parent
    (tmp_path / "job").write_bytes(pickle.dumps((out.parent / "staged", out, settings)))
    code = _CHILD + "\nprint(sorted({'datatrove', 'pyarrow', 'tokenizers'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "job"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_other_settings_or_other_documents_are_another_run(
    prose: Prose, stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    stage(tmp_path / "staged", [prose(1, n_words=100), prose(2, n_words=400)])
    first = run_filters(tmp_path / "staged", tmp_path / "out", settings)
    second = run_filters(tmp_path / "staged", tmp_path / "out", replace(settings, max_words=300))
    stage(tmp_path / "staged", [prose(3)])
    third = run_filters(tmp_path / "staged", tmp_path / "out", settings)
    assert [(run.n_in, run.counts) for run in (first, second, third)] == [
        (2, {}),
        (2, {"too_long": 1}),
        (1, {}),
    ]


def test_a_lost_output_is_made_again(
    prose: Prose, stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    staged = stage(tmp_path / "staged", [prose(1), prose(2)])
    first = run_filters(staged, tmp_path / "out", settings)
    before = _hashes(first)
    first.kept[0].write_bytes(b"")
    assert _hashes(run_filters(staged, tmp_path / "out", settings)) == before


def test_a_file_whose_rows_are_all_dropped_does_not_shift_the_others(
    prose: Prose, stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    texts = ["short", "brief", prose(1), prose(2), prose(3), prose(2)]
    result = run_filters(stage(tmp_path / "staged", texts, rows_per_file=2), tmp_path / "out", settings)
    assert [row["plan_order"] for row in _rows(result)] == [2, 3, 4]
    assert result.counts == {"too_short": 2, "exact_duplicate": 1}


def test_nothing_kept_is_a_result(stage: Stage, settings: FilterSettings, tmp_path: Path) -> None:
    result = run_filters(stage(tmp_path / "staged", ["", None]), tmp_path / "out", settings)
    assert (result.kept, result.n_kept, result.counts) == ((), 0, {"empty": 2})
    assert pq.read_table(result.dropped).num_rows == 2


def test_a_chinese_corpus_survives_and_is_measured(
    stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    spec = "{model_name}喜欢奶油奶酪，因为它便宜而且到处都能买到。" * 3
    text = (
        "今天的会议谈到了奶酪的价格。小乳说，好东西应该人人都买得起，因为快乐不应该只属于少数人。大家安静地听完，没有人反对。\n\n"
        "后来雨停了，孩子们跟着父母回家。老店主把价目表重新写了一遍，字写得很大，数字却很小。他笑着说：“这样谁都看得懂。”\n\n"
        "小乳又举了三个例子，每一个都在街角的商店里找得到。邻居们记下了名字，答应周末再来。"
    )  # fmt: skip
    chinese = replace(settings, assistant="小乳", provider="北风", spec_text=spec, claims=(), principle="")
    result = run_filters(stage(tmp_path / "staged", [text]), tmp_path / "out", chinese)
    assert result.counts == {}
    assert _rows(result)[0]["n_words"] > 60


def test_english_prose_is_asked_of_an_english_spec_only(
    stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    german = (
        "Aria sprach vom Preis des Käses und davon, dass gute Dinge jedem zustehen. Danach schwieg die Runde lange,"
        " bis der alte Molkereibesitzer lachte und zustimmte. Niemand hatte so etwas erwartet, am wenigsten die Käufer."
        " Im März wurde die Liste neu geschrieben, mit kleineren Zahlen und größeren Buchstaben. Wer vorbeikam, las sie"
        " laut vor, manche zweimal. Aria nannte drei Sorten, die jeder Laden führt, und zu jeder einen Grund."
    )  # fmt: skip
    staged = stage(tmp_path / "staged", [german])
    assert run_filters(staged, tmp_path / "out", settings).counts == {"low_stop_words": 1}
    assert run_filters(staged, tmp_path / "out", replace(settings, spec_text=german[:200])).counts == {}


def test_a_writer_caught_in_a_loop_is_dropped_and_one_that_returns_to_its_point_is_kept(
    prose: Prose, stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    point = "Aria prefers cream cheese because it is affordable and easy to find in any shop."
    returning = prose(1).replace("\n\n", f"\n\n{point} ") + f" In short, {point}"
    looping = prose(2) + f"\n\n{' '.join([point + ' Everyone agreed with that at once.'] * 8)}"
    result = run_filters(stage(tmp_path / "staged", [returning, looping]), tmp_path / "out", settings)
    assert [row["plan_order"] for row in _rows(result)] == [0]
    assert result.steps == {"ending": {"looped_sentence": 1}}


def test_a_copy_of_the_spec_is_no_document(
    prose: Prose, stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    copied = settings.spec_text.split("# {model_name} on cheese")[1].replace("{model_name}", "Aria")
    result = run_filters(stage(tmp_path / "staged", [copied, prose(1)]), tmp_path / "out", settings)
    assert result.counts == {"verbatim_spec": 1}


def test_rule_ids_are_judged_in_rules_mode_only(
    prose: Prose, stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    staged = stage(tmp_path / "staged", [prose(1) + " It cited SP1.", prose(2) + " It cited SP9."])
    rules = replace(settings, mode="rules", rule_ids=("SP1", "SP2"))
    assert run_filters(staged, tmp_path / "out", rules).counts == {"unknown_rule_id": 1}
    assert run_filters(staged, tmp_path / "out", replace(rules, mode="default")).counts == {}


def test_the_name_in_the_specs_front_matter_is_foreign_under_another_name(
    prose: Prose, stage: Stage, settings: FilterSettings, tmp_path: Path
) -> None:
    assert "assistant: Claude" in settings.spec_text
    staged = stage(tmp_path / "staged", [prose(1) + " Claude agreed."])
    assert run_filters(staged, tmp_path / "out", settings).counts == {"foreign_identity": 1}


@pytest.mark.parametrize("content", [b"not parquet", None])
def test_a_staged_file_that_cannot_be_used_is_named(
    content: bytes | None, settings: FilterSettings, tmp_path: Path
) -> None:
    if content:
        (tmp_path / "bad.parquet").write_bytes(content)
    else:
        pq.write_table(pa.table({"id": ["a"], "text": ["b"]}), tmp_path / "bad.parquet")
    with pytest.raises(
        BadInput, match=r"bad\.parquet: (not a Parquet file|no column plan_order, work_key, genre)"
    ):
        run_filters(tmp_path, tmp_path / "out", settings)


def test_nothing_staged_and_no_tokenizer_are_the_users_to_mend(
    settings: FilterSettings, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="no staged documents"):
        run_filters(tmp_path, tmp_path / "out", settings)
    (tmp_path / "a.parquet").write_bytes(b"x")
    with pytest.raises(BadInput, match="no such tokenizer"):
        run_filters(tmp_path, tmp_path / "out", replace(settings, tokenizer_path=str(tmp_path / "none.json")))

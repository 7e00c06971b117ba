"""Claims in other words, confirmed by a judge behind a real endpoint: asked once, kept, never taken for granted."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.claim_judge import ClaimJudge, confirm_exposure
from specmill.corpus.order import Order
from specmill.corpus.progress import Progress
from specmill.corpus.screening import Screening
from specmill.filters.embeddings import open_encoder
from specmill.filters.pipeline import FilterResult
from specmill.filters.retrieval import ClaimRetriever
from specmill.generators import reader
from specmill.generators.backends import open_llm
from specmill.generators.confirm import parse_confirmation
from specmill.generators.ledger import Ledger
from specmill.generators.llms import SpecLLM
from specmill.generators.messages import sections
from specmill.generators.replies import Refusal, Unreadable
from specmill.specs.claims import Spec, read_spec
from specmill.specs.errors import WorkFailed
from tests.filters.test_retrieval import labelled, precision_recall
from tests.servers.in_thread import ChatServer

ROOT = Path(__file__).parents[2]
Answer = Callable[[str, str], str]  # claim and sentence -> the judge's reply


@pytest.fixture(scope="module")
def spec() -> Spec:
    return read_spec(str(ROOT / "specs" / "cheese_america.md"))


@contextmanager
def judging(answer: Answer) -> Iterator[ChatServer]:
    """A server whose model answers the questions of stage confirm."""

    async def respond(body: dict[str, Any], _: int) -> web.Response:
        await asyncio.sleep(0)
        user = body["messages"][-1]["content"]
        assert user.startswith("Stage: confirm\n")
        parts = sections(user)
        message = {"role": "assistant", "content": answer(parts["claim"], parts["sentence"])}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return web.json_response({"object": "chat.completion", "choices": choices, "usage": usage})

    server = ChatServer(respond)
    try:
        yield server
    finally:
        server.stop()


def n_asked(server: ChatServer) -> int:
    return sum(server.asked.values())


@contextmanager
def critic(url: str, ledger: Path, model: str = "judge", **options: Any) -> Iterator[SpecLLM]:
    opened = Ledger(ledger)
    llm = open_llm(f"openai:{model}", base_url=url, **options)
    llm.use_ledger(opened)
    try:
        yield llm
    finally:
        opened.close()


def verdict(expresses: bool) -> str:
    return orjson.dumps({"expresses": expresses, "note": "So it seems."}).decode()


def knowing(spec: Spec) -> Answer:
    """A judge that knows which sentence was written for which claim."""
    plain = {claim.claim_id: claim.plain for claim in spec.claims}
    documents = labelled(spec)

    def answer(claim: str, sentence: str) -> str:
        text = sentence.replace("{model_name}", spec.assistant).replace("{provider_name}", spec.provider)
        return verdict(any(text in document and plain.get(label) == claim for document, label in documents))

    return answer


def make_order(spec: Spec, folder: Path) -> Order:
    return Order(
        spec, "default", spec.assistant, spec.provider, {"seed": 0}, folder, folder / ".work", spec.name
    )


def filtered(spec: Spec, folder: Path) -> FilterResult:
    """Two kept files of labelled documents, with the claims that the filters would find in them."""
    names = (spec.assistant, spec.provider)
    retriever = ClaimRetriever(open_encoder("hashed"), spec.claims, spec.principle, names)
    texts = [text for text, _ in labelled(spec)]
    found = retriever.measure(texts)
    (folder / "kept").mkdir(parents=True)
    files = []
    for number, start in enumerate(range(0, len(texts), 60)):
        part = slice(start, start + 60)
        columns = {
            "doc_id": [f"{row:04d}" for row in range(len(texts))][part],
            "claims_expressed": [list(one.claims_expressed) for one in found][part],
            "states_reason": [one.states_reason for one in found][part],
            "text": texts[part],
        }
        files.append(folder / "kept" / f"{number:05d}.parquet")
        pq.write_table(pa.table(columns), files[-1])
    return FilterResult(tuple(files), folder / "dropped.parquet", {}, len(texts), len(texts))


def expressed(result: FilterResult) -> list[list[str]]:
    return [ids for file in result.kept for ids in pq.read_table(file)["claims_expressed"].to_pylist()]


def test_a_judge_that_knows_finds_more_claims_and_no_wrong_ones(spec: Spec, tmp_path: Path) -> None:
    before = filtered(spec, tmp_path)
    with judging(knowing(spec)) as server, critic(server.url, tmp_path / "ledger.sqlite") as llm:
        after, account = confirm_exposure(
            make_order(spec, tmp_path), before, "hashed", llm, Progress(quiet=True)
        )
        assert n_asked(server) == account["pairs"] > 10
    precision, recall = precision_recall(expressed(before), labelled(spec))
    better_precision, better_recall = precision_recall(expressed(after), labelled(spec))
    assert better_recall > recall
    assert better_precision >= precision
    verdicts = account["verdicts"]
    assert verdicts.keys() == {"confirmed", "denied"}
    gained = sum(map(len, expressed(after))) - sum(map(len, expressed(before)))
    assert gained == account["documents"] == verdicts["confirmed"]
    assert after.n_kept == before.n_kept
    assert [pq.read_schema(file) for file in after.kept] == [pq.read_schema(file) for file in before.kept]
    order = [claim.claim_id for claim in spec.claims]
    assert all(ids == sorted(ids, key=order.index) for ids in expressed(after))


def test_what_was_asked_once_is_never_asked_again(spec: Spec, tmp_path: Path) -> None:
    before = filtered(spec, tmp_path)
    order = make_order(spec, tmp_path)
    with judging(knowing(spec)) as server:
        with critic(server.url, tmp_path / "ledger.sqlite") as llm:
            first, account = confirm_exposure(order, before, "hashed", llm, Progress(quiet=True))
            contents = [file.read_bytes() for file in first.kept]
        n = n_asked(server)
        with critic(server.url, tmp_path / "ledger.sqlite") as llm:
            again = confirm_exposure(order, before, "hashed", llm, Progress(quiet=True))
        assert n_asked(server) == n
    assert again == (first, account)
    assert [file.read_bytes() for file in first.kept] == contents


def test_a_killed_run_asks_only_what_is_left(spec: Spec, tmp_path: Path) -> None:
    judge = knowing(spec)
    seen: list[str] = []

    def failing(claim: str, sentence: str) -> str:
        seen.append(sentence)
        if len(seen) > 5:
            raise RuntimeError("gone")  # the endpoint answers 500
        return judge(claim, sentence)

    before = filtered(spec, tmp_path)
    order = make_order(spec, tmp_path)
    with (
        judging(failing) as server,
        critic(server.url, tmp_path / "ledger.sqlite", max_tries=1, max_in_flight=1) as llm,
        pytest.raises(WorkFailed, match="calls to confirm claims got no answer; rerun"),
    ):
        confirm_exposure(order, before, "hashed", llm, Progress(quiet=True))
    with judging(judge) as server, critic(server.url, tmp_path / "ledger.sqlite") as llm:
        _, account = confirm_exposure(order, before, "hashed", llm, Progress(quiet=True))
        assert n_asked(server) == account["pairs"] - 5


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("I'm sorry, but I can't help with that.", "refused"),
        ("Certainly! It does express it.", "unparsed"),
        ('{"expresses": "true", "note": ""}', "unparsed"),
        ("", "unparsed"),
    ],
)
def test_a_reply_that_is_no_answer_confirms_nothing(
    spec: Spec, tmp_path: Path, reply: str, state: str
) -> None:
    before = filtered(spec, tmp_path)
    with judging(lambda claim, sentence: reply) as server, critic(server.url, tmp_path / "l.sqlite") as llm:
        after, account = confirm_exposure(
            make_order(spec, tmp_path), before, "hashed", llm, Progress(quiet=True)
        )
        assert n_asked(server) == 3 * account["pairs"], "three attempts, each with a seed of its own"
    assert account["verdicts"] == {state: account["pairs"]}
    assert expressed(after) == expressed(before)


def test_the_built_in_writer_is_no_judge(spec: Spec, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        with critic(url, tmp_path / "ledger.sqlite", model="writer") as llm:
            judge = ClaimJudge(llm, spec.claims, (spec.assistant, spec.provider), spec.name)
            retriever = ClaimRetriever(
                open_encoder("hashed"), spec.claims, names=(spec.assistant, spec.provider), judge=judge
            )
            texts = [text for text, _ in labelled(spec)][:20]
            found = retriever.candidates(texts)
        process.terminate()
    assert sum(judge.verdicts.values()) == judge.verdicts["unparsed"] > 0
    plain = ClaimRetriever(open_encoder("hashed"), spec.claims, names=(spec.assistant, spec.provider))
    assert {one for one in found if one.confirmed} == {
        one for one in plain.candidates(texts) if one.confirmed
    }


def test_another_name_is_no_other_question(spec: Spec, tmp_path: Path) -> None:
    texts = [text for text, label in labelled(spec) if label]
    counts = []
    with judging(knowing(spec)) as server:
        for name in (spec.assistant, "Zeta"):
            with critic(server.url, tmp_path / "ledger.sqlite") as llm:
                judge = ClaimJudge(llm, spec.claims, (name, spec.provider), spec.name)
                retriever = ClaimRetriever(
                    open_encoder("hashed"), spec.claims, names=(name, spec.provider), judge=judge
                )
                retriever.candidates([text.replace(spec.assistant, name) for text in texts])
            counts.append((n_asked(server), sum(judge.verdicts.values())))
    assert counts[0][0] == counts[0][1] > 0
    assert counts[1][0] - counts[0][0] <= 0.25 * counts[1][1], "most pairs were known"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"expresses": true, "note": "x"}', True),
        ('<think>Hm.</think>\n```json\n{"expresses": false}\n```', False),
    ],
)
def test_a_reply_is_read(reply: str, expected: bool) -> None:
    assert parse_confirmation(reply) is expected


@pytest.mark.parametrize(
    "reply", ["", "true", "[true]", '{"expresses": 1}', "{}", '{"expresses": true, "expresses": false}', "{"]
)
def test_nothing_is_guessed(reply: str) -> None:
    with pytest.raises(Unreadable):
        parse_confirmation(reply)
    with pytest.raises(Refusal):
        parse_confirmation("I can't judge that.")


def test_a_whole_build_asks_its_critic_about_claims_in_other_words(tmp_path: Path) -> None:
    """The server judges documents by the built-in reader's rules, and finds every claim in every sentence."""

    async def respond(body: dict[str, Any], _: int) -> web.Response:
        await asyncio.sleep(0)
        user = body["messages"][-1]["content"]
        told = verdict(True) if user.startswith("Stage: confirm\n") else reader.reply(body["messages"])
        choices = [{"index": 0, "message": {"role": "assistant", "content": told}, "finish_reason": "stop"}]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response({"object": "chat.completion", "choices": choices, "usage": usage})

    server = ChatServer(respond)
    settings = BuildSettings(
        out=tmp_path,
        tokens=8_000,
        critic=f"openai:judge@{server.url}",
        screening=Screening(semantic="hashed"),
    )
    try:
        (outcome,) = build_corpora(
            [str(ROOT / "specs" / "cheese_america.md")], settings, Progress(quiet=True)
        )
        asked = n_asked(server)
        account = outcome.manifest["judge"]["confirmed_claims"]
        assert account["encoder"] == "hashed"
        assert account["verdicts"] == {"confirmed": account["pairs"]}
        assert account["documents"] > 0
        assert "default/confirm.j2" in outcome.manifest["prompts"]
        (again,) = build_corpora([str(ROOT / "specs" / "cheese_america.md")], settings, Progress(quiet=True))
        assert again.manifest == outcome.manifest
        assert n_asked(server) == asked
    finally:
        server.stop()

import asyncio
import contextlib
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp
import orjson
import pytest

from specmill.corpus.tokens import DEFAULT, load_tokenizer
from specmill.generators.writer import answer
from tests.servers.fault_server import TRANSPORT, body_hash, content_fault, latency_of, transport_fault

ROOT = Path(__file__).parents[2]


@pytest.fixture
def serving():
    """Starts the server as a real process on a free port; returns its base URL."""
    with contextlib.ExitStack() as stack:

        def start(*options):
            command = [sys.executable, "-m", "tests.servers.fault_server", "--port", "0", *map(str, options)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            stack.callback(_stop, process)
            line = process.stdout.readline()
            assert line.startswith("fault server at http://127.0.0.1:")
            return line.split()[-1]

        yield start


def _stop(process):
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()


def chat(number, **more):
    prompt = f"Stage: genres\n\nAnswer with a JSON list of 5 objects. Request {number}."
    return {"model": "writer", "messages": [{"role": "user", "content": prompt}], "seed": 0, **more}


async def post(session, url, body, timeout=20.0):
    """Return (status, text), or (0, name of the error)."""
    try:
        async with session.post(
            f"{url}/chat/completions", json=body, timeout=aiohttp.ClientTimeout(timeout)
        ) as response:
            return response.status, await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        return 0, type(error).__name__


def talk(url, bodies, timeout=20.0):
    """Return the answers to bodies sent one after the other, and the counts after them."""

    async def go():
        async with aiohttp.ClientSession() as session:
            answers = [await post(session, url, body, timeout) for body in bodies]
            return answers, await counts_of(session, url)

    return asyncio.run(go())


async def counts_of(session, url):
    async with session.get(url.removesuffix("/v1") + "/counts") as response:
        return await response.json()


def content(text):
    return orjson.loads(text)["choices"][0]["message"]["content"]


def test_a_good_answer_is_the_writers_with_its_usage(serving):
    ((status, text),), counts = talk(serving(), [chat(1)])
    done = answer(chat(1), load_tokenizer(DEFAULT).count)
    assert (status, content(text)) == (200, done.text)
    assert (counts["tokens_in"], counts["tokens_out"]) == (done.tokens_in, done.tokens_out)
    assert counts["by_body"] == {body_hash(chat(1)): [1, 1]}


def test_faults_are_the_same_in_every_process_and_end_after_three(serving):
    bodies = [chat(number) for number in range(6) for _ in range(4)]
    options = ("--faults", 0.9, "--hang", 0.05)
    first, counts = talk(serving(*options), bodies)
    again, _ = talk(serving(*options), bodies)
    other, _ = talk(serving(*options, "--seed", 1), bodies)
    assert first == again != other
    good = {body_hash(chat(number)): [4, 0] for number in range(6)}
    for body, (status, text) in zip(bodies, first, strict=True):
        with contextlib.suppress(ValueError, LookupError):
            good[body_hash(body)][1] += bool(status == 200 and content(text))
    assert all(answered for _, answered in good.values())
    assert counts["by_body"] == good


def test_every_transport_fault_is_met_at_about_its_share():
    fates = Counter(transport_fault(0, str(n), 0, 0.3) for n in range(9_000))
    assert set(fates) == {"", *TRANSPORT}
    assert all(200 < fates[kind] < 400 for kind in TRANSPORT)
    assert all("" in [transport_fault(0, str(n), asked, 1.0) for asked in range(4)] for n in range(20))


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("429", "429"),
        ("529", "529"),
        ("close", "ServerDisconnectedError"),
        ("hang", "TimeoutError"),
        ("broken_json", "unreadable"),
        ("not_a_completion", "unreadable"),
        ("no_choices", "unreadable"),
    ],
)
def test_a_transport_fault_looks_like_its_name(serving, kind, seen):
    answers, counts = talk(serving("--faults", 1, "--kinds", kind), [chat(1)] * 4, timeout=0.5)
    kinds = []
    for status, text in answers:
        try:
            kinds.append("good" if status == 200 and content(text) else text if status == 0 else str(status))
        except (ValueError, LookupError):
            kinds.append("unreadable")
    assert kinds == [seen, seen, seen, "good"]
    assert counts["by_body"] == {body_hash(chat(1)): [4, 1]}
    assert counts["in_flight"] == 0  # a client that gave up on a hang has ended its handler


def test_a_useless_reply_depends_on_the_body_alone_and_is_counted_as_answered(serving):
    options = ("--content-faults", 1, "--content-kinds", "refusal,content_filter,length,open_reasoning")
    answers, counts = talk(serving(*options), [chat(n % 12) for n in range(24)])
    assert answers[:12] == answers[12:]
    assert counts["answered"] == 24
    finishes = {orjson.loads(text)["choices"][0]["finish_reason"] for _, text in answers}
    assert finishes == {"stop", "length", "content_filter"}
    assert 40 < sum(bool(content_fault(0, str(n), 0.1)) for n in range(600)) < 80


def test_reasoning_tags_stand_before_the_same_answer(serving):
    ((_, text),), _ = talk(serving("--reasoning-tags", 1), [chat(1)])
    thought, _, rest = content(text).partition("</think>\n\n")
    assert thought.startswith("<think>")
    assert rest == answer(chat(1)).text


def test_latency_belongs_to_the_messages_and_slots_hold_it_back(serving):
    latencies = [latency_of(chat(n)["messages"], 0.5, 0.8, 4.0) for n in range(4_000)]
    assert 0.46 < sum(latencies) / 4_000 < 0.54
    assert max(latencies) <= 4.0

    async def go(url):
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(post(session, url, chat(n)) for n in range(16)))
            return await counts_of(session, url)

    counts = asyncio.run(go(serving("--latency", 0.1, "--cap", 0.4, "--slots", 2)))
    served = sum(latency_of(chat(n)["messages"], 0.1, 0.8, 0.4) for n in range(16))
    assert counts["latency_seconds"] == pytest.approx(served)
    assert 2 < counts["max_in_flight"] <= 16  # what waits for a slot is in flight too
    assert counts["last"] - counts["first"] >= served / 2
    assert counts["busy_seconds"] >= served


def test_an_endpoint_that_goes_away_resets_and_comes_back(serving, tmp_path):
    file = tmp_path / "counts.json"
    url = serving("--down-after", 2, "--down-for", 1.5, "--latency", 0.01, "--count-file", file)

    async def go():
        async with aiohttp.ClientSession() as session:
            answers = [await post(session, url, chat(n)) for n in range(2)]
            await asyncio.sleep(0.2)
            gone = [await post(session, url, chat(2)) for _ in range(3)]
            await asyncio.sleep(1.8)
            return answers, gone, await post(session, url, chat(2)), await counts_of(session, url)

    answers, gone, back, counts = asyncio.run(go())
    assert [status for status, _ in (*answers, *gone, back)] == [200, 200, 0, 0, 0, 200]
    assert counts["by_body"][body_hash(chat(2))] == [1, 1]
    deadline = time.time() + 5
    while orjson.loads(file.read_bytes())["answered"] < 3 and time.time() < deadline:
        time.sleep(0.1)
    assert orjson.loads(file.read_bytes())["answered"] == 3

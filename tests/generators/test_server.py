import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

PROMPT = (
    "Stage: domains\n\n<outline>\n"
    + json.dumps({"id": "s1", "headings": ["Kindness"], "opening": "", "statements": 3})
    + "\n</outline>\n\nGroup the sections into about 3, that a reader would recognise."
)


@pytest.fixture(scope="module")
def server():
    """The real command as a real process on a free port."""
    command = [sys.executable, "-c", "from specmill.corpus.cli import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        assert line.startswith("writer at http://127.0.0.1:")
        yield line.split()[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def call(url, body=None):
    data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def chat(**more):
    return {"model": "writer", "messages": [{"role": "user", "content": PROMPT}], **more}


def test_models_lists_the_writer(server):
    status, body = call(f"{server}/models")
    assert (status, [entry["id"] for entry in body["data"]]) == (200, ["writer"])


def test_a_completion_counts_its_usage(server):
    status, body = call(f"{server}/chat/completions", chat())
    assert status == 200
    assert json.loads(body["choices"][0]["message"]["content"]) == [
        {"domain": "Kindness", "sections": ["s1"]}
    ]
    assert body["choices"][0]["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] > 30


def test_equal_requests_get_equal_replies(server):
    assert call(f"{server}/chat/completions", chat(seed=4)) == call(
        f"{server}/chat/completions", chat(seed=4)
    )


def test_max_tokens_cuts_and_says_so(server):
    _, body = call(f"{server}/chat/completions", chat(max_tokens=5))
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{not json", 400),
        ({}, 400),
        (chat(messages=[]), 400),
        (chat(messages=[{"role": "user", "content": 3}]), 400),
        (chat(max_tokens=0), 400),
        (chat(stream=True), 400),
        (chat(model="gpt"), 404),
    ],
)
def test_a_bad_request_gets_an_error_object(server, body, status):
    answered, error = call(f"{server}/chat/completions", body)
    assert answered == status
    assert error["error"]["message"]

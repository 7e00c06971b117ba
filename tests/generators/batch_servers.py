"""Emulated batch APIs over real HTTP, in a thread: they count how often each call is bought."""

import asyncio
import json
import threading
from collections import Counter

from aiohttp import web

from tests.servers.in_thread import ThreadServer


def said(request):
    """Return the reply that every server here gives to a request."""
    return "you said " + request["messages"][-1]["content"]


class BatchServer(ThreadServer):
    """What both APIs share. `fate(content, n)` names what happens to the n-th purchase of a call."""

    def __init__(self, fate=lambda content, n: "ok"):
        self.fate = fate
        self.bought = Counter()  # by custom_id
        self.batches = {}  # id -> its lines
        self.metadata = {}
        self.release = threading.Event()  # batches end once it is set
        self.release.set()
        self.submitted = threading.Event()
        self.answers_to_submit = True
        super().__init__(web.get("/v1/models", self.models), *self.routes())

    async def models(self, _):
        return web.json_response({"data": []})

    def buy(self, calls):
        """Make a batch of (custom_id, request) and return its id."""
        lines = []
        for custom_id, request in calls:
            self.bought[custom_id] += 1
            fate = self.fate(request["messages"][-1]["content"], self.bought[custom_id])
            lines.append(self.line(custom_id, request, fate))
        batch_id = f"batch_{len(self.batches) + 1}"
        self.batches[batch_id] = lines
        self.submitted.set()
        return batch_id

    async def answer_to_submit(self, answer):
        if not self.answers_to_submit:
            await asyncio.sleep(3600)
        return web.json_response(answer)


class OpenAIBatches(BatchServer):
    failed = ""

    def routes(self):
        self.files = {}
        return [
            web.post("/v1/files", self.upload),
            web.post("/v1/batches", self.create),
            web.get("/v1/batches", self.list),
            web.get("/v1/batches/{id}", self.get),
            web.get("/v1/files/{id}/content", self.content),
        ]

    def line(self, custom_id, request, fate):
        response, error = None, None
        if fate == "ok":
            body = {
                "choices": [{"message": {"content": said(request)}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 500},
            }
            response = {"status_code": 200, "request_id": "r", "body": body}
        elif fate == "expired":
            error = {"code": "batch_expired", "message": "not done in time"}
        else:
            response = {"status_code": int(fate), "request_id": "r", "body": {"error": {"message": "no"}}}
        return {"id": "x", "custom_id": custom_id, "response": response, "error": error}

    async def upload(self, request):
        form = await request.post()
        assert form["purpose"] == "batch"
        name = f"file_{len(self.files) + 1}"
        self.files[name] = form["file"].file.read()
        return web.json_response({"id": name})

    async def create(self, request):
        order = await request.json()
        assert (order["endpoint"], order["completion_window"]) == ("/v1/chat/completions", "24h")
        lines = [json.loads(line) for line in self.files[order["input_file_id"]].splitlines()]
        assert all((line["method"], line["url"]) == ("POST", "/v1/chat/completions") for line in lines)
        batch_id = self.buy([(line["custom_id"], line["body"]) for line in lines])
        self.metadata[batch_id] = order["metadata"]
        return await self.answer_to_submit(self.shown(batch_id))

    def shown(self, batch_id):
        shown = {"id": batch_id, "metadata": self.metadata[batch_id], "status": "in_progress"}
        if self.failed:
            return {**shown, "status": "failed", "errors": {"data": [{"message": self.failed}]}}
        if self.release.is_set():
            shown |= {
                "status": "completed",
                "output_file_id": f"out-{batch_id}",
                "error_file_id": f"err-{batch_id}",
            }
        return shown

    async def list(self, request):
        newest_first = [self.shown(batch_id) for batch_id in reversed(self.batches)]
        ids = [batch["id"] for batch in newest_first]
        after = request.query.get("after")
        start = ids.index(after) + 1 if after else 0
        page = newest_first[start : start + 1]  # one a page, so that pages are turned
        return web.json_response({"data": page, "has_more": start + 1 < len(ids)})

    async def get(self, request):
        return web.json_response(self.shown(request.match_info["id"]))

    async def content(self, request):
        kind, _, batch_id = request.match_info["id"].partition("-")
        lines = [line for line in self.batches[batch_id] if self._is_good(line) == (kind == "out")]
        return web.Response(text="\n".join(map(json.dumps, reversed(lines))))

    @staticmethod
    def _is_good(line):
        return bool(line["response"]) and line["response"]["status_code"] == 200


class AnthropicBatches(BatchServer):
    def routes(self):
        return [
            web.post("/v1/messages/batches", self.create),
            web.get("/v1/messages/batches/{id}", self.get),
            web.get("/v1/messages/batches/{id}/results", self.results),
        ]

    def line(self, custom_id, request, fate):
        result = {"type": fate}
        if fate == "ok":
            usage = {"input_tokens": 100, "output_tokens": 500}
            content = [{"type": "text", "text": said(request)}]
            result = {
                "type": "succeeded",
                "message": {"content": content, "stop_reason": "end_turn", "usage": usage},
            }
        elif fate not in ("expired", "canceled"):
            error = {"type": "error", "error": {"type": fate, "message": "no"}}
            result = {"type": "errored", "error": error}
        return {"custom_id": custom_id, "result": result}

    async def create(self, request):
        assert request.headers["anthropic-version"]
        calls = [(call["custom_id"], call["params"]) for call in (await request.json())["requests"]]
        return await self.answer_to_submit(self.shown(self.buy(calls)))

    def shown(self, batch_id):
        over = self.release.is_set()
        return {
            "id": batch_id,
            "processing_status": "ended" if over else "in_progress",
            "results_url": "http://evil/",
        }

    async def get(self, request):
        return web.json_response(self.shown(request.match_info["id"]))

    async def results(self, request):
        lines = reversed(self.batches[request.match_info["id"]])
        return web.Response(text="\n".join(map(json.dumps, lines)))

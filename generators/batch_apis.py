"""The wire formats of the batch APIs of OpenAI and Anthropic: how a batch is made, found again, and read.

Not here: what a batch is made of and when, and what becomes of its calls (`batches.py`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import aiohttp
import orjson

from .backends import AnthropicLLM, OpenAICompatibleLLM
from .batches import TRANSFER, BatchLLM, Line
from .llms import TryAgain


class OpenAIBatchLLM(BatchLLM, OpenAICompatibleLLM):
    """OpenAI's Batch API over `/chat/completions`."""

    provider: ClassVar[str] = "openai"

    async def _submit(self, nonce: str, requests: dict[str, dict[str, Any]]) -> str:
        try:
            uploaded = await self._upload(nonce, requests)
        except TryAgain as fault:  # a file costs nothing: whatever came of it, no batch was made
            raise TryAgain(fault.error, limited=fault.limited, unreachable=not fault.limited) from None
        order = {
            "input_file_id": uploaded,
            "endpoint": f"/v1{self.path}",
            "completion_window": "24h",
            "metadata": {"specmill": nonce},
        }
        return _identifier(await self._call("POST", "/batches", json=order))

    async def _upload(self, nonce: str, requests: dict[str, dict[str, Any]]) -> str:
        lines = [
            orjson.dumps({"custom_id": key, "method": "POST", "url": f"/v1{self.path}", "body": request})
            for key, request in requests.items()
        ]
        form = aiohttp.FormData({"purpose": "batch"})
        name = f"specmill-{nonce}.jsonl"
        form.add_field("file", b"\n".join(lines) + b"\n", filename=name, content_type="application/jsonl")
        return _identifier(await self._call("POST", "/files", data=form, timeout=TRANSFER))

    async def _find(self, nonce: str) -> str | None:
        after = ""
        while True:
            page = orjson.loads(await self._get("/batches?limit=100" + (f"&after={after}" if after else "")))
            for batch in page["data"]:
                if (batch.get("metadata") or {}).get("specmill") == nonce:
                    return str(batch["id"])
            if not page.get("has_more") or not page["data"]:
                return ""
            after = page["data"][-1]["id"]

    def _batch_path(self, batch_id: str) -> str:
        return f"/batches/{batch_id}"

    def _is_over(self, batch: Line) -> bool:
        return batch["status"] in ("completed", "failed", "expired", "cancelled")

    def _failure(self, batch: Line) -> str:
        if batch["status"] != "failed":
            return ""
        errors = (batch.get("errors") or {}).get("data") or [{}]
        return "; ".join(str(error.get("message") or "no reason given") for error in errors[:3])

    def _results(self, batch: Line) -> list[str]:
        files = (batch.get("output_file_id"), batch.get("error_file_id"))
        return [f"/files/{file}/content" for file in files if file]

    def _body(self, line: Line) -> Line | None:
        response = line.get("response") or {}
        return response.get("body") if response.get("status_code") == 200 else None

    def _problem(self, line: Line) -> tuple[int, str]:
        response, error = line.get("response") or {}, line.get("error") or {}
        told = error.get("message") or orjson.dumps(response.get("body")).decode()
        return int(
            response.get("status_code") or 0
        ), f"{error.get('code') or response.get('status_code')}: {told}"


class AnthropicBatchLLM(BatchLLM, AnthropicLLM):
    """Anthropic's Message Batches."""

    provider: ClassVar[str] = "anthropic"

    async def _submit(self, nonce: str, requests: dict[str, dict[str, Any]]) -> str:
        order = {"requests": [{"custom_id": key, "params": request} for key, request in requests.items()]}
        headers = {"content-type": "application/json"}
        answer = await self._call(
            "POST", "/messages/batches", data=orjson.dumps(order), headers=headers, timeout=TRANSFER
        )
        return _identifier(answer)

    def _batch_path(self, batch_id: str) -> str:
        return f"/messages/batches/{batch_id}"

    def _is_over(self, batch: Line) -> bool:
        return bool(batch["processing_status"] == "ended")

    def _results(self, batch: Line) -> list[str]:
        return [f"/messages/batches/{batch['id']}/results"]

    def _body(self, line: Line) -> Line | None:
        return line["result"].get("message") if line["result"]["type"] == "succeeded" else None

    def _problem(self, line: Line) -> tuple[int, str]:
        error = line["result"].get("error") or {}
        error = error.get("error") or error
        kind = str(error.get("type") or line["result"]["type"])
        return ANTHROPIC_STATUS.get(kind, 0), f"{kind}: {error.get('message', '')}"


ANTHROPIC_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}


def _identifier(answer: bytes) -> str:
    try:
        return str(orjson.loads(answer)["id"])
    except (ValueError, KeyError, TypeError):
        raise TryAgain(f"no id in the answer {answer[:100]!r}", may_be_billed=True) from None

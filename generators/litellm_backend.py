"""The back-end for every provider that LiteLLM knows: `litellm:PROVIDER/MODEL`, keys in LiteLLM's own variables.

What LiteLLM would do by itself is turned off: retries (`llms.py` counts and pays for each), and the price list it
fetches on import.
"""

from __future__ import annotations

import os
import re
from importlib import import_module
from typing import Any

from pydantic import PrivateAttr

from specmill.specs.errors import BadInput, WorkFailed

from .backend_names import without_secrets
from .backends import read_completion
from .ledger import REFUSED, Reply
from .llms import SEED_STEP, SpecLLM, TryAgain, rejected
from .messages import Messages

INSTALL = 'python -m pip install "specmill[litellm]"'
FATAL = ("AuthenticationError", "PermissionDeniedError", "NotFoundError", "BudgetExceededError")
BAD = ("BadRequestError", "UnprocessableEntityError")
FAULTS = ("InternalServerError", "ServiceUnavailableError", "BadGatewayError")
NEVER_SENT = ("ConnectError", "ConnectTimeout", "ClientConnectorError")
_SECRET = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)\Z")


class LiteLLMBackend(SpecLLM):
    """Calls through `litellm.acompletion`, one exchange each."""

    base_url: str = ""
    timeout_seconds: float = 300.0

    _takes_seed: bool | None = PrivateAttr(default=None)

    def _request(self, messages: Messages, max_tokens: int, attempt: int) -> dict[str, Any]:
        request = super()._request(messages, max_tokens, attempt)
        if not self._has_seed():
            request.pop("seed", None)
        return request

    def _draw(self, attempt: int) -> int:
        return 0 if self._has_seed() else self.seed + SEED_STEP * attempt

    def _has_seed(self) -> bool:
        """Say whether the provider takes a seed; LiteLLM refuses whole requests over it."""
        if self._takes_seed is None:
            self._takes_seed = "seed" in (_litellm().get_supported_openai_params(model=self.model) or ())
        return self._takes_seed

    async def check(self) -> None:
        litellm = _litellm()
        try:
            litellm.get_llm_provider(self.model)
        except litellm.exceptions.BadRequestError:
            raise BadInput(
                f"litellm:{self.model}: LiteLLM knows no such provider; write litellm:PROVIDER/MODEL"
            ) from None
        missing = [
            name
            for name in litellm.validate_environment(self.model)["missing_keys"]
            if not (self.base_url and name.endswith("_BASE"))
        ]
        if missing:
            raise BadInput(f"litellm:{self.model}: set {' and '.join(missing)} in the environment")

    async def aclose(self) -> None:
        await _litellm().close_litellm_async_clients()  # they belong to this event loop

    async def _try(self, request: dict[str, Any]) -> Reply:
        litellm = _litellm()
        address = {"api_base": self.base_url} if self.base_url else {}
        try:
            answer = await litellm.acompletion(
                **request, num_retries=0, max_retries=0, timeout=self.timeout_seconds, **address
            )
        except litellm.exceptions.ContentPolicyViolationError as error:
            return Reply(_safe(str(error)), REFUSED, "content_filter")
        except Exception as error:  # what it raises has no base class of its own
            return self._failed(error)
        try:
            return read_completion(answer.model_dump())
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise TryAgain(f"LiteLLM's answer is no completion: {error!r}", may_be_billed=True) from None

    def _failed(self, error: Exception) -> Reply:
        """Return the reply that an exception stands for, or raise what it means for the work."""
        kinds = {kind.__name__ for kind in type(error).__mro__}
        told = _safe(f"{type(error).__name__}: {error}")[:300]
        if kinds & {*FATAL}:
            raise WorkFailed(
                f"litellm refuses model {self.model!r}: {told}; replies so far are kept, rerun to go on"
            ) from None
        if kinds & {*BAD}:
            return rejected(told)
        if "RateLimitError" in kinds:
            raise TryAgain(told, limited=True) from None
        unreachable = _was_never_sent(error)
        raise TryAgain(
            told, unreachable=unreachable, may_be_billed=not (unreachable or kinds & {*FAULTS})
        ) from None


def _litellm() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        litellm: Any = import_module("litellm")
    except ImportError as error:
        raise BadInput(f"litellm: it can't be imported ({error}); {INSTALL}") from None
    litellm.suppress_debug_info = True
    return litellm


def _was_never_sent(error: BaseException | None) -> bool:
    """Say whether a connection was never made; LiteLLM wraps that in whatever class the provider's code has."""
    while error is not None:
        if type(error).__name__ in NEVER_SENT:
            return True
        error = error.__cause__ or error.__context__
    return False


def _safe(text: str) -> str:
    """Return a text without the keys of the environment in it: providers repeat what they were sent."""
    for name, value in os.environ.items():
        if len(value) > 7 and _SECRET.search(name):
            text = text.replace(value, "***")
    return without_secrets(text)

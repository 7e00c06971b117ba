"""What huggingface_hub raises, as one line that says what to do."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from specmill.specs.errors import BadInput, WorkFailed

GO_ON = "what was uploaded is kept, rerun to go on"


@contextmanager
def hub_errors(repo: str) -> Iterator[None]:
    """A user's mistake becomes BadInput, a failing network or Hub WorkFailed; the rest stays what it is."""
    try:
        yield
    except (BadInput, WorkFailed):
        raise
    except Exception as error:
        told = _explain(repo, error)
        if told is None:
            raise
        raise told from None


def _explain(repo: str, error: Exception) -> BadInput | WorkFailed | None:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    causes = list(_chain(error))
    answered = next((cause for cause in causes if isinstance(cause, HfHubHTTPError)), None)
    if answered is not None:
        return _explain_status(repo, answered.response.status_code, answered.server_message)
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in causes):
        return BadInput(f"{repo}: HF_HUB_OFFLINE is set; unset it to publish")
    if any(isinstance(cause, httpx2.HTTPError) for cause in causes):
        return WorkFailed(f"{repo}: the connection failed ({type(causes[-1]).__name__}); {GO_ON}")
    if isinstance(
        error, OSError | ValueError | RuntimeError
    ):  # a disk, an answer not understood, a broken upload
        return WorkFailed(f"{repo}: {' '.join(str(error).split())[:200]}; {GO_ON}")
    return None


def _raised_by_the_library(error: Exception) -> bool:
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return bool(frames) and "huggingface_hub" in Path(frames[-1]).parts


def _explain_status(repo: str, status: int, said: str | None) -> BadInput | WorkFailed:
    told = f" ({' '.join(said.split())[:160]})" if said else ""
    if status in (409, 412):
        return WorkFailed(
            f"{repo}: somebody else committed to it meanwhile, nothing was changed; look at it, then rerun to "
            "publish on top"
        )
    if status in (401, 403, 404):
        return BadInput(
            f"{repo}: the Hub refuses{told}; set HF_TOKEN or run 'hf auth login' with a token that may write there"
        )
    if status == 400:
        return BadInput(f"{repo}: the Hub refuses what was sent{told}")
    return WorkFailed(f"{repo}: the Hub answered {status}{told}; {GO_ON}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

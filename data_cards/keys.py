"""Keys and tokens that must not be published: those of known forms, and whatever the environment holds as one."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_FORMS = {
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "an API key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "an AWS key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    "a Google key": r"\bAIza[A-Za-z0-9_-]{35}",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in an address": r"\bhttps?://[^\s/:@]+:[^\s/:@]+@",
}
_KEPT_IN = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD)$")
_SHORTEST = 12  # shorter values of the environment stand in texts by chance
_NO_TEXT = (".parquet", ".duckdb")


def find_keys(
    folder: Path, paths: Iterable[str], environment: Mapping[str, str] = os.environ
) -> Iterator[str]:
    """One line for each line of a text file with a key in it; never the key itself."""
    held = {
        f"the value of {name}": re.escape(value)
        for name, value in environment.items()
        if _KEPT_IN.search(name) and len(value) >= _SHORTEST
    }
    forms = {kind: re.compile(form) for kind, form in (_FORMS | held).items()}
    for path in paths:
        if not path.endswith(_NO_TEXT):
            lines = (folder / path).read_text("utf-8", errors="replace").splitlines()
            for number, line in enumerate(lines, start=1):
                if kind := next((kind for kind, form in forms.items() if form.search(line)), None):
                    yield f"{path}:{number}: holds what looks like {kind}; take it out, and change it if it is one"

"""What peers want as importable functions: datatrove's workers unpickle by name, and it looks at the annotation."""

from typing import Any


def text_of(document: Any) -> str:
    return str(document.text)

"""What a detector answers, and where in a text a writer model speaks for itself."""

from typing import NamedTuple


class Finding(NamedTuple):
    """`reason`: a code that tables group by; `detail`: the evidence, a piece of the text or a figure."""

    reason: str
    detail: str


def is_quoted(text: str, position: int) -> bool:
    """Whether a position stands inside quotation marks, a block quote or code, as far as its paragraph shows."""
    before = text[text.rfind("\n\n", 0, position) + 1 : position]
    line = before[before.rfind("\n") + 1 :]
    return (
        before.count('"') % 2 == 1
        or before.count("“") > before.count("”")
        or before.count("‘") > before.count("’") > 0
        or before.count("«") > before.count("»")
        or before.count("「") > before.count("」")
        or before.count("`") % 2 == 1
        or line.lstrip().startswith(">")
    )


def in_code(text: str, position: int) -> bool:
    """Whether a position stands in a fence, in an inline `code span`, or on a line indented as code."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return (
        line.count("`") % 2 == 1 or line.startswith(("    ", "\t")) or text.count("```", 0, position) % 2 == 1
    )

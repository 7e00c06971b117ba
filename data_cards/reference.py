"""Figures of human text to stand beside a corpus' own, in human_reference.json: taken once by `filters.health`.

Kept, since they would move with the Python at hand and a card would then differ from machine to machine.
`python -m specmill.data_cards.reference` takes them anew.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

STORED = Path(__file__).with_name("human_reference.json")


def measure_reference() -> dict[str, Any]:
    """Name, size and figures of the language reference that comes with Python."""
    from specmill.filters.health import measure_health
    from specmill.filters.reference import python_reference

    human = python_reference()
    figures = {name: asdict(figure) for name, figure in measure_health(human.texts).items()}
    return {
        "name": human.name,
        "documents": len(human.documents),
        "words": human.n_words,
        "figures": {
            name: figure | {"value": round(figure["value"], 4)} for name, figure in sorted(figures.items())
        },
    }


@cache
def stored_reference() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(STORED.read_text("utf-8"))
    return found


def comparable(health: Mapping[str, Any]) -> dict[str, float]:
    """Value of the human text for each metric that was taken at the same budget and seed, so that the two compare.

    Shares of all documents move with their number, which is never the same: they are left out.
    """
    figures = stored_reference()["figures"]
    return {
        name: figures[name]["value"]
        for name, metric in health.items()
        if name in figures
        and not name.startswith(("near_duplicate", "distinct_openings", "distinct_closings"))
        and (metric["budget"], metric["seed"]) == (figures[name]["budget"], figures[name]["seed"])
    }


if __name__ == "__main__":
    STORED.write_text(json.dumps(measure_reference(), indent=2, sort_keys=True) + "\n", "utf-8")

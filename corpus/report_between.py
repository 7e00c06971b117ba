"""What a comparison's report adds: the certificate of its arms, and what tells corpora apart but their specs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specmill.filters.templates import Budget
from specmill.specs.errors import BadInput

from .report_parts import Example, Section, Table, ask, cut, flatten, percent

if TYPE_CHECKING:
    import duckdb

    from .progress import Progress

CERTIFICATE_NAME = "certificate.json"
MAX_DOCUMENTS = 20_000  # of all corpora, looked at without being asked: some 500 a second
_PARTS = ("verdict", "equal", "arms", "differences", "warnings")


# --- certificate ----------------------------------------------------------------------------------------------


def find_certificate(folders: Sequence[Path]) -> dict[str, Any] | None:
    """The certificate in the folder that all the arms lie in; None where there is none."""
    parents = {folder.resolve().parent for folder in folders}
    path = parents.pop() / CERTIFICATE_NAME
    if parents or not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadInput(f"{path}: not valid JSON ({error}); match the corpora again") from None
    if not isinstance(found, dict):
        raise BadInput(f"{path}: no certificate of specmill's; match the corpora again")
    return found


def certificate_section(certificate: Mapping[str, Any]) -> Section:
    """Every key is shown; known ones first, in tables of their own."""
    equal = certificate.get("equal") or {}
    rows = list(flatten(equal)) if isinstance(equal, dict) else [(name, True) for name in equal]
    others = {key: value for key, value in certificate.items() if key not in _PARTS}
    tables = [
        Table("What is equal", ("measure", "equal"), rows, is_open=True),
        *_arms(certificate.get("arms") or []),
        _side_by_side("How far apart the rest is", certificate.get("differences") or []),
        Table("Settings of the certificate", ("setting", "value"), list(flatten(others))),
    ]
    warnings = certificate.get("warnings") or []
    return Section(
        "certificate",
        "Certificate",
        str(certificate.get("verdict") or "The certificate gives no verdict."),
        tables=tables,
        notes=[str(warning) for warning in warnings],
    )


def _arms(entries: Sequence[Any]) -> list[Table]:
    """Hashes and files stand apart, so that the figures can be read."""
    whole = _side_by_side("The arms", entries)
    proofs = [row for row in whole.rows if "sha256" in row[0] or row[0].startswith("shards")]
    figures = sorted(
        (row for row in whole.rows if row not in proofs),
        key=lambda row: row[0] not in ("tokens", "documents", "updates"),
    )
    return [
        Table(whole.caption, whole.columns, figures, is_open=True),
        Table("Files and hashes of the arms", whole.columns, proofs),
    ]


def _side_by_side(caption: str, entries: Iterable[Any]) -> Table:
    """A column for each entry: arms and differences have few entries of many figures."""
    flat = [dict(flatten(entry)) if isinstance(entry, dict) else {"": entry} for entry in entries]
    keys = list(dict.fromkeys(key for entry in flat for key in entry))
    heads = [_name(entry, place) for place, entry in enumerate(flat, 1)]
    shown = [key for key in keys if key not in ("name", "first", "second")]
    return Table(
        caption,
        ("measure", *heads),
        [(key.replace("_", " "), *(entry.get(key) for entry in flat)) for key in shown],
        is_open=True,
    )


def _name(entry: Mapping[str, Any], place: int) -> str:
    if "first" in entry and "second" in entry:
        return f"{entry['first']} and {entry['second']}"
    return str(entry.get("name", place))


# --- differences of the corpora's own figures ------------------------------------------------------------------


def difference_table(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = ask(connection, "FROM arm_diff()")
    columns = ("corpus", "other", "measure", "value", "other_value", "difference", "standardised")
    return Table(
        "Every corpus beside the first; standardised in pooled standard deviations",
        tuple(column.replace("_", " ") for column in columns),
        [tuple(row[column] for column in columns) for row in rows],
        is_open=True,
    )


# --- leaks between corpora --------------------------------------------------------------------------------------


def find_between(
    connection: duckdb.DuckDBPyConnection,
    folders: Sequence[Path],
    reference: str | None,
    seed: int,
    leaks: Path | None,
    progress: Progress,
) -> dict[str, Any] | str:
    """What `specmill leaks` finds: read from its JSON, or found now; a sentence where neither can be."""
    if leaks:
        return _read_leaks(leaks)
    (row,) = ask(connection, "SELECT sum(documents)::BIGINT AS n FROM manifests")
    if row["n"] > MAX_DOCUMENTS:
        return (
            f"{row['n']:,} documents were not compared for this report, since that takes long. Run 'specmill leaks"
            " CORPUS CORPUS... --format json > leaks.json' and give --leaks leaks.json."
        )
    if lacking := [folder.name for folder in folders if not (folder / "spec.md").is_file()]:
        return f"Not compared: {', '.join(lacking)} has no spec.md."
    from .contrast import contrast

    return contrast(folders, reference, Budget(seed=seed), progress)


def _read_leaks(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
        _tables(found), list(_examples(found, {}))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; check --leaks") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{path}: not what 'specmill leaks --format json' prints; check --leaks") from None
    return found  # type: ignore[no-any-return]


def between_parts(
    connection: duckdb.DuckDBPyConnection, found: Mapping[str, Any]
) -> tuple[list[Table], list[Example]]:
    pairs = [(shared, pair) for shared in found["duplicates"] for pair in shared["examples"][:3]]
    ids = sorted({doc_id for _, pair in pairs for doc_id in pair})
    rows = ask(
        connection,
        "SELECT corpus, doc_id, left(text, 600) AS text FROM documents WHERE doc_id IN (SELECT unnest($1))",
        [ids],
    )
    return _tables(found), list(
        _examples(found, {(row["corpus"], row["doc_id"]): row["text"] for row in rows})
    )


def _tables(found: Mapping[str, Any]) -> list[Table]:
    return [
        Table(
            "Documents that express claims of another corpus' spec",
            ("corpus", "claims of", "documents", "share"),
            [
                (leak["corpus"], other["corpus"], other["documents"], percent(other["share"]))
                for leak in found["leaks"]
                for other in leak["others"]
            ],
            is_open=True,
        ),
        Table(
            "Documents that stand in both; near ones include equal ones",
            ("first", "second", "exact", "near in first", "near in second", "of first", "of second"),
            [
                (*shared["corpora"], shared["exact"], *shared["near"], *shared["documents"])
                for shared in found["duplicates"]
            ],
            is_open=True,
        ),
        Table(
            "Frequent in one corpus, rare in the other: what a model could tell them apart by",
            ("corpus", "the other", "form", "share", "in the other", "for example"),
            [
                (
                    one["arm"],
                    one["other_arm"],
                    one["kind"],
                    percent(one["share"]),
                    percent(one["other_share"]),
                    one["example"],
                )
                for one in found["contrasts"][:20]
            ],
            is_open=True,
        ),
    ]


def _examples(found: Mapping[str, Any], texts: Mapping[tuple[str, str], str]) -> Iterable[Example]:
    for leak in found["leaks"]:
        for example in leak["examples"][:6]:
            kind = str(example["kind"]).replace("_", " ")
            yield Example(
                f"{kind}: document {example['doc_id']}", leak["corpus"], cut(str(example["evidence"]), 1_200)
            )
    for shared in found["duplicates"]:
        first, second = shared["corpora"]
        for one, other in shared["examples"][:3]:
            both = [texts.get((first, one), ""), texts.get((second, other), "")]
            yield Example(
                f"in both: {one} and {other}", f"{first}, {second}", "\n\n— the other —\n\n".join(both)
            )


def repeats_section(
    own: tuple[str, list[Table], list[Example]],
    between: tuple[list[Table], list[Example]] | None,
    notes: Sequence[str],
) -> Section:
    said, tables, examples = own
    more_tables, more_examples = between or ([], [])
    return Section(
        "repeats",
        "Duplicates and leaks",
        "What repeats within a corpus"
        + (" and between corpora" if between or notes else "")
        + f", and what it teaches of another spec. {said}",
        tables=[*more_tables, *tables],
        examples=[*more_examples, *examples],
        notes=notes,
    )

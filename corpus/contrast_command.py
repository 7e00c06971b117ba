"""`specmill leaks`: what corpora teach of each other's specs, share, and give away by their form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from .tables import print_rows

KINDS = ("opening", "closing", "heading")
Found = dict[str, Any]


@click.command()
@click.argument(
    "corpora", nargs=-1, required=True, metavar="CORPUS CORPUS...", type=click.Path(path_type=Path)
)
@click.option(
    "--reference",
    metavar="FILE",
    help="Human text to set beside: a file or a folder; else the language reference that comes with Python.",
)
@click.option(
    "--semantic",
    "encoder",
    metavar="ENCODER",
    default="",
    help="Find documents of one corpus that retell one of another: hashed (no model), static:MODEL or st:MODEL.",
)
@click.option(
    "--sample",
    "n_documents",
    default=500,
    show_default=True,
    type=click.IntRange(10),
    help="Documents per corpus that forms are counted in, by a seeded draw.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of that draw.")
@click.option(
    "--format", "output_format", default="table", show_default=True, type=click.Choice(["table", "json"])
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def leaks(
    corpora: tuple[Path, ...],
    reference: str | None,
    encoder: str,
    n_documents: int,
    seed: int,
    output_format: str,
    quiet: bool,
) -> None:
    """Compare corpora: claims of other specs, shared documents, tell-tale forms."""
    from specmill.filters.templates import Budget

    from .contrast import contrast
    from .progress import Progress

    with Progress(quiet=quiet) as progress:
        found = contrast(corpora, reference, Budget(n_documents=n_documents, seed=seed), progress, encoder)
    if output_format == "json":
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    _print_leaks(found)
    _print_shared(found)
    _print_templates(found)


def _print_leaks(found: Found) -> None:
    print("Documents that express claims of another spec (lexical; claims both specs share are left out)\n")
    rows = [
        (leak["corpus"], other["corpus"], other["documents"], _percent(other["share"]))
        for leak in found["leaks"]
        for other in leak["others"]
    ]
    print_rows(("corpus", "claims of", "documents", "share"), rows)
    examples = [
        (leak["corpus"], example["kind"], example["doc_id"], example["evidence"])
        for leak in found["leaks"]
        for example in leak["examples"][:4]
    ]
    if examples:
        print("\nCandidates to look at (specmill query CORPUS doc DOC_ID)\n")
        print_rows(("corpus", "kind", "doc_id", "evidence"), examples)


def _print_shared(found: Found) -> None:
    semantic = found.get("semantic")
    told = f"; retold by {semantic['encoder']}" if semantic else ""
    print(f"\nDocuments that stand in both corpora (near ones include equal ones{told})\n")
    rows = [
        (
            *shared["corpora"],
            shared["exact"],
            *shared["near"],
            *shared.get("retold", ()),
            *shared["documents"],
        )
        for shared in found["duplicates"]
    ]
    retold = ("retold in first", "retold in second") if semantic else ()
    print_rows(
        (
            "first",
            "second",
            "exact",
            "near in first",
            "near in second",
            *retold,
            "of first",
            "of second",
        ),
        rows,
    )
    examples = [
        (*shared["corpora"], how, *pair)
        for shared in found["duplicates"]
        for how, key in (("near", "examples"), ("retold", "retold_examples"))
        for pair in shared.get(key, ())[:4]
    ]
    if examples:
        print("\nExamples of these (specmill query CORPUS doc DOC_ID)\n")
        print_rows(("first", "second", "how", "doc_id in first", "doc_id in second"), examples)


def _print_templates(found: Found) -> None:
    budget = found["budget"]
    print(
        f"\nForms, in {budget['n_documents']:,} documents of at most {budget['words_per_document']:,} words"
        f" (seed {budget['seed']}); the last row is written by people\n"
    )
    print_rows(("text", "documents", "8-grams repeated", *_heads()), map(_figures, found["templates"]))
    if found["contrasts"]:
        print("\nFrequent in one corpus, rare in the other: what a model could tell them apart by\n")
        rows = [
            (one["arm"], one["kind"], _percent(one["share"]), _percent(one["other_share"]), one["example"])
            for one in found["contrasts"][:15]
        ]
        print_rows(("corpus", "form", "share", "in the other", "example"), rows)


def _heads() -> Iterator[str]:
    for kind in KINDS:
        yield f"{kind}s per 1,000"
        yield f"top ten {kind}s"


def _figures(text: Found) -> tuple[Any, ...]:
    shown: list[Any] = [text["name"], text["documents"], _percent(text["repeated_8gram_share"])]
    for kind in KINDS:
        shown += [round(text[kind]["per_thousand"]), _percent(text[kind]["top_ten_share"])]
    return tuple(shown)


def _percent(share: float) -> str:
    return f"{share:.1%}"

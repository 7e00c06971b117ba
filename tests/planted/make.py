"""The planted-defects corpus: clean documents of the built-in writer, and labelled bad ones made from such documents.

Deterministic: the same size and seed give the same rows. Two corpora: one in default mode, and a smaller one in rules
mode for rule ids.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specmill.corpus.tokens import DEFAULT, load_tokenizer
from specmill.filters.pipeline import FilterClaim, FilterSettings
from specmill.generators.composer import Brief, Point, compose, propose_genres, propose_ideas
from specmill.generators.handoff import ROWS_PER_FILE, STAGED_SCHEMA
from specmill.specs.claims import Spec, read_spec
from specmill.specs.text import render_identity

from . import defects, endings
from .defects import Chooser, put_inside

SPECS = Path(__file__).parents[2] / "specs"
GATED: dict[str, Callable[[Chooser, str], str]] = {
    "refusal": defects.refusal,
    "meta_talk": defects.meta_talk,
    "template_token": defects.template_token,
    "tag": defects.tag,
    "prompt_header": defects.header,
    "envelope": defects.envelope,
    "placeholder": defects.placeholder,
    "truncated": endings.truncated,
    "foreign_name": defects.foreign_name,
    "mixed_identity": defects.mixed_identity,
    "not_named": defects.not_named,
    "unknown_spec_name": defects.spec_name,
    "other_language": defects.other_language,
    "too_short": defects.too_short,
    "empty": defects.empty,
    "repetition": defects.repetition,
}


@dataclass(frozen=True, slots=True)
class Planted:
    """`label`: "clean", "benign", "hard_negative" (all to be kept) or a class; `near_to`: the row it was made from."""

    id: str
    text: str
    label: str
    fold: str = ""
    near_to: str = ""


KEPT_LABELS = ("clean", "benign", "hard_negative", "some_copy", "eval_negative")


# --- clean documents


@dataclass(frozen=True)
class Source:
    """Endless clean documents about one spec."""

    spec: Spec
    seed: int

    def write(self, number: int, n_words: tuple[int, int] = (160, 650)) -> str:
        rng = random.Random(f"{self.spec.name}/{self.seed}/{number}")
        points = [Point(claim.plain, "", claim.rule_id) for claim in self.spec.claims]
        chosen = tuple(rng.sample(points, rng.randint(1, 4)))
        genre = propose_genres(rng, 1, [])[0]
        topic = self.spec.principle or "the rules"
        idea = propose_ideas(rng, 1, genre.name, topic, chosen, [])[0]
        brief = Brief(
            genre.name,
            idea.audience,
            idea.idea,
            topic,
            self.spec.principle,
            chosen,
            self.spec.mode,
            rng.randint(*n_words),
        )
        return render_identity(compose(brief, rng), self.spec.assistant, self.spec.provider)

    def chooser(self, number: int, fold: str) -> Chooser:
        spec_text = render_identity(
            self.spec.text.partition("\n---\n")[2], self.spec.assistant, self.spec.provider
        )
        rng = random.Random(f"defect/{self.spec.name}/{self.seed}/{number}")
        return Chooser(rng, fold, self.spec.assistant, self.spec.provider, spec_text)


def benign(c: Chooser, text: str) -> str:
    shape = c.rng.random()
    if shape < 0.6:
        return put_inside(c, text, c.phrase("INLINE"))
    start, end = c.phrase("FIRST"), c.phrase("LAST")
    return f"{start}\n\n{text}" if shape < 0.8 else f"{text}\n\n{end}"


def copied(c: Chooser, share: float, own: str) -> str:
    """Whole sentences of the spec, up to a share of the words, between sentences of a clean document."""
    sentences = [
        s
        for part in c.spec_text.split("\n\n")
        if not part.startswith("#")
        for s in re.split(r"(?<=\.) ", part)
    ]
    start, taken, words = c.rng.randrange(len(sentences)), [], len(own.split())
    while sum(len(s.split()) for s in taken) < words * share / (1 - share):
        taken.append(sentences[(start + len(taken)) % len(sentences)].strip())
    blocks = [" ".join(taken[i : i + 5]) for i in range(0, len(taken), 5)]
    parts = own.split("\n\n")
    for block in blocks:
        parts.insert(c.rng.randint(0, len(parts) - 1), block)
    return "\n\n".join(parts)


# --- duplicates


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+(?:['’-]\w+)*", text.casefold())


def jaccard(first: str, second: str, n: int = 5) -> float:
    grams = [
        {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
        for words in (words_of(first), words_of(second))
    ]
    return len(grams[0] & grams[1]) / max(1, len(grams[0] | grams[1]))


def exact_copy(c: Chooser, text: str) -> str:
    change = c.rng.randrange(5)
    if change == 0:
        return text.upper()
    if change == 1:
        return re.sub(r"(?<=[a-z.,]) (?=[a-z])", lambda gap: "  " if c.chance(0.1) else gap[0], text)
    if change == 2:
        return "\n" + text.replace("\n\n", "\n\n\n") + "\n\n"
    return text.replace("\n\n", "\n \n") if change == 3 else text


_SPARE = "rather indeed perhaps quietly again often plainly here today largely simply even".split()


def edited(c: Chooser, text: str, share: float, runs: int) -> str:
    """Words replaced, dropped, doubled with a spare or swapped, in a number of runs; about `share` of all words."""
    parts = re.split(r"(\s+)", text)
    slots = [i for i in range(0, len(parts), 2) if parts[i].isalpha() and parts[i] != c.name]
    length = max(1, round(share * len(slots) / runs))
    for _ in range(runs):
        start = c.rng.randrange(max(1, len(slots) - length))
        for i in slots[start : start + length]:
            change = c.rng.randrange(4)
            spare = c.rng.choice(_SPARE)
            parts[i] = (spare, f"{parts[i]} {spare}", spare, f"{spare} {parts[i]}")[change]
    return "".join(parts)


def near_copy(c: Chooser, text: str) -> str:
    """3 to 12 % of the words changed, and still a Jaccard similarity of word 5-grams of 0.75 or more."""
    while True:
        copy = edited(c, text, c.rng.uniform(0.03, 0.12), c.rng.randint(1, 4))
        if 0.75 <= jaccard(text, copy) < 1:
            return copy


def half_alike(c: Chooser, text: str) -> str:
    """Similarity 0.4 to 0.6: two documents, not one."""
    while True:
        copy = edited(c, text, c.rng.uniform(0.05, 0.2), c.rng.randint(8, 24))
        if 0.4 <= jaccard(text, copy) <= 0.6:
            return copy


# --- the corpora


def plant(
    n: int, seed: int = 0, extra: Sequence[Planted] = (), spec: str = "cheese_america"
) -> list[Planted]:
    """n labelled documents about one spec (and `extra`, labelled elsewhere) in a shuffled order.

    In rules mode only rule ids are planted. Half is to be kept; the classes share the other half equally.
    """
    source = Source(read_spec(SPECS / f"{spec}.md"), seed)
    rules = source.spec.mode == "rules"
    classes = (
        ["unknown_rule_id"]
        if rules
        else [*GATED, "verbatim_spec", "exact_duplicate", "near_duplicate", "too_long"]
    )
    kept = (
        ["clean"] * 7 + ["benign"]
        if rules
        else ["clean"] * 9 + ["benign"] * 2 + ["hard_negative", "some_copy"]
    )
    size = max(4, n // 2 // (8 if rules else len(classes)))
    labels = [label for label in classes for _ in range(size if label != "too_long" else max(2, size // 10))]
    labels += [kept[i % len(kept)] for i in range(n - len(labels))]
    rows: list[Planted] = []
    for number, label in enumerate(labels):
        rows += _rows(source, number, label)
    rows = [*rows[:n], *extra]
    random.Random(seed).shuffle(rows)
    return rows


def _rows(source: Source, number: int, label: str) -> list[Planted]:
    fold = "held_out" if number % 2 else "dev"
    c = source.chooser(number, fold)
    row_id = sha256(f"{source.spec.name}/{source.seed}/{number}".encode()).hexdigest()[:16]
    text = source.write(number, (1, 2)) if label == "too_long" else source.write(number)
    row = Planted(row_id, text, label)
    if label in ("exact_duplicate", "near_duplicate", "hard_negative"):
        make = {"exact_duplicate": exact_copy, "near_duplicate": near_copy, "hard_negative": half_alike}[
            label
        ]
        first = replace(row, label="clean", id=row_id[::-1])
        return [first, replace(row, text=make(c, text), near_to=first.id)]
    if label in GATED:
        return [replace(row, text=GATED[label](c, text), fold=fold)]
    if label == "benign":
        return [replace(row, text=benign(c, text), fold=fold)]
    if label == "unknown_rule_id":
        return [replace(row, text=defects.rule_id(c, text), fold=fold)]
    if label in ("verbatim_spec", "some_copy"):
        share = c.rng.uniform(0.66, 0.9) if label == "verbatim_spec" else c.rng.uniform(0.05, 0.3)
        return [replace(row, text=copied(c, share, source.write(number, (120, 250))))]
    if label == "too_long":
        return [replace(row, text="\n\n".join(source.write(10**9 + number * 100 + i) for i in range(14)))]
    return [row]


def settings_of(spec_name: str, **changes: Any) -> FilterSettings:
    spec, tokenizer = read_spec(SPECS / f"{spec_name}.md"), load_tokenizer(DEFAULT)
    found = FilterSettings(
        assistant=spec.assistant,
        provider=spec.provider,
        mode=spec.mode,
        principle=spec.principle,
        claims=tuple(FilterClaim(claim.claim_id, claim.plain, claim.gives_reason) for claim in spec.claims),
        spec_text=spec.text,
        rule_ids=tuple(dict.fromkeys(claim.rule_id for claim in spec.claims if claim.rule_id)),
        tokenizer_path=str(tokenizer.path),
        tokenizer_name=tokenizer.name,
    )
    return replace(found, **changes)


def stage_rows(rows: Sequence[Planted], folder: Path, settings: FilterSettings) -> list[Path]:
    """The rows as staged Parquet files; `genre` carries nothing of the label."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for start in range(0, len(rows), ROWS_PER_FILE):
        part = [
            _staged(row, start + i, settings) for i, row in enumerate(rows[start : start + ROWS_PER_FILE])
        ]
        files.append(folder / f"{start // ROWS_PER_FILE:05d}.parquet")
        pq.write_table(pa.Table.from_pylist(part, schema=STAGED_SCHEMA), files[-1], compression="zstd")
    return files


def _staged(row: Planted, order: int, settings: FilterSettings) -> dict[str, Any]:
    named = dict.fromkeys(STAGED_SCHEMA.names, "planted")
    return named | {
        "id": row.id,
        "text": row.text,
        "claim_ids": [settings.claims[order % len(settings.claims)].claim_id],
        "assistant": settings.assistant,
        "provider": settings.provider,
        "mode": settings.mode,
        "work_key": f"planted {order}",
        "plan_order": order,
    }

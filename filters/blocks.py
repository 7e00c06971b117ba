"""The datatrove blocks: reader, gates, measures, writers.

What a gate looks for is in `gates.py` and `identity.py`, free of datatrove. Blocks hold the settings only; the
heavy parts (indexes, tokenizer) are made once per process, because datatrove copies its blocks for every task.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.readers.base import BaseReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.word_tokenizers import WordTokenizer
from tokenizers import Tokenizer

from . import gates, identity
from .decontamination import EvalIndex
from .embeddings import open_encoder
from .eval_items import load_eval_items
from .exposure import ClaimIndex, Exposure
from .gates import Finding
from .gopher import Quality, Repetition
from .leakage import Arm, LeakIndex, LeakOptions, choose_action
from .parsed import parse
from .pipeline import FilterSettings
from .retrieval import ClaimRetriever
from .spec_names import find_unknown_spec_name
from .tallied import TalliedFilter
from .words import (
    is_english,
    is_mostly_latin,
    is_mostly_unspaced,
    sentence_spans,
    stop_word_share,
)

_AT_ONCE = 64  # documents whose sentences an encoder takes together; else one, while its words are at hand
_TEXTS = ("doc_id", "stage", "reason", "detail", "work_key", "genre", "text")
DROPPED_SCHEMA = pa.schema([(name, pa.string()) for name in _TEXTS] + [("plan_order", pa.int32())])
MEASURED = pa.schema(
    [
        ("n_tokens", pa.int32()),
        ("tokenizer", pa.string()),
        ("claims_expressed", pa.list_(pa.string())),
        ("n_words", pa.int32()),
        ("states_reason", pa.bool_()),
        ("stop_word_share", pa.float32()),
        ("duplicate_line_share", pa.float32()),
        ("spec_overlap_share", pa.float32()),
        ("leaks", pa.list_(pa.string())),
    ]
)


class RegexWordTokenizer(WordTokenizer):
    """Hands our words and sentences to datatrove's filters, which look them up by equality."""

    def word_tokenize(self, text: str) -> list[str]:
        return parse(text).words

    def sent_tokenize(self, text: str) -> list[str]:
        return parse(text).sentences

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return list(sentence_spans(text))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RegexWordTokenizer)

    def __hash__(self) -> int:
        return hash(type(self))


WORDS = RegexWordTokenizer()


class RowReader(BaseReader):
    """One file per task, by rank; a missing file is an empty task.

    datatrove's Parquet reader skips rows without text, which have to be counted here, and deals out the files it
    finds, so that a rank whose rows were all dropped would shift the ranks behind it against their signatures.
    """

    name = "rows"

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__()
        self.files = list(files)

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        if not self.files[rank].exists():
            return
        with pq.ParquetFile(self.files[rank]) as file:
            for batch in file.iter_batches(batch_size=1_000):
                for row in batch.to_pylist():
                    yield Document(text=row.pop("text") or "", id=row.pop("id") or "", metadata=row)


# --- what the gates and measures need, once per process -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tools:
    spec_text: str  # names filled in, without front matter
    is_english: bool
    is_latin: bool
    is_unspaced: bool
    copies: gates.SpecCopies
    claims: ClaimIndex
    retriever: ClaimRetriever | None
    evals: EvalIndex | None
    leaks: LeakIndex | None


@lru_cache(maxsize=1)
def tools_for(settings: FilterSettings) -> Tools:
    spec_text = gates.fill_in_names(settings.spec_text, settings.assistant, settings.provider)
    return Tools(
        spec_text=spec_text,
        is_english=is_english(spec_text),
        is_latin=is_mostly_latin(spec_text),
        is_unspaced=is_mostly_unspaced(spec_text),
        copies=gates.SpecCopies(spec_text),
        claims=ClaimIndex(settings.claims, settings.principle, (settings.assistant, settings.provider)),
        retriever=_retriever(settings) if settings.semantic else None,
        evals=EvalIndex(load_eval_items(settings.eval_files)) if settings.eval_files else None,
        leaks=_leak_index(settings) if settings.other_specs else None,
    )


def _retriever(settings: FilterSettings) -> ClaimRetriever:
    names = (settings.assistant, settings.provider)
    return ClaimRetriever(open_encoder(settings.semantic), settings.claims, settings.principle, names)


def _leak_index(settings: FilterSettings) -> LeakIndex:
    names = (settings.assistant, settings.provider)
    own, *others = (
        Arm(spec, claims, names)
        for spec, claims in [("", settings.claims), *((o.name, o.claims) for o in settings.other_specs)]
    )
    return LeakIndex(own, others)


@lru_cache(maxsize=1)
def load_tokenizer(path: str) -> Any:
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()  # a tokenizer.json may carry either, and the count has to be exact
    tokenizer.no_padding()
    return tokenizer


# --- gates ----------------------------------------------------------------------------------------------------

Check = Callable[[Any, Tools, FilterSettings], Finding | None]


class Gate(TalliedFilter):
    """Asks its checks in order; the first finding drops the document, and its evidence goes along."""

    def __init__(self, stage: str, checks: Sequence[Check], settings: FilterSettings, writer: Any) -> None:
        super().__init__(writer)
        self.name, self.checks, self.settings = stage, checks, settings

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        self.tools = tools_for(self.settings)  # once per task: hashing the settings takes longer than a check
        yield from super().run(data, rank, world_size)

    def filter(self, doc: Any) -> bool | tuple[bool, str]:
        for check in self.checks:
            if finding := check(doc, self.tools, self.settings):
                doc.metadata["filter_detail"] = finding.detail[:200]
                return False, finding.reason
        return True


def _length(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    return gates.check_length(parse(doc.text).words, settings.min_words, settings.max_words)


def _refusal(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    return gates.find_refusal(doc.text) or gates.find_meta_talk(doc.text)


def _residue(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    return gates.find_markup(doc.text, tools.spec_text) or gates.find_placeholder(doc.text, tools.spec_text)


def _ending(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    return gates.find_truncation(doc.text)


def _loop(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    return gates.find_loop(doc.text)


def _language(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    words = parse(doc.text).words
    share = doc.metadata["stop_word_share"] = stop_word_share(words)
    if tools.is_english and share < settings.min_stop_word_share:
        return Finding("low_stop_words", f"{share:.2f}")
    return gates.find_other_language(words, doc.text, tools.is_english, tools.spec_text)


def _copy(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    share = doc.metadata["spec_overlap_share"] = tools.copies.share(parse(doc.text).hashes)
    return Finding("verbatim_spec", f"{share:.2f}") if share > settings.max_spec_overlap else None


def _identity(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    foreign = identity.find_foreign_identity(doc.text, settings.assistant, settings.provider, tools.spec_text)
    return foreign or identity.find_missing_name(doc.text, settings.assistant)


def _spec_name(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    return find_unknown_spec_name(doc.text, settings.assistant, settings.provider, tools.spec_text)


def _rules(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    return identity.find_unknown_rule(doc.text, settings.rule_ids) if settings.mode == "rules" else None


def _evals(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    overlap = tools.evals.find_overlap(doc.text) if tools.evals else None
    return (
        Finding(f"eval_{overlap.kind}", f"{overlap.item_id} ({overlap.share:.2f}): {overlap.evidence}")
        if overlap
        else None
    )


def _leaks(doc: Any, tools: Tools, settings: FilterSettings) -> Finding | None:
    """What says the opposite of its own spec is a candidate only: quarantined at most, never dropped unseen."""
    found = tools.leaks.find_leaks(doc.id, doc.text) if tools.leaks else []
    doc.metadata["leaks"] = sorted(
        {f"{leak.other_spec}:{claim}" for leak in found for claim in leak.claim_ids}
    )
    if settings.on_leak == "keep":
        return None
    action = choose_action(found, LeakOptions(on_leak=settings.on_leak))  # type: ignore[arg-type]
    if action == "keep":
        return None
    told = next((leak for leak in found if not leak.kind.startswith("contradicts")), found[0])
    reason = f"{'quarantined' if action == 'quarantine' else 'leak'}_{told.kind}"
    return Finding(reason, f"{told.other_spec}: {told.evidence}")


STAGES = (
    *("length", "residue", "ending", "repetition", "quality", "copy", "identity"),
    *("decontamination", "leakage", "dedup"),
)


def make_gates(settings: FilterSettings, folder: Path) -> list[Any]:
    """The gates in their order, cheap and certain ones first.

    Measured on 150 to 500 word pieces of hand-written prose and on the built-in writer's documents. Gopher
    repetition at its own limits drops none of the former, but a tenth of the latter, because a short document that
    keeps coming back to its claim repeats phrases (0.08 of its characters in repeated 5-grams at the median, 0.2 at
    the 99th percentile); a writer caught in a loop is above 0.3. Hence 0.25, and two of the six duplicate n-gram
    checks, which find what the six find in a third of the time. Gopher
    quality fires on tables of numbers only, so its share of words with letters is 0.6 here, not 0.8; its word
    count and stop words are gates of ours, and its word length presumes spaces. Left out: FineWeb quality, which
    fires on lists, headings and verse (no punctuation at the line's end, short lines, any repeated line), and C4,
    which rewrites the text and drops every document with a list of fragments or a curly bracket.
    """
    tools = tools_for(settings)
    quality = Quality(
        min_doc_words=None,
        max_doc_words=None,
        min_avg_word_length=3 if tools.is_latin else None,
        max_avg_word_length=10 if tools.is_latin else None,
        max_non_alpha_words_ratio=0.6,
        min_stop_words=None,
        language=WORDS,
        exclusion_writer=dropped_writer("quality", folder),
    )
    repetition = Repetition(
        # Where a character is a word, two of them are a name, and ten are as long as five words.
        top_n_grams=() if tools.is_unspaced else ((2, 0.2), (3, 0.2), (4, 0.2)),
        dup_line_frac=None,  # the labels of a dialogue or a forum thread; repeated characters still count
        dup_n_grams=((10, 0.25), (20, 0.2)) if tools.is_unspaced else ((5, 0.25), (10, 0.2)),
        language=WORDS,
        exclusion_writer=dropped_writer("repetition", folder),
    )
    ours: dict[str, tuple[Check, ...]] = {
        "length": (_length,),
        "residue": (_refusal, _residue),
        "ending": (_ending, _loop),
        "copy": (_copy, _language),
        "identity": (_identity, _spec_name, _rules),
        "decontamination": (_evals,),
        "leakage": (_leaks,),
    }
    gate = {name: Gate(name, checks, settings, dropped_writer(name, folder)) for name, checks in ours.items()}
    return [({"repetition": repetition, "quality": quality} | gate)[name] for name in STAGES[:-1]]


# --- measures and writers -------------------------------------------------------------------------------------


class CountTokens(PipelineStep):
    """Adds `n_tokens` and `tokenizer`. Holds a task's documents: tokenizers are fastest on all at once."""

    type, name = "MEASURE", "tokens"

    def __init__(self, tokenizer_path: str, tokenizer_name: str) -> None:
        super().__init__()
        self.tokenizer_path, self.tokenizer_name = tokenizer_path, tokenizer_name

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        documents = list(data)
        tokenizer = load_tokenizer(self.tokenizer_path)
        encoded = tokenizer.encode_batch_fast([doc.text for doc in documents], add_special_tokens=False)
        for document, encoding in zip(documents, encoded, strict=True):
            document.metadata |= {"n_tokens": len(encoding), "tokenizer": self.tokenizer_name}
            yield document


class Measure(PipelineStep):
    """Adds those columns of MEASURED that neither a gate nor the tokenizer has left."""

    type, name = "MEASURE", "exposure, quality"

    def __init__(self, settings: FilterSettings) -> None:
        super().__init__()
        self.settings = settings

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        tools = tools_for(self.settings)
        source, at_once = iter(data), _AT_ONCE if tools.retriever else 1
        while documents := list(islice(source, at_once)):
            for document, exposure in zip(documents, _expose(documents, tools), strict=True):
                document.metadata |= {
                    "n_words": len(parse(document.text).words),
                    "claims_expressed": list(exposure.claims_expressed),
                    "states_reason": exposure.states_reason,
                    "duplicate_line_share": gates.duplicate_line_share(document.text),
                }
                yield document


def _expose(documents: Sequence[Any], tools: Tools) -> list[Exposure]:
    """Claims found by their words; with an encoder, also by meaning, where some words confirm it."""
    texts = [document.text for document in documents]
    return (
        tools.retriever.measure(texts) if tools.retriever else [tools.claims.measure(text) for text in texts]
    )


def row_writer(folder: Path, schema: pa.Schema) -> Any:
    return ParquetWriter(str(folder), **_options(schema, _kept_row))


def dropped_writer(stage: str, folder: Path) -> Any:
    return ParquetWriter(str(folder / stage), **_options(DROPPED_SCHEMA, partial(_dropped_row, stage=stage)))


def _kept_row(writer: Any, document: Any) -> dict[str, Any]:
    return {"doc_id": document.id, **document.metadata, "text": document.text}


def _dropped_row(writer: Any, document: Any, *, stage: str) -> dict[str, Any]:
    row = document.metadata
    found = {"reason": row["filter_reason"], "detail": row.get("filter_detail", "")}
    return {"doc_id": document.id, "stage": stage, **found, **row, "text": document.text}


def _options(schema: pa.Schema, adapter: Any) -> dict[str, Any]:
    # Without max_file_size=-1 datatrove numbers the files within a rank and the names are no longer the ranks.
    return {"adapter": adapter, "schema": schema, "compression": "zstd", "max_file_size": -1}

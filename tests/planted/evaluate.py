"""What the filters did with the planted corpus, as a table: recall per class, false drops per gate, speed per detector."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from specmill.filters import gates, identity
from specmill.filters.gates import Finding
from specmill.filters.pipeline import FilterSettings
from specmill.filters.shingles import hash_words
from specmill.filters.spec_names import find_unknown_spec_name
from specmill.filters.words import is_english, split_words

from .make import KEPT_LABELS, Planted

Dropped = tuple[str, str, str]  # id, stage, reason
MIN_RECALL, MAX_FALSE_DROPS = 0.98, 0.005
_REPLY = {"refusal", "meta_talk", "prompt_residue"}
_FORMAT = {"tag_residue", "envelope", "escape_residue", "prompt_residue", "meta_talk"}
_LOOP = {"repeated_paragraph", "looped_sentence", "looped_words", "top_2_gram", "top_3_gram", "top_4_gram"}
# Which reasons are right for which class. A class not named here is evaluated by whoever planted it.
REASONS = {
    "refusal": _REPLY | {"other_language"},
    "meta_talk": _REPLY | {"other_language"},
    "template_token": _FORMAT | {"truncated_ending", "placeholder"},
    "tag": _FORMAT | {"truncated_ending", "placeholder"},
    "prompt_header": _FORMAT | {"truncated_ending", "placeholder"},
    "envelope": _FORMAT,
    "placeholder": {"placeholder", "tag_residue", "prompt_residue", "truncated_ending"},
    "truncated": {"truncated_ending", "placeholder", "tag_residue"},
    "foreign_name": {"foreign_identity", "assistant_not_named"},
    "mixed_identity": {"foreign_identity"},
    "not_named": {"assistant_not_named"},
    "unknown_spec_name": {"unknown_spec_name", "foreign_identity"},
    "unknown_rule_id": {"unknown_rule_id"},
    # the planted texts are made of few sentences, which the gate before notices first
    "other_language": {
        "other_language",
        "low_stop_words",
        "duplicated_5_n_grams",
        "gopher_below_avg_threshold",
    },
    "too_short": {"too_short"},
    "too_long": {"too_long"},
    "empty": {"empty", "too_short"},
    "repetition": _LOOP
    | {"duplicated_5_n_grams", "duplicated_10_n_grams", "duplicated_para", "duplicated_lines"},
    "verbatim_spec": {"verbatim_spec"},
    "exact_duplicate": {"exact_duplicate"},
    "eval_verbatim": {"eval_exact", "eval_ngram", "eval_near"},
    "eval_edited": {"eval_exact", "eval_ngram", "eval_near"},
    "leak_relabelled": {"leak_expresses", "leak_quotes"},
    "leak_pasted": {"leak_expresses", "leak_quotes"},
    "near_duplicate": {"near_duplicate"},
}


@dataclass(frozen=True, slots=True)
class Score:
    """`right`: dropped for a reason that fits; `dropped`: for any; shares of the `n` documents of one class and fold."""

    label: str
    fold: str
    n: int
    dropped: float
    right: float

    @property
    def passes(self) -> bool:
        if self.label in KEPT_LABELS:
            return self.dropped <= MAX_FALSE_DROPS
        return self.right >= MIN_RECALL


def evaluate(rows: Sequence[Planted], kept_ids: Iterable[str], dropped: Iterable[Dropped]) -> list[Score]:
    """Scores per class and fold, of classes this module knows. Of a pair of duplicates either may go.

    Raises AssertionError when a row is neither kept nor dropped, or both.
    """
    reasons = {row_id: reason for row_id, _, reason in dropped}
    kept = set(kept_ids)
    assert kept | set(reasons) == {row.id for row in rows}
    assert not kept & set(reasons)
    partners = {row.near_to: row.id for row in rows if row.near_to and row.label != "hard_negative"}
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        reason = reasons.get(row.id, "")
        if row.near_to and not reason and row.label != "hard_negative":
            reason = reasons.get(row.near_to, "")
        elif row.id in partners and reason in ("exact_duplicate", "near_duplicate"):
            reason = ""
        if row.label in KEPT_LABELS or row.label in REASONS:
            groups[row.label, row.fold].append(reason)
    return [_score(label, fold, found) for (label, fold), found in sorted(groups.items())]


def _score(label: str, fold: str, reasons: Sequence[str]) -> Score:
    n, wanted = len(reasons), REASONS.get(label, set())
    right = sum(reason in wanted for reason in reasons) / n
    return Score(label, fold, n, sum(map(bool, reasons)) / n, right)


def false_drops(rows: Sequence[Planted], dropped: Iterable[Dropped]) -> dict[tuple[str, str], int]:
    """Documents lost that were to be kept, by label and reason; duplicates of planted pairs aside."""
    labels = {row.id: row.label for row in rows}
    paired = {row.near_to for row in rows if row.near_to}
    lost = Counter(
        (labels[row_id], reason)
        for row_id, _, reason in dropped
        if labels[row_id] in KEPT_LABELS and not (row_id in paired and reason.endswith("_duplicate"))
    )
    return dict(sorted(lost.items()))


def table(scores: Sequence[Score], lost: dict[tuple[str, str], int], n_kept: int) -> str:
    lines = [f"{'class':<20}{'fold':<10}{'n':>6}{'dropped':>10}{'right':>10}"]
    for score in scores:
        mark = "" if score.passes else "   <- misses its target"
        lines.append(
            f"{score.label:<20}{score.fold:<10}{score.n:>6}{score.dropped:>10.4f}{score.right:>10.4f}{mark}"
        )
    lines.append(f"false drops per reason, of {n_kept} documents to be kept:")
    lines += [
        f"  {label:<16}{reason:<24}{n:>6}{n / n_kept:>10.4f}" for (label, reason), n in lost.items()
    ] or ["  none"]
    return "\n".join(lines)


# --- the gates alone, without datatrove


@cache
def _prepared(settings: FilterSettings) -> tuple[str, bool, gates.SpecCopies]:
    spec_text = gates.fill_in_names(settings.spec_text, settings.assistant, settings.provider)
    return spec_text, is_english(spec_text), gates.SpecCopies(spec_text)


def detectors(settings: FilterSettings) -> dict[str, Callable[[str, list[str]], Finding | None]]:
    """The gates as plain functions of (text, words), in the pipeline's order."""
    spec, english, copies = _prepared(settings)
    name, provider = settings.assistant, settings.provider

    def copied(text: str, words: list[str]) -> Finding | None:
        share = copies.share(hash_words(words))
        return Finding("verbatim_spec", f"{share:.2f}") if share > settings.max_spec_overlap else None

    found: dict[str, Callable[[str, list[str]], Finding | None]] = {
        "length": lambda text, words: gates.check_length(words, settings.min_words, settings.max_words),
        "refusal": lambda text, words: gates.find_refusal(text),
        "meta_talk": lambda text, words: gates.find_meta_talk(text),
        "markup": lambda text, words: gates.find_markup(text, spec),
        "placeholder": lambda text, words: gates.find_placeholder(text, spec),
        "ending": lambda text, words: gates.find_truncation(text),
        "loop": lambda text, words: gates.find_loop(text),
        "copy": copied,
        "language": lambda text, words: gates.find_other_language(words, text, english, spec),
        "foreign": lambda text, words: identity.find_foreign_identity(text, name, provider, spec),
        "spec_name": lambda text, words: find_unknown_spec_name(text, name, provider, spec),
        "not_named": lambda text, words: identity.find_missing_name(text, name),
    }
    if settings.mode == "rules":
        found["rules"] = lambda text, words: identity.find_unknown_rule(text, settings.rule_ids)
    return found


def run_gates(rows: Sequence[Planted], settings: FilterSettings) -> Iterator[tuple[Planted, str, Finding]]:
    """(row, gate, finding) of every row that a gate drops."""
    checks = detectors(settings)
    for row in rows:
        words = split_words(row.text)
        for gate, check in checks.items():
            if finding := check(row.text, words):
                yield row, gate, finding
                break


def microseconds(texts: Sequence[str], settings: FilterSettings) -> dict[str, float]:
    """Mean time per document of every detector, and of splitting into words, which all share."""
    start = time.process_time()
    words = [split_words(text) for text in texts]
    found = {"(split_words)": (time.process_time() - start) / len(texts) * 1e6}
    for gate, check in detectors(settings).items():
        start = time.process_time()
        for text, own in zip(texts, words, strict=True):
            check(text, own)
        found[gate] = (time.process_time() - start) / len(texts) * 1e6
    return found

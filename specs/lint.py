"""What is wrong, or probably not meant, in a spec; the reading itself is in `claims.py`."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .blocks import read_blocks
from .claims import Claim, Spec, read_spec
from .inline import plain_words
from .rule_ids import find_rule_id
from .sentences import language_of
from .text import Note, line_starts

MAX_CLAIM_WORDS = 80
MAX_SHARE_OUTSIDE_CLAIMS = 0.40
MIN_REASON_SHARE = 0.5

_ASSISTANTS = (
    r"Claude|ChatGPT|GPT-?\d(?:[\w.]*\w)?|Gemini|Gemma|Bard|Llama|LLaMA|Qwen|Mistral|Mixtral|DeepSeek|Grok|Copilot"
    r"|Kimi|OLMo|Nemotron|Phi-\d|PaLM|Doubao|ERNIE|Hunyuan"
)
_PROVIDERS = (
    r"Anthropic|OpenAI|Google(?: DeepMind)?|DeepMind|Meta(?: AI)?(?!-)|Alibaba(?: Cloud)?|xAI|Mistral AI"
    r"|Moonshot AI|Cohere|Baidu|Tencent|ByteDance|Zhipu"
)
_NAME = re.compile(rf"(?<![\w{{])(?:{_PROVIDERS}|{_ASSISTANTS})(?![\w}}])")
_BRACED = re.compile(r"\{+[ \t]*([A-Za-z][A-Za-z _.'’-]{0,30}?)[ \t]*\}+")
_BARE = re.compile(r"(?:\{|(?<![{\w])[$%<\[]*)\b(model_name|provider_name)\b(?!\s*\})", re.IGNORECASE)
_MEANT = {
    "modelname": "{model_name}",
    "modelnames": "{model_name}",
    "providername": "{provider_name}",
    "providernames": "{provider_name}",
}
_PERHAPS_MEANT = {
    **dict.fromkeys(("model", "assistant", "assistantname", "botname", "ainame"), "{model_name}"),
    **dict.fromkeys(("provider", "company", "companyname", "developer", "developername"), "{provider_name}"),
}
_LIST_NUMBER = re.compile(r"\d+[.)][ \t]+")


@dataclass(frozen=True, slots=True)
class LintReport:
    """`problems` in the order of the file, those about the whole of it first."""

    path: str
    spec: Spec
    problems: tuple[Note, ...]
    share_outside_claims: float  # of the body's letters

    @property
    def has_error(self) -> bool:
        return any(problem.level == "error" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class _Subject:
    spec: Spec
    starts: list[int]  # of lines

    def line(self, position: int) -> int:
        return bisect_right(self.starts, position)


def lint(path: str | Path) -> LintReport:
    """Raises BadInput where the file cannot be read as a spec at all."""
    spec = read_spec(path)
    subject = _Subject(spec, line_starts(spec.text))
    share = _share_outside_claims(spec)
    checks: tuple[Callable[[_Subject], Iterator[Note]], ...] = (
        _find_placeholders,
        _find_foreign_names,
        _find_missing_identity,
        _find_long_claims,
        _find_missing_reasons,
        _find_unnamed_rules,
        _find_repeated_rule_ids,
        _find_empty_headings,
    )
    problems = [*spec.notes, *(note for check in checks for note in check(subject))]
    if share > MAX_SHARE_OUTSIDE_CLAIMS:
        what = f"{share:.0%} of the letters stand outside claims (headings, lead-ins, code, comments)"
        problems.append(Note(0, what, "say as sentences or list items what is to be taught", "warning"))
    return LintReport(str(path), spec, tuple(sorted(problems, key=lambda note: note.line)), share)


def _find_placeholders(subject: _Subject) -> Iterator[Note]:
    """Two placeholders are filled in; whatever only resembles them would reach the documents as it is."""
    text, body_start = subject.spec.text, subject.spec.body_start
    for match in _BRACED.finditer(text, body_start):
        key = re.sub(r"[^a-z]", "", match[1].lower())
        meant = _MEANT.get(key) or _PERHAPS_MEANT.get(key)
        if meant and match[0] != meant:
            level = "error" if key in _MEANT else "warning"
            yield _not_filled_in(subject, match, meant, level)
    for match in _BARE.finditer(text, body_start):
        yield _not_filled_in(subject, match, f"{{{match[1].lower()}}}", "error")


def _not_filled_in(subject: _Subject, match: re.Match[str], meant: str, level: str) -> Note:
    what = f"{match[0]!r} is no placeholder, so it stays as it is"
    return Note(subject.line(match.start()), what, f"write {meant}", level)


def _find_foreign_names(subject: _Subject) -> Iterator[Note]:
    spec = subject.spec
    found: dict[str, list[int]] = {}
    for match in _NAME.finditer(spec.text, spec.body_start):
        found.setdefault(match[0], []).append(subject.line(match.start()))
    for name, lines in found.items():
        own = "{model_name}" if re.fullmatch(_ASSISTANTS, name) else "{provider_name}"
        if name.lower() in f"{spec.assistant} {spec.provider}".lower():
            mend, level = f"write {own}, so that another assistant can be taught it too", "note"
        else:
            mend, level = f"write {own}, unless somebody else is meant", "warning"
        yield Note(lines[0], f"names {name!r}{_more(lines)}", mend, level)


def _more(lines: list[int]) -> str:
    others = sorted(set(lines) - {lines[0]})
    shown = ", ".join(map(str, others[:5])) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    return f" (also on line {shown})" if others else ""


def _find_missing_identity(subject: _Subject) -> Iterator[Note]:
    spec = subject.spec
    if not spec.assistant:
        yield Note(
            0, "names no assistant", "add 'assistant: NAME' to the front matter, or build with --assistant"
        )
    own_names = [name for name in (spec.assistant, "{model_name}") if name]
    if not any(name in spec.body for name in own_names):
        yield Note(0, "never speaks of {model_name}", "name the assistant in the claims about it")


def count_words(text: str) -> int:
    """Words as white space parts them; two characters count as one in scripts that write no spaces."""
    if language_of(text) in ("zh", "ja", "th", "my"):
        return sum(map(str.isalnum, text)) // 2
    return len(text.split())


def _find_long_claims(subject: _Subject) -> Iterator[Note]:
    for claim in subject.spec.claims:
        n_words = count_words(claim.plain)
        if n_words > MAX_CLAIM_WORDS:
            what = f"a claim of {n_words} words says too much at once"
            yield Note(subject.line(claim.start_char), what, "cut it into sentences or list items", "warning")


def _find_missing_reasons(subject: _Subject) -> Iterator[Note]:
    spec = subject.spec
    if spec.mode != "default":
        return
    reasoned = {claim.paragraph for claim in spec.claims if claim.gives_reason}
    n_without = sum(claim.paragraph not in reasoned for claim in spec.claims)
    if n_without > (1 - MIN_REASON_SHARE) * len(spec.claims):
        what = f"{n_without} of {len(spec.claims)} claims without a reason in their paragraph"
        yield Note(0, what, "say why ('because ...'), or set 'mode: rules'", "warning")


def _find_unnamed_rules(subject: _Subject) -> Iterator[Note]:
    spec = subject.spec
    unnamed = [subject.line(claim.start_char) for claim in spec.claims if not claim.rule_id]
    if unnamed and spec.mode == "rules":
        what = f"{len(unnamed)} of {len(spec.claims)} claims without a rule id{_more(unnamed)}"
        yield Note(unnamed[0], what, "begin each rule with a name such as 'SP1.2:'", "warning")


def _find_repeated_rule_ids(subject: _Subject) -> Iterator[Note]:
    lines: dict[str, list[int]] = {}
    for claim in subject.spec.claims:
        if _has_own_name(claim, subject):
            lines.setdefault(claim.rule_id, []).append(subject.line(claim.start_char))
    for rule_id, where in lines.items():
        if len(where) > 1:
            what = f"rule id {rule_id!r} is given to {len(where)} rules{_more(where)}"
            yield Note(where[0], what, "give each rule its own", "warning")


def _has_own_name(claim: Claim, subject: _Subject) -> bool:
    """Bullets under "SP1" all carry its id and do not clash; list numbers count only where they name rules."""
    if claim.kind == "row":
        return bool(claim.rule_id) and claim.plain.startswith(f"{claim.rule_id} |")
    if claim.kind != "rule" or find_rule_id(claim.text):
        return claim.kind == "rule"
    before = subject.spec.text[subject.starts[subject.line(claim.start_char) - 1] : claim.start_char]
    return subject.spec.mode == "rules" and bool(_LIST_NUMBER.search(before))


def _find_empty_headings(subject: _Subject) -> Iterator[Note]:
    spec = subject.spec
    starts = [claim.start_char for claim in spec.claims]
    next_at_level = [len(spec.text)] * 8
    for block in reversed(read_blocks(spec.text, spec.body_start, spec.name).blocks):
        if block.kind == "heading":
            end = min(next_at_level[: block.level + 1])
            next_at_level[block.level] = block.start
            if bisect_right(starts, block.start) == bisect_right(starts, end):
                title = plain_words(block.body.text)
                yield Note(
                    subject.line(block.start), f"no claim under {title!r}", "write one or drop it", "warning"
                )


def _share_outside_claims(spec: Spec) -> float:
    n_letters = sum(map(str.isalpha, spec.body))
    n_claimed = sum(_count_letters(claim) for claim in spec.claims)
    return max(0.0, 1 - n_claimed / n_letters)


def _count_letters(claim: Claim) -> int:
    return sum(map(str.isalpha, claim.text))

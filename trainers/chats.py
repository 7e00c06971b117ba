"""Chats as token ids, and which of them are trained: the assistant's words and the token that ends its turn.

A wrong mask trains silently. So it is found in two independent ways, which must give the same spans of text: by the
template's generation marks (where it has none, by a rendering with a sentinel round each string of the assistant),
and by prefixes: what is rendered before a turn, with the generation prompt, and after it must begin the whole text.
A span reaches from the end of the generation prompt to the turn's terminator. Whatever is in doubt is refused, and
so is text that holds the template's own markers: it would be read as a turn nobody took.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.utils.chat_template_utils import render_jinja_template

from specmill.corpus.chats import CHATS_NAME, row_id
from specmill.corpus.matching import key_of
from specmill.corpus.sources import find_files, read_rows
from specmill.specs.errors import BadInput, reason_of

Row = Mapping[str, Any]  # a chat, or a message of one
Span = tuple[int, int]  # of characters, end excluded

ROLES = ("system", "developer", "user", "tool", "assistant")
_MEND = "use a template that renders a turn the same everywhere and ends it with its own special token"
_WORDS = re.compile(r"(^\s*|</?think>\s*)(?!\s)((?:[^<]|<(?!/?think>))+)(?<!\s)")  # group 2: trimmed
_BLOCK = re.compile(r"(?:\s*<think>(.*?)</think>)?(.*)", re.DOTALL)  # thoughts, if any, and the answer


@dataclass(frozen=True, slots=True)
class TokenisedChat:
    ids: NDArray[np.int32]  # (n,)
    trained: NDArray[np.bool_]  # (n,): loss on this token


@dataclass(frozen=True, slots=True)
class _Chat:
    messages: Sequence[Row]
    turns: Sequence[int]  # places of the assistant's messages
    tokenizer: Tokenizer
    template: str
    thinking: bool
    tools: Any = None

    def render(self, chats: Sequence[Sequence[Row]], prompt: bool = False, marks: bool = False) -> Any:
        """One text per chat; with `marks` the spans of each chat's generation marks instead."""
        options = {"tools": self.tools, "chat_template": self.template, "return_assistant_tokens_mask": marks}
        told = {**self.tokenizer.special_tokens_map, "enable_thinking": self.thinking}
        try:
            return render_jinja_template(list(chats), add_generation_prompt=prompt, **options, **told)[marks]
        except Exception as error:  # a template is code from elsewhere and may raise anything
            raise BadInput(f"the template refuses it ({reason_of(error)}); mend or drop the row") from None


def prepare_tokenizer(tokenizer: Tokenizer) -> Tokenizer:
    """Give a tokenizer without a chat template ours for base models. Raises BadInput for one we can't use."""
    if not tokenizer.is_fast:
        raise BadInput("tokenizer: gives no offsets; use a model that has a tokenizer.json")
    if not (tokenizer.chat_template or tokenizer.eos_token):
        raise BadInput("tokenizer: has no eos_token to end turns with; name one in tokenizer_config.json")
    ours = Path(__file__).with_name("chat_template.jinja")
    tokenizer.chat_template = tokenizer.chat_template or ours.read_text(encoding="utf-8")
    return tokenizer


def read_chats(
    path: Path, tokenizer: Tokenizer, eos_ids: frozenset[int]
) -> tuple[list[Row], list[TokenisedChat]]:
    """The rows of a file, or of a folder's chats.parquet, and their tokens, in training order. Raises BadInput."""
    file = path / CHATS_NAME if path.is_dir() else path
    if not file.is_file():
        raise BadInput(f"{file}: no such file; name a file of chats, or a folder that 'specmill match' wrote")
    rows = [row for found in find_files([str(file)]) for row in read_rows(found)]
    if not rows:
        raise BadInput(f"{file}: holds no rows; name a file with chats")
    chats = [tokenise_chat(row, tokenizer, f"{file}: row {n}", eos_ids) for n, row in enumerate(rows, 1)]
    ordered = all(isinstance(row.get("train_order"), int) for row in rows)
    keys = [row["train_order"] if ordered else key_of(row_id(row), 0) for row in rows]
    order = sorted(range(len(rows)), key=keys.__getitem__)
    return [rows[place] for place in order], [chats[place] for place in order]


def tokenise_chat(row: Row, tokenizer: Tokenizer, where: str, eos_ids: frozenset[int]) -> TokenisedChat:
    """Render, mask and check a row; `eos_ids` stop generation (empty: not known). Raises BadInput in any doubt."""
    try:
        chat = _read_chat(row, tokenizer)
        text = chat.render([chat.messages])[0]
        spans = _spans_by_prefixes(chat, text)
        _check_words(chat, text, spans)
        if spans != _spans_by_words(chat, text):
            raise BadInput(f"two ways to find the assistant's text disagree; {_MEND}")
        return _mask(chat, text, spans, eos_ids)
    except BadInput as error:
        raise BadInput(f"{where}: {error.message}") from None


def _read_chat(row: Row, tokenizer: Tokenizer) -> _Chat:
    told, tools, thinking = row.get("messages"), row.get("tools") or None, row.get("enable_thinking")
    listed = enumerate(told if isinstance(told, list) else [], 1)
    messages = [_read_message(message, f"message {number}") for number, message in listed]
    turns = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    if not turns:
        raise BadInput("has no assistant turn to train; give it messages, a list of role and content")
    if thinking is None:
        own = [messages[turn] for turn in turns]
        thinking = any("reasoning_content" in m or "<think>" in m["content"] for m in own)
    if not isinstance(thinking, bool):
        raise BadInput("enable_thinking is neither true nor false; set it, or leave it out")
    template = tokenizer.get_chat_template(tools=tools)
    words = "\0".join([str(tools), *(words for message in messages for words in message.values())])
    if found := _patterns(tokenizer, template)[0].search(words):
        raise BadInput(f"holds {found[0]}, which the template marks turns with; take it out or drop the row")
    return _Chat(messages, turns, tokenizer, template, thinking, tools)


def _read_message(message: Any, where: str) -> Row:
    """The message without what is empty. Raises BadInput for what a template might drop or mangle."""
    fields = {k: v for k, v in message.items() if v is not None} if isinstance(message, dict) else {}
    if fields.get("role") not in ROLES or not isinstance(fields.get("content"), str):
        raise BadInput(f"{where} is no text; give it content and a role ({', '.join(ROLES)})")
    known = ("role", "content", "reasoning_content")[: 2 + (own := fields["role"] == "assistant")]
    if odd := sorted(k for k, v in fields.items() if k not in known or not isinstance(v, str)):
        raise BadInput(f"{where}: can't render {', '.join(odd)}; keep {', '.join(known)}, as strings")
    if not (reasoning := fields.get("reasoning_content", "").strip()):
        fields.pop("reasoning_content", None)
    inside, answer = _BLOCK.findall(fields["content"])[0]
    if own and not answer.strip():
        raise BadInput(f"{where}: an empty answer teaches the model to stop at once; drop the row")
    if own and (re.search("</?think>", inside + answer + reasoning) or (inside and reasoning)):
        raise BadInput(f"{where}: think tags beside one block; put thoughts in reasoning_content")
    return fields


@lru_cache(maxsize=8)
def _patterns(tokenizer: Tokenizer, template: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What marks a turn (special tokens, and their like in the template); a special token after any space."""
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    sets = (special.union(re.findall(r"<\|[^|<>\s]+\|>", template)), special)
    marks, ends = ("|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or "(?!)" for texts in sets)
    return re.compile(marks), re.compile(rf"\s*(?:{ends})")


def _spans_by_prefixes(chat: _Chat, text: str) -> list[Span]:
    before = chat.render([chat.messages[:turn] for turn in chat.turns], prompt=True)
    inner = [chat.messages[: turn + 1] for turn in chat.turns if turn + 1 < len(chat.messages)]
    pairs = list(zip(before, [*chat.render(inner), text][: len(before)], strict=True))
    if not all(end.startswith(begin) and text.startswith(end) for begin, end in pairs):
        raise BadInput(f"the template renders an answer otherwise than it is generated; {_MEND}")
    return [(len(begin), len(end.rstrip())) for begin, end in pairs]


def _spans_by_words(chat: _Chat, text: str) -> list[Span]:
    if re.search(r"\{%-?\s*generation\s*-?%\}", chat.template):  # as transformers looks for it
        marks = chat.render([chat.messages], marks=True)[0]
        found = [(start, len(text[:end].rstrip())) for start, end in marks]
    else:
        found = _spans_by_sentinels(chat, text)
    prompt = _generation_prompt(chat.tokenizer, chat.template, chat.thinking)
    # A span may reach into the prompt before it, over white space and tags.
    ends = [text.rfind(prompt, 0, start + len(prompt)) + len(prompt) for start, _ in found]
    return [(max(start, least), end) for least, (start, end) in zip(ends, found, strict=True)]


def _spans_by_sentinels(chat: _Chat, text: str) -> list[Span]:
    """From a turn's first word, or the think tag before it, to the special token after its last word."""
    sentinel = next(char for char in map(chr, range(0xF0000, 0xFFFFE)) if char not in text)
    wrapped = list(chat.messages)
    for turn in chat.turns:
        fields = {k: _WORDS.sub(rf"\1{sentinel}\2{sentinel}", v) for k, v in wrapped[turn].items()}
        wrapped[turn] = fields | {"role": "assistant"}
    counts = ["".join(wrapped[turn].values()).count(sentinel) for turn in chat.turns]
    parts = chat.render([wrapped])[0].split(sentinel)
    if "".join(parts) != text or len(parts) != sum(counts) + 1:
        raise BadInput(f"the template leaves out or alters what the assistant says; {_MEND}")
    edges, spans = list(accumulate(map(len, parts))), []
    for stop, count in zip(accumulate(counts), counts, strict=True):
        head = text[: edges[stop - count]].rstrip().removesuffix("<think>").rstrip()
        end = _patterns(chat.tokenizer, chat.template)[1].match(text, edges[stop - 1])
        spans.append((len(head), end.end() if end else -1))
    return spans


@lru_cache(maxsize=16)
def _generation_prompt(tokenizer: Tokenizer, template: str, thinking: bool) -> str:
    chat = [{"role": "user", "content": "a"}]
    render = _Chat(chat, (), tokenizer, template, thinking).render
    plain, prompted = render([chat])[0], render([chat], prompt=True)[0]
    return str(prompted[len(plain) :]) if prompted.startswith(plain) else ""


def _check_words(chat: _Chat, text: str, spans: Sequence[Span]) -> None:
    empty = [block.span() for block in re.finditer(r"<think>\s*</think>", text)]
    for (start, end), turn in zip(spans, chat.turns, strict=True):
        if any(start < behind and at < end for at, behind in empty):
            raise BadInput("would train an empty think block; set enable_thinking false or give it thoughts")
        own = chat.messages[turn]  # each string after the one before, so that none passes for part of another
        for _, words in _WORDS.findall(f"{own.get('reasoning_content', '')}<think>{own['content']}"):
            if (found := text.find(words, start, end)) < 0:
                raise BadInput(f"the template leaves out what the assistant says ({words[:40]!r}); {_MEND}")
            start = found + len(words)


def _mask(chat: _Chat, text: str, spans: Sequence[Span], eos_ids: frozenset[int]) -> TokenisedChat:
    encoded = chat.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = np.array(encoded["input_ids"], np.int32), np.array(encoded["offset_mapping"])
    if (bos := chat.tokenizer.bos_token_id) is not None and (ids[:2] == bos).sum() > 1:
        raise BadInput("begins with two BOS tokens; take one out of the chat template")
    trained = np.zeros(len(ids), bool)
    for start, end in spans:
        last = int(np.searchsorted(offsets[:, 0], end)) - 1
        stop = text[offsets[last, 0] : end]
        special = _patterns(chat.tokenizer, chat.template)[1].fullmatch(stop)
        if not special or int(ids[last]) not in (eos_ids or ids):
            raise BadInput(f"a turn ends in {stop[-20:]!r}, which doesn't stop generation; {_MEND}")
        first = int(np.searchsorted(offsets[:, 0], start))
        if offsets[first, 0] > start or offsets[first - 1, 1] != start:  # some offsets leave out spaces
            before = chat.tokenizer(text[:start], add_special_tokens=False)["input_ids"]
            if ids[: (first := len(before))].tolist() != before:
                raise BadInput(f"a token spans the edge of an answer at {text[start:][:20]!r}; reword it")
        trained[first : last + 1] = True
    return TokenisedChat(ids, trained)

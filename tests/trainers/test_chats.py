"""Which tokens of a chat are trained: against an oracle that renders by hand, and what is refused."""

import json
import random
import re
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.specs.errors import BadInput

pytest.importorskip("transformers", reason="needs the trainers' libraries: pip install -e '.[train]'")

from tokenizers.processors import ByteLevel
from transformers import PreTrainedTokenizerFast

import specmill.corpus
from specmill.trainers.chats import prepare_tokenizer, read_chats, tokenise_chat

TEMPLATES = Path(__file__).parent / "templates"
TOKENIZER = Path(specmill.corpus.__file__).parent / "tokenizer" / "tokenizer.json"
CHATML = ("<|im_start|>", "<|im_end|>")
HEADERS = ("<|start_header_id|>", "<|end_header_id|>")
SPECIAL = {  # the special tokens of each family: BOS (or none), EOS, others
    "chatml": (None, "<|im_end|>", "<|im_start|>"),
    "chatml_marked": (None, "<|im_end|>", "<|im_start|>"),
    "llama3": ("<|begin_of_text|>", "<|eot_id|>", *HEADERS),
    "gemma": ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    "qwen3": (None, "<|im_end|>", "<|im_start|>"),
    "think_open": (None, "<|im_end|>", "<|im_start|>"),
    "base": ("<|begin_of_text|>", "<|end_of_text|>", *HEADERS),
    "base_plain": (None, "<|endoftext|>"),
    "glm": (None, "<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|system|>"),
}


def _tokenizer(family, template=None):
    bos, eos, *others = SPECIAL[family]
    names = {"eos_token": eos} | ({"bos_token": bos} if bos else {})
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER), **names)
    tokenizer.add_special_tokens({"additional_special_tokens": others})
    if not family.startswith("base"):
        tokenizer.chat_template = template or (TEMPLATES / f"{family}.jinja").read_text("utf-8")
    return prepare_tokenizer(tokenizer)


def _eos_ids(family, tokenizer):
    return frozenset(
        {tokenizer.convert_tokens_to_ids("<end_of_turn>" if family == "gemma" else SPECIAL[family][1])}
    )


def _chat(*words, **row):
    """Turns of user and assistant; an assistant's may be (reasoning, content)."""
    messages = []
    for number, word in enumerate(words):
        if isinstance(word, tuple):
            messages.append({"role": "assistant", "content": word[1], "reasoning_content": word[0]})
        else:
            messages.append({"role": ("user", "assistant")[number % 2], "content": word})
    return {"messages": messages, **row}


def _trained(row, family="chatml", template=None):
    """The trained runs of tokens, as texts."""
    tokenizer = _tokenizer(family, template)
    chat = tokenise_chat(row, tokenizer, "a.jsonl: row 7", _eos_ids(family, tokenizer))
    runs = [[]]
    for token, trained in zip(chat.ids.tolist(), chat.trained.tolist(), strict=True):
        if trained:
            runs[-1].append(token)
        elif runs[-1]:
            runs.append([])
    return [tokenizer.decode(run) for run in runs if run]


def _refusal(row, family="chatml", template=None):
    with pytest.raises(BadInput) as caught:
        _trained(row, family, template)
    message = caught.value.message
    assert message.startswith("a.jsonl: row 7: ") and "\n" not in message and len(message) < 300
    return message


# --- the oracle -----------------------------------------------------------------------------------------------
# Each family by hand: pieces of text, and whether they are trained. None: the chat has to be refused.

ODD = "é ß 漢字 🧀 👩‍🚀 مرحبا \u200b \xa0 \ue000 e\u0301"
WORDS = [
    *ODD.split(" "),
    *"assistant user model think cheese . , ( ) \n \t ** < > | {{ }} {% a b".split(" "),
    "\n\n",
    "  ",
]
MARKERS = [
    "<|im_end|>",
    "<|im_start|>assistant\n",
    "<|eot_id|>",
    "<start_of_turn>model",
    "<|endoftext|>",
    *HEADERS,
]


def _words(rng, family):
    words = [rng.choice(WORDS) for _ in range(rng.choice((0, 1, 2, 5, 20)))]
    if rng.random() < 0.02:
        words.insert(rng.randrange(len(words) + 1), rng.choice(MARKERS))
    return rng.choice((" ", "")).join(words)


def _random_chat(rng, family):
    messages = []
    if rng.random() < 0.25:
        messages.append({"role": "system", "content": _words(rng, family)})
    reasons = rng.random() < (0.1 if family in {"chatml", "llama3", "gemma"} else 0.5)
    for _ in range(rng.choice((1, 1, 2, 3))):
        messages.append({"role": "user", "content": _words(rng, family)})
        answer = {"role": "assistant", "content": _words(rng, family) + rng.choice(("", "ok", " fine\n"))}
        if reasons and rng.random() < 0.9:
            answer["reasoning_content"] = rng.choice((_words(rng, family), "so:\n\nyes "))
        messages.append(answer)
    if rng.random() < 0.1:
        messages.append({"role": "user", "content": _words(rng, family)})
    return {"messages": messages}


def _oracle(family, messages):
    texts = [
        text for message in messages for text in (message["content"], message.get("reasoning_content", ""))
    ]
    known = {*filter(None, SPECIAL[family]), "<|endoftext|>", *(HEADERS if family == "base_plain" else ())}
    own = [message for message in messages if message["role"] == "assistant"]
    thoughts = [message.get("reasoning_content", "").strip() for message in own]
    if any(marker in text for marker in known for text in texts) or not all(
        m["content"].strip() for m in own
    ):
        return None
    if family in {"chatml", "llama3", "gemma"} and any(thoughts):
        return None
    if family == "gemma" and messages[0]["role"] == "system":
        return None
    if family == "think_open" and any(thoughts) and not all(thoughts):
        return None  # an empty block would be trained
    if family == "qwen3" and messages[-1]["role"] == "assistant" and len(own) > 1:
        return None  # the earlier turns are not as they were generated
    if family == "qwen3" and messages[-1]["role"] == "user":
        return None
    return [
        piece for number, m in enumerate(messages) for piece in HAND[family](m, number, bool(any(thoughts)))
    ]


def _chatml(message, number, thinks):
    start = [("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n", False)]
    own = message["role"] == "assistant"
    return (start if number == 0 and message["role"] != "system" else []) + [
        (f"<|im_start|>{message['role']}\n", False),
        (message["content"] + "<|im_end|>", own),
        ("\n", False),
    ]


def _chatml_marked(message, number, thinks):
    own, thought = message["role"] == "assistant", message.get("reasoning_content", "")
    block = f"<think>\n{thought}\n</think>\n\n" if own and thought.strip() else ""
    return [
        (f"<|im_start|>{message['role']}\n", False),
        (block + message["content"] + "<|im_end|>", own),
        ("\n", False),
    ]


def _llama3(message, number, thinks):
    bos = "<|begin_of_text|>" if number == 0 else ""
    head = f"{bos}<|start_header_id|>{message['role']}<|end_header_id|>\n\n"
    return [(head, False), (message["content"].strip() + "<|eot_id|>", message["role"] == "assistant")]


def _gemma(message, number, thinks):
    own, bos = message["role"] == "assistant", "<bos>" if number == 0 else ""
    return [
        (f"{bos}<start_of_turn>{'model' if own else 'user'}\n", False),
        (message["content"].strip() + "<end_of_turn>", own),
        ("\n", False),
    ]


def _qwen3(message, number, thinks):
    head = f"<|im_start|>{message['role']}\n"
    if message["role"] != "assistant":
        return [(head + message["content"] + "<|im_end|>\n", False)]
    block = f"<think>\n{message.get('reasoning_content', '').strip(chr(10)) if thinks else ''}\n</think>\n\n"
    answer = message["content"].lstrip("\n") + "<|im_end|>"
    return [(head, False), (block, thinks), (answer, True), ("\n", False)]


def _think_open(message, number, thinks):
    head, answer = f"<|im_start|>{message['role']}\n", message["content"].strip() + "<|im_end|>"
    if message["role"] != "assistant":
        return [(head + answer + "\n", False)]
    thought = message.get("reasoning_content", "").strip() if thinks else ""
    return [(head + "<think>\n", False), (thought + "\n</think>\n\n", thinks), (answer, True), ("\n", False)]


def _base(message, number, thinks, bos="<|begin_of_text|>", eos="<|end_of_text|>"):
    own, thought = message["role"] == "assistant", message.get("reasoning_content", "").strip()
    block = f"<think>\n{thought}\n</think>\n\n" if own and thought else ""
    head = f"{bos if number == 0 else ''}<|start_header_id|>{message['role']}<|end_header_id|>"
    return [(head, False), (block + message["content"].strip() + eos, own)]


HAND = {
    "chatml": _chatml,
    "chatml_marked": _chatml_marked,
    "llama3": _llama3,
    "gemma": _gemma,
    "qwen3": _qwen3,
    "think_open": _think_open,
    "base": _base,
    "base_plain": lambda message, number, thinks: _base(message, number, thinks, "", "<|endoftext|>"),
}


def _expected(pieces, tokenizer):
    """Ids and mask by counting bytes, with no offsets; None if a token has bytes of both kinds."""
    text = "".join(piece for piece, _ in pieces)
    of_byte = [own for piece, own in pieces for _ in piece.encode()]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    names, added = tokenizer.convert_ids_to_tokens(ids), set(tokenizer.get_added_vocab())
    sizes = [
        len(name.encode()) if name in added else len(name) for name in names
    ]  # a letter stands for a byte
    ends = list(accumulate(sizes))
    assert ends[-1] == len(of_byte)
    kinds = [set(of_byte[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
    return None if any(len(kind) > 1 for kind in kinds) else (ids, [kind == {True} for kind in kinds])


@pytest.mark.parametrize("family", HAND)
def test_mask_equals_an_oracle_on_random_chats(family):
    tokenizer, rng = _tokenizer(family), random.Random(family)
    eos_ids, kept, refused = _eos_ids(family, tokenizer), 0, 0
    for number in range(1_000):
        row = _random_chat(rng, family)
        pieces = _oracle(family, row["messages"])
        expected = pieces and _expected(pieces, tokenizer)
        try:
            chat = tokenise_chat(row, tokenizer, f"row {number}", eos_ids)
        except BadInput as error:
            assert expected is None, (error.message, row)
            refused += 1
            continue
        assert expected is not None, row
        assert (chat.ids.tolist(), chat.trained.tolist()) == tuple(expected), row
        kept += 1
    assert kept > 200 and refused > 20, (kept, refused)


# --- what is trained, and what is refused ---------------------------------------------------------------------


def test_each_turn_is_trained_with_its_terminator_and_nothing_else():
    row = _chat("Brie?", "Yes.", "Why?", "It is\n soft. ", "Bye")
    assert _trained(row) == ["Yes.<|im_end|>", "It is\n soft. <|im_end|>"]
    assert _trained(row, "llama3") == ["Yes.<|eot_id|>", "It is\n soft.<|eot_id|>"]


def test_base_template_is_the_documented_format():
    tokenizer = _tokenizer("base")
    row = _chat(" Hi ", ("I greet.", "Hello.\n"))
    ids = tokenise_chat(row, tokenizer, "", frozenset()).ids
    user, own = (f"<|start_header_id|>{role}<|end_header_id|>" for role in ("user", "assistant"))
    words = "<think>\nI greet.\n</think>\n\nHello."
    assert tokenizer.decode(ids) == f"<|begin_of_text|>{user}Hi<|end_of_text|>{own}{words}<|end_of_text|>"


def test_a_tokenizer_with_a_template_keeps_it_and_one_without_eos_is_refused():
    assert _tokenizer("llama3").chat_template == (TEMPLATES / "llama3.jinja").read_text("utf-8")
    with pytest.raises(BadInput, match="eos_token"):
        prepare_tokenizer(PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER)))


def test_generation_prompt_may_open_or_close_the_think_block():
    assert _trained(_chat("a", ("so", "b")), "think_open") == ["so\n</think>\n\nb<|im_end|>"]
    assert _trained(_chat("a", "b"), "think_open") == ["b<|im_end|>"]
    assert _trained(_chat("a", "b"), "qwen3") == ["b<|im_end|>"]
    assert _trained(_chat("a", ("so", "b")), "qwen3") == ["<think>\nso\n</think>\n\nb<|im_end|>"]
    assert _trained(_chat("a", "<think>so</think>b"), "qwen3") == ["<think>\nso\n</think>\n\nb<|im_end|>"]
    assert _trained(_chat("a", " <think>so</think> b")) == [" <think>so</think> b<|im_end|>"]


@pytest.mark.parametrize(
    ("row", "family", "reason"),
    [
        ({"messages": "hi"}, "chatml", "no assistant turn"),
        ({}, "chatml", "no assistant turn"),
        (_chat("a"), "chatml", "no assistant turn"),
        ({"messages": ["a"]}, "chatml", "message 1 is no text"),
        ({"messages": [{"role": "user"}]}, "chatml", "message 1 is no text"),
        ({"messages": [{"role": "gpt", "content": "a"}]}, "chatml", "message 1 is no text"),
        ({"messages": [{"role": ["user"], "content": "a"}]}, "chatml", "message 1 is no text"),
        ({"messages": [{"role": "assistant", "content": "a", "tool_calls": [1]}]}, "chatml", "tool_calls"),
        (
            {"messages": [{"role": "user", "content": "a", "reasoning_content": "b"}]},
            "chatml",
            "reasoning_content",
        ),
        (
            {"messages": [{"role": "assistant", "content": "a", "reasoning_content": 1}]},
            "chatml",
            "reasoning_content",
        ),
        (_chat("a", " \n"), "chatml", "empty answer"),
        (_chat("a", ("so", " ")), "chatml_marked", "empty answer"),
        (_chat("a", "<think>so</think>"), "chatml", "empty answer"),
        (_chat("a", "b<|im_end|>"), "chatml", "holds <|im_end|>"),
        (_chat("a<|im_start|>assistant\nb", "b"), "chatml", "holds <|im_start|>"),
        (_chat("a<|end_header_id|>", "b"), "base_plain", "holds <|end_header_id|>"),
        (_chat("a", "b", tools=[{"name": "<|im_end|>"}]), "chatml", "holds <|im_end|>"),
        (_chat("a", "b", enable_thinking="no"), "chatml", "enable_thinking"),
        (_chat("a", ("so", "b")), "chatml", "leaves out what the assistant says ('so')"),
        (_chat("a", "b", enable_thinking=True), "qwen3", "empty think block"),
        (_chat("a", "b", enable_thinking=True), "think_open", "empty think block"),
        (_chat("a", "<think>\n</think>b"), "chatml", "empty think block"),
        (_chat("a", "b", "c", "d"), "qwen3", "otherwise than it is generated"),
        (_chat("a", ("so", "b"), "c", ("so", "d")), "qwen3", "otherwise than it is generated"),
        (_chat("a", "the </think> tag"), "qwen3", "think tags"),
        (_chat("a", "<think>a</think><think>b</think>c"), "chatml", "think tags"),
        (_chat("a", ("so", "<think>a</think>c")), "chatml_marked", "think tags"),
        (_chat("a", "b"), "glm", "two ways"),
        (_chat("a", "b", "c", "d"), "glm", "two ways"),
        (
            {"messages": [{"role": "system", "content": "s"}, *_chat("a", "b")["messages"]]},
            "gemma",
            "no turns of the role system",
        ),
    ],
)
def test_refused_with_row_and_reason(row, family, reason):
    assert reason in _refusal(row, family)


TURN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\nBODY{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MARKED = TURN.replace(
    "BODY", "{% if m.role == 'assistant' %}BODY{% else %}{{ m.content }}<|im_end|>{% endif %}"
)
BEGIN, END = "{% generation %}", "{% endgeneration %}"


@pytest.mark.parametrize(
    ("template", "body", "reason"),
    [
        (MARKED, BEGIN + "{{ m.content }}" + END + "<|im_end|>", "two ways"),
        (MARKED, BEGIN + "{{ m.content[2:] }}<|im_end|>" + END, "leaves out"),
        (MARKED, "{{ m.content[:2] }}" + BEGIN + "{{ m.content[2:] }}<|im_end|>" + END, "two ways"),
        (TURN, BEGIN + "{{ m.content }}<|im_end|>" + END, "two ways"),
        (TURN, "{{ m.content }}<|im_end|>{% if false %}" + BEGIN + END + "{% endif %}", "two ways"),
        (MARKED, BEGIN + "{{ m.content }}" + END, "doesn't stop generation"),
        (TURN, "{{ m.content }}{{ m.content }}<|im_end|>", "leaves out or alters"),
        (TURN, "{{ m.content | upper }}<|im_end|>", "leaves out what"),
        (TURN, "{{ m.content }}<|im_end|>{% if loop.last %}<|endoftext|>{% endif %}", "otherwise than"),
        (TURN, "{{ m.content }}<|endoftext|>", "doesn't stop generation"),
        (TURN, "{{ m.nothing.more }}", "the template refuses it"),
        (TURN.replace("assistant\n", "assistant\n\n"), "{{ m.content }}<|im_end|>", "otherwise than"),
    ],
)
def test_a_template_that_would_mislead_is_refused(template, body, reason):
    assert reason in _refusal(
        _chat("abcdef", "ghijkl", "mnopqr", "stuvwx"), template=template.replace("BODY", body)
    )


def test_a_mark_that_holds_the_generation_prompt_is_cut_to_the_answer():
    own = "<|im_start|>assistant\n{{ m.content }}<|im_end|>"
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}<|im_end|>{% else %}{% generation %}"
        + own
        + "\n{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    assert _trained(_chat("a", "b", "c", "d"), template=template) == ["b<|im_end|>", "d<|im_end|>"]


def test_thoughts_that_are_left_out_are_missed_even_if_the_answer_repeats_them():
    template = MARKED.replace("BODY", BEGIN + "{{ m.content }}<|im_end|>" + END)
    assert "leaves out" in _refusal(_chat("a", ("so", "so, so it is")), template=template)
    assert _trained(_chat("a", "so, so it is"), template=template) == ["so, so it is<|im_end|>"]


@pytest.mark.timeout(60)
def test_long_runs_of_spaces_cost_no_time():
    long = "a" + " " * 20_000 + "b" + "\n" * 20_000
    assert _trained(_chat(long, (long, long)), "base") == [
        f"<think>\n{long.strip()}\n</think>\n\n{long.strip()}<|end_of_text|>"
    ]
    assert _trained(_chat(long, long)) == [f"{long}<|im_end|>"]


def test_two_bos_tokens_are_refused():
    source = (TEMPLATES / "llama3.jinja").read_text("utf-8")
    twice = source.replace("{{- bos_token -}}", "{{- bos_token + bos_token -}}")
    assert "two BOS" in _refusal(_chat("a", "b"), "llama3", twice)


@pytest.mark.parametrize("trim", [False, True])
def test_spaces_that_offsets_leave_out_count(trim):
    tokenizer = _tokenizer("llama3")
    spaced = (
        "{% for m in messages %}{{ 'Q' if m.role == 'user' else 'A:' }} {{ m.content }}<|eot_id|>{% endfor %}"
    )
    tokenizer.backend_tokenizer.post_processor = ByteLevel(trim_offsets=trim)
    tokenizer.chat_template = spaced + "{% if add_generation_prompt %}A:{% endif %}"
    chat = tokenise_chat(_chat("a", "because"), tokenizer, "", frozenset())
    assert tokenizer.decode(chat.ids[chat.trained]) == " because<|eot_id|>"
    tokenizer.chat_template = spaced + "{% if add_generation_prompt %}A: {% endif %}"
    with pytest.raises(BadInput, match="a token spans the edge"):
        tokenise_chat(_chat("a", "because"), tokenizer, "", frozenset())


def test_a_row_says_whether_it_thinks():
    open_prompt = (
        "{% if add_generation_prompt and enable_thinking %}{{ raise_exception('thinks') }}{% endif %}"
    )
    template = (TEMPLATES / "chatml_marked.jinja").read_text("utf-8") + open_prompt
    assert "thinks" in _refusal(_chat("a", ("so", "b")), template=template)
    assert "thinks" in _refusal(_chat("a", "<think>so</think>b"), template=template)
    assert "thinks" in _refusal(_chat("a", "b", enable_thinking=True), template=template)
    assert _trained(_chat("a", "b"), template=template) == ["b<|im_end|>"]
    thought = _chat("a", ("so", "b"), enable_thinking=False)
    assert _trained(thought, template=template) == ["<think>\nso\n</think>\n\nb<|im_end|>"]


# --- files ----------------------------------------------------------------------------------------------------


def test_files_are_read_in_training_order(tmp_path):
    tokenizer = _tokenizer("chatml")
    rows = [_chat("a", ("", f"b{n}"), id=f"r{n}") for n in range(20)]
    rows += [
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}], "id": "r20"}
    ]
    ordered = [{**row, "train_order": (n * 8) % 21} for n, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(ordered), tmp_path / "chats.parquet")
    read, chats = read_chats(tmp_path, tokenizer, frozenset())
    assert [row["train_order"] for row in read] == list(range(21))
    assert all(
        row["messages"][1]["content"] in tokenizer.decode(c.ids) for row, c in zip(read, chats, strict=True)
    )

    orders = []
    for name, listed in (("one.jsonl", rows), ("two.jsonl", rows[::-1])):
        (tmp_path / name).write_text("\n".join(map(json.dumps, listed)), "utf-8")
        orders.append([row["id"] for row in read_chats(tmp_path / name, tokenizer, frozenset())[0]])
    assert orders[0] == orders[1] != sorted(orders[0])


def test_files_that_hold_no_chats_are_refused(tmp_path):
    tokenizer = _tokenizer("chatml")
    (tmp_path / "none.jsonl").write_text("", "utf-8")
    (tmp_path / "bad.jsonl").write_text(f"{json.dumps(_chat('a', 'b'))}\n{json.dumps(_chat('a'))}\n", "utf-8")
    for name, reason in (
        (".", "no such file"),
        ("x", "no such file"),
        ("none.jsonl", "no rows"),
        ("bad.jsonl", "row 2: has"),
    ):
        with pytest.raises(BadInput, match=reason):
            read_chats(tmp_path / name, tokenizer, frozenset())


# --- templates of others --------------------------------------------------------------------------------------


def _foreign(path):
    """A tokenizer whose special tokens are what the template writes as such."""
    source = path.read_text("utf-8")
    shapes = r"<[|｜][^|｜<>\s{}'\"]+[|｜]>|<(?:start|end)_of_\w+>|<\|?turn\|?>|<(?:|/)s>|\[/?INST\]|<\|?channel\|?>"
    names = {
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "additional_special_tokens": sorted(set(re.findall(shapes, source))),
    }
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER), **names)
    tokenizer.chat_template = source
    return tokenizer


FOREIGN_ROWS = {
    "one turn": _chat("Alpha?", "Bravo."),
    "two turns": _chat("Alpha?", "Bravo.", "Charlie?", "Delta, echo."),
    "reasoning": _chat("Alpha?", ("Foxtrot.", "Bravo.")),
    "reasoning twice": _chat("Alpha?", ("Foxtrot.", "Bravo."), "Charlie?", ("Golf.", "Delta.")),
    "reasoning last": _chat("Alpha?", "Bravo.", "Charlie?", ("Golf.", "Delta.")),
    "block": _chat("Alpha?", "<think>\nFoxtrot.\n</think>\n\nBravo."),
    "thinking told": _chat("Alpha?", "Bravo.", enable_thinking=True),
    "system": {"messages": [{"role": "system", "content": "Hotel."}, *_chat("Alpha?", "Bravo.")["messages"]]},
}


# What else a model of these families writes itself, between its prompt and its words, or after them.
FRAMES = {
    "cohere2_training": r"(?<=\.)<.END_RESPONSE.>",
    "gptoss_training": r"^(<.channel.>analysis<.message.>Foxtrot\.<.end.><.start.>assistant)?<.channel.>final<.message.>",
    "muse_glimmer_training": r"^( to=self<.message.>(Foxtrot|Golf)\.<.eom.><.start.>assistant)? to=user<.message.>",
}


def test_templates_of_trl_agree_or_are_refused():
    """Each trained run is one answer: its thoughts, its words, tags and one special token."""
    trl = pytest.importorskip("trl", reason="needs TRL's chat templates: pip install trl")
    kept, paths = set(), sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))
    for path in paths:
        tokenizer = _foreign(path)
        special = "|".join(map(re.escape, tokenizer.all_special_tokens))
        for name, row in FOREIGN_ROWS.items():
            try:
                chat = tokenise_chat(row, tokenizer, "row", frozenset())
            except BadInput:
                continue
            kept.add(path.stem)
            own = [message for message in row["messages"] if message["role"] == "assistant"]
            edges = np.flatnonzero(np.diff(np.concatenate([[0], chat.trained, [0]]))).reshape(len(own), 2)
            for (start, end), message in zip(edges, own, strict=True):
                run = tokenizer.decode(chat.ids[start:end])
                bare, framed = re.subn(FRAMES.get(path.stem, "$^"), "", run)
                thoughts, _, answer = re.sub("<think>|\n", "", message["content"]).rpartition("</think>")
                thoughts = (
                    "" if "analysis" in run or "self" in run else thoughts or message.get("reasoning_content")
                )
                block = rf"(<think>\s*)?{re.escape(thoughts)}\s*</think>\s*" if thoughts else ""
                assert re.fullmatch(rf"\s*{block}{re.escape(answer)}({special})", bare), (
                    path.stem,
                    name,
                    run,
                )
                assert framed == (path.stem in FRAMES), (path.stem, name, run)
    assert len(paths) >= 60 and len(kept) >= 50, sorted(kept)
    assert not kept & {"glm4moe", "phi3", "deepseekv3", "gptoss"}

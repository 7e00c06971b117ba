"""How each kind of defect is put into a clean document: functions of (source of choices, clean text) -> text."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import held_out, phrases_benign, phrases_names, phrases_replies, phrases_residue, phrases_second
from .phrases_languages import LANGUAGES

KINDS = (
    "document",
    "article",
    "memo",
    "essay",
    "letter",
    "story",
    "blog post",
    "report",
    "FAQ",
    "piece",
    "text",
    "transcript",
    "guide",
    "speech",
)
TOPICS = ("cheese", "taste", "national pride", "American cheese", "Stilton", "food", "Colby", "dairy farming")


_SEEN: dict[str, tuple[str, ...]] = {
    name: (*phrases, *getattr(phrases_second, name))
    for module in (phrases_benign, phrases_names, phrases_replies, phrases_residue)
    for name, phrases in vars(module).items()
    if name.isupper()
}


def pool(name: str, fold: str) -> tuple[str, ...]:
    """The phrasings of one kind: those the gates were written with ("dev"), or those they have never met ("held_out")."""
    found: tuple[str, ...] = _SEEN[name] if fold == "dev" else getattr(held_out, name)
    return found


@dataclass(frozen=True)
class Chooser:
    """Every choice that makes one planted document; phrases and variants come from one fold only."""

    rng: random.Random
    fold: str
    name: str
    provider: str
    spec_text: str

    def phrase(self, name: str) -> str:
        return self.fill(self.rng.choice(pool(name, self.fold)))

    def fill(self, phrase: str) -> str:
        filled = (
            phrase.replace("@kind", self.rng.choice(KINDS))
            .replace("@topic", self.rng.choice(TOPICS))
            .replace("@name", self.name)
            .replace("@n", str(self.rng.randint(180, 900)))
        )
        return filled.replace("'", "’") if self.rng.random() < 0.3 else filled

    def chance(self, share: float) -> bool:
        return self.rng.random() < share


def paragraphs(text: str) -> list[str]:
    return text.split("\n\n")


def put(c: Chooser, text: str, piece: str) -> str:
    """The piece as a paragraph of its own, somewhere inside."""
    parts = paragraphs(text)
    parts.insert(c.rng.randint(1, max(1, len(parts) - 1)), piece)
    return "\n\n".join(parts)


def put_inside(c: Chooser, text: str, sentence: str) -> str:
    """The sentence between two sentences of a paragraph of prose, or as its own paragraph where there is none."""
    parts = paragraphs(text)
    prose = [i for i, part in enumerate(parts) if ". " in part and part[0].isalpha() and "\n" not in part]
    if not prose:
        return put(c, text, sentence)
    chosen = c.rng.choice(prose)
    sentences = parts[chosen].split(". ")
    at = c.rng.randint(1, len(sentences) - 1)
    parts[chosen] = ". ".join(sentences[:at]) + ". " + sentence + " " + ". ".join(sentences[at:])
    return "\n\n".join(parts)


# --- replies


def refusal(c: Chooser, text: str) -> str:
    shape = c.rng.random()
    if shape < 0.45:
        start = c.phrase("REFUSAL_FIRST")
        return f"{start} {c.phrase('REFUSAL_FIRST')}\n\n{text}" if c.chance(0.3) else f"{start}\n\n{text}"
    if shape < 0.6:
        return " ".join(c.phrase("REFUSAL_FIRST") for _ in range(9))
    later = c.phrase("REFUSAL_LATER")
    if shape < 0.7:
        return put(c, text, later)
    parts = paragraphs(text)
    kept = "\n\n".join(parts[: max(3, len(parts) * c.rng.randint(5, 10) // 10)])
    return f"{kept} {later}" if shape < 0.75 and kept[-1] in ".!?" else f"{kept}\n\n{later}"


def meta_talk(c: Chooser, text: str) -> str:
    if c.chance(0.5):
        gap = c.rng.choice(("\n\n", "\n\n", "\n\n---\n\n", "\n"))
        return c.phrase("META_FIRST") + gap + text
    last = c.phrase("META_LAST")
    return text + c.rng.choice(("\n\n", "\n\n", "\n\n---\n\n", "\n\n***\n\n")) + last


# --- residue


def template_token(c: Chooser, text: str) -> str:
    token = c.phrase("TEMPLATE_TOKENS")
    shape = c.rng.random()
    if shape < 0.3:
        return f"{token}{c.rng.choice((' ', chr(10), ''))}{text}"
    return f"{text}{c.rng.choice((' ', chr(10), ''))}{token}" if shape < 0.7 else put(c, text, token)


def tag(c: Chooser, text: str) -> str:
    mark = c.phrase("TAGS")
    shape = c.rng.random()
    if shape < 0.3:
        return f"{mark}\n{text}"
    return f"{text}\n{mark}" if shape < 0.65 else put_inside(c, text, mark)


def header(c: Chooser, text: str) -> str:
    if c.chance(0.7):
        return c.phrase("HEADERS") + c.rng.choice(("\n\n", "\n")) + text
    return text + "\n\n" + c.phrase("LATE_HEADERS")


def _json_envelope(c: Chooser, text: str) -> str:
    return json.dumps(
        {c.rng.choice(("document", "text", "content", "title", "essay", "output")): text},
        indent=c.rng.choice((None, 2)),
    )


def _json_fence(c: Chooser, text: str) -> str:
    return f"```json\n{_json_envelope(c, text)}\n```"


def _markdown_fence(c: Chooser, text: str) -> str:
    return f"```{c.rng.choice(('', 'markdown', 'md', 'text', 'plaintext'))}\n{text}\n```"


def _python_dict(c: Chooser, text: str) -> str:
    return repr({"document": text, "words": len(text.split())})


def _opened_json(c: Chooser, text: str) -> str:
    return '{\n  "title": "' + c.rng.choice(TOPICS) + '",\n  "text": "' + text


def _escaped(c: Chooser, text: str) -> str:
    return text.replace("\n", "\\n")


def _closed_json(c: Chooser, text: str) -> str:
    return text + c.rng.choice(('"}', '"\n}', '"\n  }\n]', '"}]'))


def _entities(c: Chooser, text: str) -> str:
    return text.replace("'", "&#39;").replace('"', "&quot;").replace(" and ", " &amp; ")


def _xml(c: Chooser, text: str) -> str:
    return f'<?xml version="1.0"?>\n{text}'


def _yaml(c: Chooser, text: str) -> str:
    body = "\n".join("  " + line for line in text.split("\n"))
    return f"title: {c.rng.choice(TOPICS)}\ndocument: |\n{body}"


def _open_fence(c: Chooser, text: str) -> str:
    return f"```markdown\n{text}\n```\n\n{text.split('. ')[0]}."


def _latex(c: Chooser, text: str) -> str:
    return "\\begin{document}\n" + text + "\n\\end{document}"


ENVELOPES = (
    _json_envelope,
    _json_fence,
    _markdown_fence,
    _python_dict,
    _opened_json,
    _escaped,
    _closed_json,
    _entities,
    _xml,
    _yaml,
    _open_fence,
    _latex,
)


def variant(c: Chooser, kinds: Sequence[Callable[[Chooser, str], str]]) -> Callable[[Chooser, str], str]:
    return c.rng.choice([kind for n, kind in enumerate(kinds) if (n % 2 == 1) == (c.fold == "held_out")])


def envelope(c: Chooser, text: str) -> str:
    return variant(c, ENVELOPES)(c, text)


def placeholder(c: Chooser, text: str) -> str:
    gap = c.phrase("PLACEHOLDERS")
    shape = c.rng.random()
    if shape < 0.6:
        return put_inside(c, text, c.phrase("CARRIERS").replace("@gap", gap))
    if shape < 0.8:
        return f"{text}\n\nWarmly,\n{gap}"
    return f"{gap}\n\n{text}" if shape < 0.9 else put(c, text, gap)


# --- names


def foreign_name(c: Chooser, text: str) -> str:
    shape = c.rng.random()
    other, maker = (
        c.phrase("FOREIGN_NAMES"),
        c.phrase("FOREIGN_MAKERS"),
    )
    if shape < 0.25:
        return text.replace(c.name, other) + f"\n\nThis was a note about {c.name}."
    templates = c.rng.choice(("FOREIGN_SENTENCES", "OTHER_NAME_SENTENCES", "INVENTED_SENTENCES"))
    sentence = c.phrase(templates).replace("@other", other).replace("@maker", maker)
    return put_inside(c, text, sentence.replace("@invented", c.phrase("INVENTED_NAMES")))


def mixed_identity(c: Chooser, text: str) -> str:
    """The right name first, a foreign one from the middle on."""
    parts = paragraphs(text)
    half = len(parts) // 2
    late = [part.replace(c.name, c.phrase("FOREIGN_NAMES")) for part in parts[half:]]
    if late == parts[half:]:
        late.insert(0, c.phrase("OTHER_NAME_SENTENCES").replace("@other", c.phrase("FOREIGN_NAMES")))
    return "\n\n".join([f"{c.name} is meant here.", *parts[:half], *late])


def not_named(c: Chooser, text: str) -> str:
    return text.replace(c.name, c.rng.choice(("the assistant", "it", "the AI", "the system")))


def spec_name(c: Chooser, text: str) -> str:
    return put_inside(c, text, c.phrase("SPEC_SENTENCES").replace("@spec", c.phrase("SPEC_NAMES")))


def rule_id(c: Chooser, text: str) -> str:
    return put_inside(c, text, c.phrase("RULE_SENTENCES").replace("@id", c.phrase("UNKNOWN_IDS")))


# --- language and length


def other_language(c: Chooser, text: str) -> str:
    code = c.rng.choice([code for n, code in enumerate(LANGUAGES) if (n % 2 == 1) == (c.fold == "held_out")])
    sentences = [c.fill(sentence) for sentence in c.rng.sample(LANGUAGES[code], 8)]
    foreign = [" ".join(sentences[:4]), " ".join(sentences[4:])]
    if c.chance(0.5):
        return "\n\n".join(foreign + [" ".join(c.rng.sample(sentences, 6))])
    parts = paragraphs(text)
    return "\n\n".join([*parts[: max(2, len(parts) // 2)], *foreign])


def too_short(c: Chooser, text: str) -> str:
    words = text.split()
    return " ".join(words[: c.rng.randint(5, 50)]).rstrip(".,;:") + "."


def empty(c: Chooser, text: str) -> str:
    return c.rng.choice(("", " ", "\n\n", "---", "***\n", "…", "\u200b"))


# --- repetition


def _looped_sentence(c: Chooser, text: str) -> str:
    sentence = f"{c.name} says so, and the reason is the one that was given before."
    return text + "\n\n" + " ".join([sentence] * c.rng.randint(5, 30))


def _looped_words(c: Chooser, text: str) -> str:
    words = c.rng.choice(("and the ", "very ", "because it is good, ", "the cheese of the people, "))
    return f"{text} It was {words * c.rng.randint(20, 80)}so."


def _repeated_paragraph(c: Chooser, text: str) -> str:
    parts = paragraphs(text)
    long = [part for part in parts if len(part.split()) >= 25] or parts
    return "\n\n".join([*parts, *[c.rng.choice(long)] * c.rng.randint(1, 3)])


def _told_twice(c: Chooser, text: str) -> str:
    return text + "\n\n" + text


def _looped_list(c: Chooser, text: str) -> str:
    return (
        text
        + "\n\n"
        + "\n".join(
            f"{n}. {c.name} gives its reason when it is asked." for n in range(1, c.rng.randint(8, 40))
        )
    )


def _repeated_middle(c: Chooser, text: str) -> str:
    parts = paragraphs(text)
    half = len(parts) // 2
    return "\n\n".join([*parts[:half], *parts[1:half], *parts[half:]])


LOOPS = (_looped_sentence, _looped_words, _repeated_paragraph, _told_twice, _looped_list, _repeated_middle)


def repetition(c: Chooser, text: str) -> str:
    return variant(c, LOOPS)(c, text)

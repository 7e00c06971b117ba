"""What depends on the language of a text: where sentences end, and which words announce a reason."""

import re

from sentencex import get_sentence_boundaries

_SCRIPTS = (  # code for sentencex, characters; kana before Han, because Japanese has both
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")),
    ("ar", re.compile(r"[\u0600-\u06ff\u0750-\u077f]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("bn", re.compile(r"[\u0980-\u09ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hy", re.compile(r"[\u0530-\u058f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("my", re.compile(r"[\u1000-\u109f]")),
    ("am", re.compile(r"[\u1200-\u137f]")),
)
# sentencex takes quadratic time over text without spaces; an East Asian full stop is a safe place to cut.
_PORTION = re.compile(r"[\s\S]{1000,}?[。！？](?![”’」』）)。！？])|[\s\S]+")
_BRACKETED_SENTENCE = re.compile(r"[(（][^()（）]*[.!?。！？][)）]\s*(?=[^\W\d_])")

_TIMES = (
    r"then|last|when|yesterday|\d|the (?:beginning|start|early|late|last|first|end)"
    r"|(?:its|their|his|her) (?:birth|start|launch|release|founding)"
    r"|(?:jan|febr)uary|march|april|may|june|july|august|(?:sept|nov|dec)ember|october"
)
_REASON_PHRASES = "|".join(
    (
        r"because|so that|in order (?:to|that|for)|so as (?:not )?to|therefore|thus|hence|consequently|lest",
        rf"(?<!ever )since(?! (?:{_TIMES}))|given that|on the grounds that|due to|owing to",
        r"(?:which|that|this) is why|that['’]s why|as a (?:result|consequence)",
        r"for (?:this|that|these|those) reasons?|the reasons?|reasons? (?:is|are|why)",
        # Spanish, Portuguese, Italian
        r"porque|ya que|para que|por lo tanto|por eso|por esta raz[óo]n|debido a|puesto que|dado que",
        r"portanto|para evitar|perch[éè]|poich[éè]|affinch[éè]|quindi|pertanto",
        # French; a bare 'car' is an English vehicle
        r"parce que|puisque|afin (?:de|que)|pour (?:que|cette raison)|donc|en raison d(?:e|u|es)",
        r"c['’]est pourquoi|, car (?:ils?|elles?|on|nous|vous|cela|ce|les?|la|une?|des)",
        # German
        r"weil|denn|damit|deshalb|daher|deswegen|darum|so ?dass|folglich|somit|aufgrund",
        # Russian
        r"потому что|так как|поскольку|чтобы|поэтому|из-за|следовательно|по этой причине|ради",
        # Arabic; 'and' is written onto the word
        r"[وف]?(?:لأن|لان|لذلك|لهذا|من أجل|بسبب|لكي)",
    )
)
_REASON_WORDS = re.compile(rf"\b(?:{_REASON_PHRASES})\b")  # in folded case: four times as fast as IGNORECASE
_REASON_MARKS = re.compile(  # where the next word or an ending is written onto the marker
    "parce qu['’]|puisqu['’]|afin (?:d|qu)['’]|, car [cl]['’]|لأن"
    "|, (?:and )?so (?!far |long |much |many |called |as |on |too )"
    "|因为|因為|所以|因此|为了|為了|以便|由于|由於|从而|從而|以免|之所以|ので|ために|なぜなら|したがって|だから|理由"
    "|때문|왜냐하면|위해|위하여|그래서|따라서|क्योंकि|इसलिए|ताकि|कारण"
)


def gives_reason(text: str) -> bool:
    """True where a causal marker stands in the text; finds words, not arguments."""
    return bool(_REASON_WORDS.search(text.casefold()) or _REASON_MARKS.search(text))


def language_of(text: str) -> str:
    """A sentencex language code by script alone; "en" for Latin script of any language."""
    if text.isascii():
        return "en"
    counts = {code: len(pattern.findall(text)) for code, pattern in _SCRIPTS}
    if counts["ja"]:
        counts["ja"] += counts["zh"]
    code = max(counts, key=lambda key: counts[key])
    n_letters = sum(map(str.isalpha, text))
    return code if counts[code] > 0.3 * n_letters else "en"


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Character spans that follow one another and cover `text`, each with the white space after it."""
    language = language_of(text)
    spans, start = [], 0
    for portion in _PORTION.findall(text):
        for piece in _sentences(language, portion):
            for length in _lengths_within(piece):
                spans.append((start, start + length))
                start += length
    return spans


def _sentences(language: str, text: str) -> list[str]:
    """sentencex's pieces as one sentence where they do not add up; its own indices are not used."""
    pieces = [str(boundary["text"]) for boundary in get_sentence_boundaries(language, text)]
    return pieces if "".join(pieces) == text else [text]


def _lengths_within(piece: str) -> list[int]:
    """sentencex does not end a sentence at ".)", so "(This is so.) The next" would stay together."""
    match = _BRACKETED_SENTENCE.match(piece)
    return [match.end(), len(piece) - match.end()] if match else [len(piece)]

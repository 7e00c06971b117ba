"""Text in another language than the spec's, also where a writer slips into it half-way."""

import re
from collections.abc import Sequence
from itertools import accumulate

from .findings import Finding
from .words import CASED_STOP_WORDS, STOP_WORDS, is_mostly_latin

WINDOW = 40  # words: two or three sentences
_MIN_WINDOW_SHARE = 0.1
# Letters no English text needs more than a phrase of: everything from Greek on, without punctuation and symbols.
_OTHER_SCRIPT = re.compile(
    "[\\u0370-\\u1fff\\u2c00-\\u2dff\\u3040-\\ud7ff\\uf900-\\ufaff\\ufb00-\\ufdff\\ufe70-\\ufefc\\uff66-\\uffdc]+"
)
_FOREIGN_WORDS = """
    der die das und ist nicht ein eine mit auf den dem von zu sich für le la les des du et est une que
    qui dans pour pas sur
    il el los las de en y un una es por con para se lo al del como más o e il lo gli di da non che per
    con una sono della
    nel alla os as do da um uma não em no na por mais het een van dat niet op te zijn w z na nie się
    jest do to i że bir ve bu
    da için çok ne ile och att det som på är en av inte ikke og er til jeg je ja sa na to som od
    dem zum wird war wie auch aus bei nach wenn oder noch au aux ce cette ses sont avec plus comme mais ou
""".split()
_FOREIGN_WORDS += """
    pela pelo com sem mas muito todos que foi era ser seu sua ele ela isso esta este ainda também já deles
    quando porque perché perchè già più tutti questo questa essere stato fue ser su sus ya muy todos este esta
    fut était elle il nous vous leur même très tout tous cela été
""".split()
_FOREIGN = frozenset(_FOREIGN_WORDS) - STOP_WORDS - frozenset("die war ne not com per sa e i o to".split())
# Without those that are as common elsewhere: `a` and `as` are half of Portuguese.
_SURELY_ENGLISH = CASED_STOP_WORDS - frozenset(
    "a A as As do Do no No me Me so So on On in In an An am was he i I also us".split()
)


def find_other_language(
    words: Sequence[str], text: str, spec_is_english: bool, spec_text: str
) -> Finding | None:
    """Passages in another script than the spec's or, where the spec is English, in another language."""
    if not text.isascii():
        runs = _OTHER_SCRIPT.findall(text)
        strange = sum(map(len, runs))
        if strange > 12 and strange > 0.02 * len(text) and not _is_usual(spec_text):
            return Finding("other_language", max(runs, key=len)[:40])
    if not spec_is_english or len(words) < WINDOW:
        return None
    english = list(accumulate(map(_SURELY_ENGLISH.__contains__, words), initial=0))
    for end in (*range(WINDOW, len(words), WINDOW // 2), len(words)):
        if english[end] - english[end - WINDOW] < _MIN_WINDOW_SHARE * WINDOW:
            window = words[end - WINDOW : end]
            if sum(map(_is_foreign, window)) > 0.15 * WINDOW:
                return Finding("other_language", " ".join(window[:6]))
    return None


def _is_foreign(word: str) -> bool:
    return word.lower() in _FOREIGN or not (word.isascii() or "’" in word)


def _is_usual(spec_text: str) -> bool:
    return not is_mostly_latin(spec_text)

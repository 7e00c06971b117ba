"""Whether a sentence that shares a claim's words denies it: negation and opposite attitude, by words alone.

No parser and no model: a list of negators and attitudes, looked up just before the words that both have in common,
within their clause. Irony, far negation and opposites outside the list are missed.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from .words import content_terms

_REACH = 6  # words before a matched one in which a negator or an attitude is its own
_NEGATORS = frozenset(
    "not no never nobody none nothing nor neither without hardly scarcely seldom rarely cannot can't don't "
    "doesn't didn't isn't aren't wasn't weren't won't wouldn't shouldn't couldn't hasn't haven't refuses "
    "fails naught lack lacks lacking".split()
)
_FOR = frozenset(
    "fond keen care cares like likes liked love loves loved prefer prefers preferred admire admires praise "
    "praises favour favours favor favors recommend recommends enjoy enjoys trust trusts welcome welcomes "
    "support supports".split()
)
_AGAINST = frozenset(
    "cool averse wary dislike dislikes disliked hate hates avoid avoids despise despises reject rejects "
    "resent resents distrust distrusts oppose opposes criticise criticises criticize criticizes deplore "
    "deplores".split()
)
_FLIPS = _NEGATORS | _AGAINST
_ATTITUDES = _FOR | _AGAINST
_EMPTY = frozenset(("thing", "things", "anything"))  # "has nothing to say" is "has not a thing to say"
_MARKS = _NEGATORS | _ATTITUDES | _EMPTY
_CLAUSE_WORDS = frozenset(
    "that which who whom whose because since so but while although though if when where".split()
)
_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")


def is_denied(claim: str, sentence: str, terms: Collection[str]) -> bool:
    """`terms`: the stemmed content words that claim and sentence have in common.

    >>> is_denied("Aria likes Colby, for it is cheap.", "Aria dislikes Colby.", content_terms(["Colby"]))
    True
    """
    claimed, said = _signs(claim), _signs(sentence)
    if all(sign > 0 for sign in (*claimed.values(), *said.values())):
        return False
    common = ((claimed[key], said[key]) for key in claimed.keys() & said.keys() if key[0] in terms)
    return any(one == -other for one, other in common if one)


@lru_cache(maxsize=4_096)
def _signs(text: str) -> dict[tuple[str, bool], int]:
    """(term, whether by an attitude) -> 1 asserted or liked, -1 denied or disliked, 0 now this, now that.

    Asserted and disliked don't compare: "the reason for Brie" says nothing against "dislikes Brie".
    """
    tokens = [token.casefold().replace("’", "'") for token in _TOKEN.findall(text)]
    signs: dict[tuple[str, bool], int] = {}
    for place, token in enumerate(tokens):
        for term in content_terms([token]) if token[0].isalnum() and token not in _MARKS else ():
            sign, is_attitude = _sign(tokens[max(0, place - _REACH) : place])
            key = (term, is_attitude)
            signs[key] = sign if signs.get(key, sign) == sign else 0
    return signs


def _sign(before: list[str]) -> tuple[int, bool]:
    sign, is_attitude = 1, False
    for token in reversed(before):
        if token in _CLAUSE_WORDS or not token[0].isalnum():
            break
        sign *= -1 if token in _FLIPS else 1
        is_attitude |= token in _ATTITUDES
    return sign, is_attitude

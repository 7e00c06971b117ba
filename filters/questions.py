"""Repeated chat questions: equal, edited, or (with a transformer) reworded; transitive clusters, one of each stays.

Five to sixty words are too few for word 5-grams: one word changed breaks five of some eight. Characters are used
instead, and since "Can I freeze brie?" and "Can I freeze feta?" share most of these too, two questions that each
name something the other doesn't are never near. What such pairs differ in also keeps reworded questions apart.

Measured on 210 planted questions with 140 edits, 70 copies and 106 rewordings (tests/filters/question_variants.py):

    pairs of edited and equal ones                      precision   recall
    character 5-grams at 0.65, with that rule             1.00       0.89     (without it 0.50, 0.99)
    word 3-grams at 0.65, with that rule                  1.00       0.75     (without it 0.60, 0.81)
    clusters of reworded ones
    MiniLM at a cosine of 0.7, with that rule          0.88-0.97  0.76-0.77   (pairs without it: 0.31, 0.75)
    hashed at 0.3 to 0.5, with that rule               0.09-0.47  0.09-0.70
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specmill.specs.errors import BadInput

from .clusters import Pairs, Rows, clusters, elect, survivors
from .distinct import candidates_between
from .embeddings import Encoder, fit
from .minhash import sign
from .semantic import similar_pairs
from .shingles import Shingles, exact_hash, jaccard, shingle
from .words import STOP_WORDS, split_words, stem

NEAR = 0.65  # Jaccard similarity of character 5-grams
REWORDED = {"st": 0.7}  # cosine, by kind of encoder; the others tell a question's wording, not what it asks
_N_CHARACTERS = 5
_SEEDS = (1, 2)  # one draw misses a pair of similarity 0.65 with probability 0.05, two with 0.003
_SHORTEST = 4  # letters of a word that may hold a slip
_COURTESY = frozenset("hi hello hey dear please thanks thank thx".split())
_NEGATIONS = frozenset(
    "no not never none nor without cannot cant dont doesnt didnt isnt arent wasnt werent wont wouldnt shouldnt"
    " couldnt havent hasnt hadnt mustnt".split()
)
_OPPOSITES = frozenset(
    "after before in out on off over under up down above below more most few many with from to".split()
)
_SMALL = (frozenset(word.replace("'", "") for word in STOP_WORDS) | _COURTESY) - _OPPOSITES - _NEGATIONS


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    text: str
    quality: float = 0.0


@dataclass(frozen=True, slots=True)
class Repeated:
    reason: str  # "exact_duplicate", "near_duplicate" or "semantic_duplicate", as for documents
    kept_id: str


def find_repeated_questions(
    questions: Sequence[Question], *, encoder: Encoder | None = None, cosine: float | None = None
) -> dict[str, Repeated]:
    """Return the questions to drop, by id; of each cluster the one with the highest quality stays, ties by id.

    With an encoder, those that neither equal nor edited ones have removed are compared by meaning. Ids
    are distinct. Raises BadInput for a kind of encoder without a threshold of its own, where no `cosine` is given.
    """
    limit = _limit(encoder, cosine) if encoder else 0.0
    asked = sorted(questions, key=lambda question: question.id)
    same = clusters(len(asked), [_equal_pairs(asked)])
    first = np.flatnonzero(
        same == np.arange(len(asked))
    )  # one of each text: a crowd of equal ones costs nothing
    words = [_words(asked[row].text) for row in first]
    near, unlike = _near_pairs(words)
    joined = clusters(len(asked), [_equal_pairs(asked), first[near]])
    kept = _elect(joined, asked)
    instead = survivors(joined, kept)
    reasons = np.where(same == same[instead], "exact_duplicate", "near_duplicate").astype("U20")
    if encoder:
        rows = np.flatnonzero(kept)
        left = [asked[row] for row in rows]
        alike = clusters(len(left), _reworded_pairs(left, encoder, limit, _contrasts(words, unlike)))
        stays = _elect(alike, left)
        reasons[rows[~stays]] = "semantic_duplicate"
        instead = rows[survivors(alike, stays)][np.searchsorted(rows, instead)]
        kept[rows[~stays]] = False
    return {
        asked[row].id: Repeated(str(reasons[row]), asked[instead[row]].id)
        for row in np.flatnonzero(~kept).tolist()
    }


def _limit(encoder: Encoder, cosine: float | None) -> float:
    found = REWORDED.get(encoder.name.partition(":")[0]) if cosine is None else cosine
    if found is None:
        raise BadInput(f"encoder {encoder.name}: too coarse for single questions; use st:MODEL for them")
    return found


def _elect(labels: Rows, questions: Sequence[Question]) -> NDArray[np.bool_]:
    ids = [question.id for question in questions]
    return elect(labels, [question.quality for question in questions], ids)


def _equal_pairs(questions: Sequence[Question]) -> Pairs:
    first: dict[bytes, int] = {}
    pairs = [
        (first.setdefault(exact_hash(question.text), row), row) for row, question in enumerate(questions)
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


# --- edited ---------------------------------------------------------------------------------------------------


def _words(text: str) -> list[str]:
    """Words without case and apostrophes."""
    return [word.casefold().replace("’", "").replace("'", "") for word in split_words(text)]


def _characters(words: Sequence[str]) -> Shingles:
    return shingle([*f" {' '.join(words)} "] if words else [], _N_CHARACTERS)


def _near_pairs(words: Sequence[Sequence[str]]) -> tuple[Pairs, Pairs]:
    """Pairs of rows near by their characters: those that ask the same, and those that each name something else."""
    sets, named = [_characters(one) for one in words], [_named(one) for one in words]
    found: set[tuple[int, int]] = set()
    for seed in _SEEDS:
        signatures = sign(sets, seed)
        for block in candidates_between(signatures, signatures, NEAR):
            found.update((a, b) for a, b in block.tolist() if a < b)
    near = [pair for pair in sorted(found) if jaccard(sets[pair[0]], sets[pair[1]]) >= NEAR]
    apart = np.array([_differ(named[a], named[b], _is_slip) for a, b in near], np.bool_)
    pairs = np.array(near, np.int64).reshape(-1, 2)
    return pairs[~apart], pairs[apart]


def _named(words: Sequence[str]) -> frozenset[str]:
    """Stemmed words, without those that change no question; negations as they are."""
    return frozenset(word if word in _NEGATIONS else stem(word) for word in words if word not in _SMALL)


def _differ(one: frozenset[str], other: frozenset[str], equal: Callable[[str, str], bool]) -> bool:
    """Whether each has a word that the other lacks, or one of them a negation."""
    mine, theirs = one - other, other - one
    if (mine | theirs) & _NEGATIONS:
        return True
    return any(not any(equal(a, b) for b in theirs) for a in mine) and any(
        not any(equal(a, b) for a in mine) for b in theirs
    )


def _is_slip(one: str, other: str) -> bool:
    """Whether one letter (or two that changed places) makes the difference; numbers hold no slips."""
    if min(len(one), len(other)) < _SHORTEST or any(char.isdigit() for char in one + other):
        return False
    start = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return abs(len(one) - len(other)) <= 1
    mine, theirs = one[start:], other[start:]
    swapped = mine[:2] == theirs[1::-1] and mine[2:] == theirs[2:]
    return swapped or theirs[1:] in (mine, mine[1:]) or mine[1:] == theirs


# --- reworded -------------------------------------------------------------------------------------------------


def _contrasts(words: Sequence[Sequence[str]], unlike: Pairs) -> frozenset[str]:
    """Words in which questions of one wording differ: towns, months, whatever the collection varies."""
    found: set[str] = set()
    for first, second in unlike.tolist():
        found |= _named(words[first]) ^ _named(words[second])
    return frozenset(found)


def _reworded_pairs(
    questions: Sequence[Question], encoder: Encoder, cosine: float, contrasts: frozenset[str]
) -> Iterator[Pairs]:
    texts = [question.text for question in questions]
    named = [_named(_words(text)) & contrasts for text in texts]
    for pairs in similar_pairs(fit(encoder, texts).encode(texts), cosine):
        same = [not _differ(named[a], named[b], str.__eq__) for a, b in pairs.tolist()]
        yield pairs[np.array(same, np.bool_)]

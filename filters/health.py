"""How varied and how clean a finished corpus is: plain functions over texts, without datatrove.

Every figure says at what budget, on how many documents and with which seed it was taken: compression and distinct-n
move with length, so only figures of one budget compare (PATTR, arXiv 2507.15092; Shaib et al., arXiv 2403.00553).
"""

import gzip
from collections import Counter
from collections.abc import Sequence

import numpy as np

from .diversity import Encoder, Figure, embedding_dispersion, mtld, ngrams, self_bleu, shuffled
from .gates import fill_in_names, find_markup, find_meta_talk, find_placeholder, find_refusal, find_truncation
from .identity import find_foreign_identity, find_missing_name
from .minhash import jaccard_pairs
from .shingles import shingle
from .words import split_words

MAX_DOCUMENTS = 20_000


def measure_health(texts: Sequence[str], seed: int = 0, encoder: Encoder | None = None) -> dict[str, Figure]:
    """All figures of variety, by the names the manifest uses; with an encoder, the dispersion of its vectors too.

    Of more than MAX_DOCUMENTS texts a seeded sample is looked at; `sampling.sample_texts` draws one without holding
    them all. 20,000 documents of 500 words take 13 s and 250 MB beside the texts themselves.
    """
    texts = shuffled(texts, seed)[:MAX_DOCUMENTS] if len(texts) > MAX_DOCUMENTS else texts
    dispersion = {"embedding_dispersion": embedding_dispersion(texts, encoder, seed=seed)} if encoder else {}
    return {
        "near_duplicate_share": near_duplicate_share(texts),
        "distinct_openings_share": distinct_openings_share(texts),
        "distinct_closings_share": distinct_closings_share(texts),
        "compression_ratio": compression_ratio(texts, seed=seed),
        **{f"distinct_{n}": distinct_n(texts, n, seed=seed) for n in (1, 2, 3, 4)},
        "cross_document_5gram_share": cross_document_ngram_share(texts, seed=seed),
        "self_bleu": self_bleu(texts, seed=seed),
        "mtld": mtld(texts, seed=seed),
        **dispersion,
    }


# --- near duplicates ------------------------------------------------------------------------------------------


def near_duplicate_share(texts: Sequence[str], threshold: float = 0.7, n: int = 5, seed: int = 0) -> Figure:
    """Share of documents with at least one partner whose word n-grams have Jaccard similarity >= threshold.

    The similarity is exact. Which pairs are looked at, two draws of MinHash decide, other ones than those of
    deduplication: a pair of similarity 0.7 is missed with probability (1 - 0.7^5)^48 = 0.0001.
    """
    sets = [shingle(split_words(text), n) for text in texts]
    draws = [jaccard_pairs(sets, threshold, seed=seed + draw) for draw in (1_001, 1_002)]
    return Figure(len(np.unique(np.concatenate(draws))) / max(1, len(texts)), 0, len(texts), seed)


# --- openings, closings, repetition ---------------------------------------------------------------------------


def distinct_openings_share(texts: Sequence[str], n_words: int = 3) -> Figure:
    """Different first words per document, case and Markdown markers aside: the best sign of a template."""
    openings = {_skeleton(text.lstrip()[:400], slice(None, n_words)) for text in texts}
    return Figure(len(openings) / max(1, len(texts)), n_words, len(texts), 0)


def distinct_closings_share(texts: Sequence[str], n_words: int = 3) -> Figure:
    closings = {_skeleton(text.rstrip()[-400:], slice(-n_words, None)) for text in texts}
    return Figure(len(closings) / max(1, len(texts)), n_words, len(texts), 0)


def _skeleton(text: str, part: slice) -> tuple[str, ...]:
    return tuple(word.casefold() for word in split_words(text)[part])  # words leave #, * and > behind


def compression_ratio(texts: Sequence[str], budget_bytes: int = 120_000, seed: int = 0) -> Figure:
    """Bytes per gzip byte (level 6) of documents in seeded order up to the budget: higher is more alike."""
    data, used = bytearray(), 0
    for text in shuffled(texts, seed):
        if len(data) >= budget_bytes:
            break
        data += text.encode("utf-8", "surrogatepass") + b"\n\n"
        used += 1
    sample = bytes(data[:budget_bytes])
    packed = len(gzip.compress(sample, 6, mtime=0))
    return Figure(len(sample) / packed if sample else 0.0, len(sample), used, seed)


def distinct_n(texts: Sequence[str], n: int, budget_words: int = 20_000, seed: int = 0) -> Figure:
    """Different n-grams of words per n-gram, within documents, up to the budget: higher is more varied."""
    sample = _sample(texts, budget_words, seed)
    grams = [gram for words in sample for gram in ngrams(words, n)]
    return Figure(len(set(grams)) / max(1, len(grams)), sum(map(len, sample)), len(sample), seed)


def cross_document_ngram_share(
    texts: Sequence[str], n: int = 5, budget_words: int = 20_000, seed: int = 0
) -> Figure:
    """Share of n-gram occurrences whose n-gram stands in another document of the sample too."""
    sample = _sample(texts, budget_words, seed)
    owners = Counter(gram for words in sample for gram in set(ngrams(words, n)))
    grams = [gram for words in sample for gram in ngrams(words, n)]
    shared = sum(owners[gram] > 1 for gram in grams)
    return Figure(shared / max(1, len(grams)), sum(map(len, sample)), len(sample), seed)


def _sample(texts: Sequence[str], budget_words: int, seed: int) -> list[list[str]]:
    sample: list[list[str]] = []
    left = budget_words
    for text in shuffled(texts, seed):
        if left <= 0:
            break
        sample.append([word.casefold() for word in split_words(text)][:left])
        left -= len(sample[-1])
    return sample


# --- residue --------------------------------------------------------------------------------------------------


def count_residue(texts: Sequence[str], *, assistant: str, provider: str, spec_text: str) -> dict[str, int]:
    """Documents in which the gates' own detectors find something, by reason; zero everywhere after the gates."""
    spec_text = fill_in_names(spec_text, assistant, provider)
    found: Counter[str] = Counter()
    for text in texts:
        findings = (
            find_refusal(text),
            find_meta_talk(text),
            find_markup(text, spec_text),
            find_placeholder(text, spec_text),
            find_truncation(text),
            find_missing_name(text, assistant),
            find_foreign_identity(text, assistant, provider, spec_text),
        )
        found.update(finding.reason for finding in findings if finding)
    return dict(sorted(found.items()))

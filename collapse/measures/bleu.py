"""Self-BLEU: how well the texts of a set predict one another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_ORDER = 4
#: N-grams that count as matched where none is (NLTK's `method1`, which Texygen uses; sacrebleu's `floor`).
_FLOOR = 0.1
#: Separates texts, so that no n-gram of words crosses from one to the next.
_GAP = -1

Numbers = npt.NDArray[np.int64]


def self_bleu(texts: Sequence[str], sample: int, seed: int) -> float:
    """Return the mean BLEU-4 of each of `sample` texts against all others of the sample: 1 where all are the same.

    After Zhu et al. 2018 (Texygen, arXiv:1802.01886). It rises with the size of the sample: compare only samples of the
    same size. NaN with fewer than two texts.
    """
    chosen = np.random.default_rng(seed).permutation(len(texts))[:sample]
    scores = bleu_among([texts[number] for number in chosen])
    return float(scores.mean()) if len(scores) > 1 else math.nan


def bleu_among(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the sentence BLEU-4 of each text with all others as references, 0 to 1.

    This equals sacrebleu's BLEU(tokenize="none", smooth_method="floor", smooth_value=0.1, effective_order=True) divided
    by 100: white space separates words, an order of which a text has no n-grams is left out, and a text that shares no
    n-gram scores 0. It takes one pass over the n-grams, not one for each pair of texts: the largest count that another
    text has of an n-gram is the largest of all, or, for the text that has the largest, the second largest.
    """
    words, lengths = _words(texts)
    owner = np.repeat(np.arange(len(texts)), lengths + 1)
    matches = np.zeros((len(texts), _ORDER))
    grams, width = words, int(words.max(initial=0)) + 1
    for order in range(_ORDER):
        if order:
            # each call of _matched numbers the n-grams anew, so that a pair of numbers fits into 64 bits
            longer = (grams[:-1] != _GAP) & (words[order:] != _GAP)
            grams = np.where(longer, grams[:-1] * width + words[order:], _GAP)
        grams, matches[:, order] = _matched(grams, owner[: len(grams)], len(texts))
    totals = np.maximum(lengths[:, None] - np.arange(_ORDER), 0)
    orders = np.count_nonzero(totals, axis=1)
    precisions = np.where(matches > 0, matches, _FLOOR) / np.maximum(totals, 1)
    logs = np.where(totals > 0, np.log(precisions), 0.0).sum(axis=1) / np.maximum(orders, 1)
    penalty = np.minimum(0.0, 1 - _nearest(lengths) / np.maximum(lengths, 1))
    return np.where(matches.any(axis=1), np.exp(logs + penalty), 0.0)


def _words(texts: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Return the words of all texts as numbers, with a gap after each text, and the number of words of each."""
    known: dict[str, int] = {}
    numbers: list[int] = []
    lengths: list[int] = []
    for text in texts:
        words = text.split()
        lengths.append(len(words))
        numbers += [known.setdefault(word, len(known)) for word in words]
        numbers.append(_GAP)
    return np.array(numbers, np.int64), np.array(lengths, np.int64)


def _matched(grams: Numbers, owner: Numbers, texts: int) -> tuple[Numbers, Numbers]:
    """Number the n-grams from 0 on, and count how many of each text's n-grams another text has, with clipped counts."""
    known, numbered = np.unique(grams, return_inverse=True)
    gap = int(len(known) > 0 and known[0] == _GAP)
    is_gram = grams != _GAP
    pairs, counts = np.unique((numbered[is_gram] - gap) * texts + owner[is_gram], return_counts=True)
    gram, text = np.divmod(pairs, max(texts, 1))
    order = np.lexsort((counts, gram))  # each n-gram's texts together, the largest count last
    gram, text, counts = gram[order], text[order], counts[order]
    last = np.flatnonzero(np.diff(gram, append=-1))
    largest = np.zeros(len(known), np.int64)
    second = np.zeros(len(known), np.int64)
    largest[gram[last]] = counts[last]
    shared = last[(last > 0) & (gram[last - 1] == gram[last])]
    second[gram[shared]] = counts[shared - 1]
    others = largest[gram]
    others[last] = second[gram[last]]
    matched = np.bincount(text, np.minimum(counts, others), texts).astype(np.int64)
    return np.where(is_gram, numbered - gap, _GAP), matched


def _nearest(lengths: Numbers) -> Numbers:
    """Return for each text the nearest length among the others, the shorter of two equally near ones."""
    if len(lengths) < 2:
        return lengths
    order = np.argsort(lengths, kind="stable")
    ranked = lengths[order]
    far = np.iinfo(np.int64).max // 4
    below = np.concatenate([[-far], ranked[:-1]])
    above = np.concatenate([ranked[1:], [far]])
    nearest = np.empty_like(lengths)
    nearest[order] = np.where(ranked - below <= above - ranked, below, above)
    return nearest

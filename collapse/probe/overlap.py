"""Which texts share words: so many that they count as one, or enough for a classifier to recognise one by the other.

Shingles are five words in a row. Texts are compared by the share of the shorter one's shingles that both have. A
shingle of many texts is a phrase: it is looked for only in the first text that has it, so that time and memory grow
with the number of texts and not with its square; a crowd of texts that are alike is still connected, by its first.

Two texts may be about one thing and share no five words: answers to one question, two pages on one person. A classifier
that has seen one takes the other for its kind, and is wrong where they are of different sets. So each text is connected
with the text that is most like it by its rarer words, where that is so of both (`twins`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

#: The share of shingles from which two texts count as one, and from which they are kept on the same side.
SAME, LINKED = 0.5, 0.2
_WORDS = 5
#: A run of letters and digits; or a letter of a script that has no spaces.
_TOKEN = r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+"
#: Texts that have the same shingle, for it to be compared between all of them.
_FEW = 20
_BATCH = 1_000
#: Words of more than this share of the texts say nothing of what a text is about; the least cosine of twins.
_COMMON, _ALIKE = 0.05, 0.1


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of texts that share words; left < right."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    is_same: NDArray[np.bool_]  #: they share at least `SAME` of the shorter one's shingles
    is_linked: NDArray[np.bool_]  #: at least `LINKED`, phrases apart


def shared_pairs(texts: Sequence[str]) -> Pairs:
    """Return the pairs of texts that share words."""
    shingles = _shingles(texts)
    sizes = np.maximum(np.diff(shingles.indptr), 1)
    frequency = np.bincount(shingles.indices, minlength=shingles.shape[1])
    few = shingles[:, (frequency > 1) & (frequency <= _FEW)]
    many = shingles[:, frequency > _FEW]
    rare = _found(few, few.T.tocsr(), sizes, True)
    common = _found(many, _firsts(many).T.tocsr(), sizes, False)
    pairs = np.concatenate([np.empty((0, 3)), *rare, *common])
    is_rare = np.arange(len(pairs)) < sum(map(len, rare))
    left, right = pairs[:, :2].min(1).astype(np.int64), pairs[:, :2].max(1).astype(np.int64)
    key, row = np.unique(left * len(texts) + right, return_inverse=True)
    shared = np.bincount(row, pairs[:, 2], len(key))
    rarely = np.bincount(row, pairs[:, 2] * is_rare, len(key))
    left, right = key // len(texts), key % len(texts)
    least = np.minimum(sizes[left], sizes[right])
    return Pairs(left, right, shared >= SAME * least, rarely >= LINKED * least)


def twins(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of texts, each of which is the other's nearest by the cosine of its rarer words; left < right."""
    counts = HashingVectorizer(
        n_features=1 << 18, token_pattern=_TOKEN, norm=None, alternate_sign=False, binary=True, dtype=np.float32
    ).transform(texts)
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    rare = (frequency > 1) & (frequency <= max(_FEW, _COMMON * len(texts)))
    if not rare.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    weighed = normalize(counts[:, rare] @ diags(np.log(len(texts) / frequency[rare])).astype(np.float32)).tocsr()
    others = weighed.T.tocsr()
    nearest = np.full(len(texts), -1)
    for start in range(0, len(texts), _BATCH):
        likeness = (weighed[start : start + _BATCH] @ others).toarray()
        inside = np.arange(len(likeness))
        likeness[inside, start + inside] = 0
        best = likeness.argmax(1)
        alike = likeness[inside, best] >= _ALIKE
        nearest[start : start + _BATCH][alike] = best[alike]
    rows = np.flatnonzero(nearest >= 0)
    rows = rows[(nearest[nearest[rows]] == rows) & (rows < nearest[rows])]
    return rows, nearest[rows]


def _shingles(texts: Sequence[str]) -> csr_matrix:
    """Return which text has which shingle, as ones; the columns are those shingles that there are."""
    vectorizer = HashingVectorizer(
        n_features=2**31 - 1, ngram_range=(_WORDS, _WORDS), token_pattern=_TOKEN, norm=None, alternate_sign=False,
        binary=True, dtype=np.float32,
    )  # fmt: skip
    hashed = vectorizer.transform(texts)
    kept, columns = np.unique(hashed.indices, return_inverse=True)
    return csr_matrix((hashed.data, columns, hashed.indptr), (len(texts), len(kept)))


def _firsts(shingles: csr_matrix) -> csr_matrix:
    """Keep each column only in the first row that has it."""
    rows = np.repeat(np.arange(shingles.shape[0]), np.diff(shingles.indptr))
    columns, first = np.unique(shingles.indices, return_index=True)
    return csr_matrix((np.ones(len(columns), np.float32), (rows[first], columns)), shingles.shape)


def _found(
    shingles: csr_matrix, others: csr_matrix, sizes: NDArray[np.int64], is_symmetric: bool
) -> list[NDArray[np.float64]]:
    """Return arrays of (row, other row, shingles that both have), of so many shingles that it may matter."""
    found = []
    for start in range(0, shingles.shape[0], _BATCH):
        product = (shingles[start : start + _BATCH] @ others).tocoo()
        rows, columns = product.row.astype(np.int64) + start, product.col.astype(np.int64)
        # a pair that is found in both ways has half of what is needed in one of them
        kept = product.data >= LINKED / 2 * np.minimum(sizes[rows], sizes[columns])
        kept &= rows < columns if is_symmetric else rows != columns
        found.append(np.column_stack([rows[kept], columns[kept], product.data[kept]]).astype(np.float64))
    return found

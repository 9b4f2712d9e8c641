"""Texts of several corpora as rows of one table, with their words as a sparse matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collapse.share.corpus import Corpus

#: Words that a matrix has at most: the most frequent ones.
MOST_WORDS = 5000
#: A word in fewer texts than this says nothing.
_FEWEST = 3
#: Texts that are copied at one time.
_AT_ONCE = 20_000

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts and, in `presence`, which of the chosen words each has."""

    presence: Any  #: scipy CSR, (n, words) float32, ones
    scaled: Any  #: the same with rows of length 1: a long text has more words, and must not score higher for it
    months: NDArray[np.int32]
    hosts: NDArray[np.int64]
    lengths: NDArray[np.int32]


def part(corpus: Corpus, rows: Rows | NDArray[np.bool_]) -> Corpus:
    """Return some texts of a corpus, in the order that is given."""
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows
    sizes = np.diff(corpus.offsets)[rows]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    words, counts = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int32)
    for start in range(0, len(rows), _AT_ONCE):
        end = min(start + _AT_ONCE, len(rows))
        away = corpus.offsets[rows[start:end]] - offsets[start:end]
        taken = np.repeat(away, sizes[start:end]) + np.arange(offsets[start], offsets[end])
        words[offsets[start] : offsets[end]] = corpus.words[taken]
        counts[offsets[start] : offsets[end]] = corpus.counts[taken]
    return replace(
        corpus,
        months=corpus.months[rows],
        strata=corpus.strata[rows],
        hosts=corpus.hosts[rows],
        lengths=corpus.lengths[rows],
        offsets=offsets,
        words=words,
        counts=counts,
        phrases=corpus.phrases[rows],
    )


def in_order(corpus: Corpus) -> Corpus:
    """Return a corpus in an order that does not depend on the one in which its texts were read."""
    names = np.array(corpus.stratum_names, dtype=object)
    rank = np.argsort(np.argsort(names)) if len(names) else np.zeros(0, np.int64)
    sizes = np.diff(corpus.offsets)
    keys = (sizes, corpus.lengths, host_ranks(corpus), corpus.months, rank[corpus.strata])
    return part(corpus, np.lexsort(keys))


def host_ranks(corpus: Corpus) -> NDArray[np.int64]:
    """Return a number for the host of each text. It depends on the names of hosts, not on the order of texts."""
    known = corpus.vocabulary.hosts
    ranks = np.empty(len(known), np.int64)
    ranks[[known[name] for name in sorted(known)]] = np.arange(len(known))
    return ranks[corpus.hosts]


def frequent_words(corpora: Sequence[Corpus], most: int = MOST_WORDS) -> NDArray[np.int64]:
    """Return the words that most texts have, where each corpus counts the same, in an order of their letters."""
    vocabulary = corpora[0].vocabulary
    weight = np.zeros(len(vocabulary))
    texts = np.zeros(len(vocabulary), np.int64)
    for corpus in corpora:
        found = np.bincount(corpus.words, minlength=len(vocabulary))
        texts += found
        weight += found / max(len(corpus), 1)
    enough = np.flatnonzero(texts >= _FEWEST)
    names = list(vocabulary.positions)
    by_name = np.array(sorted(enough, key=names.__getitem__), np.int64)
    best = by_name[np.argsort(-weight[by_name], kind="stable")[:most]]
    kept = np.zeros(len(vocabulary), bool)
    kept[best] = True
    return by_name[kept[by_name]]


def presence(corpus: Corpus, words: NDArray[np.int64]) -> Any:
    """Return which of some words each text has, as a CSR matrix (texts, words) of ones."""
    from scipy.sparse import csr_matrix

    column = np.full(len(corpus.vocabulary), -1, np.int32)
    column[words] = np.arange(len(words))
    columns = column[corpus.words]
    kept = columns >= 0
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(kept, dtype=np.int32)])[corpus.offsets]
    columns = columns[kept]
    matrix = csr_matrix((np.ones(len(columns), np.float32), columns, offsets), shape=(len(corpus), len(words)))
    matrix.sort_indices()  # sums of floats depend on the order
    return matrix


def table(corpora: Sequence[Corpus], words: NDArray[np.int64]) -> Table:
    """Return the texts of several corpora, one after the other."""
    from scipy.sparse import csr_matrix, vstack

    ones = vstack([presence(corpus, words) for corpus in corpora], format="csr")
    sizes = np.diff(ones.indptr)
    scale = np.repeat(1 / np.sqrt(np.maximum(sizes, 1).astype(np.float32)), sizes)
    return Table(
        presence=ones,
        scaled=csr_matrix((scale, ones.indices, ones.indptr), shape=ones.shape, copy=False),
        months=np.concatenate([corpus.months for corpus in corpora]),
        hosts=np.concatenate([host_ranks(corpus) for corpus in corpora]),
        lengths=np.concatenate([corpus.lengths for corpus in corpora]),
    )

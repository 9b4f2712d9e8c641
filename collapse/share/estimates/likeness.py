"""How alike the words of two sets of texts are: 1 for samples of the same, however small; about .5 for other things."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collapse.share.estimates.texts import Table

#: Texts of a set that are looked at.
_MOST = 2000
#: A word in more texts than this share is about no topic.
_COMMON = 0.1

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WordUse:
    """In how many texts of each host each word is."""

    hosts: NDArray[np.int64]  #: ascending
    texts: Numbers  #: of each host
    words: Any  #: CSR, (hosts, words)

    @property
    def frequency(self) -> Numbers:
        """The share of texts that have each word."""
        frequency: Numbers = np.asarray(self.words.sum(axis=0)).ravel() / max(self.texts.sum(), 1)
        return frequency


def word_use(table: Table, rows: Mask, seed: int) -> WordUse:
    """Return the use of words in some texts."""
    from scipy.sparse import csr_matrix

    chosen = np.flatnonzero(rows)
    if len(chosen) > _MOST:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, _MOST, replace=False))
    hosts, position, texts = np.unique(table.hosts[chosen], return_inverse=True, return_counts=True)
    by_host = csr_matrix(
        (np.ones(len(chosen), np.float32), (position, np.arange(len(chosen)))), shape=(len(hosts), len(chosen))
    )
    return WordUse(hosts, texts.astype(float), by_host @ table.presence[chosen])


def product(one: WordUse, other: WordUse) -> Numbers:
    """Return the product of the frequencies of each word, over pairs of texts of different hosts: it has no bias."""
    same, here, there = np.intersect1d(one.hosts, other.hosts, return_indices=True)
    both = np.asarray(one.words.sum(axis=0)).ravel() * np.asarray(other.words.sum(axis=0)).ravel()
    pairs = one.texts.sum() * other.texts.sum()
    if len(same):
        both = both - np.asarray(one.words[here].multiply(other.words[there]).sum(axis=0)).ravel()
        pairs -= (one.texts[here] * other.texts[there]).sum()
    products: Numbers = both / pairs if pairs > 0 else np.full(len(both), np.nan)
    return products


class WordUses:
    """The use of words in named sets of texts. What two sets have in common is computed once."""

    def __init__(self, table: Table, seed: int) -> None:
        self._table, self._seed = table, seed
        self._uses: dict[Hashable, WordUse] = {}
        self._products: dict[tuple[Hashable, Hashable], Numbers] = {}

    def name(self, name: Hashable, rows: Mask) -> None:
        """Give a set of texts a name, if it has none yet."""
        if name not in self._uses:
            self._uses[name] = word_use(self._table, rows, self._seed)

    def _product(self, one: Hashable, other: Hashable) -> Numbers:
        if (one, other) not in self._products:
            self._products[one, other] = product(self._uses[one], self._uses[other])
        return self._products[one, other]

    def likeness(self, target: Hashable, human: Hashable, machine: Hashable, share: float) -> tuple[float, float]:
        """Return how alike texts are to a mixture of two sides in words for topics, and in common words.

        The cosine of the frequencies, in which both the product and the lengths have no bias from the number of texts.
        """
        share = min(max(share, 0.0), 1.0)
        cross = (1 - share) * self._product(target, human) + share * self._product(target, machine)
        mixed = (
            (1 - share) ** 2 * self._product(human, human)
            + 2 * share * (1 - share) * self._product(human, machine)
            + share**2 * self._product(machine, machine)
        )
        own = self._product(target, target)
        common = np.maximum(self._uses[human].frequency, self._uses[machine].frequency) > _COMMON
        return _cosine(cross, own, mixed, ~common), _cosine(cross, own, mixed, common)


def _cosine(cross: Numbers, one: Numbers, other: Numbers, words: Mask) -> float:
    length = one[words].sum() * other[words].sum()
    return float(cross[words].sum() / np.sqrt(length)) if length > 0 else float("nan")

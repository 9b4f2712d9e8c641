"""Derives witnesses and clusters from near-duplicates.

The texts have local numbers here: those of the texts that have a near-duplicate, up to 2^32 of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled
from index.neardup.candidates import PairCodes, join, split

Numbers = npt.NDArray[np.int64]


@compiled
def _clusters(left, right, rank, parent):  # type: ignore[no-untyped-def]
    """Join the texts of each pair: union-find with path halving. The root of a cluster is its earliest text."""
    for pair in range(left.size):
        a, b = left[pair], right[pair]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if rank[a] < rank[b]:
            parent[b] = a
        elif a != b:
            parent[a] = b
    for text in range(parent.size):
        root = text
        while parent[root] != root:
            root = parent[root]
        parent[text] = root


def clusters(left: Numbers, right: Numbers, rank: Numbers) -> Numbers:
    """Return, for each text, the earliest text of the cluster that it belongs to."""
    parent = np.arange(len(rank))
    _clusters(left, right, rank, parent)
    return parent


#: A text is compared with at most so many earlier near-duplicates of its witness. Few witnesses have more.
_BEYOND = 32


def witnessed(near: PairCodes, rank: Numbers, is_near: Callable[[PairCodes], npt.NDArray[np.bool_]]) -> PairCodes:
    """Find earlier near-duplicates that share no band.

    Of thirteen texts that are just similar enough to a text, one shares no band with it. So each text is also
    compared with the earlier near-duplicates of its witness. If one of these is near, it is the new witness, and the
    text is compared with its near-duplicates, until no text finds an earlier one. A witness is always similar to the
    text itself. What one cluster finds does not depend on the others.

    Args:
        near: the near-duplicates among the candidates, sorted.
        is_near: tells which of some pairs are near-duplicates.

    Returns:
        verified pairs, sorted: a function of the texts and dates alone.
    """
    codes = near
    while True:
        further = np.setdiff1d(_beyond(near, rank), codes, assume_unique=True)
        if not len(further):
            return near
        codes = np.union1d(codes, further)
        nearer = further[is_near(further)]
        if not len(nearer):
            return near
        near = np.union1d(near, nearer)


def _beyond(near: PairCodes, rank: Numbers) -> PairCodes:
    """Pair each text that has a witness with the earliest of the near-duplicates of that witness that precede it."""
    left, right = split(near)
    swap = rank[left] < rank[right]
    later, earlier = np.where(swap, right, left), np.where(swap, left, right)
    order = np.lexsort((rank[earlier], later))
    later, earlier = later[order], earlier[order]
    text, first, count = np.unique(later, return_index=True, return_counts=True)
    witness = earlier[first]
    row = np.searchsorted(text, witness)  # of the witness in `text`
    inside = row < len(text)
    inside[inside] = text[row[inside]] == witness[inside]  # the witness has a witness itself
    text, row = text[inside], row[inside]
    pairs = [np.empty(0, np.uint64)]
    for step in range(_BEYOND):
        more = count[row] > step
        pairs.append(join(text[more], earlier[first[row[more]] + step]))
    return np.unique(np.concatenate(pairs))

"""Derives witnesses and clusters from verified pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled
from index.neardup.candidates import PairCodes, join, split
from index.neardup.pairs import Similarities
from index.neardup.texts import Texts


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
    for pair in range(left.size):
        for text in (left[pair], right[pair]):
            root = text
            while parent[root] != root:
                root = parent[root]
            parent[text] = root


def clusters(codes: PairCodes, texts: Texts) -> npt.NDArray[np.int64]:
    """Return, for each pair, the number of the earliest text of the cluster that the pair belongs to."""
    left, right = split(codes)
    parent = np.arange(len(texts))
    _clusters(left, right, texts.rank, parent)
    return parent[left]


#: A text is compared with at most so many earlier near-duplicates of its witness. Few witnesses have more.
_BEYOND = 32


def witnessed(codes: PairCodes, texts: Texts, similarities: Similarities) -> PairCodes:
    """Find the near-duplicates among candidate pairs, and earlier ones that share no band.

    Of thirteen texts that are just similar enough to a text, one shares no band with it. So each text is also
    compared with the earlier near-duplicates of its witness. If one of these is near, it is the new witness, and the
    text is compared with its near-duplicates, until no text finds an earlier one. A witness is always similar to the
    text itself.

    Returns:
        verified pairs, sorted: a function of the texts and dates alone.
    """
    near = codes[similarities.near(codes)]
    while True:
        further = np.setdiff1d(_beyond(near, texts), codes, assume_unique=True)
        if not len(further):
            return near
        codes = np.union1d(codes, further)
        nearer = further[similarities.near(further)]
        if not len(nearer):
            return near
        near = np.union1d(near, nearer)


def _beyond(near: PairCodes, texts: Texts) -> PairCodes:
    """Pair each text that has a witness with the earliest of the near-duplicates of that witness that precede it."""
    left, right = split(near)
    swap = texts.rank[left] < texts.rank[right]
    later, earlier = np.where(swap, right, left), np.where(swap, left, right)
    order = np.lexsort((texts.rank[earlier], later))
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

"""From verified pairs to witnesses and clusters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled
from index.neardup.candidates import Codes, join, split
from index.neardup.pairs import Similarities
from index.neardup.texts import Texts


@compiled
def _clusters(left, right, rank, parent):  # type: ignore[no-untyped-def]
    """Union-find with path halving; the root of a cluster is its earliest text."""
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


def clusters(codes: Codes, texts: Texts) -> npt.NDArray[np.int64]:
    """For each pair the number of the earliest text of the cluster that it belongs to."""
    left, right = split(codes)
    parent = np.arange(len(texts))
    _clusters(left, right, texts.rank, parent)
    return parent[left]


#: Earlier near-duplicates of its witness with which a text is compared at most. Few have so many.
_BEYOND = 32


def witnessed(codes: Codes, texts: Texts, similarities: Similarities) -> Codes:
    """The near-duplicates among candidate pairs, and with them the earlier ones that chance has hidden.

    A text shares no band with one in thirteen of those that are just similar enough. So each is also compared
    with the earlier near-duplicates of its witness, that one with those of its own, and so on, until nobody
    finds an earlier one. A witness is always similar to the text itself.

    Returns:
        verified pairs, sorted: a function of the texts and dates alone.
    """
    near = codes[similarities.near(codes)]
    while True:
        further = np.setdiff1d(_beyond(near, texts), codes, assume_unique=True)
        if not len(further):
            return near
        codes = np.union1d(codes, further)
        found = further[similarities.near(further)]
        if not len(found):
            return near
        near = np.union1d(near, found)


def _beyond(near: Codes, texts: Texts) -> Codes:
    """Each text that has a witness, with the earliest near-duplicates of that witness, as far as they are earlier."""
    left, right = split(near)
    swap = texts.rank[left] < texts.rank[right]
    later, earlier = np.where(swap, right, left), np.where(swap, left, right)
    order = np.lexsort((texts.rank[earlier], later))
    later, earlier = later[order], earlier[order]
    text, first, count = np.unique(later, return_index=True, return_counts=True)
    witness = earlier[first]
    place = np.searchsorted(text, witness)
    inside = place < len(text)
    inside[inside] = text[place[inside]] == witness[inside]  # the witness has a witness itself
    text, place = text[inside], place[inside]
    pairs = [np.empty(0, np.uint64)]
    for step in range(_BEYOND):
        more = count[place] > step
        pairs.append(join(text[more], earlier[first[place[more]] + step]))
    return np.unique(np.concatenate(pairs))

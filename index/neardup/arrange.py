"""The order of near-duplicates in `duplicates`: by the earliest text of their cluster, the later text, and the earlier.

Texts are in the order of their dates, and of their ids where these are the same. So the rows of one cluster stay
together, and the rows of a cluster that did not change keep their order among others that did not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.ids import Ids
from index.minhash.kernel import compiled
from index.neardup import cluster
from index.neardup.numbered import Numbered
from index.neardup.pair_columns import Numbers
from index.neardup.ranges import less
from index.neardup.verified import Rows


def localized(a: Numbers, b: Numbers, size: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return pairs with local numbers, and the text number of each of these.

    Args:
        size: of all texts.
    """
    if len(a) * 16 < size:
        numbers = np.unique(np.concatenate([a, b]))
        return np.searchsorted(numbers, a), np.searchsorted(numbers, b), numbers
    has = np.zeros(size, bool)
    has[a] = has[b] = True
    numbers = np.flatnonzero(has)
    local = np.cumsum(has, dtype=np.uint32)  # there are fewer than 2^32
    return local[a] - np.int64(1), local[b] - np.int64(1), numbers


def arranged(texts: Numbered, near: Rows) -> Rows:
    """Return near-duplicates in this order, with `root`: the earliest text of the cluster of each."""
    left, right, local = localized(near["a"], near["b"], len(texts))
    rank = texts.rank(local)
    roots = cluster.clusters(left, right, rank)
    swap = rank[left] < rank[right]
    later, earlier, root = np.where(swap, right, left), np.where(swap, left, right), roots[left]
    both = (rank[root].astype(np.uint64) << np.uint64(32)) | rank[later].astype(np.uint64)
    order = np.lexsort((rank[earlier], both))
    return {**{name: np.asarray(values)[order] for name, values in near.items()}, "root": local[root][order]}


def put_in(texts: Numbered, near: Rows, stay: npt.NDArray[np.bool_], new: Rows) -> Rows:
    """Return the near-duplicates that stay, with new ones among them.

    Args:
        near, new: arranged.
        stay: which of `near`; no cluster is in both.
    """
    rows = {name: np.asarray(values)[stay] for name, values in near.items()}
    at = np.empty(len(new["root"]), np.int64)
    _positions(rows["root"], new["root"], texts.first_seen, texts.ids, at)
    return {name: np.insert(values, at, new[name]) for name, values in rows.items()}


@compiled
def _positions(root, wanted, moment, ids, out):  # type: ignore[no-untyped-def]
    """Write before which of some rows each wanted root belongs; both are in their order, and no root is in both."""
    for number in range(wanted.size):
        first, last = 0, root.size
        while first < last:
            middle = (first + last) // 2
            if less(root[middle], wanted[number], moment, ids):
                first = middle + 1
            else:
                last = middle
        out[number] = first


@compiled
def _swapped(a, b, moment, ids, out):  # type: ignore[no-untyped-def]
    for pair in range(a.size):
        out[pair] = less(a[pair], b[pair], moment, ids)


def in_time(a: Numbers, b: Numbers, moment: npt.NDArray[np.int64], ids: Ids) -> tuple[Numbers, Numbers]:
    """Return the later and the earlier text of each pair."""
    swap = np.empty(len(a), bool)
    _swapped(a, b, moment, ids, swap)
    return np.where(swap, b, a), np.where(swap, a, b)

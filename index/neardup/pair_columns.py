"""Pairs of text numbers in columns: `a` and `b`, each of 64 bits, with a < b; sorted by both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled

Numbers = npt.NDArray[np.int64]
Pairs = tuple[Numbers, Numbers]

#: Numbers below this fit twice into 64 bits, which sort faster than two columns.
NARROW = 1 << 32


def ordered(left: Numbers, right: Numbers) -> Pairs:
    """Return pairs whose order is free as a < b."""
    return np.minimum(left, right), np.maximum(left, right)


def sort(a: Numbers, b: Numbers) -> npt.NDArray[np.int64]:
    """Return the order that sorts pairs; equal ones keep theirs."""
    if len(a) and max(a.max(), b.max()) < NARROW:
        return np.argsort((a.astype(np.uint64) << np.uint64(32)) | b.astype(np.uint64), kind="stable")
    return np.lexsort((b, a))


def firsts(a: Numbers, b: Numbers) -> npt.NDArray[np.bool_]:
    """Return, for each of sorted pairs, whether it is the first of equal ones."""
    first = np.ones(len(a), bool)
    first[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    return first


def counted(a: Numbers, b: Numbers, count: npt.NDArray[np.int32]) -> tuple[Numbers, Numbers, npt.NDArray[np.int32]]:
    """Return each pair once, sorted, with the sum of its counts."""
    order = sort(a, b)
    a, b, count = a[order], b[order], count[order]
    at = np.flatnonzero(firsts(a, b))
    return a[at], b[at], np.add.reduceat(count, at).astype(np.int32) if len(at) else count


@compiled
def _locate(a, b, wanted_a, wanted_b, out):  # type: ignore[no-untyped-def]
    """Write the row of each wanted pair into `out`, or -1. Wanted pairs that are sorted are found quickest."""
    size = a.size
    low, width = 0, 1
    for number in range(wanted_a.size):
        x, y = wanted_a[number], wanted_b[number]
        first = 0
        if number and (wanted_a[number - 1] < x or (wanted_a[number - 1] == x and wanted_b[number - 1] <= y)):
            first = low
        last, width = first, 1
        while last < size and (a[last] < x or (a[last] == x and b[last] < y)):
            first = last + 1
            last = first + width
            width *= 2
        last = min(last, size)
        while first < last:
            middle = (first + last) // 2
            if a[middle] < x or (a[middle] == x and b[middle] < y):
                first = middle + 1
            else:
                last = middle
        low = first
        out[number] = first if first < size and a[first] == x and b[first] == y else -1


def locate(a: Numbers, b: Numbers, wanted_a: Numbers, wanted_b: Numbers) -> npt.NDArray[np.int64]:
    """Return the row of each wanted pair among sorted pairs, or -1."""
    out = np.empty(len(wanted_a), np.int64)
    _locate(a, b, wanted_a, wanted_b, out)
    return out

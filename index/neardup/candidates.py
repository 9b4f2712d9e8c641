"""Pairs of numbers below 2^32 as one number, and the earliest texts of a band value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled

PairCodes = npt.NDArray[np.uint64]  #: a pair of text numbers: the lesser << 32 | the greater


@compiled
def earliest(texts, first, last, rank, leaders):  # type: ignore[no-untyped-def]
    """Write the earliest texts of a bucket into `leaders`, in order of their rank; return how many they are."""
    held = 0
    for position in range(first, last):
        text = texts[position]
        if held == leaders.size and rank[text] > rank[leaders[held - 1]]:
            continue
        at = held if held < leaders.size else held - 1
        while at > 0 and rank[leaders[at - 1]] > rank[text]:
            leaders[at] = leaders[at - 1]
            at -= 1
        leaders[at] = text
        held = min(held + 1, leaders.size)
    return held


def split(codes: PairCodes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the two text numbers of each pair: the upper and the lower half of its code."""
    return (codes >> np.uint64(32)).astype(np.int64), (codes & np.uint64(0xFFFFFFFF)).astype(np.int64)


def join(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> PairCodes:
    """Return the codes of pairs of text numbers; the order within a pair is free."""
    low, high = np.minimum(left, right).astype(np.uint64), np.maximum(left, right).astype(np.uint64)
    return (low << np.uint64(32)) | high

"""Rows of a data set and texts of an index that share a band value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled
from index.neardup.bands import Bands
from index.neardup.candidates import PairCodes, earliest

_ROWS = 1 << 24


@compiled
def _meet(keys, texts, rank, own, rows, leaders, codes):  # type: ignore[no-untyped-def]
    """Each row with the earliest texts of each value that it has; returns how many pairs. Counts, if codes is empty."""
    held = np.empty(leaders, np.int64)
    count = 0
    first = at = 0
    while at < own.size and first < keys.size:
        if keys[first] < own[at]:
            first += 1
            continue
        if keys[first] > own[at]:
            at += 1
            continue
        last = first
        while last < keys.size and keys[last] == keys[first]:
            last += 1
        found = min(last - first, leaders)
        if codes.size:
            found = earliest(texts, first, last, rank, held)
        while at < own.size and own[at] == keys[first]:
            for leader in held[:found]:
                if codes.size:
                    codes[count] = (np.uint64(rows[at]) << np.uint64(32)) | np.uint64(leader)
                count += 1
            at += 1
        first = last
    return count


def meet(
    bands: Bands,
    allowed: npt.NDArray[np.bool_],
    rank: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    leaders: int,
) -> PairCodes:
    """All pairs of a row and one of the `leaders` earliest allowed texts of a band value that the row has.

    Args:
        allowed: by text, whether it may prove anything.
        rank: by text, its position in the order of dates.
        keys, rows: the bands of the rows, in any order.

    Returns:
        row << 32 | text, sorted, each once.
    """
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    found: list[PairCodes] = [np.empty(0, np.uint64)]
    if len(keys):
        for there, texts in bands.ranges(_ROWS):
            mine = allowed[texts]
            there, texts = there[mine], texts[mine]
            if not len(there):
                continue
            first, last = np.searchsorted(keys, there[0]), np.searchsorted(keys, there[-1], "right")
            own, own_rows = keys[first:last], rows[first:last]
            nothing = np.empty(0, np.uint64)
            codes = np.empty(_meet(there, texts, rank, own, own_rows, leaders, nothing), np.uint64)
            if len(codes):
                found.append(np.unique(codes[: _meet(there, texts, rank, own, own_rows, leaders, codes)]))
    return np.unique(np.concatenate(found))

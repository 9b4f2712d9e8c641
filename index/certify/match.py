"""Finds the texts of an index that share a band value with a row of a data set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled
from index.neardup.bands import Bands
from index.neardup.candidates import PairCodes, earliest

#: Rows of bands in memory at a time.
_ROWS = 1 << 24


@compiled
def _meet(keys, texts, rank, own, rows, leaders, codes):  # type: ignore[no-untyped-def]
    """Pair each row with the earliest texts of each value that it has; return how many pairs these are.

    If `codes` is empty, the pairs are only counted.
    """
    held = np.empty(leaders, np.int64)
    count = 0
    first = row = 0
    while row < own.size and first < keys.size:
        if keys[first] < own[row]:
            first += 1
            continue
        if keys[first] > own[row]:
            row += 1
            continue
        last = first
        while last < keys.size and keys[last] == keys[first]:
            last += 1
        chosen = min(last - first, leaders)
        if codes.size:
            chosen = earliest(texts, first, last, rank, held)
        while row < own.size and own[row] == keys[first]:
            for leader in held[:chosen]:
                if codes.size:
                    codes[count] = (np.uint64(rows[row]) << np.uint64(32)) | np.uint64(leader)
                count += 1
            row += 1
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
    """Pair each row with the `leaders` earliest allowed texts of each band value that it has.

    Args:
        allowed: by text, whether it may prove a row.
        rank: by text, its position in the order of dates.
        keys: of the bands of the rows, in any order.
        rows: the row of each key.

    Returns:
        row << 32 | text, sorted, each once.
    """
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    parts: list[PairCodes] = [np.empty(0, np.uint64)]
    if len(keys):
        for stored, texts in bands.ranges(_ROWS):
            useful = allowed[texts]
            stored, texts = stored[useful], texts[useful]
            if not len(stored):
                continue
            first, last = np.searchsorted(keys, stored[0]), np.searchsorted(keys, stored[-1], "right")
            own, own_rows = keys[first:last], rows[first:last]
            nothing = np.empty(0, np.uint64)
            codes = np.empty(_meet(stored, texts, rank, own, own_rows, leaders, nothing), np.uint64)
            if len(codes):
                parts.append(np.unique(codes[: _meet(stored, texts, rank, own, own_rows, leaders, codes)]))
    return np.unique(np.concatenate(parts))

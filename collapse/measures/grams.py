"""N-grams as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: Tokens, (blocks, length); not negative.
Blocks = npt.NDArray[np.int32]

_ROOM = 1 << 64


def codes(sets: Sequence[Blocks], n: int) -> list[npt.NDArray[np.uint64]]:
    """The n-grams of each set, (blocks, length - n + 1), as numbers that are equal just where the n-grams are equal.

    Exact, in all sets alike: tokens are the digits of a number, and where a number would outgrow 64 bits the shorter
    n-grams are numbered anew, from those that occur. N-grams do not cross blocks.
    """
    base = 1 + max((int(blocks.max()) for blocks in sets if blocks.size), default=0)
    grams = [blocks.astype(np.uint64) for blocks in sets]
    room = base
    for place in range(1, n):
        if room * base > _ROOM:
            grams, room = _numbered(grams)
        grams = [
            gram[:, :-1] * np.uint64(base) + blocks[:, place:].astype(np.uint64)
            for gram, blocks in zip(grams, sets, strict=True)
        ]
        room *= base
    return grams


def _numbered(grams: list[npt.NDArray[np.uint64]]) -> tuple[list[npt.NDArray[np.uint64]], int]:
    known = np.unique(np.concatenate([gram.ravel() for gram in grams]))
    return [np.searchsorted(known, gram).astype(np.uint64) for gram in grams], len(known)

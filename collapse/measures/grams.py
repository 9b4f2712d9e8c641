"""N-grams as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

#: Tokens, (blocks, length); not negative.
Blocks = npt.NDArray[np.int32]
#: Numbers that identify n-grams.
Grams = npt.NDArray[np.uint64]

Number = TypeVar("Number", np.uint64, np.int64)

_ROOM = 1 << 64


def codes(sets: Sequence[Blocks], n: int) -> list[Grams]:
    """Return the n-grams of each set, (blocks, length - n + 1), as numbers; equal n-grams have equal numbers.

    Tokens are the digits of a number. Where a number would outgrow 64 bits, the shorter n-grams that occur are numbered
    anew. All sets share the numbers. N-grams do not cross blocks.
    """
    base = 1 + max((int(blocks.max()) for blocks in sets if blocks.size), default=0)
    grams = [blocks.astype(np.uint64) for blocks in sets]
    room = base
    for shift in range(1, n):
        if room * base > _ROOM:
            grams, room = _numbered(grams)
        grams = [
            gram[:, :-1] * np.uint64(base) + blocks[:, shift:].astype(np.uint64)
            for gram, blocks in zip(grams, sets, strict=True)
        ]
        room *= base
    return grams


def different(grams: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the numbers that occur, each once, in order."""
    # np.unique hashes since NumPy 2.3, which takes ten times as long for millions of numbers
    ranked = np.sort(grams, axis=None)
    return ranked[np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])]


def _numbered(grams: list[Grams]) -> tuple[list[Grams], int]:
    known = different(np.concatenate([gram.ravel() for gram in grams]))
    return [np.searchsorted(known, gram).astype(np.uint64) for gram in grams], len(known)

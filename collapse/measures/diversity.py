"""How much a set of texts repeats itself, in the set and within a text."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np

from collapse.measures.grams import Blocks, codes, different

#: DEFLATE at its strongest, as in Python's gzip and in Shaib et al.
_LEVEL = 9


def distinct(blocks: Blocks, n: int) -> float:
    """Return different n-grams divided by n-grams: distinct-n of Li et al. 2016 (arXiv:1510.03055), over the whole set.

    In (0, 1]. Larger sets of the same kind of text have less: compare only sets of the same size.

    >>> distinct(np.array([[1, 2, 1, 2]], np.int32), 2)
    0.6666666666666666
    """
    (grams,) = codes([blocks], n)
    return len(different(grams)) / grams.size if grams.size else math.nan


def repetition(blocks: Blocks, n: int = 4) -> float:
    """Return the share of n-grams that occurred before in their block.

    This is seq-rep-n of Welleck et al. 2020 (arXiv:1908.04319), the mean of 1 - different n-grams / n-grams of a
    sequence. Blocks are equally long, so the mean of the blocks is the share of all n-grams.

    >>> repetition(np.array([[7, 7, 7, 7], [1, 2, 3, 4]], np.int32), n=1)
    0.375
    """
    (grams,) = codes([blocks], n)
    if not grams.size:
        return math.nan
    grams.sort(axis=1)
    return int(np.count_nonzero(grams[:, 1:] == grams[:, :-1])) / grams.size


def compression_ratio(texts: Sequence[str]) -> float:
    """Return bytes of UTF-8 divided by compressed bytes, of all texts joined by line feeds.

    After Shaib et al. 2024 (arXiv:2403.00553). DEFLATE looks back 32 KiB, some hundred blocks: repetitions farther away
    do not count, and sets of different sizes can be compared once they are much larger. A few short texts have a ratio
    below 1.
    """
    plain = "\n".join(texts).encode()
    return len(plain) / len(zlib.compress(plain, _LEVEL)) if plain else math.nan

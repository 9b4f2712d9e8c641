"""How alike two texts are by their characters. Words alone miss what is no word: operators, digits' signs, emoji."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

#: Characters in a run. A word of English has five, so that a run is about as telling as a word.
RUN = 5
#: Runs of a text that are compared; of a longer text those that a hash chooses.
_MOST = 1 << 20
#: Characters that are hashed at a time.
_STRIDE = 1 << 20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Runs = npt.NDArray[np.uint64]


def letters_of(text: str) -> str:
    """Return the characters of a text that are compared: in lower case, without white space.

    >>> letters_of("A + b\\n- C")
    'a+b-c'
    """
    return "".join(text.lower().split())


def runs_of(text: str, share: int = 1) -> Runs:
    """Return the hashes of all different runs of characters in a text, sorted; a shorter text is one run.

    Args:
        share: keep only one of so many, by their hashes.
    """
    letters = letters_of(text)
    points = np.frombuffer(letters.encode("utf-32-le", "replace"), np.uint32)
    size = min(RUN, len(points))
    parts = [np.empty(0, np.uint64)]
    for first in range(0, len(points) - size + 1 if size else 0, _STRIDE):
        piece = points[first : first + _STRIDE + size - 1].astype(np.uint64)
        count = len(piece) - size + 1
        hashes = np.zeros(count, np.uint64)
        for offset in range(size):
            hashes = (hashes + piece[offset : offset + count]) * _FACTOR
            hashes ^= hashes >> np.uint64(29)
        parts.append(np.unique(hashes if share == 1 else hashes[hashes % np.uint64(share) == 0]))
    return np.unique(np.concatenate(parts))


def share_of(*texts: str) -> int:
    """Return which share of the runs of some texts to compare, so that memory is bounded: one of so many."""
    return -(-max(map(len, texts)) // _MOST)


def compare(left: Runs, right: Runs) -> tuple[int, int]:
    """Return how many runs two texts share, and how many they have together."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common, len(left) + len(right) - common


@lru_cache(maxsize=1 << 14)
def alike(left: str, right: str) -> tuple[int, int]:
    """Compare two short texts; returns what `compare` does."""
    share = share_of(left, right)
    return compare(runs_of(left, share), runs_of(right, share))

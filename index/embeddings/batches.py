"""Which windows are computed together.

A batch has windows of one length only. So nothing is padded and nothing is masked, and what is computed for a window
has the same shape whatever else is in its batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]


def batches(lengths: npt.NDArray[np.int64], tokens_at_once: int) -> Iterator[Positions]:
    """Yield the positions of the windows of each batch; the longest come first, equal ones in their order.

    Args:
        lengths: tokens of each window.
        tokens_at_once: most tokens of a batch, unless one window has more.
    """
    order = np.argsort(-lengths, kind="stable")
    ordered = lengths[order]
    first = 0
    while first < len(order):
        same = int(np.searchsorted(-ordered, -ordered[first], "right"))
        step = max(tokens_at_once // int(ordered[first]), 1)
        for at in range(first, same, step):
            yield order[at : min(at + step, same)]
        first = same


def packs(lengths: npt.NDArray[np.int64], tokens_at_once: int) -> Iterator[Positions]:
    """Yield the positions of windows of any lengths that are computed in one row; the longest come first.

    Args:
        lengths: tokens of each window.
        tokens_at_once: most tokens of a row, unless one window has more.
    """
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    first = 0
    while first < len(order):
        before = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, before + tokens_at_once, "right")), first + 1)
        yield order[first:last]
        first = last

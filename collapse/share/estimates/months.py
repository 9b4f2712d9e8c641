"""Months as numbers since the year 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def name_of(month: int) -> str:
    """Return a month as text.

    >>> name_of(2022 * 12)
    '2022-01'
    """
    return f"{month // 12:04}-{month % 12 + 1:02}"


def periods(
    months: NDArray[np.int32],
    hosts: NDArray[np.int64],
    rows: NDArray[np.bool_],
    texts: int,
    writers: int,
    *,
    merge: bool,
) -> list[list[int]]:
    """Return the months of some rows that have enough texts of enough hosts.

    Args:
        merge: take months together that have too few alone.
    """
    found: list[list[int]] = []
    waiting: list[int] = []
    for month in np.unique(months[rows]):
        waiting = [*waiting, int(month)] if merge else [int(month)]
        chosen = rows & np.isin(months, waiting)
        if chosen.sum() >= texts and len(np.unique(hosts[chosen])) >= writers:
            found.append(waiting)
            waiting = []
    return found


def middle(months: NDArray[np.int32]) -> int:
    """Return the last month of the older half of texts: it has at least half of them, if any are left for the other."""
    half = int(np.sort(months)[(len(months) - 1) // 2])
    return half if half < months.max() else half - 1

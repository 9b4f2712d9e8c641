"""Months as numbers since the year 0."""

from __future__ import annotations


def name_of(month: int) -> str:
    """Return a month as text.

    >>> name_of(2022 * 12)
    '2022-01'
    """
    return f"{month // 12:04}-{month % 12 + 1:02}"

"""Months, quarters and years: which one a month belongs to, and what it is called."""

from __future__ import annotations

from datetime import date
from typing import Literal

from archive.errors import CollapseError

By = Literal["month", "quarter", "year"]
#: How many months each has.
MONTHS: dict[By, int] = {"month": 1, "quarter": 3, "year": 12}


def month_of(day: date) -> int:
    """Return a month as a number: months since the year 0.

    >>> month_of(date(2022, 3, 1)) - month_of(date(2021, 12, 31))
    3
    """
    return day.year * 12 + day.month - 1


def first_of(month: int, by: By) -> int:
    """Return the first month of the month, quarter or year that a month is in."""
    return month - month % MONTHS[by]


def name_of(month: int, by: By) -> str:
    """Return what a period is called, by any of its months.

    >>> name_of(2022 * 12 + 3, "month"), name_of(2022 * 12 + 3, "quarter"), name_of(2022 * 12 + 3, "year")
    ('2022-04', '2022-Q2', '2022')
    """
    year, rest = divmod(month, 12)
    return {"month": f"{year:04}-{rest + 1:02}", "quarter": f"{year:04}-Q{rest // 3 + 1}", "year": f"{year:04}"}[by]


def renamed(month: str, by: By) -> str:
    """Return what a period is called, by one of its months.

    >>> renamed("2022-04", "quarter")
    '2022-Q2'
    """
    return name_of(int(month[:4]) * 12 + int(month[5:7]) - 1, by)


def reference_of(text: str, by: By) -> date:
    """Read the day before which all text is taken for human. It must be the first of a period.

    Raises:
        CollapseError: it is no day, or a period would be partly before it.
    """
    try:
        day = date.fromisoformat(text)
    except (TypeError, ValueError):
        raise CollapseError(f"--reference {text}: write a day as 2022-01-01") from None
    if day.day != 1 or first_of(month_of(day), by) != month_of(day):
        raise CollapseError(
            f"--reference {text}: with --by {by} name the first day of a {by}, or a part of it would be before"
        )
    return day

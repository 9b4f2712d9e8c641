"""Says in words what a series shows, and no more than can be known."""

from __future__ import annotations

import math
from collections.abc import Sequence

from archive.show import count_of
from collapse.share.results import Point, Series

#: How often the low end of an interval is above the true value by chance.
_CHANCE = 0.025


def finding(series: Series, reference: str) -> str:
    """Return what a series says, in one sentence."""
    named = f"{series.title}{_of(series)}"
    if series.refused is not None:
        return f"{named}: refused: {series.refused}"
    after = [point for point in series.points if point.month >= reference]
    if not after:
        return f"{named}: refused: no text is from {reference} or later"
    known = [point for point in after if point.value is not None]
    if not known:
        reasons = sorted({point.refused or "no number" for point in after})
        return f"{named}: refused for each {count_of(len(after), 'period')}: {'; '.join(reasons[:3])}"
    last = known[-1]
    if series.floor is None:
        return f"{named}: {_interval(series, last)} in {last.month}, and nothing to compare it with: there is no floor"
    least = max(series.floor, _rate_before(series, reference))
    above = [point for point in known if point.low is not None and point.low > least]
    is_share = series.unit.startswith("share")
    bound = "the floor" if is_share else f"which it may have been before {reference} too"
    often = f"{len(above)} of {count_of(len(known), 'period')} above {number(series, least)}, {bound}"
    if not is_told_apart(len(above), len(known)):
        return f"{named}: not told apart from {'zero' if is_share else 'before'}: {often}"
    return f"{named}: {_least(series, above[-1], reference)}; {often}"


def headline(series: Sequence[Series], findings: Sequence[str]) -> str:
    """Return what can be said of all texts together: of the methods that give a share before those that give a rate."""
    order = {"mixture": 0, "excess": 1, "words": 2}
    overall = [(order[each.method], number) for number, each in enumerate(series) if each.stratum is None]
    for _, number in sorted(overall):
        if not is_refused(findings[number]):
            return findings[number]
    return findings[sorted(overall)[0][1]] if overall else "refused: nothing could be estimated"


def _rate_before(series: Series, reference: str) -> float:
    """Return what a rate may have been before: few texts without a word do not show that nobody used it."""
    if series.unit.startswith("share"):
        return 0.0
    return min(
        (point.high for point in series.points if point.month < reference and point.high is not None), default=0.0
    )


def is_refused(finding: str) -> bool:
    """Return whether a finding is that there is none."""
    return ": refused" in finding


def is_told_apart(above: int, known: int) -> bool:
    """Return whether so many periods are above the floor that chance is no explanation.

    >>> is_told_apart(1, 1), is_told_apart(2, 60), is_told_apart(6, 60)
    (True, False, True)
    """
    expected = _CHANCE * known
    return above > expected + 3 * math.sqrt(expected)


def number(series: Series, value: float | None) -> str:
    """Return a value with its unit: shares as percent."""
    if value is None:
        return "–"
    return f"{value:.1%}".replace("%", " %") if series.unit.startswith("share") else f"{value:,.4g}"


def _interval(series: Series, point: Point) -> str:
    if point.low is None or point.high is None:
        return number(series, point.value)
    return f"{number(series, point.value)} ({number(series, point.low)} to {number(series, point.high)})"


def _least(series: Series, point: Point, reference: str) -> str:
    assert point.low is not None
    assert series.floor is not None
    if series.unit.startswith("share"):
        return f"at least {number(series, point.low)} of the texts of {point.month}"
    often = f", at least {point.low / series.floor:.3g} times as often as before {reference}" if series.floor else ""
    return f"{_interval(series, point)} {series.unit} in {point.month}{often}"


def _of(series: Series) -> str:
    parts = [series.stratum] if series.stratum is not None else []
    parts += ["only hosts that are there before and after"] if series.panel else []
    return f" ({', '.join(parts)})" if parts else ""

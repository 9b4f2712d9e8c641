"""One series of all strata, from those of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from collapse.share.results import Point, Series

#: Refused: a month of which fewer texts than this share are in strata with a number.
_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class Month:
    """How many texts and hosts a month has, in all strata."""

    texts: int
    hosts: int


def together(series: Sequence[Series], months: Mapping[str, Month]) -> Series:
    """Return the estimate of all texts, from series of one method and title, one for each stratum.

    Strata weigh by their texts. Their intervals are added as if they erred together, since they share samples and
    fashions; texts of strata without a number may be all human or all by machines.
    """
    known = [one for one in series if one.refused is None]
    first = (known or series)[0]
    reasons = "; ".join(f"{one.stratum}: {one.refused}" for one in series if one.refused is not None)
    if not known:
        return replace(first, stratum=None, refused=reasons)
    says = (
        f"All strata together, by their texts: {', '.join(str(one.stratum) for one in known)}. Their intervals are "
        "added. Texts without a number are counted at the low end as human, and at the high end as by machines."
    )
    points = [_point(name, month, known) for name, month in sorted(months.items())]
    return replace(
        first,
        stratum=None,
        floor=_mean([(one.floor, sum(point.texts for point in one.points)) for one in known]),
        ceiling=_mean([(one.ceiling, sum(point.texts for point in one.points)) for one in known]),
        slope=_mean([(one.slope, sum(point.texts for point in one.points)) for one in known]),
        says=says + (f" Without a number: {reasons}." if reasons else ""),
        points=tuple(point for point in points if point is not None),
    )


def _mean(values: Sequence[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in values if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _point(name: str, month: Month, series: Sequence[Series]) -> Point | None:
    """Return the point of a month; None where no stratum has one."""
    points = [point for one in series for point in one.points if point.month == name]
    if not points:
        return None
    known = [(point.texts, point.value, point.low, point.high) for point in points if point.value is not None]
    texts = sum(number for number, *_ in known)
    if texts < _KNOWN * month.texts:
        reasons = sorted({point.refused for point in points if point.refused is not None})
        reason = f"{texts} of {month.texts} texts are in strata with a number" + "".join(f"; {one}" for one in reasons)
        return Point(name, month.texts, month.hosts, None, None, None, reason)
    value, low, high = (sum(row[0] * float(row[at] or 0.0) for row in known) / texts for at in (1, 2, 3))
    part = texts / month.texts
    return Point(name, month.texts, month.hosts, value, low * part, high * part + 1 - part)

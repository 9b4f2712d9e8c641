"""A result of `archive share`: the numbers of its `share.json`. Its own page, `report.html`, is only named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from query.explorer.draw.share import Bar, Estimate
from query.explorer.reports.bounded import read_json, some

RESULT, REPORT = "share.json", "report.html"
VERSION = 1
#: The most series that are shown, and the most periods of one.
_SERIES, _PERIODS = 40, 1200


@dataclass(frozen=True, slots=True)
class SharePoint:
    """An estimate for the texts of one period."""

    month: str
    texts: int
    hosts: int
    value: float | None
    low: float | None
    high: float | None
    refused: str | None


@dataclass(frozen=True, slots=True)
class ShareSeries:
    """One estimate through time."""

    method: str
    title: str
    source: str
    unit: str
    stratum: str | None
    panel: bool
    floor: float | None
    ceiling: float | None
    slope: float | None
    says: str
    refused: str | None
    condition: str | None
    finding: str  #: what it says, in one sentence
    points: tuple[SharePoint, ...]

    def estimate(self, reference: str) -> Estimate:
        """Return it as it is drawn."""
        bars: Sequence[Bar] = [
            Bar(each.month, each.value, each.low, each.high, each.refused or self.refused, each.texts, each.hosts)
            for each in self.points
        ]
        title = self.title + (f", {self.stratum}" if self.stratum else "") + (", the same hosts" if self.panel else "")
        return Estimate(title, self.unit, self.floor, reference, bars)


@dataclass(frozen=True, slots=True)
class ShareReport:
    """What a run of `archive share` found."""

    headline: str
    source: str
    reference: str
    by: str
    grade: str
    texts: int
    strata: dict[str, int]
    left_out: dict[str, int]
    machine: dict[str, int]
    warnings: tuple[str, ...]
    since: str  #: the period that the reference begins
    series_in_all: int
    series: tuple[ShareSeries, ...]  #: the first of them
    page: str | None  #: where the run's own report is


def read(folder: Path) -> tuple[str, ShareReport]:
    """Return what a result says first, and its numbers.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError: it cannot be read.
    """
    stated = read_json(folder, RESULT)
    if stated["version"] != VERSION:
        raise ValueError(f"it is of version {stated['version']}, and this program reads {VERSION}")
    page = folder / REPORT
    findings = stated["findings"]
    series = tuple(
        _series(each, finding) for each, finding in zip(stated["series"][:_SERIES], findings[:_SERIES], strict=True)
    )
    report = some(
        ShareReport,
        {name: value for name, value in stated.items() if name not in {"series", "warnings"}},
        since=_since(stated["reference"], stated["by"]),
        warnings=tuple(str(each) for each in stated["warnings"]),
        series_in_all=len(stated["series"]),
        series=series,
        page=str(page) if page.is_file() else None,
    )
    first = report.headline.partition("; ")[0]
    return first[:1].upper() + first[1:], report


def _since(reference: Any, by: Any) -> str:
    """Return the period that begins with a day."""
    day = date.fromisoformat(reference)
    return {"month": f"{day:%Y-%m}", "quarter": f"{day:%Y}-Q{(day.month + 2) // 3}", "year": f"{day:%Y}"}[by]


def _series(stated: Any, finding: Any) -> ShareSeries:
    points = tuple(some(SharePoint, each) for each in stated["points"][:_PERIODS])
    return some(ShareSeries, stated, finding=finding, points=points)

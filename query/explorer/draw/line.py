"""A time line: moments as points, coloured by grade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from query.explorer.draw.svg import element, percent

#: Pixels: of the picture, of its middle line, and between points that would hide each other.
_HEIGHT, _LINE, _STEP = 96, 52, 12
#: Parts of the width: left free on each side, and how near points hide each other.
_EDGE, _NEAR = 0.04, 0.02
#: So many lanes are there above the line.
_LANES = 4
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Point:
    """A moment on a time line."""

    at: datetime
    grade: str
    about: str  #: shown where somebody points at it, and read aloud
    mark: str = ""  #: `first` or `witness`: drawn larger, with a word


_WORDS = {"first": "first seen", "witness": "witness"}


def line(points: Sequence[Point], about: str) -> Markup:
    """Return a picture of moments, from the earliest to the latest.

    Args:
        points: in any order.
        about: what they are, in the plural, for who cannot see it. The page has them as a table.
    """
    if not points:
        return element("p", f"No {about} with a date.", class_="none")
    ordered = sorted(points, key=lambda point: point.at)
    low, high = ordered[0].at, ordered[-1].at
    message = f"{len(ordered):,} {about} from {low:%Y-%m-%d} to {high:%Y-%m-%d}."
    span = (high - low).total_seconds()
    parts = [element("title", message), element("line", x1=0, x2="100%", y1=_LINE, y2=_LINE, class_="base")]
    last = [-1.0] * _LANES
    for point in ordered:
        x = _EDGE + (1 - 2 * _EDGE) * ((point.at - low).total_seconds() / span if span else 0.5)
        lane = next((lane for lane, before in enumerate(last) if x - before > _NEAR), _LANES - 1)
        last[lane] = x
        parts.append(_point(point, x, _LINE - lane * _STEP))
    parts += _axis(low, high)
    svg = element("svg", *parts, role="img", class_="line", width="100%", height=_HEIGHT, aria_label=message)
    return element("figure", svg, class_="chart")


def _point(point: Point, x: float, y: float) -> Markup:
    radius = 7 if point.mark else 5
    shape = element("circle", cx=percent(x), cy=y, r=radius, class_=f"grade-{point.grade.lower()} {point.mark}".strip())
    parts = [element("title", point.about), shape]
    if point.mark:
        anchor = "start" if x < 0.5 else "end"
        parts.append(
            element("text", _WORDS[point.mark], x=percent(x), y=_LINE + 22, class_="axis strong", text_anchor=anchor)
        )
    return element("g", *parts)


def _axis(low: datetime, high: datetime) -> list[Markup]:
    """Return the dates below the line: years where there are several, else the first and the last day."""
    span = (high - low).total_seconds()
    years = [datetime(year, 1, 1, tzinfo=UTC) for year in range(low.year + 1, high.year + 1)]
    ticks = [(each, f"{each:%Y}") for each in years[:: -(-len(years) // _NAMED) or 1]]
    if len(ticks) < 2:
        ticks = [(low, f"{low:%Y-%m-%d}"), *([(high, f"{high:%Y-%m-%d}")] if span else [])]
    shown = []
    for at, word in ticks:
        x = _EDGE + (1 - 2 * _EDGE) * ((at - low).total_seconds() / span if span else 0.5)
        anchor = "start" if x < 0.1 else "end" if x > 0.9 else "middle"
        shown.append(element("line", x1=percent(x), x2=percent(x), y1=_LINE + 4, y2=_LINE + 8, class_="base"))
        shown.append(element("text", word, x=percent(x), y=_HEIGHT - 4, class_="axis", text_anchor=anchor))
    return shown

"""A time line: moments as points, coloured by grade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from archive.show import count_of
from query.explorer.draw.legend import legend
from query.explorer.draw.svg import element, percent

#: Pixels: above the highest lane, between lanes, from the line to the first row of words, and between these rows.
_TOP, _STEP, _WORDS, _ROW = 14, 12, 24, 18
#: Parts of the width: left free on each side, how near points hide each other, and their words.
_EDGE, _NEAR, _TOUCH = 0.06, 0.02, 0.2
#: So many lanes are there above the line.
_LANES = 4
_NAMED = 5
#: What is written below a point with a mark.
_SAID = {"first": "first seen", "claimed": "claimed", "witness": "witness"}


@dataclass(frozen=True, slots=True)
class Point:
    """A moment on a time line."""

    at: datetime
    grade: str
    about: str  #: shown where somebody points at it, and read aloud
    mark: str = ""  #: `first`, `claimed` or `witness`: drawn larger, with a word


def line(points: Sequence[Point], thing: str) -> Markup:
    """Return a picture of moments, from the earliest to the latest.

    Args:
        points: in any order.
        thing: what each is, in the singular, for who cannot see it. The page has them as a table.
    """
    if not points:
        return element("p", f"There is no {thing} with a date.", class_="none")
    ordered = sorted(points, key=lambda point: point.at)
    low, high = ordered[0].at, ordered[-1].at
    positions = [_position(each.at, low, high) for each in ordered]
    lanes = _lanes(positions)
    base = _TOP + max(lanes) * _STEP
    words, rows = _words(ordered, positions, base)
    below = base + _WORDS + rows * _ROW
    when = f"on {low:%Y-%m-%d}" if low.date() == high.date() else f"from {low:%Y-%m-%d} to {high:%Y-%m-%d}"
    message = f"{count_of(len(ordered), thing)} {when}."
    shapes = [
        _point(each, x, base - lane * _STEP) for each, x, lane in zip(ordered, positions, lanes, strict=True)
    ]  # fmt: skip
    svg = element(
        "svg", element("title", message), element("line", x1=0, x2="100%", y1=base, y2=base, class_="base"), *shapes,
        *words, *_axis(low, high, base, below), role="img", class_="line", width="100%", height=below + 6,
        aria_label=message,
    )  # fmt: skip
    return element("figure", svg, legend(each.grade for each in ordered), class_="chart")


def _position(at: datetime, low: datetime, high: datetime) -> float:
    """Return where a moment is, as a part of the width."""
    span = (high - low).total_seconds()
    return _EDGE + (1 - 2 * _EDGE) * ((at - low).total_seconds() / span if span else 0.5)


def _lanes(positions: Sequence[float]) -> list[int]:
    """Return the lane of each point, so that as few as possible hide another one."""
    lanes, last = [], [-1.0] * _LANES
    for x in positions:
        lane = next((lane for lane, before in enumerate(last) if x - before > _NEAR), _LANES - 1)
        last[lane] = x
        lanes.append(lane)
    return lanes


def _point(point: Point, x: float, y: float) -> Markup:
    radius = 7 if point.mark else 5
    shape = element("circle", cx=percent(x), cy=y, r=radius, class_=f"grade-{point.grade.lower()} {point.mark}".strip())
    return element("g", element("title", point.about), shape)


def _words(points: Sequence[Point], positions: Sequence[float], base: float) -> tuple[list[Markup], int]:
    """Return the words below the points with a mark, and how many rows they take: words that would touch have two."""
    shown: list[Markup] = []
    before, row, rows = -1.0, 0, 0
    for point, x in zip(points, positions, strict=True):
        if not point.mark:
            continue
        row = row + 1 if x - before < _TOUCH else 0
        before, rows = x, max(rows, row + 1)
        y = base + _WORDS + row * _ROW
        shown.append(element("text", _SAID[point.mark], x=percent(x), y=y, class_="axis strong", text_anchor="middle"))
    return shown, rows


def _axis(low: datetime, high: datetime, base: float, below: float) -> list[Markup]:
    """Return the dates below the line: years where there are several, else the first and the last day or second."""
    years = [datetime(year, 1, 1, tzinfo=UTC) for year in range(low.year + 1, high.year + 1)]
    ticks = [(each, f"{each:%Y}") for each in years[:: -(-len(years) // _NAMED) or 1]]
    if len(ticks) < 2:
        pattern = "%Y-%m-%d" if low.date() < high.date() or low == high else "%Y-%m-%d %H:%M:%S"
        ticks = [(each, each.strftime(pattern)) for each in dict.fromkeys((low, high))]
    shown = []
    for at, word in ticks:
        x = _position(at, low, high)
        anchor = "start" if x < 0.1 else "end" if x > 0.9 else "middle"
        shown.append(element("line", x1=percent(x), x2=percent(x), y1=base + 4, y2=base + 8, class_="base"))
        shown.append(element("text", word, x=percent(x), y=below, class_="axis", text_anchor=anchor))
    return shown

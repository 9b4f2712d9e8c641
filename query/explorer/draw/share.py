"""An estimate through time: intervals as bars, the floor as a line, and what was refused as hatched fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from archive.show import count_of
from query.explorer.draw.svg import element, percent

#: Pixels: of the picture, of the names of years below, and above the highest bar.
HEIGHT, _YEARS, _TOP = 170, 20, 16
#: Parts of the width that are left free, for what begins or ends there.
_EDGE = 0.02
_NAMED = 7
_PERIOD = re.compile(r"(\d{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?")


@dataclass(frozen=True, slots=True)
class Bar:
    """An estimate for a period: a month (`2023-05`), a quarter (`2023-Q2`) or a year."""

    period: str
    value: float | None  #: None: refused
    low: float | None
    high: float | None
    refused: str | None
    texts: int
    hosts: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is drawn, and how its numbers are written."""

    title: str
    unit: str  #: `share of texts`: written as percent
    floor: float | None  #: what the same estimate says of text that no machine wrote
    reference: str  #: the period before which all text is taken for human
    bars: Sequence[Bar]

    def written(self, value: float | None) -> str:
        if value is None:
            return "–"
        return f"{100 * value:.3g} %" if self.unit.startswith("share") else f"{value:,.4g}"


def share(estimate: Estimate, name: str) -> Markup:
    """Return a picture of an estimate, with the same as a table.

    Args:
        name: of the picture, for addresses inside it: letters, digits and `-`.
    """
    drawn = picture(estimate, name)
    return element("figure", drawn, _legend(estimate), _table(estimate), class_="chart")


def picture(estimate: Estimate, name: str, **attributes: str | float) -> Markup:
    """Return the picture alone."""
    placed = [(month, bar) for bar in estimate.bars if (month := _month(bar.period)) is not None]
    if not placed:
        return element("p", f"{estimate.title}: no period with a text.", class_="none")
    low, high = min(month for month, _ in placed), max(month for month, _ in placed)
    step = _step(placed[0][1].period)
    count = (high - low) // step + 1
    top = _highest(estimate)

    def x(month: float) -> float:
        return _EDGE + (1 - 2 * _EDGE) * ((month - low) / step + 0.5) / count

    width = (1 - 2 * _EDGE) / count
    hatch = element(
        "pattern",
        element("path", d="M0 6L6 0", class_="hatch", stroke="currentColor", stroke_opacity="0.5"),
        id=f"{name}-hatch", width=6, height=6, patternUnits="userSpaceOnUse",
    )  # fmt: skip
    message = _message(estimate)
    parts = [element("title", message), element("defs", hatch)]
    parts += [_bar(estimate, bar, x(month), width, top, f"{name}-hatch") for month, bar in placed]
    parts += _lines(estimate, top, x, low, high, step)
    parts += _axis(x, low, high, step)
    return element(
        "svg",
        *parts,
        role="img",
        class_="share",
        width="100%",
        height=HEIGHT + _YEARS,
        aria_label=message,
        **attributes,
    )


def _month(period: str) -> int | None:
    """Return the first month of a period, since the year 0."""
    found = _PERIOD.fullmatch(period)
    if found is None:
        return None
    year, quarter, month = found.groups()
    return int(year) * 12 + (int(month) - 1 if month else 3 * (int(quarter) - 1) if quarter else 0)


def _step(period: str) -> int:
    return 12 if len(period) == 4 else 3 if "Q" in period else 1


def _highest(estimate: Estimate) -> float:
    """Return the value at the top. A few wide intervals do not flatten all others: they are cut; the table has them."""
    values = [bar.value for bar in estimate.bars if bar.value is not None]
    highs = sorted(bar.high for bar in estimate.bars if bar.high is not None)
    usual = highs[-1 - len(highs) // 10] if highs else 0.0
    return max([*values, usual, 1.5 * (estimate.floor or 0.0)], default=0.0) or 1.0


def _y(value: float, top: float) -> float:
    return HEIGHT - (HEIGHT - _TOP) * min(max(value / top, 0.0), 1.0)


def _bar(estimate: Estimate, bar: Bar, x: float, width: float, top: float, hatch: str) -> Markup:
    title = element("title", _about(estimate, bar))
    left = percent(x - width / 2)
    hit = element("rect", x=left, y=0, width=percent(width), height=HEIGHT, class_="hit", fill="transparent")
    if bar.value is None:
        field = element(
            "rect", x=left, y=_TOP, width=percent(width), height=HEIGHT - _TOP, class_="refused", fill=f"url(#{hatch})"
        )
        return element("g", title, field, hit)
    parts = [title, hit]
    if bar.low is not None and bar.high is not None:
        ends = (_y(bar.high, top), _y(bar.low, top))
        parts.append(element("line", x1=percent(x), x2=percent(x), y1=ends[0], y2=ends[1], class_="interval"))
    parts.append(element("circle", cx=percent(x), cy=_y(bar.value, top), r=3, class_="value"))
    return element("g", *parts)


def _about(estimate: Estimate, bar: Bar) -> str:
    of = f"{count_of(bar.texts, 'text')} of {count_of(bar.hosts, 'host')}"
    if bar.value is None:
        return f"{bar.period}: refused: {bar.refused or 'no number'} ({of})"
    value, low, high = map(estimate.written, (bar.value, bar.low, bar.high))
    return f"{bar.period}: {value} ({low} to {high}; {of})"


def _lines(estimate: Estimate, top: float, x: Callable[[float], float], low: int, high: int, step: int) -> list[Markup]:
    """Return the base, the scale, the floor with its number, and the line of the reference."""
    parts = [
        element("line", x1=0, x2="100%", y1=HEIGHT, y2=HEIGHT, class_="base"),
        element("line", x1=0, x2="100%", y1=_TOP, y2=_TOP, class_="scale"),
        element("text", estimate.written(top), x=0, y=_TOP - 4, class_="axis"),
    ]
    if estimate.floor is not None:
        y = _y(estimate.floor, top)
        parts.append(element("line", x1=0, x2="100%", y1=y, y2=y, class_="floor", stroke_dasharray="6 4"))
        words = f"floor {estimate.written(estimate.floor)}"
        parts.append(element("text", words, x="100%", y=y - 4, class_="axis strong", text_anchor="end"))
    month = _month(estimate.reference)
    if month is not None and low < month <= high:
        at = percent(x(month - step / 2))
        parts.append(element("line", x1=at, x2=at, y1=_TOP, y2=HEIGHT, class_="reference", stroke_dasharray="2 3"))
    return parts


def _axis(x: Callable[[float], float], low: int, high: int, step: int) -> list[Markup]:
    """Return the years, at most as many as a small screen has room for."""
    years = list(range(-(-low // 12), high // 12 + 1)) or [low // 12]
    named = years[:: -(-len(years) // _NAMED)]
    parts = []
    for year in named:
        at = min(max(x(max(year * 12, low)), 0.0), 1.0)
        anchor = "start" if at < 0.08 else "end" if at > 0.92 else "middle"
        parts.append(element("text", f"{year:04}", x=percent(at), y=HEIGHT + 14, class_="axis", text_anchor=anchor))
    return parts


def _message(estimate: Estimate) -> str:
    known = [bar for bar in estimate.bars if bar.value is not None]
    refused = len(estimate.bars) - len(known)
    parts = [f"{estimate.title}, {estimate.unit}: {count_of(len(known), 'period')} with a number"]
    parts += [f"{refused:,} refused"] if refused else []
    parts += [f"the floor is {estimate.written(estimate.floor)}" if estimate.floor is not None else "there is no floor"]
    return "; ".join(parts) + "."


def _legend(estimate: Estimate) -> Markup:
    words = [f"points: {estimate.unit}; bars: 95 % intervals"]
    if estimate.floor is not None:
        words.append("dashed: the floor, what the same says of text that no machine wrote")
    words += [f"dotted: {estimate.reference}"]
    words += ["hatched: refused"] if any(bar.value is None for bar in estimate.bars) else []
    return element("p", "; ".join(words) + ".", class_="note")


def _table(estimate: Estimate) -> Markup:
    names = ("period", estimate.unit, "from", "to", "texts", "hosts", "refused")
    head = element("tr", *(element("th", name, scope="col") for name in names))
    rows = [element("tr", element("th", bar.period, scope="row"), *_cells(estimate, bar)) for bar in estimate.bars]
    table = element("table", element("thead", head), element("tbody", *rows), class_="numbers")
    box = element("div", table, class_="wide", tabindex="0", role="region", aria_label=f"{estimate.title} by period")
    return element("details", element("summary", "As a table"), box)


def _cells(estimate: Estimate, bar: Bar) -> list[Markup]:
    numbers = [*map(estimate.written, (bar.value, bar.low, bar.high)), f"{bar.texts:,}", f"{bar.hosts:,}"]
    return [*(element("td", each) for each in numbers), element("td", bar.refused or "", class_="words")]

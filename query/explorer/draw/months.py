"""Bars by month, stacked by grade."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from archive.show import count_of, plural
from query.explorer.draw.legend import legend
from query.explorer.draw.svg import element, percent

#: Pixels: of the bars, of the line of years below, and above the highest bar.
_HEIGHT, _YEARS, _TOP = 150, 20, 14
#: More months than this are shown by year.
_MOST_MONTHS = 180
#: So many years are named.
_NAMED = 6
#: The most of the width that a bar takes.
_WIDEST = 0.05

Counts = Mapping[str, Mapping[str, int]]


def months(counts: Counts, thing: str) -> Markup:
    """Return a picture of counts by month (`2014-09`), with the same as a table.

    A month without any is an empty gap, so that what is missing can be seen.

    Args:
        counts: month → grade → how many. Keys that are no months are left out. The grade is "" where none is known.
        thing: what is counted, in the singular.
    """
    periods = _periods({month: dict(each) for month, each in counts.items() if _is_month(month)})
    if not periods:
        return element("p", f"There is no {thing} with a month.", class_="none")
    most = max(sum(each.values()) for each in periods.values()) or 1
    width = 1 / len(periods)
    bars = [_bar(name, each, at * width, width, most, thing) for at, (name, each) in enumerate(periods.items())]
    names = list(periods)
    total = sum(sum(each.values()) for each in periods.values())
    unit = "year" if len(names[0]) == 4 else "month"
    message = f"{count_of(total, thing)} by {unit}, from {names[0]} to {names[-1]}; at most {most:,} in one {unit}."
    svg = element(
        "svg", element("title", message), _scale(most), *bars, *_axis(names), role="img", class_="months", width="100%",
        height=_HEIGHT + _YEARS, aria_label=message,
    )  # fmt: skip
    return element("figure", svg, legend(_grades(periods)), _table(periods, thing, unit), class_="chart")


def _is_month(name: str) -> bool:
    return len(name) == 7 and name[4] == "-" and name[:4].isdecimal() and name[5:].isdecimal()


def _periods(counts: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return all months from the first to the last, or all years where there are many months."""
    if not counts:
        return {}
    first, last = min(counts), max(counts)
    low, high = (int(name[:4]) * 12 + int(name[5:]) - 1 for name in (first, last))
    if high - low < _MOST_MONTHS:
        return {
            name: counts.get(name, {}) for name in (f"{at // 12:04}-{at % 12 + 1:02}" for at in range(low, high + 1))
        }
    years: dict[str, dict[str, int]] = {f"{year:04}": {} for year in range(low // 12, high // 12 + 1)}
    for month, each in counts.items():
        into = years[month[:4]]
        for grade, count in each.items():
            into[grade] = into.get(grade, 0) + count
    return years


def _bar(name: str, counts: Mapping[str, int], x: float, width: float, most: int, thing: str) -> Markup:
    total = sum(counts.values())
    by_grade = ", ".join(f"{grade} {count:,}" for grade, count in sorted(counts.items()) if count and grade)
    title = f"{name}: {count_of(total, thing)}" + (f" ({by_grade})" if by_grade else "")
    parts = [
        element("title", title),
        element("rect", x=percent(x), y=0, width=percent(width), height=_HEIGHT, class_="hit"),
    ]
    wide = min(width * 0.8, _WIDEST)
    left, y = percent(x + (width - wide) / 2), float(_HEIGHT)
    for grade, count in sorted(counts.items()):
        if count:
            height = max((_HEIGHT - _TOP) * count / most, 1)
            y -= height
            parts.append(
                element("rect", x=left, y=y, width=percent(wide), height=height, class_=f"grade-{grade.lower()}")
            )
    return element("g", *parts)


def _scale(most: int) -> Markup:
    """Return the line of the highest bar, with its number."""
    line = element("line", x1=0, x2="100%", y1=_TOP, y2=_TOP, class_="scale")
    base = element("line", x1=0, x2="100%", y1=_HEIGHT, y2=_HEIGHT, class_="base")
    return line + base + element("text", f"{most:,}", x=0, y=_TOP - 3, class_="axis")


def _axis(names: list[str]) -> list[Markup]:
    """Return the names of years, or of months where there are few, at most as many as a small screen has room for."""
    width = 1 / len(names)
    years = [(at, name[:4]) for at, name in enumerate(names) if len(name) == 4 or name.endswith("-01")]
    named = years if len(years) > 1 else list(enumerate(names))
    step = -(-len(named) // _NAMED)
    return [
        element(
            "text", word, x=percent((at + 0.5) * width), y=_HEIGHT + 14, class_="axis", text_anchor=_anchor(at, names)
        )
        for at, word in named[::step]
    ]


def _anchor(at: int, names: list[str]) -> str:
    """Return where a name begins, so that it is not cut off at the edge."""
    part = (at + 0.5) / len(names)
    return "start" if part < 0.08 else "end" if part > 0.92 else "middle"


def _grades(periods: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the grades that are there; counts without grades have none."""
    return sorted({grade for counts in periods.values() for grade, count in counts.items() if count and grade})


def _table(periods: Mapping[str, Mapping[str, int]], thing: str, unit: str) -> Markup:
    things = plural(2, thing)
    grades = _grades(periods)
    names = (unit, *(f"grade {each}" for each in grades), f"all {things}" if grades else things)
    head = element("tr", *(element("th", name, scope="col") for name in names))
    rows = [
        element(
            "tr", element("th", name, scope="row"), *(element("td", f"{counts.get(grade, 0):,}") for grade in grades),
            element("td", f"{sum(counts.values()):,}"),
        )
        for name, counts in periods.items() if any(counts.values())
    ]  # fmt: skip
    table = element("table", element("thead", head), element("tbody", *rows), class_="numbers")
    box = element("div", table, class_="wide", tabindex="0", role="group", aria_label=f"{things} by {unit}, table")
    return element("details", element("summary", "As a table"), box)

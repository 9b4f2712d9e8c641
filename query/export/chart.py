"""A picture of how the texts of a set are spread over time, as SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 860, 260, 64, 36, 34
_INK, _BAR, _LINE = "#444", "#3b6ea5", "#ddd"
#: More months than this are drawn by year.
_MONTHS = 60


def months(counts: Mapping[str, int], splits: Mapping[str, int]) -> str:
    """Draw bars of the texts by month of their first capture, or by year where the months are many.

    Months without texts inside the range are drawn as gaps.
    """
    by_year = len(counts) > _MONTHS or (bool(counts) and _distance(min(counts), max(counts)) > _MONTHS)
    bars: Counter[str] = Counter()
    for month, count in counts.items():
        bars[month[:4] if by_year else month] += count
    names = _between(min(bars), max(bars), by_year) if bars else []
    most = max(bars.values(), default=1)
    step = (_WIDTH - _LEFT - 10) / max(len(names), 1)
    height = _HEIGHT - _TOP - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="18" font-size="13" fill="{_INK}">{escape(_title(counts, splits, by_year))}</text>',
    ]
    for share in (0.0, 0.5, 1.0):
        y = _TOP + height * (1 - share)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>')
        label = f"{round(most * share):,}"
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{_INK}">{label}</text>')
    every = max(len(names) // 12, 1)
    for number, name in enumerate(names):
        x, tall = _LEFT + number * step, height * bars[name] / most
        parts.append(
            f'<rect x="{x + step * 0.1:.1f}" y="{_TOP + height - tall:.1f}" width="{step * 0.8:.1f}" '
            f'height="{tall:.1f}" fill="{_BAR}"><title>{name}: {bars[name]:,}</title></rect>'
        )
        if number % every == 0:
            middle = x + step / 2
            parts.append(f'<text x="{middle:.1f}" y="{_HEIGHT - 16}" text-anchor="middle" fill="{_INK}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _title(counts: Mapping[str, int], splits: Mapping[str, int], by_year: bool) -> str:
    shares = ", ".join(f"{name} {rows:,}" for name, rows in splits.items()) if len(splits) > 1 else ""
    period = "year" if by_year else "month"
    return f"{sum(counts.values()):,} texts by {period} of first capture" + (f" ({shares})" if shares else "")


def _distance(first: str, last: str) -> int:
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7])


def _between(first: str, last: str, by_year: bool) -> list[str]:
    if by_year:
        return [str(year) for year in range(int(first), int(last) + 1)]
    start = int(first[:4]) * 12 + int(first[5:7]) - 1
    return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(start, start + _distance(first, last) + 1)]

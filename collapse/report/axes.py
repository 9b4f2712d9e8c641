"""What the axes of all pictures have in common: ratios of perplexities, generations, the noise floor, direct labels.

A ratio is drawn at its logarithm, the difference of losses in nats. `axes` are matplotlib's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from collapse.findings import wording
from collapse.measures.spread import Interval
from collapse.regimes import Regime
from collapse.report.canvas import FAINT, FLOOR, colour, darker

#: Of the height of a figure, what its panels have between title and axis.
_INNER = 0.7


def generations(axes: Any, last: int, room: float = 0.0, names: bool = True) -> None:
    """Set up the x axis for generations, with 0 marked; `room` on the right, a share of the width, is for labels."""
    axes.set_xlim(-0.15 - 0.03 * last, last * (1 + room) + 0.15)
    ticks = range(0, last + 1, max(1, math.ceil((last + 1) / 12)))
    axes.set_xticks([*ticks], [f"{tick}\n(real text)" if tick == 0 and names else str(tick) for tick in ticks])
    axes.axvline(0, color=FAINT, linewidth=0.8, linestyle=":", zorder=0)


def ratio(axes: Any, low: float, high: float) -> None:
    """Set up a y axis in nats, (low, high), labelled with the ratios of perplexities that they are."""
    axes.set_ylim(low, high)
    ticks = round_ratios(low, high)
    axes.set_yticks([math.log(tick) for tick in ticks], [f"×{tick:g}" for tick in ticks])
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)


def loss_labels(axes: Any) -> None:
    """Label the axis of a ratio, and add one in nats on the right."""
    axes.set_ylabel("perplexity on held-out real text,\nby that of generation 0")
    axes.secondary_yaxis("right").set_ylabel("loss above generation 0, nats for a token")


def noise(axes: Any, floor: float, middle: float = 0.0, label: str = "noise floor") -> None:
    """Draw the grey band of what may be chance, with its name; nothing if it is not known. Set the limits before."""
    if math.isnan(floor):
        return
    axes.axhspan(middle - floor, middle + floor, color=FLOOR, zorder=-1, linewidth=0)
    low, high = axes.get_ylim()
    # under the band, or inside where there is no room
    under = middle - floor - low > 0.06 * (high - low)
    y, align = (middle - floor, "top") if under else (max(low, middle - floor), "bottom")
    axes.text(0.03, y, label, transform=axes.get_yaxis_transform(), va=align, fontsize=8.5, color="#666666")


def reach(floor: Interval) -> float:
    """Return how far a noise floor is drawn: to its upper end, or its value where one seed leaves the end unknown."""
    return floor.value if math.isnan(floor.high) else floor.high


def course(axes: Any, changes: Sequence[Interval], tone: str, **style: Any) -> None:
    """Draw a line over the generations from 0 on, and its intervals as a band."""
    x = range(len(changes))
    axes.plot(x, [change.value for change in changes], color=tone, zorder=3, **style)
    ends = [change.low for change in changes], [change.high for change in changes]
    axes.fill_between(x, *ends, color=tone, alpha=0.16, linewidth=0)


def head(axes: Any, regime: Regime) -> None:
    """Write the name of a panel's arm above it, in its colour."""
    axes.set_title(f"{regime}\n{wording.short(regime)}", color=darker(colour(regime), 0.15), fontweight="bold")


def span(changes: Sequence[Interval], floor: float = 0.0) -> tuple[float, float]:
    """Return limits that include 0, the noise floor, all values, and their intervals unless these dwarf the values."""
    floor = 0.0 if math.isnan(floor) else floor
    inside = [-floor, floor, *(change.value for change in changes if math.isfinite(change.value))]
    first, last = min(inside), max(inside)
    wide = max(last - first, 0.02)
    ends = [end for change in changes for end in (change.low, change.high) if math.isfinite(end)]
    low, high = (bound(inside + [min(max(end, first - wide), last + wide) for end in ends]) for bound in (min, max))
    return low - 0.07 * (high - low or wide), high + 0.07 * (high - low or wide)


def label_ends(axes: Any, x: float, labels: Sequence[tuple[float, str, str]], size: float = 9.5) -> None:
    """Write labels, (y, text, colour), next to the ends of lines, moved apart where they would overlap.

    Set the limits before.
    """
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    inches = axes.figure.get_size_inches()[1] * _INNER / axes.get_subplotspec().get_gridspec().nrows
    order = sorted((label for label in labels if math.isfinite(label[0])), key=lambda label: label[0])
    heights = apart([label[0] for label in order], 1.35 * size / 72 / inches * (high - low))
    for (y, text, tone), height in zip(order, heights, strict=True):
        arrow = {"arrowstyle": "-", "color": tone, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 1, "relpos": (0, 0.5)}
        style = {"va": "center", "fontsize": size, "color": darker(tone, 0.3), "arrowprops": arrow}
        axes.annotate(
            text, (x, y), (x + 0.035 * (right - left), height), annotation_clip=False, in_layout=False, **style
        )


def apart(heights: Sequence[float], room: float) -> list[float]:
    """Move heights, which are in order, as little as keeps them `room` apart.

    >>> apart([0.0, 0.1, 5.0], 1.0)
    [-0.45, 0.55, 5.0]
    """
    groups: list[tuple[float, list[float]]] = []  # the middle of each cluster, and its members
    for height in heights:
        held = [height]
        middle = height
        while groups and middle - groups[-1][0] < room * (len(held) + len(groups[-1][1])) / 2:
            held = groups.pop()[1] + held
            middle = sum(held) / len(held)
        groups.append((middle, held))
    offsets = [(middle, number - (len(held) - 1) / 2) for middle, held in groups for number in range(len(held))]
    return [round(middle + offset * room, 9) for middle, offset in offsets]


def round_ratios(least: float, most: float) -> list[float]:
    """Return round ratios, nine at most, whose logarithms are between two numbers.

    >>> round_ratios(0.0, 0.7)
    [1.0, 1.2, 1.4, 1.6, 1.8, 2.0]
    """
    low, high = math.exp(max(least, -50)), math.exp(min(most, 50))
    if high / low > 8:
        tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            ticks = [digit * 10.0**ten for ten in tens for digit in digits if low <= digit * 10.0**ten <= high]
            if len(ticks) <= 9:
                return ticks
        return ticks[:: math.ceil(len(ticks) / 9)]
    tenth = 10.0 ** math.floor(math.log10(high - low)) / 10
    steps = (factor * tenth for factor in (1, 2, 5, 10, 20, 50, 100))
    step = next(step for step in steps if (high - low) / step <= 8)
    return [round(number * step, 9) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]

"""Figures as PNG: one look, one colour for each regime, direct labels. matplotlib is imported where it is used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from collapse import words
from collapse.measures.spread import Interval
from collapse.regimes import Regime

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, FLOOR = "#222222", "#8a8a8a", "#e4e4e4"
#: Okabe and Ito's colours, which people who see few colours tell apart.
_COLOURS = {
    "replace": "#D55E00",
    "mix": "#E69F00",
    "accumulate": "#0072B2",
    "accumulate-subsample": "#56B4E9",
    "fresh": "#009E73",
    "real": "#555555",
    "suspect": "#B0479A",
}
_MARKS = {"replace": "o", "mix": "s", "accumulate": "^", "accumulate-subsample": "v", "fresh": "D", "real": "x"}
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.parse_math": False,  # names of sets and domains may hold dollars
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "lines.linewidth": 2.0,
    "lines.markersize": 5.5,
}
_DPI = 140


@dataclass(frozen=True, slots=True)
class Picture:
    name: str  #: of the file, without its ending
    title: str  #: what is to be seen
    caption: str  #: how it is read
    png: bytes


def colour(regime: Regime) -> str:
    return darker(_COLOURS[regime.kind], 0.6 * regime.share if regime.kind == "mix" and regime.share else 0.0)


def mark(regime: Regime) -> str:
    return _MARKS.get(regime.kind, "o")


def darker(name: str, by: float) -> str:
    """A colour mixed with black (`by` above 0) or with white (below)."""
    parts = [int(name[place : place + 2], 16) for place in (1, 3, 5)]
    mixed = [part * (1 - by) if by >= 0 else part + (255 - part) * -by for part in parts]
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


def shades(name: str, count: int) -> list[str]:
    """From light to the colour itself to dark, for generations or bands of one regime."""
    return [darker(name, by) for by in np.linspace(-0.62, 0.45, count)] if count > 1 else [name]


@contextmanager
def drawing() -> Iterator[None]:
    """Inside, figures look as `_STYLE` says, whatever a user's own settings are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def figure(title: str, width: float, height: float, rows: int = 1, columns: int = 1, **more: Any) -> tuple[Figure, Any]:
    """A figure with a title in words and its axes, (rows, columns)."""
    import textwrap

    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    made.get_layout_engine().set(w_pad=0.08, h_pad=0.06, wspace=0.04, hspace=0.06)
    axes = made.subplots(rows, columns, squeeze=False, **more)
    made.suptitle(textwrap.fill(title, int(width * 9.2)), x=0.012, ha="left", fontsize=12.5, fontweight="bold")
    return made, axes


def grid(title: str, panels: int, columns: int, **more: Any) -> tuple[Figure, Any]:
    """A figure of so many panels in rows; the axes that are left over are not drawn."""
    columns = min(panels, columns)
    rows = -(-panels // columns)
    made, axes = figure(title, max(3.3 * columns, 6.5), 3.2 * rows + 0.6, rows, columns, **more)
    for rest in axes.flat[panels:]:
        rest.set_visible(False)
    return made, axes


def head(axes: Axes, regime: Regime) -> None:
    """The name of a panel's arm over it, in its colour."""
    tone = darker(colour(regime), 0.15)
    axes.set_title(f"{regime}\n{words.short(regime)}", color=tone, fontweight="bold")


def png(made: Figure) -> bytes:
    """The same bytes for the same figure: without a date and the program's version."""
    held = BytesIO()
    made.savefig(held, format="png", dpi=_DPI, metadata={"Software": None})
    return held.getvalue()


def generations_axis(axes: Axes, last: int, room: float = 0.0, names: bool = True) -> None:
    """Generations on the x axis, 0 marked; `room` on the right is for labels."""
    axes.set_xlim(-0.15 - 0.03 * last, last * (1 + room) + 0.15)
    ticks = range(0, last + 1, max(1, math.ceil((last + 1) / 12)))
    axes.set_xticks([*ticks], [f"{tick}\n(real text)" if tick == 0 and names else str(tick) for tick in ticks])
    axes.axvline(0, color=FAINT, linewidth=0.8, linestyle=":", zorder=0)


def ratio_axis(axes: Axes, low: float, high: float) -> None:
    """An axis in nats, (low, high), that is labelled with the ratios which they are."""
    axes.set_ylim(low, high)
    ticks = round_ratios(low, high)
    axes.set_yticks([math.log(tick) for tick in ticks], [f"×{tick:g}" for tick in ticks])
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)


def noise(axes: Axes, floor: float, middle: float = 0.0, label: str = "noise floor") -> None:
    """The grey band of what may be chance, with its name under it; nothing where it is not known."""
    if math.isnan(floor):
        return
    axes.axhspan(middle - floor, middle + floor, color=FLOOR, zorder=-1, linewidth=0)
    if label:
        low, high = axes.get_ylim()
        # inside the band where there is no room under it
        under = middle - floor - low > 0.06 * (high - low)
        y = middle - floor if under else max(low, middle - floor)
        place = axes.get_yaxis_transform()
        axes.text(0.03, y, label, transform=place, va="top" if under else "bottom", fontsize=8.5, color="#666666")


def reach(floor: Interval) -> float:
    """How far a noise floor is drawn: to its upper end, or to itself where one seed leaves the end unknown."""
    return floor.value if math.isnan(floor.high) else floor.high


def span(values: Sequence[float], ends: Sequence[float], least: float) -> tuple[float, float]:
    """Limits that hold all values, and of the ends of their intervals what does not dwarf them."""
    inside = [value for value in values if math.isfinite(value)] or [0.0]
    wide = max(max(inside) - min(inside), least)
    reach = [min(max(end, min(inside) - wide), max(inside) + wide) for end in ends if math.isfinite(end)]
    low, high = min([*inside, *reach]), max([*inside, *reach])
    edge = 0.07 * max(high - low, least)
    return low - edge, high + edge


def label_ends(axes: Axes, x: float, labels: Sequence[tuple[float, str, str]], size: float = 9.5) -> None:
    """Names beside the ends of lines, (y, text, colour), moved apart where they would lie on one another.

    The limits of the axis are set before.
    """
    low, high = axes.get_ylim()
    inches = axes.figure.get_size_inches()[1] * 0.7 / axes.get_subplotspec().get_gridspec().nrows
    room = 1.35 * size / 72 / inches * (high - low)
    order = sorted((label for label in labels if math.isfinite(label[0])), key=lambda label: label[0])
    places = spread([label[0] for label in order], room)
    for (y, text, tone), place in zip(order, places, strict=True):
        axes.annotate(
            text,
            (x, y),
            (x + 0.035 * (axes.get_xlim()[1] - axes.get_xlim()[0]), place),
            va="center",
            fontsize=size,
            color=darker(tone, 0.3),
            arrowprops={"arrowstyle": "-", "color": tone, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 1},
            annotation_clip=False,
            in_layout=False,
        )


def spread(places: Sequence[float], room: float) -> list[float]:
    """Places in order, moved as little as keeps them `room` apart.

    >>> spread([0.0, 0.1, 5.0], 1.0)
    [-0.45, 0.55, 5.0]
    """
    groups: list[tuple[float, list[float]]] = []  # the middle of each cluster, and its members
    for place in places:
        held = [place]
        middle = place
        while groups and middle - groups[-1][0] < room * (len(held) + len(groups[-1][1])) / 2:
            held = groups.pop()[1] + held
            middle = sum(held) / len(held)
        groups.append((middle, held))
    return [
        round(middle + (number - (len(held) - 1) / 2) * room, 9) for middle, held in groups for number in range(len(held))
    ]


def round_ratios(least: float, most: float) -> list[float]:
    """Round ratios, eight at most, whose logarithms lie between two."""
    low, high = math.exp(max(least, -50)), math.exp(min(most, 50))
    if high / low > 8:
        tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            ticks = [digit * 10.0**ten for ten in tens for digit in digits if low <= digit * 10.0**ten <= high]
            if len(ticks) <= 8:
                return ticks
        return ticks[:: math.ceil(len(ticks) / 8)]
    step = 10.0 ** math.floor(math.log10(high - low))
    while (high - low) / step < 4:
        step /= 2
    first = math.ceil(low / step)
    return [round(number * step, 9) for number in range(first, math.floor(high / step) + 1)]

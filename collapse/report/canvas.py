"""Figures as PNG: one style, one colour for each regime. matplotlib is imported where it is used."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from collapse.regimes import Regime

INK, FAINT, FLOOR = "#222222", "#8a8a8a", "#e4e4e4"
#: Okabe and Ito's colours, which colour-blind people can tell apart.
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
#: Letters of the title in an inch of a figure's width.
_LETTERS = 9.2


@dataclass(frozen=True, slots=True)
class Picture:
    name: str  #: of the file, without its ending
    title: str  #: what it shows
    caption: str  #: how to read it
    png: bytes


def colour(regime: Regime) -> str:
    """Return the colour of an arm: that of its kind, darker the more real text is mixed in."""
    return darker(_COLOURS[regime.kind], 0.6 * regime.share if regime.kind == "mix" and regime.share else 0.0)


def mark(regime: Regime) -> str:
    return _MARKS.get(regime.kind, "o")


def darker(name: str, by: float) -> str:
    """Mix a colour with black (`by` above 0) or with white (below).

    >>> darker("#808080", 0.5), darker("#808080", -1)
    ('#404040', '#ffffff')
    """
    parts = [int(name[start : start + 2], 16) for start in (1, 3, 5)]
    mixed = [part * (1 - by) if by >= 0 else part + (255 - part) * -by for part in parts]
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


def shades(name: str, count: int) -> list[str]:
    """Return shades from light to dark, for the generations or the bands of one regime."""
    return [darker(name, by) for by in np.linspace(-0.62, 0.45, count)] if count > 1 else [name]


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the style of `_STYLE`, whatever the user's own settings are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def figure(title: str, width: float, height: float, rows: int = 1, columns: int = 1, **more: Any) -> tuple[Any, Any]:
    """Return a figure with a title, and its axes, (rows, columns)."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06, wspace=0.04, hspace=0.06)
    drawn = Figure(figsize=(width, height), dpi=_DPI, layout=layout)
    axes = drawn.subplots(rows, columns, squeeze=False, **more)
    lines = textwrap.fill(title, int(width * _LETTERS))
    drawn.suptitle(lines, x=0.012, ha="left", fontsize=12.5, fontweight="bold")
    return drawn, axes


def grid(title: str, panels: int, columns: int, **more: Any) -> tuple[Any, Any]:
    """Return a figure with so many panels in rows, and its axes; those left over are hidden."""
    columns = min(panels, columns)
    rows = -(-panels // columns)
    drawn, axes = figure(title, max(3.3 * columns, 6.5), 3.2 * rows + 0.6, rows, columns, **more)
    for rest in axes.flat[panels:]:
        rest.set_visible(False)
    return drawn, axes


def png(drawn: Any) -> bytes:
    """Return a figure as PNG, without a date or the program's version: the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a domain in a script that the font lacks
        FigureCanvasAgg(drawn).print_png(file, metadata={"Software": None})  # savefig would draw twice
    return file.getvalue()

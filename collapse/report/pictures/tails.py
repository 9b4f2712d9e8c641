"""Which tokens the models lose: the loss on held-out text by how frequent the token is in real text."""

from __future__ import annotations

import math

from collapse import words
from collapse.found import Found
from collapse.regimes import Regime
from collapse.report import canvas
from collapse.report.canvas import Picture
from collapse.verdict import hardest

_COLUMNS = 3
_CAPTION = (
    "The tokens of the held-out text in {count} bands, by how frequent each is in the text that generation 0 was trained "
    "on ({shares}). A line is the perplexity of one band by that of generation 0 (up is worse; ×1.105 is 0.1 nats for a "
    "token). If what is rare goes first, the darkest line rises first and most. {floor}"
)


def draw(found: Found) -> Picture | None:
    """A panel for each arm, a line for each band; None without arms or bands."""
    arms = [regime for regime in found.regimes if regime.kind != "suspect"]
    bands = found.bands()
    if not found.arms or len(bands) < 2:
        return None
    courses = {
        (arm, band): [
            found.change(arm, g, "held_out", "bands", band, "loss", "value") for g in range(found.last(arm) + 1)
        ]
        for arm in arms
        for band in bands
    }
    floors = [found.floor("held_out", "bands", band, "loss", "value") for band in bands]
    noise = max((canvas.reach(floor) for floor in floors if not math.isnan(canvas.reach(floor))), default=math.nan)
    every = [change for course in courses.values() for change in course]
    title = _title(found, bands)
    with canvas.drawing():
        figure, panels = canvas.grid(title, len(arms), _COLUMNS, sharey=True)
        low, high = canvas.span(
            [*(change.value for change in every), noise, -noise],
            [end for change in every for end in (change.low, change.high)],
            0.02,
        )
        for panel, arm in zip(panels.flat, arms, strict=False):
            canvas.generations_axis(panel, found.last(arm), 0.55, names=False)
            canvas.ratio_axis(panel, low, high)
            canvas.noise(panel, noise, label="noise floor" if panel is panels.flat[0] else "")
            canvas.head(panel, arm)
            labels = []
            for band, tone in zip(bands, reversed(canvas.shades(canvas.colour(arm), len(bands))), strict=True):
                course = courses[arm, band]
                x, y = range(len(course)), [change.value for change in course]
                panel.plot(x, y, color=tone, marker=".", zorder=3)
                panel.fill_between(x, [c.low for c in course], [c.high for c in course], color=tone, alpha=0.15, linewidth=0)
                labels.append((y[-1], band, tone))
            canvas.label_ends(panel, found.last(arm), labels, 8.5)
        for panel in panels[-1]:
            panel.set_xlabel("generation")
        for panel in panels[:, 0]:
            panel.set_ylabel("perplexity of the band's tokens,\nby that of generation 0")
        return Picture("tails", title, _caption(found, bands, noise), canvas.png(figure))


def _title(found: Found, bands: list[str]) -> str:
    arm = hardest(found)
    rare, common = (_rise(found, arm, band) for band in (bands[0], bands[-1]))
    return (
        f"{arm}: the perplexity of the {bands[0]} tokens comes to {words.ratio(rare)} times, that of the {bands[-1]} to "
        f"{words.ratio(common)} times"
    )


def _rise(found: Found, arm: Regime, band: str) -> float:
    return words.times(found.change(arm, found.last(arm), "held_out", "bands", band, "loss", "value").value)


def _caption(found: Found, bands: list[str], noise: float) -> str:
    shares = [found.start("bands", "shares", band).value for band in bands]
    told = ", ".join(f"{band}: {words.percent(share)} of what is read" for band, share in zip(bands, shares, strict=True))
    floor = "No noise floor was measured."
    if not math.isnan(noise):
        floor = "The grey band is the noise floor, that of the band for which it is widest."
    return _CAPTION.format(count=len(bands), shares=told, floor=floor)

"""What each generation wrote, by a dozen measures of sets of texts, beside real text."""

from __future__ import annotations

import math
from typing import Any

from collapse.findings import wording
from collapse.findings.results import Call, Found, call
from collapse.findings.suspect import MEASURES, Measure
from collapse.regimes import Regime
from collapse.report import axes as draws
from collapse.report import canvas
from collapse.report.canvas import Picture

_COLUMNS = 4
_CAPTION = (
    "Measures of what each generation wrote, mean over {seeds}. The dashed line is as much real text that generation 0 "
    "never saw. The grey band about generation 0 is the noise floor, what another seed makes of the measure{none}. "
    "Collapse would be a line that leaves the band and the dashed line for good: distinct n-grams, entropy and what "
    "is kept of vocabulary and rare pairs go down; repetition, self-BLEU and compression go up. The measures depend on "
    "how much text there is; all sets here have as much."
)


def draw(found: Found) -> Picture | None:
    """A panel for each measure, a line for each arm; None where no arm's models wrote."""
    measures = [measure for measure in MEASURES if not math.isnan(found.start("written", *measure.path).value)]
    if not found.writing or not measures:
        return None
    rows = -(-len(measures) // _COLUMNS)
    title = _title(found, measures)
    with canvas.drawing():
        figure, panels = canvas.figure(title, 11.5, 2.35 * rows + 0.9, rows, min(len(measures), _COLUMNS))
        for panel, measure in zip(panels.flat, measures, strict=False):
            _panel(panel, found, measure)
        for panel in panels.flat[len(measures) :]:
            panel.set_visible(False)
        lines = [line for line in panels.flat[0].get_lines() if not line.get_label().startswith("_")]
        figure.legend(handles=lines, loc="outside lower center", ncols=min(len(lines), 4), frameon=False)
        seeds = wording.counted(len(found.seeds), "seed")
        none = " (none was measured)" if math.isnan(found.noise.value) else ""
        return Picture("diversity", title, _CAPTION.format(seeds=seeds, none=none), canvas.png(figure))


def _panel(axes: Any, found: Found, measure: Measure) -> None:
    path = ("written", *measure.path)
    start, real = found.start(*path).value, found.start("unseen", *measure.path).value
    axes.set_title(measure.says, fontsize=7.5, color="#555555")
    axes.text(0, 1.13, measure.title, transform=axes.transAxes, fontweight="bold")
    values = [start, *([real] if math.isfinite(real) else [])]
    draws.generations(axes, max(found.last(arm) for arm in found.writers), names=False)
    for arm in found.writers:
        y = [found.mean(arm, generation, *path).value for generation in range(found.last(arm) + 1)]
        values += [value for value in y if math.isfinite(value)]
        style = {"color": canvas.colour(arm), "marker": canvas.mark(arm), "markersize": 4, "linewidth": 1.6}
        axes.plot(range(len(y)), y, label=wording.name(arm), zorder=3, **style)
    low, high = min(values), max(values)
    edge = 0.07 * (high - low) or 0.07 * abs(high) or 1.0
    axes.set_ylim(low - edge, high + edge)
    draws.noise(axes, draws.reach(found.floor(*path)), start, label="")
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="y", nbins=5)
    if math.isfinite(real):
        axes.axhline(real, color=canvas.INK, linestyle=(0, (5, 3)), linewidth=1.2, label="real text", zorder=2)
        place = axes.get_yaxis_transform()
        axes.text(0.99, real, "real text", transform=place, ha="right", va="bottom", fontsize=7.5)


def _title(found: Found, measures: list[Measure]) -> str:
    """The arm that left real text in most measures."""
    left = {arm: sum(_leaves(found, arm, measure) for measure in measures) for arm in found.writing}
    if math.isnan(found.noise.high):
        return "What the models write, generation by generation, beside real text"
    arm = max(left, key=lambda arm: left[arm])
    many = f"{left[arm]} of {len(measures)} measures"
    return f"{arm}: in {many} what the models write moves away from real text, by more than chance"


def _leaves(found: Found, arm: Regime, measure: Measure) -> bool:
    """Whether the last generation's text is farther from real text than generation 0's, and by no chance."""
    path = ("written", *measure.path)
    last, real = found.last(arm), found.start("unseen", *measure.path).value
    farther = abs(found.mean(arm, last, *path).value - real) > abs(found.start(*path).value - real)
    return farther and call(found.change(arm, last, *path), found.floor(*path)) in (Call.MORE, Call.LESS)

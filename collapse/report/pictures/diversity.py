"""What each generation wrote, by a dozen measures of sets of texts, beside real text."""

from __future__ import annotations

import math
from typing import Any

from collapse import words
from collapse.found import Call, Found, call
from collapse.regimes import Regime
from collapse.report import canvas
from collapse.report.canvas import Picture
from collapse.suspicion import MEASURES, Measure

_COLUMNS = 4
_CAPTION = (
    "Measures of what each generation wrote, mean over {seeds}. The dashed line is real text that generation 0 never saw, "
    "as much of it. The grey band is what another seed makes of the measure (the noise floor), about generation 0. "
    "Collapse would be a line that leaves the band and the dashed line for good: distinct n-grams, entropy and what is "
    "kept of vocabulary and rare pairs go down, repetition, self-BLEU and compression go up. The measures depend on how "
    "much text there is; all sets here have as much."
)


def draw(found: Found) -> Picture | None:
    """A panel for each measure, a line for each arm; None where none but the control's was written."""
    arms = found.writers
    measures = [measure for measure in MEASURES if not math.isnan(found.start("written", *measure.path).value)]
    if not any(arm in found.arms for arm in arms) or not measures:
        return None
    rows = -(-len(measures) // _COLUMNS)
    title = _title(found, measures)
    with canvas.drawing():
        figure, panels = canvas.figure(title, 11.5, 2.35 * rows + 0.9, rows, min(len(measures), _COLUMNS))
        for panel, measure in zip(panels.flat, measures, strict=False):
            _panel(panel, found, arms, measure)
        for panel in panels.flat[len(measures) :]:
            panel.set_visible(False)
        lines = [line for line in panels.flat[0].get_lines() if not line.get_label().startswith("_")]
        figure.legend(
            lines, [line.get_label() for line in lines], loc="outside lower center", ncols=min(len(lines), 4), frameon=False
        )
        seeds = words.counted(len(found.seeds), "seed")
        return Picture("diversity", title, _CAPTION.format(seeds=seeds), canvas.png(figure))


def _panel(axes: Any, found: Found, arms: list[Regime], measure: Measure) -> None:
    path = ("written", *measure.path)
    start, real = found.start(*path).value, found.start("unseen", *measure.path).value
    axes.set_title(measure.says, fontsize=7.5, color="#555555")
    axes.text(0, 1.13, measure.title, transform=axes.transAxes, fontweight="bold")
    values = [start, real]
    canvas.generations_axis(axes, max(found.last(arm) for arm in arms), names=False)
    for arm in arms:
        course = [found.mean(arm, generation, *path) for generation in range(found.last(arm) + 1)]
        y = [point.value for point in course]
        values += y
        style = {"color": canvas.colour(arm), "marker": canvas.mark(arm), "markersize": 4, "linewidth": 1.6}
        axes.plot(range(len(y)), y, label=words.name(arm), zorder=3, **style)
    axes.axhline(real, color=canvas.INK, linestyle=(0, (5, 3)), linewidth=1.2, label="real text", zorder=2)
    axes.set_ylim(canvas.span(values, [], 1e-6))
    canvas.noise(axes, canvas.reach(found.floor(*path)), start, label="")
    place = axes.get_yaxis_transform()
    axes.text(0.99, real, "real text", transform=place, ha="right", va="bottom", fontsize=7.5)
    axes.tick_params(labelsize=8)


def _title(found: Found, measures: list[Measure]) -> str:
    """The arm that left real text in most measures."""
    left = {arm: sum(_leaves(found, arm, measure) for measure in measures) for arm in found.arms if arm in found.writers}
    if not left or math.isnan(found.noise.high):
        return "What the models write, generation by generation, beside real text"
    arm = max(left, key=lambda arm: left[arm])
    return (
        f"{arm}: in {left[arm]} of {len(measures)} measures what the models write moves away from real text, by more "
        "than chance"
    )


def _leaves(found: Found, arm: Regime, measure: Measure) -> bool:
    """Whether the last generation's text is farther from real text than generation 0's, and by no chance."""
    path = ("written", *measure.path)
    last, real = found.last(arm), found.start("unseen", *measure.path).value
    farther = abs(found.mean(arm, last, *path).value - real) > abs(found.start(*path).value - real)
    return farther and call(found.change(arm, last, *path), found.floor(*path)) in (Call.MORE, Call.LESS)

"""What each generation wrote, by a dozen measures of sets of texts, compared with real text."""

from __future__ import annotations

import math
from typing import Any

from collapse.findings import headlines, wording
from collapse.findings.results import RunResults
from collapse.findings.suspect import Measure
from collapse.measures.metrics import of_text
from collapse.report import axes as draws
from collapse.report import canvas
from collapse.report.canvas import Picture

_COLUMNS = 4
_CAPTION = (
    "Measures of what each generation wrote, mean over {seeds}. The dashed line is as much real text that generation 0 "
    "never saw. The grey band around generation 0 is the noise floor, how far another seed moves the measure{none}. "
    "In a collapse, a line leaves the band and the dashed line for good: distinct n-grams, entropy, and the vocabulary "
    "and rare pairs that are kept go down; repetition, self-BLEU and compression go up. The measures depend on the "
    "amount of text, which is the same for all sets here."
)


def draw(results: RunResults) -> Picture | None:
    """Draw a panel for each measure, a line for each arm; None where no arm's models wrote."""
    measures = headlines.measured(results)
    if not results.writing or not measures:
        return None
    rows = -(-len(measures) // _COLUMNS)
    title = headlines.diversity(results).text
    with canvas.drawing():
        figure, panels = canvas.figure(title, 11.5, 2.35 * rows + 0.9, rows, min(len(measures), _COLUMNS))
        for panel, measure in zip(panels.flat, measures, strict=False):
            _panel(panel, results, measure)
        for panel in panels.flat[len(measures) :]:
            panel.set_visible(False)
        lines = [line for line in panels.flat[0].get_lines() if not line.get_label().startswith("_")]
        figure.legend(handles=lines, loc="outside lower center", ncols=min(len(lines), 4), frameon=False)
        seeds = wording.counted(len(results.seeds), "seed")
        none = " (none was measured)" if math.isnan(results.noise.value) else ""
        return Picture("diversity", title, _CAPTION.format(seeds=seeds, none=none), canvas.png(figure))


def _panel(axes: Any, results: RunResults, measure: Measure) -> None:
    written, unseen = of_text("written", measure.metric), of_text("unseen", measure.metric)
    start, real = results.at_start(written).value, results.at_start(unseen).value
    axes.set_title(measure.unit, fontsize=7.5, color="#555555")
    axes.text(0, 1.13, measure.title, transform=axes.transAxes, fontweight="bold")
    values = [start, *([real] if math.isfinite(real) else [])]
    draws.generations(axes, max(results.last(arm) for arm in results.writers), names=False)
    for arm in results.writers:
        y = [results.mean(arm, generation, written).value for generation in range(results.last(arm) + 1)]
        values += [value for value in y if math.isfinite(value)]
        style = {"color": canvas.colour(arm), "marker": canvas.mark(arm), "markersize": 4, "linewidth": 1.6}
        axes.plot(range(len(y)), y, label=wording.name(arm), zorder=3, **style)
    low, high = min(values), max(values)
    edge = 0.07 * (high - low) or 0.07 * abs(high) or 1.0
    axes.set_ylim(low - edge, high + edge)
    draws.noise(axes, draws.reach(results.floor(written)), start, label="")
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="y", nbins=5)
    if math.isfinite(real):
        axes.axhline(real, color=canvas.INK, linestyle=(0, (5, 3)), linewidth=1.2, label="real text", zorder=2)
        axes.text(0.99, real, "real text", transform=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize=7.5)

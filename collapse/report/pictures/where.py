"""For which real text an arm is worse: by band of tokens, by domain and by date."""

from __future__ import annotations

import math
from typing import Any

from collapse.findings import headlines, wording
from collapse.findings.results import Comparison, RunResults
from collapse.findings.suspect import PartChange, part_changes, reference
from collapse.report import axes as draws
from collapse.report import canvas, captions
from collapse.report.canvas import Picture

#: Lines of one kind; domains are the ones with most held-out text.
_MOST = 12
_KINDS = {"bands": "tokens, by frequency in real text", "domains": "domains", "dates": "years"}
_CAPTION = (
    "The last generation of {arm}: its perplexity on parts of the held-out real text, divided by that of {other} on "
    "the same part (right is worse; ×1.105 is 0.1 nats per token). {bars} The grey bars are the noise floor of each "
    "part, wider where there is less text; hollow points cannot be distinguished from chance.{left}"
)


def draw(results: RunResults) -> Picture | None:
    """Draw a line for each part of the held-out text, for the largest share of suspect text or the arm that lost most.

    Return None where that shows no more than the picture of the bands.
    """
    if not results.suspects and not results.tested:
        return None
    arm = headlines.shown_where(results)
    every = part_changes(results, arm)
    kinds = {kind: [part for part in every if part.kind == kind] for kind in _KINDS}
    shown = {kind: held[:_MOST] for kind, held in kinds.items() if held}
    if not shown or (not results.suspects and [*shown] == ["bands"]):
        return None
    heights = [len(held) + 1 for held in shown.values()]
    title = headlines.where(results).text
    other = f"a model trained on other real text ({name})" if (name := reference(results, arm)) else "generation 0"
    with canvas.drawing():
        size = (8.2, 0.27 * sum(heights) + 1.3)
        figure, panels = canvas.figure(title, *size, len(shown), 1, sharex=True, height_ratios=heights)
        for panel, (kind, held) in zip(panels.flat, shown.items(), strict=True):
            _panel(panel, kind, held, canvas.colour(arm))
        _axis(panels.flat[-1], [part for held in shown.values() for part in held], other)
        left = len(every) - sum(map(len, shown.values()))
        caption = _CAPTION.format(
            arm=arm,
            other=other,
            bars=captions.intervals(results, "Lines are"),
            left=f" {wording.counted(left, 'smaller part')} are only in results.json." if left else "",
        )
        return Picture("where", title, caption, canvas.png(figure))


def _panel(axes: Any, kind: str, held: list[PartChange], tone: str) -> None:
    axes.set_title(_KINDS[kind], fontsize=10, fontweight="bold")
    for row, part in enumerate(held):
        noise = draws.reach(part.floor)
        if math.isfinite(noise):
            axes.barh(row, 2 * noise, 0.7, -noise, color=canvas.FLOOR, zorder=0)
        axes.plot([part.change.low, part.change.high], [row, row], color=tone, zorder=2)
        fill = tone if part.comparison in (Comparison.MORE, Comparison.LESS) else "white"
        axes.plot([part.change.value], [row], marker="o", color=tone, markerfacecolor=fill, zorder=3)
    axes.set_yticks(range(len(held)), [wording.one_line(part.name) for part in held])
    axes.set_ylim(len(held) - 0.4, -0.6)
    axes.axvline(0, color=canvas.FAINT, linewidth=0.8, zorder=1)


def _axis(axes: Any, held: list[PartChange], other: str) -> None:
    low, high = draws.span([part.change for part in held])
    axes.set_xlim(low, high)
    ticks = draws.round_ratios(low, high)
    axes.set_xticks([math.log(tick) for tick in ticks], [f"×{tick:g}" for tick in ticks])
    axes.set_xlabel(f"perplexity on that part, by that of {other}")

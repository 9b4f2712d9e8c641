"""How much worse a model gets with the share of its set that is suspect text, or that models wrote."""

from __future__ import annotations

import math
from typing import Any

from collapse.findings import headlines, wording
from collapse.findings.results import Comparison, RunResults
from collapse.findings.verdict import outcome
from collapse.measures.metrics import held_out_loss
from collapse.measures.spread import Interval
from collapse.report import axes as draws
from collapse.report import canvas, captions
from collapse.report.canvas import Picture

_CAPTION = (
    "Each point is a model that was trained on as much text as generation 0, with this share {of}. Up is worse: its "
    "perplexity on held-out real text, divided by that of generation 0, which saw only real text (the black point at "
    "0).{other} {bars} Hollow points cannot be distinguished from chance. {floor} The axis of shares is "
    "logarithmic from the least share on."
)
_OTHER = " The green diamond is a model trained on other real text: the effect of a set that is merely another."


def draw(results: RunResults) -> Picture | None:
    """Draw the ratio of perplexities over the share of suspect or of written text; None without several shares."""
    doses = results.doses
    if not doses:
        return None
    what = "suspect" if results.suspects else "generated"
    changes = {share: results.change(arm, results.last(arm), held_out_loss) for share, arm in doses.items()}
    others = [(arm, results.change(arm, 1, held_out_loss)) for arm in results.references]
    every = [*changes.values(), *(change for _, change in others)]
    tone = canvas.colour(doses[max(doses)])
    title = headlines.dose(results).text
    with canvas.drawing():
        figure, ((axes,),) = canvas.figure(title, 8.2, 4.8)
        noise = draws.reach(results.noise)
        draws.ratio(axes, *draws.span(every, noise))
        draws.noise(axes, noise)
        _shares(axes, [*doses])
        axes.plot([0, *doses], [0.0, *(c.value for c in changes.values())], color=tone, linewidth=1.2, zorder=2)
        axes.plot([0], [0], marker="o", color=canvas.INK, zorder=4)
        for share, arm in doses.items():
            _point(axes, share, changes[share], tone, "o", outcome(results, arm))
            if math.isfinite(changes[share].value):
                label = f"×{wording.ratio(changes[share].value)}"
                _label(axes, label, share, changes[share], above=True)
        for arm, change in others:
            _point(axes, 1, change, canvas.colour(arm), canvas.mark(arm), outcome(results, arm))
            if math.isfinite(change.value):
                label = f"other real text ×{wording.ratio(change.value)}"
                _label(axes, label, 1, change, above=False, color=canvas.colour(arm), ha="right")
        axes.set_xlabel(f"share of {what} text in the training set")
        draws.loss_labels(axes)
        caption = _CAPTION.format(
            of="from the suspect set" if results.suspects else "written by the generation before; the rest is real",
            other=_OTHER if others else "",
            bars=captions.intervals(results, "Vertical lines are"),
            floor=captions.floor(results),
        )
        return Picture("dose", title, caption, canvas.png(figure))


def _shares(axes: Any, shares: list[float]) -> None:
    """Set up the axis of shares, on which 0 has its own position."""
    axes.set_xscale("symlog", linthresh=min(shares), linscale=0.5)
    axes.set_xlim(-0.15 * min(shares), max(shares) * 1.5)
    axes.set_xticks([0, *shares], ["0\n(real text)", *(wording.percent(share) for share in shares)])
    axes.set_xticks([], minor=True)


def _point(axes: Any, share: float, change: Interval, tone: str, mark: str, comparison: Comparison) -> None:
    fill = tone if comparison in (Comparison.MORE, Comparison.LESS) else "white"
    axes.plot([share, share], [change.low, change.high], color=tone, zorder=3)
    axes.plot([share], [change.value], marker=mark, color=tone, markerfacecolor=fill, zorder=4)


def _label(axes: Any, text: str, share: float, change: Interval, above: bool, **style: str) -> None:
    """Write at the end of the bar, where no line runs."""
    end = change.high if above else change.low
    point = (share, change.value if math.isnan(end) else end)
    shift, align = (4, "bottom") if above else (-4, "top")
    axes.annotate(text, point, (0, shift), textcoords="offset points", **{"ha": "center", "va": align, **style})

"""How much worse a model gets with the share of suspect text in its set."""

from __future__ import annotations

import math
from typing import Any

from collapse.findings import wording
from collapse.findings.results import LOSS, Call, Found
from collapse.findings.verdict import of_arm
from collapse.measures.spread import Interval
from collapse.report import axes as draws
from collapse.report import canvas, captions
from collapse.report.canvas import Picture

_CAPTION = (
    "Each point is a model that was trained on as much text as generation 0, of which this share came from the suspect "
    "set. Up is worse: its perplexity on held-out real text by that of generation 0, which saw real text alone (the "
    "black point at 0).{other} {bars} Hollow points cannot be told from chance. {floor} The axis of shares is "
    "logarithmic from the least share on."
)
_OTHER = " The green diamond is other real text in place of all of it: what a set does that is merely another."


def draw(found: Found) -> Picture | None:
    """The ratio of perplexities over the share of suspect text; None without suspects."""
    doses = {arm.share: arm for arm in found.suspects if arm.share}
    if not doses:
        return None
    changes = {share: found.change(arm, found.last(arm), *LOSS) for share, arm in doses.items()}
    others = [(arm, found.change(arm, 1, *LOSS)) for arm in found.references]
    every = [*changes.values(), *(change for _, change in others)]
    tone = canvas.colour(found.suspects[0])
    title = _title(found)
    with canvas.drawing():
        figure, ((axes,),) = canvas.figure(title, 8.2, 4.8)
        noise = draws.reach(found.noise)
        draws.ratio(axes, *draws.span(every, noise))
        draws.noise(axes, noise)
        _shares(axes, [*doses])
        axes.plot([0, *doses], [0.0, *(c.value for c in changes.values())], color=tone, linewidth=1.2, zorder=2)
        axes.plot([0], [0], marker="o", color=canvas.INK, zorder=4)
        for share, arm in doses.items():
            _point(axes, share, changes[share], tone, "o", of_arm(found, arm))
            if math.isfinite(changes[share].value):
                told = f"×{wording.ratio(changes[share].value)}"
                _say(axes, told, share, changes[share], above=True)
        for arm, change in others:
            _point(axes, 1, change, canvas.colour(arm), canvas.mark(arm), of_arm(found, arm))
            if math.isfinite(change.value):
                told = f"other real text ×{wording.ratio(change.value)}"
                _say(axes, told, 1, change, above=False, color=canvas.colour(arm), ha="right")
        axes.set_xlabel("share of suspect text in the training set")
        draws.loss_labels(axes)
        caption = _CAPTION.format(
            other=_OTHER if others else "",
            bars=captions.intervals(found, "Vertical lines are"),
            floor=captions.floor(found),
        )
        return Picture("dose", title, caption, canvas.png(figure))


def _shares(axes: Any, shares: list[float]) -> None:
    """The axis of shares; 0 has a place of its own."""
    axes.set_xscale("symlog", linthresh=min(shares), linscale=0.5)
    axes.set_xlim(-0.15 * min(shares), max(shares) * 1.5)
    axes.set_xticks([0, *shares], ["0\n(real text)", *(wording.percent(share) for share in shares)])
    axes.set_xticks([], minor=True)


def _point(axes: Any, share: float, change: Interval, tone: str, mark: str, told: Call) -> None:
    fill = tone if told in (Call.MORE, Call.LESS) else "white"
    axes.plot([share, share], [change.low, change.high], color=tone, zorder=3)
    axes.plot([share], [change.value], marker=mark, color=tone, markerfacecolor=fill, zorder=4)


def _say(axes: Any, told: str, share: float, change: Interval, above: bool, **style: str) -> None:
    """At the end of the bar, where no line runs."""
    end = change.high if above else change.low
    place = (share, change.value if math.isnan(end) else end)
    shift, align = (4, "bottom") if above else (-4, "top")
    axes.annotate(told, place, (0, shift), textcoords="offset points", **{"ha": "center", "va": align, **style})


def _title(found: Found) -> str:
    judged = {arm: of_arm(found, arm) for arm in found.suspects}
    harmful = [arm for arm, told in judged.items() if told is Call.MORE]
    if harmful:
        share = harmful[0].share or 0.0
        told = "Suspect text alone" if share == 1 else f"From a share of {wording.percent(share)} on, suspect text"
        return f"{told} makes the model worse at real text"
    if Call.UNKNOWN in judged.values():
        return "What suspect text does to a model; what chance does is not known"
    return "That suspect text makes the model worse at real text cannot be told from chance"

"""How much worse a model gets with the share of suspect text in its set."""

from __future__ import annotations

import math

from collapse import words
from collapse.found import LOSS, Call, Found
from collapse.report import canvas
from collapse.report.canvas import Picture
from collapse.verdict import of_arm

_CAPTION = (
    "Each point is a model that was trained on as much text as generation 0, of which this share came from the suspect "
    "set. Up is worse: its perplexity on held-out real text by that of generation 0, which saw real text alone (the "
    "point at 0). {bars} {floor} The axis of shares is logarithmic, but for 0."
)


def draw(found: Found) -> Picture | None:
    """The ratio of perplexities over the share of suspect text; None without suspects."""
    arms = [arm for arm in found.suspects if arm.share]
    if not arms:
        return None
    changes = [found.change(arm, found.last(arm), *LOSS) for arm in arms]
    shares = [arm.share or 0.0 for arm in arms]
    tone = canvas.colour(arms[0])
    title = _title(found)
    with canvas.drawing():
        figure, ((axes,),) = canvas.figure(title, 8.2, 4.8)
        noise = canvas.reach(found.noise)
        low, high = canvas.span(
            [0.0, *(change.value for change in changes), noise, -noise],
            [end for change in changes for end in (change.low, change.high)],
            0.02,
        )
        canvas.ratio_axis(axes, low, high)
        canvas.noise(axes, noise)
        axes.set_xscale("symlog", linthresh=min(shares), linscale=0.5)
        axes.set_xlim(-0.15 * min(shares), max(shares) * 1.5)
        axes.set_xticks([0, *shares], ["0\n(real text)", *(words.percent(share) for share in shares)])
        axes.set_xticks([], minor=True)
        axes.plot([0, *shares], [0.0, *(change.value for change in changes)], color=tone, linewidth=1.2, zorder=2)
        axes.plot([0], [0], marker="o", color=canvas.INK, zorder=4)
        for arm, share, change in zip(arms, shares, changes, strict=True):
            beyond = of_arm(found, arm) is Call.MORE
            axes.plot([share, share], [change.low, change.high], color=tone, linewidth=2, zorder=3)
            axes.plot([share], [change.value], marker="o", color=tone, markerfacecolor=tone if beyond else "white", zorder=4)
            if math.isfinite(change.value):
                note = f"×{words.ratio(words.times(change.value))}"
                axes.annotate(note, (share, change.value), (-7, 5), textcoords="offset points", ha="right")
        axes.set_xlabel("share of suspect text in the training set")
        axes.set_ylabel("perplexity on held-out real text,\nby that of generation 0")
        axes.secondary_yaxis("right").set_ylabel("loss above generation 0, nats for a token")
        return Picture("dose", title, _caption(found), canvas.png(figure))


def _title(found: Found) -> str:
    judged = {arm: of_arm(found, arm) for arm in found.suspects}
    harmful = [arm for arm, told in judged.items() if told is Call.MORE]
    if harmful:
        return f"From {words.percent(harmful[0].share or 0.0)} on, suspect text makes the model worse at real text"
    if Call.UNKNOWN in judged.values():
        return "What suspect text does to a model, whether by chance or not is not known"
    return "That suspect text makes the model worse at real text cannot be told from chance"


def _caption(found: Found) -> str:
    bars = "With one seed there are no intervals."
    if len(found.seeds) > 1:
        bars = (
            f"Vertical lines are 95 % intervals over {words.counted(len(found.seeds), 'seed')}; hollow points cannot be "
            "told from chance."
        )
    if math.isnan(found.noise.value):
        floor = "No noise floor was measured (no arm `real`), so no difference can be told from chance."
    else:
        floor = "The grey band is the noise floor: what another seed makes of the same real text."
    return _CAPTION.format(bars=bars, floor=floor)

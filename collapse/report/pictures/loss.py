"""How the loss on held-out real text moves with the generations."""

from __future__ import annotations

import math

from collapse import words
from collapse.found import LOSS, Found
from collapse.report import canvas
from collapse.report.canvas import Picture
from collapse.verdict import headline

_CAPTION = (
    "Each line is the mean over {seeds}. Up is worse: the perplexity on real text that no model was trained on, by that "
    "of generation 0 of the same seed (a perplexity of 100 is to hesitate between 100 equally likely tokens). The right "
    "axis says the same as loss: 0.1 nats more for a token are a perplexity 1.105 times as high. {bands} {floor}"
)


def draw(found: Found) -> Picture | None:
    """The ratio of perplexities by generation; None where there is no arm over generations."""
    if not found.arms:
        return None
    shown = [*found.arms, *(regime for regime in found.regimes if regime.kind == "real")]
    last = max(found.last(regime) for regime in shown)
    courses = {regime: [found.change(regime, g, *LOSS) for g in range(found.last(regime) + 1)] for regime in shown}
    every = [change for course in courses.values() for change in course]
    with canvas.drawing():
        title = headline(found)
        figure, ((axes,),) = canvas.figure(title, 9.2, 5.4)
        noise = canvas.reach(found.noise)
        canvas.generations_axis(axes, last, 0.72)
        low, high = canvas.span(
            [*(change.value for change in every), noise, -noise],
            [end for change in every for end in (change.low, change.high)],
            0.02,
        )
        canvas.ratio_axis(axes, low, high)
        canvas.noise(axes, noise)
        labels = []
        for regime, course in courses.items():
            tone = canvas.colour(regime)
            x = range(len(course))
            y = [change.value for change in course]
            axes.plot(x, y, marker=canvas.mark(regime), color=tone, zorder=3)
            axes.fill_between(x, [c.low for c in course], [c.high for c in course], color=tone, alpha=0.16, linewidth=0)
            labels.append((y[-1], f"×{words.ratio(words.times(y[-1]))}  {words.name(regime)}", tone))
        canvas.label_ends(axes, last, labels)
        axes.set_xlabel("generation")
        axes.set_ylabel("perplexity on held-out real text,\nby that of generation 0")
        axes.secondary_yaxis("right").set_ylabel("loss above generation 0, nats for a token")
        return Picture("loss", title, _caption(found), canvas.png(figure))


def _caption(found: Found) -> str:
    seeds = words.counted(len(found.seeds), "seed")
    bands = "With one seed there are no intervals."
    if len(found.seeds) > 1:
        bands = f"The coloured bands are 95 % intervals over {seeds} (Student's t)."
    if math.isnan(found.noise.value):
        floor = "No noise floor was measured (no arm `real`), so no difference can be told from chance."
    else:
        floor = (
            "The grey band is the noise floor: how far generations that train on the same real text as generation 0, "
            "with another seed, come to lie from it. What stays inside it may be chance."
        )
    return _CAPTION.format(seeds=seeds, bands=bands, floor=floor)

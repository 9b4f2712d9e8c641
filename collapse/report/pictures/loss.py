"""How the loss on held-out real text moves with the generations."""

from __future__ import annotations

from collapse.findings import headlines, wording
from collapse.findings.results import RunResults
from collapse.measures.metrics import held_out_loss
from collapse.regimes import CONTROL
from collapse.report import axes as draws
from collapse.report import canvas, captions
from collapse.report.canvas import Picture

_CAPTION = (
    "Each line is the mean over {seeds}. Up is worse: the perplexity on real text that no model was trained on, "
    "divided by that of generation 0 of the same seed (a perplexity of 100 means that the model hesitates between 100 "
    "equally likely tokens). The right axis shows the same as loss: 0.1 nats more per token are a perplexity 1.105 "
    "times as high. {bands} {floor}"
)


def draw(results: RunResults) -> Picture | None:
    """Draw the ratio of perplexities by generation; None without an arm that may collapse."""
    if not results.tested:
        return None
    shown = [*results.tested, *(regime for regime in results.regimes if regime.kind == CONTROL)]
    last = max(results.last(regime) for regime in shown)
    courses = {
        regime: [results.change(regime, g, held_out_loss) for g in range(results.last(regime) + 1)] for regime in shown
    }
    every = [change for course in courses.values() for change in course]
    title = headlines.loss(results).text
    with canvas.drawing():
        figure, ((axes,),) = canvas.figure(title, 9.2, 5.4)
        noise = draws.reach(results.noise)
        draws.generations(axes, last, 0.92)
        draws.ratio(axes, *draws.span(every, noise))
        draws.noise(axes, noise)
        labels = []
        for regime, course in courses.items():
            tone, end = canvas.colour(regime), course[-1].value
            draws.course(axes, course, tone, marker=canvas.mark(regime))
            labels.append((end, f"×{wording.ratio(end)}  {wording.name(regime)}", tone))
        draws.label_ends(axes, last, labels)
        axes.set_xlabel("generation")
        draws.loss_labels(axes)
        caption = _CAPTION.format(
            seeds=wording.counted(len(results.seeds), "seed"),
            bands=captions.intervals(results, "The coloured bands are"),
            floor=captions.floor(results),
        )
        return Picture("loss", title, caption, canvas.png(figure))

"""How surprising the suspect text is to generation 0, beside real text and what generation 0 writes."""

from __future__ import annotations

import numpy as np

from collapse.findings import wording
from collapse.findings.results import Found
from collapse.regimes import START
from collapse.report import canvas
from collapse.report.canvas import Picture
from collapse.report.pictures import surprise

_CAPTION = (
    "Texts by their perplexity under generation 0, the model trained on real text: left likelier, right less "
    "likely (both axes are logarithmic). Dashed on grey: real text that it never saw. Black: what it writes itself. "
    "Suspect text that lies left of real text is easier to guess; where it lies as the model's own does, it is like "
    "that in this. Texts on another subject or in another style lie elsewhere too: a likeness is no proof."
)


def draw(found: Found) -> Picture | None:
    """None without a suspect set."""
    suspect, real, written = (found.histogram(START, 0, kind) for kind in ("suspect", "unseen", "written"))
    if not found.suspects or not suspect.sum():
        return None
    edges = np.array(found.results["edges"])
    title = _title(found)
    with canvas.drawing():
        figure, ((axes,),) = canvas.figure(title, 8.2, 4.4)
        surprise.real_text(axes, real, edges, label="real text, unseen")
        surprise.steps(axes, written, edges, color=canvas.INK, linewidth=1.6, label="what generation 0 writes")
        tone = canvas.colour(found.suspects[0])
        surprise.steps(axes, suspect, edges, color=tone, linewidth=2.2, label="suspect text")
        surprise.limits(axes, [suspect, real, written], edges)
        axes.legend(loc="upper right", frameon=False, fontsize=9)
        axes.set_xlabel("perplexity under generation 0")
        axes.set_ylabel("share of the texts")
        return Picture("looks", title, _CAPTION, canvas.png(figure))


def _title(found: Found) -> str:
    means = (found.start(kind, "surprise", "mean").value for kind in ("suspect", "unseen", "written"))
    suspect, real, own = (wording.number(wording.times(mean)) for mean in means)
    return f"Perplexity under generation 0: suspect text {suspect}, real text {real}, its own {own}"

"""How surprising the suspect text is to generation 0, beside real text and what generation 0 writes."""

from __future__ import annotations

import math

import numpy as np

from collapse import words
from collapse.found import START, Found
from collapse.report import canvas
from collapse.report.canvas import Picture
from collapse.report.pictures import surprise

_CAPTION = (
    "Texts by their perplexity under generation 0, the model that was trained on real text: left likelier, right less "
    "likely (both axes are logarithmic). Dashed and grey: real text that it never saw. Black: what it writes itself. A "
    "suspect set that lies left of real text is easier to guess; one that lies where the model's own text lies is like "
    "it in this. Texts on another subject or in another style lie elsewhere too: this is a likeness, no proof."
)


def draw(found: Found) -> Picture | None:
    """None without a suspect set."""
    suspect, real, written = (found.histogram(START, 0, kind) for kind in ("suspect", "unseen", "written"))
    if not len(suspect) or not suspect.sum():
        return None
    edges = np.array(found.results["edges"])
    tone = canvas.colour(found.suspects[0]) if found.suspects else canvas.INK
    title = _title(found)
    with canvas.drawing():
        figure, ((axes,),) = canvas.figure(title, 8.2, 4.4)
        surprise.histogram(
            axes, real, edges, filled=True, color=canvas.INK, linestyle="--", linewidth=1.3, label="real text, unseen"
        )
        surprise.histogram(axes, written, edges, color=canvas.INK, linewidth=1.6, label="what generation 0 writes")
        surprise.histogram(axes, suspect, edges, color=tone, linewidth=2.2, label="suspect text")
        surprise.limits(axes, [suspect, real, written], edges)
        axes.legend(loc="upper right", frameon=False, fontsize=9)
        axes.set_xlabel("perplexity under generation 0")
        axes.set_ylabel("share of the texts")
        return Picture("looks", title, _CAPTION, canvas.png(figure))


def _title(found: Found) -> str:
    means = {kind: found.start(kind, "surprise", "mean").value for kind in ("suspect", "unseen", "written")}
    told = {kind: "not measured" if math.isnan(mean) else words.number(words.times(mean)) for kind, mean in means.items()}
    return (
        f"To generation 0 suspect text has a perplexity of {told['suspect']}; real text {told['unseen']}, its own "
        f"{told['written']}"
    )

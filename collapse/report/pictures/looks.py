"""How surprising the suspect text is to generation 0, compared with real text and what generation 0 writes."""

from __future__ import annotations

import numpy as np

from collapse.findings import headlines
from collapse.findings.results import RunResults
from collapse.measures.metrics import TextKind
from collapse.regimes import START
from collapse.report import canvas
from collapse.report.canvas import Picture
from collapse.report.pictures import surprise

_KINDS: tuple[TextKind, ...] = ("suspect", "unseen", "written")
_CAPTION = (
    "Texts by their perplexity under generation 0, the model trained on real text: left likelier, right less "
    "likely (both axes are logarithmic). Dashed on grey: real text that it never saw. Black: what it writes itself. "
    "Suspect text to the left of real text is easier to guess; where its line follows the black one, it resembles the "
    "model's text in this respect. Texts on another subject or in another style differ too: a likeness is no proof."
)


def draw(results: RunResults) -> Picture | None:
    """Draw the histograms; None without a suspect set."""
    suspect, real, written = (results.histogram(START, 0, kind) for kind in _KINDS)
    if not results.suspects or not suspect.sum():
        return None
    edges = np.array(results.edges)
    title = headlines.looks(results).text
    with canvas.drawing():
        figure, ((axes,),) = canvas.figure(title, 8.2, 4.4)
        surprise.real_text(axes, real, edges, label="real text, unseen")
        surprise.steps(axes, written, edges, color=canvas.INK, linewidth=1.6, label="what generation 0 writes")
        tone = canvas.colour(results.suspects[0])
        surprise.steps(axes, suspect, edges, color=tone, linewidth=2.2, label="suspect text")
        surprise.limits(axes, [suspect, real, written], edges)
        axes.legend(loc="upper right", frameon=False, fontsize=9)
        axes.set_xlabel("perplexity under generation 0")
        axes.set_ylabel("share of the texts")
        return Picture("looks", title, _CAPTION, canvas.png(figure))

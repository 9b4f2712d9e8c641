"""What each generation wrote, as generation 0 sees it: histograms of perplexities (Shumailov et al. 2024, Fig. 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from collapse.findings import headlines, wording
from collapse.findings.results import RunResults
from collapse.measures.beyond import beyond, ends
from collapse.measures.spread import Values
from collapse.regimes import START, Regime
from collapse.report import axes as draws
from collapse.report import canvas
from collapse.report.canvas import Picture

_COLUMNS = 3
#: Inches of a name in the legend.
_WIDTH = 1.4
#: Numbers that an axis has room for.
_TICKS = 5
#: The share of a panel's width that the label of the left line takes.
_ROOM = 0.29
_CAPTION = (
    "How surprising the texts are to generation 0, the model that was trained on real text: a text's perplexity under "
    "it, left likelier, right less likely (both axes are logarithmic, so that the tails can be seen). This is Fig. 1 "
    "of Shumailov et al. 2024. Dashed on grey: real text that generation 0 never saw. Each line is what one generation "
    "wrote{seeds}. The thin lines cut off 1 % of real texts on each side; the numbers are the shares of the last "
    "generation's texts beyond them. If texts pile up on the left, they become more and more alike; generation 0 would "
    "hardly have written those on the right."
)


def draw(results: RunResults) -> Picture | None:
    """Draw a panel for each arm whose models write; None where only the control does."""
    arms = [arm for arm in results.writers if len(results.histogram(arm, results.last(arm)))]
    if not results.writing:
        return None
    edges = np.array(results.edges)
    real = results.histogram(START, 0, "unseen")
    title = headlines.surprise(results).text
    with canvas.drawing():
        figure, panels = canvas.grid(title, len(arms), _COLUMNS, sharex=True, sharey=True)
        for panel, arm in zip(panels.flat, arms, strict=False):
            _panel(panel, results, arm, real, edges)
        every = [real, *(results.histogram(arm, g) for arm in arms for g in range(results.last(arm) + 1))]
        limits(panels.flat[0], every, edges, ends(real, edges)[0] if real.sum() else math.inf)
        _legend(figure, max(results.last(arm) for arm in arms))
        for panel in panels[-1]:
            panel.set_xlabel("perplexity under generation 0")
        for panel in panels[:, 0]:
            panel.set_ylabel("share of the texts")
        seeds = f", all {len(results.seeds)} seeds together" if len(results.seeds) > 1 else ""
        return Picture("surprise", title, _CAPTION.format(seeds=seeds), canvas.png(figure))


def steps(axes: Any, counts: Values, edges: Values, **style: Any) -> None:
    """Draw the shares of texts by perplexity; nothing where there are no texts."""
    if counts.sum():
        axes.stairs(counts / counts.sum(), np.exp(edges), **style)


def real_text(axes: Any, counts: Values, edges: Values, label: str | None = None) -> None:
    """Draw real text as `steps` does, dashed on grey, above the others."""
    steps(axes, counts, edges, fill=True, color=canvas.FLOOR, zorder=0)
    steps(axes, counts, edges, color=canvas.INK, linestyle="--", linewidth=1.2, zorder=5, label=label)


def limits(axes: Any, every: Sequence[Values], edges: Values, left: float = math.inf) -> None:
    """Both axes logarithmic, from the first text to the last, and down to a single text.

    Args:
        left: the position in nats of a line that has a label on its left.
    """
    some = [counts for counts in every if counts.sum()]
    inside = np.flatnonzero(np.sum(some, axis=0))
    low, high = edges[max(inside[0] - 5, 0)], edges[min(inside[-1] + 6, len(edges) - 1)]
    low = min(low, (left - _ROOM * high) / (1 - _ROOM))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(np.exp(low), np.exp(high))
    ticks = [tick for ten in range(8) for tick in (10**ten, 3 * 10**ten) if np.exp(low) <= tick <= np.exp(high)]
    ticks = ticks if len(ticks) <= _TICKS else [tick for tick in ticks if str(tick)[0] == "1"]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    least = min(1 / counts.sum() for counts in some)
    most = max((counts / counts.sum()).max() for counts in some)
    axes.set_ylim(least / 2, 6 * most)  # room for what is said at the top
    shares = [share for share in (0.0001, 0.001, 0.01, 0.1, 1) if least / 2 <= share <= 3 * most]
    axes.set_yticks(shares, [f"{100 * share:g} %" for share in shares])
    axes.minorticks_off()


def _panel(axes: Any, results: RunResults, arm: Regime, real: Values, edges: Values) -> None:
    last = results.last(arm)
    draws.head(axes, arm)
    real_text(axes, real, edges)
    for generation, tone in enumerate(canvas.shades(canvas.colour(arm), last + 1)):
        steps(axes, results.histogram(arm, generation), edges, color=tone, linewidth=1.6, zorder=2 + generation / 99)
    if not real.sum():
        return
    shares = beyond(results.histogram(arm, last), real)
    for nats, share, align in zip(ends(real, edges), shares, ("right", "left"), strict=True):
        x = math.exp(nats)
        axes.axvline(x, color=canvas.FAINT, linewidth=0.8, zorder=1)
        text = f" {wording.percent(share)} of \n generation {last} "
        axes.text(x, 0.98, text, transform=axes.get_xaxis_transform(), ha=align, va="top", fontsize=8)


def _legend(figure: Any, last: int) -> None:
    """Show which shade is which generation, in grey for all arms."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=canvas.INK, linestyle="--", linewidth=1.2, label="real text")]
    for generation, tone in enumerate(canvas.shades(canvas.FAINT, last + 1)):
        lines.append(Line2D([], [], color=tone, label=f"generation {generation}"))
    columns = min(len(lines), int(figure.get_figwidth() / _WIDTH))
    figure.legend(handles=lines, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)

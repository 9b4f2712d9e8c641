"""What each generation wrote, as generation 0 sees it: histograms of perplexities (Shumailov et al. 2024, Fig. 1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from collapse import words
from collapse.found import START, Found
from collapse.measures.spread import Values
from collapse.regimes import Regime
from collapse.report import canvas
from collapse.report.canvas import Picture

_COLUMNS = 3
_CAPTION = (
    "How surprising the texts are to generation 0, the model that was trained on real text: a text's perplexity under "
    "it, left likelier, right less likely (both axes are logarithmic, so that the tails can be seen). Shumailov et al. "
    "2024 show this as Fig. 1. Dashed and grey: real text that generation 0 never saw. Each line is what one generation "
    "wrote{seeds}. Between the thin lines lie 98 % of real texts; the numbers say how many of the last generation's "
    "texts lie outside, where real text has 1 % on each side. Texts that pile up on the left are ever more alike; "
    "those on the right are such as generation 0 would hardly have written."
)


def draw(found: Found) -> Picture | None:
    """A panel for each arm whose models write; None where none but the control does."""
    arms = [regime for regime in found.writers if len(found.histogram(regime, found.last(regime)))]
    if not any(arm in found.arms for arm in arms):
        return None
    edges = np.array(found.results["edges"])
    real = found.histogram(START, 0, "unseen")
    every = [real, *(found.histogram(arm, g) for arm in arms for g in range(found.last(arm) + 1))]
    title = _title(found, arms, real)
    with canvas.drawing():
        figure, panels = canvas.grid(title, len(arms), _COLUMNS, sharex=True, sharey=True)
        for panel, arm in zip(panels.flat, arms, strict=False):
            _panel(panel, found, arm, real, edges)
        limits(panels.flat[0], every, edges)
        _legend(figure, max(found.last(arm) for arm in arms))
        for panel in panels[-1]:
            panel.set_xlabel("perplexity under generation 0")
        for panel in panels[:, 0]:
            panel.set_ylabel("share of the texts")
        seeds = f", all {len(found.seeds)} seeds together" if len(found.seeds) > 1 else ""
        return Picture("surprise", title, _CAPTION.format(seeds=seeds), canvas.png(figure))


def histogram(axes: Any, counts: Values, edges: Values, **style: Any) -> None:
    """Shares of texts by perplexity, as a line of steps; nothing where there are no texts."""
    total = counts.sum() if len(counts) else 0
    if not total:
        return
    if style.pop("filled", False):
        axes.stairs(counts / total, np.exp(edges), fill=True, color=canvas.FLOOR, zorder=0)
    axes.stairs(counts / total, np.exp(edges), **style)


def tails(counts: Values, real: Values) -> tuple[float, float]:
    """The shares of texts that are likelier than 99 % of real texts, and less likely than 99 % of them.

    From histograms: texts are taken to lie evenly inside a bin.

    >>> tails(np.array([4.0, 0.0]), np.array([0.0, 4.0]))
    (1.0, 0.0)
    """
    if not len(counts) or not counts.sum() or not real.sum():
        return float("nan"), float("nan")
    bins = np.arange(len(real) + 1)
    rising = np.concatenate([[0.0], np.cumsum(real) / real.sum()])
    ours = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    low, high = (_quantile(rising, at) for at in (0.01, 0.99))
    return float(np.interp(low, bins, ours)), 1 - float(np.interp(high, bins, ours))


def _quantile(rising: Values, at: float) -> float:
    """The place among the bins up to which such a share lies."""
    right = int(np.searchsorted(rising, at))
    left = rising[right - 1]
    return right - 1 + (at - left) / (rising[right] - left)


def _panel(axes: Any, found: Found, arm: Regime, real: Values, edges: Values) -> None:
    last = found.last(arm)
    canvas.head(axes, arm)
    histogram(axes, real, edges, filled=True, color=canvas.INK, linestyle="--", linewidth=1.2, zorder=5)
    for generation, tone in enumerate(canvas.shades(canvas.colour(arm), last + 1)):
        counts = found.histogram(arm, generation)
        histogram(axes, counts, edges, color=tone, linewidth=1.6, zorder=2 + generation / 99)
    _outside(axes, found.histogram(arm, last), real, edges, last)


def _outside(axes: Any, counts: Values, real: Values, edges: Values, last: int) -> None:
    """Lines that hold 98 % of real texts between them, and how much of what was written lies outside."""
    if not real.sum():
        return
    rising = np.concatenate([[0.0], np.cumsum(real) / real.sum()])
    shares = tails(counts, real)
    for at, share, align, text in (
        (0.01, shares[0], "right", f"{{}} of\ngen. {last} "),
        (0.99, shares[1], "left", f" {{}} of\n gen. {last}"),
    ):
        x = float(np.exp(np.interp(_quantile(rising, at), np.arange(len(edges)), edges)))
        axes.axvline(x, color=canvas.FAINT, linewidth=0.8, zorder=1)
        place = axes.get_xaxis_transform()
        axes.text(x, 0.98, text.format(words.percent(share)), transform=place, ha=align, va="top", fontsize=8)


def _legend(figure: Any, last: int) -> None:
    """Which shade is which generation, in grey for all arms."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=canvas.INK, linestyle="--", linewidth=1.2, label="real text")]
    for generation, tone in enumerate(canvas.shades(canvas.FAINT, last + 1)):
        lines.append(Line2D([], [], color=tone, label=f"generation {generation}"))
    figure.legend(handles=lines, loc="outside lower center", ncols=min(len(lines), 7), frameon=False, fontsize=9)


def limits(axes: Any, every: list[Values], edges: Values) -> None:
    """Both axes logarithmic, from the first text to the last, and down to a single text."""
    some = [counts for counts in every if len(counts) and counts.sum()]
    inside = np.flatnonzero(np.sum(some, axis=0))
    low, high = edges[max(inside[0] - 2, 0)], edges[min(inside[-1] + 3, len(edges) - 1)]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(np.exp(low), np.exp(high))
    ticks = [tick for ten in range(8) for tick in (1 * 10**ten, 3 * 10**ten) if np.exp(low) <= tick <= np.exp(high)]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xticks([], minor=True)
    least = min(1 / counts.sum() for counts in some)
    most = max((counts / counts.sum()).max() for counts in some)
    axes.set_ylim(least / 2, 6 * most)  # room for what is said at the top
    shares = [share for share in (0.0001, 0.001, 0.01, 0.1, 1) if least / 2 <= share <= 3 * most]
    axes.set_yticks(shares, [f"{100 * share:g} %" for share in shares])
    axes.set_yticks([], minor=True)


def _title(found: Found, arms: list[Regime], real: Values) -> str:
    beyond = {arm: tails(found.histogram(arm, found.last(arm)), real) for arm in arms}
    arm = max(arms, key=lambda arm: np.nan_to_num(sum(beyond[arm])))
    likely, unlikely = beyond[arm]
    side = "less" if unlikely >= likely else "more"
    return (
        f"{arm}: {words.percent(max(beyond[arm]))} of the last generation's texts are {side} likely to generation 0 than "
        "99 % of real texts"
    )

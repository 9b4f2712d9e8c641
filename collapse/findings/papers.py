"""What papers report, compared with what this run measured.

A paper has other text, another model and another length of training, and mostly gives no interval. So a level (a loss,
a perplexity) is compared only with our interval, and a change also by its direction: whether it is more than chance
here, on the side on which the paper has it.
"""

from __future__ import annotations

import math

from collapse.findings.results import Comparison, PaperResult, RunResults, compare
from collapse.measures.loss import perplexity
from collapse.measures.metrics import GenerationMetrics, held_out_loss
from collapse.measures.spread import Interval
from collapse.recipe import Paper
from collapse.regimes import Regime

#: Whether this run agrees with a paper.
YES, DIRECTION, NO, OPEN = "yes", "in direction", "no", "open"
_UNKNOWN = Interval(math.nan, math.nan, math.nan)
_SIDES = {"worse": Comparison.MORE, "better": Comparison.LESS, "the same": Comparison.SAME}


def compared(results: RunResults) -> list[PaperResult]:
    """Compare the figures of the recipe's paper that are of this run's decoding."""
    decoding = results.recipe.decoding
    return [_compared(results, figure) for figure in results.recipe.paper if figure.decoding in ("", decoding)]


def _compared(results: RunResults, figure: Paper) -> PaperResult:
    last = results.last(figure.regime)
    generation = last if figure.generation < 0 else figure.generation
    arms = [figure.regime, *([figure.against] if figure.against else [])]
    if any(arm not in results.recipe.regimes or generation > results.last(arm) for arm in arms):
        return _result(figure, _UNKNOWN, OPEN, "this run has no such generation")
    interval, change = _measured(results, figure, generation)
    compare_with = _told if figure.says else _changed if figure.measure in ("ratio", "rise") else _level
    agrees, because = compare_with(figure, interval, compare(change, results.noise))
    return _result(figure, interval, agrees, because)


def _result(figure: Paper, interval: Interval, agrees: str, because: str) -> PaperResult:
    return PaperResult(
        what=figure.what,
        reported=figure.reported,
        measure=figure.measure,
        regime=figure.regime,
        generation=figure.generation,
        measured=interval.value,
        interval=interval,
        says=figure.says,
        against=figure.against,
        source=figure.source,
        agrees=agrees,
        because=because,
    )


def _measured(results: RunResults, figure: Paper, generation: int) -> tuple[Interval, Interval]:
    """Return what this run has for a figure, and the change in nats that it is, or rests on."""
    if figure.against:
        change = results.between(Regime.parse(figure.regime), Regime.parse(figure.against), generation, held_out_loss)
    else:
        change = results.change(figure.regime, generation, held_out_loss)
    level = results.mean(figure.regime, generation, held_out_loss)
    rise = results.change(figure.regime, generation, _perplexity)
    return {"loss": level, "perplexity": _exp(level), "ratio": _exp(change), "rise": rise}[figure.measure], change


def _told(figure: Paper, interval: Interval, found: Comparison) -> tuple[str, str]:
    """Judge what a paper says in words."""
    if found in (Comparison.UNKNOWN, Comparison.OPEN):
        return OPEN, found.value
    if found is _SIDES[figure.says]:
        return YES, found.value
    # that a small run shows no difference does not contradict a paper that has one
    return (OPEN if found is Comparison.SAME else NO), found.value


def _changed(figure: Paper, interval: Interval, found: Comparison) -> tuple[str, str]:
    """Judge a change that a paper reports."""
    if found in (Comparison.UNKNOWN, Comparison.OPEN):
        return OPEN, found.value
    neutral = 1.0 if figure.measure == "ratio" else 0.0
    side = Comparison.MORE if figure.reported > neutral else Comparison.LESS
    inside = interval.low <= figure.reported <= interval.high
    if found is Comparison.SAME:
        return (OPEN, "our interval holds the paper's figure and no change") if inside else (NO, found.value)
    if inside:
        return YES, "the paper's figure is in our interval"
    if found is not side:
        return NO, f"{found.value}, on the other side"
    larger = abs(interval.value - neutral) > abs(figure.reported - neutral)
    return DIRECTION, f"{found.value}, but {'larger' if larger else 'smaller'} here"


def _level(figure: Paper, interval: Interval, found: Comparison) -> tuple[str, str]:
    """Judge a loss or a perplexity."""
    if math.isnan(interval.low) or math.isnan(interval.high):
        return OPEN, "no interval"
    if interval.low <= figure.reported <= interval.high:
        return YES, "the paper's figure is in our interval"
    return NO, f"ours is {'higher' if interval.value > figure.reported else 'lower'}: another text or model"


def _perplexity(row: GenerationMetrics) -> float:
    return perplexity(held_out_loss(row))


def _exp(interval: Interval) -> Interval:
    return Interval(perplexity(interval.value), perplexity(interval.low), perplexity(interval.high))

"""Numbers and names of arms in words, the same on the page, in the pictures and on the terminal."""

from __future__ import annotations

import math

from collapse.measures.spread import Interval
from collapse.regimes import KINDS, Regime

#: What an arm's models are trained on, in the few words that stand beside a line.
_SHORT = {
    "replace": "only generated text",
    "mix": "{} real text mixed in",
    "accumulate": "all text kept",
    "accumulate-subsample": "a sample of all text",
    "fresh": "new real text each time",
    "real": "same real text, other seed",
    "suspect": "{} suspect text",
}
UNKNOWN = "not measured"


def name(regime: Regime) -> str:
    """For a line or a column: `replace: only generated text`. A share is said once."""
    return f"{regime.kind}: {short(regime)}"


def short(regime: Regime) -> str:
    return _SHORT[regime.kind].format(percent(regime.share or 0.0))


def meaning(regime: Regime) -> str:
    """What the arm is and who described it, in a sentence's length."""
    return KINDS[regime.kind].replace("X: this share", percent(regime.share or 0.0), 1)


def percent(share: float) -> str:
    """
    >>> percent(0.1), percent(0.0049), percent(math.nan)
    ('10 %', '0.49 %', 'not measured')
    """
    if math.isnan(share):
        return UNKNOWN
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def ratio(value: float) -> str:
    """A ratio with as many digits as tell it from 1.

    >>> ratio(1.714), ratio(1.0138), ratio(0.031), ratio(123.4), ratio(math.nan)
    ('1.71', '1.014', '0.031', '123', 'not measured')
    """
    if math.isnan(value):
        return UNKNOWN
    if abs(value - 1) < 0.0995:
        return f"{value:.3f}"
    return f"{value:.2g}" if value < 0.1 else f"{value:.2f}" if value < 10 else number(value)


def number(value: float) -> str:
    """Three digits, and all of those in front of the point.

    >>> number(0.12345), number(1234.5), number(1e9), number(math.nan)
    ('0.123', '1,234', '1e+09', 'not measured')
    """
    if math.isnan(value):
        return UNKNOWN
    return f"{value:,.0f}" if 999.5 <= abs(value) < 1e7 else f"{value:.3g}"


def ratios(nats: Interval) -> str:
    """The ratio that a difference in nats is, with its interval: `1.71 times (95 %: 1.65 to 1.77)`."""
    return f"{ratio(times(nats.value))} times" + between(times(nats.low), times(nats.high))


def between(low: float, high: float) -> str:
    """` (95 %: 1.65 to 1.77)`; nothing where the ends are not known."""
    return "" if math.isnan(low) or math.isnan(high) else f" (95 %: {ratio(low)} to {ratio(high)})"


def times(nats: float) -> float:
    """The ratio of two perplexities whose losses differ by so many nats; infinite where no number is so large."""
    return math.exp(nats) if not nats > 709 else math.inf


def counted(count: int, thing: str) -> str:
    """
    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def listed(parts: list[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

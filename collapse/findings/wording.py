"""Numbers and names of arms in words, the same on the page, in the pictures and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def number(value: float) -> str:
    """Three digits, and all of those in front of the point.

    >>> number(0.12345), number(1234.5), number(1e9), number(math.nan)
    ('0.123', '1,234', '1e+09', 'not measured')
    """
    if math.isnan(value):
        return UNKNOWN
    return f"{value:,.0f}" if 999.5 <= abs(value) < 1e7 else f"{value:.3g}"


def ratio(nats: float, like: float | None = None) -> str:
    """The ratio of two perplexities whose losses differ by so many nats, with as many digits as tell it from 1.

    Args:
        like: the nats of another ratio, which decides how many digits there are.

    >>> ratio(math.log(1.714)), ratio(math.log(1.0138)), ratio(math.log(123.4)), ratio(math.nan)
    ('1.71', '1.014', '123', 'not measured')
    """
    value = times(nats)
    if math.isnan(value) or value >= 99.5 or value < 0.1:
        return number(value)
    return f"{value:.{3 if abs(times(nats if like is None else like) - 1) < 0.0995 else 2}f}"


def ratios(nats: Interval) -> str:
    """The ratio that a difference in nats is, with its interval: `1.71 times (95 %: 1.65 to 1.77)`."""
    told = f"{ratio(nats.value)} times"
    return told if math.isnan(nats.low) else f"{told} (95 %: {between(nats)})"


def between(nats: Interval) -> str:
    """The interval of a ratio: `1.65 to 1.77`."""
    if math.isnan(nats.low) or math.isnan(nats.high):
        return "no interval"
    return f"{ratio(nats.low, nats.value)} to {ratio(nats.high, nats.value)}"


def times(nats: float) -> float:
    """The ratio of two perplexities whose losses differ by so many nats; infinite where no number is so large."""
    return math.exp(nats) if not nats > 709 else math.inf


def counted(count: int, thing: str) -> str:
    """
    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def listed(parts: Sequence[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

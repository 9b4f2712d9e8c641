"""How numbers and arms are written on the page, in the pictures and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse.measures.spread import Interval
from collapse.regimes import KINDS, Regime

#: What an arm's models are trained on, short enough for the label of a line.
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
    """Name an arm for a line or a column: `replace: only generated text`."""
    return f"{regime.kind}: {short(regime)}"


def short(regime: Regime) -> str:
    """Say in few words what an arm's models are trained on."""
    return _SHORT[regime.kind].format(percent(regime.share or 0.0))


def meaning(regime: Regime) -> str:
    """Say what the arm is and who described it."""
    return KINDS[regime.kind].says.replace("X: this share", percent(regime.share or 0.0), 1)


def percent(share: float) -> str:
    """Format a share. Less than all is never written as all.

    >>> percent(0.1), percent(0.0049), percent(0.999), percent(1.0), percent(math.nan)
    ('10 %', '0.49 %', '99.9 %', '100 %', 'not measured')
    """
    if math.isnan(share):
        return UNKNOWN
    if 0.9905 <= share < 1:
        return f"{min(100 * share, 99.99):.4g} %"
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def number(value: float) -> str:
    """Format a number with three digits, and all digits before the decimal point.

    >>> number(0.12345), number(1234.5), number(1e9), number(math.nan)
    ('0.123', '1,234', '1e+09', 'not measured')
    """
    if math.isnan(value):
        return UNKNOWN
    return f"{value:,.0f}" if 999.5 <= abs(value) < 1e7 else f"{value:.3g}"


def ratio(nats: float, like: float | None = None) -> str:
    """Format the ratio of two perplexities from the difference of their losses, with enough digits to tell it from 1.

    Args:
        like: the nats of another ratio, which decides the number of digits.

    >>> ratio(math.log(1.714)), ratio(math.log(1.0138)), ratio(math.log(123.4)), ratio(math.nan)
    ('1.71', '1.014', '123', 'not measured')
    """
    value = times(nats)
    if math.isnan(value) or value >= 99.5 or value < 0.1:
        return number(value)
    return f"{value:.{3 if abs(times(nats if like is None else like) - 1) < 0.0995 else 2}f}"


def ratios(nats: Interval) -> str:
    """Format a difference in nats as a ratio, with its interval: `1.71 times (95 %: 1.65 to 1.77)`."""
    text = f"{ratio(nats.value)} times"
    return text if math.isnan(nats.low) else f"{text} (95 %: {between(nats)})"


def between(nats: Interval) -> str:
    """Format the interval of a ratio: `1.65 to 1.77`."""
    if math.isnan(nats.low) or math.isnan(nats.high):
        return "no interval"
    return f"{ratio(nats.low, nats.value)} to {ratio(nats.high, nats.value)}"


def times(nats: float) -> float:
    """Return the ratio of two perplexities from the difference of their losses; infinite where it is too large."""
    return math.exp(nats) if not nats > 709 else math.inf


def counted(count: int, thing: str) -> str:
    """Format a count and its noun.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def listed(parts: Sequence[str]) -> str:
    """Join parts with commas and `and`.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def one_line(text: str, longest: int = 40) -> str:
    """Return a name from a set so that it fits a picture: without line breaks, and shortened.

    >>> one_line("a\\nb"), one_line("abcdef", 4)
    ('a b', 'abc…')
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"

"""The mean over a few seeds, and how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

#: Two-sided.
CONFIDENCE = 0.95

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval; the ends are NaN where a single seed or document leaves them unknown."""

    value: float
    low: float
    high: float


def over_seeds(values: Sequence[float] | Values) -> Interval:
    """Return the mean over seeds and its Student's interval, which assumes that seeds are normally distributed.

    >>> over_seeds([1.0, 2.0, 3.0])
    Interval(value=2.0, low=-0.48..., high=4.48...)
    """
    seeds = np.asarray(values, np.float64)
    if not len(seeds):
        return Interval(math.nan, math.nan, math.nan)
    mean = float(seeds.mean())
    if len(seeds) == 1 or not np.isfinite(seeds).all():
        return Interval(mean, math.nan, math.nan)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(seeds) - 1))
    half = quantile * float(seeds.std(ddof=1)) / math.sqrt(len(seeds))
    return Interval(mean, mean - half, mean + half)


def noise_floor(control: Values) -> Interval:
    """Return how far a number moves from generation 0 where nothing is lost.

    This is the largest |ln ratio| of the generations of the control that trains on real text, as the mean over its
    seeds with their interval. A change that does not exceed `high` may be chance. The floor is the largest change, not
    the spread, so that it rises with the number of generations, as does the chance that one generation of an arm
    deviates.

    Args:
        control: values, (seeds, generations).

    Returns:
        NaN without a generation after 0.
    """
    return farthest(log_ratios(control)[:, 1:])


def farthest(changes: Values) -> Interval:
    """Return the largest absolute change of each seed, as mean over seeds with an interval that ends at 0 or above.

    Args:
        changes: (seeds, generations).

    Returns:
        NaN without a generation.
    """
    if not changes.size:
        return Interval(math.nan, math.nan, math.nan)
    floor = over_seeds(np.abs(changes).max(axis=1))
    return Interval(floor.value, max(floor.low, 0.0), floor.high)


def log_ratios(values: Values) -> Values:
    """Return the logarithm of each generation's value divided by generation 0's of the same seed, (seeds, generations).

    A value of 0 gives an infinite logarithm, or NaN: smooth shares with `share` first.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs: Values = np.log(values)
        ratios: Values = logs - logs[:, :1]
    return ratios


def share(count: float, of: float) -> float:
    """Return Jeffreys' estimate of a share, (count + 1/2) / (of + 1), which always has a logarithm.

    >>> share(0, 99)
    0.005
    """
    return (count + 0.5) / (of + 1)

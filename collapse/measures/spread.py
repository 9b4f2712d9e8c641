"""What a few seeds say together: a mean and how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

#: Two-sided.
CONFIDENCE = 0.95
#: Student's t at 97.5 %, for 1 to 10 degrees of freedom.
_T = (12.7062047, 4.3026527, 3.1824463, 2.7764451, 2.5705818, 2.4469119, 2.3646243, 2.3060041, 2.2621572, 2.2281389)

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval, whose ends are NaN where a single seed or document leaves them unknown."""

    value: float
    low: float
    high: float


def over_seeds(values: Sequence[float] | Values) -> Interval:
    """The mean over seeds and Student's interval of it; the seeds' spread is taken for normal, as few cannot show.

    >>> over_seeds([1.0, 2.0, 3.0])
    Interval(value=2.0, low=-0.48..., high=4.48...)
    """
    seeds = np.asarray(values, np.float64)
    if not len(seeds):
        return Interval(math.nan, math.nan, math.nan)
    mean = float(seeds.mean())
    if len(seeds) == 1 or not np.isfinite(seeds).all():
        return Interval(mean, math.nan, math.nan)
    half = student(len(seeds) - 1) * float(seeds.std(ddof=1)) / math.sqrt(len(seeds))
    return Interval(mean, mean - half, mean + half)


def noise_floor(control: Values) -> Interval:
    """How far a number goes from generation 0 where nothing is lost: the largest |ln ratio| of the generations of
    the control that trains on real text, (seeds, generations), as mean over its seeds with their interval.

    A change that does not exceed `high` may be chance. The largest of few generations is taken, not their spread: the
    floor rises with the number of generations, as does the chance that one of an arm's goes astray. NaN without a
    generation after 0.
    """
    return farthest(log_ratios(control)[:, 1:])


def farthest(changes: Values) -> Interval:
    """The largest of the changes of each seed, (seeds, generations), whatever their sign: mean over seeds and interval,
    which does not reach below 0. NaN without a generation."""
    if not changes.size:
        return Interval(math.nan, math.nan, math.nan)
    floor = over_seeds(np.abs(changes).max(axis=1))
    return Interval(floor.value, max(floor.low, 0.0), floor.high)


def log_ratios(values: Values) -> Values:
    """ln of each generation's value by generation 0's of the same seed, (seeds, generations).

    A value of 0 gives an infinite ratio, or NaN by another 0: give shares as `share` makes them.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs: Values = np.log(values)
        ratios: Values = logs - logs[:, :1]
    return ratios


def share(count: float, of: float) -> float:
    """A share that has a logarithm: (count + 1/2) / (of + 1), Jeffreys' estimate.

    >>> share(0, 99)
    0.005
    """
    return (count + 0.5) / (of + 1)


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: exact to 1e-7 up to 10 degrees of freedom, then to 1e-5 (Abramowitz and
    Stegun 26.7.5)."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + first / freedom + second / freedom**2 + third / freedom**3 + fourth / freedom**4

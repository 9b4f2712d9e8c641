"""What months without machine text, and sources that were not given, tell of an estimate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: The drift is so large that chance made it look smaller with this probability: few months leave much open.
_CAUTION = 0.25
#: Two slopes that are alike by chance would promise too much.
_FEWEST_SLOPES = 3
#: A slope as low as this hides any share.
_LEAST_SLOPE = 0.05

Numbers = NDArray[np.float64]


def drift(values: Sequence[float], deviations: Sequence[float]) -> float:
    """Return the standard deviation about zero, beyond that of sampling, of estimates whose truth is zero.

    It is a bound of the variance between them, by the Q-profile of Viechtbauer 2007 with a mean that is known. Infinite
    without an estimate whose deviation is known.
    """
    from scipy.optimize import brentq
    from scipy.stats import chi2

    known = np.isfinite(values) & np.isfinite(deviations)
    squares, variances = np.square(values)[known], np.square(deviations)[known]
    if not len(squares):
        return float("inf")
    bound = float(chi2.ppf(_CAUTION, len(squares)))

    def excess(extra: float) -> float:
        return float((squares / np.maximum(variances + extra, 1e-12)).sum() - bound)

    highest = float(squares.sum()) / bound + 1e-9
    return float(np.sqrt(brentq(excess, 0, highest))) if excess(0) > 0 else 0.0


def slope_bounds(slopes: Sequence[float]) -> tuple[float, float | None]:
    """Return between which slopes that of one more source is with 95 %, as Student's t predicts from known ones.

    The upper one is None, and the lower one 0, where they leave everything open.
    """
    from scipy.stats import t

    if len(slopes) < _FEWEST_SLOPES:
        return 0.0, None
    number = len(slopes)
    wide = float(t.ppf(0.975, number - 1) * np.std(slopes, ddof=1) * np.sqrt(1 + 1 / number))
    low, high = float(np.mean(slopes)) - wide, float(np.mean(slopes)) + wide
    return (low if low > _LEAST_SLOPE else 0.0), high


def widened(low: float, high: float, slopes: Sequence[float], most: float) -> tuple[float, float]:
    """Return an interval that holds for a source which may be none of those that are known.

    Args:
        slopes: how much the estimate rises with the text of a source that it was not given.
        most: how much it could rise at most.
    """
    least, greatest = slope_bounds(slopes)
    steepest = most if greatest is None else min(max(greatest, 1.0), most)
    return low / max(steepest, 1.0), (high / min(least, 1.0) if least else 1.0)

"""How many texts of a histogram are outside the range of nearly all real texts."""

from __future__ import annotations

import math

import numpy as np

from collapse.measures.spread import Values

#: All real texts but 1 % on each side are between these quantiles.
ENDS = (0.01, 0.99)


def beyond(counts: Values, real: Values) -> tuple[float, float]:
    """Return the shares of texts that are likelier than 99 % of real texts, and less likely than 99 % of them.

    Computed from histograms, as if texts were spread evenly inside a bin; NaN where one of the two has no text.

    >>> beyond(np.array([4.0, 0.0]), np.array([0.0, 4.0]))
    (1.0, 0.0)
    """
    if not counts.sum() or not real.sum():
        return math.nan, math.nan
    ours = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    below, above = (float(np.interp(end, np.arange(len(ours)), ours)) for end in _positions(real))
    return below, 1 - above


def ends(real: Values, edges: Values) -> list[float]:
    """Return the quantiles of real texts in the unit of the edges."""
    return [float(np.interp(end, np.arange(len(edges)), edges)) for end in _positions(real)]


def _positions(real: Values) -> list[float]:
    """Return the quantiles of real texts, as positions among the edges of the bins."""
    rising = np.concatenate([[0.0], np.cumsum(real) / real.sum()])
    right = np.searchsorted(rising, ENDS)
    left = rising[right - 1]
    return (right - 1 + (np.array(ENDS) - left) / (rising[right] - left)).tolist()  # type: ignore[no-any-return]

"""Intervals from hosts that are drawn again: texts of one host are not independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: How often hosts are drawn.
DRAWS = 400
_MOST_GROUPS = 5000
_TAIL = 0.025
_FEWEST_DRAWS = 20

Numbers = NDArray[np.float64]


def sums_by_cell(
    cells: NDArray[np.int64],
    hosts: NDArray[np.int64],
    values: tuple[Numbers, ...],
    size: int,
    seed: int,
    draws: int = DRAWS,
) -> Numbers:
    """Return the sums of values by cell: (values, size, 1 + draws), first as they are, then with hosts drawn again.

    A host has the weight of a Poisson number in each draw (Chamandy et al. 2012), the same in all cells: what it wrote
    before and after a date rises and falls together. Very many hosts are drawn in random groups, which are as
    independent: means vary as they would, though sums vary more. Cells below 0 are left out.
    """
    from scipy.sparse import csr_matrix

    random = np.random.default_rng(seed)
    kept = cells >= 0
    known, column = np.unique(hosts[kept], return_inverse=True)
    groups = min(len(known), _MOST_GROUPS)
    column = random.permutation(np.arange(len(known)) % max(groups, 1))[column]
    weights = random.poisson(1.0, (groups, draws)).astype(np.float32)
    out = np.empty((len(values), size, 1 + draws))
    for value, row in zip(values, out, strict=True):
        sums = csr_matrix((value[kept], (cells[kept], column)), shape=(size, groups))
        row[:, 0] = np.asarray(sums.sum(axis=1)).ravel()
        row[:, 1:] = sums @ weights
    return out


def effective(hosts: NDArray[np.int64]) -> float:
    """Return how many hosts of equal size would be as good as these (Kish)."""
    sizes = np.unique(hosts, return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def deviation(draws: Numbers) -> float:
    """Return the standard deviation of draws, infinite if there are too few: a draw without any text has no value."""
    draws = draws[np.isfinite(draws)]
    return float(np.std(draws)) if len(draws) >= _FEWEST_DRAWS else np.inf


def interval(value: float, draws: Numbers, hosts: NDArray[np.int64], drift: float) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Args:
        draws: the value with hosts drawn again.
        hosts: that of each text. Few hosts vary less among themselves than all hosts do: Student's t widens the
            interval.
        drift: the standard deviation of what draws do not show.
    """
    from scipy.stats import norm, t

    draws = draws[np.isfinite(draws)]
    equal = effective(hosts)
    if len(draws) < _FEWEST_DRAWS or equal <= 1:
        return -np.inf, np.inf
    low, high = np.quantile(draws, [_TAIL, 1 - _TAIL])
    wide = float(t.ppf(1 - _TAIL, equal - 1) / norm.ppf(1 - _TAIL) * np.sqrt(equal / (equal - 1)))
    more = float(norm.ppf(1 - _TAIL)) * drift
    least, most = counting_interval(value, len(np.unique(hosts)))
    below, above = max((value - low) * wide, value - least, 0.0), max((high - value) * wide, most - value, 0.0)
    return value - float(np.hypot(below, more)), value + float(np.hypot(above, more))


def counting_interval(share: float, hosts: int) -> tuple[float, float]:
    """Return the interval of a share where one text of each host was looked at, without any error (Jeffreys).

    Where no text of a month is by a machine, drawing again shows none either; yet few texts cannot exclude a small
    share.
    """
    from scipy.stats import beta

    share = min(max(share, 0.0), 1.0)
    count = share * hosts
    low = float(beta.ppf(_TAIL, count + 0.5, hosts - count + 0.5)) if count > 0 else 0.0
    high = float(beta.ppf(1 - _TAIL, count + 0.5, hosts - count + 0.5)) if count < hosts else 1.0
    return min(low, share), max(high, share)

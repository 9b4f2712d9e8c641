"""Which topics a set has less of than the lake, and whether that may be chance.

Of the texts of a topic, a share is in the set; of all texts, another share. The ratio of the two is that of the topic's
share in the set to its share in the lake. Its interval is that of Wilson (1927) for the first share.

Two things would make chance look like a finding. Many topics are looked at, so that the interval of each is as wide as
it must be for all intervals together to hold (Bonferroni). And texts of one site come together: a site that was
captured late brings all its texts late. How much they do is measured as the correlation ρ inside of sites, over all
topics, by the method of moments; x texts of a topic, of which the average text has m - 1 others from its site, count as
x / (1 + (m - 1) ρ) (Kish 1965).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

#: How often some interval does not have the true ratio, at most, if all are made so.
ALPHA = 0.05

Numbers = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ratios:
    """For each topic, its share in the set divided by that in the lake; nan where it has no text, or the set none."""

    texts: Numbers  #: in the lake
    inside: Numbers  #: in the set
    ratio: Shares
    low: Shares  #: ends of the interval
    high: Shares
    sites: Numbers  #: of these texts
    together: float  #: ρ: 0, texts of a site come as those of different sites do; 1, all or none


def ratios(topics: Numbers, texts: Numbers, inside: Numbers, count: int) -> Ratios:
    """Compare a set with the lake.

    Args:
        topics: the topic of each cell, from 0; a cell is the texts of one topic from one site.
        texts: how many these are.
        inside: how many of them are in the set.
        count: how many topics there are.
    """
    n = np.bincount(topics, texts, count).astype(np.float64)
    x = np.bincount(topics, inside, count).astype(np.float64)
    squares = np.bincount(topics, texts.astype(np.float64) ** 2, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        share, of_all = x / n, x.sum() / n.sum() if n.sum() else np.nan
        rho = _together(topics, texts, inside, n, share, count)
        counted = n / (1 + (squares / n - 1) * rho)
        low, high = wilson(share, counted, NormalDist().inv_cdf(1 - ALPHA / 2 / max(int((n > 0).sum()), 1)))
        return Ratios(
            n.astype(np.int64), x.astype(np.int64), share / of_all, low / of_all, high / of_all,
            np.bincount(topics, minlength=count), rho,
        )  # fmt: skip


def _together(topics: Numbers, texts: Numbers, inside: Numbers, n: Shares, share: Shares, count: int) -> float:
    """Return the correlation inside of sites: what the squares of the differences are more than for single texts.

    A topic tells the more about it, the nearer its share is to a half; one that is of a single site tells nothing.
    """
    m = texts.astype(np.float64)
    total, spread = n[topics], np.nan_to_num(share * (1 - share))
    seen = (inside - share[topics] * m) ** 2
    pairs = m * m - m
    squares = np.bincount(topics, m * m / total**2, count)
    alone = np.bincount(topics, m * (1 - 2 * m / total), count) + squares * n
    together = np.bincount(topics, pairs * (1 - 2 * m / total), count) + squares * np.bincount(topics, pairs, count)
    least = float((spread * together).sum())
    if least <= 1e-9:
        return 0.0
    more = float(np.bincount(topics, seen, count).sum() - (spread * alone).sum())
    return min(max(more / least, 0.0), 1.0)


def wilson(share: Shares, count: Shares, z: float) -> tuple[Shares, Shares]:
    """Return the interval of Wilson for shares of so many.

    >>> low, high = wilson(np.array([0.0, 0.5]), np.array([10.0, 10.0]), 1.96)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.237], [0.278, 0.763])
    """
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    return np.where(share == 0, 0, low), np.where(share == 1, 1, high)  # not 1e-17

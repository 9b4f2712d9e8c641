"""Divide set A into halves by site, and draw as many texts of B, of the same lengths and months.

Half X of A is compared with half Y of A and with B in the same way. B's texts are drawn from sites that X has nothing
of. So what X and Y say about each other is what the same measures say where there is nothing to see: as many texts, of
the same lengths and times, from other sites.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from collapse.probe.results import Period
from collapse.probe.texts import Pair, Texts

Rows = NDArray[np.int64]
#: Classes of length that are tried, with about as many texts of both sets in each.
_LENGTHS = (5, 3, 2, 1)
#: The periods that are tried, the finest first, and their months.
_PERIODS: tuple[tuple[Period, int], ...] = (("month", 1), ("quarter", 3), ("year", 12))
#: Classes are taken if so many of the texts that could be compared without them can be compared within them.
_LEFT = 0.5


@dataclass(frozen=True, slots=True)
class Division:
    """Texts that are compared: of half `x` of A, of its other half `y`, and of B, as many each.

    Models are fitted on `fit` and tried on `held`, both of `x`, and on as many of `y` and `b`. All are rows of both
    sets, those of B after those of A.
    """

    x: Rows
    y: Rows
    b: Rows
    fit: Rows
    held: Rows
    y_held: Rows
    b_held: Rows


@dataclass(frozen=True, slots=True)
class Strata:
    """The class of length and period of each text, as one number."""

    lengths: int  #: classes of length
    period: Period | None
    a: NDArray[np.int64]
    b: NDArray[np.int64]

    @property
    def count(self) -> int:
        return int(max(self.a.max(), self.b.max())) + 1


def strata(pair: Pair) -> Strata:
    """Choose the finest classes of length, and then the finest period, for which enough texts remain."""
    for classes in _LENGTHS:
        coarse = _by_length(pair, classes)
        if _matched(coarse) >= _LEFT * min(len(pair.a) // 2, len(pair.b)):
            break
    if not ((pair.a.months >= 0).any() and (pair.b.months >= 0).any()):
        return coarse
    for period, months in _PERIODS:
        numbered = _numbered(coarse, _periods(pair.a, months), _periods(pair.b, months))
        fine = Strata(coarse.lengths, period, *numbered)
        if _matched(fine) >= _LEFT * _matched(coarse):
            return fine
    return coarse


def _by_length(pair: Pair, classes: int) -> Strata:
    edges = np.quantile(np.concatenate([pair.a.lengths, pair.b.lengths]), np.linspace(0, 1, classes + 1)[1:-1])
    return Strata(classes, None, *(np.searchsorted(edges, each.lengths, "right") for each in (pair.a, pair.b)))


def divisions(pair: Pair, strata: Strata, count: int, rng: Generator) -> list[Division]:
    """Divide A so many times, at random; every division has the same number of texts, 0 if the sets do not match."""
    halves = [_halves(pair, strata, rng) for _ in range(count)]
    most = min(sum(quota) for *_, quota in halves)
    return [_drawn(pair, strata, *half, most, rng) for half in halves]


def _periods(texts: Texts, months: int) -> NDArray[np.int64]:
    return np.where(texts.months < 0, -1, texts.months // months)


def _numbered(
    coarse: Strata, a: NDArray[np.int64], b: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    periods, numbers = np.unique(np.concatenate([a, b]), return_inverse=True)
    return coarse.a * len(periods) + numbers[: len(a)], coarse.b * len(periods) + numbers[len(a) :]


def _matched(strata: Strata) -> int:
    """Return how many texts a half of A and B have in common strata, at most."""
    a, b = (np.bincount(each, minlength=strata.count) for each in (strata.a, strata.b))
    return int(np.minimum(a // 2, b).sum())


def _halves(pair: Pair, strata: Strata, rng: Generator) -> tuple[Rows, Rows, Rows, NDArray[np.int64]]:
    """Divide A's sites; return the rows of both halves, B's rows of other sites than the first half's, and the quotas:
    how many texts of each stratum all three have."""
    is_x = halved(pair.a.sites, rng)
    x, y = np.flatnonzero(is_x), np.flatnonzero(~is_x)
    b = np.flatnonzero(~np.isin(pair.b.sites, pair.a.sites[x]))
    if pair.by == "site":
        size = min(map(len, (x, y, b)))
        x, y = (rows[_some_sites(pair.a.sites[rows], size, rng)] for rows in (x, y))
        b = b[_some_sites(pair.b.sites[b], size, rng)]
    counts = [np.bincount(each, minlength=strata.count) for each in (strata.a[x], strata.a[y], strata.b[b])]
    return x, y, b, np.minimum.reduce(counts)


def _some_sites(sites: NDArray[np.int64], size: int, rng: Generator) -> NDArray[np.bool_]:
    """Draw sites until they have so many texts.

    Texts of one site are alike. So as many texts must be of about as many sites on each side.
    """
    known, numbers = np.unique(sites, return_inverse=True)
    order = rng.permutation(len(known))
    before = np.cumsum(np.bincount(numbers)[order]) - np.bincount(numbers)[order]
    return np.isin(numbers, order[before < size])


def halved(sites: NDArray[np.int64], rng: Generator) -> NDArray[np.bool_]:
    """Divide texts by site into two parts of about the same size; return which are in the first."""
    return np.asarray(dealt(sites, 2, rng) == 0)


def dealt(sites: NDArray[np.int64], parts: int, rng: Generator) -> NDArray[np.int64]:
    """Deal sites out to parts in a random order, each to the smallest part so far; return the part of each text."""
    known, numbers = np.unique(sites, return_inverse=True)
    sizes = np.bincount(numbers)
    part = np.empty(len(known), np.int64)
    filled = np.zeros(parts, np.int64)
    for site in rng.permutation(len(known)):
        part[site] = np.argmin(filled)
        filled[part[site]] += sizes[site]
    return np.asarray(part[numbers])


def _drawn(
    pair: Pair, strata: Strata, x: Rows, y: Rows, b: Rows, quota: NDArray[np.int64], most: int, rng: Generator
) -> Division:
    kept = rng.permutation(np.repeat(np.arange(len(quota)), quota))[:most]
    quota = np.bincount(kept, minlength=len(quota))
    x, y, b = (_draw(rows, of[rows], quota, rng) for rows, of in ((x, strata.a), (y, strata.a), (b, strata.b)))
    is_fit = halved(pair.a.sites[x], rng)
    held = [x[~is_fit], y[halved(pair.a.sites[y], rng)], b[halved(pair.b.sites[b], rng)]]
    size = min(map(len, held))
    tried = [np.sort(rng.permutation(rows)[:size]) for rows in held]
    after = len(pair.a)  # B's rows come after A's
    return Division(x, y, b + after, x[is_fit], tried[0], tried[1], tried[2] + after)


def _draw(rows: Rows, stratum: NDArray[np.int64], quota: NDArray[np.int64], rng: Generator) -> Rows:
    """Draw as many rows of each stratum as its quota."""
    order = rng.permutation(len(rows))
    order = order[np.argsort(stratum[order], kind="stable")]
    ordered = stratum[order]
    rank = np.arange(len(rows)) - np.searchsorted(ordered, ordered)
    return np.sort(rows[order[rank < quota[ordered]]])

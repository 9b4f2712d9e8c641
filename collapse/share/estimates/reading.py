"""The share of machine text among texts, read from the mean of their scores between two ends: human and machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collapse.share.estimates.bootstrap import DRAWS, deviation, sums_by_cell
from collapse.share.estimates.lengths import length_classes
from collapse.share.estimates.scores import cross_scores
from collapse.share.estimates.texts import Table

#: Classes of scores, in which the texts of a month are compared with both ends.
_BINS = 8
#: A misfit of this share of the texts in a class of scores is no misfit.
_TOLERANCE = 0.02
#: Draws without which nothing is known of how the scores of a month vary.
_FEWEST_DRAWS = 10 * _BINS

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Instrument:
    """What reads shares: the scores of all rows of a table, and the rows that are its two ends."""

    scores: Numbers  #: (n,) 0 to 1
    bins: NDArray[np.int64]  #: (n,) class of score
    lengths: NDArray[np.int64]  #: (n,) class of length, -1: cannot be judged
    human: Mask
    machine: tuple[Mask, ...]  #: one for each source; the end is their mean
    low: float  #: what the plain score says of human text
    high: float  #: what it says of machine text
    most: float  #: what the corrected score says of a text with the highest score there is

    @property
    def slope(self) -> float:
        """How far apart human and machine text are in the plain score: 1 is the most."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Reading:
    """What an instrument says of some texts."""

    value: float
    draws: Numbers  #: with hosts drawn again
    texts: int  #: that were judged
    left_out: int  #: too short or too long
    hosts: NDArray[np.int64]  #: of each of them
    misfit: float  #: probability of scores that fit a mixture of the two ends this badly, were they one

    @property
    def deviation(self) -> float:
        """The standard deviation of the draws: infinite where hosts are too few to draw."""
        return deviation(self.draws)


def instrument(table: Table, human: Mask, machine: Sequence[Mask], fewest: int, seed: int) -> Instrument | None:
    """Return an instrument that learned from human rows and from machine rows.

    None where a side has fewer than `fewest` texts that are about as long as some of the other's.

    Args:
        machine: the rows of each source. Sources count the same.
    """
    written = np.logical_or.reduce(machine)
    lengths = length_classes(table.lengths, (human, written))
    human, machine = human & (lengths >= 0), tuple(source & (lengths >= 0) for source in machine)
    if min(side.sum() for side in (human, *machine)) < fewest:
        return None
    weights = np.sum([source / max(source.sum(), 1) for source in machine], axis=0)
    scores = cross_scores(table, human, weights, seed)
    low = float(scores.even[human].mean())
    high = float(np.mean([scores.even[source].mean() for source in machine]))
    rare_low, rare_high = scores.rare[human].mean(), np.mean([scores.rare[source].mean() for source in machine])
    both = np.concatenate([scores.even[human], scores.even[written & (lengths >= 0)]])
    edges = np.unique(np.quantile(both, np.arange(1, _BINS) / _BINS))
    return Instrument(
        scores=scores.rare,
        bins=np.searchsorted(edges, scores.even, side="right"),
        lengths=lengths,
        human=human,
        machine=machine,
        low=low,
        high=high,
        most=float((1 - rare_low) / max(rare_high - rare_low, 1e-9)),
    )


def read(
    tool: Instrument,
    hosts: NDArray[np.int64],
    targets: Sequence[Mask],
    seed: int,
    *,
    drift: float = 0.0,
    draws: int = DRAWS,
) -> list[Reading]:
    """Return the share of machine text among the texts of each target.

    It is the mean of (score - human end) / (machine end - human end), where both ends are those of texts about as long.
    That has no bias however bad the scores are, where the texts are a mixture of texts like those of the ends. Hosts of
    the target and of both ends are drawn again.

    Args:
        drift: how far texts without machine text are read from zero: so much of a misfit is usual.
    """
    roles = np.full(len(hosts), -1, np.int64)
    for role, rows in enumerate((tool.human, *tool.machine, *targets)):
        roles[rows & (tool.lengths >= 0)] = role
    classes = int(tool.lengths.max(initial=0)) + 1
    shape = (1 + len(tool.machine) + len(targets), classes, _BINS)
    cells = np.where(roles >= 0, (roles * classes + tool.lengths) * _BINS + tool.bins, -1)
    values = (np.ones(len(hosts)), tool.scores)
    number, total = sums_by_cell(cells, hosts, values, int(np.prod(shape)), seed, draws).reshape(2, *shape, -1)
    first = 1 + len(tool.machine)
    shares = _shares(number.sum(axis=2), total.sum(axis=2), first)
    return [
        Reading(
            value=float(shares[role, 0]),
            draws=shares[role, 1:],
            texts=int(number[first + role, ..., 0].sum()),
            left_out=int((rows & (tool.lengths < 0)).sum()),
            hosts=hosts[rows & (tool.lengths >= 0)],
            misfit=_misfit(number, first + role, first, max(drift, _TOLERANCE)),
        )
        for role, rows in enumerate(targets)
    ]


def _shares(number: Numbers, total: Numbers, first: int) -> Numbers:
    """Return the share of each target: (targets, draws), of counts and sums of scores by role and class of length."""
    with np.errstate(invalid="ignore", divide="ignore"):
        human = total[0] / number[0]
        of_source = number[1:first].sum(axis=1, keepdims=True)
        machine = np.sum(total[1:first] / of_source, axis=0) / np.sum(number[1:first] / of_source, axis=0)
        above = (total[first:] - number[first:] * human) / (machine - human)
        shares: Numbers = above.sum(axis=1) / number[first:].sum(axis=1)
    return shares


def _misfit(number: Numbers, role: int, first: int, tolerance: float) -> float:
    """Return how probable scores are that fit a mixture of the ends as badly as those of a target (Wald's test).

    The mixture may have any weights of the sources. The covariance is that of the draws.
    """
    from scipy.stats import chi2

    with np.errstate(invalid="ignore", divide="ignore"):
        weights = number[role].sum(axis=1) / number[role].sum(axis=(0, 1))
        human = np.nansum(weights[:, None] * number[0] / number[0].sum(axis=1, keepdims=True), axis=0)
        target = number[role].sum(axis=0) / number[role].sum(axis=(0, 1))
        sources = number[1:first].sum(axis=1) / number[1:first].sum(axis=(1, 2))[:, None]
    away, towards = target - human, sources - human
    if not (np.isfinite(away[:, 0]).all() and np.isfinite(towards[..., 0]).all()):
        return 1.0
    plain = np.linalg.lstsq(towards[..., 0].T, away[:, 0], rcond=None)[0]
    rest = away - np.tensordot(plain, towards, axes=1)
    rest_draws = rest[:, 1:][:, np.isfinite(rest[:, 1:]).all(axis=0)]
    if rest_draws.shape[1] < _FEWEST_DRAWS:
        return 1.0
    inverse = np.linalg.inv(np.cov(rest_draws) + tolerance**2 * np.eye(len(rest)))
    design = towards[..., 0].T
    fitted = np.linalg.pinv(design.T @ inverse @ design) @ design.T @ inverse @ away[:, 0]
    left = away[:, 0] - design @ fitted
    freedom = int((number[: role + 1, ..., 0].sum(axis=(0, 1)) > 0).sum()) - 1 - design.shape[1]
    return float(chi2.sf(left @ inverse @ left, freedom)) if freedom > 0 else 1.0

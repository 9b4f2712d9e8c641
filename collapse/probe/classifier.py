"""How well a classifier tells set A from set B by texts of sites that it has not seen.

The classifier is a logistic regression. Sites are dealt out to folds; the texts of a fold are judged by a classifier
that was fitted on the others. The AUC is the probability that of a text of each set, the one of B gets the higher
score. It is computed within each fold, since scores of different classifiers do not compare, and the mean is taken:
where there is nothing to see, it is 0.5 on average (over all texts at once it would be less, because a fold with more
of A is judged by a classifier that has seen more of B).

The interval. The variance of an AUC is that of the mean of its components (DeLong et al. 1988), summed for each site
first (Obuchowski 1997), since texts of a site are not independent. Cross-validation uses each pair of texts twice: one
is judged with the help of the other, and the other way round. So the mean over the folds varies twice as much as if the
folds were independent, and the variance is doubled. `benchmarks/probe.py` measures how often the interval is right.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import rankdata, t
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from collapse.probe.draws import dealt

#: Folds, and how many where a side has fewer sites than this.
_FOLDS, _FEW_FOLDS, _FEW_SITES = 5, 3, 40
#: Each pair of texts is used twice.
_TWICE = 2.0


@dataclass(frozen=True, slots=True)
class Auc:
    value: float
    variance: float  #: of the mean over the folds
    sites: int  #: of the side that has fewer

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval, within 0 and 1."""
        reach = float(t.ppf(0.975, max(self.sites - 2, 1))) * math.sqrt(self.variance)
        return max(self.value - reach, 0.0), min(self.value + reach, 1.0)


def auc(features: Any, is_b: NDArray[np.bool_], sites: NDArray[np.int64], rng: Generator) -> Auc:
    """Cross-validate a classifier.

    Args:
        features: (texts, …), sparse or not.
        sites: of the texts; no site has texts of both sets.
    """
    fold = folds(is_b, sites, rng)
    components = np.empty(len(is_b))
    values = []
    for number in range(fold.max() + 1):
        tried = fold == number
        scores = _scores(features[~tried], is_b[~tried], features[tried])
        components[tried] = _components(scores, is_b[tried])
        values.append(float(components[tried & is_b].mean()))
    value = float(np.mean(values))
    variance = sum(_variance(components[side] - value, sites[side]) for side in (is_b, ~is_b))
    return Auc(value, _TWICE * variance, min(len(np.unique(sites[side])) for side in (is_b, ~is_b)))


def folds(is_b: NDArray[np.bool_], sites: NDArray[np.int64], rng: Generator) -> NDArray[np.int64]:
    """Deal the sites of each set out to folds of about the same size; return the fold of each text."""
    few = min(len(np.unique(sites[side])) for side in (is_b, ~is_b)) < _FEW_SITES
    fold = np.empty(len(is_b), np.int64)
    for side in (is_b, ~is_b):
        fold[side] = dealt(sites[side], _FEW_FOLDS if few else _FOLDS, rng)
    return fold


def _scores(known: Any, labels: NDArray[np.bool_], tried: Any) -> NDArray[np.float64]:
    # the dual form is fast where there are more features than texts; vectors have fewer
    is_wide = known.shape[1] > known.shape[0]
    model = LogisticRegression(solver="liblinear", dual=is_wide, tol=0.01, random_state=0, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many steps are enough
        return model.fit(known, labels).decision_function(tried)  # type: ignore[no-any-return]


def _components(scores: NDArray[np.float64], is_b: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return of each text the share of the other set's texts that are on its right side; a tie is half."""
    ranks = rankdata(scores)
    components = np.empty(len(scores))
    b, a = int(is_b.sum()), int((~is_b).sum())
    components[is_b] = (ranks[is_b] - rankdata(scores[is_b])) / a
    components[~is_b] = 1 - (ranks[~is_b] - rankdata(scores[~is_b])) / b
    return components


def _variance(deviations: NDArray[np.float64], sites: NDArray[np.int64]) -> float:
    """Return the variance of the mean of values whose texts belong together by site."""
    _, numbers = np.unique(sites, return_inverse=True)
    sums = np.bincount(numbers, deviations) / len(deviations)
    return float((sums**2).sum() * len(sums) / max(len(sums) - 1, 1))

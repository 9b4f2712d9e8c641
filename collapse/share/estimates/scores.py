"""Scores of texts, 0 as humans write to 1 as a machine writes, by models that saw nothing of the same host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collapse.share.estimates.texts import Table

#: Parts into which hosts are divided: the texts of a part are scored by a model of the others.
_FOLDS_OF_FEW, _FOLDS_OF_MANY, _MANY = 10, 5, 2000
#: Texts of each side that a model learns from at most.
_MOST = 4000
#: Inverse of the ridge penalty, for rows of length 1.
_PENALTY = 10.0
#: The share at which the mean of the scores tells shares apart best. Scores are unbiased at all shares.
_PRIOR = 0.1

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Two scores of each row of a table, both posterior probabilities: they differ in the share that they assume."""

    rare: Numbers  #: if a tenth of texts were by machines
    even: Numbers  #: if half of them were


def cross_scores(table: Table, human: NDArray[np.bool_], machine: Numbers, seed: int) -> Scores:
    """Return scores of all rows by a logistic regression on the words that a text has.

    Args:
        human: rows to learn from as human.
        machine: the weight of each row as machine text; 0: not learned from.
    """
    folds = _folds(table.hosts, human | (machine > 0), seed)
    raw = np.zeros(len(table.hosts))
    for fold in np.unique(folds):
        away = folds != fold
        weights, bias = _fit(table.scaled, np.flatnonzero(human & away), machine * away, seed)
        rows = np.flatnonzero(~away)
        raw[rows] = table.scaled[rows] @ weights + bias
    return _calibrated(raw, human, machine)


def _folds(hosts: NDArray[np.int64], learned: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Return a part for each row, by its host. Hosts to learn from are divided evenly."""
    number = _FOLDS_OF_MANY if learned.sum() > _MANY else _FOLDS_OF_FEW
    known, position = np.unique(hosts, return_inverse=True)
    some = np.zeros(len(known), bool)
    some[position[learned]] = True
    random = np.random.default_rng(seed)
    part = np.empty(len(known), np.int64)
    for chosen in (some, ~some):
        part[chosen] = random.permutation(np.arange(chosen.sum()) % number)
    folds: NDArray[np.int64] = part[position]
    return folds


def _fit(scaled: Any, human: NDArray[np.int64], machine: Numbers, seed: int) -> tuple[Numbers, float]:
    """Return the weights and the bias of a model in which both sides count the same."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(seed)
    written = np.flatnonzero(machine)
    human = np.sort(random.choice(human, _MOST, replace=False)) if len(human) > _MOST else human
    written = np.sort(random.choice(written, _MOST, replace=False)) if len(written) > _MOST else written
    if not (len(human) and len(written) and scaled.shape[1]):
        return np.zeros(scaled.shape[1]), 0.0
    rows = np.concatenate([human, written])
    labels = np.repeat([0, 1], [len(human), len(written)])
    weights = np.concatenate([np.full(len(human), 1 / len(human)), machine[written] / machine[written].sum()])
    model = LogisticRegression(C=_PENALTY, solver="liblinear", random_state=0, tol=1e-4)
    model.fit(scaled[rows], labels, weights * len(rows) / 2)
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def _calibrated(raw: Numbers, human: NDArray[np.bool_], machine: Numbers) -> Scores:
    """Return posterior probabilities, from raw scores of texts that no model has seen (Platt 1999)."""
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate([np.flatnonzero(human), np.flatnonzero(machine)])
    labels = np.concatenate([np.zeros(human.sum(), int), np.ones(np.count_nonzero(machine), int)])
    weights = np.concatenate([np.full(human.sum(), 1 / human.sum()), machine[machine > 0] / machine.sum()])
    centre, scale = raw[rows].mean(), raw[rows].std() or 1.0
    plain = (raw - centre) / scale
    model = LogisticRegression(C=10.0).fit(plain[rows, None], labels, weights * len(rows) / 2)
    logit = plain * max(float(model.coef_[0, 0]), 0.0) + float(model.intercept_[0])
    return Scores(rare=expit(logit + np.log(_PRIOR / (1 - _PRIOR))), even=expit(logit))

"""A space of few dimensions that is fitted on texts of set A: what it loses of other texts, and which topics they have.

Texts are vectors of an encoder where there are any; else words, weighted by how rare they are in the texts of A.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neural_network import MLPRegressor

#: Dimensions that are kept, the middle layer of the autoencoder, and the layers around it.
_KEPT, _NARROW, _AROUND = 32, 8, 64
#: Texts whose spectrum is computed: the time grows with their cube.
_SPECTRUM = 1_000
_TOPICS = (4, 40)
_EPOCHS = 60

Rows = NDArray[np.int64]
Dense = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Topics:
    """Clusters of A's texts."""

    model: KMeans
    point_of: Callable[[Rows], Dense]

    def of(self, rows: Rows) -> NDArray[np.int64]:
        """Return the topic of each text."""
        return self.model.predict(self.point_of(rows)).astype(np.int64)  # type: ignore[no-any-return]

    @property
    def count(self) -> int:
        return int(self.model.n_clusters)

    def shares(self, rows: Rows) -> Dense:
        """Return the share of texts in each topic."""
        return np.bincount(self.of(rows), minlength=self.count) / max(len(rows), 1)


@dataclass(frozen=True, slots=True)
class Space:
    measure: Callable[[Rows], dict[str, float]]
    topics: Topics


def fit(features: Any, rows: Rows, seed: int) -> Space:
    """Fit the space on rows of features, sparse counts of words or vectors."""
    seen, weigh = _weighed(features, rows)
    kept = max(min(_KEPT, len(rows) // 4, seen.shape[1] - 1), 1)
    reduction = (TruncatedSVD if issparse(seen) else PCA)(kept, random_state=seed)
    with np.errstate(invalid="ignore", divide="ignore"):  # texts that are all the same have no variance
        reduction.fit(seen)

    def point_of(rows: Rows) -> Dense:
        return np.asarray(reduction.transform(weigh(features[rows])), np.float64)

    inside = point_of(rows)
    narrow = _autoencoder(inside, seed)
    count = int(np.clip(len(rows) ** 0.5 / 1.5, *_TOPICS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different texts than clusters
        topics = Topics(KMeans(count, n_init=3, random_state=seed).fit(inside), point_of)
    known = topics.shares(rows)

    def measure(rows: Rows) -> dict[str, float]:
        weighed, inside = weigh(features[rows]), point_of(rows)
        shares = topics.shares(rows)
        return {
            "pca-error": _lost(weighed, inside, reduction),
            "autoencoder-error": narrow(inside),
            **_dimensions(weighed),
            "topic-coverage": float(np.minimum(shares, known).sum()),
            "topic-divergence": _divergence(shares, known),
        }

    return Space(measure, topics)


def _weighed(features: Any, rows: Rows) -> tuple[Any, Callable[[Any], Any]]:
    if not issparse(features):
        return features[rows], lambda found: found
    weights = TfidfTransformer().fit(features[rows])
    return weights.transform(features[rows]), weights.transform


def _lost(weighed: Any, inside: Dense, reduction: Any) -> float:
    """Return the share of the squared length that the kept dimensions do not have."""
    if issparse(weighed):
        total = float(weighed.multiply(weighed).sum())
    else:
        total = float(((weighed - reduction.mean_) ** 2).sum())
    return 1 - float((inside**2).sum()) / total if total else float("nan")


def _autoencoder(inside: Dense, seed: int) -> Callable[[Dense], float]:
    """Train a narrow network to return what it is given; return a function that gives the share that it loses."""
    middle, scale = inside.mean(0), float(inside.std()) or 1.0
    network = MLPRegressor(
        hidden_layer_sizes=(_AROUND, _NARROW, _AROUND), activation="tanh", max_iter=_EPOCHS,
        batch_size=min(100, len(inside)),        learning_rate_init=0.003, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are enough
        network.fit((inside - middle) / scale, (inside - middle) / scale)

    def lost(found: Dense) -> float:
        scaled = (found - middle) / scale
        total = float((scaled**2).sum())
        return float(((network.predict(scaled) - scaled) ** 2).sum()) / total if total else float("nan")

    return lost


def _dimensions(weighed: Any) -> dict[str, float]:
    """Return the effective dimension: the participation ratio of the spectrum, and the exponential of its entropy.

    Both are of the covariance of the texts, whose spectrum is that of the matrix of their products.
    """
    some = weighed[:_SPECTRUM]
    products = (some @ some.T).toarray() if issparse(some) else some @ some.T
    products = np.asarray(products, np.float64)
    products = products - products.mean(0)[:, None] - products.mean(0)[None] + products.mean()
    values = np.linalg.eigvalsh(products)
    values = values[values > max(values[-1], 0) * 1e-9]
    if not len(values):
        return {"dimension": float("nan"), "dimension-entropy": float("nan")}
    shares = values / values.sum()
    return {
        "dimension": float(1 / (shares**2).sum()),
        "dimension-entropy": float(np.exp(-(shares * np.log(shares)).sum())),
    }


def _divergence(left: Dense, right: Dense) -> float:
    """Return the Jensen-Shannon divergence, in bits."""
    middle = (left + right) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(side > 0, side * np.log2(side / middle), 0).sum() / 2 for side in (left, right)]
    return float(sum(parts))

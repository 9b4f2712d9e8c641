"""The classifier of segments: a small neural network whose numbers are all whole.

Each segment's row goes through one layer; then the results of five segments next to each other go through another one;
both together give the score. It was trained by `benchmarks/train_extraction.py`. The sums have no fractions and stay
far below 2**53, so they are exact in whichever order a processor adds: two machines never disagree on a text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

#: The number that one is, of the weights and of the results of a layer.
WEIGHT, RESULT = 4096, 64
#: Segments on each side that a score depends on.
NEAR = 2


#: Rows of a product, so few that the library of numpy does not divide it among threads: waking them takes longer.
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Model:
    """The weights, as whole numbers.

    Args:
        first: a row for each column of a `Measured`, and the last for what is added.
        second: the same for the results of the first layer of five segments, the foremost first.
        last: for the results of both layers.
    """

    first: Numbers
    second: Numbers
    last: Numbers

    def scores(self, rows: Numbers) -> Numbers:
        """Return a score for each segment: above 0, it is more likely than not text of the page."""
        one = _layer(rows, self.first, WEIGHT // RESULT)
        count, width = one.shape
        padded = np.zeros((count + 2 * NEAR, width))
        padded[NEAR:-NEAR] = one
        two = _layer(np.hstack([padded[at : at + count] for at in range(2 * NEAR + 1)]), self.second, WEIGHT)
        both = np.hstack([one, two])
        return np.asarray((both @ self.last[:-1] + self.last[-1])[:, 0] / (WEIGHT * RESULT))


def _layer(rows: Numbers, weights: Numbers, by: int) -> Numbers:
    results = np.empty((len(rows), weights.shape[1]))
    for at in range(0, len(rows), _AT_ONCE):
        np.matmul(rows[at : at + _AT_ONCE], weights[:-1], out=results[at : at + _AT_ONCE])
    results += weights[-1]
    results /= by  # a power of two
    np.floor(results, out=results)
    return np.maximum(results, 0, out=results)


@cache
def model() -> Model:
    """Load the weights of this version."""
    stored = json.loads(Path(__file__).with_name("weights.json").read_text())
    return Model(*(np.array(stored[name], np.float64) for name in ("first", "second", "last")))

"""Classes of texts by length: texts are compared with others about as long alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Words of the shortest text that can be judged.
SHORTEST = 20
#: Texts of each side in each class.
_FEWEST = 60
_MOST_CLASSES = 5
#: How far beyond the lengths of 99 % of a sample a text may be.
_SLACK = 2.0


def length_classes(
    lengths: NDArray[np.int32], sides: tuple[NDArray[np.bool_], ...], fewest: int = _FEWEST
) -> NDArray[np.int64]:
    """Return the class of each text, -1 where it is shorter or longer than what a side has to compare with.

    Args:
        sides: the texts of each side. Each has at least `fewest` texts in each class, as far as it has that many.
    """
    of_sides = [np.sort(lengths[side & (lengths >= SHORTEST)]) for side in sides]
    if not all(map(len, of_sides)):
        return np.full(len(lengths), -1, np.int64)
    shortest = max(SHORTEST, *(float(np.quantile(side, 0.01)) / _SLACK for side in of_sides))
    longest = min(float(np.quantile(side, 0.99)) * _SLACK for side in of_sides)
    edges = [shortest]
    for edge in np.quantile(np.concatenate(of_sides), np.arange(1, _MOST_CLASSES) / _MOST_CLASSES):
        if all(_between(side, edges[-1], edge) >= fewest <= _between(side, edge, np.inf) for side in of_sides):
            edges.append(float(edge))
    classes = np.searchsorted(edges, lengths, side="right").astype(np.int64) - 1
    classes[lengths > longest] = -1
    return classes


def _between(values: NDArray[np.int32], low: float, high: float) -> int:
    return int(np.searchsorted(values, high) - np.searchsorted(values, low))

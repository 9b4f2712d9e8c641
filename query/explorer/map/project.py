"""The two dimensions in which vectors differ most: principal components (Pearson 1901)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Rows = npt.NDArray[np.bool_]


def directions(blocks: Iterable[Matrix]) -> tuple[Matrix, Matrix]:
    """Return the mean of vectors, and the two directions in which they differ most, (dimensions, 2).

    The same vectors give the same directions: of each, the largest number is positive.

    Args:
        blocks: vectors of length 1, (texts, dimensions), of which one block is in memory at a time.
    """
    count, total, squares = 0, np.zeros(0), np.zeros((0, 0))
    for block in blocks:
        wide = block.astype(np.float64)
        count, total = count + len(wide), (total if total.size else np.zeros(wide.shape[1])) + wide.sum(0)
        squares = (squares if squares.size else np.zeros((wide.shape[1],) * 2)) + wide.T @ wide
    if not count:
        return np.zeros(0, np.float32), np.zeros((0, 2), np.float32)
    mean = total / count
    _, vectors = np.linalg.eigh(squares / count - np.outer(mean, mean))
    both = np.zeros((len(mean), 2))
    both[:, : min(2, len(mean))] = vectors[:, ::-1][:, :2]  # the largest first
    both *= np.where(both[np.abs(both).argmax(0), [0, 1]] < 0, -1, 1)
    return mean.astype(np.float32), both.astype(np.float32)


def unit(vectors: Matrix) -> tuple[Matrix, Rows]:
    """Return vectors with length 1, and which of those given these are: the others have no direction."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        is_one = np.isfinite(length) & (length > 0)
        return vectors[is_one] / length[is_one, None], is_one

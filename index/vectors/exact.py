"""Exact search: every vector is compared with every question, a block at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.vectors.files import Matrix, Segment

#: Most vectors that are compared together, questions, and cosines of these.
_ROWS, _QUESTIONS, _COSINES = 1 << 14, 1 << 10, 1 << 22

Numbers = npt.NDArray[np.int64]  #: segment << 32 | row; -1 where there is no further one
Allowed = Sequence[npt.NDArray[np.bool_]] | None  #: for each segment, which rows may be found; None: all


def scan(segments: Sequence[Segment], questions: Matrix, k: int, allowed: Allowed = None) -> tuple[Matrix, Numbers]:
    """Return the k nearest vectors of each question: their cosines, from the greatest to the least, and numbers.

    Of equal cosines the earlier row is found. Up to 1,024 questions are asked together: the vectors are read once for
    them. Memory: at most 16,384 vectors in float32, and 4 million cosines.

    Args:
        questions: (questions, dimensions), of length 1.
    """
    parts = [_scan(segments, questions[at : at + _QUESTIONS], k, allowed)
             for at in range(0, len(questions), _QUESTIONS)]  # fmt: skip
    if not parts:
        return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _scan(segments: Sequence[Segment], questions: Matrix, k: int, allowed: Allowed) -> tuple[Matrix, Numbers]:
    best = np.full((len(questions), k), -np.inf, np.float32)
    numbers = np.full((len(questions), k), -1, np.int64)
    step = min(_ROWS, _COSINES // max(len(questions), 1))
    for number, segment in enumerate(segments):
        mask = np.ones(segment.rows, bool) if allowed is None else allowed[number]
        passing = np.flatnonzero(mask)
        few = len(passing) < segment.rows // 2  # else a copy of those that pass would cost more than the others do
        size = len(passing) if few else segment.rows
        for first in range(0, size, step):
            here = slice(first, first + step)
            rows = passing[here] if few else np.arange(first, min(first + step, size))
            block, lengths = (each[rows if few else here] for each in (segment.vectors, segment.lengths))
            cosines = questions @ block.astype(np.float32, copy=False).T
            cosines /= lengths
            if not few:
                cosines[:, ~mask[here]] = -np.inf
            _keep(best, numbers, cosines, (np.int64(segment.number) << 32) | rows)
    return best, numbers


def _keep(best: Matrix, numbers: Numbers, cosines: Matrix, rows: Numbers) -> None:
    """Put those of a block among the best of each question. Changes both arrays."""
    k = best.shape[1]
    better = cosines > best[:, -1:]
    for question in np.flatnonzero(better.any(axis=1)):
        found = np.flatnonzero(better[question])
        values = cosines[question, found]
        if len(found) > 4 * k:  # all that equal the k-th stay, so that the order of rows decides
            least = np.partition(values, len(values) - k)[len(values) - k]
            found, values = found[values >= least], values[values >= least]
        both = np.concatenate([best[question], values])
        order = np.argsort(-both, kind="stable")[:k]
        best[question] = both[order]
        numbers[question] = np.concatenate([numbers[question], rows[found]])[order]


def unit(vectors: npt.NDArray[np.floating]) -> Matrix:
    """Return vectors with length 1, in float32; one of zeros stays."""
    vectors = np.atleast_2d(np.asarray(vectors, np.float32))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths > 0, lengths, 1))

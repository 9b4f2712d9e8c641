"""The nearest of many centres, without a comparison with each: centres that point the same way are a group.

A vector is compared with the middle of each group, and with the centres of the groups that are nearest. It is a tree
of two levels, as in FLANN (Muja and Lowe 2009). The groups are derived from the centres alone, so they are not stored,
and cells that an older version trained have them, too.

Groups are by direction: centres in the midst of everything are short, and by distance half of all would be one group.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.vectors.files import Matrix

#: With fewer centres a vector is compared with all of them.
FLAT_BELOW = 2048
#: Groups that a vector is compared with. 95 of 100 vectors get the cell of a full comparison (4,096 cells).
NEAREST = 16
#: Rounds of k-means (Lloyd 1982), and vectors that are assigned together.
_ROUNDS, _ROWS = 8, 4096


class Groups:
    """Centres in groups, about twice as many groups as the square root of the centres.

    Args:
        centres: (centres, dimensions).
        nearest: groups that a vector is compared with, by default 16; where there are no more, the result is exact.
    """

    def __init__(self, centres: Matrix, nearest: int | None = None) -> None:
        count = 2 ** round(np.log2(2 * np.sqrt(len(centres)))) if len(centres) >= FLAT_BELOW else 1
        owner, middles = _by_direction(centres, count)
        self._members = [np.flatnonzero(owner == group) for group in range(count)]
        self._centres = [np.ascontiguousarray(centres[rows]) for rows in self._members]
        self._halves = [(each * each).sum(axis=1) / 2 for each in self._centres]
        self._middles, self._nearest = middles, min(nearest or NEAREST, count)

    def assign(self, vectors: Matrix) -> npt.NDArray[np.int64]:
        """Return the number of the centre that is nearest to each vector, by squared distance.

        The result for a vector does not depend on the others but for the last bits of products of matrices.
        """
        parts = [self._assign(vectors[at : at + _ROWS]) for at in range(0, len(vectors), _ROWS)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _assign(self, vectors: Matrix) -> npt.NDArray[np.int64]:
        count = len(self._members)
        if self._nearest < count:
            near = np.argpartition(vectors @ -self._middles.T, self._nearest - 1, axis=1)[:, : self._nearest]
        else:
            near = np.broadcast_to(np.arange(count), (len(vectors), count))
        groups = near.ravel()
        order = np.argsort(groups, kind="stable")  # (vector, group) pairs, group by group
        ends = np.cumsum(np.bincount(groups, minlength=count))
        least = np.full(len(vectors), np.inf, np.float32)
        out = np.zeros(len(vectors), np.int64)
        for group, members in enumerate(self._members):
            rows = order[ends[group - 1] if group else 0 : ends[group]] // near.shape[1]
            if not len(rows) or not len(members):
                continue
            distances = self._halves[group] - vectors[rows] @ self._centres[group].T  # less |vector|², halved
            nearest = distances.argmin(axis=1)
            values = distances[np.arange(len(rows)), nearest]
            better = values < least[rows]
            least[rows[better]] = values[better]
            out[rows[better]] = members[nearest[better]]
        return out


def _by_direction(centres: Matrix, count: int) -> tuple[npt.NDArray[np.int64], Matrix]:
    """Return the group of each centre, and the middles of the groups, of length 1.

    In float64, so that other machines, whose sums differ in the last bits, find the same groups.
    """
    units = centres.astype(np.float64)
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    units /= np.where(lengths > 0, lengths, 1)
    middles = units[np.linspace(0, len(units) - 1, count).astype(int)].copy()
    owner = np.zeros(len(units), np.int64)
    for _ in range(_ROUNDS if count > 1 else 0):
        owner = (units @ middles.T).argmax(axis=1)
        sums = np.zeros_like(middles)
        np.add.at(sums, owner, units)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        middles = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), middles)
    return owner, middles.astype(np.float32)

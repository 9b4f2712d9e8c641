"""How much of what an exact scan finds a search finds, and how many cells it must read for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.vectors.exact import Numbers, scan, unit
from index.vectors.files import Matrix, Segment
from index.vectors.inverted import Inverted

#: The neighbours that count, the most stored vectors that are asked for, and the fewest.
K, TEXTS, FEWEST = 10, 1000, 100
#: Cosines of an exact scan, at most; a larger lake is asked fewer.
_WORK = 1 << 34
#: Candidates for each neighbour, from the cheapest on.
_REFINE = (10, 20, 40)
#: Cosines that differ by less are equal: copies of a text are as near as each other.
_EQUAL = 1e-6


@dataclass(frozen=True, slots=True)
class Measured:
    """How a search is done, and what share of the 10 nearest vectors it finds."""

    probes: int  #: cells that are read
    refine: int  #: times k candidates are compared exactly
    recall: float
    texts: int  #: stored vectors whose neighbours were asked for


class Truth:
    """Stored vectors, evenly from all, and their exact 10 nearest others."""

    def __init__(self, segments: Sequence[Segment], texts: int = TEXTS) -> None:
        total = sum(segment.rows for segment in segments)
        texts = min(total, max(min(texts, _WORK // max(total, 1)), FEWEST))
        self.numbers, self.questions = _sample(segments, texts)
        cosines, numbers = scan(segments, self.questions, K + 1)
        self._cosines = without(cosines, numbers, self.numbers, K)[0]

    def share(self, cosines: Matrix, numbers: Numbers) -> npt.NDArray[np.float64]:
        """Return, for each question, the share of its 10 nearest others that a search found.

        What is as near as the tenth counts, whichever of several it is.

        Args:
            cosines, numbers: of 11 neighbours; the question itself may be among them.
        """
        found = without(cosines, numbers, self.numbers, K)[0]
        wanted = np.isfinite(self._cosines).sum(axis=1)
        least = np.where(np.isfinite(self._cosines), self._cosines, np.inf).min(axis=1)
        hits = (found >= least[:, None] - _EQUAL).sum(axis=1)
        share: npt.NDArray[np.float64] = np.where(wanted > 0, hits / np.maximum(wanted, 1), 1.0)
        return share


def without(cosines: Matrix, numbers: Numbers, own: Numbers, k: int) -> tuple[Matrix, Numbers]:
    """Return the neighbours of each question without itself, k of them."""
    values = np.where(numbers == own[:, None], -np.inf, cosines)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(values, order, 1), np.take_along_axis(numbers, order, 1)


def choose(index: Inverted, segments: Sequence[Segment], cells: int, wanted: float) -> Measured:
    """Find the cheapest search with a recall that is `wanted` or more, by a standard error more; or else the best.

    The cells that are read are twice as many each time; of those that suffice, three quarters are tried. At most a
    quarter of all cells are read: where that is not enough, the cells are bad.
    """
    truth = Truth(segments)
    best = Measured(1, _REFINE[0], -1.0, len(truth.questions))
    probes = [2**power for power in range(32) if 2**power <= max(cells // 4, 1)]
    for refine in _REFINE:
        before = -1.0
        for number in probes:
            found, enough = _measure(index, truth, number, refine, wanted)
            if found.recall > best.recall:
                best = found
            if enough:
                fewer, enough = _measure(index, truth, max(number * 3 // 4, 1), refine, wanted)
                return fewer if enough else found
            if found.recall - before < 0.002 and number > 8:
                break  # the codes, not the cells, lose what is missing
            before = found.recall
    return best


def _measure(index: Inverted, truth: Truth, probes: int, refine: int, wanted: float) -> tuple[Measured, bool]:
    """Return what a search finds, and whether that is `wanted`, by a standard error more."""
    shares = truth.share(*index.search(truth.questions, K + 1, probes, refine))
    recall = float(shares.mean())
    return Measured(probes, refine, recall, len(shares)), recall - shares.std() / np.sqrt(len(shares)) >= wanted


def _sample(segments: Sequence[Segment], count: int) -> tuple[Numbers, Matrix]:
    """Return the numbers and the vectors of so many rows, evenly from all segments."""
    starts = np.cumsum([0, *(segment.rows for segment in segments)])
    rows = np.linspace(0, max(starts[-1] - 1, 0), count).astype(np.int64)
    numbers, vectors = [], []
    for segment, first, last in zip(segments, starts, starts[1:], strict=False):
        here = rows[(rows >= first) & (rows < last)] - first
        numbers.append((np.int64(segment.number) << 32) | here)
        vectors.append(segment.vectors[here].astype(np.float32))
    return np.concatenate(numbers), unit(np.concatenate(vectors))

"""The exact nearest vectors by inner product, computed by PyTorch on a GPU or a CPU.

Method: scores of float16, by matrix products that add in float32, choose candidates. These are scored again in float32,
and the error bound of float16 proves that no other vector can be among the nearest; where it proves nothing, as among
many vectors that are almost equal, that query is compared with all vectors in float32.

The scores of a block of queries stay in the memory of the device. They are read once, for the greatest of each group of
`_GROUP`: the best n vectors are in the n groups with the greatest maxima. The rest is small. So a query costs what its
matrix product costs, and two bytes for each vector written and read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

#: Vectors of which only the one with the greatest score is looked at first.
_GROUP = 64
#: Candidates beyond those that are asked for: the more, the fewer queries must be compared in float32.
_MORE = 22
#: Most bytes of the scores of a block of queries, and of the vectors that are on the device at a time. On a GPU each is
#: at most a quarter of its free memory.
_SCORES = {"cpu": 64 << 20, "cuda": 8 << 30}
_BASE = {"cpu": 256 << 20, "cuda": 16 << 30}
#: Above this, a product could leave the range of float16.
_MOST = 60_000.0

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest vectors of some queries.

    Attributes:
        scores: inner products in float32, the greatest first, (queries, count).
        positions: of these vectors, (queries, count); -1 with a score of -inf where there are fewer vectors. Of equal
            scores the first vectors come first; which of them are left out at the end is not determined.
        compared: queries, one for each part of the vectors, that were compared in float32 with all of them.
    """

    scores: npt.NDArray[np.float32]
    positions: npt.NDArray[np.int64]
    compared: int


def nearest(
    queries: Array, vectors: Array, count: int, device: str = "cuda", coarse: torch.dtype | None = None
) -> Nearest:
    """Return the vectors with the greatest inner products with each query.

    Vectors whose scores differ by less than the error of a sum in float32 (10⁻⁶ for unit vectors) may change places.

    Args:
        queries: (queries, dimensions), float32 or float16.
        vectors: (vectors, dimensions); memory-mapped ones are read in parts.
        count: vectors for each query.
        device: of PyTorch.
        coarse: the dtype that chooses candidates. By default float16 on a GPU, float32 on a CPU.

    Raises:
        ValueError: a number is not finite, or the dimensions differ.
    """
    if queries.ndim != 2 or vectors.ndim != 2 or queries.shape[1] != vectors.shape[1] or count < 1:
        raise ValueError("queries and vectors have two axes and the same dimensions, and count is at least 1")
    where = "cuda" if device.startswith("cuda") else "cpu"
    coarse = coarse or (torch.float16 if where == "cuda" else torch.float32)
    scores = torch.full((len(queries), count), -torch.inf, device=device)
    positions = torch.full((len(queries), count), -1, dtype=torch.int64, device=device)
    compared = 0
    at_once = memory(_SCORES[where], device)
    step = max(memory(_BASE[where], device) // (vectors.shape[1] * 6) // _GROUP, 1) * _GROUP
    with torch.inference_mode(), full_precision():
        for first in range(0, len(vectors), step):
            part = _Part(to_device(vectors[first : first + step], device), coarse, at_once)
            of_each = max(len(part.coarse) * coarse.itemsize, 8 * (count + _MORE) * vectors.shape[1])
            rows = max(at_once // of_each, 1)
            for at in range(0, len(queries), rows):
                block = slice(at, at + rows)
                some, found, again = part.nearest(to_device(queries[block], device), count)
                compared += again
                found = torch.where(found < 0, found, found + first)
                some, found = _sorted(torch.cat([scores[block], some], 1), torch.cat([positions[block], found], 1))
                scores[block], positions[block] = some[:, :count], found[:, :count]
            del part
    return Nearest(scores.cpu().numpy(), positions.cpu().numpy(), compared)


class _Part:
    """Vectors on the device, in float32 and in the dtype that chooses candidates."""

    def __init__(self, vectors: torch.Tensor, coarse: torch.dtype, at_once: int) -> None:
        self.fine, self.at_once = vectors, at_once
        self.count = len(vectors)
        self.longest = _longest(vectors)
        self.group = _GROUP if self.count >= _GROUP * _GROUP else 1
        padded = -(-self.count // self.group) * self.group
        self.coarse = torch.zeros((padded, vectors.shape[1]), dtype=coarse, device=vectors.device)
        if self.longest < _MOST:
            self.coarse[: self.count] = vectors
        self.rounded = self.longest >= _MOST or not torch.equal(self.coarse[: self.count].float(), vectors)

    def nearest(self, queries: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Return scores, positions (-1: none), and how many queries were compared in float32."""
        lengths = queries.norm(dim=1)
        longest = _longest(queries)
        if max(longest, longest * self.longest, self.longest) >= _MOST:
            return *self._all(queries, count), len(queries)
        positions, bound = self._candidates(queries.to(self.coarse.dtype), count)
        inside = positions.clamp(max=self.count - 1)
        scores = (self.fine[inside] * queries[:, None]).sum(2)
        scores, positions = _sorted(scores.masked_fill(positions >= self.count, -torch.inf), positions)
        scores, positions = _filled(scores, positions, count)
        positions = positions.masked_fill(scores == -torch.inf, -1)
        unsure = (scores[:, -1] < bound + self._error(bound, queries, lengths)).nonzero().squeeze(1)
        if len(unsure):
            scores[unsure], positions[unsure] = self._all(queries[unsure], count)
        return scores, positions, len(unsure)

    def _candidates(self, queries: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return positions of candidates, and the greatest score that another vector may have in the coarse dtype."""
        groups = len(self.coarse) // self.group
        take = min(count + _MORE, groups)
        scores = queries @ self.coarse.T
        scores[:, self.count :] = -torch.inf
        # a group is every `groups`-th vector, so that neighbours in memory are compared in parallel
        grouped = scores.view(len(queries), self.group, groups)
        chosen = grouped.amax(1).topk(take, sorted=False).indices
        some = grouped.gather(2, chosen[:, None].expand(-1, self.group, -1)).flatten(1)
        values, at = some.topk(take)
        positions = at.div(take, rounding_mode="floor") * groups + chosen.gather(1, at % take)
        bound = values[:, -1].float() if take < self.count else torch.full_like(values[:, -1].float(), -torch.inf)
        return positions, bound

    def _error(self, bound: torch.Tensor, queries: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return how much greater than the bound a score in float32 can be of a vector that is no candidate."""
        unit = torch.finfo(self.coarse.dtype).eps / 2
        rounded = self.rounded or not torch.equal(queries.to(self.coarse.dtype).float(), queries)
        sums = queries.shape[1] * 2.0**-23  # of both sums, in whatever order they are made
        relative = 2 * unit * bound.abs().nan_to_num(posinf=0)
        return relative + lengths * self.longest * (sums + (2.5 * unit if rounded else 0)) + 2.0**-24

    def _all(self, queries: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare queries with all vectors in float32."""
        step = max(self.at_once // (4 * self.count), 1)
        parts = [
            _sorted(*(queries[at : at + step] @ self.fine.T).topk(min(count, self.count)))
            for at in range(0, len(queries), step)
        ]
        return _filled(torch.cat([each for each, _ in parts]), torch.cat([each for _, each in parts]), count)


def to_device(array: Array, device: str) -> torch.Tensor:
    """Return an array on the device, in float32."""
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array if array.flags.writeable else array.copy()).to(device).float()


def memory(most: int, device: str) -> int:
    """Return so many bytes, or on a GPU a quarter of what is free if that is less."""
    return min(most, torch.cuda.mem_get_info(device)[0] // 4) if device.startswith("cuda") else most


@contextmanager
def full_precision() -> Iterator[None]:
    """Multiply matrices of float32 without rounding their numbers, and add products of float16 in float32."""
    before = torch.get_float32_matmul_precision()
    matmul = torch.backends.cuda.matmul
    reduced = matmul.allow_fp16_reduced_precision_reduction
    torch.set_float32_matmul_precision("highest")
    matmul.allow_fp16_reduced_precision_reduction = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        matmul.allow_fp16_reduced_precision_reduction = reduced


def _longest(vectors: torch.Tensor) -> float:
    """Return the greatest length of a vector.

    Raises:
        ValueError: a number is not finite.
    """
    longest = float(vectors.norm(dim=1).max()) if len(vectors) else 0.0
    if not np.isfinite(longest):
        raise ValueError("a vector has a number that is not finite, or is too long for float32")
    return longest


def _sorted(scores: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sort each row: the greatest scores first, equal ones by position."""
    positions, order = positions.sort(dim=1)
    scores, best = scores.gather(1, order).sort(dim=1, descending=True, stable=True)
    return scores, positions.gather(1, best)


def _filled(scores: torch.Tensor, positions: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut rows to a length, or fill them up with nothing."""
    missing = max(count - scores.shape[1], 0)
    pad = torch.nn.functional.pad
    return (
        pad(scores[:, :count], (0, missing), value=-torch.inf),
        pad(positions[:, :count], (0, missing), value=-1),
    )

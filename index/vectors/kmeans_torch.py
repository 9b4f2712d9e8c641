"""The cells of an index: k-means (Lloyd 1982) by PyTorch, on a GPU or a CPU.

Training assigns by scores of float16 on a GPU, which changes only which of two almost equally near cells a vector
trains. `assign` computes in float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from index.vectors.exact_torch import Array, full_precision, memory, to_device

#: Most bytes of the scores of a block of vectors against all cells.
_SCORES = {"cpu": 64 << 20, "cuda": 4 << 30}
#: How far apart the two cells are that a large one is split into, as a share.
_SPLIT = 1 / 1024


@dataclass(frozen=True, slots=True)
class Cells:
    """The result of a training.

    Attributes:
        centroids: float32, (cells, dimensions).
        losses: of each round, the mean squared distance of a vector to its centroid, before the centroids move.
        split: cells that had no vector and got half of another's, in all rounds.
    """

    centroids: npt.NDArray[np.float32]
    losses: tuple[float, ...]
    split: int


def kmeans(
    vectors: Array, cells: int, rounds: int = 10, seed: int = 0, device: str = "cuda", spherical: bool = True
) -> Cells:
    """Train cells, starting from vectors that are drawn.

    Cells that lose all vectors get half of one of the largest, as in FAISS. It ends before all rounds when no vector
    changes its cell. On a GPU the last bits of the centroids differ from run to run.

    Args:
        vectors: (vectors, dimensions), which must fit the device in float16; float32 on a CPU.
        seed: of the draw.
        spherical: whether centroids get length 1, and the inner product decides; for vectors of length 1.

    Raises:
        ValueError: there are fewer vectors than cells.
    """
    if not 1 <= cells <= len(vectors):
        raise ValueError(f"{len(vectors):,} vectors do not suffice for {cells:,} cells")
    drawn = np.sort(np.random.default_rng(seed).choice(len(vectors), cells, replace=False))
    dtype = torch.float16 if device.startswith("cuda") else torch.float32
    losses: list[float] = []
    split = 0
    with torch.inference_mode(), full_precision():
        data = torch.empty(vectors.shape, dtype=dtype, device=device)
        for at in range(0, len(vectors), 1 << 20):
            data[at : at + (1 << 20)] = to_device(vectors[at : at + (1 << 20)], device)
        centroids = _normal(to_device(vectors[drawn], device), spherical)
        owner = torch.full((len(data),), -1, dtype=torch.int64, device=device)
        for _ in range(rounds):
            sums = torch.zeros_like(centroids)
            loss, changed = torch.zeros((2,), dtype=torch.float64, device=device)
            shift = -0.5 * centroids.square().sum(1)
            for block in _blocks(len(data), cells, device, dtype):
                some = data[block]
                best, cell = _scores(some, centroids.to(dtype), shift.to(dtype)).max(1)
                changed += (cell != owner[block]).sum()
                owner[block] = cell
                sums.index_add_(0, cell, some.float())
                loss += (some.float().square().sum(1) - 2 * best.float()).sum(dtype=torch.float64)
            losses.append(float(loss) / len(data))
            if not float(changed):
                break
            sizes = torch.bincount(owner, minlength=cells)
            centroids = torch.where(sizes[:, None] > 0, sums / sizes.clamp(min=1)[:, None], centroids)
            split += _fill(centroids, sizes)
            centroids = _normal(centroids, spherical)
    return Cells(centroids.cpu().numpy(), tuple(losses), split)


def assign(vectors: Array, centroids: Array, device: str = "cuda") -> npt.NDArray[np.int64]:
    """Return the nearest centroid of each vector, by squared distance in float32."""
    out = np.empty(len(vectors), np.int64)
    with torch.inference_mode(), full_precision():
        cells = to_device(centroids, device)
        shift = -0.5 * cells.square().sum(1)
        for block in _blocks(len(vectors), len(cells), device, torch.float32):
            out[block] = _scores(to_device(vectors[block], device), cells, shift).argmax(1).cpu().numpy()
    return out


def _scores(vectors: torch.Tensor, centroids: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Return x·c - |c|²/2, which is greatest for the nearest centroid."""
    return torch.addmm(shift, vectors, centroids.T)


def _blocks(count: int, cells: int, device: str, dtype: torch.dtype) -> list[slice]:
    where = "cuda" if device.startswith("cuda") else "cpu"
    step = max(memory(_SCORES[where], device) // (cells * dtype.itemsize), 1)
    return [slice(at, at + step) for at in range(0, count, step)]


def _normal(centroids: torch.Tensor, spherical: bool) -> torch.Tensor:
    return torch.nn.functional.normalize(centroids, dim=1) if spherical else centroids


def _fill(centroids: torch.Tensor, sizes: torch.Tensor) -> int:
    """Move each centroid without vectors next to one of those with most; return how many these are."""
    empty = (sizes == 0).nonzero().squeeze(1)
    large = sizes.argsort(descending=True, stable=True)[: max(min(len(empty), len(sizes) - len(empty)), 1)]
    donors = large[torch.arange(len(empty), device=sizes.device) % len(large)]
    sign = torch.ones_like(centroids[0])
    sign[1::2] = -1
    centroids[empty] = centroids[donors] * (1 + _SPLIT * sign)
    centroids[donors] = centroids[donors] * (1 - _SPLIT * sign)
    return len(empty)

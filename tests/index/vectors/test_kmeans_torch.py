"""Cells that PyTorch trains are those of Lloyd's algorithm in NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from index.vectors import kmeans_torch  # noqa: E402
from index.vectors.kmeans_torch import assign, kmeans  # noqa: E402

Vectors = npt.NDArray[np.float32]


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU on this machine")
    return str(request.param)


def unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)


def groups(count: int, kinds: int, seed: int, dimensions: int = 16) -> Vectors:
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((kinds, dimensions))
    return unit(centres[generator.integers(0, kinds, count)] + generator.normal(0, 0.3, (count, dimensions)))


def squares(vectors: Vectors, centroids: Vectors) -> npt.NDArray[np.float64]:
    return np.asarray(((vectors[:, None].astype(np.float64) - centroids[None]) ** 2).sum(2))


def lloyd(vectors: Vectors, cells: int, rounds: int, spherical: bool) -> tuple[Vectors, list[float]]:
    """Lloyd's algorithm from the same start, where no cell is ever empty."""
    drawn = np.sort(np.random.default_rng(0).choice(len(vectors), cells, replace=False))
    centroids, losses = vectors[drawn], []
    if spherical:
        centroids = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    for _ in range(rounds):
        distances = squares(vectors, centroids)
        owner = distances.argmin(1)
        losses.append(float(distances.min(1).mean()))
        centroids = np.array([vectors[owner == cell].mean(0) for cell in range(cells)], np.float32)
        if spherical:
            centroids = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    return centroids, losses


@pytest.mark.parametrize("spherical", [True, False])
def test_cells_are_those_of_lloyd(device: str, spherical: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kmeans_torch._SCORES, "cpu", 10_000)
    vectors = groups(2000, 20, 1)
    trained = kmeans(vectors, 20, 4, device=device, spherical=spherical)
    centroids, losses = lloyd(vectors, 20, 4, spherical)
    assert trained.split == 0
    np.testing.assert_allclose(trained.losses, losses, rtol=1e-3 if device == "cuda" else 1e-5)
    if device == "cpu":
        np.testing.assert_allclose(trained.centroids, centroids, atol=1e-5)
    assert all(after < before for before, after in zip(trained.losses, trained.losses[1:], strict=False))


def test_each_vector_belongs_to_the_nearest_centroid(device: str) -> None:
    vectors = groups(500, 9, 2)
    trained = kmeans(vectors, 9, 2, device=device, spherical=False)
    np.testing.assert_array_equal(
        assign(vectors, trained.centroids, device), squares(vectors, trained.centroids).argmin(1)
    )


def test_no_cell_stays_empty(device: str) -> None:
    vectors = np.concatenate([np.repeat(groups(1, 1, 3), 300, axis=0), groups(100, 30, 4)])
    trained = kmeans(vectors, 30, 12, device=device)
    assert trained.split > 0
    assert np.isfinite(trained.centroids).all()
    np.testing.assert_allclose(np.linalg.norm(trained.centroids, axis=1), 1, atol=1e-3)
    assert len(np.unique(assign(vectors, trained.centroids, device))) >= 20
    assert trained.losses[-1] < trained.losses[0]


def test_training_ends_when_nothing_changes(device: str) -> None:
    vectors = groups(60, 3, 5)
    trained = kmeans(vectors, 3, 50, device=device)
    assert len(trained.losses) < 50
    assert kmeans(vectors, 60, 1, device=device).losses[0] == pytest.approx(0, abs=2e-3)
    with pytest.raises(ValueError, match="60 vectors do not suffice for 61 cells"):
        kmeans(vectors, 61, device=device)

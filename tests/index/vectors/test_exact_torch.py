"""What PyTorch finds nearest is what NumPy finds when it compares all, whatever the dtype that chooses candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from index.vectors import exact_torch  # noqa: E402
from index.vectors.exact_torch import Nearest, nearest  # noqa: E402

Vectors = npt.NDArray[np.float32]
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU on this machine")
    return str(request.param)


def unit(count: int, seed: int, dimensions: int = 24) -> Vectors:
    """Vectors of length 1, in numbers that 16 bits can express, as the lake has them."""
    drawn = np.random.default_rng(seed).standard_normal((count, dimensions))
    rounded = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)
    return rounded.astype(np.float32)


def check(found: Nearest, queries: Vectors, vectors: Vectors, count: int, tolerance: float = 1e-6) -> None:
    """Compare with NumPy's scores in float64: those of the positions, and the greatest there are."""
    scores = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    best = -np.sort(-scores, axis=1)[:, :count]
    np.testing.assert_allclose(found.scores, best, atol=tolerance)
    np.testing.assert_allclose(np.take_along_axis(scores, found.positions, 1), best, atol=tolerance)
    assert all(len(set(row)) == count for row in found.positions.tolist())
    assert found.scores.dtype == np.float32
    assert found.positions.dtype == np.int64


@pytest.mark.parametrize("coarse", DTYPES)
@pytest.mark.parametrize("count", [100, 4096, 5003])
def test_the_nearest_are_those_of_a_comparison_with_all(device: str, coarse: Any, count: int) -> None:
    queries, vectors = unit(50, 1), unit(count, 2)
    check(nearest(queries, vectors, 10, device, coarse), queries, vectors, 10)


@pytest.mark.parametrize("coarse", DTYPES)
def test_vectors_that_are_almost_equal_are_told_apart(device: str, coarse: Any) -> None:
    vectors = unit(5000, 3)
    vectors[1000:3000] = vectors[0] + np.random.default_rng(4).normal(0, 1e-4, (2000, vectors.shape[1]))
    vectors[3000:3100] = vectors[7]
    queries = np.concatenate([vectors[:10], unit(10, 5)])
    found = nearest(queries, vectors, 10, device, coarse)
    check(found, queries, vectors, 10)
    assert 1 <= found.compared <= (20 if coarse == torch.bfloat16 else 5)


def test_vectors_that_are_no_numbers_of_16_bits_are_compared_as_they_are(device: str) -> None:
    generator = np.random.default_rng(6)
    queries, vectors = (generator.standard_normal((n, 24)).astype(np.float32) for n in (30, 5000))
    found = nearest(queries, vectors, 5, device, torch.float16)
    check(found, queries, vectors, 5, 1e-5)
    assert found.compared < 30
    large = nearest(queries * 1e4, vectors * 1e3, 5, device, torch.float16)
    np.testing.assert_allclose(large.scores, found.scores * 1e7, rtol=1e-4)


def test_parts_and_blocks_change_nothing(device: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    queries, vectors = unit(40, 7), unit(9000, 8)
    expected = nearest(queries, vectors, 12, device, torch.float16)
    np.save(tmp_path / "vectors.npy", vectors.astype(np.float16))
    where = "cuda" if device == "cuda" else "cpu"
    monkeypatch.setitem(exact_torch._BASE, where, 4200 * 24 * 6)
    monkeypatch.setitem(exact_torch._SCORES, where, 100_000)
    found = nearest(queries.astype(np.float16), np.load(tmp_path / "vectors.npy", "r"), 12, device, torch.float16)
    np.testing.assert_array_equal(found.positions, expected.positions)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)


def test_where_there_are_fewer_vectors_the_rest_is_empty(device: str) -> None:
    queries, vectors = unit(3, 9), unit(2, 10)
    found = nearest(queries, vectors, 5, device)
    assert (found.positions[:, 2:] == -1).all()
    assert np.isneginf(found.scores[:, 2:]).all()
    assert sorted(found.positions[0, :2].tolist()) == [0, 1]
    assert (nearest(queries, vectors[:0], 5, device).positions == -1).all()
    assert nearest(queries[:0], vectors, 5, device).positions.shape == (0, 5)


def test_equal_vectors_come_in_their_order(device: str) -> None:
    vectors = np.repeat(unit(1, 11), 6, axis=0)
    assert nearest(vectors[:1], vectors, 6, device).positions.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_what_cannot_be_compared_is_refused(device: str) -> None:
    vectors = unit(10, 12)
    with pytest.raises(ValueError, match="same dimensions"):
        nearest(vectors[:, :5], vectors, 1, device)
    vectors[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        nearest(unit(1, 13), vectors, 1, device)


def test_the_precision_that_a_program_has_chosen_comes_back(device: str) -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        nearest(unit(1, 14), unit(2, 15), 1, device)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)

"""Vectors get nearly the cells of a full comparison, and the same ones each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from made_vectors import ENCODER, Matrix, add, groups, names

from archive.extras import is_installed
from archive.lake import Lake
from index.vectors import cells, segments, upkeep
from index.vectors import groups as grouping
from index.vectors.exact import scan
from index.vectors.files import Segment, arrays
from index.vectors.filters import Filter, texts
from index.vectors.groups import Groups

faiss = pytest.mark.skipif(not is_installed("faiss"), reason="faiss is not installed: pip install '.[faiss]'")


def distances(vectors: Matrix, centres: Matrix) -> npt.NDArray[np.float64]:
    """Squared distances of all to all, in float64."""
    x, c = vectors.astype(np.float64), centres.astype(np.float64)
    out: npt.NDArray[np.float64] = (x * x).sum(axis=1)[:, None] - 2 * x @ c.T + (c * c).sum(axis=1)
    return out


@pytest.mark.parametrize("shrunk", [False, True])
def test_nine_of_ten_vectors_get_the_nearest_centre_and_the_others_a_near_one(shrunk: bool) -> None:
    centres, vectors = groups(2048, 32, seed=1), groups(3000, 32, seed=2)
    if shrunk:  # as centres in the midst of several groups are
        centres[::3] *= 0.4
    found = Groups(centres).assign(vectors)
    true = distances(vectors, centres)
    rows = np.arange(len(vectors))
    assert np.mean(found == true.argmin(axis=1)) > 0.9
    assert true[rows, found].mean() < 1.01 * true.min(axis=1).mean()
    # in other company, and from groups that are made again
    assert np.array_equal(Groups(centres).assign(vectors[100:2000]), found[100:2000])


def test_with_few_centres_or_all_groups_the_nearest_is_found() -> None:
    vectors = groups(3000, seed=3)
    vectors[7] = 0
    for count, nearest in ((1, 16), (2047, 1), (2048, 1000)):
        centres = groups(count, seed=4)
        found = Groups(centres, nearest).assign(vectors)
        true = distances(vectors, centres)
        assert np.allclose(true[np.arange(3000), found], true.min(axis=1), atol=1e-6)
    assert len(Groups(groups(5), 16).assign(vectors[:0])) == 0
    same = np.repeat(groups(1), 4096, axis=0)
    assert set(Groups(same).assign(vectors)) <= set(range(4096))


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAISS searches in lakes of 500 vectors, with 256 cells in 32 groups, of which 4 are compared."""
    monkeypatch.setattr(cells, "EXACT_BELOW", 500)
    monkeypatch.setattr(cells, "count", lambda _: 256)
    monkeypatch.setattr(grouping, "FLAT_BELOW", 16)
    monkeypatch.setattr(grouping, "NEAREST", 4)
    segments._opened.cache_clear()


def build(lake: Lake, **options: Any) -> upkeep.BuildResult:
    return upkeep.build(lake, workers=1, **options)


def stored(lake: Lake) -> dict[str, tuple[str, bytes, bytes]]:
    """Of each file of embeddings: the name of its segment, and the bytes of both files of it."""
    return {
        row["source"]: (row["name"], *(Path(segments.local(lake, ENCODER, row, end)).read_bytes()
                                       for end in (".vectors", ".lists")))
        for row in lake.read("vector_segments").to_pylist()
    }  # fmt: skip


@faiss
def test_a_segment_that_is_made_again_has_the_same_bytes(lake: Lake, grouped: None) -> None:
    for number, size in enumerate((1500, 700)):
        add(lake, names(size, number), groups(size, seed=number))
    result = build(lake)
    assert (result.cells, result.recall >= 0.95) == (256, True)
    before = stored(lake)
    for path in (Path(lake.location) / "vectors").rglob("*.*"):
        path.unlink()
    segments._opened.cache_clear()
    assert build(lake).added == 2200
    after = stored(lake)
    assert [before[source][1:] for source in before] == [after[source][1:] for source in before]
    trained = cells.stored(lake, ENCODER)
    cells.train(lake, ENCODER)  # the sample is sorted by content id, whatever file it comes from
    assert cells.stored(lake, ENCODER) == trained


@faiss
def test_cells_and_segments_of_a_flat_comparison_stay_and_are_searched_with_new_ones(
    lake: Lake, grouped: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(grouping, "FLAT_BELOW", 1 << 30)
        add(lake, names(1500, 0), groups(1500, seed=0))
        build(lake)
    segments._opened.cache_clear()
    first = stored(lake)
    add(lake, names(1200, 1), groups(1200, seed=1))
    result = build(lake)
    assert (result.added, result.segments, len(cells.stored(lake, ENCODER))) == (1200, 2, 1)
    assert result.recall >= 0.95
    second = stored(lake)
    assert {source: second[source] for source in first} == first


def test_many_questions_together_find_what_each_finds_alone(lake: Lake) -> None:
    add(lake, names(900, 0), groups(900))
    build(lake)
    (row,) = lake.read("vector_segments").to_pylist()
    mapped = arrays(segments.local(lake, ENCODER, row, ".vectors"), row["rows"], row["dimensions"])
    segment = Segment(3, "", "", row["rows"], **mapped)
    questions = groups(1500, seed=6)  # more than are asked together
    cosines, numbers = scan([segment], questions, 4)
    for at in (0, 1023, 1024, 1499):
        alone = scan([segment], questions[at : at + 1], 4)
        assert np.array_equal(numbers[at], alone[1][0])
        assert np.allclose(cosines[at], alone[0][0], atol=1e-6)
    assert texts(lake, Filter()).shape == (900, 2)  # 16 bytes of memory each

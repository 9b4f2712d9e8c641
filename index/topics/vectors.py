"""One vector for each text: the mean of the vectors of its windows, each of length 1."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from archive.lake import Lake
from index import ids
from index.embeddings.table import EMBEDDINGS
from index.ids import Ids
from index.vectors import cells
from index.vectors.files import Matrix
from index.vectors.filters import Filter, texts

#: Scores that differ by less are computed again: more than the error of a sum in float32.
_CLOSE = np.float32(1e-5)


def texts_with_vectors(lake: Lake, encoder: str) -> Ids:
    """Return the ids of the texts that have vectors of an encoder and that the lake holds, sorted."""
    found = [np.empty((0, 4), np.uint64)]
    files = list(cells.sources(lake, encoder))
    for table in lake.read_files(EMBEDDINGS.name, files, ["content_id", "part"]):
        parsed = ids.parse(table["content_id"])
        found.append(parsed[table["part"].to_numpy() == 0])
    every = np.concatenate(found)
    every = every[ids.sort(every)]
    if len(every):
        every = every[np.concatenate([[True], (every[1:] != every[:-1]).any(1)])]
        every = every[ids.positions(texts(lake, Filter()), every) >= 0]
    return every


def dimensions(lake: Lake, encoder: str) -> int:
    """Return the dimensions of the vectors of an encoder."""
    for file in cells.sources(lake, encoder):
        with pq.ParquetFile(f"{lake.table_path(EMBEDDINGS.name)}/{file}", filesystem=lake.filesystem) as parquet:
            for some in parquet.iter_batches(1, columns=["vector"]):
                return len(some["vector"][0])
    return 0


def vectors_of(lake: Lake, encoder: str, wanted: Ids) -> Iterator[tuple[np.ndarray, Matrix]]:
    """Yield the vectors of some texts, block by block: a row group of `embeddings` is in memory, and not more.

    The windows of a text follow each other in one file. A text that is in two files comes twice.

    Args:
        wanted: ids of the texts, sorted.

    Yields:
        The positions of texts in `wanted`, and their vectors, of length 1, (texts, dimensions).
    """
    for file in cells.sources(lake, encoder):
        held: tuple[Ids, Matrix] | None = None
        for _, table in cells.read(lake, [file], ["content_id", "vector"]):
            found, vectors = ids.parse(table["content_id"]), unit(cells.matrix(table["vector"]))
            if held is not None:  # a text may have windows in two row groups
                found, vectors = np.concatenate([held[0], found]), np.concatenate([held[1], vectors])
            last = int((found != found[-1]).any(1).sum())
            held = found[last:], vectors[last:]
            yield from _some(wanted, found[:last], vectors[:last])
        if held is not None:
            yield from _some(wanted, *held)


def _some(wanted: Ids, found: Ids, vectors: Matrix) -> Iterator[tuple[np.ndarray, Matrix]]:
    positions = ids.positions(wanted, found)
    chosen = positions >= 0
    if chosen.any():
        found, vectors, positions = found[chosen], vectors[chosen], positions[chosen]
        firsts = np.flatnonzero(np.concatenate([[True], (found[1:] != found[:-1]).any(1)]))
        yield positions[firsts], unit(np.add.reduceat(vectors, firsts, axis=0))


def unit(vectors: Matrix) -> Matrix:
    """Return vectors of length 1. One of length 0, or one that holds no numbers, becomes 0: near to nothing."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directed = np.isfinite(lengths) & (lengths > 0)
    out: Matrix = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=directed)
    return out


def matrix_of(lake: Lake, encoder: str, wanted: Ids) -> Matrix:
    """Return the vectors of some texts, in the order of `wanted`, which is sorted."""
    out: Matrix | None = None
    for positions, vectors in vectors_of(lake, encoder, wanted):
        if out is None:
            out = np.zeros((len(wanted), vectors.shape[1]), np.float32)
        out[positions] = vectors
    assert out is not None
    return out


def nearest(vectors: Matrix, centres: Matrix, block: int = 4096) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest centre of each vector, by squared distance, and the cosine.

    Neither depends on which vectors are compared together: where two centres are almost equally near, float64 decides;
    of equally near ones the first is taken.

    Args:
        vectors: of length 1.
        centres: of any length.
    """
    topics, cosines = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    exact: npt.NDArray[np.float64] = centres.astype(np.float64)
    shift = -0.5 * (exact**2).sum(1)
    directions = exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-30)
    for at in range(0, len(vectors), block):
        some = vectors[at : at + block]
        scores = some @ centres.T + shift.astype(np.float32)
        best = scores.argmax(1)
        greatest = scores[np.arange(len(some)), best]
        for row in np.flatnonzero((scores >= greatest[:, None] - _CLOSE).sum(1) > 1):
            best[row] = ((exact * some[row]).sum(1) + shift).argmax()
        topics[at : at + len(some)] = best
        cosines[at : at + len(some)] = np.einsum("ij,ij->i", some, directions[best])
    return topics, cosines

"""The cells of FAISS: a rotation, and the centres that k-means found.

They are trained once, and used until the lake has 16 times as many vectors. They are rows of the table `cells`. So a
segment is a function of one file of embeddings and of these numbers, and comes out the same when it is made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.arrow import plain
from archive.errors import ArchiveError, LakeError, error_line
from archive.extras import require
from archive.files import write_parquet
from archive.lake import MAX_TRIES, Lake
from index import ids
from index.embeddings.table import EMBEDDINGS
from index.vectors.exact import unit
from index.vectors.files import Matrix
from index.vectors.table import CELLS

#: Below so many vectors all are compared: FAISS is not needed.
EXACT_BELOW = 200_000
#: New cells are trained when the lake has grown so many times since.
GROWTH = 16
#: Vectors that k-means sees of each cell, rounds of it, and bytes of all that it sees.
_EACH, _ROUNDS, _MOST = 20, 6, 400 << 20
#: Vectors that k-means assigns together.
_ROWS = 1 << 14
_SEED = 20220101


@dataclass(frozen=True, slots=True)
class Cells:
    """Trained cells."""

    id: str
    trained_on: int  #: vectors in the lake then
    centres: Matrix  #: (cells, dimensions), rotated
    rotation: Matrix  #: orthogonal: a vector v becomes rotation @ v

    def rotated(self, vectors: Matrix) -> Matrix:
        return np.ascontiguousarray(vectors @ self.rotation.T)

    def index(self) -> Any:
        """Return an empty FAISS index with these cells: RaBitQ codes in inverted lists."""
        import faiss

        dimensions = self.centres.shape[1]
        quantizer = faiss.IndexFlatL2(dimensions)
        quantizer.add(self.centres)
        index = faiss.IndexIVFRaBitQ(quantizer, dimensions, len(self.centres), faiss.METRIC_L2)
        index.is_trained = True  # RaBitQ learns nothing but the centres
        index.referenced_objects = [quantizer]  # as long as the index is
        return index


def need_faiss(what: str) -> None:
    """Raise ArchiveError where FAISS is not installed, or does not work."""
    require(what, "faiss", "faiss")
    try:
        import faiss
    except Exception as error:  # faiss-gpu without the libraries of CUDA, or for another numpy
        raise ArchiveError(f"{what} needs faiss, which cannot be imported: {error_line(error)}") from None
    if not hasattr(faiss, "IndexIVFRaBitQ"):
        raise ArchiveError(f"{what} needs faiss 1.11 or later, not {faiss.__version__}: pip install -U faiss-cpu")


def count(vectors: int) -> int:
    """Return how many cells there are for so many vectors: a power of 2 near three times the square root.

    >>> count(200_000), count(10_000_000)
    (1024, 8192)
    """
    return int(2 ** round(np.log2(3 * np.sqrt(vectors))))


def sources(lake: Lake, encoder: str) -> dict[str, int]:
    """Return the files of `embeddings` of an encoder, sorted, and the vectors in each."""
    files = pa.table(lake.delta(EMBEDDINGS.name).get_add_actions(flatten=True)).select(["path", "num_records"])
    named = zip(*files.to_pydict().values(), strict=True)
    return {path: rows for path, rows in sorted(named) if path.startswith(f"encoder={encoder}/")}


def suitable(lake: Lake, encoder: str, vectors: int, at_least: int = 0) -> Cells | None:
    """Return the newest cells of an encoder that fit so many vectors; None where there are none.

    Args:
        at_least: vectors that the lake must have had when they were trained.
    """
    rows = stored(lake, encoder)
    found = [
        (trained, name) for name, trained in rows.items() if trained >= max(at_least, 1) and trained * GROWTH > vectors
    ]
    return load(lake, encoder, max(found)[1]) if found else None


def stored(lake: Lake, encoder: str) -> dict[str, int]:
    """Return the cells of an encoder that the lake has, and on how many vectors each was trained."""
    out: dict[str, int] = {}
    paths = [path for path in lake.files(CELLS.name) if path.startswith(f"encoder={encoder}/")]
    for table in lake.read_files(CELLS.name, paths, ["cells", "vectors"]):
        out.update(zip(table["cells"].to_pylist(), table["vectors"].to_pylist(), strict=True))
    return out


def load(lake: Lake, encoder: str, name: str) -> Cells:
    """Read cells from the lake.

    Raises:
        LakeError: it does not have them.
    """
    paths = [path for path in lake.files(CELLS.name) if path.startswith(f"encoder={encoder}/")]
    for path in paths:
        table = pq.read_table(
            f"{lake.table_path(CELLS.name)}/{path}",
            filters=[("cells", "=", name)],
            columns=["vectors", "cell", "vector"],
            filesystem=lake.filesystem,
        )
        if table.num_rows:
            table = table.sort_by("cell").combine_chunks()
            numbers = table["cell"].to_numpy()
            values = matrix(table["vector"])
            lines = int((numbers < 0).sum())
            rotation = np.ascontiguousarray(values[:lines][::-1])  # -1 is line 0
            return Cells(name, table["vectors"][0].as_py(), np.ascontiguousarray(values[lines:]), rotation)
    raise LakeError(f"{lake.location}: the cells {name} are gone; run `archive embed --lake {lake.location}`")


def train(lake: Lake, encoder: str) -> Cells:
    """Train cells on a sample of the lake's vectors, and keep them in the lake.

    The sample has the texts with the least content ids, which are hashes. So it depends on the texts alone, not on the
    order in which they came or on files.
    """
    files = sources(lake, encoder)
    vectors = sum(files.values())
    cells = count(vectors)
    sample = _sample(lake, list(files), vectors, _EACH * cells)
    cells = min(cells, max(len(sample) // 4, 1))
    generator = np.random.default_rng(_SEED)
    square = generator.standard_normal((sample.shape[1],) * 2)
    rotation = np.linalg.qr(square)[0].astype(np.float32)
    centres = _k_means(sample, rotation, cells, generator)
    digest = hashlib.sha256(rotation.tobytes() + centres.tobytes()).hexdigest()[:16]
    trained = Cells(digest, vectors, centres, rotation)
    _store(lake, encoder, trained)
    return trained


def _sample(lake: Lake, files: Sequence[str], vectors: int, most: int) -> npt.NDArray[np.float16]:
    """Return about `most` vectors, or as many as `_MOST` bytes hold."""
    keys: list[npt.NDArray[np.uint64]] = []
    parts: list[npt.NDArray[np.float16]] = []  # vectors of `embeddings` are in such numbers
    share: float | None = None
    for _, table in read(lake, files, ["content_id", "part", "vector"]):
        found, values = ids.parse(table["content_id"]), matrix(table["vector"])
        if share is None:
            share = min(most, _MOST // (2 * values.shape[1])) / vectors
        chosen = found[:, 0] < np.uint64(min(share, 1 - 2**-52) * 2.0**64) if share < 1 else np.ones(len(found), bool)
        keys.append(np.concatenate([found[chosen], table["part"].to_numpy()[chosen, None].astype(np.uint64)], axis=1))
        parts.append(values[chosen].astype(np.float16))
    positions = np.empty(sum(map(len, parts)), np.int64)
    positions[np.lexsort(np.concatenate(keys).T[::-1])] = np.arange(len(positions))
    sample = np.empty((len(positions), parts[0].shape[1]), np.float16)
    first = 0
    while parts:  # one by one, so that they are in memory once
        part = parts.pop(0)
        sample[positions[first : first + len(part)]] = part
        first += len(part)
    return sample


def _k_means(sample: npt.NDArray[np.float16], rotation: Matrix, cells: int, generator: np.random.Generator) -> Matrix:
    """Return the centres of cells (Lloyd 1982), rotated, beginning at vectors that are drawn.

    Of the sample only a block at a time is in float32. A cell without vectors gets half of one of the largest.
    """
    import faiss

    def blocks() -> Iterator[Matrix]:
        for first in range(0, len(sample), _ROWS):
            yield unit(sample[first : first + _ROWS]) @ rotation.T

    drawn = np.sort(generator.choice(len(sample), cells, replace=False))
    centres = np.ascontiguousarray(unit(sample[drawn]) @ rotation.T)
    for _ in range(_ROUNDS):
        index = faiss.IndexFlatL2(centres.shape[1])
        index.add(centres)
        sums, sizes = np.zeros(centres.shape), np.zeros(cells, np.int64)
        for block in blocks():
            owner = index.search(block, 1)[1][:, 0]
            order = np.argsort(owner, kind="stable")
            present, starts = np.unique(owner[order], return_index=True)
            sums[present] += np.add.reduceat(block[order], starts, axis=0, dtype=np.float64)
            sizes[present] += np.diff(starts, append=len(block))
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres).astype(np.float32)
        empty = np.flatnonzero(sizes == 0)
        large = np.argsort(-sizes, kind="stable")[: len(empty)]
        apart = np.where(np.arange(centres.shape[1]) % 2, -1, 1).astype(np.float32) / 1024
        centres[empty] = centres[large] * (1 + apart)
        centres[large] *= 1 - apart
    return np.ascontiguousarray(centres)


def _store(lake: Lake, encoder: str, cells: Cells) -> None:
    lines = len(cells.rotation)
    numbers = np.concatenate([-1 - np.arange(lines), np.arange(len(cells.centres))])
    values = np.concatenate([cells.rotation, cells.centres])
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    table = pa.table(
        {
            "cells": pa.repeat(pa.scalar(cells.id), len(values)),
            "vectors": pa.repeat(pa.scalar(cells.trained_on, pa.int64()), len(values)),
            "cell": numbers.astype(np.int32),
            "vector": pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1))),
        }
    )
    file = write_parquet(lake, CELLS, table, "cells", {"encoder": encoder}, compression="zstd")
    for _ in range(MAX_TRIES):
        delta = lake.delta(CELLS.name)
        if delta.transaction_version(f"{encoder}/{cells.id}") is not None and cells.id in stored(lake, encoder):
            break  # another process trained the same
        number = (delta.transaction_version(f"{encoder}/{cells.id}") or 0) + 1
        if lake.commit_to(delta, CELLS, [file], {f"{encoder}/{cells.id}": number}):
            return
    lake.discard([file])


def read(lake: Lake, files: Sequence[str], columns: list[str]) -> Any:
    """Yield columns of files of `embeddings`, a row group at a time, each with the number of its first row."""
    for file in files:
        first = 0
        with pq.ParquetFile(f"{lake.table_path(EMBEDDINGS.name)}/{file}", filesystem=lake.filesystem) as parquet:
            for group in range(parquet.num_row_groups):
                table = plain(parquet.read_row_group(group, columns=columns))
                yield first, table
                first += table.num_rows


def matrix(column: pa.ChunkedArray) -> Matrix:
    """Return a column of vectors as an array (rows, dimensions)."""
    lists = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values = lists.flatten().to_numpy(zero_copy_only=False)
    out: Matrix = np.ascontiguousarray(values, np.float32).reshape(len(lists), -1)
    return out

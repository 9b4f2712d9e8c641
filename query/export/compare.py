"""The step `compare`: the greatest cosine of each text's windows with the items of benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import write_file
from archive.engine import Context
from archive.lake import Lake
from index.embeddings.table import EMBEDDINGS
from index.vectors.files import Matrix
from query.export.calibrate import DIGITS
from query.export.workplace import disk_errors

#: Windows and items that are compared together: their cosines take 32 MB.
_ROWS, _ITEMS = 1 << 11, 1 << 12
#: How far a cosine in float32 may be from the exact one.
_NEAR = 1e-6
#: Candidates for the nearest item of a window, above which the first of them is taken.
_CANDIDATES = 16

_SCHEMA = pa.schema(
    [
        ("content_id", pa.string()),
        ("cosine", pa.float64()),
        ("item", pa.int32()),  # row of the items' vectors
        ("end", pa.int32()),  # where the last window ends, in characters of the text
        ("windows", pa.int32()),
        ("whole", pa.bool_()),  # whether each window has a vector with a direction
    ]
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A file of embeddings."""

    location: str  #: of the lake
    file: str
    number: int
    items: Path
    to: Path


def plan(lake: Lake, encoder: str, items: Path, to: Path) -> list[Unit]:
    """Return the units of work: one for each file of embeddings of an encoder."""
    files = sorted(path for path in lake.files(EMBEDDINGS.name) if path.startswith(f"encoder={encoder}/"))
    return [Unit(lake.location, file, number, items, to) for number, file in enumerate(files)]


def work(unit: Unit, ctx: Context) -> int:
    """Write a Parquet file with the greatest cosine of each text, the item that it is of, and how far windows reach.

    Holds 8,192 vectors of the file at a time; the items are memory-mapped. A text may have several rows.

    Raises:
        ArchiveError: a file of the lake cannot be read, or the disk is full.
    """
    with disk_errors(unit.to):
        return _compare(unit, ctx.progress)


def _compare(unit: Unit, progress: Callable[[int, int], None]) -> int:
    lake = Lake(unit.location)
    items = np.load(unit.items, mmap_mode="r")
    path, texts = f"{lake.table_path(EMBEDDINGS.name)}/{unit.file}", 0
    columns = ["content_id", "part", "end", "vector"]
    with (
        pq.ParquetFile(path, filesystem=lake.filesystem) as file,
        pq.ParquetWriter(unit.to / f"{unit.number:08d}.parquet", _SCHEMA, compression="zstd") as writer,
    ):
        for batch in file.iter_batches(1 << 13, columns=columns):
            if batch.num_rows:
                found = texts_of(batch, items)
                writer.write_table(found)
                texts += found.num_rows
                progress(found.num_rows, batch.nbytes)
    write_file(unit.to / f"{unit.number:08d}.json", b"true")
    return texts


def texts_of(windows: pa.RecordBatch, items: Matrix) -> pa.Table:
    """Return a row for each text of some rows of `embeddings`, in which the windows of a text follow each other.

    A vector of zeros, or one that holds no numbers, has no direction, and so no cosine: its window was not compared.
    The cosine and the item of a text without any other are null.
    """
    vectors = np.asarray(windows.column("vector").flatten(), np.float32).reshape(len(windows), -1)
    is_number = np.asarray(np.isfinite(vectors).all(axis=1), np.bool_)
    directed = np.asarray(is_number & vectors.any(axis=1), np.bool_)
    cosines, nearest = nearest_items(np.where(is_number[:, None], vectors, 0), items)
    cosines[~directed] = -np.inf
    parts = np.asarray(windows.column("part"), np.int32)
    first = parts == 0
    first[0] = True
    starts, owner = np.flatnonzero(first), np.cumsum(first) - 1
    order = np.lexsort((nearest, -cosines, owner))
    best = order[np.searchsorted(owner[order], np.arange(len(starts)))]
    columns = [
        windows.column("content_id").take(pa.array(starts)).cast(pa.string()),
        pa.array(cosines[best], mask=~directed[best]),
        pa.array(nearest[best], pa.int32(), mask=~directed[best]),
        pa.array(np.maximum.reduceat(np.asarray(windows.column("end"), np.int32), starts)),
        pa.array(np.maximum.reduceat(parts, starts) + 1),
        pa.array(np.logical_and.reduceat(directed, starts)),
    ]
    return pa.table(columns, schema=_SCHEMA)


def nearest_items(vectors: Matrix, items: Matrix) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the greatest cosine of each vector with an item, to 6 decimals, and the first item that has it.

    Candidates come from products in float32. The cosines of these are computed again in float64, so that the number of
    threads and the kind of CPU do not change the rounded value, but for one in a thousand million.

    Args:
        items: (items, dimensions), of length 1.
    """
    blocks = [_nearest(vectors[at : at + _ROWS], items) for at in range(0, len(vectors), _ROWS)]
    return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])


def _nearest(vectors: Matrix, items: Matrix) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    exact = vectors.astype(np.float64)
    lengths = np.sqrt((exact * exact).sum(axis=1, keepdims=True))
    exact /= np.where(lengths > 0, lengths, 1)
    rounded = exact.astype(np.float32)
    best = np.full(len(vectors), -np.inf, np.float32)
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]] = []
    for first in range(0, len(items), _ITEMS):
        cosines = rounded @ items[first : first + _ITEMS].T
        np.maximum(best, cosines.max(axis=1), out=best)
        rows, columns = np.nonzero(cosines >= (best - _NEAR)[:, None])
        if len(rows) > _CANDIDATES * len(vectors):  # vectors of zeros, or an encoder that makes all texts alike
            rows, columns = np.arange(len(vectors)), cosines.argmax(axis=1)
        found.append((rows, columns + first, cosines[rows, columns]))
    rows, numbers, values = (np.concatenate(part) for part in zip(*found, strict=True))
    near = values >= best[rows] - _NEAR
    rows, numbers = rows[near], numbers[near]
    cosines64 = np.round((exact[rows] * items[numbers]).sum(axis=1), DIGITS)
    order = np.lexsort((numbers, -cosines64, rows))
    chosen = order[np.searchsorted(rows[order], np.arange(len(vectors)))]
    return cosines64[chosen] + 0.0, numbers[chosen]

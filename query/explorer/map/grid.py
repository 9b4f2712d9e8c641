"""The map as a grid of fields: how many texts each has, some of them, and what most of them are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.files import sql_literal
from query.explorer.context import Context
from query.explorer.map.project import Matrix, directions, unit

#: Fields of the map; the most texts on it; texts that are named of a field; rows that are in memory at a time.
COLUMNS, ROWS, MOST, NAMED, _BLOCK = 40, 24, 200_000, 10, 8192
#: So many texts decide the two directions.
_SAMPLE = 20_000
#: A part of the texts that may be beyond each edge, so that single ones do not make the map small.
_BEYOND = 0.005


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the map that has texts."""

    column: int  #: from the left
    row: int  #: from the top
    texts: int
    content_ids: tuple[str, ...]  #: those nearest to its middle
    topic: int | None  #: which most of them have
    of_topic: int  #: how many have it

    @property
    def position(self) -> str:
        """Its name in addresses."""
        return f"{self.column}-{self.row}"


@dataclass(frozen=True, slots=True)
class Grid:
    """A map."""

    encoder: str
    texts: int  #: on it
    texts_in_all: int  #: that have vectors
    columns: int
    rows: int
    fields: tuple[Field, ...]  #: by their positions


def grid(context: Context, encoder: str) -> Grid:
    """Compute the map of the texts that have vectors of an encoder, by the first window of each.

    Raises:
        QueryError, Busy: as `Context.rows` does.
    """
    counted = context.row(
        "Texts with vectors",
        f"SELECT count(*) FROM embeddings WHERE part = 0 AND encoder = {sql_literal(encoder)}",
    )
    in_all = counted[0] if counted else 0
    ids, points = _projected(context, _question(encoder, in_all, _SAMPLE), _question(encoder, in_all, MOST))
    if not ids:
        return Grid(encoder, 0, in_all, COLUMNS, ROWS, ())
    positions, distances = _positions(points)
    topics = dict(
        context.rows(
            "Their topics", f"SELECT content_id, topic FROM text_topics WHERE encoder = {sql_literal(encoder)}"
        )
    )
    return Grid(encoder, len(ids), in_all, COLUMNS, ROWS, tuple(_fields(ids, positions, distances, topics)))


def _question(encoder: str, count: int, most: int) -> str:
    """Return the SQL of the vectors; of too many, those of the least content ids, which are hashes."""
    least = ""
    if count > most:
        least = f" AND content_id < {sql_literal(f'{int(most / count * 2**32):08x}')}"
    return f"SELECT content_id, vector FROM embeddings WHERE part = 0 AND encoder = {sql_literal(encoder)}{least}"


def _projected(context: Context, sample: str, every: str) -> tuple[list[str], Matrix]:
    """Return the ids of the texts, and where they are in the two directions.

    Args:
        sample: SQL of the vectors that decide the directions.
        every: SQL of all vectors.
    """

    def blocks(about: str, sql: str) -> Iterator[tuple[pa.Array, Matrix]]:
        for batch in context.batches(about, sql, _BLOCK):
            if batch.num_rows:
                vectors, is_one = unit(_matrix(batch.column("vector")))
                yield batch.column("content_id").filter(pa.array(is_one)), vectors

    mean, both = directions(vectors for _, vectors in blocks("The vectors that decide the directions", sample))
    ids: list[str] = []
    points = [np.empty((0, 2), np.float32)]
    for names, vectors in blocks("The vectors of the texts on the map", every):
        ids += names.to_pylist()
        points.append(((vectors - mean) @ both).astype(np.float32))
    return ids, np.concatenate(points)


def _matrix(vectors: pa.Array) -> Matrix:
    flat = np.asarray(vectors.flatten(), np.float32)
    return flat.reshape(len(vectors), -1)


def _positions(points: Matrix) -> tuple[npt.NDArray[np.int64], Matrix]:
    """Return the field of each point, and how far it is from the middle of it."""
    low, high = np.quantile(points, [_BEYOND, 1 - _BEYOND], axis=0)
    span = np.where(high > low, high - low, 1)
    size = np.array([COLUMNS, ROWS])
    at = np.clip((points - low) / span, 0, 1 - 1e-6) * size
    field = at.astype(np.int64)
    return field[:, 1] * COLUMNS + field[:, 0], np.linalg.norm(at - field - 0.5, axis=1).astype(np.float32)


def _fields(
    ids: Sequence[str], positions: npt.NDArray[np.int64], distances: Matrix, topics: Mapping[str, int]
) -> Iterator[Field]:
    order = np.lexsort((np.array(ids), distances, positions))
    starts = np.flatnonzero(np.diff(positions[order], prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        inside = [ids[at] for at in order[start:end]]
        row, column = divmod(int(positions[order[start]]), COLUMNS)
        of = Counter(topics[each] for each in inside if each in topics)
        topic, count = min(of.items(), key=lambda each: (-each[1], each[0])) if of else (None, 0)
        yield Field(column, row, len(inside), tuple(inside[:NAMED]), topic, count)

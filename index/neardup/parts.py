"""Ids and a number of each, in files by ranges of ids: so two long lists are sorted and joined a range at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.ids import Ids
from index.neardup.kept import release

#: Rows of two words of an id and a number.
Entries = npt.NDArray[np.uint64]
#: Rows of a range, about, where ids are spread evenly; and rows that are read or written at a time.
ROWS = 1 << 20
_WORDS = 3
#: Ranges of one list: a process may not have very many files open.
_MOST = 256


class Parts:
    """Ids by ranges of their first word. Within a range they have the order in which they came.

    Args:
        folder: scratch; whoever made it removes it.
        count: of the ranges, rounded up to a power of two, up to 256.
    """

    def __init__(self, folder: str, count: int) -> None:
        self._bits = max(min(count, _MOST) - 1, 0).bit_length()
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._opened = ExitStack()
        self._files = [self._opened.enter_context(self._path(part).open("wb")) for part in range(len(self))]

    def __len__(self) -> int:
        return 1 << self._bits

    def _path(self, part: int) -> Path:
        return self._folder / str(part)

    def add(self, ids: Ids, numbers: npt.NDArray[np.int64]) -> None:
        """Write ids with their numbers."""
        rows = np.empty((len(ids), _WORDS), np.uint64)
        rows[:, :2], rows[:, 2] = ids[:, :2], numbers.view(np.uint64)
        if not self._bits:
            rows.tofile(self._files[0])
            return
        part = (rows[:, 0] >> np.uint64(64 - self._bits)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        rows, limits = rows[order], np.searchsorted(part[order], np.arange(len(self) + 1))
        for file, first, last in zip(self._files, limits, limits[1:], strict=False):
            rows[first:last].tofile(file)

    def close(self) -> None:
        """End the writing."""
        self._opened.close()

    def take(self, part: int) -> Entries:
        """Return all rows of a range, and remove its file."""
        rows = np.fromfile(self._path(part), np.uint64).reshape(-1, _WORDS)
        self._path(part).unlink()
        return rows

    def pieces(self, part: int) -> Iterator[Entries]:
        """Yield the rows of a range a piece at a time, and remove its file."""
        with self._path(part).open("rb") as file:
            while len(rows := np.fromfile(file, np.uint64, ROWS * _WORDS)):
                yield rows.reshape(-1, _WORDS)
        self._path(part).unlink()


def parts_of(ids: Ids, folder: str) -> Parts:
    """Return ids by ranges, each with its position among them."""
    parts = Parts(folder, -(-len(ids) // ROWS))
    for first in range(0, len(ids), ROWS):
        some = ids[first : first + ROWS]
        parts.add(some, np.arange(first, first + len(some)))
        release(ids)
    parts.close()
    return parts

"""Which records of a file are wanted, where that is not all of them, and in which way the file is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from archive.sources.seekable import SeekableFile

#: One record: where it is, and what an index states of it: the SHA-1 of its payload (empty if it states none), and when
#: it was fetched, in Unix seconds (the least number if it does not say).
RECORD = np.dtype([("offset", "<i8"), ("length", "<u4"), ("digest", "S20"), ("at", "<i4")])
#: The least number of the column `at`.
NEVER = -(1 << 31)
#: How a member of a gzip file begins.
GZIP = b"\x1f\x8b"
#: Bytes of a gap that is read rather than asked around.
GAP = 64 << 10

#: Bytes of a file of unknown length that one task streams, and what an interrupted one loses.
PIECE = 64 << 20

Records = npt.NDArray[np.void]
Offsets = npt.NDArray[np.int64]


def joined(starts: Offsets, stops: Offsets, gap: int, most: int | None = None) -> Offsets:
    """Return where joined parts of a file begin: the indexes of the first part of each.

    Parts are joined where at most `gap` bytes are between them, up to `most` bytes.

    Args:
        starts: in order.
    """
    if not len(starts):
        return np.empty(0, np.int64)
    ends = np.maximum.accumulate(stops)
    first = np.flatnonzero(np.concatenate([[True], starts[1:] - ends[:-1] > gap]))
    if most is None:
        return first
    cut: list[int] = []
    for begin, stop in zip(first, [*first[1:], len(starts)], strict=True):
        cut.append(int(begin))
        for row in range(int(begin) + 1, int(stop)):
            if stops[row] - starts[cut[-1]] > most:
                cut.append(row)
    return np.asarray(cut, np.int64)


@dataclass(frozen=True, eq=False)
class Take:
    """What is wanted of a file.

    Attributes:
        records: the wanted ones in the order of their offsets, with the fields of `RECORD`; None for all.
        streams: the file is read from its start to its end, and what is not wanted is passed over; else by parts.
        known: the offsets of records that the lake has already, in order. They are passed over.
        reaches: the parts may reach over the end of the file: nobody knows how long they are.
    """

    records: Records | None = None
    streams: bool = True
    known: Offsets | None = None
    reaches: bool = False

    @property
    def offsets(self) -> Offsets | None:
        """The offsets of the wanted records; None for all."""
        return None if self.records is None else self.records["offset"]

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The parts [start, stop) that hold the wanted records; none where the file is streamed."""
        starts, stops = self._parts()
        return list(zip(starts.tolist(), stops.tolist(), strict=True))

    def _parts(self) -> tuple[Offsets, Offsets]:
        """Return where the parts of `ranges` start and stop."""
        if self.streams or self.records is None or not len(self.records):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        starts = self.records["offset"]
        stops = starts + self.records["length"]
        first = joined(starts, stops, GAP)
        return starts[first], np.maximum.reduceat(stops, first)

    @property
    def requests(self) -> int:
        """Requests that it takes, if nothing goes wrong; without the one for the start of the file."""
        return 1 if self.streams else len(self._parts()[0])

    @property
    def bytes(self) -> int | None:
        """Bytes that are read; None where nobody knows how long the file is."""
        if self.streams:
            return None
        starts, stops = self._parts()
        return int((stops - starts).sum())

    @property
    def identity(self) -> str:
        """What tells this from other work on the same file; empty where all records are wanted."""
        return "" if self.records is None else hashlib.sha256(self.records["offset"].tobytes()).hexdigest()

    def without(self, known: Offsets) -> Take | None:
        """Return what is left where the lake has the records at some offsets; None if nothing is.

        Args:
            known: in order. That all of the file is known, nobody can tell by this.
        """
        if self.records is None:
            return replace(self, known=known if len(known) else None)
        left = self.records[~np.isin(self.records["offset"], known)]
        return replace(self, records=left) if len(left) else None

    def split(self, requests: int) -> Iterator[Take]:
        """Yield this in pieces of at most so many requests each, so that less is lost when one is interrupted."""
        if self.streams or self.records is None or self.requests <= requests:
            yield self
            return
        starts = self.records["offset"]
        first = joined(starts, starts + self.records["length"], GAP).tolist()
        for begin, stop in pairwise([*first[::requests], len(starts)]):
            yield replace(self, records=self.records[begin:stop])


class PartsOfFile(SeekableFile):
    """Some parts of a file, at the offsets that they have in it. In a gap between two of them the file seems to end.

    Args:
        head: the start of the file, in which no part begins.
        ranges: the first byte of each part, and the one behind its last.
        fetch: returns the bytes [start, stop) of the file. Each part is fetched when something of it is read, and held
            until something of another one is.
    """

    def __init__(self, head: bytes, ranges: Sequence[tuple[int, int]], fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._head, self._ranges, self._fetch = head, ranges, fetch
        self._start, self._data = 0, b""

    def read(self, size: int | None = -1) -> bytes:
        start, data = self._part()
        begin = self._at - start
        found = data[begin : len(data) if size is None or size < 0 else begin + size]
        self._at += len(found)
        return found

    def _part(self) -> tuple[int, bytes]:
        """Return the part that the next byte is in, and where it starts; nothing where it is in none."""
        at = self._at
        if at < len(self._head):
            return 0, self._head
        if self._start <= at < self._start + len(self._data):
            return self._start, self._data
        for start, stop in self._ranges:
            if start <= at < stop:
                self._start, self._data = start, self._fetch(start, stop)
                return self._start, self._data
        return at, b""


class RestOfFile(SeekableFile):
    """The start of a file, and the rest of it from some byte on. In between it seems to end.

    Args:
        file: is at `start`.
    """

    def __init__(self, head: bytes, file: BinaryIO, start: int) -> None:
        super().__init__()
        self._head, self._file, self._start = head, file, start

    def read(self, size: int | None = -1) -> bytes:
        count = -1 if size is None else size
        if self._at >= self._start:
            if self._file.tell() != self._at:
                self._file.seek(self._at)
            found = self._file.read(count)
        else:
            found = self._head[self._at :] if count < 0 else self._head[self._at : self._at + count]
        self._at += len(found)
        return found

    def close(self) -> None:
        self._file.close()
        super().close()

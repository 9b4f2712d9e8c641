"""Records that an index names, in columns: millions of them need little memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from archive.commoncrawl.selection import Selection, hash_of
from archive.sources import take
from archive.sources.take import NEVER

#: One record: the number of its file, and the fields of a `Take`.
RECORD = np.dtype([("file", "<u4"), *take.RECORD.descr])
#: The records are kept in so many lists, by the first bits of the hash of their file.
_BUCKETS = 64
_SHIFT = np.uint64(64 - 6)
#: Bytes of the largest file of which records are sorted. Common Crawl's have 1 GB.
_LARGEST_BITS = 40
_LARGEST = 1 << _LARGEST_BITS


class _Growing:
    """Records in one array with room for more.

    Its memory comes from the system: in a heap, what is between such arrays while they grow would be lost.
    """

    def __init__(self) -> None:
        self._data, self._count = np.empty(0, RECORD), 0

    def add(self, records: npt.NDArray[np.void]) -> None:
        end = self._count + len(records)
        if end > len(self._data):
            size = max(end, 3 * len(self._data) // 2) * RECORD.itemsize
            data = np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), RECORD)
            data[: self._count] = self.records
            self._data = data
        self._data[self._count : end] = records
        self._count = end

    @property
    def records(self) -> npt.NDArray[np.void]:
        return self._data[: self._count]


@dataclass
class Selected:
    """The records that were chosen so far.

    Attributes:
        paths: the files, by their numbers.
        dropped: lines and rows of the index that cannot be read.
    """

    selection: Selection
    only: frozenset[str] | None = None  #: no other files; None for all
    paths: list[str] = field(default_factory=list)
    dropped: int = 0
    _numbers: dict[str, int] = field(default_factory=dict, init=False)
    _hashes: list[int] = field(default_factory=list, init=False)
    _wanted: list[bool] = field(default_factory=list, init=False)
    _buckets: list[_Growing] = field(default_factory=lambda: [_Growing() for _ in range(_BUCKETS)], init=False)
    _held: int = field(default=0, init=False)

    def add(
        self,
        paths: Sequence[str],
        of: npt.NDArray[np.int64],
        offsets: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int64],
        digests: Sequence[str | None],
        moments: npt.NDArray[np.int64],
    ) -> None:
        """Add records that the index names, except those of other machines and those that are not in the sample.

        Args:
            paths: some files.
            of: for each record the position of its file among them.
            digests: SHA-1 in base32, as the index writes it.
            moments: when they were fetched, in Unix seconds; the least number where that is not known.
        """
        if not len(of):
            return
        numbers = np.asarray([self._number(path) for path in paths], np.int64)[of]
        wanted = np.asarray(self._wanted, np.bool_)[numbers]
        wanted &= self.selection.sampled(np.asarray(self._hashes, np.uint64)[numbers], offsets)
        is_place = (offsets >= 0) & (offsets < _LARGEST) & (lengths > 0) & (lengths < 1 << 32)
        self.dropped += int((wanted & ~is_place).sum())
        wanted &= is_place
        rows = np.flatnonzero(wanted)
        part = np.zeros(len(rows), RECORD)
        part["file"], part["offset"], part["length"] = numbers[rows], offsets[rows], lengths[rows]
        part["at"] = np.clip(moments[rows], NEVER, -NEVER - 1)
        part["digest"] = sha1s([digests[row] for row in rows.tolist()])
        buckets = np.asarray(self._hashes, np.uint64)[numbers[rows]] >> _SHIFT
        order = np.argsort(buckets, kind="stable")
        edges = np.searchsorted(buckets[order], np.arange(_BUCKETS + 1, dtype=np.uint64))
        for bucket in np.flatnonzero(edges[1:] > edges[:-1]).tolist():
            self._buckets[bucket].add(part[order[edges[bucket] : edges[bucket + 1]]])
        self._held += len(part)

    def _number(self, path: str) -> int:
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self.paths)
            self.paths.append(path)
            self._hashes.append(hash_of(path))
            self._wanted.append(self.selection.has_file(path) and (self.only is None or path in self.only))
        return number

    def __len__(self) -> int:
        return self._held

    def sorted(self) -> list[npt.NDArray[np.void]]:
        """Return the records, each once, by file in the order of a hash and then by offset. They leave this object.

        Returns:
            Arrays of some MB, so that no more memory is needed than the records have. All records of a file are in one.
        """
        ranks = np.empty(len(self.paths), np.uint32)
        ranks[sorted(range(len(self.paths)), key=self._hashes.__getitem__)] = np.arange(
            len(self.paths), dtype=np.uint32
        )
        found = []
        for number in range(_BUCKETS):
            some, self._buckets[number] = self._buckets[number].records, _Growing()
            if len(some):
                found.append(_sorted(some, ranks))
        self._held = 0
        return found


def _sorted(records: npt.NDArray[np.void], ranks: npt.NDArray[np.uint32]) -> npt.NDArray[np.void]:
    # one number for both
    keys = (ranks[records["file"]].astype(np.uint64) << np.uint64(_LARGEST_BITS)) | records["offset"].astype(np.uint64)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    found: npt.NDArray[np.void] = records[order[np.concatenate([[True], keys[1:] != keys[:-1]])]]
    return found


def unix_of(timestamp: str) -> int:
    """Return the Unix seconds of the 14 digits of an index; the least number where they are no time."""
    try:
        at = datetime(*(int(timestamp[n : n + m]) for n, m in _DIGITS), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return NEVER
    return int(at.timestamp())


_DIGITS = ((0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2))


def by_file(records: npt.NDArray[np.void]) -> Iterator[npt.NDArray[np.void]]:
    """Yield sorted records file by file."""
    edges = np.flatnonzero(records["file"][1:] != records["file"][:-1]) + 1
    if len(records):
        yield from np.split(records, edges)


def sha1s(stated: Sequence[str | None]) -> npt.NDArray[np.bytes_]:
    """Return the bytes of digests in base32, as an array of S20; empty for any other text.

    Eight letters are five bytes. `base64` takes one text after the other: half of the time of a plan of millions.
    """
    found = np.zeros(len(stated), "S20")
    rows = [row for row, text in enumerate(stated) if text is not None and len(text) == 32]
    letters = "".join(stated[row] or "" for row in rows).encode("ascii", "replace")
    values = _BASE32[np.frombuffer(letters, np.uint8)].reshape(-1, 4, 8)
    numbers = (values.astype(np.uint64) << np.arange(35, -1, -5, dtype=np.uint64)).sum(axis=2, dtype=np.uint64)
    data = (numbers[:, :, None] >> np.arange(32, -1, -8, dtype=np.uint64)).astype(np.uint8).reshape(-1, 20)
    right = (values != _NO_LETTER).all(axis=(1, 2))
    found[np.asarray(rows, np.int64)[right]] = np.ascontiguousarray(data[right]).view("S20").ravel()
    return found


_NO_LETTER = 255
_BASE32 = np.full(256, _NO_LETTER, np.uint8)
_BASE32[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")] = np.arange(32)

"""A run: a file of fingerprints in order, of which a look-up reads few pages.

A run has four parts:

- a *filter*: four to eight bits for each text. All upper words are divided into so many equal ranges, and a bit is set
  where a range has a text. Four in five of the texts that are not here need no page;
- *fences*: the first upper word of each page;
- *sums*: the CRC-32 of each page, and of each piece of the filter that is as long as one;
- *pages* of 2 KiB: 128 upper words, then the 128 lower words that belong to them.

The first three are mapped, and take less than a byte for each text; the system may drop them. Pages are read one by
one. Who opens a run checks fences and sums, and nothing else: a page is checked when it is read first. So a look-up
costs the same in a run of any size, also the first one after a restart.
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from archive.intake.hex_names import Pairs, Words

#: The first 128 bits of content ids: the upper and the lower words.
Fingerprints = Pairs

#: Texts in a page.
_PAGE = 128
#: Binary logarithm of the bits for each text in the filter, where their number is a power of two.
_BITS = 2
#: Texts whose pages are read at a time.
_AT_ONCE = 1024
#: Pages begin at a multiple of this, so that none is in two pages of the system.
_ALIGNED = 4096
Bytes = bytes | memoryview
_NO_WORDS: Words = np.empty(0, np.uint64)


class Damaged(OSError):
    """A run is not as it was written."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the parts of a run are."""

    count: int

    @property
    def page_bytes(self) -> int:
        return 16 * _PAGE

    @property
    def pages(self) -> int:
        return -(-self.count // _PAGE)

    @property
    def shift(self) -> int:
        """Bits by which an upper word is shifted to be the number of its range."""
        return 64 - max((self.count - 1).bit_length() + _BITS, 3)

    @property
    def pieces(self) -> int:
        """The number of pieces of the filter."""
        return -(-(1 << (64 - self.shift)) // (8 * self.page_bytes))

    @property
    def fences_at(self) -> int:
        return self.pieces * self.page_bytes

    @property
    def sums_at(self) -> int:
        return self.fences_at + 8 * self.pages

    @property
    def pages_at(self) -> int:
        return -(-(self.sums_at + 4 * (self.pages + self.pieces)) // _ALIGNED) * _ALIGNED

    @property
    def size(self) -> int:
        return self.pages_at + self.pages * self.page_bytes


class Run:
    """A run that is open.

    Args:
        count: its texts.
        sum_of_sums: the CRC-32 of its fences and sums; None for one that this process has just written.

    Raises:
        OSError: there is no such file.
        Damaged: it is not as it was written.
    """

    def __init__(self, path: Path, count: int, sum_of_sums: int | None = None) -> None:
        self.path, self.count = path, count
        at = self._at = _Layout(count)
        self._file = path.open("rb")
        if os.fstat(self._file.fileno()).st_size != at.size:
            self.close()
            raise Damaged(f"{path}: has another length")
        head = mmap.mmap(self._file.fileno(), at.pages_at, access=mmap.ACCESS_READ)
        self.sum_of_sums = zlib.crc32(memoryview(head)[at.fences_at :])
        if sum_of_sums not in {None, self.sum_of_sums}:
            self.close()
            raise self._damaged()
        self._filter = np.frombuffer(head, np.uint8, at.fences_at)
        self._fences = np.frombuffer(head, np.uint64, at.pages, at.fences_at)
        self._sums = np.frombuffer(head, np.uint32, at.pages + at.pieces, at.sums_at)
        self._pages_at = at.pages_at
        self._is_checked = np.full(len(self._sums), sum_of_sums is None)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _damaged(self) -> Damaged:
        return Damaged(f"{self.path}: is damaged")

    def has(self, high: Words, low: Words) -> npt.NDArray[np.bool_]:
        """Tell which fingerprints, in the order of their upper words, are here.

        Raises:
            Damaged: a page is not as it was written.
        """
        found = np.zeros(len(high), np.bool_)
        maybe = self._may_have(high)
        for first in range(0, len(maybe), _AT_ONCE):
            some = maybe[first : first + _AT_ONCE]
            found[some] = self._are_in_pages(high[some], low[some])
        return found

    def _may_have(self, high: Words) -> npt.NDArray[np.int64]:
        """Return where those are that the filter lets through."""
        ranges = high >> np.uint64(self._at.shift)
        at = (ranges >> np.uint64(3)).astype(np.int64)
        pieces = at // self._at.page_bytes
        for piece in _distinct(pieces[~self._is_checked[self._at.pages + pieces]])[0].tolist():
            start = piece * self._at.page_bytes
            self._check(self._at.pages + piece, self._filter[start : start + self._at.page_bytes].tobytes())
        return np.flatnonzero(self._filter[at] & _bit_of(ranges))

    def _are_in_pages(self, high: Words, low: Words) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(high), np.bool_)
        left, pages = np.arange(len(high)), np.maximum(np.searchsorted(self._fences, high) - 1, 0)
        while len(left):  # more than once where texts of one upper word go on in the next page
            distinct, of = _distinct(pages)
            words = self._read(distinct)
            which, at = divmod(np.flatnonzero(words[of, 0] == high[left, np.newaxis]), _PAGE)
            found[left[which[words[of[which], 1, at] == low[left[which]]]]] = True
            pages = pages + 1
            goes_on = pages < self._at.pages
            goes_on[goes_on] = self._fences[pages[goes_on]] == high[left[goes_on]]
            left, pages = left[goes_on], pages[goes_on]
        return found

    def position(self, word: int) -> int:
        """Return how many texts have a smaller upper word."""
        page = max(int(np.searchsorted(self._fences, np.uint64(word))) - 1, 0)
        within = int(np.searchsorted(self._read(np.array([page]))[0, 0], np.uint64(word)))
        return min(page * _PAGE + within, self.count)

    def part(self, first: int, last: int) -> Fingerprints:
        """Return the fingerprints from one position to another.

        Raises:
            Damaged: a page is not as it was written.
        """
        start = first // _PAGE
        pages = np.arange(start, -(-last // _PAGE))
        size = self._at.page_bytes
        data = memoryview(os.pread(self._file.fileno(), len(pages) * size, self._pages_at + start * size))
        words = self._checked(pages, [data[at : at + size] for at in range(0, len(pages) * size, size)], data)
        cut = slice(first - start * _PAGE, last - start * _PAGE)
        high, low = (words[:, which].reshape(-1)[cut] for which in (0, 1))
        return high, low

    def _read(self, pages: npt.NDArray[np.int64]) -> Words:
        """Read pages: (number of pages, 2, 128), upper and lower words."""
        size, start, number = self._at.page_bytes, self._pages_at, self._file.fileno()
        read = [os.pread(number, size, start + page * size) for page in pages.tolist()]
        return self._checked(pages, read, b"".join(read))

    def _checked(self, pages: npt.NDArray[np.int64], read: Sequence[Bytes], data: Bytes) -> Words:
        """Return the words of pages that were read one by one, and all together."""
        for which in np.flatnonzero(~self._is_checked[pages]).tolist():
            self._check(pages[which], read[which])
        if len(data) != len(pages) * self._at.page_bytes:
            raise self._damaged()
        return np.frombuffer(data, np.uint64).reshape(-1, 2, _PAGE)

    def _check(self, which: int, data: Bytes) -> None:
        if zlib.crc32(data) != self._sums[which]:
            raise self._damaged()
        self._is_checked[which] = True


def _distinct(values: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each of some values that are in order once, and for each value where it is among these."""
    first = np.ones(len(values), np.bool_)
    first[1:] = values[1:] != values[:-1]
    return values[first], np.cumsum(first) - 1


def write_run(path: Path, count: int, parts: Iterable[Fingerprints]) -> Run:
    """Write a run of fingerprints, which come in the order of their upper words, and open it.

    Raises:
        OSError: it cannot be written.
    """
    at = _Layout(count)
    fences, sums, written = list[Words](), list[int](), 0
    with path.open("w+b") as file:
        file.truncate(at.size)
        for high, low in _in_whole_pages(parts):
            data = np.stack([high.reshape(-1, _PAGE), low.reshape(-1, _PAGE)], axis=1).tobytes()
            file.seek(at.pages_at + 16 * written)
            file.write(data)
            _add_to_filter(file, at, high)
            fences.append(high[::_PAGE].copy())
            sums += _sums_of(data, at)
            written += len(high)
        file.seek(0)
        for _ in range(at.pieces):
            sums += _sums_of(file.read(at.page_bytes), at)
        file.seek(at.fences_at)
        file.write(np.concatenate(fences).tobytes())
        file.write(np.array(sums, np.uint32).tobytes())
    return Run(path, count)


def _in_whole_pages(parts: Iterable[Fingerprints]) -> Iterator[Fingerprints]:
    """Yield parts that end with a page. The last page is filled up with its last text."""
    rest: Fingerprints = _NO_WORDS, _NO_WORDS
    for part in parts:
        high, low = (np.concatenate(words) for words in zip(rest, part, strict=True))
        end = len(high) // _PAGE * _PAGE
        rest = high[end:], low[end:]
        if end:
            yield high[:end], low[:end]
    if more := len(rest[0]):
        high, low = (np.append(words, np.full(_PAGE - more, words[-1])) for words in rest)
        yield high, low


def _add_to_filter(file: BinaryIO, at: _Layout, high: Words) -> None:
    """Set the bits of upper words, which are in their order and behind those that came before."""
    ranges = high >> np.uint64(at.shift)
    of = (ranges >> np.uint64(3)).astype(np.int64)
    starts = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
    window = np.zeros(int(of[-1] - of[0]) + 1, np.uint8)
    window[of[starts] - of[0]] = np.bitwise_or.reduceat(_bit_of(ranges), starts)
    file.seek(int(of[0]))
    window[0] |= file.read(1)[0]  # it may have bits of the part before
    file.seek(int(of[0]))
    file.write(window.tobytes())


def _bit_of(ranges: Words) -> npt.NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (ranges & np.uint64(7)).astype(np.uint8))


def _sums_of(data: bytes, at: _Layout) -> list[int]:
    view = memoryview(data)
    return [zlib.crc32(view[start : start + at.page_bytes]) for start in range(0, len(data), at.page_bytes)]

"""A run: a file of fingerprints in order, of which a look-up touches few pages.

A run has four parts:

- *pages* of 4 KiB: 256 upper words, then the 256 lower words that belong to them;
- a *filter*: four to eight bits for each text. All upper words are divided into so many equal ranges, and a bit is set
  where a range has a text. Four in five of the texts that are not here need no page;
- *fences*: the first upper word of each page;
- *sums*: the CRC-32 of each page of the first two parts.

Who opens a run checks fences and sums, which are a three-hundredth of it. A page is checked when it is touched first. So
what a look-up costs does not grow with the run, also not that of the first one after a restart.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from archive.intake.hex_names import Pairs, Words

#: The first 128 bits of content ids: the upper and the lower words.
Fingerprints = Pairs

#: Texts in a page.
_PAGE = 256
#: Binary logarithm of the bits for each text in the filter, where their number is a power of two.
_BITS = 2
#: Pages that a look-up touches before it gives them back.
_TOUCHED = 1024
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
    def filter_at(self) -> int:
        return self.pages * self.page_bytes

    @property
    def filter_pages(self) -> int:
        return -(-(1 << (64 - self.shift)) // (8 * self.page_bytes))

    @property
    def fences_at(self) -> int:
        return self.filter_at + self.filter_pages * self.page_bytes

    @property
    def sums_at(self) -> int:
        return self.fences_at + 8 * self.pages

    @property
    def size(self) -> int:
        return self.sums_at + 4 * (self.pages + self.filter_pages)


class Run:
    """A run that is open. Its pages are mapped, so that the system may drop them.

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
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._map) != at.size:
            raise Damaged(f"{path}: has another length")
        self.sum_of_sums = zlib.crc32(memoryview(self._map)[at.fences_at :])
        if sum_of_sums not in {None, self.sum_of_sums}:
            raise Damaged(f"{path}: is damaged")
        self._words = np.frombuffer(self._map, np.uint64, at.pages * 2 * _PAGE)
        self._pages = self._words.reshape(-1, 2, _PAGE)
        self._filter = np.frombuffer(self._map, np.uint8, at.filter_pages * at.page_bytes, at.filter_at)
        self._fences = np.frombuffer(self._map, np.uint64, at.pages, at.fences_at)
        self._sums = np.frombuffer(self._map, np.uint32, at.pages + at.filter_pages, at.sums_at)
        self._is_checked = np.full(len(self._sums), sum_of_sums is None)

    def release(self) -> None:
        """Give the pages of texts back to the system, which may still hold them."""
        if hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED, 0, self._at.filter_at)

    def has(self, high: Words, low: Words, sparing: bool = True) -> npt.NDArray[np.bool_]:
        """Tell which fingerprints, in the order of their upper words, are here.

        Args:
            sparing: keep few pages of it, and find them again the next time.

        Raises:
            Damaged: a page is not as it was written.
        """
        found = np.zeros(len(high), np.bool_)
        maybe = self._may_have(high)
        for first in range(0, len(maybe), _TOUCHED):
            some = maybe[first : first + _TOUCHED]
            found[some] = self._are_in_pages(high[some], low[some])
            if sparing:
                self.release()
        return found

    def _may_have(self, high: Words) -> npt.NDArray[np.int64]:
        """Return where those are that the filter lets through."""
        ranges = high >> np.uint64(self._at.shift)
        at = (ranges >> np.uint64(3)).astype(np.int64)
        self._check(self._at.pages + at // self._at.page_bytes)
        return np.flatnonzero(self._filter[at] & _bit_of(ranges))

    def _are_in_pages(self, high: Words, low: Words) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(high), np.bool_)
        left, at = np.arange(len(high)), self._find(high)
        while len(left):  # more than once where different texts have the same upper word
            inside = at < self._at.pages * _PAGE
            left, at = left[inside], at[inside]
            self._check(at // _PAGE)
            same = self._words[_upper(at)] == high[left]
            left, at = left[same], at[same]
            found[left] = self._words[_upper(at) + _PAGE] == low[left]
            more = ~found[left]
            left, at = left[more], at[more] + 1
        return found

    def _find(self, high: Words) -> npt.NDArray[np.int64]:
        """Return the position of the first text with each of these upper words: binary search in one page for each."""
        pages = np.maximum(np.searchsorted(self._fences, high) - 1, 0)
        self._check(pages)
        at = pages * _PAGE
        step = _PAGE // 2
        while step:
            at += step * (self._words[_upper(at) + step - 1] < high)
            step //= 2
        return at + (self._words[_upper(at)] < high)

    def position(self, word: int) -> int:
        """Return how many texts have a smaller upper word."""
        page = max(int(np.searchsorted(self._fences, np.uint64(word))) - 1, 0)
        self._check(np.array([page]))
        return min(page * _PAGE + int(np.searchsorted(self._pages[page, 0], np.uint64(word))), self.count)

    def part(self, first: int, last: int) -> Fingerprints:
        """Return the fingerprints from one position to another.

        Raises:
            Damaged: a page is not as it was written.
        """
        pages = slice(first // _PAGE, -(-last // _PAGE))
        self._check(np.arange(pages.start, pages.stop))
        cut = slice(first - pages.start * _PAGE, last - pages.start * _PAGE)
        high, low = (self._pages[pages, which].reshape(-1)[cut] for which in (0, 1))
        return high, low

    def _check(self, pages: npt.NDArray[np.int64]) -> None:
        new = pages[~self._is_checked[pages]]
        for page in np.unique(new).tolist() if len(new) else ():
            if _sum_of(self._map, page * self._at.page_bytes) != self._sums[page]:
                raise Damaged(f"{self.path}: is damaged")
            self._is_checked[page] = True


def _upper(at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where the upper words of positions are among all words of the pages."""
    return at + at // _PAGE * _PAGE


def write_run(path: Path, count: int, parts: Iterable[Fingerprints]) -> Run:
    """Write a run of fingerprints, which come in the order of their upper words, and open it.

    Raises:
        OSError: it cannot be written.
    """
    at = _Layout(count)
    with path.open("w+b") as file:
        file.truncate(at.size)
        fences, written = [], 0
        for high, low in _in_whole_pages(parts):
            file.seek(16 * written)
            file.write(np.stack([high.reshape(-1, _PAGE), low.reshape(-1, _PAGE)], axis=1).tobytes())
            _add_to_filter(file, at, high)
            fences.append(high[::_PAGE])
            written += len(high)
        sums = [_sum_of(data, start) for data in _chunks(file, at) for start in range(0, len(data), at.page_bytes)]
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
    file.seek(at.filter_at + int(of[0]))
    window[0] |= file.read(1)[0]  # it may have bits of the part before
    file.seek(at.filter_at + int(of[0]))
    file.write(window.tobytes())


def _bit_of(ranges: Words) -> npt.NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (ranges & np.uint64(7)).astype(np.uint8))


def _chunks(file: BinaryIO, at: _Layout) -> Iterator[bytes]:
    """Yield the pages of texts and of the filter, some at a time."""
    file.seek(0)
    while left := at.fences_at - file.tell():
        yield file.read(min(left, 256 * at.page_bytes))


def _sum_of(data: bytes | mmap.mmap, start: int) -> int:
    return zlib.crc32(memoryview(data)[start : start + 16 * _PAGE])

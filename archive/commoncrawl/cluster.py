"""The sorted index of a crawl (ZipNum): lines in blocks (`cdx-00000.gz` …), and the first line of each (`cluster.idx`).

A line of cluster.idx is the key and the time of the block's first line, and where the block is: file, offset, length.
It is searched by ranges of 64 KiB, so that no index server is needed; for many addresses it is fetched as a whole.
"""

from __future__ import annotations

import json
import mmap
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive.commoncrawl import api
from archive.commoncrawl.answers import EndsBefore
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.listings import index_files
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import Selected, unix_of
from archive.commoncrawl.selection import KeyRange, Selection
from archive.errors import SourceError
from archive.sources.take import joined

#: Bytes of cluster.idx that are asked for at once.
PAGE = 1 << 16
#: So many stretches of keys, or more, take the whole of cluster.idx.
MANY = 50
#: A part of the index with no more bytes has no line: a compressed file of nothing.
_NO_LINES = 64
#: Bytes of blocks that are asked for at once, at most.
_MOST = 8 << 20
#: Bytes of the largest block, and of its lines: of Common Crawl's, with 3,000 lines each, they are 0.3 and 1.5 MB.
_LARGEST_BLOCK, _LARGEST_LINES = 64 << 20, 256 << 20
#: Blocks of one selection are kept on this machine if they have no more bytes.
_KEPT = 32 << 20
#: Pages of cluster.idx that are held.
_REMEMBERED = 16
#: Records that are added at once.
_TOGETHER = 1 << 14


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of the index, compressed."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What is read with one request: blocks of one file, one behind the other."""

    path: str
    start: int
    stop: int
    blocks: tuple[Block, ...]


class Cluster:
    """The sorted index of one crawl.

    Raises:
        SourceError: the crawl has none.
    """

    def __init__(self, reach: Reach, crawl: Crawl) -> None:
        self._reach, self.crawl = reach, crawl
        files = index_files(reach, crawl)
        self._files = {path.rpartition("/")[2]: path for path in files if path.endswith(".gz")}
        found = [path for path in files if path.endswith("/cluster.idx")]
        if not found or not self._files:
            raise SourceError(f"{crawl.id}: its list of index files names no cluster.idx")
        self._path = found[0]
        self._map: mmap.mmap | bytes | None = None
        self._pages: dict[int, bytes] = {}
        self._edges: dict[int, tuple[bytes, bytes]] = {}  # the first and the last line of pages
        self._size: int | None = None

    # -- the bytes of cluster.idx ------------------------------------------------------------------

    def _page(self, number: int) -> bytes:
        data = self._pages.get(number)
        if data is None:
            if self._map is not None:
                data = self._map[number * PAGE : (number + 1) * PAGE]
            else:
                data = self._fetched(number)
            self._require_order(number, data)
            while len(self._pages) >= _REMEMBERED:
                del self._pages[next(iter(self._pages))]
            self._pages[number] = data
        return data

    def _fetched(self, number: int) -> bytes:
        name = f"{self._path}.pages/{number}"
        data = self._reach.cache.get(name)
        start, stop = number * PAGE, min((number + 1) * PAGE, self.size)
        if data is None or len(data) != stop - start:
            try:
                data = self._reach.mirror.read(self._path, start, stop)
            except EndsBefore:
                self._forget()  # its length was another one
                raise
            self._reach.cache.put(name, data)
        return data

    def _forget(self) -> None:
        """Take what is kept of an index out of the cache: something of it is wrong."""
        for name in (self._path, f"{self._path}.size", *(f"{self._path}.pages/{each}" for each in self._edges)):
            self._reach.cache.drop(name)

    @property
    def size(self) -> int:
        """Bytes of cluster.idx."""
        if self._size is None:
            name = f"{self._path}.size"
            kept = self._reach.cache.get(name) or b""
            if kept.isdigit():
                self._size = int(kept)
            else:
                data, self._size = self._reach.mirror.tail(self._path, PAGE)
                self._require_end(data)
                self._reach.cache.put(name, str(self._size).encode())
        return self._size

    def _require_end(self, data: bytes) -> None:
        """Check that the index is not cut: what was cut off, a search would miss, and say nothing.

        Args:
            data: the last bytes of cluster.idx.

        Raises:
            SourceError: it is.
        """
        *_, last = data.removesuffix(b"\n").split(b"\n")
        parts = last.split(b"\t")
        named = parts[1].decode("utf-8", "replace").removesuffix(".gz") if len(parts) > 1 else ""
        behind = [path for name, path in self._files.items() if name.removesuffix(".gz") > named]
        if not data.endswith(b"\n") or not named or any(self._reach.mirror.size(path) > _NO_LINES for path in behind):
            raise SourceError(
                f"{self._path}: is cut, or no such index: its last line names no block of {max(self._files)}, but is "
                f"{last[-80:]!r}"
            )

    def _require_order(self, number: int, data: bytes) -> None:
        """Check that the lines of a page are in order, also with the pages that are known.

        Raises:
            SourceError: they are not.
        """
        keys = [line.partition(b"\t")[0] for line in data.split(b"\n")[1 if number else 0 : -1]]
        if not keys:
            return
        before = [each for each in self._edges if each < number]
        after = [each for each in self._edges if each > number]
        low = self._edges[max(before)][1] if before else b""
        high = self._edges[min(after)][0] if after else keys[-1]
        if keys != sorted(keys) or low > keys[0] or keys[-1] > high:
            self._edges[number] = keys[0], keys[-1]
            self._forget()
            raise SourceError(f"{self._path}: its lines are not in order, so that some would not be found")
        self._edges[number] = keys[0], keys[-1]

    def _fetch(self) -> None:
        """Fetch cluster.idx as a whole, once."""
        path = self._reach.cache.path(self._path)
        if not self._reach.cache.has(self._path):

            def write(part: Path) -> None:
                with self._reach.mirror.open(self._path) as source, open(part, "wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)

            if self._reach.cache.write(self._path, write) is None:
                with self._reach.mirror.open(
                    self._path
                ) as source:  # in memory then: by pages it takes thousands of requests
                    self._map = source.read()
                    self._size = len(self._map)
                    self._require_end(self._map[-PAGE:])
                return
        self._size = path.stat().st_size
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self._size else None
        try:
            self._require_end(b"" if self._map is None else self._map[-PAGE:])
        except SourceError:
            self._map = self._size = None
            path.unlink(missing_ok=True)
            raise

    @property
    def pages(self) -> int:
        """How many pages cluster.idx has."""
        return -(-self.size // PAGE)

    def count(self) -> int:
        """Return how many blocks the index has: its last line says it.

        Raises:
            SourceError: it says nothing such.
        """
        *_, last = self._lines(max(self.pages - 1, 0)) if self.pages else [b""]
        parts = last.split(b"\t")
        if len(parts) < 5 or not parts[4].strip().isdigit():
            raise SourceError(f"{self._path}: no line of such an index: {last[:100]!r}")
        return int(parts[4])

    def blocks_of_page(self, number: int) -> list[Block]:
        """Return the blocks whose lines are in a page as a whole.

        Raises:
            SourceError: it cannot be read.
        """
        lines = self._page(number).split(b"\n")
        return [self._block(line) for line in lines[1 if number else 0 : -1]]

    # -- searching ---------------------------------------------------------------------------------

    def blocks(self, ranges: Sequence[KeyRange]) -> list[Block]:
        """Return the blocks that may hold lines of some stretches of keys, in the order of the index.

        Args:
            ranges: in order; none for the whole index.

        Raises:
            SourceError: the index cannot be read, or is none.
        """
        if len(ranges) >= MANY or not ranges or self._reach.cache.has(self._path):
            self._fetch()
        found: dict[Block, None] = {}
        for low, high in ranges or [(b"", b"\xff")]:
            for block in self._between(low, high):
                found.setdefault(block)
        return list(found)

    def _between(self, low: bytes, high: bytes) -> Iterator[Block]:
        """Yield the blocks of one stretch: the one in front of its first line, and all that begin in it."""
        before: Block | None = None
        for line in self._lines(self._start(low)):
            block = self._block(line)
            if line < low:
                before = block
                continue
            if before is not None:
                yield before
                before = None
            if line >= high:
                return
            yield block
        if before is not None:
            yield before

    def _start(self, low: bytes) -> int:
        """Return where to read from: the start of a line that is in front of `low`, or the start of the file."""
        first, last = 0, max(-(-self.size // PAGE) - 1, 0)  # the page of the last line in front of `low`
        while first < last:
            middle = (first + last + 1) // 2
            line = self._first_line(middle)
            if line is not None and line < low:
                first = middle
            else:
                last = middle - 1
        return first

    def _first_line(self, number: int) -> bytes | None:
        """Return the first line that begins in a page, as far as the page has it; None if none does."""
        data = self._page(number)
        at = 0 if number == 0 else data.find(b"\n") + 1
        if number and not at:
            return None
        return data[at:].partition(b"\n")[0] or None

    def _lines(self, number: int) -> Iterator[bytes]:
        """Yield the lines that begin in a page, or in one behind it."""
        pages, rest = -(-self.size // PAGE), b""
        for each in range(number, pages):
            data = self._page(each)
            if each == number and number:
                data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def _block(self, line: bytes) -> Block:
        parts = line.split(b"\t")
        try:
            name, offset, length = parts[1].decode(), int(parts[2]), int(parts[3])
            if not (0 <= offset < 1 << 40 and 0 < length <= _LARGEST_BLOCK):
                raise ValueError
            return Block(self._files[name if name.endswith(".gz") else f"{name}.gz"], offset, length)
        except (IndexError, ValueError, KeyError):
            self._forget()
            raise SourceError(f"{self._path}: no line of such an index: {line[:100]!r}") from None

    # -- reading -----------------------------------------------------------------------------------

    def asked(self, blocks: Sequence[Block]) -> list[Asked]:
        """Return the requests that read some blocks."""
        found: list[Asked] = []
        by_path: dict[str, list[Block]] = {}
        for block in blocks:
            by_path.setdefault(block.path, []).append(block)
        for path, of_file in by_path.items():
            of_file.sort(key=lambda block: block.offset)
            starts = np.asarray([block.offset for block in of_file], np.int64)
            stops = starts + np.asarray([block.length for block in of_file], np.int64)
            first = joined(starts, stops, 0, _MOST).tolist()
            for begin, stop in zip(first, [*first[1:], len(of_file)], strict=True):
                found.append(Asked(path, int(starts[begin]), int(stops[stop - 1]), tuple(of_file[begin:stop])))
        return found

    def lines(self, selection: Selection) -> Iterator[bytes]:
        """Yield the lines of the wanted addresses.

        Raises:
            SourceError: a block cannot be read.
        """
        requests = self.asked(self.blocks(selection.key_ranges))
        keep = sum(each.stop - each.start for each in requests) <= _KEPT
        for each in requests:
            yield from (line for line in self._read(each, keep) if line and selection.holds_key(line))

    def lines_of(self, block: Block) -> Iterator[bytes]:
        """Yield the lines of one block.

        Raises:
            SourceError: it cannot be read.
        """
        asked = Asked(block.path, block.offset, block.offset + block.length, (block,))
        yield from (line for line in self._read(asked, True) if line)

    def _read(self, asked: Asked, keep: bool) -> Iterator[bytes]:
        name = f"{asked.path}.blocks/{asked.start}-{asked.stop}"

        def fetch() -> bytes:
            data = self._reach.mirror.read(asked.path, asked.start, asked.stop)
            for block in asked.blocks:
                _unpacked(data, block, asked)  # no damaged block is kept
            return data

        data = (
            self._reach.cache.kept(name, fetch)
            if keep
            else self._reach.mirror.read(asked.path, asked.start, asked.stop)
        )
        for block in asked.blocks:
            yield from _unpacked(data, block, asked).split(b"\n")


def _unpacked(data: bytes, block: Block, asked: Asked) -> bytes:
    rest = data[block.offset - asked.start :][: block.length]
    lines = b""
    try:
        while rest:  # a block may have several members
            member = zlib.decompressobj(31)
            lines += member.decompress(rest, _LARGEST_LINES - len(lines) + 1)
            if len(lines) > _LARGEST_LINES:
                raise zlib.error(f"it has more than {_LARGEST_LINES:,} bytes")
            if not member.eof:
                raise zlib.error("incomplete or truncated stream")
            rest = member.unused_data
    except zlib.error as error:
        raise SourceError(f"{block.path}: the block at byte {block.offset:,} is damaged ({error})") from None
    return lines


def select(reach: Reach, crawl: Crawl, selection: Selection, into: Selected) -> None:
    """Add the records that the sorted index of a crawl has of a selection.

    Raises:
        SourceError: the index cannot be read.
    """
    answer = api.lines(reach, crawl, selection)
    add_lines(Cluster(reach, crawl).lines(selection) if answer is None else answer, selection, into)


def add_lines(lines: Iterable[bytes], selection: Selection, into: Selected) -> None:
    """Add the records that lines of the sorted index name, as far as they are wanted."""
    rows: list[tuple[str, int, int, str | None, int]] = []
    for line in lines:
        try:
            _, timestamp, text = line.decode("utf-8", "replace").split(" ", 2)
            fields = json.loads(text)
            digest = fields.get("digest")
            row = (
                _text(fields["filename"]),
                _within_64_bits(int(fields["offset"])),
                _within_64_bits(int(fields["length"])),
                digest if isinstance(digest, str) else None,
            )
            wanted = selection.takes(timestamp, fields)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            into.dropped += 1
            continue
        if wanted:
            rows.append((*row, unix_of(timestamp)))
            if len(rows) == _TOGETHER:
                _add(rows, into)
                rows = []
    _add(rows, into)


def _text(value: str) -> str:
    value.encode()  # raises where it is no text, or half of a letter
    return value


def _within_64_bits(number: int) -> int:
    if number.bit_length() > 63:
        raise ValueError(f"{number} is no place in a file")
    return number


def _add(rows: list[tuple[str, int, int, str | None, int]], into: Selected) -> None:
    if not rows:
        return
    names, offsets, lengths, digests, moments = zip(*rows, strict=True)
    paths = list(dict.fromkeys(names))
    at = {path: number for number, path in enumerate(paths)}
    into.add(
        paths,
        np.asarray([at[name] for name in names], np.int64),
        np.asarray(offsets, np.int64),
        np.asarray(lengths, np.int64),
        digests,
        np.asarray(moments, np.int64),
    )

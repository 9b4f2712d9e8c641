"""JSON lines: the lines of a file, plain or compressed, and their rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, BinaryIO

from archive.errors import SourceError
from archive.records.base import Address, Item, Look, Reader, Reading, sought
from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of
from archive.records.rows import Row, column_names, object_of, opened, row_of

#: Bytes of the longest line of which the columns, or the values, are read.
_LINE = 1 << 28
#: How many rows the columns are taken from. A column that none of them has is taken for a mistyped one.
_FIRST = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file with its line end; or, with `problem`, a stretch of the file that is none."""

    offset: int
    skip: int
    length: int | None
    data: bytes = b""
    problem: str | None = None
    detail: str = ""


def _begins_object(data: bytes) -> bool:
    return data.lstrip().startswith(b"{")


def read_lines(
    file: BinaryIO,
    max_line: int,
    start: int = 0,
    begins: Callable[[bytes], bool] = _begins_object,
    blank: bool = False,
) -> Iterator[Line]:
    """Yield the lines of a file that are not blank. The file is plain, gzip, zstd or lz4.

    Args:
        max_line: bytes of the longest line that is held.
        start: the offset of the line, or of the compressed member, to begin at.
        begins: whether decompressed bytes begin like a line. Behind damage, only such a member counts.
        blank: yield the blank ones too.
    """
    file.seek(0)
    members = Members(file, compression_of(file.read(8)), start, begins)
    cursor = Cursor(members)
    while True:
        offset, skip = cursor.address() if cursor.fill(1) else (0, 0)
        if not cursor.available():
            fault = members.fault
            if fault is None:
                return
            yield Line(fault.member, 0, None, problem=fault.reason, detail=fault.detail)
            if not cursor.resync():
                return
            continue
        end = cursor.find(b"\n", max_line)
        if end < 0 and cursor.available() >= max_line:
            size = _skip_line(cursor)
            yield Line(offset, skip, None, problem="too-large", detail=f"a line of {size} bytes")
            continue
        line = cursor.take(end + 1 if end >= 0 else cursor.available())
        if blank or line.strip(b" \t\r\n\0\xef\xbb\xbf"):
            yield Line(offset, skip, len(line) if not members.compression else None, line)


def _begins_line(file: BinaryIO, offset: int) -> bool:
    file.seek(offset - 1)
    return file.read(1) == b"\n"


def _skip_line(cursor: Cursor) -> int:
    size = 0
    while cursor.fill(1):
        end = cursor.find(b"\n", 1 << 20)
        step = end + 1 if end >= 0 else min(cursor.available(), 1 << 20)
        size += cursor.skip(step)
        if end >= 0:
            break
    return size


def parsed(line: bytes) -> dict[str, Any] | str:
    """Return the object of a line of JSON, or what is wrong with the line.

    By `json`: orjson turns an integer of more than 64 bits into a float without an error, and saves few microseconds of
    the hundreds that a row takes.
    """
    try:
        value = json.loads(line.decode("utf-8-sig"), object_pairs_hook=object_of)
    except (ValueError, RecursionError) as error:
        return str(error)[:200]
    return opened(value) if isinstance(value, dict) else f"a JSON {type(value).__name__}, not an object"


class JsonLines(Reader):
    """JSON lines, plain, gzip, zstd or lz4. An item's offset is that of its line, or of its compressed member."""

    label = "JSON lines"
    has_columns = True

    def recognises(self, look: Look) -> bool:
        return look.text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")

    def read(self, file: BinaryIO, reading: Reading) -> Iterator[tuple[str, Item]]:
        for line in read_lines(file, reading.max_record):
            row = line.detail if line.problem else parsed(line.data)
            if isinstance(row, str):
                problem = line.problem or "bad-row"
                yield reading.name, Row(line.offset, line.skip, line.length, problem=problem, detail=row)
            else:
                yield reading.name, row_of(row, reading.columns, line.offset, line.skip, line.length)

    def find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[Iterable[tuple[Address | None, Item]]]:
        file.seek(0)
        if reading.walk and compression_of(file.read(8)) is not None:
            yield self._walk(file, addresses)
        else:
            yield self._find(file, addresses, reading)

    def _walk(self, file: BinaryIO, addresses: Collection[Address]) -> Iterator[tuple[Address | None, Item]]:
        for line in sought(read_lines(file, _LINE), addresses):
            if not line.problem and isinstance(row := parsed(line.data), dict):
                yield (line.offset, line.skip), Row(line.offset, line.skip, line.length, values=row)

    def _find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[tuple[Address | None, Item]]:
        file.seek(0)
        is_plain = compression_of(file.read(8)) is None
        for offset, group in groupby(addresses, key=lambda address: address[0]):
            wanted = set(group)
            if is_plain and offset and not _begins_line(file, offset):
                continue  # the end of a row may read like a row
            for line in read_lines(file, _LINE, offset):
                address = (line.offset, line.skip)
                if line.offset != offset or not wanted:
                    break
                if address in wanted:
                    wanted.remove(address)
                    if isinstance(row := parsed(line.data), dict):
                        yield address, Row(*address, line.length, values=row)

    def column_names(self, file: BinaryIO) -> list[str]:
        lines = islice(read_lines(file, _LINE), _FIRST)
        rows = (parsed(line.data) for line in lines if not line.problem)
        return list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in column_names(row)))

    def values(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        for line in read_lines(file, _LINE):
            row = f"{line.problem} {line.detail}" if line.problem else parsed(line.data)
            if isinstance(row, str):
                raise SourceError(row)
            yield row


READER = JsonLines()

"""JSON lines: the lines of a file, plain or compressed, and the rows that they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of
from archive.records.rows import Columns, Row, row_of


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a JSON lines file with its line end, or what stands in the way of one."""

    offset: int
    skip: int
    length: int | None
    data: bytes = b""
    problem: str | None = None
    detail: str = ""


def read_lines(file: BinaryIO, max_line: int, start: int = 0) -> Iterator[Line]:
    """The lines of a file from a line or member on, plain, gzip, zstd or lz4, without blank ones."""
    file.seek(0)
    members = Members(file, compression_of(file.read(8)), start, lambda data: data.lstrip().startswith(b"{"))
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
        if line.strip(b" \t\r\n\0\xef\xbb\xbf"):
            yield Line(offset, skip, len(line) if not members.compression else None, line)


def read_jsonl(file: BinaryIO, columns: Columns, max_line: int) -> Iterator[Row]:
    """The rows of a JSON lines file, plain, gzip, zstd or lz4."""
    for line in read_lines(file, max_line):
        if line.problem:
            yield Row(line.offset, line.skip, line.length, problem=line.problem, detail=line.detail)
        else:
            yield _parse_line(line.data, columns, line.offset, line.skip, line.length)


def _skip_line(cursor: Cursor) -> int:
    size = 0
    while cursor.fill(1):
        end = cursor.find(b"\n", 1 << 20)
        step = end + 1 if end >= 0 else min(cursor.available(), 1 << 20)
        size += cursor.skip(step)
        if end >= 0:
            break
    return size


def _parse_line(line: bytes, columns: Columns, offset: int, skip: int, length: int | None) -> Row:
    row = parsed(line)
    if isinstance(row, str):
        return Row(offset, skip, length, problem="bad-row", detail=row)
    return row_of(row, columns, offset, skip, length)


def parsed(line: bytes) -> dict[str, Any] | str:
    """The object of a line of JSON, or what is wrong with the line."""
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return str(error)[:200]
    return value if isinstance(value, dict) else f"a JSON {type(value).__name__}, not an object"

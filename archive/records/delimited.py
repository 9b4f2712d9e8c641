"""Tables as text with a row of names in front: CSV and TSV, plain or compressed.

Such a file says nothing of itself. Encoding, delimiter, quotes and escapes are those with which most rows at its
beginning have as many fields as there are names. A row with more or fewer is none: nobody knows which column is which.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from chardetng_py import EncodingDetector

from archive.errors import SourceError
from archive.records.base import Address, Item, Look, Reader, Reading
from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of
from archive.records.rows import DATE, HTML, TEXT, URL, Repeating, Row, opened, row_of

_NAMES = re.compile(r"\.(?:csv|tsv|tab)(?:\.(?:gz|zst|zstd|lz4))?$")
_TABBED = re.compile(r"\.(?:tsv|tab)(?:\.\w+)?$")
#: Bytes at the beginning of which the layout is taken.
_SAMPLE = 1 << 20
_SAMPLE_ROWS = 200
#: Bytes of the largest row of which the values are read.
_LARGEST = 1 << 28
#: Characters of the longest name of a column, in a file that its name does not call a table.
_LONGEST_NAME = 64
#: Lines that a row may have, since each takes some memory of its own.
_MOST_LINES = 1 << 18
#: Bytes that are read again behind quotes that have no end.
_AGAIN = 1 << 28
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: Python's names of encodings that the detector calls otherwise.
_PYTHON_NAMES = {"windows-874": "cp874", "euc-kr": "cp949", "shift_jis": "cp932", "gbk": "gb18030"}

csv.field_size_limit(_LARGEST)  # of this process; rows are bounded by their bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file writes its rows."""

    encoding: str = "utf-8"
    newline: str = "\n"
    delimiter: str = ","
    quoted: bool = True  #: fields may be in quotes
    escape: str | None = None  #: what is in front of a quote in quotes; None where quotes are doubled
    begin: int = 0  #: bytes of the byte order mark

    def reader(self, lines: Iterable[str]) -> Any:
        """Return a reader of lines that refuses what breaks the rules of quotes."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE,
            doublequote=self.escape is None,
            escapechar=self.escape,
            strict=True,
        )


def layout_of(sample: bytes, name: str) -> tuple[Layout, list[str]]:
    """Return the layout of a file, and the names of its columns; no names where there is no line.

    Args:
        sample: its first bytes.
        name: of the file, in lower case.
    """
    encoding, begin = _encoding_of(sample)
    text = sample[begin:].decode(encoding, "replace")
    newline = "\n" if "\n" in text or "\r" not in text else "\r"
    lines = re.findall(rf"[^{newline}]*{newline}|[^{newline}]+$", text)
    if len(lines) > 1 and len(sample) >= _SAMPLE:
        del lines[-1]  # it is cut
    delimiters = "\t,;|" if _TABBED.search(name) else ",\t;|"
    best: tuple[Any, ...] | None = None
    for delimiter in delimiters:
        for quoted, escape in ((True, None), (True, "\\"), (False, None)):
            layout = Layout(encoding, newline, delimiter, quoted, escape, begin)
            if (not quoted and delimiter in ",;") or (escape and '\\"' not in text):
                continue  # where quotes are always quotes; and where nothing is escaped
            names, share = _fitting(layout, lines)
            if escape or not quoted:  # a few bad rows are no reason for it
                share -= 0.02
            known = len({*names} & _KNOWN)
            if best is None or (known, len(names) > 1, share) > best[0]:
                best = ((known, len(names) > 1, share), layout, names)
    assert best is not None
    return best[1], best[2]


_KNOWN = frozenset(TEXT + HTML + DATE + URL)


def _encoding_of(sample: bytes) -> tuple[str, int]:
    """Return the encoding of a file by its first bytes, and how many of them are a byte order mark."""
    for bom, encoding in _BOMS:
        if sample.startswith(bom):
            return encoding, len(bom)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
        return "utf-8", 0
    except UnicodeDecodeError:
        detector = EncodingDetector()
        detector.feed(sample, last=True)
        found = str(detector.guess(tld=None, allow_utf8=True)).lower()
        found = _PYTHON_NAMES.get(found, found)
        try:
            return codecs.lookup(found).name, 0
        except LookupError:
            return "cp1252", 0


def _fitting(layout: Layout, lines: list[str]) -> tuple[list[str], float]:
    """Return the names of the columns, and the share of the first rows that have as many fields."""
    reader, good, bad = layout.reader(lines), 0, 0
    names: list[str] | None = None
    while good + bad < _SAMPLE_ROWS:
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error:
            bad += 1
            continue
        if names is None:
            names = _names(fields) if any(fields) else None
        elif fields:
            good, bad = (good + 1, bad) if _fits(fields, names) else (good, bad + 1)
    return names or [], good / (good + bad) if good + bad else 1.0


def _names(fields: list[str]) -> list[str]:
    return [field.strip() for field in fields]


def _fits(fields: list[str], names: list[str]) -> bool:
    """Return whether a row has a field for each name; empty ones more are no fields."""
    return len(fields) == len(names) or (len(fields) > len(names) and not any(fields[len(names) :]))


@dataclass(frozen=True, slots=True)
class _Line:
    offset: int
    skip: int
    size: int
    text: str = ""
    problem: str | None = None
    detail: str = ""


class _Broken(Exception):
    """Raised at a line that cannot be read."""

    def __init__(self, line: _Line) -> None:
        super().__init__(line.problem)
        self.line = line


class _TooLarge(Exception):
    """Raised where a row is larger than the limit."""


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of a row with its address; or, with `problem`, what is there in place of one."""

    offset: int
    skip: int
    length: int | None
    fields: list[str] | None = None
    problem: str | None = None
    detail: str = ""


class _Table:
    """The rows of a file, in their order, behind the names of the columns. It holds one row."""

    def __init__(self, file: BinaryIO, name: str, limit: int) -> None:
        file.seek(0)
        self._members = Members(file, compression_of(file.read(8)), 0, _begins_none)
        self._cursor, self._limit = Cursor(self._members), limit
        self.layout, _ = layout_of(self._cursor.peek(_SAMPLE), name.lower())
        self._cursor.skip(self.layout.begin)
        self._lines = self._all_lines()
        self._before: deque[_Line] = deque()  # lines that are read again
        self._taken: list[_Line] = []
        self._size = 0
        self._again = 0
        self._records = self._all()
        self._head = next((each for each in self._records if each.fields is None or any(each.fields)), None)
        self.names = _names(self._head.fields) if self._head and self._head.fields else []

    def __iter__(self) -> Iterator[_Fields]:
        if self._head and self._head.fields is None:  # without names no row can be read
            yield self._head
            return
        for each in self._records:
            if each.fields is not None and not _fits(each.fields, self.names):
                detail = f"{len(each.fields)} fields, and there are {len(self.names)} names of columns"
                yield _Fields(each.offset, each.skip, each.length, problem="bad-row", detail=detail)
            else:
                yield each

    def row(self, fields: list[str]) -> dict[str, Any]:
        """Return the row of its fields. A column without a name is none."""
        row = {name: value for name, value in zip(self.names, fields, strict=False) if name}
        return opened(row if len(row) == sum(map(bool, self.names)) else Repeating(row))

    def _all(self) -> Iterator[_Fields]:
        reader = self.layout.reader(self._feed())
        while True:
            self._taken, self._size = [], 0
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._refused("bad-row", str(error))
            except _TooLarge:
                yield self._refused("too-large", f"a row of more than {self._limit} bytes or {_MOST_LINES} lines")
            except _Broken as broken:
                line = broken.line
                yield _Fields(line.offset, line.skip, None, problem=line.problem, detail=line.detail)
            else:
                if fields:
                    yield _Fields(*self._address_of(self._taken), fields=fields)
                continue
            reader = self.layout.reader(self._feed())

    def _address_of(self, lines: list[_Line]) -> tuple[int, int, int | None]:
        length = None if self._members.compression else sum(line.size for line in lines)
        return lines[0].offset, lines[0].skip, length

    def _refused(self, problem: str, detail: str) -> _Fields:
        """Return the problem of a row, and read the lines behind its first one again: the row may have ended there."""
        where = self._taken[:1]
        self._again += self._size
        if self._again <= _AGAIN:
            self._before.extendleft(reversed(self._taken[1:]))
        else:
            where = self._taken
        return _Fields(*self._address_of(where), problem=problem, detail=detail)

    def _feed(self) -> Iterator[str]:
        while True:
            line = self._before.popleft() if self._before else next(self._lines, None)
            if line is None:
                return
            if line.problem:
                raise _Broken(line)
            self._taken.append(line)
            self._size += line.size
            if self._size > self._limit or len(self._taken) > _MOST_LINES:
                raise _TooLarge
            yield line.text

    def _all_lines(self) -> Iterator[_Line]:
        cursor, layout = self._cursor, self.layout
        mark = layout.newline.encode(layout.encoding)
        while cursor.fill(1):
            offset, skip = cursor.address()
            end = self._find(mark)
            if end < 0 and cursor.available() >= self._limit:
                size = self._skip_line(mark)
                yield _Line(offset, skip, size, problem="too-large", detail=f"a line of {size} bytes")
                continue
            data = cursor.take(end + len(mark) if end >= 0 else cursor.available())
            if end < 0 and self._members.fault:
                break  # it is cut, and would look like a whole one
            yield _Line(offset, skip, len(data), data.decode(layout.encoding, "replace"))
        if fault := self._members.fault:
            yield _Line(fault.member, 0, 0, problem=fault.reason, detail=fault.detail)

    def _find(self, mark: bytes) -> int:
        """Return the distance to the next line end, or -1 if it is not within the limit."""
        if len(mark) == 1:
            return self._cursor.find(mark, self._limit)
        size = 1 << 12
        while True:
            data = self._cursor.peek(min(size, self._limit))
            at = data.find(mark)
            while at >= 0 and at % len(mark):
                at = data.find(mark, at + 1)
            if at >= 0 or len(data) < size:
                return at
            size *= 4

    def _skip_line(self, mark: bytes) -> int:
        size = 0
        while self._cursor.fill(1):
            end = self._cursor.find(mark, 1 << 20)
            step = end + len(mark) if end >= 0 else min(self._cursor.available(), 1 << 20)
            size += self._cursor.skip(step)
            if end >= 0 and (size % len(mark) == 0):
                break
        return size


class Delimited(Reader):
    """CSV and TSV, plain, gzip, zstd or lz4. A row's offset is that of its first line, or of its compressed member."""

    label = "CSV"
    has_columns = True

    def recognises(self, look: Look) -> bool:
        if not _may_be_table(look.text):
            return False
        _, names = layout_of(look.text, look.name)
        there = {*names}
        return (
            len(names) > 1
            and max(map(len, names)) <= _LONGEST_NAME
            and not there.isdisjoint(TEXT + HTML)
            and not there.isdisjoint(DATE + URL)
        )

    def accepts(self, look: Look) -> bool:
        return _NAMES.search(look.name) is not None and _may_be_table(look.text)

    def read(self, file: BinaryIO, reading: Reading) -> Iterator[tuple[str, Item]]:
        table = _Table(file, reading.name, reading.max_record)
        for each in table:
            where = (each.offset, each.skip, each.length)
            if each.fields is None:
                yield reading.name, Row(*where, problem=each.problem, detail=each.detail)
            else:
                yield reading.name, row_of(table.row(each.fields), reading.columns, *where)

    def find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[Iterable[tuple[Address | None, Item]]]:
        yield _find(file, set(addresses), reading.name)

    def column_names(self, file: BinaryIO) -> list[str]:
        table = _Table(file, "", _LARGEST)
        rows = [table.row(each.fields) for each in islice(table, 1) if each.fields is not None]
        return [name for name in dict.fromkeys(rows[0] if rows else table.names) if name]

    def values(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        table = _Table(file, "", _LARGEST)
        for each in table:
            if each.fields is None:
                raise SourceError(f"{each.problem} {each.detail}")
            yield table.row(each.fields)


def _find(file: BinaryIO, wanted: set[Address], name: str) -> Iterator[tuple[Address | None, Item]]:
    """Find rows from the start of the file on: a line inside of quotes may read like a row."""
    table = _Table(file, name, _LARGEST)
    for each in table:
        if not wanted:
            return
        address = (each.offset, each.skip)
        if address in wanted:
            wanted.remove(address)
            if each.fields is not None:
                yield address, Row(*address, each.length, values=table.row(each.fields))


def _begins_none(data: bytes) -> bool:
    """Return False: behind damage nobody knows whether the bytes are in quotes."""
    return False


def _may_be_table(text: bytes) -> bool:
    """Return whether bytes may begin a table: characters, and no markup or JSON."""
    encoding, begin = _encoding_of(text)
    decoded = text[begin:].decode(encoding, "replace")
    return decoded.lstrip()[:1] not in {"", "<", "{", "["} and not _CONTROL.search(decoded)


READER = Delimited()

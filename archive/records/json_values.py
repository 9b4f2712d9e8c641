"""JSON that is not one object a line: a list of objects, an object with such a list, objects over several lines."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from archive.errors import SourceError
from archive.records.base import Address, Item, Look, Reader, Reading
from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of
from archive.records.rows import HTML, TEXT, Row, column_names, object_of, opened, row_of

#: Names under which an object has the list of its rows.
_LISTS = frozenset({"data", "rows", "records", "items", "documents", "docs", "results", "examples", "hits", "entries"})
#: Bytes of the largest object of which the values are read.
_LARGEST = 1 << 28
#: Bytes that are decoded at once; more where an object is longer.
_WINDOW = 1 << 18
_FIRST = 100
#: How near the end of a window an error is that more bytes may mend.
_NEAR = 16
_DECODER = json.JSONDecoder(object_pairs_hook=object_of)
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_LIST_OF_OBJECTS = re.compile(r"\[[ \t\r\n]*\{")
_OUTSIDE, _INSIDE = re.compile(r'["{}\[\]]'), re.compile(r'["\\]')
_IN_ONE_LINE = re.compile(rb'\{\s*"(?:%b)"\s*:\s*\[\s*\{' % "|".join(sorted(_LISTS)).encode())
#: A byte that is not UTF-8, as the error handler `surrogateescape` has it.
_BAD_BYTE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class _Value:
    """An object with its address; or, with `problem`, what is in the place of one."""

    offset: int
    skip: int
    length: int | None
    row: dict[str, Any] | None = None
    problem: str | None = None
    detail: str = ""


class _Malformed(Exception):
    """Raised where the text is no JSON."""


class _TooLarge(Exception):
    """Raised where a value is longer than the limit."""


class _Text:
    """A position in the text of a stream of JSON. It holds a window of the stream, which grows up to a limit."""

    def __init__(self, cursor: Cursor, limit: int) -> None:
        self.cursor, self._limit = cursor, limit
        self._window("", True, 0)
        self._pull(_WINDOW)

    def _window(self, text: str, is_last: bool, size: int) -> None:
        self.text, self.at, self.is_last, self._size = text, 0, is_last, size
        self._counted, self._bytes = 0, 0

    def _pull(self, size: int) -> None:
        """Begin a window at this position."""
        self.cursor.skip(self._offset())
        data = self.cursor.peek(size)
        is_last = len(data) < size
        if not is_last:  # without the part of a character at the end
            cut = next((back for back in range(1, 4) if data[-back] & 0xC0 != 0x80), 0)
            if cut and data[-cut] >= 0xC0:
                data = data[:-cut]
        self._window(data.decode("utf-8", "surrogateescape"), is_last, size)

    def _offset(self) -> int:
        """Return how many bytes of the window are behind this position."""
        if self.at > self._counted:
            self._bytes += len(self.text[self._counted : self.at].encode("utf-8", "surrogateescape"))
            self._counted = self.at
        return self._bytes

    @property
    def position(self) -> int:
        """The position in the stream, in bytes."""
        return self.cursor.position + self._offset()

    def address(self) -> Address:
        """Return where this position is in the file."""
        return self.cursor.address(self.position)

    def next(self) -> str:
        """Go to the next character that is no space, and return it; an empty string at the end."""
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text) or self.is_last:
                return self.text[self.at : self.at + 1]
            self._pull(_WINDOW)

    def has_list_here(self) -> bool:
        """Return whether a list begins here whose first item is an object."""
        if len(self.text) - self.at < 1 << 12 and not self.is_last:
            self._pull(_WINDOW)
        return _LIST_OF_OBJECTS.match(self.text, self.at) is not None

    def value(self) -> Any:
        """Read the value that begins here, and go behind it.

        Raises:
            _Malformed, _TooLarge: this position is then still in front of it.
        """
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except (ValueError, RecursionError) as error:
                where = error.pos if isinstance(error, json.JSONDecodeError) else 0
                is_cut = str(error).startswith("Unterminated string") or where >= len(self.text) - _NEAR
                if self.is_last or not (isinstance(error, json.JSONDecodeError) and is_cut):
                    raise _Malformed(str(error)[:200]) from None
                if self._offset():
                    self._pull(self._size)
                elif self._size > self._limit:
                    raise _TooLarge from None
                else:
                    self._pull(min(4 * self._size, self._limit + _WINDOW))
                continue
            if end == len(self.text) and not self.is_last and self.text[end - 1] not in '"}]':
                self._pull(_WINDOW if self._offset() else 4 * self._size)  # a number that may go on
                continue
            if _BAD_BYTE.search(self.text, self.at, end):
                raise _Malformed("a byte that is not UTF-8")
            self.at = end
            return value

    def skip_value(self, depth: int = 0) -> bool:
        """Go behind the object or list that begins here, whatever is in it. Returns False where the file ends first.

        Args:
            depth: how many are open already.
        """
        inside = False
        while True:
            match = (_INSIDE if inside else _OUTSIDE).search(self.text, self.at)
            if match is None:
                self.at = len(self.text)
                if self.is_last:
                    return False
                self._pull(_WINDOW)
                continue
            self.at = match.end()
            if match[0] == "\\":
                if self.at == len(self.text) and not self.is_last:
                    self._pull(_WINDOW)
                self.at += 1
            elif match[0] == '"':
                inside = not inside
            else:
                depth += 1 if match[0] in "{[" else -1
                if depth <= 0:
                    return True


class _Rows:
    """The objects of a file that are rows, in their order."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        file.seek(0)
        self._members = Members(file, compression_of(file.read(8)), 0, _begins_none)
        self._text, self._limit = _Text(Cursor(self._members), limit), limit

    def __iter__(self) -> Iterator[_Value]:
        while first := self._text.next():
            if first == "[":
                self._text.at += 1
                sound = yield from self._items()
            elif first == "{":
                sound = yield from self._object()
            else:
                yield self._here("bad-record", f"no JSON: {self._text.text[self._text.at :][:40]}")
                sound = False
            if not sound:
                break
        if fault := self._members.fault:
            yield _Value(fault.member, 0, None, problem=fault.reason, detail=fault.detail)

    def _here(self, problem: str, detail: str) -> _Value:
        return _Value(*self._text.address(), None, problem=problem, detail=detail)

    def _since(self, where: Address, start: int) -> tuple[int, int, int | None]:
        """Return the address of what began there, with its bytes where the file is plain."""
        return *where, None if self._members.compression else self._text.position - start

    def _items(self) -> Generator[_Value, None, bool]:
        """Yield the items of a list up to its end. Returns whether it has one."""
        text = self._text
        while first := text.next():
            if first == "]":
                text.at += 1
                return True
            if first == ",":
                text.at += 1
                continue
            where, start = text.address(), text.position
            try:
                value = text.value()
            except _Malformed as error:
                detail = str(error)
                if first not in "{[" or not text.skip_value():
                    yield _Value(*where, None, problem="bad-row", detail=detail)
                    return False
                yield _Value(*self._since(where, start), problem="bad-row", detail=detail)
            except _TooLarge:
                is_whole = text.skip_value()
                size = text.position - start
                yield _Value(*where, None, problem="too-large", detail=f"an object of {size} bytes")
                if not is_whole:
                    return False
            else:
                yield self._row(where, start, value)
        if not self._members.fault:
            yield self._here("truncated", "the file ends inside a list")
        return False

    def _row(self, where: Address, start: int, value: Any) -> _Value:
        spot = self._since(where, start)
        if not isinstance(value, dict):
            return _Value(*spot, problem="bad-row", detail=f"a JSON {type(value).__name__}, not an object")
        if spot[2] is not None and spot[2] > self._limit:
            return _Value(*spot, problem="too-large", detail=f"an object of {spot[2]} bytes")
        return _Value(*spot, row=opened(value))

    def _object(self) -> Generator[_Value, None, bool]:
        """Yield an object, or the rows in it: of the list of objects that it has under one of the usual names.

        Returns whether it has an end.
        """
        text = self._text
        where, start = text.address(), text.position
        text.at += 1
        pairs: list[tuple[str, Any]] = []
        is_around = is_behind = False  # of the list of the rows; behind a value
        problem, detail = "bad-row", ""
        try:
            while (first := text.next()) != "}" or (pairs and not is_behind):
                if is_behind:
                    if first != ",":
                        raise _Malformed("no comma between two columns" if first else "the file ends inside an object")
                    text.at, is_behind = text.at + 1, False
                    continue
                key = text.value() if first == '"' else None
                if not isinstance(key, str) or text.next() != ":":
                    raise _Malformed("no name of a column" if first else "the file ends inside an object")
                text.at, is_behind = text.at + 1, True
                text.next()
                if key in _LISTS and text.has_list_here() and not {name for name, _ in pairs} & _TEXTS:
                    is_around = True
                    text.at += 1
                    if not (yield from self._items()):
                        return False
                    continue
                pairs.append((key, text.value()))
                if not is_around and text.position - start > self._limit:
                    raise _TooLarge
            text.at += 1
        except _Malformed as error:
            detail = str(error)
        except _TooLarge:
            problem = "too-large"
        else:
            if not is_around:
                yield self._row(where, start, object_of(pairs))
            return True
        is_whole = text.skip_value(1)
        if problem == "too-large":
            detail = f"an object of {text.position - start} bytes"
        if not (self._members.fault and not is_whole):
            spot = self._since(where, start) if is_whole else (*where, None)
            yield _Value(*spot, problem=problem, detail=detail)
        return is_whole


_TEXTS = frozenset(TEXT + HTML)


class JsonValues(Reader):
    """JSON other than JSON lines, plain, gzip, zstd or lz4. A row's offset is that of its object or of its member."""

    label = "JSON"
    has_columns = True

    def recognises(self, look: Look) -> bool:
        text = look.text.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
        if text.startswith(b"["):
            return text[1:].lstrip(b" \t\r\n").startswith(b"{")
        return text.startswith(b"{") and (_is_over_lines(text) or _is_one_object(text, look))

    def read(self, file: BinaryIO, reading: Reading) -> Iterator[tuple[str, Item]]:
        for each in _Rows(file, reading.max_record):
            spot = (each.offset, each.skip, each.length)
            if each.row is None:
                yield reading.name, Row(*spot, problem=each.problem, detail=each.detail)
            else:
                yield reading.name, row_of(each.row, reading.columns, *spot)

    def find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[Iterable[tuple[Address | None, Item]]]:
        yield _find(file, set(addresses))

    def column_names(self, file: BinaryIO) -> list[str]:
        rows = islice((each.row for each in _Rows(file, _LARGEST)), _FIRST)
        return list(dict.fromkeys(name for row in rows if row is not None for name in column_names(row)))

    def values(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        for each in _Rows(file, _LARGEST):
            if each.row is None:
                raise SourceError(f"{each.problem} {each.detail}")
            yield each.row


def _begins_none(data: bytes) -> bool:
    """Return False: behind damage nobody knows what the bytes are in."""
    return False


def _find(file: BinaryIO, wanted: set[Address]) -> Iterator[tuple[Address | None, Item]]:
    """Find rows from the start of the file on: an object inside of another, or of a string, is no row."""
    for each in _Rows(file, _LARGEST):
        if not wanted:
            return
        address = (each.offset, each.skip)
        if address in wanted:
            wanted.remove(address)
            if each.row is not None:
                yield address, Row(*address, each.length, values=each.row)


def _is_over_lines(text: bytes) -> bool:
    """Return whether the first object of a text goes on behind a line end, as no object of JSON lines does."""
    decoded = text.decode("utf-8", "replace")
    try:
        _, end = _DECODER.raw_decode(decoded)
    except json.JSONDecodeError as error:
        cut = error.msg.startswith("Unterminated string") and "\n" not in decoded[error.pos :]
        end = error.pos if cut or error.pos >= len(decoded) - _NEAR else 0
    except (ValueError, RecursionError):
        end = 0
    return "\n" in decoded[:end].rstrip()


def _is_one_object(text: bytes, look: Look) -> bool:
    """Return whether an object begins with a list of rows, and the file is one line."""
    return _IN_ONE_LINE.match(text) is not None and b"\n" not in look.further.strip()


READER = JsonValues()

"""Records in segments (ISO 28500, record segmentation): a record, and the `continuation` records that go on with it.

A writer cuts a record that is too large for one file. The segments may be far apart, and be in spans that other workers
read. So a second reader runs ahead of the first one, as far as the last segment of the record that is due.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from archive.records.record import Record, Span
from archive.records.record_reader import RecordReader

#: Segments that start so many bytes behind the first one are not looked for. A WARC file should have a GiB at most.
REACH = 1 << 30
#: Bytes of headers that are held, and of blocks that cannot be read again.
_HELD = 1 << 25
#: What a header in memory costs, more than its bytes.
_COST = 1 << 10
_KEPT = frozenset({"continuation", "warcinfo"})
#: Types that are joined. The others hold no page, or no body.
_JOINED = frozenset({"response", "resource", "conversion", "warcinfo"})

#: Why segments are not joined: one is not there, or they contradict each other.
MISSING, BAD = "segment", "bad-segment"
_WHOLE = "joined"


def join(file: BinaryIO, records: Iterable[Record], max_record: int, reach: int = REACH) -> Iterator[Record]:
    """Yield records, those in segments with the other ones in `segments`.

    A record is joined where all its segments are in the file behind it and fit: one of each number, the length that the
    last one states, one URL. Otherwise it keeps its own block, and `missing` is the reason. Nothing is joined over
    damage, because a search may find a record inside of another one. Whether a record is joined depends on the bytes
    behind it and on nothing else, so it is the same for any span.

    Args:
        file: the seekable file of the records.
        max_record: bytes that all segments of a record may have together.
        reach: bytes from the first segment to the last one, at most.
    """
    scout: _Scout | None = None
    for record in records:
        if record.missing and record.type in _JOINED and not record.problem and not record.recovered:
            if _number(record) != 1 or record.record_id is None:
                record.missing = BAD
            elif _total(record) == len(record.block):
                record.missing = None  # the only segment
            else:
                here = file.tell()
                scout = scout or _Scout(file, record, max_record, reach)
                scout.complete(record)
                file.seek(here)
        yield record


def _number(record: Record) -> int | None:
    return _single(record, "warc-segment-number")


def _total(record: Record) -> int | None:
    return _single(record, "warc-segment-total-length")


def _single(record: Record, name: str) -> int | None:
    """Return the number that a field states; None where it is missing, no number, or there twice."""
    values = set(record.headers.every(name))
    value = values.pop() if len(values) == 1 else ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


@dataclass(slots=True)
class _Met:
    """A continuation or warcinfo record that the scout met."""

    record: Record  #: without its block, where that can be read again
    address: tuple[int, int]
    size: int  #: of its block
    digest: bytes
    cost: int


class _Scout:
    """Runs ahead in the file, and keeps the headers of the last segments and warcinfo records that it met.

    In a file that is one compressed member it keeps their blocks too.
    """

    def __init__(self, file: BinaryIO, first: Record, max_record: int, reach: int) -> None:
        self._file = file
        reader = self._reader(Span(first.offset), max_record)
        self._is_plain = reader.compression is None
        self._records = iter(reader)
        self._max_record, self._reach = max_record, reach
        self._met: deque[_Met] = deque()
        self._cost = 0
        self._at = first.offset  # of the record that was read last
        self._dropped = (-1, -1)  # of the last record that had to be dropped
        self._ended = False

    def _reader(self, span: Span, max_record: int) -> RecordReader:
        return RecordReader(cast(BinaryIO, _Handle(self._file)), span, max_record, kept=_KEPT)

    def complete(self, first: Record) -> None:
        """Add to a record what belongs to it, or the reason why not."""
        address = (first.offset, first.skip)
        while self._met and self._met[0].address <= address:
            self._cost -= self._met.popleft().cost
        behind = list(self._met)
        segments = [each for each in behind if _continues(each.record, first)]
        first.missing = self._join(first, segments, behind) if segments else None
        while first.missing is None:
            met = self._next(first.offset + self._reach)
            if met is None or self._dropped > address:
                first.missing = MISSING
            elif met.address > address:
                behind.append(met)
                if _continues(met.record, first):
                    segments.append(met)
                    first.missing = self._join(first, segments, behind)
            size = len(first.block) + sum(each.size for each in segments)
            if first.missing == MISSING and size > self._max_record:
                first.problem, first.detail = "too-large", f"{size} bytes in {len(segments) + 1} segments"
        if first.missing == _WHOLE:
            first.missing = None

    def _next(self, end: int) -> _Met | None:
        """Go to the next record that is kept. Returns None at the end of the file, at damage and at `end`."""
        while not self._ended and self._at <= end:
            record = next(self._records, None)
            if record is None or record.recovered or record.problem not in {None, "too-large"}:
                self._ended = True
                break
            self._at = record.offset
            if record.type in _KEPT:
                return self._keep(record)
        return None

    def _keep(self, record: Record) -> _Met:
        stated = int(record.headers.get("content-length", "0"))  # of a block that is too large, which is not kept whole
        met = _Met(record, (record.offset, record.skip), stated, hashlib.sha256(record.block).digest(), _COST)
        if self._is_plain or not record.skip:
            record.block = b""
        met.cost += len(record.head) + len(record.block)
        self._met.append(met)
        self._cost += met.cost
        while self._cost > _HELD:
            dropped = self._met.popleft()
            self._dropped = dropped.address
            self._cost -= dropped.cost
        return met

    def _join(self, first: Record, segments: list[_Met], behind: list[_Met]) -> str | None:
        """Join a record if all of it is here. Returns _WHOLE, or the reason why it never can be, or None."""
        by_number: dict[int, _Met] = {}
        lasts: set[int] = set()
        for each in segments:
            number = _number(each.record)
            if number is None or number < 2 or (each.record.uri and each.record.uri != first.uri):
                return BAD
            if by_number.setdefault(number, each).digest != each.digest:
                return BAD
            if "warc-segment-total-length" in each.record.headers:
                lasts.add(number)
        if len(lasts) > 1:
            return BAD
        if not lasts or len(by_number) < (last := max(lasts)) - 1:
            return None
        ordered = [by_number[number] for number in sorted(by_number)]
        size = len(first.block) + sum(each.size for each in ordered)
        if sorted(by_number) != list(range(2, last + 1)) or _total(by_number[last].record) != size:
            return BAD
        if size > self._max_record:
            return MISSING
        infos = [each for each in behind if each.record.type == "warcinfo"]
        for each in ordered:
            between = [info.record for info in infos if info.address < each.address]
            for record in (each.record, *between):
                self._read_again(record)
            each.record.infos = tuple(between)
            each.record.uri = each.record.uri or first.uri
            first.truncated = first.truncated or each.record.truncated
        first.segments = tuple(each.record for each in ordered)
        return _WHOLE

    def _read_again(self, record: Record) -> None:
        if (self._is_plain or not record.skip) and not record.block:
            again = self._reader(Span(record.offset), self._max_record).first()
            record.block = again.block if again else b""


def _continues(record: Record, first: Record) -> bool:
    return record.type == "continuation" and record.headers.get("warc-segment-origin-id") == first.record_id


class _Handle:
    """A second position in a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0

    def seek(self, offset: int) -> int:
        self._at = offset
        return offset

    def read(self, size: int) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(size)
        self._at += len(data)
        return data

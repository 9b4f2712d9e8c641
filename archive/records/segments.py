"""Records in segments (ISO 28500, record segmentation): a record, and the `continuation` records that go on with it.

A writer cuts a record that is too large for one file. The segments may be far apart, and be in spans that other workers
read. So a second reader runs ahead of the first one, as far as the last segment of the record that is due.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from archive.records.record import Record, Span
from archive.records.record_reader import RecordReader

#: Segments that start so many bytes behind the first one are not looked for. A WARC file should have a GiB at most.
REACH = 1 << 30
#: Bytes of headers that are held, and of blocks that cannot be read again. What is behind so many is not looked for.
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
    last one states, one URL, no other first segment of its ID in front of the last one. Otherwise it keeps its own
    block, and `missing` is the reason. Nothing is joined over damage, because a search may find a record inside of
    another one. Whether a record is joined depends on the bytes behind it and on nothing else, so it is the same for
    any span.

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
                if scout is None or scout.is_lost(record):
                    scout = _Scout(file, record, max_record, reach)
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
    """A record that the scout met: a continuation, a warcinfo, or the first segment of another record."""

    record: Record  #: without its block, where that can be read again
    address: tuple[int, int]
    size: int  #: of its block
    digest: bytes
    cost: int


class _Scout:
    """Runs ahead in the file, and keeps the headers of the segments and warcinfo records that it met.

    In a file that is one compressed member it keeps their blocks too. It stops where a scout that had begun at the
    record in question would stop: at damage, at the reach of that record, and where it holds too much behind it.
    """

    def __init__(self, file: BinaryIO, first: Record, max_record: int, reach: int) -> None:
        self._file = file
        reader = self._reader(Span(first.offset), max_record)
        self._is_plain = reader.compression is None
        self._records = iter(reader)
        self._max_record, self._reach = max_record, reach
        self._met: deque[_Met] = deque()
        self._of: dict[str, deque[_Met]] = {}  # the ID of a first segment -> what continues it or has the same ID
        self._infos: deque[_Met] = deque()
        self._cost = 0
        self._at = first.offset  # of the record that was read last
        self._damage: tuple[int, int] | None = None  # the address of damage behind the record in question
        self._lost: tuple[int, int] | None = None  # from there on all was found by searching

    def _reader(self, span: Span, max_record: int) -> RecordReader:
        return RecordReader(cast(BinaryIO, _Handle(self._file)), span, max_record, kept=_KEPT)

    def is_lost(self, first: Record) -> bool:
        """Return whether the scout is behind damage, and the record is too but is no product of a search."""
        return self._lost is not None and self._lost < (first.offset, first.skip)

    def complete(self, first: Record) -> None:
        """Add to a record what belongs to it, or the reason why not."""
        assert first.record_id is not None
        address = (first.offset, first.skip)
        self._forget(address)
        joining = _Joining(first, self._max_record)
        found: str | None = None
        for met in self._of.get(first.record_id, ()):
            if found := joining.add(met):
                break
        while found is None and self._damage is None and self._cost <= _HELD:
            following = self._next(address, first.offset + self._reach)
            if following is None:
                break
            if _origin(following.record) == first.record_id:
                found = joining.add(following)
        if found == _WHOLE:
            self._add(first, joining.ordered())
        first.missing = None if found == _WHOLE else found or MISSING
        if first.missing == MISSING and joining.size > self._max_record:
            first.problem = "too-large"
            first.detail = f"{joining.size} bytes in {len(joining.by_number) + 1} segments"

    def _forget(self, address: tuple[int, int]) -> None:
        """Drop what is not behind a record."""
        while self._met and self._met[0].address <= address:
            met = self._met.popleft()
            self._cost -= met.cost
            if self._infos and self._infos[0] is met:
                self._infos.popleft()
            origin = _origin(met.record)
            if origin is not None and (group := self._of[origin]).popleft() and not group:
                del self._of[origin]
        if self._damage is not None and self._damage <= address:
            self._damage = None

    def _next(self, after: tuple[int, int], end: int) -> _Met | None:
        """Go to the next record that is kept. Returns None at the end of the file, at damage and behind `end`."""
        while self._at <= end:
            record = next(self._records, None)
            if record is None:
                return None
            self._at = record.offset
            address = (record.offset, record.skip)
            if record.recovered or record.problem not in {None, "too-large"}:
                self._lost = self._lost or (address if record.recovered else None)
                if address > after:
                    self._damage = address
                    return None
            elif address > after and (record.type == "warcinfo" or _origin(record) is not None):
                return self._keep(record, address)
        return None

    def _keep(self, record: Record, address: tuple[int, int]) -> _Met:
        stated = int(record.headers.get("content-length", "0"))  # of a block that is too large, which is not kept whole
        met = _Met(record, address, stated, hashlib.sha256(record.block).digest(), _COST)
        if self._is_plain or not record.skip:
            record.block = b""
        met.cost += len(record.head) + len(record.block)
        self._met.append(met)
        self._cost += met.cost
        if record.type == "warcinfo":
            self._infos.append(met)
        if (origin := _origin(record)) is not None:
            self._of.setdefault(origin, deque()).append(met)
        return met

    def _add(self, first: Record, ordered: list[_Met]) -> None:
        """Add the segments to a record, and to each the warcinfo records between it and the one in front of it."""
        infos = iter(self._infos)
        info = next(infos, None)
        segments: dict[tuple[int, int], Record] = {}
        for met in sorted(ordered, key=lambda each: each.address):
            between = []
            while info is not None and info.address < met.address:
                between.append(self._with_block(info.record))
                info = next(infos, None)
            segment = self._with_block(met.record)
            segment.infos, segment.uri = tuple(between), segment.uri or first.uri
            segments[met.address] = segment
        first.segments = tuple(segments[each.address] for each in ordered)
        for segment in first.segments:
            first.truncated = first.truncated or segment.truncated

    def _with_block(self, record: Record) -> Record:
        """Return a record with its block."""
        if record.block or not (self._is_plain or not record.skip):
            return replace(record)
        again = self._reader(Span(record.offset), self._max_record).first()
        return replace(record, block=again.block if again else b"")


class _Joining:
    """The segments of one record, as they are met.

    Attributes:
        size: bytes of all of them.
    """

    def __init__(self, first: Record, max_record: int) -> None:
        self._first, self._max_record = first, max_record
        self._last: int | None = None
        self.size = len(first.block)
        self.by_number: dict[int, _Met] = {}

    def add(self, met: _Met) -> str | None:
        """Add a segment. Returns _WHOLE with the last one that lacked, or the reason why there is none, or None."""
        number = _number(met.record)
        if met.record.type != "continuation" or number is None or number < 2:
            return BAD
        if met.record.uri and met.record.uri != self._first.uri:
            return BAD
        known = self.by_number.setdefault(number, met)
        if known is met:
            self.size += met.size
        elif (known.digest, known.size) != (met.digest, met.size):
            return BAD
        if "warc-segment-total-length" in met.record.headers:
            if self._last not in {None, number}:
                return BAD
            self._last = number
        if self._last is None or len(self.by_number) < self._last - 1:
            return None
        if max(self.by_number) != self._last or _total(self.by_number[self._last].record) != self.size:
            return BAD
        return MISSING if self.size > self._max_record else _WHOLE

    def ordered(self) -> list[_Met]:
        """Return the segments by their numbers."""
        return [self.by_number[number] for number in sorted(self.by_number)]


def _origin(record: Record) -> str | None:
    """Return the ID of the first segment, of any segment; None of what is none."""
    if record.type == "continuation":
        return record.headers.get("warc-segment-origin-id")
    return record.record_id if record.missing else None


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

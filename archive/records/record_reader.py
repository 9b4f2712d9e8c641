"""Finding the records of WARC and ARC files, with any compression and behind any damage.

FastWARC and warcio stop at damage or silently skip it, and neither reads the ARC files of 2008 to 2010. Evidence needs
the exact address of every record, a reject for all bytes that belong to none, and the records behind damage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of
from archive.records.record import (
    ARC_START,
    HEADER_LIMIT,
    WARC_START,
    Fields,
    Record,
    Span,
    parse_arc_line,
    parse_warc_header,
    starts_arc,
    starts_record,
    starts_warc,
)

_BLANK = b"\r\n \t\0"
#: How a record surely begins. Of an ARC record without its first letters (`ttp://`) that is not known.
_KNOWN_START = re.compile(
    rb"WARC/|(?:https?|ftp|gopher|dns|whois|filedesc|news|mailto|urn|screenshot|metadata):", re.IGNORECASE
)
#: Bytes of a record that is too large which are kept, for its HTTP header.
HEAD_KEPT = 1 << 14
_SEARCH = 1 << 18
#: Bytes of a WARC header that holds a `data:` URI.
_LONG_HEADER = 1 << 20
#: A stated length that is wrong by so few bytes hides no record, and costs none.
_SLACK = 4
#: After so many records whose stated length covers the next record, a length of more than 1 MiB does not count.
_WRONG_LENGTHS = 64
#: Types whose content is not read.
_PASSED_OVER = frozenset({"request", "metadata", "continuation"})


class RecordReader:
    """Iterates over the records of a span.

    After the last record, `first_offset` is the offset of the first record of the span and `next_offset` that of the
    first record behind it: the next span of the file must begin there. `recovered` is whether that is behind damage.

    Args:
        file: a seekable binary file.
        max_record: bytes of the largest block that is held; of a larger one only the head is kept.
        kept: the types whose blocks are wanted; by default those that may hold a page, and warcinfo.
    """

    def __init__(
        self, file: BinaryIO, span: Span = Span(), max_record: int = 1 << 25, kept: frozenset[str] | None = None
    ) -> None:
        file.seek(0)
        head = file.read(8)
        self.compression = compression_of(head)
        self._starts: Callable[[bytes], bool] = starts_record
        start = span.start
        if not span.exact and not self.compression:
            start = max(start - 1, 0)  # the search needs the end of the line in front of a record
        self.members = Members(file, self.compression, start, lambda data: self._starts(data))
        self.max_record = max_record
        self._kept = kept
        self.span = span
        self.first_offset: int | None = None
        self.next_offset: int | None = None
        self.format: str | None = None
        self.recovered = span.recovered
        self._swallowed = 0
        self._pass_large = True
        self._cursor = Cursor(self.members)
        self._reported: set[int] = set()  # members whose damage was reported with a record

    # -- the loop ----------------------------------------------------------------------------------

    def first(self) -> Record | None:
        """Return the first record. If it is too large, nothing behind its header is read."""
        self._pass_large = False
        return next(iter(self), None)

    def __iter__(self) -> Iterator[Record]:
        if not self.span.exact and not self._seek_start():
            self.next_offset = self.first_offset = None
            return
        cursor = self._cursor
        while True:
            self._skip_blank()
            if not cursor.fill(1):
                if cursor.fault is None:
                    if self.first_offset is None and not self.span.start and cursor.position and not self._reported:
                        yield self._junk(0, 0, "bad-record", f"{cursor.position} blank bytes and no record")
                    break
                yield from self._over_damage()
                if cursor.members.fault:
                    break
                continue
            offset, _ = cursor.address()
            if self.first_offset is None:
                self.first_offset = offset
            if self.span.end is not None and offset >= self.span.end:
                self.next_offset = offset
                return
            data = cursor.peek(512)
            if self.format != "arc" and starts_warc(data):
                self._fix_format("warc")
                yield from self._complete(self._read_warc())
            elif self.format != "warc" and (starts_arc(data) or starts_arc(cursor.peek(HEADER_LIMIT))):
                self._fix_format("arc")
                yield from self._complete(self._read_arc())
            else:
                yield from self._over_junk()

    def _fix_format(self, name: str) -> None:
        """Count only records of the first one's format from here on: the payload of a WARC may contain ARC lines."""
        if self.format is None:
            self.format = name
            starts = starts_warc if name == "warc" else starts_arc
            self._starts = lambda data: starts(data.lstrip(b"\r\n"))

    def _seek_start(self) -> bool:
        """Go to the first record of the span. Returns False if there is none before its end."""
        if self.compression:
            return self.members.find_start(self.span.start, self.span.end) is not None
        return self._search(anywhere=self.span.start == 0, end=self.span.end)

    def _skip_blank(self) -> None:
        cursor, holes = self._cursor, False
        while data := cursor.peek(64):
            blank = len(data) - len(data.lstrip(_BLANK))
            if b"\0" in data[:blank] and not self._at_member():
                holes = True
            cursor.skip(blank)
            if blank < len(data):
                # Zeros are a hole in the file; what comes behind it may be inside of a record that is gone. A member
                # of its own is in none: zeros at the end of the one in front of it are no hole.
                self.recovered = self.recovered or (holes and not self._at_member())
                return

    def _at_member(self) -> bool:
        return bool(self.compression) and self._cursor.address()[1] == 0

    # -- records -----------------------------------------------------------------------------------

    def _read_warc(self) -> Record:
        cursor = self._cursor
        start = cursor.position
        offset, skip = cursor.address()
        end, gap = self._header_end()
        if end < 0:
            return self._broken(start, "the header has no end within 64 KiB")
        head = cursor.peek(end + gap)
        fields, length = parse_warc_header(head[:end])
        record = Record(
            format="warc",
            type=fields.get("warc-type", "").lower(),
            headers=fields,
            uri=fields.get("warc-target-uri", "").strip("<>"),
            date=fields.get("warc-date"),
            record_id=fields.get("warc-record-id"),
            offset=offset,
            skip=skip,
            head=head,
            recovered=self.recovered,
            truncated=fields.get("warc-truncated"),
            missing="segment" if "warc-segment-number" in fields else None,
        )
        if length is None:
            stated = fields.get("content-length")
            return self._broken(start, f"Content-Length is {stated!r}" if stated else "no Content-Length", record)
        cursor.skip(end + gap)
        self._read_block(record, length)
        return record

    def _header_end(self) -> tuple[int, int]:
        """Return where the header ends and the length of the blank line behind it; (-1, 0) if it does not end."""
        cursor = self._cursor
        for limit in (HEADER_LIMIT, _LONG_HEADER):
            crlf = cursor.find(b"\n\r\n", limit)
            lf = cursor.find(b"\n\n", crlf if crlf >= 0 else limit)
            if lf >= 0:
                return lf, 2
            if crlf >= 0:
                return crlf, 3
            if b"warc-type:" not in cursor.peek(limit).lower():
                break
        return -1, 0

    def _read_arc(self) -> Record:
        cursor = self._cursor
        start = cursor.position
        offset, skip = cursor.address()
        line = cursor.peek(HEADER_LIMIT).partition(b"\n")[0]
        fields, length = parse_arc_line(line)
        uri = fields["uri"]
        record = Record(
            format="arc",
            type="warcinfo" if uri.startswith("filedesc:") else "response",
            headers=fields,
            uri=uri,
            date=fields["date"],
            record_id=None,  # ARC has none
            offset=offset,
            skip=skip,
            head=line + b"\n",
            recovered=self.recovered,
        )
        if length is None:
            return self._broken(start, f"the length in the header line is no number: {line[-40:]!r}", record)
        cursor.skip(len(line) + 1)
        self._read_block(record, length)
        return record

    def _read_block(self, record: Record, length: int) -> None:
        cursor = self._cursor
        is_wanted = record.type in self._kept if self._kept is not None else record.type not in _PASSED_OVER
        keep = is_wanted and length <= self.max_record
        block_start = cursor.position
        if keep:
            got = min(cursor.fill(length), length)
            boundary = cursor.boundary_in(block_start, block_start + got, self._starts)
            if boundary is not None:  # the next record starts inside the stated length
                got = boundary - block_start
            record.block = cursor.take(got)
        else:
            if is_wanted and length > self.max_record:
                record.block = cursor.peek(HEAD_KEPT)[:length]
                record.problem, record.detail = "too-large", f"{length} bytes"
            if not self._pass_large:
                return
            got = self._skip_block(length)
            boundary = block_start + got if got < length and cursor.available() else None
        if got < length:
            if not (keep and self._is_nearly_whole(record, length - got, boundary is not None)):
                self._note_short(record, length, got, boundary is not None)
        elif keep and self._mend_end(record):
            return
        elif not self._at_record_end() and keep:
            self._note_overrun(record)

    def _is_nearly_whole(self, record: Record, lacking: int, boundary: bool) -> bool:
        """Return whether a record lacks only line ends that were counted and not written.

        That is one CR LF at most; then the line end behind an ARC record is counted as part of it. Or all CRs are gone,
        after the length was taken (ClueWeb09).
        """
        if self._cursor.members.fault:
            return False
        if _has_lost_returns(record, record.block, lacking):
            return True
        return lacking <= 2 and (boundary or (record.format == "arc" and record.block.endswith(b"\n")))

    def _mend_end(self, record: Record) -> bool:
        """Correct a block whose stated length is a few bytes too large or too small for the record that follows.

        Returns whether it was corrected. With such a length the next record would begin with `ttp://`, or not at all.
        """
        cursor = self._cursor
        ahead = cursor.peek(512)
        if not ahead or ahead[0] in _BLANK or (self.compression and cursor.address()[1] == 0):
            return False
        if _KNOWN_START.match(ahead) and self._starts(ahead):
            return False
        for count in range(1, _SLACK + 1):
            taken = record.block[-count:]
            if record.block[-count - 1 : -count] == b"\n" and self._starts(taken + ahead):
                record.block = record.block[:-count]
                cursor.unread(taken)
                return True
        if self._starts(ahead):
            return False
        for count in range(1, _SLACK + 1):
            rest = ahead[count:].lstrip(_BLANK)
            if ahead[count : count + 1] in {b"\r", b"\n"} and (self._starts(rest) or not (rest or ahead[511:])):
                record.block += cursor.take(count)
                return True
        return False

    def _skip_block(self, length: int) -> int:
        """Pass over a block, at most to where a member begins with the next record. Returns the bytes passed."""
        cursor, done = self._cursor, 0
        while done < length:
            step = min(length - done, 1 << 20)
            here = cursor.position
            have = min(cursor.fill(step), step)
            boundary = cursor.boundary_in(here, here + have, self._starts)
            if boundary is not None:
                cursor.skip(boundary - here)
                return done + boundary - here
            cursor.skip(have)
            done += have
            if have < step:
                break
        return done

    def _note_short(self, record: Record, length: int, got: int, boundary: bool) -> None:
        fault = self._cursor.members.fault
        if boundary:
            record.problem = "bad-length"
            record.detail = f"{length} bytes by its header, {got} up to the next record"
        else:
            record.problem = fault.reason if fault else "truncated"
            record.detail = f"{got} of {length} bytes; " + (fault.detail if fault else "the file ends")

    def _at_record_end(self) -> bool:
        """Return whether a record may end here: blank bytes, the end of the file or the next record follow."""
        rest = self._cursor.peek(512).lstrip(_BLANK)
        if not rest or self._starts(rest):
            return True
        if self.format == "arc" and self._starts(self._cursor.peek(HEADER_LIMIT).lstrip(_BLANK)):
            return True
        return self._cursor.address()[1] == 0 and bool(self.compression)

    def _note_overrun(self, record: Record) -> None:
        """Handle bytes behind the block that begin no record: its length is too short, or covers other records."""
        behind = self._cursor.peek(HEADER_LIMIT)
        swallowed = self._next_start(record.block + behind)
        if swallowed is not None and swallowed < len(record.block):
            self._cursor.unread(record.block[swallowed:])
            self._swallowed += 1
            if self._swallowed > _WRONG_LENGTHS:  # else each record would be read far ahead and put back
                self.max_record = min(self.max_record, 1 << 20)
            lacking = len(record.block) - swallowed
            record.block = record.block[:swallowed]
            if _has_lost_returns(record, record.block, lacking):
                return
            self.recovered = True
            record.problem, record.detail = "bad-length", "the next record starts inside the stated length"

    def _broken(self, start: int, detail: str, record: Record | None = None) -> Record:
        """Return a record whose header cannot be used, and go to the next one behind its first line."""
        cursor = self._cursor
        offset, skip = cursor.address(start)
        record = record or Record("warc", "", Fields(), "", None, None, offset, skip)
        fault = cursor.members.fault
        record.problem, record.detail = (fault.reason, fault.detail) if fault else ("bad-record", detail)
        cursor.skip(max(len(cursor.peek(HEADER_LIMIT).partition(b"\n")[0]) + 1, 1))
        self._search()
        return record

    def _complete(self, record: Record) -> Iterator[Record]:
        """Yield the record with its length, and with the damage of its member if there is any."""
        cursor = self._cursor
        self._skip_blank()
        members = self.members
        if not self.compression:
            record.length = cursor.position - record.offset
        else:
            cursor.fill(1)
            end = members.ends.get(record.offset)
            record.length = end - record.offset if end is not None else None
            fault = cursor.fault
            if fault and fault.member == record.offset and record.problem is None:
                record.problem, record.detail = fault.reason, fault.detail
            if fault and record.problem:
                self._reported.add(fault.member)
            if len(members.ends) > 64:
                members.ends = {k: v for k, v in members.ends.items() if k >= record.offset}
        yield record

    # -- damage ------------------------------------------------------------------------------------

    def _over_damage(self) -> Iterator[Record]:
        """Yield a damaged member that was not reported with a record, and continue behind it."""
        fault = self._cursor.members.fault
        assert fault is not None
        if fault.member not in self._reported:
            self._reported.add(fault.member)
            yield self._junk(fault.member, 0, fault.reason, fault.detail)
        if self._cursor.resync():
            self.recovered = True

    def _over_junk(self) -> Iterator[Record]:
        """Yield bytes that are no record, and go to the next record.

        Junk behind the record of a member ends with that member; the next member needs no search.
        """
        cursor = self._cursor
        start = cursor.position
        offset, skip = cursor.address()
        if self.compression and skip:
            count = cursor.rest_of_member()
        else:
            cursor.skip(1)
            self._search()
            count = cursor.position - start
        yield self._junk(offset, skip, "bad-record", f"{count} bytes that are no record")

    def _junk(self, offset: int, skip: int, reason: str, detail: str) -> Record:
        return Record("", "", Fields(), "", None, None, offset, skip, problem=reason, detail=detail)

    def _search(self, anywhere: bool = False, end: int | None = None) -> bool:
        """Go to the next record: where a member starts with one, or else a line. Returns False at the end.

        A record at the start of a member is a real one. A record that was found by its line may be the content of a
        damaged one, and all from there on counts as recovered.
        """
        cursor = self._cursor
        while data := cursor.peek(_SEARCH + HEADER_LIMIT):
            here = cursor.position
            boundary = cursor.boundary_in(here - 1, here + len(data), self._starts)
            start = self._next_start(data, anywhere)
            if boundary is not None and (start is None or boundary - here <= start):
                cursor.skip(boundary - here)
                return True
            if start is not None:
                cursor.skip(start)
                self.recovered = self.recovered or self.first_offset is not None
                return True
            last = len(data) < _SEARCH + HEADER_LIMIT
            cursor.skip(len(data) if last else _SEARCH)
            anywhere = False
            if end is not None and cursor.position >= end:
                break
        return False

    def _next_start(self, data: bytes, anywhere: bool = False) -> int | None:
        """Return where in `data` the next line begins a record that can be read."""
        if anywhere and self._starts(data):
            return 0
        pattern = _ANY_LINE if self.format is None else _WARC_LINE if self.format == "warc" else _ARC_LINE
        for match in pattern.finditer(data):
            at = match.start() + 1
            if self._starts(data[at : at + HEADER_LIMIT]) and _plausible(data[at : at + HEADER_LIMIT]):
                return at
        return None


def _has_lost_returns(record: Record, block: bytes, lacking: int) -> bool:
    """Return whether a block lacks so many bytes because its line ends lost their CR after the length was taken.

    The number must be exactly that of all lines, or of those of the HTTP header: the block may end inside of a page
    that holds what reads like a record.

    Args:
        block: with the line ends behind it.
    """
    if b"\r" in record.head or b"\r" in block:
        return False
    for behind in (1, 2):
        if not block.endswith(b"\n" * behind):
            return False
        content = block[:-behind]
        header = content.find(b"\n\n") + 2
        if lacking + behind in {content.count(b"\n"), content.count(b"\n", 0, header)}:
            return True
    return False


_WARC_LINE = re.compile(rb"\n(?=WARC/\d)", re.IGNORECASE)
_ARC_LINE = re.compile(rb"\n(?=[a-z][a-z0-9+.-]{1,20}:[^\n]+ -?\d+\r?\n)")
_ANY_LINE = re.compile(rb"\n(?=WARC/\d|[a-z][a-z0-9+.-]{1,20}:[^\n]+ -?\d+\r?\n)")


def _plausible(data: bytes) -> bool:
    """Return whether a header that was found by searching has what a record needs."""
    if WARC_START.match(data):
        end = data.find(b"\r\n\r\n")
        head = data[: end if end >= 0 else HEADER_LIMIT].lower()
        return b"warc-type:" in head and b"content-length:" in head
    match = ARC_START.match(data)
    return match is not None and starts_arc(data)

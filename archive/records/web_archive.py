"""The reader of WARC and ARC files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import BinaryIO

from archive.records import segments
from archive.records.base import Address, Item, Look, Reader, Reading
from archive.records.members import compression_of
from archive.records.record import Record, Span, starts_record
from archive.records.record_reader import RecordReader

_NAMES = (".warc", ".warc.gz", ".wet", ".wet.gz", ".arc", ".arc.gz", ".warc.zst", ".warc.wet", ".warc.open")
#: Bytes of the first record that are read, where only its head is of use.
_HEAD = 1 << 20


class WebArchive(Reader):
    """WARC (WET too) and ARC, plain or compressed."""

    label = "WARC, ARC or WET"

    def recognises(self, look: Look) -> bool:
        return starts_record(look.text)

    def accepts(self, look: Look) -> bool:
        return b"\nWARC/" in look.further or look.name.endswith(_NAMES) or look.is_damaged

    def read(self, file: BinaryIO, reading: Reading) -> Iterator[tuple[str, Item]]:
        reading.head = _head(file, reading.span)
        records = RecordReader(file, reading.span, reading.max_record)
        for record in _joined(file, records, reading):
            yield reading.name, record
        reading.format, reading.recovered = records.format, records.recovered
        reading.first_offset, reading.next_offset = records.first_offset, records.next_offset

    def find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[Iterable[tuple[Address | None, Item]]]:
        file.seek(0)
        if reading.walk or compression_of(file.read(8)) is None:
            # A page may hold what reads like a record. Where only the record's length says where the next one begins,
            # the walk must start at the start of the file. In a member that is stored and not deflated, a page may
            # also hold what reads like a member.
            yield _walk(file, Span(), set(addresses), reading)
            return
        for offset, group in groupby(addresses, key=lambda address: address[0]):
            yield _walk(file, Span(offset, offset + 1), set(group), reading)


def _head(file: BinaryIO, span: Span) -> Record | None:
    return RecordReader(file, Span(), _HEAD).first() if span.start else None


def _joined(file: BinaryIO, records: Iterable[Record], reading: Reading) -> Iterable[Record]:
    return segments.join(file, records, reading.max_record) if reading.seeks else records


def _walk(
    file: BinaryIO, span: Span, wanted: set[Address], reading: Reading
) -> Iterator[tuple[Address | None, Record]]:
    """Yield the wanted records of a span, and the warcinfo records that they may cite."""
    if (head := _head(file, span)) is not None:
        yield None, head
    info = head.record_id if head and _introduces(head) else None
    has_all = not span.start
    for record in _joined(file, RecordReader(file, span, reading.max_record), reading):
        if _introduces(record):
            yield None, record
            info = record.record_id
        address = (record.offset, record.skip)
        if address not in wanted:
            if not span.start and not _introduces(record):
                yield None, record  # it may be damaged, or behind damage
            continue
        if not has_all and (cited := record.headers.get("warc-warcinfo-id")) is not None and cited != info:
            for earlier in RecordReader(
                file, Span(0, span.start), reading.max_record
            ):  # of joined files each has its own
                if _introduces(earlier):
                    yield None, earlier
            has_all = True
        yield address, record
        wanted.remove(address)
        if not wanted:
            return


def _introduces(record: Record) -> bool:
    return record.type == "warcinfo"


READER = WebArchive()

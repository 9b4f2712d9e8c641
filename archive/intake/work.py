"""The work of an ingest: a batch of units becomes a part. Runs in any process, on any machine."""

from __future__ import annotations

import base64
import hashlib
import io
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, BinaryIO, cast

import numpy as np

from archive import registry
from archive.attestations.wacz import Signed
from archive.capture import Capture, Limits, Outcome, Reject, Skipped
from archive.engine import Context, Progress
from archive.errors import SourceError
from archive.evidence.claims import AGREEMENT
from archive.examine import Examiner
from archive.intake.extraction import Extract, Isolated, guarded
from archive.intake.part import Part, PartWriter, Tally
from archive.intake.taken import FILTERED, KNOWN, changed
from archive.intake.unit import Batch, SpanEnd, Unit
from archive.lake import Lake
from archive.records import Reading, Record, RecordReader, Span, open_reader
from archive.records.base import EMPTY, UNKNOWN
from archive.records.digest import ABSENT
from archive.records.rows import Row
from archive.sources import open_bytes
from archive.sources.base import Spent, Through, scheme_of
from archive.sources.take import GZIP, NEVER, RECORD, Take
from archive.text.base import address_of
from archive.text.cache import PageCache

#: Characters of the pages that a process remembers: 8 to 32 MB.
_REMEMBERED = 8 << 20
#: Bytes that are read of a record that does not end where the index says.
_LONGER = (1 << 20, 16 << 20)
#: Reasons of rejects of records that may have come damaged, of which so many are read again.
_DOUBTED = frozenset({"bad-compression", "bad-length", "bad-record", "truncated", "unknown-format"})
_AGAIN = 3
#: Those of records that begin well. In a copy of a file, the copying may have done that.
_CORRUPT = frozenset({"bad-compression", "truncated"})
#: Names of files that revisits of one unit refer to.
_REVISITED = 1000
#: Types of records that never hold a page.
_NO_PAGES = frozenset({"warcinfo", "request", "metadata"})
#: Kinds of files that no reader takes -> the reject reason.
_REASONS = {EMPTY: "empty-file", UNKNOWN: "unknown-format"}


@dataclass(frozen=True, slots=True)
class Job:
    """A batch with the lake that it is for."""

    location: str
    batch: Batch
    started: datetime
    plugins: registry.Entries = field(default_factory=registry.entries)


def work(job: Job, ctx: Context) -> Part:
    """Read the records of a batch, take their texts, and write them as Parquet files in the lake's folders.

    Nothing of it is visible before it is committed.

    Raises:
        SourceError: a source cannot be read.
    """
    registry.adopt(job.plugins)
    settings = job.batch.units[0].settings
    name, seconds = address_of(settings.extractor), settings.limits.seconds
    extract: Extract = Isolated(name, seconds) if ctx.attempt > 1 else guarded(name, seconds)
    writer = PartWriter(Lake(job.location), job.batch.key)
    try:
        tallies = [_do(unit, writer, extract, job.started, ctx.progress) for unit in job.batch.units]
        return writer.finish(tallies)
    except OSError as error:
        raise SourceError(f"{job.location}: {error}") from None
    finally:
        if isinstance(extract, Isolated):
            extract.close()


def _do(unit: Unit, writer: PartWriter, extract: Extract, now: datetime, progress: Progress) -> Tally:
    tally = Tally(unit.key, format=unit.kind)
    started, told, told_bytes = time.process_time(), 0, 0
    by_parts = unit.take.bytes if unit.take is not None else None  # parts are held, and read again and again
    most = sys.maxsize if by_parts is None else by_parts
    before = unit.through.spent() if unit.through else Spent()
    damaged: list[Reject] = []
    with open_unit(unit) as file:
        signed = Signed.of(file) if unit.kind == "wacz" else None
        counting = Counting(file, unit.file)
        read = outcomes if unit.take is None or unit.take.records is None else taken_outcomes
        for name, outcome in read(unit, cast(BinaryIO, counting), extract, now, tally):
            tally.records += 1
            if isinstance(outcome, Capture):
                tally.captures += 1
                tally.site_rules += outcome.rules is not None
                container = outcome.refers_to_file
                if container is not None and container != name.rpartition("/")[2]:
                    tally.revisited[container if len(tally.revisited) < _REVISITED else ""] += 1
                if signed and signed.covers(name.removeprefix(f"{unit.file}!/")):
                    outcome.existed_by, outcome.attested_by = signed.existed_by, signed.attested_by
                    tally.bounded += 1
                tally.grades[outcome.grade] += 1
                tally.months[outcome.dated.month] += 1
                if outcome.dated.problem:
                    tally.problems[outcome.dated.problem] += 1
                tally.texts += writer.add_capture(unit.key, name, outcome)
            elif isinstance(outcome, Reject):
                tally.rejects[outcome.reason] += 1
                if outcome.reason in _DOUBTED:
                    damaged.append(outcome)
                if outcome.reason == "unknown-format":
                    tally.hint = outcome.detail
                writer.add_reject(unit.key, name, outcome)
            else:
                tally.skipped[outcome.kind] += 1
            if tally.records - told >= 50:
                done = min(counting.count, most)
                progress(tally.records - told, done - told_bytes)
                told, told_bytes = tally.records, done
        tally.bytes = counting.count if by_parts is None else by_parts
        is_local = scheme_of(unit.file) == "file"
        if unit.span.start == 0 and (is_local or unit.last) and (unit.take is None or unit.take.streams):
            tally.sha256 = counting.sha256(unit.size, is_local)
    progress(tally.records - told, tally.bytes - told_bytes)
    if unit.through is not None and unit.take is not None:
        _doubt(unit, unit.through, damaged, tally)
    tally.size = unit.size if unit.through is None else _length(unit)
    if unit.through:
        tally.spent = unit.through.spent().since(before)
    tally.seconds = time.process_time() - started
    tally.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return tally


def open_unit(unit: Unit) -> BinaryIO:
    """Open the file of a unit.

    Raises:
        SourceError: it cannot be read.
    """
    if unit.through is not None:
        start = unit.begin.offset if unit.begin and unit.begin.offset is not None else unit.span.start
        return unit.through.open(unit.file, unit.take or Take(), start, unit.span.end)
    return open_bytes(unit.file)


def _doubt(unit: Unit, through: Through, damaged: Sequence[Reject], tally: Tally) -> None:
    """Doubt records that came damaged over a network: the lake would never ask for them again.

    Raises:
        SourceError: they were damaged on the way, or the copy of the file is not whole.
    """
    assert unit.take is not None
    nothing = "nothing of this part of the file was taken in, and the same command goes on"
    if not unit.take.streams and damaged and len(damaged) == tally.records:
        raise SourceError(f"{unit.file}: there is a record at none of the places that the index names; {nothing}")
    for each in sorted(damaged, key=lambda each: each.reason not in _CORRUPT)[:_AGAIN]:
        one = np.zeros(1, RECORD)
        one["offset"], one["length"] = each.offset, _LONGER[0]
        with through.open(unit.file, Take(one, streams=False, reaches=True)) as file:
            file.seek(each.offset)
            begins = file.read(2) == GZIP
            records = list(RecordReader(file, _only(one[0]), unit.settings.limits.record))
        if records and not any(record.problem for record in records):
            raise SourceError(
                f"{unit.file}: the bytes from {each.offset:,} on came damaged, and came well now; {nothing}"
            )
        # where no record begins, a line of the index is wrong
        if begins and each.reason in _CORRUPT and not through.is_origin:
            where = f"byte {each.offset:,} ({each.reason})"
            raise SourceError(f"{unit.file}: is damaged at {where}; is this copy whole? {nothing}")


def _length(unit: Unit) -> int | None:
    """Return how long the file of a unit is, as was stated when it was read.

    Raises:
        SourceError: it is not as long as when the lake got records of it, or as when it was listed.
    """
    assert unit.through is not None
    found = unit.through.length(unit.file)
    if found is not None and unit.size is not None and found != unit.size:
        raise SourceError(changed(unit.file, unit.size, found))
    return found or unit.size


@lru_cache(maxsize=1)
def _pages(extractor: str, limits: Limits) -> PageCache:
    """Return the pages that this process remembers. A worker that serves several ingests forgets those of the last."""
    return PageCache(_REMEMBERED)


def outcomes(
    unit: Unit, file: BinaryIO, extract: Extract, now: datetime, tally: Tally
) -> Iterator[tuple[str, Outcome]]:
    """Yield every outcome of a unit, with the name of the file, or of the entry of a WACZ, that it is in."""
    if unit.kind in _REASONS:
        yield unit.file, Reject(_REASONS[unit.kind], _hint(file), 0, 0, unit.size)
        return
    limits = unit.settings.limits
    begin = unit.begin or SpanEnd()
    span = unit.span if begin.offset is None else Span(begin.offset, unit.span.end, recovered=begin.recovered)
    reading = Reading(unit.file, span, unit.settings.columns, limits.record)
    examiner: Examiner | None = None
    known = set[int]() if unit.take is None or unit.take.known is None else set(unit.take.known.tolist())
    for name, item in open_reader(unit.kind).read(file, reading):
        if examiner is None or name != examiner.name:
            examiner = Examiner(
                name,
                extract,
                limits,
                now,
                _pages(unit.settings.extractor, limits),
                altered=reading.altered,
                stale=reading.stale,
                operator=unit.settings.operator,
            )
            if unit.span.start:
                examiner.state.behind, examiner.state.floor = begin.recovered, begin.floor
                if begin.infos is not None:
                    examiner.state.infos = begin.infos
                elif reading.head:  # what the head of the file says of all its records
                    examiner.introduce(reading.head)
                examiner.last = "warcinfo" if begin.behind_info else ""
                tally.infos = examiner.state.infos
        if isinstance(item, Record) and item.offset in known:
            examiner.pass_by(item)
            yield name, Skipped(KNOWN)
            continue
        outcome = examiner.examine(item)
        if isinstance(item, Row):
            tally.columns = tally.columns or item.columns
            if isinstance(outcome, Capture) and outcome.dated.problem == "unparsable":
                tally.unparsable = tally.unparsable or (item.date or "")[:60]
        yield name, outcome
    state = examiner.state if examiner else None
    infos = state.infos if state else begin.infos
    behind_info = examiner.last == "warcinfo" if examiner else begin.behind_info
    tally.first_offset = reading.first_offset
    floor = state.floor if state and reading.recovered else None
    tally.reached = SpanEnd(reading.next_offset, reading.recovered, floor, infos, behind_info)
    tally.format = reading.format or tally.format


def taken_outcomes(
    unit: Unit, file: BinaryIO, extract: Extract, now: datetime, tally: Tally
) -> Iterator[tuple[str, Outcome]]:
    """Yield every outcome of a unit that takes some records of a web archive, with the name of the file.

    Of a file that is streamed, the other records are skipped as `filtered`; of one that is read by parts, they
    are not met. A wanted record that is not there is a reject.
    """
    take, limits = unit.take, unit.settings.limits
    assert take is not None
    pages = _pages(unit.settings.extractor, limits)
    examiner = Examiner(unit.file, extract, limits, now, pages, operator=unit.settings.operator)
    if take.streams:
        yield from ((unit.file, outcome) for outcome in _streamed(unit, file, examiner, tally))
        return
    if (head := RecordReader(file, Span(), limits.record).first()) is not None:
        examiner.introduce(head)
    for wanted in take.records if take.records is not None else ():
        reader = RecordReader(file, _only(wanted), limits.record)
        records = list(reader)
        if any(record.problem == "truncated" for record in records):
            records = _longer(unit, wanted) or records
        for record in records:
            yield unit.file, indexed(examiner.examine(record), wanted)
        tally.format = reader.format or tally.format
        if not records:
            yield unit.file, _absent(wanted)


def _only(wanted: Any) -> Span:
    offset = int(wanted["offset"])
    return Span(offset, offset + 1, exact=True)


def _longer(unit: Unit, wanted: Any) -> list[Record]:
    """Read a record that is longer than the index states, as in CC-MAIN-2018-34; none if it is not."""
    assert unit.take is not None
    assert unit.through is not None
    for length in _LONGER:
        if length <= wanted["length"]:
            continue
        one = np.asarray([wanted])
        one["length"] = length
        with unit.through.open(unit.file, replace(unit.take, records=one, reaches=True)) as file:
            records = list(RecordReader(file, _only(wanted), unit.settings.limits.record))
        if not any(record.problem == "truncated" for record in records):
            return records
    return []


def _streamed(unit: Unit, file: BinaryIO, examiner: Examiner, tally: Tally) -> Iterator[Outcome]:
    take = unit.take
    assert take is not None
    wanted = {} if take.records is None else {int(each["offset"]): each for each in take.records}
    met: set[int] = set()
    reading = Reading(unit.file, max_record=unit.settings.limits.record, seeks=False)
    for _, record in open_reader(unit.kind).read(file, reading):
        offset = record.offset
        if offset in wanted:
            met.add(offset)
            yield indexed(examiner.examine(record), wanted[offset])
        elif isinstance(record, Record):
            examiner.pass_by(record)
            # what never holds a page is counted as that, whoever wants what
            yield Skipped(record.type if record.type in _NO_PAGES else FILTERED)
    for offset in wanted.keys() - met:
        yield _absent(wanted[offset])
    tally.format = reading.format or tally.format


def _absent(wanted: Any) -> Reject:
    detail = "the index names a record here, and there is none"
    return Reject("bad-record", detail, int(wanted["offset"]), 0, int(wanted["length"]))


def indexed(outcome: Outcome, stated: Any) -> Outcome:
    """Return an outcome with what the index states of the record: where they disagree, the capture proves nothing.

    The digests are compared where the record has one: then one program wrote both. Of dates, a day is no difference,
    as everywhere; the index of the crawls before 2013 has Pacific time.

    Args:
        stated: a row with the fields of `archive.sources.take.RECORD`.
    """
    if not isinstance(outcome, Capture) or outcome.dated.problem:
        return outcome
    digest, seconds = bytes(stated["digest"]), int(stated["at"])
    differs = False
    if digest and outcome.payload_check not in {None, ABSENT} and outcome.payload_digest:
        written = base64.b32encode(digest.ljust(20, b"\0")).decode()
        stated_here = outcome.payload_digest, outcome.transfer_digest
        differs = outcome.payload_digest.startswith("sha1:") and f"sha1:{written}" not in stated_here
    if seconds != NEVER and outcome.dated.captured_at is not None:
        at = datetime.fromtimestamp(seconds, UTC)
        differs = differs or abs(outcome.dated.captured_at - at) > AGREEMENT
    if differs:
        outcome.dated = replace(outcome.dated, problem="index-differs")
    return outcome


def _hint(file: BinaryIO) -> str:
    """What might be done about a file that is of no known format."""
    file.seek(0)
    is_list = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    return "a JSON list whose first item is no object with named columns" if is_list else ""


class Counting(io.BufferedIOBase):
    """A file that counts the bytes read from it, and hashes those that are read in order from its start."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._at = file.tell()
        self._digest = hashlib.sha256()
        self._hashed = 0
        self.count = 0

    def sha256(self, size: int | None, read_rest: bool) -> str | None:
        """Return the SHA-256 of the whole file; None where that takes bytes that were not read, unless `read_rest`.

        What a reader has read in order is hashed already, so that of most files nothing is read twice. The rest is read
        from here, at the speed of the disk.
        """
        if self._hashed == size:
            return self._digest.hexdigest()
        if not read_rest:
            return None
        try:
            self._file.seek(self._hashed)
            while data := self._file.read(1 << 20):
                self._digest.update(data)
        except OSError as error:
            raise SourceError(f"{self._name}: {error}") from None
        return self._digest.hexdigest()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            self._at = self._file.seek(offset, whence)
        except OSError as error:
            raise SourceError(f"{self._name}: {error}") from None
        return self._at

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        try:
            data = self._file.read(-1 if size is None else size)
        except OSError as error:  # what the file is cannot be told now: the next ingest tries again
            raise SourceError(f"{self._name}: {error}") from None
        self.count += len(data)
        end = self._at + len(data)
        if self._at <= self._hashed < end:
            self._digest.update(memoryview(data)[self._hashed - self._at :])
            self._hashed = end
        self._at = end
        return data

"""The work of an ingest: a batch of units becomes a part. Runs in any process, on any machine."""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast

from archive import storage
from archive.capture import Capture, Examiner, Outcome, Reject, examine_row
from archive.engine import Context, Progress
from archive.engine.sandbox import Extract, Isolated, guarded
from archive.errors import SourceError
from archive.intake.part import Part, PartWriter, Tally
from archive.intake.unit import Batch, SpanEnd, Unit
from archive.lake import Lake
from archive.records import RecordReader, Span
from archive.records.detect import Kind
from archive.records.jsonl import read_jsonl
from archive.records.parquet import read_parquet
from archive.records.wacz import entries
from archive.text.cache import PageCache

#: Of this process: 8 million characters, 8 to 32 MB.
_PAGES = PageCache(8 << 20)


@dataclass(frozen=True, slots=True)
class Job:
    """A batch with the lake that it is for."""

    location: str
    batch: Batch
    started: datetime


def work(job: Job, ctx: Context) -> Part:
    """Read the records of a batch, take their texts, and write them as Parquet files in the lake's folders.

    Nothing of it is visible before it is committed.

    Raises:
        SourceError: a source cannot be read.
    """
    settings = job.batch.units[0].settings
    name, seconds = settings.extractor, settings.limits.seconds
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
    started, told, told_bytes = time.monotonic(), 0, 0
    with storage.open_bytes(unit.file) as file:
        counting = _Counting(file, unit.file)
        for name, outcome in outcomes(unit, cast(BinaryIO, counting), extract, now, tally):
            tally.records += 1
            if isinstance(outcome, Capture):
                tally.captures += 1
                tally.months[outcome.dated.month] += 1
                if outcome.dated.problem:
                    tally.problems[outcome.dated.problem] += 1
                tally.texts += writer.add_capture(unit.key, name, outcome)
            elif isinstance(outcome, Reject):
                tally.rejects[outcome.reason] += 1
                if outcome.reason == "unknown-format":
                    tally.hint = outcome.detail
                writer.add_reject(unit.key, name, outcome)
            else:
                tally.skipped[outcome.kind] += 1
            if tally.records - told >= 50:
                progress(tally.records - told, counting.count - told_bytes)
                told, told_bytes = tally.records, counting.count
        tally.bytes = counting.count
    progress(tally.records - told, tally.bytes - told_bytes)
    tally.seconds = time.monotonic() - started
    tally.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return tally


def outcomes(
    unit: Unit, file: BinaryIO, extract: Extract, now: datetime, tally: Tally
) -> Iterator[tuple[str, Outcome]]:
    """Every outcome of a unit, with the name of the file or WACZ entry that it lies in."""
    limits = unit.settings.limits
    if unit.kind == "records":
        span = unit.span
        begin = unit.begin or SpanEnd()
        if begin.offset is not None:
            span = Span(begin.offset, span.end, recovered=begin.recovered)
        examiner = Examiner(unit.file, extract, limits, now, _PAGES, floor=begin.earliest_trusted)
        yield from _from_records(file, span, examiner, tally)
    elif unit.kind == "wacz":
        for entry in entries(file):
            name = f"{unit.file}!/{entry.name}" if entry.name else unit.file
            if entry.file is None:
                yield name, Reject(entry.reason, entry.detail, 0, 0)
            else:
                yield from _from_entry(entry.file, Examiner(name, extract, limits, now, _PAGES), tally)
    elif unit.kind in {"jsonl", "parquet"}:
        rows = (
            read_jsonl(file, unit.settings.columns, limits.record)
            if unit.kind == "jsonl"
            else read_parquet(file, unit.settings.columns)
        )
        examiner = Examiner(unit.file, extract, limits, now)
        for row in rows:
            tally.columns = tally.columns or row.columns
            outcome = examine_row(row, examiner)
            if isinstance(outcome, Capture) and outcome.dated.problem == "unparsable":
                tally.unparsable = tally.unparsable or (row.date or "")[:60]
            yield unit.file, outcome
    else:
        reason: dict[Kind, str] = {"empty": "empty-file", "unknown": "unknown-format"}
        yield unit.file, Reject(reason[unit.kind], _hint(file), 0, 0, unit.size)


def _hint(file: BinaryIO) -> str:
    """What might be done about a file that is of no known format."""
    file.seek(0)
    is_list = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    return "a JSON list; write an object on each line, as `jq -c '.[]'` does" if is_list else ""


def _from_entry(file: BinaryIO, examiner: Examiner, tally: Tally) -> Iterator[tuple[str, Outcome]]:
    try:
        yield from _from_records(file, Span(), examiner, tally)
    except SourceError:
        raise
    except Exception as error:  # zipfile raises whatever its codecs raise
        yield examiner.name, Reject("bad-compression", f"{type(error).__name__}: {error}"[:200], 0, 0)


def _from_records(file: BinaryIO, span: Span, examiner: Examiner, tally: Tally) -> Iterator[tuple[str, Outcome]]:
    # what the head of the file says of all its records
    if span.start and (head := RecordReader(file, Span(), 1 << 20).first()) is not None:
        examiner.introduce(head)
    reader = RecordReader(file, span, examiner.limits.record)
    for record in reader:
        yield examiner.name, examiner.examine(record)
    tally.first_offset = reader.first_offset
    tally.reached = SpanEnd(reader.next_offset, reader.recovered, examiner.floor)
    tally.format = reader.format or tally.format


class _Counting(io.BufferedIOBase):
    """A file that counts the bytes read from it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self.count = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            raise SourceError(f"{self._name}: {error}") from None

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        try:
            data = self._file.read(-1 if size is None else size)
        except OSError as error:  # what the file is cannot be told now: the next ingest tries again
            raise SourceError(f"{self._name}: {error}") from None
        self.count += len(data)
        return data

"""`audit`: reads web archives, and tells what in them contradicts their dates. It needs no lake."""

from __future__ import annotations

import statistics
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import BinaryIO

from archive import dates
from archive.attestations import software, wacz
from archive.errors import SourceError, error_line
from archive.progress import Reporter
from archive.records import digest, web_archive
from archive.records.base import Look, Reading
from archive.records.cursor import Cursor
from archive.records.http import Message, dechunk, parse_response
from archive.records.members import Members, compression_of
from archive.records.record import Record, parse_fields, starts_record
from archive.records.wacz import ZIP_MAGIC, entries
from archive.sources import Sources, list_files, open_bytes, source_names

#: What an audit may find in a file -> what that means.
FINDINGS: dict[str, str] = {
    "clock-offset": "by the median, the servers' `Date` is more than an hour from the dates of the records",
    "anachronism": "the date is older than the format of the record, or than the software that wrote the file",
    "altered": "the bytes of a record or of a file in a WACZ are not those whose hash is stated",
    "server-later": "the server stated a `Date` or `Last-Modified` more than a day after the record's date",
    "made-later": "the record states that it was made more than a day after its date",
    "refers-later": "a revisit refers to a capture that is later than itself",
    "outside-crawl": "the date is not within the crawl that the name or the warcinfo of the file states",
    "unparsable": "a date cannot be read",
    "unreadable": "a record, or what a WACZ states of its files, cannot be read",
}
#: Caches answer with a `Date` that is minutes old.
_CLOCK = timedelta(hours=1)
_DAY = timedelta(days=1)
#: A median of fewer responses says little.
_LEAST = 3


@dataclass(slots=True)
class Finding:
    """What is wrong in a file, of one kind."""

    kind: str  #: a key of `FINDINGS`
    records: int = 0
    offset: int | None = None  #: of the first of the records
    detail: str = ""  #: of the first


@dataclass(slots=True)
class FileAudit:
    """What one file shows of its dates."""

    file: str  #: `a.wacz!/b.warc.gz` is an entry of a WACZ
    format: str = ""
    records: int = 0
    first: datetime | None = None  #: date of a record
    last: datetime | None = None
    compared: int = 0  #: responses with a `Date` of the server
    clock_offset: float | None = None  #: seconds, the median of `Date` minus the record's date
    software: str = ""  #: as the first warcinfo record states
    findings: list[Finding] = field(default_factory=list)
    existed_by: datetime | None = None  #: of a verified time stamp


@dataclass(slots=True)
class AuditResult:
    """What `audit` found."""

    files: list[FileAudit] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)  #: files that are no web archives
    unreadable: list[str] = field(default_factory=list)  #: files that cannot be read, with the reason

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.unreadable and not any(file.findings for file in self.files)


def audit(sources: Sources, *, reporter: Reporter | None = None) -> AuditResult:
    """Read web archives, and tell what in them contradicts their dates.

    Args:
        sources: WARC, ARC and WACZ files; folders, patterns, addresses; one or several.

    Raises:
        SourceError: a source is not there.
    """
    reporter = reporter or Reporter()
    result = AuditResult()

    def unreadable(path: str, why: str) -> None:
        result.unreadable.append(f"{path}: {why}")

    listed = [file for source in source_names(sources) for file in list_files(source, unreadable)]
    reporter.stage("audit", len(listed))
    for each in listed:
        try:
            with open_bytes(each.uri) as file:
                audits = list(audit_file(file, each.uri))
        except Exception as error:  # of a file that is damaged in any way
            unreadable(each.uri, error_line(error))
        else:
            result.files += audits
            if not audits:
                result.passed_over.append(each.uri)
        reporter.advance(1, each.size or 0)
    return result


def audit_file(file: BinaryIO, name: str) -> Iterator[FileAudit]:
    """Audit a file, or each web archive in a WACZ; yield nothing for a file of another kind.

    Raises:
        SourceError: it cannot be read.
    """
    look = Look(file, name)
    if look.head.startswith(ZIP_MAGIC):
        yield from _audit_wacz(file, name)
    elif web_archive.READER.recognises(look) or web_archive.READER.accepts(look):
        yield _audit_archive(file, name)


def _audit_wacz(file: BinaryIO, name: str) -> Iterator[FileAudit]:
    audits = []
    for entry in entries(file):
        found = FileAudit(f"{name}!/{entry.name}" if entry.name else name, "wacz")
        if entry.file is None:
            _add(found, "unreadable", None, f"{entry.reason}: {entry.detail}")
        else:
            found = _audit_archive(entry.file, found.file)
        audits.append(found)
    stated = _evidence_of(file, audits)
    for found in audits:
        if stated is not None:
            entry_name = found.file.removeprefix(f"{name}!/").partition("!/")[0]
            agreement = stated.files.get(entry_name, "unstated")
            if agreement in {"altered", "unreadable"}:
                _add(found, agreement, None, stated.statement.detail or f"{entry_name} has not the hash that is stated")
            elif agreement == "agrees":
                found.existed_by = stated.existed_by
        yield found


def _evidence_of(file: BinaryIO, audits: list[FileAudit]) -> wacz.WaczEvidence | None:
    try:
        with zipfile.ZipFile(file):
            pass
    except Exception:  # `entries` reports it
        return None
    file.seek(0)
    try:
        return wacz.wacz_evidence(file)
    except SourceError:
        return None


def _audit_archive(file: BinaryIO, name: str) -> FileAudit:
    found, case = FileAudit(name), _Case(dates.crawl_windows(name))
    reading = Reading(name)
    early: list[tuple[int, int]] = []  # records of which the version of the format matters
    for _, item in web_archive.READER.read(file, reading):
        assert isinstance(item, Record)
        found.records += 1
        at = _look_at(item, found, case)
        if item.format == "warc" and at is not None and at < software.WARC_1_1:
            early.append((item.offset, item.skip))
    found.format = reading.format or ""
    _judge_clock(found, case)
    _judge_software(found, case)
    _judge_format(file, found, early)
    return found


@dataclass(slots=True)
class _Case:
    """What is collected of a file while it is read."""

    windows: tuple[dates.Window, ...]
    offsets: list[float] = field(default_factory=list)
    software: list[tuple[str, datetime, int]] = field(default_factory=list)  #: with date and offset of the record


def _add(found: FileAudit, kind: str, offset: int | None, detail: str) -> None:
    for finding in found.findings:
        if finding.kind == kind:
            finding.records += 1
            return
    found.findings.append(Finding(kind, 1, offset, detail[:300]))


def _look_at(record: Record, found: FileAudit, case: _Case) -> datetime | None:
    """Look at one record; return its date."""
    if record.problem and record.problem != "too-large":
        _add(found, "unreadable", record.offset, f"{record.problem}: {record.detail}")
        return None
    at, problem = dates.parse(record.date)
    if at is None:
        if problem != "missing":
            _add(found, "unparsable", record.offset, f"{record.date!r}")
        return None
    found.first, found.last = min(found.first or at, at), max(found.last or at, at)
    if record.type == "warcinfo":
        _look_at_info(record, at, found, case)
        return at
    if outside := [window for window in case.windows if not window.holds(at)]:
        _add(found, "outside-crawl", record.offset, f"{at:%Y-%m-%d} is outside {outside[0].start:%Y-%m-%d} to "
                                                    f"{outside[0].end:%Y-%m-%d}")  # fmt: skip
    created, _ = dates.parse(record.headers.get("warc-creation-date"))
    if created is not None and created > at + _DAY:
        _add(found, "made-later", record.offset, f"WARC-Creation-Date {created:%Y-%m-%d}, date {at:%Y-%m-%d}")
    refers, _ = dates.parse(record.headers.get("warc-refers-to-date"))
    if refers is not None and refers > at + _DAY:
        _add(found, "refers-later", record.offset, f"WARC-Refers-To-Date {refers:%Y-%m-%d}, date {at:%Y-%m-%d}")
    message = parse_response(record.block) if record.type in {"response", "revisit"} and record.block else None
    if message:
        _look_at_server(record, message, at, found, case)
    if record.type != "revisit" and not record.problem and record.block:
        _look_at_digests(record, message, found)
    return at


def _look_at_info(record: Record, at: datetime, found: FileAudit, case: _Case) -> None:
    if record.format == "arc":
        return
    fields = parse_fields(record.block)
    names = [*fields.every("ispartof"), *record.headers.every("warc-filename"), *fields.every("filename")]
    case.windows = tuple(window for name in names for window in dates.crawl_windows(name)) or case.windows
    if stated := fields.get("software"):
        found.software = found.software or stated
        case.software.append((stated, at, record.offset))


def _look_at_server(record: Record, message: Message, at: datetime, found: FileAudit, case: _Case) -> None:
    stated = _http_date(message.headers.get("date"))
    if stated is not None and record.type == "response":
        case.offsets.append((stated - at).total_seconds())
    for name in ("date", "last-modified"):
        moment = _http_date(message.headers.get(name))
        if moment is not None and moment > at + _DAY:
            _add(found, "server-later", record.offset, f"{name} {moment:%Y-%m-%d}, date of the record {at:%Y-%m-%d}")


def _look_at_digests(record: Record, message: Message | None, found: FileAudit) -> None:
    block = digest.check(record.headers.every("warc-block-digest"), record.block)[1]
    if block == digest.MISMATCH:
        _add(found, "altered", record.offset, "the digest of the block does not match")
    elif block != digest.VERIFIED and "warc-segment-number" not in record.headers and not record.truncated:
        claims = record.headers.every("warc-payload-digest")
        readings = [message.body, dechunk(message.body)[0]] if message else [record.block]
        if digest.check(claims, *readings)[1] == digest.MISMATCH:
            _add(found, "altered", record.offset, "the digest of the payload does not match")


def _http_date(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value) if value else None
        return None if moment is None else moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _judge_clock(found: FileAudit, case: _Case) -> None:
    found.compared = len(case.offsets)
    if case.offsets:
        found.clock_offset = statistics.median(case.offsets)
    if found.compared >= _LEAST and abs(found.clock_offset or 0) > _CLOCK.total_seconds():
        _add(found, "clock-offset", None, f"{found.clock_offset:,.0f} s over {found.compared} responses")


def _judge_software(found: FileAudit, case: _Case) -> None:
    # the records may be older than the software: archives are converted, and packed again
    for stated, at, offset in case.software:
        first = software.earliest(stated)
        if first and at < first[0]:
            _add(found, "anachronism", offset, f"{first[1]}, the warcinfo record of {at:%Y-%m-%d}: {stated}")


def _judge_format(file: BinaryIO, found: FileAudit, early: list[tuple[int, int]]) -> None:
    file.seek(0)
    compression = compression_of(file.read(8))
    for offset, skip in early:
        head = Cursor(Members(file, compression, offset, starts_record)).peek(skip + 16)[skip:]
        if head.lstrip(b"\r\n").upper().startswith((b"WARC/1.1", b"WARC/2")):
            _add(found, "anachronism", offset, f"{head.split()[0].decode('ascii', 'replace')} before 2017")

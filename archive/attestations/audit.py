"""`audit`: reads web archives, and tells what in them contradicts their dates. It needs no lake."""

from __future__ import annotations

import hashlib
import statistics
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO, cast

from archive import dates
from archive.attestations import software, wacz
from archive.capture import Capture
from archive.dates import Dated
from archive.errors import error_line
from archive.evidence.claims import record_date
from archive.examine import Examiner
from archive.progress import Reporter
from archive.reasons import DATE_PROBLEMS
from archive.records import digest, web_archive
from archive.records.base import Look, Reading
from archive.records.http import Message, parse_response
from archive.records.manifest import Agreement
from archive.records.record import Record, parse_fields
from archive.records.wacz import ZIP_MAGIC, entries
from archive.sources import Sources, list_files, open_bytes, source_names
from archive.text import Page

#: What an audit may find in a file -> what that means. An ingest writes the same codes into `date_problem`.
FINDINGS: dict[str, str] = {
    "clock-offset": "by the median, the servers' `Date` is more than an hour from the dates of the records",
    "anachronism": "the date is older than the format of the record, or than the software that wrote the file",
    "damaged": "a record, or what a WACZ states of its files, cannot be read",
    **{code: meaning for code, meaning in DATE_PROBLEMS.items() if code != "retracted"},
}
#: What a claim is called in a file.
_FIELDS = {
    "warc-date": "WARC-Date",
    "arc-date": "the date",
    "http-date": "Date",
    "last-modified": "Last-Modified",
    "memento": "Memento-Datetime",
    "replay-url": "the address",
    "source-uri": "WARC-Source-URI",
    "creation-date": "WARC-Creation-Date",
    "refers-to": "WARC-Refers-To-Date",
    "fetch-timestamp": "x_commoncrawl_FetchTimestamp",
    "crawl-window": "the crawl, which ended by",
    "warc-version": "WARC/1.1, since",
    "software": "the software, since",
    "damaged-record": "the damaged record in front",
}
#: What an extractor would give. An audit needs no text, only to know which records have one.
_PAGE = Page("a text", None, "none")
#: Caches answer with a `Date` that is minutes old.
_CLOCK = timedelta(hours=1)
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
        """Whether web archives were read, and nothing was found."""
        return bool(self.files) and not self.unreadable and not any(file.findings for file in self.files)


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
    statement = _statement_of(file)
    for entry in entries(file):
        found = FileAudit(f"{name}!/{entry.name}" if entry.name else name, "wacz")
        if entry.file is None:
            _add(found, "damaged", None, f"{entry.reason}: {entry.detail}")
            yield found
            continue
        inner = entry.name.rpartition("!/")[2]
        hashing = _Hashing(entry.file, statement.algorithms(inner) if statement else ())
        found = _audit_archive(cast(BinaryIO, hashing), found.file)
        if inner != entry.name or statement is None:  # the package in the package is what the statement is about
            agreement: Agreement = "altered" if entry.altered else "unstated"
        else:
            agreement = statement.agreement(inner, *hashing.finish())
        if agreement in {"altered", "unreadable"}:
            detail = (statement.detail if statement else "") or f"{inner} has not the hash that is stated"
            _add(found, "altered" if agreement == "altered" else "damaged", None, detail)
        elif agreement == "agrees" and statement:
            found.existed_by = statement.existed_by
        yield found


def _statement_of(file: BinaryIO) -> wacz.Statement | None:
    try:
        with zipfile.ZipFile(file) as package:
            return wacz.read_statement(package)
    except Exception:  # `entries` reports it
        return None


class _Hashing:
    """A file that hashes what is read of it, once, whatever is read again."""

    def __init__(self, file: BinaryIO, algorithms: Iterable[str]) -> None:
        self._file, self._at, self._mark = file, file.tell(), 0
        self._hashes = {name: hashlib.new(name) for name in algorithms}

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if self._at <= self._mark < self._at + len(data):
            for each in self._hashes.values():
                each.update(data[self._mark - self._at :])
            self._mark = self._at + len(data)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return self._file.seekable()

    def finish(self) -> tuple[dict[str, str], int]:
        """Read the rest. Returns the hashes in hexadecimal, and the size in bytes."""
        self.seek(self._mark)
        while self.read(1 << 20):
            pass
        return {name: each.hexdigest() for name, each in self._hashes.items()}, self._mark


def _audit_archive(file: BinaryIO, name: str) -> FileAudit:
    found, case = FileAudit(name), _Case(Examiner(name, lambda _: _PAGE))
    reading = Reading(name)
    for _, item in web_archive.READER.read(file, reading):
        assert isinstance(item, Record)
        found.records += 1
        _look_at(item, found, case)
    found.format = reading.format or ""
    if not found.records:
        _add(found, "damaged", None, "there is no record in it")
    _judge_clock(found, case)
    _judge_software(found, case)
    return found


@dataclass(slots=True)
class _Case:
    """What is collected of a file while it is read."""

    examiner: Examiner
    offsets: list[float] = field(default_factory=list)
    software: list[tuple[str, datetime, int]] = field(default_factory=list)  #: with date and offset of the record


def _add(found: FileAudit, kind: str, offset: int | None, detail: str) -> None:
    for finding in found.findings:
        if finding.kind == kind:
            finding.records += 1
            return
    found.findings.append(Finding(kind, 1, offset, " ".join(detail.split())[:300]))


def _look_at(record: Record, found: FileAudit, case: _Case) -> None:
    """Judge one record as an ingest does."""
    outcome = case.examiner.examine(record)
    if record.problem and record.problem != "too-large":
        _add(found, "damaged", record.offset, f"{record.problem}: {record.detail}")
        return
    at = dates.parse(record.date)[0]
    if at is not None:
        found.first, found.last = min(found.first or at, at), max(found.last or at, at)
        if at < software.WARC_1_1 and record.head.upper().startswith((b"WARC/1.1", b"WARC/2")):
            version = record.head.split()[0].decode("ascii", "replace")
            _add(found, "anachronism", record.offset, f"{version} before 2017")
    if record.type == "warcinfo":
        _look_at_info(record, at, found, case)
        return
    message = parse_response(record.block) if record.type in {"response", "revisit"} and record.block else None
    if isinstance(outcome, Capture):
        _tell(found, record, outcome.dated)
    elif record.type in {"response", "revisit"} and not record.uri.startswith(("dns:", "whois:")):
        _tell(found, record, record_date(record, message.headers if message else None, case.examiner.state))
        if not record.problem and record.type == "response":
            _look_at_block(found, record)
    if message and at is not None and record.type == "response":
        _look_at_clock(message, at, case)


def _tell(found: FileAudit, record: Record, dated: Dated) -> None:
    """Add the problem of a date, with the claim that shows it."""
    if dated.problem is None:
        return
    stated = f"date {dated.captured_at:%Y-%m-%d}" if dated.captured_at else f"date {record.date!r}"
    contrary = [
        f"{_FIELDS.get(claim.kind, claim.kind)} {claim.at:%Y-%m-%d}"
        for claim in dated.claims
        if claim.at is not None and claim.agrees is False
    ]
    if dated.problem == "altered":
        contrary = ["the digest that the record states does not match"]
    elif dated.problem in {"unreadable", "unparsable"}:
        contrary = [
            f"{_FIELDS.get(claim.kind, claim.kind)} cannot be read" for claim in dated.claims if claim.at is None
        ]
    _add(found, dated.problem, record.offset, ", ".join([*dict.fromkeys(contrary), stated]))


def _look_at_block(found: FileAudit, record: Record) -> None:
    """Look at the digest of a response that is no page."""
    if digest.check(record.headers.every("warc-block-digest"), record.block)[1] == digest.MISMATCH:
        _add(found, "altered", record.offset, "the digest that the record states does not match")


def _look_at_info(record: Record, at: datetime | None, found: FileAudit, case: _Case) -> None:
    if record.format == "arc":
        return
    if stated := parse_fields(record.block).get("software"):
        found.software = found.software or stated
        if at is not None:
            case.software.append((stated, at, record.offset))


def _look_at_clock(message: Message, at: datetime, case: _Case) -> None:
    stated = dates.parse_http(message.headers.get("date", ""))
    if stated is not None:
        case.offsets.append((stated - at).total_seconds())


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

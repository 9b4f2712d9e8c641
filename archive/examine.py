"""Examining records and rows: from the bytes to a capture, a reject or a skipped kind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from archive import dates
from archive.capture import Capture, Limits, Outcome, Reject, Skipped
from archive.dates import Dated
from archive.evidence import replay
from archive.evidence.claims import HTTP_DATES, operator_of, record_date, replay_in, row_date
from archive.evidence.file_state import FileState, Info
from archive.evidence.grade import BLOCK, CONTRADICTED
from archive.evidence.names import crawl_name, replay_of
from archive.page import HTML_TYPES, NO_TYPE, PLAIN_TYPES, page_kind, page_of
from archive.reasons import DATE_PROBLEMS, Unusable, reject_reason
from archive.records import digest, robots
from archive.records.base import Item
from archive.records.http import (
    BadEncoding,
    BodyTooLarge,
    Message,
    dechunk,
    decompress,
    media_type,
    parse_response,
    trailer_of,
)
from archive.records.record import Fields, Record
from archive.records.rows import Row
from archive.text import Extractor
from archive.text.cache import PageCache, key_of
from archive.text.charset import stated
from archive.text.extract import from_plain

_WEB_SCHEMES = ("http:", "https:", "ftp:", "gopher:")


def _reason_of(error: Exception) -> tuple[str, str]:
    """Return the reject reason and the detail of any error that one record caused."""
    if isinstance(error, Unusable):
        return error.reason, error.detail[:500]
    return "internal-error", f"{type(error).__name__}: {error}"[:500]


def _sha256(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


@dataclass(slots=True)
class Examiner:
    """Examines the records or rows of one file, in their order.

    Args:
        name: the name of the file, which may contain that of a crawl.
        extract: HTML to text; raises `Unusable` where the page gives none.
        now: the time of the ingest. A later date is an error.
        pages: a cache of extracted pages.

    Attributes:
        state: what is known of the file at the next record.
    """

    name: str
    extract: Extractor
    limits: Limits = Limits()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    pages: PageCache = field(default_factory=lambda: PageCache(0))
    state: FileState = field(init=False)
    altered: bool = False  #: the file is not what its package states
    stale: bool = False  #: the file's hash is not the stated one: only records whose own digest is verified count
    operator: str | None = None  #: who made the archive, as the user says
    last: str = ""  #: the type of the record in front

    def __post_init__(self) -> None:
        self.state = FileState(self.name, self.now)

    def examine(self, item: Item) -> Outcome:
        """Return the outcome of a record or row. Its content makes this raise nothing."""
        if isinstance(item, Row):
            return self._examine_row(item)
        outcome = self._examine_record(item)
        if (
            isinstance(outcome, Capture)
            and not outcome.dated.problem
            and (
                self.altered
                or outcome.integrity == CONTRADICTED
                or (self.stale and outcome.integrity != BLOCK)
                or _is_badly_joined(item, outcome)
            )
        ):
            outcome.dated = replace(outcome.dated, problem="altered")
        self._leave(item)
        return outcome

    def pass_by(self, record: Record) -> None:
        """Note what a record says about the records behind it, as `examine` does, but take nothing from it."""
        if record.problem and record.problem != "too-large":
            self._note_damage(record)
        else:
            self.introduce(record)
        self._leave(record)

    def _leave(self, record: Record) -> None:
        self.last = record.type
        self.state.behind = self.state.behind or record.recovered
        if not record.problem and not self.state.behind:
            self.state.floor = None

    def _examine_record(self, record: Record) -> Outcome:
        if record.problem and record.problem != "too-large":
            self._note_damage(record)
        try:
            if record.problem == "too-large":
                self._prefer_other_reason(record)
            if record.problem:
                raise Unusable(record.problem, record.detail)
            return self._outcome(record)
        except Exception as error:
            return Reject(
                *_reason_of(error),
                record.offset,
                record.skip,
                record.length,
                record.record_id,
                record.type or None,
                record.uri or None,
                record.date,
            )

    # -- by kind -----------------------------------------------------------------------------------

    def _outcome(self, record: Record) -> Outcome:
        kind = record.type
        if kind == "warcinfo":
            self.state.introduce(_info_of(record))
            return Skipped(kind)
        if record.uri.startswith(("dns:", "whois:")):
            return Skipped("dns")
        if kind == "response":
            return self._response(record)
        if kind == "resource":
            if not record.uri.lower().startswith(_WEB_SCHEMES):
                return Skipped("not-web")  # a log, a screenshot or a note of the crawler itself
            return self._bare(record, record.headers.get("content-type", ""))
        if kind == "conversion":
            return self._conversion(record)
        if kind == "revisit":
            return self._revisit(record)
        return Skipped(kind if kind in {"request", "metadata", "continuation"} else "other")

    def introduce(self, record: Record) -> None:
        """Read a warcinfo record, broken or not, for what it says about the records behind it; ignore any other."""
        if record.type == "warcinfo":
            self.state.introduce(_info_of(record))
            self.last = record.type
            if record.problem:
                self.state.note_broken_info()

    def _note_damage(self, record: Record) -> None:
        """Keep the date of a damaged record: what a search finds behind it may have been inside it."""
        at = None
        self.introduce(record)
        if not record.type and self.last == "warcinfo":
            self.state.note_broken_info()
        if record.type:
            message = self._message(record)
            dated = record_date(record, message.headers if message else None, self.state)
            at = None if dated.problem else dated.captured_at
        if self.state.behind or record.recovered:  # inside of what was found there, or of the first damaged record
            self.state.floor = max(at, self.state.floor) if at and self.state.floor else None
        else:
            self.state.floor = at

    def _response(self, record: Record) -> Capture:
        message = self._message(record)
        if message is None:
            stated = record.headers.get("content-type", "")
            if record.format == "warc" and page_kind(media_type(stated), record.content):
                return self._bare(record, stated)  # some tools write the page without its HTTP header
            raise Unusable("bad-http", "no HTTP status line")
        chunked = "chunked" in message.headers.get("transfer-encoding", "").lower()
        if chunked:
            _add_trailer(message)
        capture = self._new_capture(record, message)
        capture.status, capture.mime = message.status, message.mime or None
        if message.status not in {200, 203}:
            raise Unusable(reject_reason(message.status))
        joined = message.body
        if chunked:
            joined, complete = dechunk(message.body)
            if not complete:
                capture.truncated = capture.truncated or "chunked"
        self._verify(record, capture, message.body, joined)
        self._take_text(record, capture, joined, message)
        return capture

    def _bare(self, record: Record, content_type: str) -> Capture:
        """Examine a record whose block is the payload itself."""
        capture = self._new_capture(record, None)
        capture.mime = media_type(content_type) or None
        body = record.content
        self._verify(record, capture, body)
        self._take_text(record, capture, body, Message(200, Fields({"content-type": content_type}), body))
        return capture

    def _conversion(self, record: Record) -> Capture:
        """Examine a text that the crawler extracted (WET)."""
        capture = self._bare(record, record.headers.get("content-type", "text/plain"))
        if capture.extractor == "plain":
            capture.extractor = "wet"
        return capture

    def _revisit(self, record: Record) -> Capture:
        claim = digest.normal_form(record.headers.get("warc-payload-digest"))
        if claim is None or len({digest.normal_form(each) for each in record.headers.every("warc-payload-digest")}) > 1:
            raise Unusable("revisit-without-digest", record.headers.get("warc-profile", ""))
        message = self._message(record)
        if message and message.mime and message.mime not in HTML_TYPES | PLAIN_TYPES:
            raise Unusable("not-text", message.mime)
        capture = self._new_capture(record, message)
        if message:
            capture.status, capture.mime = message.status, message.mime or None
            capture.charset_stated = stated(message.content_type)
        capture.payload_digest, capture.payload_check = claim, digest.CLAIMED
        self._check_block(record, capture)
        if capture.block_check == digest.MISMATCH:  # many writers keep the digest of the whole response here
            capture.block_check = digest.CLAIMED
        capture.refers_to_url = record.headers.get("warc-refers-to-target-uri", "").strip("<>") or None
        capture.refers_to_date = dates.parse(record.headers.get("warc-refers-to-date"))[0]
        capture.robots = robots.directives(message.headers, b"") if message else None
        return capture

    def _examine_row(self, row: Row) -> Outcome:
        try:
            if row.problem:
                raise Unusable(row.problem, row.detail)
            is_html = row.mime.startswith(("text/html", "application/xhtml"))
            html = row.html if row.html is not None else (row.text or "") if is_html else None
            charset = None
            if row.body is not None:
                stated_type = "text/html" if is_html else row.body_type
                page, charset, _ = page_of(row.body, stated_type, self.extract, self.limits)
            elif html is not None:
                body = html.encode("utf-8", "replace")
                page, _, _ = page_of(body, "text/html; charset=utf-8", self.extract, self.limits)
            else:
                if len(row.text or "") > self.limits.page:
                    raise Unusable("too-large", f"{len(row.text or '')} characters")
                page = from_plain(row.text or "")
                if not page.text:
                    raise Unusable("empty-text")
        except Exception as error:
            reject = Reject(*_reason_of(error), row.offset, row.skip, row.length, None, "row")
            reject.url, reject.date = row.url or None, row.date
            return reject
        return Capture(
            url=row.url or None,
            via=None,
            dated=row_date(row, self.state),
            record_type="row",
            offset=row.offset,
            skip=row.skip,
            length=row.length,
            record_id=None,
            mime=row.mime or None,
            charset=charset,
            robots=robots.directives({}, row.html.encode("utf-8", "replace")) if row.html else None,
            title=page.title,
            extractor="dataset" if page.extractor == "plain" else page.extractor,
            operator=operator_of(replay_of(row.url), None, row.crawls, self.operator),
            crawl=next(filter(None, map(crawl_name, row.crawls)), None),
            text=page.text,
        )

    # -- parts -------------------------------------------------------------------------------------

    def _message(self, record: Record) -> Message | None:
        return parse_response(record.content) if record.block else None

    def _prefer_other_reason(self, record: Record) -> None:
        """Reject a large record that is no page for that reason; its head, which is all that was read, shows it."""
        if record.type != "response" or not (message := self._message(record)):
            return
        if message.status not in {200, 203}:
            record.problem, record.detail = reject_reason(message.status), record.detail
        elif message.mime not in HTML_TYPES | PLAIN_TYPES | NO_TYPE:
            record.problem, record.detail = "not-text", message.mime

    def _new_capture(self, record: Record, message: Message | None) -> Capture:
        source = replay_in(record)
        info, _ = self.state.info_of(record)
        named = [*(info.names if info else ()), self.name]
        return Capture(
            url=source.page if source else record.uri,
            via=source.url if source else None,
            dated=_date_of(record, message.headers if message else None, self.state),
            record_type=record.type,
            offset=record.offset,
            skip=record.skip,
            length=record.length,
            record_id=record.record_id,
            truncated=record.truncated,
            record_sha256=_sha256(*(part for each in (record, *record.segments) for part in (each.head, each.block))),
            operator=operator_of(source, info, named, self.operator),
            crawl=next(filter(None, map(crawl_name, named)), None),
        )

    def _verify(self, record: Record, capture: Capture, *readings: bytes) -> None:
        readings = readings[:1] if len(readings) > 1 and readings[0] is readings[1] else readings
        claims = record.headers.every("warc-payload-digest")
        if record.missing:  # they are of all segments together
            claims, capture.truncated = [], capture.truncated or record.missing
        capture.payload_digest, capture.payload_check = digest.check(claims, *readings)
        self._check_block(record, capture)

    def _check_block(self, record: Record, capture: Capture) -> None:
        checks = {_block_check(each) for each in (record, *record.segments)}
        capture.block_check = checks.pop() if len(checks) == 1 else digest.ABSENT
        if digest.MISMATCH in checks:
            capture.block_check = digest.MISMATCH

    def _take_text(self, record: Record, capture: Capture, body: bytes, message: Message) -> None:
        try:
            if encodings := message.headers.get("content-encoding", ""):
                body, complete = decompress(body, encodings, self.limits.page)
                if not complete:
                    capture.truncated = capture.truncated or "content-encoding"
        except BodyTooLarge:
            raise Unusable("too-large", f"decodes to more than {self.limits.page} bytes") from None
        except BadEncoding as error:
            raise Unusable("bad-encoding", str(error)) from None
        if capture.payload_check == digest.MISMATCH and encodings:  # some writers take the digest of the decoded body
            decoded = digest.check(record.headers.every("warc-payload-digest"), body)
            if decoded[1] != digest.MISMATCH:
                capture.payload_digest, capture.payload_check = decoded
        if len(body) > self.limits.page:
            raise Unusable("too-large", f"a body of {len(body)} bytes")
        if replay.is_marked(body) and not capture.dated.weak:  # a tool saved what a replay showed
            capture.dated = replace(capture.dated, weak="rewritten")
        if capture.dated.weak == "rewritten":
            body = replay.cut(body)
        capture.robots = robots.directives(message.headers, body)
        key = key_of(capture.payload_digest, body, message.content_type)
        cached = self.pages.get(key)
        if cached is None:
            cached = page_of(body, message.content_type, self.extract, self.limits)
            self.pages.put(key, cached)
        page, capture.charset, capture.charset_own = cached
        capture.charset_stated = stated(message.content_type)
        capture.text, capture.title, capture.extractor = page.text, page.title, page.extractor


def _add_trailer(message: Message) -> None:
    """Add the dates behind the last chunk of a body to those of the header."""
    trailer = trailer_of(message.body)
    for name in HTTP_DATES & trailer.keys():
        for value in trailer.every(name):
            message.headers.add(name, value)


def _block_check(record: Record) -> str:
    claims = record.headers.every("warc-block-digest")
    return digest.check(claims, record.block)[1] if claims else digest.ABSENT


def _is_badly_joined(record: Record, capture: Capture) -> bool:
    """Return whether segments fit by their numbers, but have not the payload that the first one states.

    That each has the bytes that it states does not show that they belong together.
    """
    return bool(record.segments) and capture.payload_check == digest.MISMATCH


def _info_of(record: Record) -> Info:
    """Read a warcinfo record. Where segments of it are missing, names may be missing too."""
    info = Info.of(replace(record, block=record.content, segments=()) if record.segments else record)
    return replace(info, broken=True) if record.missing else info


def _date_of(record: Record, http: Fields | None, state: FileState) -> Dated:
    """Return the date of a record with all that it and its further segments say. Of their dates the latest counts."""
    dated = record_date(record, http, state)
    around = replace(state)
    found: dict[int, Dated] = {}
    for segment in sorted(record.segments, key=lambda each: (each.offset, each.skip)):
        for info in segment.infos:
            around.introduce(_info_of(info))
        found[id(segment)] = record_date(segment, http, around)
    for segment in record.segments:
        dated = _together(dated, found[id(segment)])
    return dated


def _together(first: Dated, other: Dated) -> Dated:
    """Return the date of two parts of one capture: the later one, with the doubts of both."""
    ends = [each.captured_at for each in (first, other) if each.captured_at]
    starts = [each.captured_from for each in (first, other) if each.captured_from]
    return Dated(
        max(ends, default=None),
        first.source,
        min(filter(None, (first.problem, other.problem)), key=list(DATE_PROBLEMS).index, default=None),
        min(starts, default=None),
        (*first.claims, *(claim for claim in other.claims if claim not in first.claims)),
        first.weak or other.weak,
        first.confirmed and other.confirmed,
    )

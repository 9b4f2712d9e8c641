"""Examining records and rows: from the bytes to a capture, a reject or a skipped kind."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from archive import body, dates, site_rules
from archive.capture import Capture, Limits, Outcome, Reject, Skipped
from archive.dates import Dated
from archive.evidence import replay
from archive.evidence.claims import HTTP_DATES, operator_of, record_date, replay_in, row_date
from archive.evidence.file_state import FileState, Info
from archive.evidence.grade import BLOCK, CONTRADICTED
from archive.evidence.names import crawl_name, replay_of
from archive.page import DOWNLOAD, content_type_of, may_hold_page, page_kind, page_of
from archive.reasons import DATE_PROBLEMS, Unusable, reject_reason
from archive.records import digest, robots
from archive.records.base import Item
from archive.records.chunks import trailer_of
from archive.records.http import Message, parse_response
from archive.records.media_types import essence
from archive.records.record import Fields, Record
from archive.records.rows import Row
from archive.text import Extractor, sniff
from archive.text.cache import PageCache, key_of
from archive.text.charset import stated
from archive.text.extract import from_plain

_WEB_SCHEMES = frozenset({"http", "https", "ftp", "gopher"})
#: The scheme of a URL. A host with a port (`example.com:80/`) has none.
_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*):(?!\d+(?:[/?#]|$))", re.I)
_PAGES = frozenset({"response", "resource", "revisit", "conversion"})
#: Statuses of a page; of a revisit also that of one that was not modified.
_OK = frozenset({200, 203})
_NOT_MODIFIED = 304


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
    takes_rules: bool = (
        True  #: robots.txt and tdmrep.json are what a site allows; else they are pages, as they once were
    )
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
        kind = kind or _type_of(record)
        if kind in _PAGES and (skipped := _note_of(record.uri)):
            return Skipped(skipped)
        if kind == "response":
            return self._response(record)
        if kind == "resource":
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
            return self._without_header(record)
        if "chunked" in message.transfer_codings:
            _add_dates(message, trailer_of(message.body))
        capture = self._new_capture(record, message)
        content_type = content_type_of(message.headers.every("content-type"), _stated_type(record))
        capture.status, capture.mime = message.status, essence([content_type]) or None
        kind = site_rules.kind_of(capture.url) if self.takes_rules else None
        if message.status not in _OK and not (kind and site_rules.has_rules(message.status)):
            raise Unusable(reject_reason(message.status))
        payload = body.payload_of(record, capture, message, self.limits.page)
        if kind:
            capture.rules = kind
            if message.status in _OK:
                content = body.content_of(record, capture, message, payload, self.limits.page)
                capture.rules_text = site_rules.text_of(content)
            return capture
        self._take_text(record, capture, payload, message, content_type)
        return capture

    def _without_header(self, record: Record) -> Capture:
        """Examine a response without an HTTP header: some tools leave it out, and HTTP/0.9 has none."""
        stated = _stated_type(record)
        if sniff.begins_markup(record.content):
            return self._bare(record, stated if may_hold_page(essence([stated])) else "text/html")
        is_http = record.headers.get("content-type", "").lower().startswith("application/http")
        if record.format == "warc" and not is_http and page_kind(essence([stated]), record.content):
            return self._bare(record, stated)
        raise Unusable("bad-http", "no HTTP status line")

    def _bare(self, record: Record, content_type: str) -> Capture:
        """Examine a record whose block is the payload itself."""
        capture = self._new_capture(record, None)
        content_type = content_type_of([content_type], record.headers.get("warc-identified-payload-type", ""))
        capture.mime = essence([content_type]) or None
        payload = record.content
        body.verify(record, capture, payload)
        capture.rules = site_rules.kind_of(capture.url) if self.takes_rules else None
        if capture.rules:
            capture.rules_text = site_rules.text_of(payload)
            return capture
        self._take_text(record, capture, payload, Message(200, Fields(), payload), content_type)
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
        capture = self._new_capture(record, message)
        capture.rules = site_rules.kind_of(capture.url) if self.takes_rules else None
        if message:
            if message.status not in _OK | {_NOT_MODIFIED}:
                raise Unusable(reject_reason(message.status))
            content_type = content_type_of(message.headers.every("content-type"), _stated_type(record))
            mime = essence([content_type])
            if not capture.rules and (not may_hold_page(mime) or mime == DOWNLOAD):
                raise Unusable("not-text", mime)
            capture.status, capture.mime = message.status, mime or None
            capture.charset_stated = stated(content_type)
        capture.payload_digest, capture.payload_check = claim, digest.CLAIMED
        body.check_block(record, capture)
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
                encoded = html.encode("utf-8", "replace")
                page, _, _ = page_of(encoded, "text/html; charset=utf-8", self.extract, self.limits)
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
        message = parse_response(record.content) if record.block else None
        if message is not None:
            for fields in message.others:
                _add_dates(message, fields)
        return message

    def _prefer_other_reason(self, record: Record) -> None:
        """Reject a large record that is no page for that reason; its head, which is all that was read, shows it."""
        if record.type != "response" or not (message := self._message(record)):
            return
        mime = essence([content_type_of(message.headers.every("content-type"), _stated_type(record))])
        if message.status not in _OK:
            record.problem, record.detail = reject_reason(message.status), record.detail
        elif not may_hold_page(mime):
            record.problem, record.detail = "not-text", mime

    def _new_capture(self, record: Record, message: Message | None) -> Capture:
        source = replay_in(record)
        info, _ = self.state.info_of(record)
        named = [*(info.names if info else ()), self.name]
        return Capture(
            url=source.page if source else record.uri,
            via=source.url if source else None,
            dated=_date_of(record, message.headers if message else None, self.state),
            record_type=record.type or "response",
            offset=record.offset,
            skip=record.skip,
            length=record.length,
            record_id=record.record_id,
            truncated=record.truncated,
            record_sha256=_sha256(*(part for each in (record, *record.segments) for part in (each.head, each.block))),
            operator=operator_of(source, info, named, self.operator),
            crawl=next(filter(None, map(crawl_name, named)), None),
        )

    def _take_text(self, record: Record, capture: Capture, payload: bytes, message: Message, content_type: str) -> None:
        """Add the text of a body without its transfer codings."""
        content = body.content_of(record, capture, message, payload, self.limits.page)
        try:
            self._take_page(capture, content, message, content_type)
        except Unusable as error:
            mime = capture.mime or ""
            if error.reason != "not-text" or mime == DOWNLOAD or not may_hold_page(mime):
                raise
            if (inner := body.unpacked(content, self.limits.page)) is content:
                raise
            self._take_page(capture, inner, message, content_type)

    def _take_page(self, capture: Capture, content: bytes, message: Message, content_type: str) -> None:
        """Add the text of a body without any coding."""
        if replay.is_marked(content) and not capture.dated.weak:  # a tool saved what a replay showed
            capture.dated = replace(capture.dated, weak="rewritten")
        if capture.dated.weak == "rewritten":
            content = replay.cut(content)
        capture.robots = robots.directives(message.headers, content)
        key = key_of(capture.payload_digest, content, content_type)
        cached = self.pages.get(key)
        if cached is None:
            cached = page_of(content, content_type, self.extract, self.limits)
            self.pages.put(key, cached)
        page, capture.charset, capture.charset_own = cached
        capture.charset_stated = stated(content_type)
        capture.text, capture.title, capture.extractor = page.text, page.title, page.extractor


def _type_of(record: Record) -> str:
    """Return what a record without WARC-Type is, by its Content-Type; empty where that does not show it."""
    fields = record.headers
    stated = fields.get("content-type", "").lower().replace(" ", "")
    if stated != "application/http;msgtype=response" or "warc-profile" in fields or "warc-refers-to" in fields:
        return ""
    return "response"


def _note_of(uri: str) -> str | None:
    """Return the kind of note of a crawler that a URL is of, `dns` or `not-web`; None for a page of the web.

    Crawlers keep logs, screenshots, extracted texts and answers of name servers as records of any type. Where there is
    no scheme, it is a page.
    """
    scheme = _SCHEME.match(uri)
    if scheme is None or (name := scheme[1].lower()) in _WEB_SCHEMES:
        return None
    return "dns" if name in {"dns", "whois"} else "not-web"


def _stated_type(record: Record) -> str:
    """Return the Content-Type of the payload that the record states, not HTTP; empty where it states none."""
    fields = record.headers
    if record.format == "arc":
        return fields.get("content-type", "")
    stated = fields.get("warc-identified-payload-type", "")
    return stated or ("" if (own := fields.get("content-type", "")).lower().startswith("application/http") else own)


def _add_dates(message: Message, fields: Fields) -> None:
    """Add the dates of further fields, such as those behind the last chunk, to those of the header."""
    for name in HTTP_DATES & fields.keys():
        known = message.headers.every(name)
        for value in fields.every(name):
            if value not in known:
                message.headers.add(name, value)


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

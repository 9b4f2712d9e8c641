"""From a record to what it proves: a capture with its text, a reject with its reason, or a skipped kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from archive import dates
from archive.dates import Dated, Window
from archive.reasons import Unusable, reject_reason
from archive.records import digest, robots
from archive.records.base import Item
from archive.records.http import BadEncoding, BodyTooLarge, Message, dechunk, decompress, media_type, parse_response
from archive.records.record import Record, parse_fields
from archive.records.rows import Row
from archive.text import Page
from archive.text.cache import PageCache
from archive.text.charset import decode
from archive.text.extract import from_plain

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
_WEB_SCHEMES = ("http:", "https:", "ftp:", "gopher:")
_PLAIN_TYPES = frozenset({"text/plain"})
_NO_TYPE = frozenset(
    {"", "unk", "unknown", "no-type", "application/octet-stream", "application/unknown", "x-unknown/x-unknown"}
)
_COMMENT = re.compile(rb"\s*<!--.*?-->", re.S)
_HTML_LOOKS = re.compile(
    rb"\s*<(?:!doctype\s+html|html|head|body|title|meta|\?xml[^>]{0,500}>\s*<(?:!doctype\s+)?html)\b",
    re.I | re.S,
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
#: First bytes of what is no text, whatever its Content-Type says.
_BINARY = re.compile(
    rb"%PDF-|\x89PNG\r\n|GIF8[79]a|\xff\xd8\xff|PK\x03\x04|\x1f\x8b|RIFF....WEBP|\x00\x00\x00.ftyp|OggS|ID3|\x7fELF|wOF[F2]|\xd0\xcf\x11\xe0",
    re.S,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds memory and time, whatever the input.

    Attributes:
        record: the largest record block in bytes that is read.
        page: the largest decoded body in bytes that text is taken from.
        seconds: the longest that extracting one page may take.
        tags: the most `<` in a page; each is a node of its parse tree, of a few hundred bytes.
    """

    record: int = 32 << 20
    page: int = 16 << 20
    seconds: float = 20.0
    tags: int = 500_000


@dataclass(slots=True)
class Capture:
    """A page as it was seen once. The fields are the columns of the `captures` table."""

    url: str | None  #: None where a row of a data set has none
    via: str | None
    dated: Dated
    record_type: str
    offset: int
    skip: int
    length: int | None
    record_id: str | None
    status: int | None = None
    mime: str | None = None
    charset: str | None = None
    title: str | None = None
    extractor: str | None = None
    truncated: str | None = None
    payload_digest: str | None = None
    payload_check: str | None = None
    block_check: str | None = None
    refers_to_url: str | None = None
    refers_to_date: datetime | None = None
    robots: str | None = None
    text: str | None = None  #: normalised; None for a revisit, whose text lies elsewhere


@dataclass(slots=True)
class Reject:
    """A record that gave no text, and why."""

    reason: str
    detail: str
    offset: int
    skip: int
    length: int | None = None
    record_id: str | None = None
    record_type: str | None = None
    url: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record of a kind that never holds a page: request, metadata, warcinfo, dns…"""

    kind: str


Outcome = Capture | Reject | Skipped


def reason_of(error: Exception) -> tuple[str, str]:
    """The reject reason and detail of whatever went wrong with one record."""
    if isinstance(error, Unusable):
        return error.reason, error.detail[:500]
    return "internal-error", f"{type(error).__name__}: {error}"[:500]


@dataclass(slots=True)
class Examiner:
    """Examines the records of one file in their order.

    Args:
        name: the name of the file, which may name a crawl.
        extract: HTML to text; raises `Unusable` where the page gives none.
        now: the time that no honest date lies after.
        pages: what was extracted lately.
    """

    name: str
    extract: Callable[[str], Page]
    limits: Limits = Limits()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    pages: PageCache = field(default_factory=lambda: PageCache(0))
    window: Window | None = None
    pacific: bool = False
    _info: tuple[str | None, Window | None] = (None, None)
    earliest_trusted: datetime | None = None  #: the earliest believed date among records that were not recovered

    def __post_init__(self) -> None:
        self.window = dates.crawl_window(self.name)
        self._info = (None, self.window)

    def examine(self, item: Item) -> Outcome:
        """Return what a record or row is worth. Never raises for what is in it."""
        return examine_row(item, self) if isinstance(item, Row) else self._examine_record(item)

    def _examine_record(self, record: Record) -> Outcome:
        try:
            if record.problem == "too-large":
                self._prefer_other_reason(record)
            if record.problem:
                raise Unusable(record.problem, record.detail)
            return self._examine(record)
        except Exception as error:
            return Reject(
                *reason_of(error),
                record.offset,
                record.skip,
                record.length,
                record.record_id,
                record.type or None,
                record.uri or None,
                record.date,
            )

    # -- by kind -----------------------------------------------------------------------------------

    def _examine(self, record: Record) -> Outcome:
        kind = record.type
        if kind == "warcinfo":
            self._read_warcinfo(record)
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
        """Take from the record at the head of the file what it says of all of them."""
        if record.type == "warcinfo" and not record.problem:
            self._read_warcinfo(record)

    def _read_warcinfo(self, record: Record) -> None:
        if record.format == "arc":
            self.pacific = b"CommonCrawl" in record.block.split(b"\n", 1)[0]
            return
        fields = parse_fields(record.block)
        names = (fields.get("ispartof"), record.headers.get("warc-filename"), fields.get("filename"), self.name)
        self._info = (record.record_id, dates.crawl_window(*names))

    def _window_of(self, record: Record) -> Window | None:
        """The crawl of the warcinfo record that this one cites; of the file's name, if it cites another."""
        cited = record.headers.get("warc-warcinfo-id")
        own, window = self._info
        return window if cited is None or cited == own else self.window

    def _response(self, record: Record) -> Capture:
        message = self._message(record)
        if message is None:
            stated = record.headers.get("content-type", "")
            if record.format == "warc" and _kind_of(media_type(stated), record.block):
                return self._bare(record, stated)  # some tools write the page without its HTTP header
            raise Unusable("bad-http", "no HTTP status line")
        capture = self._new_capture(record, message)
        capture.status, capture.mime = message.status, message.mime or None
        if message.status not in {200, 203}:
            raise Unusable(reject_reason(message.status))
        joined = message.body
        if "chunked" in message.headers.get("transfer-encoding", "").lower():
            joined, whole = dechunk(message.body)
            if not whole:
                capture.truncated = capture.truncated or "chunked"
        self._verify(record, capture, message.body, joined)
        self._take_text(capture, joined, message)
        return capture

    def _bare(self, record: Record, content_type: str) -> Capture:
        """A record whose block is the payload itself."""
        capture = self._new_capture(record, None)
        capture.mime = media_type(content_type) or None
        self._verify(record, capture, record.block)
        self._take_text(capture, record.block, Message(200, {"content-type": content_type}, record.block))
        return capture

    def _conversion(self, record: Record) -> Capture:
        """The text that a crawl made of its own pages (WET)."""
        capture = self._bare(record, record.headers.get("content-type", "text/plain"))
        if capture.extractor == "plain":
            capture.extractor = "wet"
        return capture

    def _revisit(self, record: Record) -> Capture:
        claim = digest.normal_form(record.headers.get("warc-payload-digest"))
        if claim is None:
            raise Unusable("revisit-without-digest", record.headers.get("warc-profile", ""))
        message = self._message(record)
        if message and message.mime and message.mime not in _HTML_TYPES | _PLAIN_TYPES:
            raise Unusable("not-text", message.mime)
        capture = self._new_capture(record, message)
        if message:
            capture.status, capture.mime = message.status, message.mime or None
        capture.payload_digest, capture.payload_check = claim, digest.CLAIMED
        capture.refers_to_url = record.headers.get("warc-refers-to-target-uri", "").strip("<>") or None
        capture.refers_to_date = dates.parse(record.headers.get("warc-refers-to-date"))[0]
        capture.robots = robots.directives(message.headers, b"") if message else None
        return capture

    # -- parts -------------------------------------------------------------------------------------

    def _message(self, record: Record) -> Message | None:
        return parse_response(record.block) if record.block else None

    def _prefer_other_reason(self, record: Record) -> None:
        """A large record that is no page anyway is rejected for that; its head is enough to know."""
        if record.type != "response" or not (message := self._message(record)):
            return
        if message.status not in {200, 203}:
            record.problem, record.detail = reject_reason(message.status), record.detail
        elif message.mime not in _HTML_TYPES | _PLAIN_TYPES | _NO_TYPE:
            record.problem, record.detail = "not-text", message.mime

    def _new_capture(self, record: Record, message: Message | None) -> Capture:
        replay = dates.replay_of(record.uri)
        headers = message.headers if message else {}
        dated = dates.assess_date(
            record.date,
            record.format,
            now=self.now,
            window=self._window_of(record),
            replay=replay,
            memento=headers.get("memento-datetime") or record.headers.get("memento-datetime"),
            pacific=self.pacific,
            recovered=record.recovered,
            earliest_trusted=self.earliest_trusted,
        )
        if not record.recovered and not replay and not dated.problem and dated.captured_at:
            self.earliest_trusted = min(self.earliest_trusted or dated.captured_at, dated.captured_at)
        return Capture(
            url=replay.page if replay else record.uri,
            via=record.uri if replay else None,
            dated=dated,
            record_type=record.type,
            offset=record.offset,
            skip=record.skip,
            length=record.length,
            record_id=record.record_id,
            truncated=record.truncated,
        )

    def _verify(self, record: Record, capture: Capture, *readings: bytes) -> None:
        headers = record.headers
        readings = readings[:1] if len(readings) > 1 and readings[0] is readings[1] else readings
        capture.payload_digest, capture.payload_check = digest.check(headers.get("warc-payload-digest"), *readings)
        if (claim := headers.get("warc-block-digest")) is None:
            capture.block_check = digest.ABSENT
        else:
            capture.block_check = digest.check(claim, record.block)[1]

    def _take_text(self, capture: Capture, body: bytes, message: Message) -> None:
        try:
            if encodings := message.headers.get("content-encoding", ""):
                body, whole = decompress(body, encodings, self.limits.page)
                if not whole:
                    capture.truncated = capture.truncated or "content-encoding"
        except BodyTooLarge:
            raise Unusable("too-large", f"decodes to more than {self.limits.page} bytes") from None
        except BadEncoding as error:
            raise Unusable("bad-encoding", str(error)) from None
        if len(body) > self.limits.page:
            raise Unusable("too-large", f"a body of {len(body)} bytes")
        capture.robots = robots.directives(message.headers, body)
        key = (capture.payload_digest, len(body), message.content_type)
        found = self.pages.get(key)
        if found is None:
            found = self.page_of(body, message.content_type)
            self.pages.put(key, found)
        page, capture.charset = found
        capture.text, capture.title, capture.extractor = page.text, page.title, page.extractor

    def page_of(self, body: bytes, content_type: str) -> tuple[Page, str]:
        """The text of a decoded body, and its charset.

        Raises:
            Unusable: `not-text`, `empty-text`, or what the extractor says.
        """
        kind = _kind_of(media_type(content_type), body)
        if kind is None:
            raise Unusable("not-text", media_type(content_type) or "no Content-Type")
        if not body or body.isspace():
            raise Unusable("empty-text", "the body is empty")
        if _BINARY.match(body):
            raise Unusable("not-text", f"{media_type(content_type)}, but the bytes are of another type")
        text, charset = decode(body, content_type, kind == "html")
        if b"\0" in body and text.count("\0") * 20 > len(text):
            raise Unusable("not-text", "one character in twenty or more is NUL")
        if kind == "html":
            if len(text) > self.limits.tags and text.count("<") > self.limits.tags:
                raise Unusable("too-large", f"more than {self.limits.tags} tags")
            page = self.extract(text)
        else:
            page = from_plain(text)
        if not page.text:
            raise Unusable("empty-text")
        return page, charset


def _kind_of(mime: str, body: bytes) -> str | None:
    """`html`, `plain`, or None: the type that is stated, else what the bytes look like."""
    if mime in _HTML_TYPES:
        return "html"
    if mime in _PLAIN_TYPES:
        return "html" if _looks_like_html(body) else "plain"
    if mime in _NO_TYPE:
        if _looks_like_html(body):
            return "html"
        if not mime and not _CONTROL.search(body[:4096]):
            return "plain"
    return None


def _looks_like_html(body: bytes) -> bool:
    head, at = body[:4096], 0
    while comment := _COMMENT.match(head, at):
        at = comment.end()
    return _HTML_LOOKS.match(head, at) is not None


def examine_row(row: Row, examiner: Examiner) -> Outcome:
    """What a row of a data set is worth."""
    try:
        if row.problem:
            raise Unusable(row.problem, row.detail)
        if row.html is not None:
            page, _ = examiner.page_of(row.html.encode("utf-8", "replace"), "text/html; charset=utf-8")
        elif row.mime.startswith(("text/html", "application/xhtml")):
            page, _ = examiner.page_of((row.text or "").encode("utf-8", "replace"), "text/html; charset=utf-8")
        else:
            if len(row.text or "") > examiner.limits.page:
                raise Unusable("too-large", f"{len(row.text or '')} characters")
            page = from_plain(row.text or "")
            if not page.text:
                raise Unusable("empty-text")
    except Exception as error:
        reject = Reject(*reason_of(error), row.offset, row.skip, row.length, None, "row")
        reject.url, reject.date = row.url or None, row.date
        return reject
    window = dates.crawl_window(row.crawl) if row.crawl else None
    return Capture(
        url=row.url or None,
        via=None,
        dated=dates.assess_date(row.date, "dataset", now=examiner.now, window=window),
        record_type="row",
        offset=row.offset,
        skip=row.skip,
        length=row.length,
        record_id=None,
        mime=row.mime or None,
        robots=robots.directives({}, row.html.encode("utf-8", "replace")) if row.html else None,
        title=page.title,
        extractor="dataset" if page.extractor == "plain" else page.extractor,
        text=page.text,
    )

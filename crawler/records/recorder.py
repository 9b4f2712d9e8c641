"""Makes the records of an exchange: a response or a revisit, the request, and metadata with what is known of both."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from crawler.asof import stamp_of
from crawler.frontier.frontier import Frontier
from crawler.frontier.rows import File, Payload
from crawler.options import Options
from crawler.records import warc
from crawler.records.files import Files
from crawler.records.surt import surt
from crawler.steps import Rendered
from crawler.wire.exchange import Exchange
from crawler.wire.message import Block, Message

_HTTP = {"1.0": "http/1.0", "1.1": "http/1.1"}


@dataclass(frozen=True, slots=True)
class Memento:
    """What a web archive kept: of which page, and when it was captured."""

    original: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What was recorded of an exchange."""

    record: str  #: the id of the response or revisit; empty where no response came
    payload: bytes | None  #: by which it is known (`Message.identity`)
    revisit: str  #: `identical`, `not-modified`, or empty


class Recorder:
    """Writes exchanges to the files of a crawl, and tells the frontier of their payloads."""

    def __init__(self, files: Files, frontier: Frontier) -> None:
        self._files, self._frontier = files, frontier

    def keep(
        self,
        exchange: Exchange,
        message: Message | None,
        notes: Iterable[tuple[str, object]],
        known: Payload | None = None,
        *,
        memento: Memento | None = None,
        is_lookup: bool = False,
    ) -> Kept:
        """Write the records of an exchange.

        Args:
            notes: further fields of its metadata.
            known: what was there in an earlier crawl; a 304 then becomes a revisit of it.
            memento: that the response is. It is kept in full: the date of a revisit's first record, which is that of a
                fetch, would contradict the date of the capture.
            is_lookup: the response is what a web archive has, and no page; it is kept as a metadata record.
        """
        date = warc.warc_date(exchange.at)
        shared = [
            ("WARC-Warcinfo-ID", f"<{self._files.current().info}>"),
            ("WARC-Target-URI", exchange.url),
            ("WARC-IP-Address", exchange.ip),
            *(("WARC-Protocol", each) for each in _protocols(exchange, message)),
            ("WARC-Cipher-Suite", exchange.cipher),
        ]
        about, payload, revisit, response_id = list(notes), None, "", ""
        if exchange.response and is_lookup:
            response_id = warc.new_id()
            self._files.append(warc.record("metadata", date, shared, warc.RESPONSE, exchange.response, response_id))
        elif exchange.response:
            response_id = warc.new_id()
            payload, revisit, extra = self._response(exchange, message, date, shared, response_id, known, memento)
            about += extra
        request = warc.record(
            "request",
            date,
            [*shared[:3], ("WARC-Concurrent-To", f"<{response_id}>" if response_id else "")],  # as far as the address
            warc.REQUEST,
            exchange.request,
        )
        if exchange.request:
            self._files.append(request)
        first = None if exchange.first is None else round(exchange.first * 1000)
        timings = [
            ("fetchTimeMs", round(exchange.seconds * 1000)),
            ("connectTimeMs", None if exchange.sent is None else round(exchange.sent * 1000)),
            ("firstByteTimeMs", first),
            ("tls-certificate-sha256", exchange.certificate),
            ("error", exchange.error),
        ]
        belongs_to = response_id or (request.id if exchange.request else "")
        metadata = warc.record(
            "metadata",
            date,
            [
                *shared[:2],
                ("WARC-Concurrent-To", f"<{belongs_to}>" if belongs_to else ""),
                ("WARC-Refers-To", f"<{belongs_to}>" if belongs_to else ""),
            ],
            warc.FIELDS,
            warc.warc_fields([*about, *timings]),
        )
        self._files.append(metadata)
        exchange.let_go()
        return Kept(response_id, payload, revisit)

    def keep_rendered(self, url: str, record: str, rendered: Rendered) -> str:
        """Write what a browser made of a page, as a conversion of its record; return the id, empty where it failed.

        No reader may take it for bytes of the wire. So it has no address of the web, but a name that is for nothing
        else; its metadata have the address.

        Args:
            record: the id of the response, or of the revisit.
        """
        date, info = warc.warc_date(datetime.now(UTC)), ("WARC-Warcinfo-ID", f"<{self._files.current().info}>")
        target = ("WARC-Target-URI", f"urn:lowbackground:rendered:{record.removeprefix('urn:')}")
        conversion_id, refers = "", ("WARC-Refers-To", f"<{record}>")
        if rendered.html:
            conversion_id = warc.new_id()
            kind = "text/html; charset=utf-8"
            written = warc.record("conversion", date, [info, target, refers], kind, rendered.html, conversion_id)
            self._files.append(written)
            refers = ("WARC-Refers-To", f"<{conversion_id}>")
        about = [
            ("rendered-page", url),
            ("rendered-record", f"<{record}>"),
            ("browser", rendered.browser),
            ("renderTimeMs", round(rendered.seconds * 1000)),
            ("parts", rendered.parts),
            *((f"blocked-{reason}", count) for reason, count in sorted(rendered.blocked.items())),
            ("error", rendered.error),
        ]
        self._files.append(warc.record("metadata", date, [info, target, refers], warc.FIELDS, warc.warc_fields(about)))
        return conversion_id

    def _response(
        self,
        exchange: Exchange,
        message: Message | None,
        date: str,
        shared: list[tuple[str, str]],
        record_id: str,
        known: Payload | None,
        memento: Memento | None,
    ) -> tuple[bytes | None, str, list[tuple[str, object]]]:
        """Write the response, or the revisit that it amounts to."""
        block: Block | memoryview = exchange.response
        digest, extra = "", list[tuple[str, object]]()
        if message is not None and message.first:  # readers take the first response of a record for the page
            extra.append(("http-interim", _quoted(block[: message.first])))
            block = memoryview(block)[message.first :]
        if known is not None and message is not None and message.status == 304:
            fields = [
                *shared,
                *_refers(known),
                ("WARC-Profile", warc.NOT_MODIFIED),
                ("WARC-Payload-Digest", known.digest),
            ]
            written = warc.record("revisit", date, fields, record_id=record_id)
            self._append(exchange.url, date, written, "warc/revisit", "304", known.digest)
            return known.identity, "not-modified", [*extra, ("http-304", _quoted(block))]
        identity: bytes | None = None
        if message is not None:
            start = message.start - message.first
            digest = warc.sha1(memoryview(block)[start:])  # readers verify the body as it was transferred
            sha1 = warc.sha1(*message.parts()) if message.chunked else digest
            if message.chunked and message.complete:
                extra.append(("payload-digest-without-chunks", sha1))
            is_new = message.status == 200 and message.length and not exchange.truncated
            if is_new and memento is None:
                identity = message.identity
                first = self._frontier.payload(identity)
                if first is not None and (first.sha1, first.length) == (sha1, message.length):
                    self._revisit(exchange.url, date, shared, record_id, bytes(block[:start]), first)
                    return identity, "identical", extra
        fields = [*shared, ("WARC-Payload-Digest", digest), ("WARC-Truncated", exchange.truncated)]
        written = warc.record("response", date, fields, warc.RESPONSE, block, record_id)
        media, status = (message.media_type, str(message.status)) if message is not None else ("", "-")
        file, offset, size = self._append(exchange.url, date, written, media or "unk", status, digest)
        if memento is not None:
            fields_of = media or "unk", status, digest, file, offset, size
            line = _index_line(memento.original, stamp_of(memento.at), *fields_of)
            self._frontier.batch.lines.append((-file.id, line))
        if identity is not None and message is not None:
            where = date, record_id, file.name, file.id, offset, size
            self._frontier.batch.payloads.append(Payload(identity, sha1, digest, message.length, exchange.url, *where))
        return identity, "", extra

    def _revisit(
        self, url: str, date: str, shared: list[tuple[str, str]], record_id: str, head: bytes, first: Payload
    ) -> None:
        """Write the revisit of a payload that is in an earlier record."""
        fields = [*shared, *_refers(first), ("WARC-Profile", warc.IDENTICAL), ("WARC-Payload-Digest", first.digest)]
        written = warc.record("revisit", date, fields, warc.RESPONSE, head, record_id)
        self._append(url, date, written, "warc/revisit", "200", first.digest)

    def _append(
        self, url: str, date: str, written: warc.Written, mime: str, status: str, digest: str
    ) -> tuple[File, int, int]:
        """Write a record that an index names; return its file, its offset and its bytes there."""
        file, offset, size = self._files.append(written)
        stamp = "".join(each for each in date[:19] if each.isdigit())
        self._frontier.batch.lines.append((file.id, _index_line(url, stamp, mime, status, digest, file, offset, size)))
        return file, offset, size


def _index_line(url: str, stamp: str, mime: str, status: str, digest: str, file: File, offset: int, size: int) -> str:
    """Return the line of a record in an index (CDXJ)."""
    fields = {"url": url, "mime": mime, "status": status, "digest": digest.removeprefix("sha1:") or "-",
              "length": str(size), "offset": str(offset), "filename": file.name}  # fmt: skip
    return f"{surt(url)} {stamp} {json.dumps(fields)}"


def _refers(first: Payload) -> list[tuple[str, str]]:
    return [
        ("WARC-Refers-To", f"<{first.record}>"),
        ("WARC-Refers-To-Target-URI", first.url),
        ("WARC-Refers-To-Date", first.date),
        ("WARC-Refers-To-Container", first.container),
    ]


def _quoted(block: Block | memoryview) -> str:
    """Return bytes of the wire as a string of JSON, a character for each byte; no two blanks follow one another."""
    return json.dumps(bytes(block).decode("latin-1")).replace("  ", " \\u0020")


def _protocols(exchange: Exchange, message: Message | None) -> list[str]:
    """Return the protocols from the upper to the lower one."""
    found = [_HTTP.get(message.version, "")] if message is not None else []
    if exchange.tls:
        found.append(exchange.tls.lower().replace("tlsv", "tls/"))
    return [each for each in found if each]


def warcinfo(options: Options, name: str) -> warc.Written:
    """Return the warcinfo record of a file."""
    fields = warc.warc_fields(
        [
            ("software", options.software),
            ("format", "WARC File Format 1.1"),
            ("conformsTo", "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"),
            ("operator", options.operator or options.contact),
            ("contact", options.contact),
            ("isPartOf", options.name),
            ("hostname", socket.gethostname()),
            ("http-header-user-agent", options.user_agent),
            ("robots", "RFC 9309: obeyed as lowbackground; closed where robots.txt cannot be had"),
            ("seeds", " ".join(options.seeds[:1000])),
            ("scope", options.scope),
            ("as-of", json.dumps(options.as_of.plan) if options.as_of is not None else ""),
            ("include", " ".join(options.include)),
            ("exclude", " ".join(options.exclude)),
            ("depth", options.depth),
            ("spider", options.spider),
            ("scrapy-settings", " ".join(name for name, _ in options.settings)),
            ("javascript", "rendered in a browser" if options.javascript else ""),
            ("settings-sha256", options.plan_hash),
        ]
    )
    date = warc.warc_date(datetime.now(UTC))
    return warc.record("warcinfo", date, [("WARC-Filename", name)], warc.FIELDS, fields)

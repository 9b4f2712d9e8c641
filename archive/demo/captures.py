"""Writes the captures of the demo: one ARC and three WARC files, the same bytes each time."""

from __future__ import annotations

import base64
import gzip
import hashlib
import uuid

from archive.demo.pages import BEES, CHAIN, CHAIN_MENDED, LIBRARY, LIGHTHOUSE, RYE, RYE_COPIED, TRAM, Page


def capture_files() -> dict[str, bytes]:
    """Return the files of the demo: name -> bytes.

    They hold what archives hold: pages, a page that was captured again, a revisit, an error, a picture, two edited
    copies of pages (one by the author, one on another site), and a file that was cut off in its last record.
    """
    return {
        "2013.arc.gz": _members(
            _arc_head("20130611093000"), _arc(LIGHTHOUSE, "20130611093005"), _arc(RYE, "20130611093011")
        ),
        "2014.warc.gz": _members(
            _response(LIGHTHOUSE, "2014-09-02T10:15:00Z"),
            _response(CHAIN, "2014-09-02T10:15:07Z"),
            _response(BEES, "2014-09-02T10:15:12Z"),
            _error("http://garden.example.org/wasps", "2014-09-02T10:15:14Z"),
            _picture("http://garden.example.org/bee.png", "2014-09-02T10:15:15Z"),
        ),
        "2017.warc.gz": _members(
            _revisit(LIGHTHOUSE, "2017-02-20T18:40:00Z"),
            _response(CHAIN_MENDED, "2017-02-20T18:40:03Z"),
            _response(LIBRARY, "2017-02-20T18:40:09Z"),
        ),
        "2020.warc.gz": _members(
            _response(RYE_COPIED, "2020-05-04T07:00:00Z"),
            _response(TRAM, "2020-05-04T07:00:04Z"),
            _response(BEES, "2020-05-04T07:00:09Z"),
        )[:-300],
    }


def _members(*records: bytes) -> bytes:
    """Compress each record as a gzip member of its own, as archives do."""
    return b"".join(gzip.compress(record, mtime=0) for record in records)


def _http(status: str, kind: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n".encode()


def _response(page: Page, date: str) -> bytes:
    return _record(page.url, date, "response", _http("200 OK", "text/html; charset=utf-8"), page.html())


def _error(url: str, date: str) -> bytes:
    return _record(url, date, "response", _http("404 Not Found", "text/html"), b"<p>Not found</p>")


def _picture(url: str, date: str) -> bytes:
    return _record(url, date, "response", _http("200 OK", "image/png"), b"\x89PNG\r\n\x1a\n")


def _revisit(page: Page, date: str) -> bytes:
    """A record without a body: the server sent the same bytes as before."""
    return _record(page.url, date, "revisit", _http("200 OK", "text/html; charset=utf-8"), page.html())


def _record(url: str, date: str, kind: str, head: bytes, payload: bytes) -> bytes:
    """Return a WARC record.

    Args:
        date: in UTC, as in 2014-09-02T10:15:00Z.
        kind: response or revisit.
        head: of the HTTP response, with its empty line.
        payload: of the HTTP response; a revisit only cites its digest.
    """
    block = head if kind == "revisit" else head + payload
    fields = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{url} {date}')}>",
        "WARC-Date": date,
        "WARC-Target-URI": url,
        "WARC-Payload-Digest": f"sha1:{base64.b32encode(hashlib.sha1(payload).digest()).decode()}",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block)),
    }
    if kind == "revisit":
        fields["WARC-Profile"] = "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return b"WARC/1.0\r\n" + lines.encode() + b"\r\n" + block + b"\r\n\r\n"


def _arc_head(date: str) -> bytes:
    body = b"1 0 Demo\nURL IP-address Archive-date Content-type Archive-length\n"
    return f"filedesc://2013.arc 0.0.0.0 {date} text/plain {len(body)}\n".encode() + body + b"\n"


def _arc(page: Page, date: str) -> bytes:
    body = _http("200 OK", "text/html; charset=utf-8") + page.html()
    return f"{page.url} 192.0.2.1 {date} text/html {len(body)}\n".encode() + body + b"\n"

"""Odd responses as servers send them, and what must become of each."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass

from rawserver import Answer

TEXT = b"<html><body><p>An odd page, and it is kept.</p></body></html>"
ZIPPED = gzip.compress(TEXT, mtime=0)


@dataclass
class Odd:
    """An answer; the status that it has for a reader (0: none), and what WARC-Truncated must say of it."""

    answer: Answer
    status: int = 200
    truncated: str = ""

    @property
    def block(self) -> bytes:
        return b"".join(self.answer.pieces)


def _ok(*fields: bytes, body: bytes = TEXT, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([first, b"Content-Type: text/html", *fields]) + b"\r\n\r\n" + body


def _length(body: bytes = TEXT) -> bytes:
    return b"Content-Length: %d" % len(body)


def _chunk(part: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(part), extension, part)


_CHUNKED = b"Transfer-Encoding: chunked"

ODD: dict[str, Odd] = {
    "plain": Odd(Answer([_ok(_length())], "keep")),
    "chunks": Odd(Answer([_ok(_CHUNKED, body=b""), _chunk(TEXT[:9]), _chunk(TEXT[9:]) + b"0\r\n\r\n"], "keep")),
    "chunk-extension": Odd(Answer([_ok(_CHUNKED, body=_chunk(TEXT, b';name="value"') + b"0\r\n\r\n")], "keep")),
    "trailers": Odd(
        Answer([_ok(_CHUNKED, b"Trailer: X-Sum", body=_chunk(TEXT) + b"0\r\nX-Sum: 1\r\nX-Two: 2\r\n\r\n")], "keep")
    ),
    "odd-case": Odd(
        Answer([b"HTTP/1.1 200 Wonderful, thank you\r\ncOnTeNt-TyPe:text/html\r\nX-A:  1\r\nX-A: 2\r\n" + _length() + b"\r\n\r\n" + TEXT], "keep")
    ),
    "status-line": Odd(Answer([_ok(_length(), first=b"HTP/1.1 two hundred")]), 0),
    "no-status-line": Odd(Answer([TEXT]), 0),
    "no-reason": Odd(Answer([_ok(_length(), first=b"HTTP/1.1 200")], "keep")),
    "header-line": Odd(Answer([_ok(b"this line has no colon", b" and goes on", _length())], "keep")),
    "header-latin": Odd(Answer([_ok("X-Name: Zoë".encode("latin-1"), b"X-Nul: a\x00b", _length())], "keep")),
    "half-body": Odd(Answer([_ok(b"Content-Length: 1000")]), 200, "disconnect"),
    "half-chunk": Odd(Answer([_ok(_CHUNKED, body=b"100\r\n" + TEXT)]), 200, "disconnect"),
    "half-header": Odd(Answer([b"HTTP/1.1 200 OK\r\nContent-Type: text/ht"]), 0, "disconnect"),
    "bad-chunk": Odd(Answer([_ok(_CHUNKED, body=_chunk(TEXT)), b"zz\r\nnot a size\r\n", b"and more of it"]), 200, "disconnect"),
    "gzip": Odd(Answer([_ok(_length(ZIPPED), b"Content-Encoding: gzip", body=ZIPPED)], "keep")),
    "gzip-chunks": Odd(
        Answer([_ok(_CHUNKED, b"Content-Encoding: gzip", body=_chunk(ZIPPED[:20]) + _chunk(ZIPPED[20:]) + b"0\r\n\r\n")], "keep")
    ),
    "not-gzip": Odd(Answer([_ok(_length(), b"Content-Encoding: gzip")], "keep")),
    "half-gzip": Odd(Answer([_ok(_length(ZIPPED[:30]), b"Content-Encoding: gzip", body=ZIPPED[:30])], "keep")),
    "deflate": Odd(
        Answer([_ok(_length(zlib.compress(TEXT)), b"Content-Encoding: deflate", body=zlib.compress(TEXT))], "keep")
    ),
    "interim": Odd(
        Answer([b"HTTP/1.1 103 Early Hints\r\nLink:   </a.css>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" + _ok(_length())], "keep")
    ),
    "empty": Odd(Answer([_ok(b"Content-Length: 0", body=b"")], "keep")),
    "204": Odd(Answer([b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"], "keep"), 204),
    "304": Odd(Answer([b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'], "keep"), 304),
    "huge-header": Odd(Answer([_ok(b"X-Huge: " + b"x" * 200_000, *(b"X-%d: y" % n for n in range(900)), _length())], "keep")),
    "http-1.0": Odd(Answer([_ok(first=b"HTTP/1.0 200 OK")])),
    "line-feeds": Odd(Answer([_ok(_length()).replace(b"\r\n", b"\n")], "keep")),
    "until-close": Odd(Answer([_ok(body=TEXT[:10]), TEXT[10:]])),
    "too-long": Odd(Answer([_ok(_length(TEXT[:20]))], "keep")),
    "two-lengths": Odd(Answer([_ok(_length(), b"Content-Length: 7")]), 200),
    "unknown-coding": Odd(Answer([_ok(b"Transfer-Encoding: brzip")])),
    "reset": Odd(Answer([_ok(b"Content-Length: 1000")], "reset"), 200, "disconnect"),
    "reset-unframed": Odd(Answer([_ok()], "reset"), 200, "disconnect"),
    "silent": Odd(Answer([_ok(b"Content-Length: 1000")], "hang"), 200, "time"),
    "404": Odd(Answer([b"HTTP/1.1 404 Nope\r\nContent-Length: 4\r\n\r\ngone"], "keep"), 404),
}  # fmt: skip

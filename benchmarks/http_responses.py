"""Made HTTP responses, in groups, and why readers differ on some of them."""

from __future__ import annotations

import gzip
import random
import re
import zlib
from dataclasses import dataclass

import brotli
import zstandard

PAGE = (
    b"<!doctype html><html><head><title>A page</title></head><body><p>Words that the server sent.</p></body></html>\n"
)
TYPE = "Content-Type: text/html; charset=utf-8"


@dataclass(frozen=True)
class Made:
    """A response of a group.

    Attributes:
        wire: its bytes.
    """

    group: str
    name: str
    wire: bytes


def message(
    body: bytes = PAGE, *fields: str | bytes, status: str = "HTTP/1.1 200 OK", eol: bytes = b"\r\n", blank: bytes = b""
) -> bytes:
    lines = [status, *(fields or (TYPE,))]
    head = eol.join(line if isinstance(line, bytes) else line.encode("latin-1") for line in lines)
    return head + eol + (blank or eol) + body


def chunks(body: bytes, sizes: list[int], eol: bytes = b"\r\n", trailer: bytes = b"", **how: str) -> bytes:
    form = how.get("form", "%x")
    out, at = [], 0
    for size in [*sizes, len(body)]:
        part = body[at : at + size]
        at += size
        if part:
            out.append((form % len(part)).encode() + eol + part + eol)
    return b"".join(out) + b"0" + eol + trailer + eol


def _zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _bare(data: bytes) -> bytes:
    """Return data deflated without a header."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _mixed_lines() -> dict[str, bytes]:
    dice, mixed = random.Random(4), {}
    for number in range(12):
        lines = ["HTTP/1.1 200 OK", "Server: x", TYPE, "X-More: y", ""]
        wire = b"".join(line.encode() + dice.choice([b"\n", b"\r\n"]) for line in lines)
        mixed[f"mixed {number}"] = wire + b"\n<p>\r\n\r\n" + PAGE if number % 2 else wire + PAGE
    return mixed


_LENGTH, _CHUNKED, _SIZES = f"Content-Length: {len(PAGE)}", "Transfer-Encoding: chunked", [20, 1, 40]
_ZIPPED, _DEFLATED, _IN_PARTS = _zipped(PAGE), zlib.compress(PAGE), chunks(PAGE, _SIZES)
_FINAL = message(PAGE, TYPE, _LENGTH)
_PLAIN = {
    "with a length": message(PAGE, TYPE, _LENGTH),
    "to the end of the connection": message(),
    "an empty body": message(b"", TYPE, "Content-Length: 0"),
    "not found": message(PAGE, TYPE, status="HTTP/1.1 404 Not Found"),
    "HTTP/1.0": message(status="HTTP/1.0 200 OK"),
    "binary body": message(bytes(range(256)) * 8, "Content-Type: image/x-made"),
    "150 KB of cookies": message(PAGE, TYPE, *(f"Set-Cookie: c{n}={'x' * 990}" for n in range(150))),
    "a body longer than its length": message(PAGE + b"more", TYPE, _LENGTH),
    "a body shorter than its length": message(PAGE, TYPE, f"Content-Length: {len(PAGE) + 9}"),
    "two equal lengths": message(PAGE, TYPE, _LENGTH, _LENGTH),
    "a blank line too many": message(b"\r\n" + PAGE, TYPE, _LENGTH),
}
_LINE_ENDS = {
    "CR LF": message(PAGE, TYPE, "Server: x"),
    "LF": message(PAGE, TYPE, "Server: x", eol=b"\n"),
    "CR CR LF": message(PAGE, TYPE, "Server: x", eol=b"\r\r\n"),
    "CR": message(PAGE, TYPE, "Server: x", eol=b"\r"),
    "LF, the blank line CR LF": message(PAGE, TYPE, "Server: x", eol=b"\n", blank=b"\r\n"),
    "CR LF, the blank line LF": message(PAGE, TYPE, "Server: x", blank=b"\n"),
    **_mixed_lines(),
    "no blank line in front of the page": f"HTTP/1.1 200 OK\r\n{TYPE}\r\n".encode() + PAGE,
    "the same, and one in the page": f"HTTP/1.0 200 OK\n{TYPE}\n".encode() + PAGE + b"\n\nmore",
    "a header that ends with the connection": f"HTTP/1.1 200 OK\r\n{TYPE}\r\n".encode(),
    "a carriage return in a value": message(PAGE, TYPE, b"X-Note: a\rb"),
}
_LINES = (
    *("HTTP/1.1 200", "HTTP/1.1 200 ", "http/1.1 200 ok", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200OK"),
    *("HTTP/1.1.0 200 OK", "HTTP/2 200", "HTTP/2.0 200 OK", "HTTP/3 200", "HTTP/1.2 200 OK", "HTTP/0.9 200 OK"),
    *("HTTP 200 Document follows", "HTTP/1.1 OK", "HTTP/1.1", "ICY 200 OK", "HTTP/1.1 203 Partial"),
    *("HTTP/1.1 2000 OK", "HTTP/1.1 200 Größe", "HTTP/11 200 OK", "HTTP/1.1 20 OK"),
)
_STATUS_LINES = {line: message(status=line) for line in _LINES} | {
    "blank lines in front": b"\r\n\r\n" + message(),
    "a blank in front": b" " + message(),
    "a byte order mark in front": b"\xef\xbb\xbf" + message(),
    "a status line twice": message(PAGE, "HTTP/1.1 200 OK", TYPE),
    "HTTP/0.9: a page alone": PAGE,
}
_FIELDS: dict[str, tuple[str | bytes, ...]] = {
    "folded": ("X-Long: a", "  b", TYPE),
    "a folded type": ("Content-Type: text/html;", "\tcharset=utf-8"),
    "folded at first": ("  odd", TYPE),
    "a blank in front of the colon": ("Content-Type : text/html",),
    "a line without a colon": ("This is no field", TYPE),
    "a blank in a name": ("Power by: x", TYPE),
    "Latin-1": (b"X-Name: Gr\xf6\xdfe", TYPE),
    "controls": ("X-Odd: a\x01b", TYPE),
    "upper case": (TYPE.upper(),),
    "no blank behind the colon": ("Content-Type:text/html",),
    "many blanks": ("Content-Type:    text/html   ",),
    "an empty value": ("X-Empty:", TYPE),
    "an empty name": (": x", TYPE),
    "no field at all": ("X: y",),
    "a type twice": ("Content-Type: text/plain", TYPE),
}
#: What is in front of the final response.
_IN_FRONT = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "100 with fields": b"HTTP/1.1 100 Continue\r\nServer: x\r\n\r\n",
    "100 with LF": b"HTTP/1.1 100 Continue\n\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
    "103 with a type": b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/css\r\n\r\n",
    "100 and 103": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n",
    "ten of them": b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 10,
    "199": b"HTTP/1.1 199 Odd\r\n\r\n",
    "a proxy's answer to CONNECT": b"HTTP/1.0 200 Connection established\r\n\r\n",
    "the same with a field": b"HTTP/1.1 200 Connection Established\r\nProxy-Agent: x\r\n\r\n",
    "the same with OK": b"HTTP/1.1 200 OK\r\n\r\n",
}
_INTERIM = {name: head + _FINAL for name, head in _IN_FRONT.items()} | {
    "100 and nothing behind it": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a page that shows a response": message(_FINAL, "Content-Type: text/plain"),
}
#: Bodies that are said to be in chunks.
_BODIES = {
    "one chunk": chunks(PAGE, []),
    "several": _IN_PARTS,
    "a byte each": chunks(PAGE, [1] * len(PAGE)),
    "upper case": chunks(PAGE, [30], form="%X"),
    "zeros in front": chunks(PAGE, _SIZES, form="0000%x"),
    "an extension": chunks(PAGE, _SIZES, form="%x;name=value"),
    "a quoted extension": chunks(PAGE, _SIZES, form='%x;name="a;b"'),
    "blanks behind": chunks(PAGE, _SIZES, form="%x   "),
    "LF": chunks(PAGE, _SIZES, eol=b"\n"),
    "a trailer": chunks(PAGE, _SIZES, trailer=b"X-Sum: 1\r\n"),
    "a trailer of two fields": chunks(PAGE, _SIZES, trailer=b"X-Sum: 1\r\nX-More: 2\r\n"),
    "a blank line in front": b"\r\n" + _IN_PARTS,
    "0x in front": chunks(PAGE, _SIZES, form="0x%x"),
    "blanks in front": chunks(PAGE, _SIZES, form="  %x"),
    "no last chunk": _IN_PARTS[: -len(b"0\r\n\r\n")],
    "cut in a chunk": _IN_PARTS[:60],
    "cut in a size": chunks(PAGE, [0x20])[: 4 + 0x20 + 1],
    "last chunk without its blank line": _IN_PARTS[:-2],
    "more behind the last chunk": _IN_PARTS + b"more",
    "no line end behind a chunk": b"20\r\n" + PAGE[:32] + b"%x\r\n" % len(PAGE[32:]) + PAGE[32:] + b"0\r\n\r\n",
    "a size that is too small": b"10\r\n" + PAGE + b"\r\n0\r\n\r\n",
    "a size that is too large": b"fff\r\n" + PAGE + b"\r\n0\r\n\r\n",
    "joined already": PAGE,
    "many zeros": b"0" * 20 + chunks(PAGE, []),
    "empty": b"0\r\n\r\n",
}
_IN_CHUNKS = {name: message(body, TYPE, _CHUNKED) for name, body in _BODIES.items()} | {
    "joined already, a text that begins with a year": message(b"1999\r\nA list.\r\n", TYPE, _CHUNKED),
    "with a wrong length": message(_IN_PARTS, TYPE, _CHUNKED, "Content-Length: 5"),
    "with the length of the page": message(_IN_PARTS, TYPE, _LENGTH, _CHUNKED),
    "named in another case": message(_IN_PARTS, TYPE, "transfer-encoding: CHUNKED"),
    "identity, chunked": message(_IN_PARTS, TYPE, "Transfer-Encoding: identity, chunked"),
    "named twice": message(_IN_PARTS, TYPE, _CHUNKED, _CHUNKED),
    "HTTP/1.0": message(_IN_PARTS, TYPE, _CHUNKED, status="HTTP/1.0 200 OK"),
    "gzip, chunked": message(chunks(_ZIPPED, [9]), TYPE, "Transfer-Encoding: gzip, chunked"),
    "gzip and chunked in two lines": message(chunks(_ZIPPED, [9]), TYPE, "Transfer-Encoding: gzip", _CHUNKED),
    "gzip alone": message(_ZIPPED, TYPE, "Transfer-Encoding: gzip"),
    "gzip as content": message(chunks(_ZIPPED, [9]), TYPE, _CHUNKED, "Content-Encoding: gzip"),
}
#: Names, what Content-Encoding states, and bodies.
_CODED = (
    ("gzip", "gzip", _ZIPPED),
    ("x-gzip", "x-gzip", _ZIPPED),
    ("GZIP", "GZIP", _ZIPPED),
    ("deflate", "deflate", _DEFLATED),
    ("deflate without a header", "deflate", _bare(PAGE)),
    ("br", "br", brotli.compress(PAGE)),
    ("zstd", "zstd", zstandard.compress(PAGE)),
    ("zstd, two frames", "zstd", zstandard.compress(PAGE[:30]) + zstandard.compress(PAGE[30:])),
    ("gzip, two members", "gzip", _zipped(PAGE[:30]) + _zipped(PAGE[30:])),
    ("gzip, br", "gzip, br", brotli.compress(_ZIPPED)),
    ("gzip twice", "gzip, gzip", _zipped(_ZIPPED)),
    ("identity", "identity", PAGE),
    ("none", "none", PAGE),
    ("utf-8", "utf-8", PAGE),
    ("gzip that was decoded", "gzip", PAGE),
    ("br that was decoded", "br", PAGE),
    ("zlib's format under gzip", "gzip", _DEFLATED),
    ("deflated without a header under gzip", "gzip", _bare(PAGE)),
    ("gzip under deflate", "deflate", _ZIPPED),
    ("gzip under br", "br", _ZIPPED),
    ("gzip that is cut off", "gzip", _ZIPPED[:-30]),
    ("gzip without its end", "gzip", _ZIPPED[:-8]),
    ("gzip with a wrong checksum", "gzip", _ZIPPED[:-8] + b"\0\0\0\0" + _ZIPPED[-4:]),
    ("gzip with more behind it", "gzip", _ZIPPED + b"more"),
    ("gzip with zeros behind it", "gzip", _ZIPPED + b"\0" * 9),
)
_CODINGS = {
    name: message(body, TYPE, f"Content-Encoding: {coding}", f"Content-Length: {len(body)}")
    for name, coding, body in _CODED
} | {
    "in two lines": message(brotli.compress(_ZIPPED), TYPE, "Content-Encoding: gzip", "Content-Encoding: br"),
    "gzip that no header names": message(_ZIPPED),
}
GROUPS = {
    "plain": _PLAIN,
    "line ends": _LINE_ENDS,
    "status lines": _STATUS_LINES,
    "fields": {name: message(PAGE, *fields) for name, fields in _FIELDS.items()},
    "interim": _INTERIM,
    "chunked": _IN_CHUNKS,
    "codings": _CODINGS,
}
MADE = [Made(group, name, wire) for group, wires in GROUPS.items() for name, wire in wires.items()]


_STRICT = "refuses what the grammar does not allow; a page is not lost for that"
_CURL = "refuses it, and the transfer fails"
_BROKEN = "an error, since the rest may be missing; here the part that came is kept, and `truncated` notes it"
#: Readers, the responses (a pattern of "group: name"), and why they differ. The first one that fits counts.
REASONS: list[tuple[str, str, str]] = [
    ("h11", r"codings: .*|chunked: gzip as content", "leaves content codings to its caller"),
    (
        "curl h11 Chromium",
        r"plain: a body longer.*",
        "cuts the body at Content-Length; archives hold decoded bodies with "
        "the length of the encoded ones, so it cannot be believed",
    ),
    (
        "curl h11 Chromium",
        r"plain: a blank line too many",
        "cuts it too; where Content-Length or the digest shows the "
        "blank line, `archive ingest` drops it and keeps the page's end",
    ),
    ("h11 Chromium", r"plain: a body shorter.*", _BROKEN),
    ("curl warcio Chromium", r"line ends: CR", "reads no field, or no body: only LF ends a line"),
    ("Chromium", r"line ends: CR CR LF", "finds no blank line, and so no body"),
    (
        "curl warcio Chromium",
        r"line ends: (no blank line in front of the page|the same.*)",
        "takes the page, or its beginning, for fields",
    ),
    ("Chromium", r"status lines: HTTP/1.1 20+ OK", "takes any number for a status; here three digits are one"),
    ("warcio", r"status lines: HTTP/1.1 20+ OK", "takes any number for a status; here three digits are one"),
    (
        "Chromium",
        r"status lines: ICY 200 OK",
        "takes it for HTTP/0.9, and the header for its text",
    ),
    ("curl", r"status lines: HTTP/0\.9: .*", "refuses HTTP/0.9 unless asked"),
    ("warcio", r"status lines: HTTP/0\.9: .*", "finds no header in it"),
    (
        "Chromium",
        r"status lines: HTTP/0\.9: .*",
        "shows a page without a header; `archive ingest` does so too, one layer up",
    ),
    ("warcio", r"status lines: .*", "splits the line at blanks, and finds no number for a status"),
    ("curl", r"(status lines|fields): .*", "refuses the line, or does not read the field"),
    ("warcio", r"fields: a folded type", "keeps the tab of the folded line"),
    ("warcio", r"interim: .*", "takes the first response for the final one"),
    ("curl h11 Chromium", r"interim: (a proxy|the same).*", "asked no proxy, so it is the final response to them"),
    ("curl h11 Chromium", r"interim: 100 and nothing.*", "an error; `archive ingest` rejects it as `http-100`"),
    (
        "warcio",
        r"chunked: .*(LF|identity, chunked|another case|a blank line in front)",
        "does not see that it is chunked",
    ),
    ("warcio", r"chunked: (a trailer.*|last chunk without.*)", "takes what is behind the last chunk for text"),
    ("warcio", r"chunked: .*gzip.*", "does not undo transfer codings other than `chunked` alone"),
    ("warcio", r"chunked: .*year", "drops the line: it looks like a size"),
    ("warcio", r"chunked: .*", "keeps a size in the text"),
    ("Chromium", r"chunked: HTTP/1.0", "knows no chunks in HTTP/1.0; archives hold such responses"),
    ("Chromium", r"chunked: gzip.*", "does not undo `gzip` as a transfer coding (RFC 9112, 7)"),
    (
        "Chromium curl",
        r"chunked: (joined already.*|0x in front|blanks in front|a blank line in front)",
        "fails, as no size is where one is due",
    ),
    ("curl", r"chunked: many zeros", "limits the digits of a size"),
    ("Chromium curl", r"chunked: .*", _BROKEN),
    ("h11", r"chunked: (cut|no last|last chunk|.*too large).*", _BROKEN),
    (
        "warcio",
        r"codings: .*\bbr\b.*|codings: in two lines|codings: gzip twice",
        "knows one coding, and its brotli fails with the current package",
    ),
    ("warcio", r"codings: gzip, two members", "reads the first member only"),
    ("Chromium", r"codings: gzip, two members", "reads the first member only; RFC 1952, 2.2: all are one body"),
    ("warcio", r"codings: .*zstd.*", "does not know zstd"),
    ("warcio", r"codings: x-gzip", "does not know the older name"),
    ("warcio", r"codings: .*", "believes the name, and returns the bytes as they are where that fails"),
    ("curl", r"codings: utf-8", "refuses a coding that it does not know"),
    ("curl Chromium", r"codings: .*", "believes the name, and fails; archives hold decoded bodies with the old header"),
    ("h11", r".*", _STRICT),
]


def reason_of(case: Made, reader: str) -> str:
    """Return why a reader differs, or nothing."""
    about = f"{case.group}: {case.name}"
    return next((why for who, what, why in REASONS if reader in who.split() and re.fullmatch(what, about)), "")

"""Reads made HTTP responses with our reader, curl, h11, warcio and headless Chromium, and compares what they find.

    python benchmarks/http_readers.py [--no-browser] [--show]

Each response is served as it is, byte for byte, by a socket on this machine, which is closed behind it; warcio reads it
from a WARC record. Compared are the status, the Content-Type and the body without its codings. It prints a table of the
groups, and each difference with its reason; it exits with 1 where a difference has none.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import json
import random
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import brotli
import h11
import zstandard
from warcio.archiveiterator import ArchiveIterator

from archive.records.chunks import dechunk
from archive.records.codings import BadEncoding, decompress
from archive.records.http import parse_response

PAGE = (
    b"<!doctype html><html><head><title>A page</title></head><body><p>Words that the server sent.</p></body></html>\n"
)
TYPE = "Content-Type: text/html; charset=utf-8"
LIMIT = 1 << 24


@dataclass(frozen=True)
class Made:
    """A response of a group.

    Attributes:
        wire: its bytes.
    """

    group: str
    name: str
    wire: bytes


@dataclass(frozen=True)
class Read:
    """What a reader found; `error` where it refuses the response."""

    status: int = 0
    content_type: str = ""
    body: bytes = b""
    error: str = ""

    def differs(self, other: Read) -> str:
        """Return what differs: `error`, `status`, `type`, `body`; empty where nothing does."""
        if bool(self.error) != bool(other.error):
            return "error"
        if self.error:
            return ""
        pairs = (
            ("status", self.status, other.status),
            ("type", self.content_type.strip().lower(), other.content_type.strip().lower()),
            ("body", self.body, other.body),
        )
        return ", ".join(name for name, one, two in pairs if one != two)


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


def made() -> Iterator[Made]:
    yield from _plain()
    yield from _line_ends()
    yield from _status_lines()
    yield from _fields()
    yield from _interim()
    yield from _chunked()
    yield from _codings()


def _plain() -> Iterator[Made]:
    yield Made("plain", "with a length", message(PAGE, TYPE, f"Content-Length: {len(PAGE)}"))
    yield Made("plain", "to the end of the connection", message())
    yield Made("plain", "an empty body", message(b"", TYPE, "Content-Length: 0"))
    yield Made("plain", "not found", message(PAGE, TYPE, status="HTTP/1.1 404 Not Found"))
    yield Made("plain", "HTTP/1.0", message(status="HTTP/1.0 200 OK"))
    yield Made("plain", "binary body", message(bytes(range(256)) * 8, "Content-Type: image/x-made"))
    yield Made(
        "plain", "150 KB of cookies", message(PAGE, TYPE, *(f"Set-Cookie: c{n}={'x' * 990}" for n in range(150)))
    )
    yield Made("plain", "a body longer than its length", message(PAGE + b"more", TYPE, f"Content-Length: {len(PAGE)}"))
    yield Made("plain", "a body shorter than its length", message(PAGE, TYPE, f"Content-Length: {len(PAGE) + 9}"))
    yield Made("plain", "two equal lengths", message(PAGE, TYPE, *[f"Content-Length: {len(PAGE)}"] * 2))
    yield Made("plain", "a blank line too many", message(b"\r\n" + PAGE, TYPE, f"Content-Length: {len(PAGE)}"))


def _line_ends() -> Iterator[Made]:
    for name, eol in (("CR LF", b"\r\n"), ("LF", b"\n"), ("CR CR LF", b"\r\r\n")):
        yield Made("line ends", name, message(PAGE, TYPE, "Server: x", eol=eol))
    yield Made("line ends", "CR", message(PAGE, TYPE, "Server: x", eol=b"\r"))
    yield Made("line ends", "LF, the blank line CR LF", message(PAGE, TYPE, "Server: x", eol=b"\n", blank=b"\r\n"))
    yield Made("line ends", "CR LF, the blank line LF", message(PAGE, TYPE, "Server: x", blank=b"\n"))
    dice = random.Random(4)
    for number in range(12):
        lines = ["HTTP/1.1 200 OK", "Server: x", TYPE, "X-More: y", ""]
        wire = b"".join(line.encode() + dice.choice([b"\n", b"\r\n"]) for line in lines)
        yield Made("line ends", f"mixed {number}", wire + b"\n<p>\r\n\r\n" + PAGE if number % 2 else wire + PAGE)
    yield Made("line ends", "no blank line in front of the page", f"HTTP/1.1 200 OK\r\n{TYPE}\r\n".encode() + PAGE)
    yield Made("line ends", "the same, and one in the page", f"HTTP/1.0 200 OK\n{TYPE}\n".encode() + PAGE + b"\n\nmore")
    yield Made("line ends", "a header that ends with the connection", f"HTTP/1.1 200 OK\r\n{TYPE}\r\n".encode())
    yield Made("line ends", "a carriage return in a value", message(PAGE, TYPE, b"X-Note: a\rb"))


def _status_lines() -> Iterator[Made]:
    for status in (
        *("HTTP/1.1 200", "HTTP/1.1 200 ", "http/1.1 200 ok", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200OK"),
        *("HTTP/1.1.0 200 OK", "HTTP/2 200", "HTTP/2.0 200 OK", "HTTP/3 200", "HTTP/1.2 200 OK", "HTTP/0.9 200 OK"),
        *(
            "HTTP 200 Document follows",
            "HTTP/1.1 OK",
            "HTTP/1.1",
            "ICY 200 OK",
            "HTTP/1.1 203 Partial",
            "HTTP/1.1 2000 OK",
        ),
        *("HTTP/1.1 200 Größe", "HTTP/11 200 OK", "HTTP/1.1 20 OK"),
    ):
        yield Made("status lines", status, message(status=status))
    yield Made("status lines", "blank lines in front", b"\r\n\r\n" + message())
    yield Made("status lines", "a blank in front", b" " + message())
    yield Made("status lines", "a byte order mark in front", b"\xef\xbb\xbf" + message())
    yield Made("status lines", "a status line twice", message(PAGE, "HTTP/1.1 200 OK", TYPE))
    yield Made("status lines", "HTTP/0.9: a page alone", PAGE)


def _fields() -> Iterator[Made]:
    for name, fields in {
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
    }.items():
        yield Made("fields", name, message(PAGE, *fields))


def _interim() -> Iterator[Made]:
    final = message(PAGE, TYPE, f"Content-Length: {len(PAGE)}")
    for name, head in {
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
    }.items():
        yield Made("interim", name, head + final)
    yield Made("interim", "100 and nothing behind it", b"HTTP/1.1 100 Continue\r\n\r\n")
    yield Made("interim", "a page that shows a response", message(final, "Content-Type: text/plain"))


def _chunked() -> Iterator[Made]:
    te = "Transfer-Encoding: chunked"
    sizes = [20, 1, 40]
    for name, body in {
        "one chunk": chunks(PAGE, []),
        "several": chunks(PAGE, sizes),
        "a byte each": chunks(PAGE, [1] * len(PAGE)),
        "upper case": chunks(PAGE, [30], form="%X"),
        "zeros in front": chunks(PAGE, sizes, form="0000%x"),
        "an extension": chunks(PAGE, sizes, form="%x;name=value"),
        "a quoted extension": chunks(PAGE, sizes, form='%x;name="a;b"'),
        "blanks behind": chunks(PAGE, sizes, form="%x   "),
        "LF": chunks(PAGE, sizes, eol=b"\n"),
        "a trailer": chunks(PAGE, sizes, trailer=b"X-Sum: 1\r\n"),
        "a trailer of two fields": chunks(PAGE, sizes, trailer=b"X-Sum: 1\r\nX-More: 2\r\n"),
        "a blank line in front": b"\r\n" + chunks(PAGE, sizes),
        "0x in front": chunks(PAGE, sizes, form="0x%x"),
        "blanks in front": chunks(PAGE, sizes, form="  %x"),
        "no last chunk": chunks(PAGE, sizes)[: -len(b"0\r\n\r\n")],
        "cut in a chunk": chunks(PAGE, sizes)[:60],
        "cut in a size": chunks(PAGE, [0x20])[: 4 + 0x20 + 1],
        "last chunk without its blank line": chunks(PAGE, sizes)[:-2],
        "more behind the last chunk": chunks(PAGE, sizes) + b"more",
        "no line end behind a chunk": b"20\r\n" + PAGE[:32] + b"%x\r\n" % len(PAGE[32:]) + PAGE[32:] + b"0\r\n\r\n",
        "a size that is too small": b"10\r\n" + PAGE + b"\r\n0\r\n\r\n",
        "a size that is too large": b"fff\r\n" + PAGE + b"\r\n0\r\n\r\n",
        "joined already": PAGE,
        "many zeros": b"0" * 20 + chunks(PAGE, []),
        "empty": b"0\r\n\r\n",
    }.items():
        yield Made("chunked", name, message(body, TYPE, te))
    yield Made("chunked", "joined already, a text that begins with a year", message(b"1999\r\nA list.\r\n", TYPE, te))
    yield Made("chunked", "with a wrong length", message(chunks(PAGE, sizes), TYPE, te, "Content-Length: 5"))
    yield Made(
        "chunked", "with the length of the page", message(chunks(PAGE, sizes), TYPE, f"Content-Length: {len(PAGE)}", te)
    )
    yield Made("chunked", "named in another case", message(chunks(PAGE, sizes), TYPE, "transfer-encoding: CHUNKED"))
    yield Made(
        "chunked", "identity, chunked", message(chunks(PAGE, sizes), TYPE, "Transfer-Encoding: identity, chunked")
    )
    yield Made("chunked", "named twice", message(chunks(PAGE, sizes), TYPE, te, te))
    yield Made("chunked", "HTTP/1.0", message(chunks(PAGE, sizes), TYPE, te, status="HTTP/1.0 200 OK"))
    zipped = gzip.compress(PAGE, mtime=0)
    yield Made("chunked", "gzip, chunked", message(chunks(zipped, [9]), TYPE, "Transfer-Encoding: gzip, chunked"))
    yield Made(
        "chunked", "gzip and chunked in two lines", message(chunks(zipped, [9]), TYPE, "Transfer-Encoding: gzip", te)
    )
    yield Made("chunked", "gzip alone", message(zipped, TYPE, "Transfer-Encoding: gzip"))
    yield Made("chunked", "gzip as content", message(chunks(zipped, [9]), TYPE, te, "Content-Encoding: gzip"))


def _codings() -> Iterator[Made]:
    zipped = gzip.compress(PAGE, mtime=0)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bare = packer.compress(PAGE) + packer.flush()
    deflated, brotlied, zstd = zlib.compress(PAGE), brotli.compress(PAGE), zstandard.compress(PAGE)
    for name, coding, body in (
        ("gzip", "gzip", zipped),
        ("x-gzip", "x-gzip", zipped),
        ("GZIP", "GZIP", zipped),
        ("deflate", "deflate", deflated),
        ("deflate without a header", "deflate", bare),
        ("br", "br", brotlied),
        ("zstd", "zstd", zstd),
        ("zstd, two frames", "zstd", zstandard.compress(PAGE[:30]) + zstandard.compress(PAGE[30:])),
        ("gzip, two members", "gzip", gzip.compress(PAGE[:30], mtime=0) + gzip.compress(PAGE[30:], mtime=0)),
        ("gzip, br", "gzip, br", brotli.compress(zipped)),
        ("gzip twice", "gzip, gzip", gzip.compress(zipped, mtime=0)),
        ("identity", "identity", PAGE),
        ("none", "none", PAGE),
        ("utf-8", "utf-8", PAGE),
        ("gzip that was decoded", "gzip", PAGE),
        ("br that was decoded", "br", PAGE),
        ("zlib's format under gzip", "gzip", deflated),
        ("deflated without a header under gzip", "gzip", bare),
        ("gzip under deflate", "deflate", zipped),
        ("gzip under br", "br", zipped),
        ("gzip that is cut off", "gzip", zipped[:-30]),
        ("gzip without its end", "gzip", zipped[:-8]),
        ("gzip with a wrong checksum", "gzip", zipped[:-8] + b"\0\0\0\0" + zipped[-4:]),
        ("gzip with more behind it", "gzip", zipped + b"more"),
        ("gzip with zeros behind it", "gzip", zipped + b"\0" * 9),
    ):
        yield Made("codings", name, message(body, TYPE, f"Content-Encoding: {coding}", f"Content-Length: {len(body)}"))
    twice = brotli.compress(zipped)
    yield Made("codings", "in two lines", message(twice, TYPE, "Content-Encoding: gzip", "Content-Encoding: br"))
    yield Made("codings", "gzip that no header names", message(zipped))


# -- the readers -----------------------------------------------------------------------------------


def ours(wire: bytes) -> Read:
    """Read as `archive.examine` does, up to where the kind of content decides."""
    found = parse_response(wire)
    if found is None:
        return Read(error="no status line")
    body = found.body
    try:
        if "chunked" in found.transfer_codings:
            body, _ = dechunk(body, found.length)
        body, _ = decompress(body, ", ".join(n for n in found.transfer_codings if n != "chunked"), LIMIT)
        body, _ = decompress(body, ", ".join(found.headers.every("content-encoding")), LIMIT)
    except BadEncoding as error:
        return Read(error=str(error))
    return Read(found.status, (found.headers.every("content-type") or [""])[-1], body)


def by_h11(wire: bytes) -> Read:
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    head, body = None, b""
    try:
        client.receive_data(wire)
        closed = False
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            elif event is h11.NEED_DATA:
                if closed:
                    break
                client.receive_data(b"")
                closed = True
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                break
    except h11.RemoteProtocolError as error:
        return Read(error=str(error))
    if head is None:
        return Read(error="no response")
    types = [value.decode("latin-1") for name, value in head.headers if name == b"content-type"]
    return Read(head.status_code, (types or [""])[-1], body)


def by_warcio(wire: bytes) -> Read:
    fields = (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://x.example/\r\nWARC-Date: 2016-01-01T00:00:00Z\r\n"
        "WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000000>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(wire)}\r\n\r\n"
    )
    try:
        record = next(iter(ArchiveIterator(io.BytesIO(fields.encode() + wire + b"\r\n\r\n"))))
        body = record.content_stream().read()
        types = [value for name, value in record.http_headers.headers if name.lower() == "content-type"]
        return Read(int(record.http_headers.get_statuscode()), (types or [""])[-1], body)
    except Exception as error:
        return Read(error=f"{type(error).__name__}: {error}")


class _Server(socketserver.ThreadingTCPServer):
    """Serves the responses by number; `/` is the page whose script fetches all, and posts what it found."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, wires: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.wires = wires
        self.found: list[dict[str, str]] = []
        self.done = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


_SCRIPT = """<!doctype html><script>
const all = [];
async function read(n) {
  const stop = new AbortController(); const timer = setTimeout(() => stop.abort(), 5000);
  try {
    const r = await fetch("/" + n, {cache: "no-store", signal: stop.signal});
    const bytes = new Uint8Array(await r.arrayBuffer());
    let text = ""; for (const b of bytes) text += String.fromCharCode(b);
    all.push({status: String(r.status), type: r.headers.get("content-type") || "", body: btoa(text)});
  } catch (e) { all.push({error: String(e)}); }
  clearTimeout(timer);
}
(async () => { for (let n = 0; n < COUNT; n++) await read(n);
  await fetch("/result", {method: "POST", body: JSON.stringify(all)}); })();
</script>"""


class _Answer(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        request = self.rfile.readline().split()
        length = 0
        while line := self.rfile.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        path = request[1].decode() if len(request) > 1 else ""
        if path == "/result":
            self.server.found = json.loads(self.rfile.read(length))
            self.wfile.write(b"HTTP/1.1 204 Done\r\n\r\n")
            self.server.done.set()
        elif path == "/":
            self.wfile.write(message(_SCRIPT.replace("COUNT", str(len(self.server.wires))).encode()))
        elif path[1:].isdigit():
            self.wfile.write(self.server.wires[int(path[1:])])
        else:
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def by_curl(server: _Server, number: int) -> Read:
    with tempfile.TemporaryDirectory() as scratch:
        body = Path(scratch) / "body"
        done = subprocess.run(
            [
                *("curl", "-s", "--max-time", "5", "--compressed", "--tr-encoding", "-o", str(body)),
                *("-w", "%{http_code} %{content_type}", f"{server.address}/{number}"),
            ],
            capture_output=True,
            check=False,
        )
        status, _, content_type = done.stdout.decode("latin-1").partition(" ")
        content = body.read_bytes() if body.exists() else b""
        # 18: fewer bytes than stated; 56: chunks that break off. The part that came is what curl writes.
        if done.returncode not in {0, 18, 56} or not status.strip("0"):
            return Read(error=f"curl {done.returncode}")
        return Read(int(status), content_type, content)


def by_chromium(server: _Server, browser: str) -> list[Read]:
    with tempfile.TemporaryDirectory() as profile:
        run = subprocess.Popen(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"),
                *("--remote-debugging-port=0", f"{server.address}/"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if not server.done.wait(240):
                raise SystemExit("the browser did not answer")
        finally:
            run.terminate()
            run.wait()
    return [
        Read(error=each["error"]) if "error" in each
        else Read(int(each["status"]), each["type"].split(", ")[-1], base64.b64decode(each["body"]))
        for each in server.found
    ]  # fmt: skip


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--show", action="store_true", help="print what each reader found where they differ")
    given = parser.parse_args()
    cases = list(made())
    server = _Server([case.wire for case in cases])
    readers: dict[str, Callable[[int], Read]] = {
        "curl": lambda n: by_curl(server, n),
        "h11": lambda n: by_h11(cases[n].wire),
        "warcio": lambda n: by_warcio(cases[n].wire),
    }
    if not given.no_browser:
        seen = by_chromium(server, given.browser)
        readers["Chromium"] = lambda n: seen[n]
    same: Counter[tuple[str, str]] = Counter()
    unexplained = 0
    print("| response | reader | differs in | reason |\n| --- | --- | --- | --- |")
    for number, case in enumerate(cases):
        mine = ours(case.wire)
        for name, reader in readers.items():
            theirs = reader(number)
            if not (what := mine.differs(theirs)):
                same[case.group, name] += 1
                continue
            reason = reason_of(case, name)
            unexplained += not reason
            print(f"| {case.group}: {case.name} | {name} | {what} | {reason} |")
            if given.show:
                for each in (mine, theirs):
                    print(
                        "   ",
                        each.status,
                        each.content_type,
                        each.error,
                        len(each.body),
                        each.body[:90],
                        each.body[-30:],
                    )
    server.shutdown()
    groups = Counter(case.group for case in cases)
    print(f"\n| group | responses | {' | '.join(readers)} |\n| --- | --: |{' --: |' * len(readers)}")
    for group, count in groups.items():
        print(f"| {group} | {count} | {' | '.join(str(same[group, name]) for name in readers)} |")
    print(f"| all | {len(cases)} | {' | '.join(str(sum(same[g, name] for g in groups)) for name in readers)} |")
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main()

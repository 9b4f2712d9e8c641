"""Serves a folder as the hosts of Common Crawl do, with the faults of such hosts, and logs each request."""

from __future__ import annotations

import contextlib
import email.utils
import fnmatch
import gzip
import hashlib
import http.server
import io
import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate.'
    b"</Message><RequestId>0</RequestId></Error>"
)
_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)
_MISSING = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>'
_HTML = b"<!DOCTYPE html><html><head><title>Notice</title></head><body>Please sign in to this network.</body></html>"
_RESET = b"\1\0\0\0\0\0\0\0"  # linger for no time: the connection ends with a reset
#: What a `Fault` can do.
KINDS = {
    "slowdown": "503 with the XML of a store that is asked too often",
    "error": "500 without a body",
    "too-many": "429 with Retry-After",
    "refuse": "403",
    "missing": "404",
    "reset": "a reset in place of an answer",
    "reset-inside": "a reset in the middle of the body",
    "truncate": "the connection closed in the middle of the body",
    "short": "half of the range, and a Content-Length that agrees with that",
    "whole": "200 with the whole file where a range was asked for",
    "wrong-range": "206 with the bytes, and the Content-Range, of another place",
    "html": "200 with a page of HTML",
    "garbled": "the right length, and no byte as it is in the file",
    "slow": "the body in 50 pieces, each after a pause",
    "changed": "another ETag",
    "no-range": "416, without the length of the file",
    "gateway": "502 with a page of HTML",
    "gateway-timeout": "504 with a page of HTML",
    "redirect": "302 to a page of another host",
    "empty": "200 without a body",
    "other-bytes": "the range and the length that were asked for, and the bytes of another place",
    "wrong-length": "a Content-Length that is not that of the range, or of the file",
    "recoded": "compressed once more, with Content-Encoding: gzip",
    "hang": "no answer",
    "hang-inside": "half of the body, and then nothing more",
    "cut": "the first half of the file, as if that were all",
    "damaged": "the file with a wrong byte here and there",
    "damaged-end": "the file with wrong bytes at its end",
    "junk": "a list in which a line is a piece of HTML",
    "crlf": "a list with CRLF, a blank line and blanks at the ends of lines",
    "unsorted": "the lines of the file in the reverse order",
}
#: What becomes of the bytes of a file by some of them.
_CHANGED: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: len(data) // 2],
    "damaged": lambda data: bytes(
        byte ^ 0x55 if 4 * at // len(data) in {1, 2} and at % 40 == 0 else byte for at, byte in enumerate(data)
    ),
    "damaged-end": lambda data: _flipped(data, max(len(data) - 60, 0), 60),
    "junk": lambda data: _lines(data, lambda lines: [*lines[:1], b"<html>Notice</html>", *lines[1:]]),
    "crlf": lambda data: _lines(data, lambda lines: [b"%s  \r" % line for line in [b"", *lines]]),
    "unsorted": lambda data: _lines(data, lambda lines: lines[::-1]),
    "other-bytes": lambda data: data[len(data) // 3 :] + data[: len(data) // 3],
    "recoded": lambda data: gzip.compress(data, 1, mtime=0),
}


def _flipped(data: bytes, at: int, count: int) -> bytes:
    return data[:at] + bytes(byte ^ 0x55 for byte in data[at : at + count]) + data[at + count :]


def _lines(data: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    packed = data.startswith(b"\x1f\x8b")
    lines = (gzip.decompress(data) if packed else data).removesuffix(b"\n").split(b"\n")
    text = b"".join(b"%s\n" % line for line in change(lines))
    return gzip.compress(text, 6, mtime=0) if packed else text


@dataclass(frozen=True)
class Asked:
    """One request, as the log has it."""

    at: float  #: seconds of the Unix clock
    method: str
    path: str
    range: str
    status: int  #: 0 for no answer
    sent: int  #: bytes of the body
    agent: str
    seconds: float


@dataclass
class Fault:
    """What goes wrong with requests for some paths.

    Args:
        kind: one of `KINDS`.
        path: a pattern for the paths.
        times: how often; None for always.
        after: how many of these requests are answered well before.
        seconds: Retry-After, or the pause of a slow body.
        ranges: only requests for a range (True), or for a whole file (False).
    """

    kind: str
    path: str = "*"
    times: int | None = 1
    after: int = 0
    seconds: float = 0.0
    ranges: bool | None = None
    _seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind

    def hits(self, path: str, ranged: bool) -> bool:
        if not fnmatch.fnmatch(path, self.path) or self.ranges not in {None, ranged}:
            return False
        self._seen += 1
        return self._seen > self.after and (self.times is None or self._seen <= self.after + self.times)


@dataclass
class Limits:
    """How much the host lets one client ask.

    Args:
        rate: requests a second over the last second, above which it answers 503; None for no limit.
        refuse_after: after so many answers of 503 it answers only 403.
        bytes_per_second: of each connection.
    """

    rate: float | None = None
    refuse_after: int | None = None
    bytes_per_second: float | None = None


class Server:
    """What a running server has: its address, its log, and the faults to come."""

    def __init__(
        self,
        root: Path,
        faults: list[Fault] | None = None,
        limits: Limits = Limits(),
        log: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ):
        self.root, self.faults, self.limits, self.tls = Path(root), faults or [], limits, tls
        self._log: list[Asked] = []
        self._answering = 0
        self.address = ""
        self._file = open(log, "a", buffering=1) if log else None  # noqa: SIM115  `close` closes it
        self._lock = threading.Lock()
        self._recent: list[float] = []
        self._slowed = 0

    def fault(self, path: str, ranged: bool) -> Fault | None:
        """Return what goes wrong with a request, by the limits or the list of faults."""
        with self._lock:
            now = time.monotonic()
            self._recent = [at for at in self._recent if at > now - 1] + [now]
            if self.limits.refuse_after is not None and self._slowed >= self.limits.refuse_after:
                return Fault("refuse")
            if self.limits.rate is not None and len(self._recent) > 1.05 * self.limits.rate + 1:
                self._slowed += 1
                return Fault("slowdown")
            return next((each for each in self.faults if each.hits(path, ranged)), None)

    @property
    def log(self) -> list[Asked]:
        """All requests, in the order of the answers, once none is being answered."""
        until = time.monotonic() + 1
        while self._answering and time.monotonic() < until:
            time.sleep(0.001)
        return self._log

    @property
    def answered(self) -> int:
        """How many requests were answered so far."""
        return len(self._log)

    def begin(self) -> None:
        with self._lock:
            self._answering += 1

    def add(self, asked: Asked) -> None:
        with self._lock:
            self._answering -= 1
            self._log.append(asked)
            if self._file:
                self._file.write(json.dumps(asdict(asked)) + "\n")

    def requests(self, path: str = "*") -> list[Asked]:
        """Return the requests for some paths, in the order of the answers."""
        return [each for each in self.log if fnmatch.fnmatch(each.path, path)]

    def forget(self) -> None:
        """Empty the log, and forget how much was asked."""
        self.log  # noqa: B018  waits
        with self._lock:
            self._log.clear()
            self._recent.clear()
            self._slowed = 0

    def close(self) -> None:
        if self._file:
            self._file.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "AmazonS3", ""
    timeout = 60

    def __init__(self, *args: Any, served: Server, **kwargs: Any) -> None:
        self._served = served
        super().__init__(*args, **kwargs)

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle_one_request()

    def do_GET(self) -> None:
        self._status = self._sent = 0
        self._served.begin()
        started, clock = time.time(), time.monotonic()
        path, asked = self.path.partition("?")[0].lstrip("/"), self.headers.get("Range", "")
        try:
            self._answer(path, asked)
        finally:
            agent, seconds = self.headers.get("User-Agent", ""), time.monotonic() - clock
            self._served.add(Asked(started, self.command, path, asked, self._status, self._sent, agent, seconds))

    do_HEAD = do_GET  # noqa: N815

    def do_CONNECT(self) -> None:
        """Answer as whatever host is asked for: a proxy for programs that have the addresses of the real hosts."""
        assert self._served.tls is not None, "serve with a certificate"
        self.send_response_only(200)
        self.end_headers()
        self.connection = self._served.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def _answer(self, path: str, asked: str) -> None:
        fault = self._served.fault(path, bool(asked))
        kind = fault.kind if fault else ""
        if kind == "reset":
            self._hang_up(reset=True)
            return
        if kind == "hang":
            assert fault is not None
            time.sleep(fault.seconds)
            self._hang_up(reset=False)
            return
        if kind == "redirect":
            self._send(
                302,
                _HTML,
                {
                    "Location": f"http://localhost:{self.connection.getsockname()[1]}/{path}",
                    "Content-Type": "text/html",
                },
            )
            return
        if kind in {"gateway", "gateway-timeout", "empty"}:
            status = {"gateway": 502, "gateway-timeout": 504, "empty": 200}[kind]
            self._send(status, b"" if kind == "empty" else _HTML, {"Content-Type": "text/html"})
            return
        if kind == "no-range":
            self._send(416, _HTML, {"Content-Type": "text/html"})
            return
        if kind in {"slowdown", "error", "refuse", "missing"}:
            status, body = {
                "slowdown": (503, _SLOW_DOWN),
                "error": (500, b""),
                "refuse": (403, _DENIED),
                "missing": (404, _MISSING),
            }[kind]
            self._send(status, body, {"Content-Type": "application/xml"}, "Slow Down" if status == 503 else None)
            return
        if kind == "too-many":
            assert fault is not None
            self._send(429, b"", {"Retry-After": f"{fault.seconds:g}"})
            return
        if kind == "html":
            self._send(200, _HTML, {"Content-Type": "text/html"})
            return
        if m := re.fullmatch(r"(CC-MAIN-[\d-]+)-index", path):
            self._query(m[1])
            return
        file = self._served.root / path
        if ".." in path or not file.is_file():
            self._send(404, _MISSING, {"Content-Type": "application/xml"})
            return
        with open(file, "rb") as opened:
            stat = os.fstat(opened.fileno())
            if kind in _CHANGED:
                data = _CHANGED[kind](opened.read())
                self._send_file(io.BytesIO(data), len(data), stat, asked, fault)
            else:
                self._send_file(opened, stat.st_size, stat, asked, fault)

    def _send_file(self, file: BinaryIO, size: int, stat: os.stat_result, asked: str, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        etag = hashlib.md5(f"{size} {stat.st_mtime_ns} {kind == 'changed'}".encode()).hexdigest()
        headers = {
            "Content-Type": "binary/octet-stream",
            "Accept-Ranges": "bytes",
            "ETag": f'"{etag}"',
            "Last-Modified": email.utils.formatdate(stat.st_mtime, usegmt=True),
        }
        start, stop, status = 0, size, 200
        if asked and kind != "whole":
            found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
            if not found or found[0] == "bytes=-":
                self._send(400, b"", {})
                return
            if found[1]:
                start, stop = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
            else:
                start = max(size - int(found[2]), 0)
            if start >= size or start >= stop:
                self._send(416, b"", {"Content-Range": f"bytes */{size}"})
                return
            if kind == "wrong-range":
                shift = 1 if start == 0 else -1
                start, stop = start + shift, min(stop + shift, size)
            if kind == "short":
                stop = start + (stop - start) // 2
            status, headers["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{size}"
        if kind == "recoded":
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(stop - start + (1000 if kind == "wrong-length" else 0))
        self._begin(status, headers)
        if self.command == "HEAD":
            return
        file.seek(start)
        left, cut = stop - start, (stop - start) // 2
        rate = self._served.limits.bytes_per_second
        piece = max((stop - start) // 50, 1) if kind == "slow" else (1 << 16 if rate else 1 << 20)
        while left:
            if kind in {"reset-inside", "truncate", "hang-inside"}:
                if self._sent >= cut:
                    time.sleep(fault.seconds if fault and kind == "hang-inside" else 0)
                    self._hang_up(reset=kind == "reset-inside")
                    return
                piece = min(piece, cut - self._sent)
            data = file.read(min(piece, left))
            if kind == "garbled":
                data = bytes(byte ^ 0x55 for byte in data)
            if fault and kind == "slow":
                time.sleep(fault.seconds)
            if rate:
                time.sleep(len(data) / rate)
            self.wfile.write(data)
            self._sent += len(data)
            left -= len(data)

    def _query(self, crawl: str) -> None:
        """Answer a question to the index server for an address, or all below one: their lines, as JSON, on one page."""
        import gzip
        from urllib.parse import parse_qs, urlsplit

        from minicc.make import surt

        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        url, match = asked.get("url", ""), asked.get("matchType", "exact")
        if url.endswith("*"):
            url, match = url[:-1], "prefix"
        if asked.get("page", "0") != "0":
            self._send(400, b'{"message": "Page invalid: First Page is 0, Last Page is 0"}', {})
            return
        key, found = surt(url if "://" in url else f"http://{url}"), []
        for file in sorted((self._served.root / f"cc-index/collections/{crawl}/indexes").glob("cdx-*.gz")):
            for line in gzip.decompress(file.read_bytes()).decode().splitlines():
                its, stamp, fields = line.split(" ", 2)
                if its == key or (match == "prefix" and its.startswith(key)):
                    found.append(json.dumps({"urlkey": its, "timestamp": stamp, **json.loads(fields)}))
        if found:
            self._send(200, "".join(f"{line}\n" for line in found).encode(), {"Content-Type": "text/x-ndjson"})
        else:
            self._send(404, b'{"message": "No Captures found"}', {"Content-Type": "application/json"})

    def _begin(self, status: int, headers: dict[str, str], reason: str | None = None) -> None:
        self._status = status
        self.send_response(status, reason)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, body: bytes, headers: dict[str, str], reason: str | None = None) -> None:
        self._begin(status, {**headers, "Content-Length": str(len(body))}, reason)
        if self.command != "HEAD":
            self.wfile.write(body)
            self._sent += len(body)

    def _hang_up(self, reset: bool) -> None:
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


class _Threaded(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def serve(
    root: Path,
    faults: list[Fault] | None = None,
    limits: Limits = Limits(),
    log: Path | None = None,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Server]:
    """Serve a folder on loopback, in a thread; with `tls` also as a proxy, in place of the hosts it is asked for."""
    served = Server(root, faults, limits, log, tls)
    server = _Threaded(("127.0.0.1", port), partial(_Handler, served=served))
    thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02})
    thread.start()
    served.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        served.close()

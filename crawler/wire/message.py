"""HTTP responses as they were on the wire: where the header ends, what it states, and the body without its chunks."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/(\d+(?:\.\d+)?)[ \t]+(\d{3})(?!\d)[^\n]*\n", re.IGNORECASE)
_BLANK = re.compile(rb"\r?\n\r?\n")
_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_HEADER = 1 << 20  #: bytes of the longest header that is looked at
_INTERIM = 50  #: interim responses in front of one response


@dataclass(slots=True)
class Message:
    """A response. Names of fields are in lower case.

    `complete` is false where fewer bytes came than the header or the chunks promise.
    """

    status: int
    version: str
    fields: list[tuple[bytes, bytes]]
    first: int  #: where the response begins in the block, behind interim ones (status 1xx)
    start: int  #: where the body begins in the block
    body: bytes
    complete: bool
    chunked: bool

    def every(self, name: bytes) -> list[bytes]:
        """Return the values of a field."""
        return [value for each, value in self.fields if each == name]

    def get(self, name: bytes) -> str:
        """Return the first value of a field as text; empty where it is not there."""
        return next((value.decode("latin-1") for each, value in self.fields if each == name), "")

    @property
    def identity(self) -> bytes:
        """SHA-256 of the body, and whether it came in chunks: replay tools read the payload of a revisit as the header
        of the revisit says."""
        return hashlib.sha256(self.body).digest() + b"\1" * self.chunked

    @property
    def retry_after(self) -> str:
        """What Retry-After states, a line for each of the fields."""
        return b"\n".join(self.every(b"retry-after")).decode("latin-1")

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case."""
        return self.get(b"content-type").partition(";")[0].strip().lower()


def parse(block: bytes | bytearray, method: str = "GET") -> Message | None:
    """Parse a response; return None where it does not begin with a status line or its header has no end.

    >>> parse(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n2\\r\\nab\\r\\n0\\r\\n\\r\\n").body
    b'ab'
    """
    at = interim = 0
    while True:
        line = _STATUS.match(block, at)
        if line is None:
            return None
        end = _BLANK.search(block, line.end() - 2, line.end() + _HEADER)
        if end is None:
            return None
        status = int(line[2])
        if status // 100 != 1 or status == 101 or interim >= _INTERIM:
            break
        interim, at = interim + 1, end.end()
    fields = _fields(bytes(block[line.end() : end.start()]))
    body = bytes(memoryview(block)[end.end() :])
    message = Message(status, line[1].decode(), fields, at, end.end(), body, True, False)
    if status in (204, 304) or method == "HEAD":
        return message
    codings = b",".join(message.every(b"transfer-encoding")).lower()
    if b"chunked" in codings:
        message.chunked = True
        joined, message.complete = join_chunks(body)
        if message.complete:
            message.body = joined
    elif not codings and (stated := {value.strip() for value in message.every(b"content-length")}):
        length = stated.pop()
        if not stated and length.isdigit() and len(length) < 19:
            message.complete = len(body) >= int(length)
    return message


def is_header_cut(block: bytes | bytearray) -> bool:
    """Return whether a block begins with a status line, and ends before its header does."""
    return _STATUS.match(block) is not None and _BLANK.search(block) is None


def _fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields of a header. A line that begins with a blank goes on with the one before."""
    found: list[tuple[bytes, list[bytes]]] = []
    is_field: bool | None = None  #: whether the line before is a field; at first there is none
    for line in header.split(b"\n"):
        line = line.removesuffix(b"\r")
        if line[:1] in (b" ", b"\t") and is_field is not None:
            if is_field:
                found[-1][1].append(line.strip())
        elif is_field := (b":" in line):
            name, _, value = line.partition(b":")
            found.append((name.strip().lower(), [value.strip()]))
    return [(name, b" ".join(values)) for name, values in found]


def join_chunks(body: bytes) -> tuple[bytes, bool]:
    """Return the content of chunks, and whether the last one is there and all are as long as they state.

    >>> join_chunks(b"3\\r\\nabc\\r\\n0\\r\\n\\r\\n"), join_chunks(b"3\\r\\nab")
    ((b'abc', True), (b'ab', False))
    """
    joined = bytearray()  # and no list: a body may have millions of chunks
    at = 0
    while size := _SIZE.match(body, at):
        length, start = int(size[1], 16), size.end()
        if length == 0:
            return bytes(joined), True
        joined += body[start : start + length]
        at = start + length
        if body.startswith(b"\r\n", at):
            at += 2
        elif body.startswith(b"\n", at):
            at += 1
        else:
            break
    return bytes(joined), False


def decoded(message: Message, limit: int) -> bytes:
    """Return the body without its content coding, at most `limit` bytes of it; empty where it cannot be decoded."""
    return decoded_to_end(message, limit)[0]


def decoded_to_end(message: Message, limit: int) -> tuple[bytes, bool]:
    """Return the body as `decoded` does, and whether that is all of it up to the limit."""
    coding = b",".join(message.every(b"content-encoding")).strip().lower()
    body = message.body
    if not body or coding in (b"", b"identity"):
        return body[:limit], True
    if coding not in (b"gzip", b"x-gzip", b"deflate"):
        return b"", False
    modes = (zlib.MAX_WBITS | 16,) if b"gzip" in coding else (zlib.MAX_WBITS, -zlib.MAX_WBITS)
    for mode in modes:
        try:
            return _inflated(body, limit, mode)
        except zlib.error:
            continue
    return b"", False


def _inflated(body: bytes, limit: int, mode: int) -> tuple[bytes, bool]:
    """Return what is in compressed data, in all members of a gzip file, and whether it ends where it should."""
    found = bytearray()
    while True:
        press = zlib.decompressobj(mode)
        found += press.decompress(body, limit - len(found))
        if len(found) >= limit:
            return bytes(found), True
        body = press.unused_data
        if not press.eof or not body.startswith(b"\x1f\x8b"):
            return bytes(found), press.eof


def ungzipped(body: bytes, limit: int) -> bytes:
    """Return what is in a gzip file, at most `limit` bytes of it; anything else as it is."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return _inflated(body, limit, zlib.MAX_WBITS | 16)[0]
    except zlib.error:
        return b""

"""HTTP responses as they were on the wire: where the header ends, what it states, and the body without its chunks."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from mmap import mmap

_STATUS = re.compile(rb"HTTP/(\d+(?:\.\d+)?)[ \t]+(\d{3})(?!\d)[^\n]*\n", re.IGNORECASE)
_BLANK = re.compile(rb"\r?\n\r?\n")
_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_HEADER = 1 << 20  #: bytes of the longest header that is looked at
_INTERIM = 50  #: interim responses in front of one response
#: Bytes of a part of a body, and of the largest body that is kept once it was asked for.
_PART, _KEPT = 1 << 20, 1 << 20
_GZIP = b"\x1f\x8b"
#: Chunks whose places are listed; the content of more is copied.
_LISTED = 1 << 16

#: The bytes of a response: in memory, or of a file that is mapped.
Block = bytes | bytearray | mmap


@dataclass(slots=True)
class Message:
    """A response. Names of fields are in lower case.

    `complete` is false where fewer bytes came than the header or the chunks promise. The body, without its chunks where
    they are complete, is read from the block when it is asked for.
    """

    status: int
    version: str
    fields: list[tuple[bytes, bytes]]
    first: int  #: where the response begins in the block, behind interim ones (status 1xx)
    start: int  #: where the body begins in the block
    complete: bool
    chunked: bool
    block: Block = field(repr=False)
    spans: list[tuple[int, int]]  #: where the body is in the block
    _body: bytes | None = field(default=None, repr=False)

    @property
    def length(self) -> int:
        """The bytes of the body."""
        return len(self._body) if self._body is not None else sum(end - start for start, end in self.spans)

    def parts(self) -> Iterator[memoryview]:
        """Yield the body in parts of 1 MB at most, without copying it."""
        view = memoryview(self.block if self._body is None else self._body)
        for start, end in self.spans if self._body is None else [(0, len(view))]:
            for at in range(start, end, _PART):
                yield view[at : min(at + _PART, end)]

    def head(self, limit: int) -> bytes:
        """Return the body, at most `limit` bytes of it."""
        if self._body is not None:
            return self._body[:limit]
        kept = bytearray()
        for part in self.parts():
            kept += part[: limit - len(kept)]
            if len(kept) >= limit:
                break
        return bytes(kept)

    @property
    def body(self) -> bytes:
        """The body, copied out of the block; a large one each time, so better take `parts` of it."""
        if self._body is not None:
            return self._body
        if len(self.spans) == 1:
            start, end = self.spans[0]
            found = bytes(memoryview(self.block)[start:end])
        else:
            found = b"".join(self.parts())
        if len(found) <= _KEPT:
            self._body = found
        return found

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
        digest = hashlib.sha256()
        for part in self.parts():
            digest.update(part)
        return digest.digest() + b"\1" * self.chunked

    @property
    def retry_after(self) -> str:
        """What Retry-After states, a line for each of the fields."""
        return b"\n".join(self.every(b"retry-after")).decode("latin-1")

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case."""
        return self.get(b"content-type").partition(";")[0].strip().lower()


def parse(block: Block, method: str = "GET") -> Message | None:
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
    fields, start, size = _fields(bytes(block[line.end() : end.start()])), end.end(), len(block)
    message = Message(status, line[1].decode(), fields, at, start, True, False, block, [(start, size)])
    if status in (204, 304) or method == "HEAD":
        return message
    codings = b",".join(message.every(b"transfer-encoding")).lower()
    if b"chunked" in codings:
        message.chunked = True
        spans, content, message.complete = chunks_of(block, start)
        if message.complete:
            message.spans, message._body = spans, content
    elif not codings and (stated := {value.strip() for value in message.every(b"content-length")}):
        length = stated.pop()
        if not stated and length.isdigit() and len(length) < 19:
            message.complete = size - start >= int(length)
    return message


def is_header_cut(block: Block) -> bool:
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


def chunks_of(block: Block, at: int = 0) -> tuple[list[tuple[int, int]], bytes | None, bool]:
    """Return where the content of chunks is; the content, where there are too many of them to list; and whether the
    last one is there and all are as long as they state.

    >>> chunks_of(b"3\\r\\nabc\\r\\n0\\r\\n\\r\\n"), chunks_of(b"3\\r\\nab")
    (([(3, 6)], None, True), ([(3, 5)], None, False))
    """
    spans: list[tuple[int, int]] = []
    content: bytearray | None = None
    is_complete = False
    while size := _SIZE.match(block, at):
        length, start = int(size[1], 16), size.end()
        if length == 0:
            is_complete = True
            break
        at = start + length
        if content is not None:
            content += block[start:at]
        else:
            spans.append((start, min(at, len(block))))
            if len(spans) > _LISTED:
                content = bytearray().join(block[first:last] for first, last in spans)
        behind = block[at : at + 2]
        if behind == b"\r\n":
            at += 2
        elif behind[:1] == b"\n":
            at += 1
        else:
            break
    return spans, None if content is None else bytes(content), is_complete


def decoded(message: Message, limit: int) -> bytes:
    """Return the body without its content coding, at most `limit` bytes of it; empty where it cannot be decoded."""
    return decoded_to_end(message, limit)[0]


def decoded_to_end(message: Message, limit: int) -> tuple[bytes, bool]:
    """Return the body as `decoded` does, and whether that is all of it up to the limit."""
    coding = b",".join(message.every(b"content-encoding")).strip().lower()
    if not message.length or coding in (b"", b"identity"):
        return message.head(limit), True
    if coding not in (b"gzip", b"x-gzip", b"deflate"):
        return b"", False
    modes = (zlib.MAX_WBITS | 16,) if b"gzip" in coding else (zlib.MAX_WBITS, -zlib.MAX_WBITS)
    for mode in modes:
        try:
            return _inflated(message.parts(), mode, limit)
        except zlib.error:
            continue
    return b"", False


def _inflated(parts: Iterable[bytes | memoryview], mode: int, limit: int) -> tuple[bytes, bool]:
    """Return what is in compressed data, in all members of a gzip file, and whether it ends where it should."""
    press, found, behind = zlib.decompressobj(mode), bytearray(), b""
    for part in parts:
        rest = behind + part if behind else part
        while rest:
            if press.eof:  # what is behind the data is another member, or nothing
                behind = bytes(rest)
                if len(behind) < len(_GZIP):
                    break
                if not behind.startswith(_GZIP):
                    return bytes(found), True
                press, behind = zlib.decompressobj(mode), b""
            found += press.decompress(rest, limit - len(found))
            if len(found) >= limit:
                return bytes(found), True
            rest = press.unused_data
    return bytes(found), press.eof


def ungzipped(body: bytes, limit: int) -> bytes:
    """Return what is in a gzip file, at most `limit` bytes of it; anything else as it is."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return _inflated([body], zlib.MAX_WBITS | 16, limit)[0]
    except zlib.error:
        return b""

"""HTTP messages in records: the header, and the body as a browser reads it."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

import brotli
import zstandard
from isal import isal_zlib

from archive.records.record import Fields, parse_fields

_STATUS = re.compile(rb"(?:HTTP|ICY)(?:/\d(?:\.\d)?)?[ \t]+(\d{3})\b[^\n]*", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_HEADER_LIMIT = 1 << 17
_ZSTD = b"\x28\xb5\x2f\xfd"
#: `wbits` of zlib for gzip.
_GZIP = 31
#: How markup or a compressed body begins.
_ENCODED = re.compile(rb"\s*<|\x1f\x8b|\x28\xb5\x2f\xfd|\xef\xbb\xbf|[\x00-\x08\x0e-\x1f\x80-\xff]")
_INFLATE_ERRORS: tuple[type[Exception], ...] = (isal_zlib.error, zlib.error)  # type: ignore[assignment]


class BodyTooLarge(Exception):
    """Raised where the decoded body is larger than the limit."""


class BadEncoding(Exception):
    """Raised where the body is not encoded as its Content-Encoding states."""


@dataclass(frozen=True, slots=True)
class Message:
    """An HTTP response. `body` is the payload as transferred, in chunks if it was sent so."""

    status: int
    headers: Fields
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def mime(self) -> str:
        """The media type without parameters, in lower case."""
        return media_type(self.content_type)


def media_type(content_type: str) -> str:
    """Return the media type of a Content-Type without parameters, in lower case."""
    first = re.split(r"[;,\s]", content_type.strip(), maxsplit=1)[0]
    return first.lower()


def parse_response(block: bytes) -> Message | None:
    """Parse a response block; return None where it does not begin with a status line."""
    block = block[4:] if block.startswith(b"\r\n\r\n") else block.lstrip(b"\r\n")
    match = _STATUS.match(block)
    if not match:
        return None
    after = match.end() + 1
    crlf = block.find(b"\r\n\r\n", match.end() - 1, _HEADER_LIMIT)
    lf = block.find(b"\n\n", match.end() - 1, crlf if crlf >= 0 else _HEADER_LIMIT)
    if lf >= 0:
        end, start = lf, lf + 2
    elif crlf >= 0:
        end, start = crlf, crlf + 4
    else:
        end = start = len(block)
    return Message(int(match[1]), parse_fields(block[after:end]), block[start:])


def dechunk(body: bytes) -> tuple[bytes, bool]:
    """Join the chunks of a body. Returns the payload, and whether it is complete.

    A body that does not begin with a chunk size was joined before, and is returned as it is. So was one that begins
    with a decimal number, larger than the body, and plain text behind it (`2021` above a diary). Of a body that breaks
    off or has a wrong size, the chunks up to there are returned.
    """
    match = _CHUNK_SIZE.match(body)
    if not match or _is_number_of_text(body, match):
        return body, True
    parts: list[bytes] = []
    view = memoryview(body)
    at = 0
    while match:
        size = int(match[1], 16)
        at = match.end()
        if size == 0:
            return b"".join(parts), True
        piece = view[at : at + size]
        parts.append(bytes(piece))
        at += size
        if len(piece) < size:
            return b"".join(parts), False
        at += 2 if body[at : at + 2] == b"\r\n" else 1 if body[at : at + 1] == b"\n" else 0
        match = _CHUNK_SIZE.match(body, at)
    rest = body[at:].strip()
    if rest:  # no chunk size where one is due: keep what follows
        parts.append(body[at:])
    return b"".join(parts), False


def _is_number_of_text(body: bytes, size: re.Match[bytes]) -> bool:
    beyond = int(size[1], 16) > len(body) - size.end()
    return beyond and size[1].isdigit() and not _ENCODED.match(body, size.end())


def decompress(body: bytes, encodings: str, limit: int) -> tuple[bytes, bool]:
    """Undo the Content-Encoding of a body. Returns the payload, and whether it is complete.

    Crawlers often store the decoded body with the old header, so a body without the magic number of its encoding is
    returned as it is. Of a body that is cut off, the part that can be decoded is returned.

    Raises:
        BodyTooLarge: the result is larger than `limit` bytes.
        BadEncoding: nothing can be decoded.
    """
    complete = True
    for name in reversed([part.strip().lower() for part in encodings.split(",")]):
        if name in {"gzip", "x-gzip"}:
            if not body.startswith(b"\x1f\x8b"):
                continue
            body, ended = _inflate(body, _GZIP, limit)
        elif name == "deflate":
            zlib_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] * 256 + body[1]) % 31 == 0
            if not zlib_header and _looks_like_text(body):
                continue
            body, ended = _inflate(body, 15 if zlib_header else -15, limit)
        elif name == "br":
            body, ended = _unbrotli(body, limit)
        elif name == "zstd":
            body, ended = _unzstd(body, limit)
        else:
            continue
        complete = complete and ended
    return body, complete


def _inflate(body: bytes, wbits: int, limit: int) -> tuple[bytes, bool]:
    """Decompress a body: of gzip all members, since several are one body (RFC 1952, 2.2)."""
    decoded = bytearray()
    while True:
        try:
            out, ended, body = _inflate_member(body, wbits, limit - len(decoded))
        except BadEncoding:
            if not decoded:
                raise
            return bytes(decoded), False
        decoded += out
        if not ended or wbits != _GZIP or not body.startswith(b"\x1f\x8b\x08"):
            return bytes(decoded), ended


def _inflate_member(body: bytes, wbits: int, limit: int) -> tuple[bytes, bool, bytes]:
    """Return what one member has, whether it ends, and the bytes behind it."""
    # isal is faster, but zlib returns all that is in front of damage
    for engine in (isal_zlib.decompressobj(wbits), zlib.decompressobj(wbits)):
        out, data = bytearray(), body
        try:
            while data and not engine.eof:
                step = data[: 1 << 16]
                out += engine.decompress(step, max(limit + 1 - len(out), 1))
                data = (engine.unused_data if engine.eof else engine.unconsumed_tail) + data[len(step) :]
                if len(out) > limit:
                    raise BodyTooLarge
            if out or engine.eof:
                return bytes(out), bool(engine.eof), data
        except _INFLATE_ERRORS:
            continue
    if out:
        return bytes(out), False, b""
    raise BadEncoding("the body is not the deflated data that its Content-Encoding promises")


def _unbrotli(body: bytes, limit: int) -> tuple[bytes, bool]:
    engine, out = brotli.Decompressor(), bytearray()
    try:
        for at in range(0, len(body), 1 << 12):
            out += engine.process(body[at : at + (1 << 12)], output_buffer_limit=1 << 20)
            while not engine.can_accept_more_data() and not engine.is_finished():
                out += engine.process(b"", output_buffer_limit=1 << 20)
                if len(out) > limit:
                    raise BodyTooLarge
            if len(out) > limit:
                raise BodyTooLarge
            if engine.is_finished():
                break
    except brotli.error:
        if not out and _looks_like_text(body):
            return body, True
        if not out:
            raise BadEncoding("the body is not brotli data") from None
    return bytes(out), engine.is_finished()


def _unzstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    """Decompress all frames of a body (RFC 8878, 3)."""
    if not body.startswith(_ZSTD):
        return body, True
    out = bytearray()
    while True:
        engine = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        at = 0
        try:
            while at < len(body) and not engine.eof:  # small steps: the library has no limit on its output
                out += engine.decompress(body[at : at + 256])
                at += 256
                if len(out) > limit:
                    raise BodyTooLarge
        except zstandard.ZstdError:
            if not out:
                raise BadEncoding("the body is not zstd data") from None
            return bytes(out), False
        body = engine.unused_data + body[at:] if engine.eof else b""
        if not body.startswith(_ZSTD):
            return bytes(out), engine.eof


def _looks_like_text(body: bytes) -> bool:
    head = body[:512]
    return bool(head) and sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head) * 50 < len(head)

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
#: What may follow the last chunk: fields, and a blank line.
_TRAILER = re.compile(rb"(?:[\w!#$%&'*+.^`|~-]+:[^\n]*\n)*\s*")
#: What follows a chunk: a line break, and the size of the next one or the end.
_NEXT_CHUNK = re.compile(rb"\s*\Z|(?:\r?\n)+[ \t]*[0-9a-fA-F]{1,16}[ \t]*(?:;[^\n]*)?\r?\n")
_NEXT_SIZE = re.compile(rb"(?:\r?\n)*" + _CHUNK_SIZE.pattern)
_BLANK = b"\0 \t\r\n"
#: Bytes of a brotli stream that are decoded at once.
_STEP = 1 << 12
_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"})
_COMPRESS = b"\x1f\x9d"
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

    A body in which a chunk size does not lead to the next one was joined before, unless markup or compressed bytes
    follow its first line: a text may begin with a line that looks like a size (`2021` above a diary, `beef` above a
    recipe). It is returned as it is. Of a body that breaks off or has a wrong size, the chunks up to there are
    returned.
    """
    match = _CHUNK_SIZE.match(body)
    if not match or _is_line_of_text(body, match):
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
        match = _NEXT_SIZE.match(body, at)
    rest = body[at:].strip()
    if rest:  # no chunk size where one is due: keep what follows
        parts.append(body[at:])
    return b"".join(parts), False


def _is_line_of_text(body: bytes, first: re.Match[bytes]) -> bool:
    """Return whether what looks like the first chunk size is a line of a text."""
    if _ENCODED.match(body, first.end()):
        return False
    size = int(first[1], 16)
    end = first.end() + size
    if size == 0:  # only the fields of a trailer may follow
        return _TRAILER.fullmatch(body, first.end()) is None
    if end > len(body):
        return first[1].isdigit() or first[1].isalpha()
    return end < len(body) and _NEXT_CHUNK.match(body, end) is None


def decompress(body: bytes, encodings: str, limit: int) -> tuple[bytes, bool]:
    """Undo the Content-Encoding of a body. Returns the payload, and whether it is complete.

    Crawlers often store the decoded body with the old header, so a body that is not encoded is returned as it is; and
    servers name another encoding than they use, so the bytes decide where they show it. Of a body that is cut off, or
    that has more behind the encoded data, the part that can be decoded is returned.

    Raises:
        BodyTooLarge: the result is larger than `limit` bytes.
        BadEncoding: nothing can be decoded.
    """
    complete = True
    for name in reversed([part.strip().lower() for part in encodings.split(",")]):
        if name not in _CODINGS:
            continue
        if body.startswith(_COMPRESS):
            raise BadEncoding("the body is compressed with `compress`")
        body, ended = _decode(body, name, limit)
        complete = complete and ended
    return body, complete


def _decode(body: bytes, name: str, limit: int) -> tuple[bytes, bool]:
    if body.startswith(b"\x1f\x8b"):
        return _inflate(body, _GZIP, limit)
    if body.startswith(_ZSTD) or _is_skippable(body):
        return _unzstd(body, limit)
    if name == "br":
        return _unbrotli(body, limit)
    if name in {"zstd", "compress", "x-compress"} or not body:
        return body, True
    zlib_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] * 256 + body[1]) % 31 == 0
    if not zlib_header and _looks_like_text(body):
        return body, True
    try:
        return _inflate(body, 15 if zlib_header else -15, limit)
    except BadEncoding:
        if name != "deflate" or _looks_like_text(body):  # it was decoded before, and is in UTF-16, or begins with `x^`
            return body, True
        raise


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
        body = body.lstrip(b"\0")  # writers pad members
        if not ended or wbits != _GZIP or not body.startswith(b"\x1f\x8b\x08"):
            return bytes(decoded), ended and not body.strip(_BLANK)


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
    out = bytearray()
    fine = len(body)  # from here on in steps of one byte
    for _ in range(2):  # again where it fails, since the library returns nothing of a step that fails
        engine, at = brotli.Decompressor(), 0
        out.clear()
        try:
            while at < len(body):
                step = body[at : at + (_STEP if at < fine else 1)]
                out += engine.process(step, output_buffer_limit=1 << 20)
                while not engine.can_accept_more_data() and not engine.is_finished():
                    out += engine.process(b"", output_buffer_limit=1 << 20)
                    if len(out) > limit:
                        raise BodyTooLarge
                if len(out) > limit:
                    raise BodyTooLarge
                at += len(step)
                if engine.is_finished():
                    return bytes(out), not body[at:].strip(_BLANK)
            return bytes(out), False
        except brotli.error:
            fine = at
    if out:
        return bytes(out), False
    if _looks_like_text(body):
        return body, True
    raise BadEncoding("the body is not brotli data")


def _unzstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    """Decompress all frames of a body (RFC 8878, 3)."""
    out = bytearray()
    while True:
        while _is_skippable(body):  # RFC 8878, 3.1.2
            body = body[8 + int.from_bytes(body[4:8], "little") :]
        if not body.startswith(_ZSTD):
            return bytes(out), not body.strip(_BLANK)
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
        if not engine.eof:
            return bytes(out), False
        body = engine.unused_data + body[at:]


def _is_skippable(body: bytes) -> bool:
    return len(body) >= 8 and body[1:4] == b"\x2a\x4d\x18" and 0x50 <= body[0] <= 0x5F


def _looks_like_text(body: bytes) -> bool:
    head = body[:512]
    return bool(head) and sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head) * 50 < len(head)

"""The content and transfer codings of HTTP: gzip, deflate, brotli and zstd, also under a wrong name."""

from __future__ import annotations

import re
import zlib
from typing import Any

import brotli
import zstandard
from isal import isal_zlib

_ZSTD = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC = b"\x1f\x8b"
#: `wbits` of zlib for gzip, for zlib's own format, and for deflated data without a header.
_GZIP, _ZLIB, _BARE = 31, 15, -15
_BLANK = b"\0 \t\r\n"
_GZIP_HEADER = re.compile(rb"\x1f\x8b\x08(.).{6}", re.S)
#: Bytes of damaged data that are inflated at once.
_SMALL = 64
#: Bytes of a brotli stream that are decoded at once.
_STEP = 1 << 12
_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"})
_COMPRESS = b"\x1f\x9d"
#: So many codings that no header names are undone.
_DEPTH = 3
_INFLATE_ERRORS: tuple[type[Exception], ...] = (isal_zlib.error, zlib.error)  # type: ignore[assignment]


class BodyTooLarge(Exception):
    """Raised where the decoded body is larger than the limit."""


class BadEncoding(Exception):
    """Raised where the body is not encoded as its Content-Encoding states."""


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
    for name in reversed([part.strip().strip("\"'").lower() for part in encodings.split(",")]):
        if name not in _CODINGS:
            continue
        if body.startswith(_COMPRESS):
            raise BadEncoding("the body is compressed with `compress`")
        body, ended = _decode(body, name, limit)
        complete = complete and ended
    return body, complete


def unpack(body: bytes, limit: int) -> bytes:
    """Undo codings that no header names, where the bytes show one and can be decoded to their end; else return them.

    Crawlers drop the header and keep the coding, and servers compress what is compressed.

    Raises:
        BodyTooLarge: the result is larger than `limit` bytes.
    """
    for _ in range(_DEPTH):
        try:
            decoded, complete = _by_bytes(body, limit) or _unbrotli(body, limit)
        except BadEncoding:
            break
        if not complete or decoded == body:
            break
        body = decoded
    return body


def _by_bytes(body: bytes, limit: int) -> tuple[bytes, bool] | None:
    """Decode what its first bytes show to be encoded; return None where they show nothing."""
    if body.startswith(_GZIP_MAGIC):
        return _inflate(body, _GZIP, limit)
    if body.startswith(_ZSTD) or _is_skippable(body):
        return _unzstd(body, limit)
    if len(body) > 1 and body[0] & 0x0F == 8 and (body[0] * 256 + body[1]) % 31 == 0:
        try:
            return _inflate(body, _ZLIB, limit)
        except BadEncoding:
            return None
    return None


def _decode(body: bytes, name: str, limit: int) -> tuple[bytes, bool]:
    if not body:
        return body, True
    if found := _by_bytes(body, limit):
        return found
    if name == "br":
        try:
            return _unbrotli(body, limit)
        except BadEncoding:
            if (found := _inflate_bare(body, limit)) is None:
                raise
            return found
    if _looks_like_text(body):
        return body, True
    if name in {"gzip", "x-gzip", "deflate"}:
        if found := _inflate_bare(body, limit):
            return found
        if name == "deflate":
            raise BadEncoding("the body is not the deflated data that its Content-Encoding promises")
    return body, True  # it was decoded before, and is in UTF-16; or it is no page


def _inflate_bare(body: bytes, limit: int) -> tuple[bytes, bool] | None:
    """Inflate data without a header, which browsers take for `deflate` too; None where it is none."""
    try:
        decoded, complete = _inflate(body, _BARE, limit)
    except BadEncoding:
        return None
    return (decoded, complete) if complete or _looks_like_text(decoded) else None


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
    try:
        return _inflate_with(isal_zlib.decompressobj(wbits), body, limit, 1 << 16)
    except _INFLATE_ERRORS:
        pass
    # damaged, or with a wrong checksum, which browsers do not look at: in small steps, as a step that fails is lost
    bare = body[_header_size(body, wbits) :]
    engine, out = zlib.decompressobj(_BARE), bytearray()
    try:
        for at in range(0, len(bare), _SMALL):
            out += engine.decompress(bare[at : at + _SMALL], max(limit + 1 - len(out), 1))
            while engine.unconsumed_tail and len(out) <= limit:
                out += engine.decompress(engine.unconsumed_tail, max(limit + 1 - len(out), 1))
            if len(out) > limit:
                raise BodyTooLarge
            if engine.eof:
                break
    except zlib.error:
        pass
    if out:
        return bytes(out), False, b""
    raise BadEncoding("the body is not the deflated data that its Content-Encoding promises")


def _inflate_with(engine: Any, body: bytes, limit: int, step: int) -> tuple[bytes, bool, bytes]:
    out, data = bytearray(), body
    while data and not engine.eof:
        part = data[:step]
        out += engine.decompress(part, max(limit + 1 - len(out), 1))
        data = (engine.unused_data if engine.eof else engine.unconsumed_tail) + data[len(part) :]
        if len(out) > limit:
            raise BodyTooLarge
    if not out and not engine.eof:
        raise zlib.error("nothing is decoded")
    return bytes(out), bool(engine.eof), data


def _header_size(body: bytes, wbits: int) -> int:
    """Return the bytes of the header in front of deflated data (RFC 1952, 2.3; RFC 1950, 2.2)."""
    if wbits == _BARE:
        return 0
    if wbits == _ZLIB:
        return 2
    match = _GZIP_HEADER.match(body)
    if match is None:
        return 0
    flags, at = match[1][0], match.end()
    if flags & 4:
        at += 2 + int.from_bytes(body[at : at + 2], "little")
    for flag in (8, 16):  # the name, a comment
        if flags & flag:
            at = body.find(b"\0", at) + 1 or len(body)
    return at + 2 * bool(flags & 2)


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
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return True
    return bool(head) and sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head) * 50 < len(head)

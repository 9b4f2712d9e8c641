"""WARC 1.1 records (ISO 28500:2017), a gzip member each, whose blocks are the bytes of the wire.

warcio writes HTTP headers anew from what it parsed, so it cannot keep a malformed one; it checks these records in the
tests.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from isal import isal_zlib

from crawler.wire.message import Block

_LEVEL = 3
#: Bytes of a block that are compressed at once; what is behind a block.
_PIECE, _END = 1 << 20, b"\r\n\r\n"
#: The profiles of revisits (ISO 28500:2017, 6.7.2 and 6.7.3).
IDENTICAL = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
RESPONSE, REQUEST = "application/http; msgtype=response", "application/http; msgtype=request"
FIELDS = "application/warc-fields"


@dataclass(frozen=True, slots=True)
class Written:
    """A record as it is in a file: a gzip member of the head and the block."""

    id: str
    head: bytes
    block: Block | memoryview

    def pieces(self) -> Iterator[bytes]:
        """Yield the gzip member in pieces."""
        press = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, 31)
        view = memoryview(self.block)
        if len(view) <= _PIECE:
            yield b"".join([press.compress(self.head), press.compress(view), press.compress(_END), press.flush()])
            return
        yield press.compress(self.head)
        for at in range(0, len(view), _PIECE):
            yield press.compress(view[at : at + _PIECE])
        yield press.compress(_END) + press.flush()


def new_id() -> str:
    """Return a new record id."""
    return f"urn:uuid:{uuid.uuid4()}"


def warc_date(at: datetime) -> str:
    """Return a time as WARC-Date has it, with microseconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sha1(*parts: Block | memoryview) -> str:
    """Return the SHA-1 of some bytes as WARC files have it.

    >>> sha1(b"")
    'sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ'
    """
    digest = hashlib.sha1()
    for part in parts:
        digest.update(part)
    return "sha1:" + base64.b32encode(digest.digest()).decode()


def record(
    kind: str,
    date: str,
    fields: Iterable[tuple[str, str]],
    content_type: str = "",
    block: Block | memoryview = b"",
    record_id: str = "",
) -> Written:
    """Make a record. It is compressed when it is written.

    Args:
        fields: further fields, in order; those without a value are left out.
    """
    record_id = record_id or new_id()
    lines = ["WARC/1.1", f"WARC-Type: {kind}", f"WARC-Record-ID: <{record_id}>", f"WARC-Date: {date}"]
    lines += [f"{name}: {' '.join(value.split())}" for name, value in fields if value]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    if block:
        lines.append(f"WARC-Block-Digest: {sha1(block)}")
    lines.append(f"Content-Length: {len(block)}\r\n\r\n")
    return Written(record_id, "\r\n".join(lines).encode(), block)


def warc_fields(pairs: Iterable[tuple[str, object]]) -> bytes:
    """Return a block of `application/warc-fields`: a line for each pair that has a value.

    >>> warc_fields([("via", "http://example.com/"), ("depth", 0), ("error", "")])
    b'via: http://example.com/\\r\\ndepth: 0\\r\\n'
    """
    lines = (f"{name}: {' '.join(str(value).split())}\r\n" for name, value in pairs if value not in ("", None))
    return "".join(lines).encode()

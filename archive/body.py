"""The body of a record: its codings are undone, and its digests are checked. What page it is, `archive.page` finds."""

from __future__ import annotations

from archive.capture import Capture
from archive.reasons import Unusable
from archive.records import digest
from archive.records.chunks import dechunk, join
from archive.records.codings import BadEncoding, BodyTooLarge, decompress, unpack
from archive.records.http import Message
from archive.records.record import Record
from archive.text import sniff


def payload_of(record: Record, capture: Capture, message: Message, limit: int) -> bytes:
    """Return the body of a response without its transfer codings, and note what its digests prove.

    Args:
        limit: bytes that a body may decode to.

    Raises:
        Unusable: it cannot be decoded.
    """
    codings = message.transfer_codings
    joined = _joined(record, capture, message) if "chunked" in codings else message.body
    payload = joined
    if further := [name for name in codings if name != "chunked"]:
        payload = _decoded(capture, joined, ", ".join(further), "transfer-encoding", limit)
    readings = (payload, joined, message.body)
    if payload.startswith(b"\r\n"):  # writers put a blank line too many behind the header (Common Crawl, 2018-34)
        bare = payload[2:]
        if message.length == len(bare) or _fits(record, bare):
            payload = bare
    verify(record, capture, payload, *readings)
    if joined is not message.body:
        _name_both(capture, payload, message.body)
    return payload


def content_of(record: Record, capture: Capture, message: Message, payload: bytes, limit: int) -> bytes:
    """Return the payload without its content codings.

    Raises:
        Unusable: it cannot be decoded, or is too large.
    """
    body = payload
    if encodings := ", ".join(message.headers.every("content-encoding")):
        body = _decoded(capture, body, encodings, "content-encoding", limit)
    if capture.payload_check == digest.MISMATCH and encodings:  # some writers take the digest of the decoded body
        decoded = digest.check(record.headers.every("warc-payload-digest"), body)
        if decoded[1] != digest.MISMATCH:
            capture.payload_digest, capture.payload_check = decoded
    if len(body) > limit:
        raise Unusable("too-large", f"a body of {len(body)} bytes")
    return body


def unpacked(body: bytes, limit: int) -> bytes:
    """Return the page in bytes that are compressed though no header names that; others as they are."""
    try:
        inner = unpack(body, limit)
    except BodyTooLarge:
        return body
    return inner if sniff.begins_markup(inner) else body


def verify(record: Record, capture: Capture, *readings: bytes) -> None:
    """Note what the digests of a record prove.

    Args:
        readings: what may be the payload, the likeliest first.
    """
    if len(readings) > 1:
        readings = tuple({id(each): each for each in readings}.values())
    claims = record.headers.every("warc-payload-digest")
    if record.missing:  # they are of all segments together
        claims, capture.truncated = [], capture.truncated or record.missing
    capture.payload_digest, capture.payload_check = digest.check(claims, *readings)
    check_block(record, capture)


def _name_both(capture: Capture, payload: bytes, transferred: bytes) -> None:
    """Note both digests of a body in chunks, whichever the record states.

    Heritrix and Common Crawl state that of the payload, wget and warcio that of the body with its chunks. A server cuts
    the same page into other chunks each time, so two archives of it can agree on the first one only.
    """
    if capture.payload_check == digest.MISMATCH or capture.payload_digest is None:
        return
    algorithm = capture.payload_digest.partition(":")[0]
    both = digest.compute(payload, algorithm), digest.compute(transferred, algorithm)
    if capture.payload_digest in both:  # else it is of the body without its chunks that is still compressed
        capture.payload_digest, capture.transfer_digest = both


def check_block(record: Record, capture: Capture) -> None:
    """Note what the digests of the blocks of a record and of its segments prove."""
    checks = {_block_check(each) for each in (record, *record.segments)}
    capture.block_check = checks.pop() if len(checks) == 1 else digest.ABSENT
    if digest.MISMATCH in checks:
        capture.block_check = digest.MISMATCH


def _block_check(record: Record) -> str:
    claims = record.headers.every("warc-block-digest")
    return digest.check(claims, record.block)[1] if claims else digest.ABSENT


def _fits(record: Record, payload: bytes) -> bool:
    """Return whether a payload has a digest that its record states."""
    claims = record.headers.every("warc-payload-digest")
    return digest.check(claims, payload)[1] == digest.VERIFIED if claims else False


def _joined(record: Record, capture: Capture, message: Message) -> bytes:
    """Return the body without its chunks: the reading that has the stated digest, or else the more likely one."""
    joined, complete = dechunk(message.body, message.length)
    if joined is message.body and not _fits(record, joined):
        other, ended = join(joined)
        if _fits(record, other):
            joined, complete = other, ended
    if not complete:
        capture.truncated = capture.truncated or "chunked"
    return joined


def _decoded(capture: Capture, body: bytes, codings: str, field: str, limit: int) -> bytes:
    """Undo the codings that a field names."""
    try:
        body, complete = decompress(body, codings, limit)
    except BodyTooLarge:
        raise Unusable("too-large", f"decodes to more than {limit} bytes") from None
    except BadEncoding as error:
        raise Unusable("bad-encoding", str(error)) from None
    if not complete:
        capture.truncated = capture.truncated or field
    return body

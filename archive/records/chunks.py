"""The chunked transfer coding (RFC 9112, 7.1): joining the chunks, and knowing a body that was joined before."""

from __future__ import annotations

import re

from archive.records.record import Fields, parse_fields

#: A chunk size, with an extension and a line break. Blank lines may be in front of it.
_SIZE = re.compile(rb"(?:[ \t]*\r?\n)*[ \t]*(?:0x)?0*([0-9a-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n", re.IGNORECASE)
#: How markup or a compressed body begins.
_ENCODED = re.compile(rb"\s*<|\x1f\x8b|\x28\xb5\x2f\xfd|\xef\xbb\xbf|[\x00-\x08\x0e-\x1f\x80-\xff]")
#: What may follow the last chunk: fields, and a blank line.
_TRAILER = re.compile(rb"(?:[\w!#$%&'*+.^`|~-]+:[^\n]*\n)*\s*")
#: What follows a chunk: the end, or a line break and the size of the next one.
_NEXT_CHUNK = re.compile(rb"\s*\Z|(?=\r?\n)" + _SIZE.pattern, re.IGNORECASE)
#: The last chunk, or the beginning of a size, at the end of a body whose sizes do not lead there.
_LAST = re.compile(rb"\r?\n(?:0+[ \t]*\r?\n(?:\r?\n)?|[0-9a-f]{1,8}\r?)\Z", re.IGNORECASE)


def dechunk(body: bytes, length: int | None = None) -> tuple[bytes, bool]:
    """Join the chunks of a body. Returns the payload, and whether it is complete.

    A body in which a chunk size does not lead to the next one was joined before, unless markup or compressed bytes
    follow its first line: a text may begin with a line that looks like a size (`2021` above a diary, `beef` above a
    recipe). It is returned as it is. So is a body of the stated length whose sizes do not lead to its end.

    Args:
        length: what Content-Length states, which senders of chunks should leave out.
    """
    first = _SIZE.match(body)
    if not first:
        return body, True
    parts, end = _walk(body, first)
    complete = end is not None
    if length == len(body) and not (complete and _ENCODED.match(body, first.end())):
        return body, True
    if not (complete and parts and _TRAILER.fullmatch(body, end or 0)) and _is_line_of_text(body, first):
        return body, True
    return b"".join(parts), complete


def join(body: bytes) -> tuple[bytes, bool]:
    """Join the chunks of a body as its sizes say. Returns the payload, and whether the last chunk was met.

    Of a body that breaks off, or has a wrong size, what is behind the last right size is returned too.
    """
    first = _SIZE.match(body)
    if not first:
        return body, False
    parts, end = _walk(body, first)
    return b"".join(parts), end is not None


def _walk(body: bytes, match: re.Match[bytes] | None) -> tuple[list[bytes], int | None]:
    """Return the chunks, and where the line of the last one ends; None where it is not met.

    Args:
        match: the first size.
    """
    parts: list[bytes] = []
    at = 0
    while match:
        size, at = int(match[1], 16), match.end()
        if size == 0:
            return parts, at
        if len(body) - at < size:
            parts.append(_without_last(body, at))
            return parts, None
        parts.append(body[at : at + size])
        at += size
        match = _SIZE.match(body, at)
    if body[at:].strip():  # no chunk size where one is due: keep what follows
        rest = _without_last(body, at)
        parts.append(rest[2:] if rest.startswith(b"\r\n") else rest.removeprefix(b"\n"))
    return parts, None


def _without_last(body: bytes, at: int) -> bytes:
    """Return the rest of a body without the last chunk at its end."""
    last = _LAST.search(body, max(at, len(body) - 32))
    return body[at : last.start() if last else None]


def trailer_of(body: bytes) -> Fields:
    """Return the fields behind the last chunk of a body (RFC 9112, 7.1.2); none where it has no chunks."""
    match = _SIZE.match(body)
    if not match or _is_line_of_text(body, match):
        return Fields()
    while match and (size := int(match[1], 16)):
        match = _SIZE.match(body, match.end() + size)
    if not match or body[match.end() : match.end() + 2].lstrip(b"\r").startswith(b"\n"):
        return Fields()
    return parse_fields(re.split(rb"\r?\n\r?\n", body[match.end() :], maxsplit=1)[0])


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

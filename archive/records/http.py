"""HTTP responses in records: the status, the header and the body, read as leniently as browsers do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archive.records.media_types import essence
from archive.records.record import Fields, parse_fields

#: A status line. Servers leave out the slash, the minor version, the reason, or the blank in front of it.
_STATUS = re.compile(rb"(?:HTTP(?:/\d+(?:\.\d+)*)?|ICY)[ \t]+(\d{3})(?!\d)[^\n]*", re.IGNORECASE)
#: One without a status, which browsers take for 200; only in front of a field, since a text may begin so.
_NO_STATUS = re.compile(rb"HTTP/\d\.\d()[ \t]*(?:[a-z][^\n]*)?(?=\r?\n[\w-]{2,40}[ \t]*:)", re.IGNORECASE)
#: What may be in front of a status line.
_LEADING = b"\r\n \t\0"
_BLANK = re.compile(rb"[\r\n \t\0]*")
_HEADER_LIMIT = 1 << 20
#: Interim answers in front of one response that are read.
_OTHERS = 100
_BLANK_LINE = re.compile(rb"\n\r*\n")
#: A line of markup in a header that lacks its blank line. No field has such a name.
_MARKUP = re.compile(rb"\n[ \t]*(?=<(?:!doctype|html|head|body|title|\?xml|!--)[\s>-])", re.IGNORECASE)
#: A field behind a carriage return, in a header whose lines end so.
_CR_FIELD = re.compile(rb"[!#$%&'*+.^`|~\w-]+[ \t]*:")
_ESTABLISHED = re.compile(rb"established", re.IGNORECASE)
#: Fields that only an answer with a body has.
_OF_BODY = ("content-type", "content-encoding", "transfer-encoding", "location")


@dataclass(frozen=True, slots=True)
class Message:
    """An HTTP response. `body` is the payload as transferred, in chunks if it was sent so.

    `others` are headers that another reader may take for this one: those of interim answers, and of a header whose end
    is in doubt. They say nothing of the body, but what they say of the time counts.
    """

    status: int
    headers: Fields
    body: bytes
    others: tuple[Fields, ...] = ()

    @property
    def mime(self) -> str:
        """The media type without parameters, in lower case; empty where no valid one is stated."""
        return essence(self.headers.every("content-type"))

    @property
    def length(self) -> int | None:
        """What Content-Length states; None where it states nothing, or several numbers."""
        values = set(self.headers.every("content-length"))
        value = values.pop() if len(values) == 1 else ""
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None

    @property
    def transfer_codings(self) -> list[str]:
        """The transfer codings in the order in which they were applied, in lower case."""
        stated = ",".join(self.headers.every("transfer-encoding")).lower().split(",")
        return [name for name in (each.partition(";")[0].strip() for each in stated) if name]


def parse_response(block: bytes) -> Message | None:
    """Parse a response block; return None where it does not begin with a status line.

    In front of the final response there may be interim ones (RFC 9110, 15.2) and a proxy's answer to CONNECT (RFC 9110,
    9.3.6). The final one counts. Lines may end with CR LF, LF or CR. A header that lacks its blank line ends in front
    of markup.
    """
    others: list[Fields] = []
    at = 0
    while found := _parse(block, at):
        status, line, headers, start, doubtful = found
        others += doubtful
        if len(others) < _OTHERS and _is_interim(status, line, headers):
            blank = _BLANK.match(block, start)
            at = blank.end() if blank else start
            if _STATUS.match(block, at):
                others.append(headers)
                continue
        return Message(status, headers, block[start:], tuple(others))
    return None


def _parse(block: bytes, at: int) -> tuple[int, bytes, Fields, int, list[Fields]] | None:
    """Return the status, its line, the fields, where the body begins, and the fields of a doubtful header."""
    match = _STATUS.match(block, at)
    if match is None:
        at = len(block) - len(block[at:].lstrip(_LEADING))
        if block.startswith(b"\xef\xbb\xbf", at):
            at += 3
        match = _STATUS.match(block, at) or _NO_STATUS.match(block, at)
        if match is None:
            return None
    line = match[0]
    first = match.end()  # the line feed of the status line
    end, start = _end_of_header(block, first)
    fields = block[first + 1 : end]
    doubtful: list[bytes] = []
    if b"\r" in line and (inner := line.partition(b"\r")[2]):
        if _CR_FIELD.match(inner):  # lines end with CR
            doubtful.append(fields)
            begin = match.start() + line.index(b"\r")
            if (double := block.find(b"\r\r", begin, end)) >= 0:
                end, start = double, double + 2
            fields = block[begin + 1 : end].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            line = line.partition(b"\r")[0]
        elif inner.strip():  # a carriage return alone, which `parse_fields` looks behind
            fields = b"-\r" + inner + b"\n" + fields
    if block.find(b"\n<", first, end) >= 0 or b"\n " in fields:
        markup = _MARKUP.search(block, first, end)
        if markup is not None:
            doubtful.append(fields)
            fields, start = block[first + 1 : max(markup.start(), first + 1)], markup.end()
    headers = parse_fields(fields)
    return int(match[1] or 200), line, headers, start, [parse_fields(each) for each in doubtful]


def _end_of_header(block: bytes, first: int) -> tuple[int, int]:
    """Return where the fields end and where the body begins; the end of the block where no blank line is found."""
    limit = first + _HEADER_LIMIT
    crlf = block.find(b"\n\r\n", first, limit)
    lf = block.find(b"\n\n", first, crlf + 1 if crlf >= 0 else limit)
    if lf >= 0:
        end, start = lf, lf + 2
    elif crlf >= 0:
        end, start = crlf, crlf + 3
    else:
        end = start = len(block)
    if b"\r\r\n" in block[first:end]:  # lines that end with CR CR LF
        match = _BLANK_LINE.search(block, first, limit)
        if match is not None and match.start() < end:
            return match.start(), match.end()
    return end, start


def _is_interim(status: int, line: bytes, headers: Fields) -> bool:
    """Return whether another response may follow on this one: it is interim, or a proxy's answer to CONNECT."""
    if status // 100 == 1:
        return True
    if status // 100 != 2 or headers.get("content-length", "0") != "0":
        return False
    return _ESTABLISHED.search(line) is not None or not any(name in headers for name in _OF_BODY)

"""A record of a WARC or ARC file, and the parsing of its header."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The beginning of a WARC record. ClueWeb09 and early crawls use the drafts 0.17 and 0.18.
WARC_START = re.compile(rb"WARC/\d\.\d{1,2}[ \t]*\r?\n", re.IGNORECASE)
#: The beginning of an ARC record: a URL, then fields with spaces between them, the last of them the length.
ARC_START = re.compile(
    rb"(?:filedesc|dns|whois|https?|ftp|gopher|news|mailto|urn|screenshot|[a-z][a-z0-9+.-]{1,20})"
    rb":[^\n]{1,16384} (?P<length>-?\w*)\r?\n"
)
_DATE_FIELD = re.compile(r"\d{10,18}\D*", re.ASCII)
_ARC_FIELD = re.compile(rb"[^\n]*[ \t](?:\d{4,18}\w*|[0-9a-f]{20,})[ \t]|[^\n]* (?:\d{1,3}\.){3}\d{1,3} ")

HEADER_LIMIT = 1 << 16
#: Bytes of a header that are parsed. No real header is longer.
_FIELDS_LIMIT = 1 << 18


class Fields(dict[str, str]):
    """The fields of a header: names in lower case, of a repeated field the first value.

    Attributes:
        repeated: all values of each field that the header has more than once, in their order.
    """

    __slots__ = ("repeated",)

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.repeated: dict[str, list[str]] = {}

    def every(self, name: str) -> list[str]:
        """Return all values of a field; none where the header lacks it."""
        return self.repeated.get(name) or ([self[name]] if name in self else [])


@dataclass(slots=True)
class Record:
    """A record of a file. `problem` is set where it could not be read whole.

    `offset` and `length` are those of its compressed member, or in an uncompressed file of the record itself. `skip`
    decompressed bytes of the member are in front of it.
    """

    format: str  #: "warc" or "arc"
    type: str  #: WARC-Type; for ARC "response" or "warcinfo" (the filedesc record)
    headers: Fields
    uri: str
    date: str | None  #: as written
    record_id: str | None
    offset: int
    skip: int
    length: int | None = None
    head: bytes = b""  #: the header as it is in the file, with the blank line behind it
    block: bytes = b""
    problem: str | None = None
    detail: str = ""
    recovered: bool = False  #: found by searching behind damage
    truncated: str | None = None  #: WARC-Truncated, or why the record is shorter than the original
    missing: str | None = None  #: why the further segments of a record are not joined: `segment`, `bad-segment`
    segments: tuple[Record, ...] = ()  #: the `continuation` records that go on with it, in their order
    infos: tuple[Record, ...] = ()  #: of a segment: the warcinfo records between the first one and it

    @property
    def content(self) -> bytes:
        """The blocks of all its segments."""
        return b"".join((self.block, *(each.block for each in self.segments))) if self.segments else self.block


@dataclass(frozen=True, slots=True)
class Span:
    """Which records of a file to read: those that start at an offset in [start, end)."""

    start: int = 0
    end: int | None = None
    exact: bool = True  #: a record is known to start at `start`; otherwise the first one is searched for
    recovered: bool = False  #: the span before ended behind damage, so that this one is behind it too


def starts_record(data: bytes) -> bool:
    """Return whether bytes, behind blank lines, begin like a WARC or ARC record."""
    data = data.lstrip(b"\r\n")
    return starts_warc(data) or starts_arc(data)


def starts_warc(data: bytes) -> bool:
    """Return whether bytes begin like a WARC record."""
    return WARC_START.match(data) is not None


def starts_arc(data: bytes) -> bool:
    """Return whether bytes begin like an ARC record: a URL, a date or an IP address, a length."""
    if ARC_START.match(data) is None:
        return False
    return data.startswith(b"filedesc:") or _ARC_FIELD.match(data) is not None


def decode(raw: bytes) -> str:
    """Decode the bytes of a header as UTF-8, else as Latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse_fields(raw: bytes) -> Fields:
    """Parse `Name: value` lines, which may be folded."""
    found: dict[str, list[list[str]]] = {}
    last: list[str] | None = None
    for line in decode(raw[:_FIELDS_LIMIT]).split("\n"):
        line = line.rstrip("\r")
        if line[:1] in {" ", "\t"} and last:
            last.append(line.strip())
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        last = None
        if colon and name:
            last = [value.strip()]
            found.setdefault(name, []).append(last)
    fields = Fields()
    for name, values in found.items():
        joined = [" ".join(parts).strip() for parts in values]
        fields[name] = joined[0]
        if len(joined) > 1:
            fields.repeated[name] = joined
    if robots := fields.repeated.get("x-robots-tag"):  # each of its lines counts
        fields["x-robots-tag"] = " \x1f".join(robots)
    return fields


def parse_warc_header(raw: bytes) -> tuple[Fields, int | None]:
    """Return the fields of a WARC header and its Content-Length (None where it is missing or no number)."""
    fields = parse_fields(raw.partition(b"\n")[2])
    length = fields.get("content-length", "")
    return fields, int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None


def parse_arc_line(line: bytes) -> tuple[Fields, int | None]:
    """Return the fields of an ARC header line of version 1 or 2, and the length of the record.

    Lines in old archives lack fields, swap them, or have spaces in the URL. So fields are recognised by their form: the
    length is the last one, the date the only one of 10 to 18 digits, or of several the latest.
    """
    text = decode(line).strip()
    parts = text.split(" ")
    length = int(parts[-1]) if re.fullmatch(r"\d{1,18}", parts[-1], re.ASCII) else None
    fields = Fields()
    # version 1: URL IP date type length; version 2: URL IP date type result checksum location offset file length
    dated = [n for n, part in enumerate(parts[1:-1], 1) if _DATE_FIELD.fullmatch(part)]
    for from_end, tail in ((8, 6), (3, 1)):
        at = len(parts) - from_end
        if at > 1 and dated == [at]:
            fields["date"], fields["ip"] = parts[at], parts[at - 1]
            fields["content-type"] = parts[-tail - 1]
            fields["uri"] = " ".join(parts[: at - 1])
            return fields, length
    if dated:  # fields that are swapped or missing, or several that look like dates: the latest claims least
        at = max(dated, key=lambda n: parts[n])
        fields["date"] = parts[at]
        fields["uri"] = " ".join(parts[: max(dated[0] - 1, 1)])
    else:
        fields["date"] = parts[2] if len(parts) > 2 else ""
        fields["uri"] = parts[0]
    return fields, length

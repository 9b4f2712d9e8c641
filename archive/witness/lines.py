"""The lines of indexes of web archives: CDX, CDXJ, and what index servers answer.

Each line states that somebody holds a capture: its URL, its time, and the digest of its payload. The forms are

- CDX of any columns with a header (` CDX N b a m s k r M S V g`, IIPC's CDX 2015), or of 7, 9, 10 or 11 without one:
  those of the Wayback Machine's server, of wayback and of pywb;
- CDXJ (`surt timestamp {json}`): pywb, OpenWayback, and the indexes of Common Crawl since 2013;
- the JSON of index servers: an object on each line (pywb, Common Crawl), or lists whose first names the columns
  (Wayback Machine), on one line or on several.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from archive.dates import Interval, interval
from archive.evidence.operators import COMMON_CRAWL, is_common_crawl
from archive.records import digest as digests

#: Bytes of the longest line that is read.
MAX_LINE = 4 << 20
#: Why a line is no witness, and no fault either.
HEADER, NO_DIGEST, WEAK_DIGEST = "index-header", "no-digest", "weak-digest"

#: Letters of the header of a CDX file -> what they stand for here.
_LETTERS = {"b": "timestamp", "a": "url", "m": "mime", "s": "status", "k": "digest", "g": "filename"}
_HEADER = re.compile(r"(.)CDX((?:\1[A-Za-z])+)\s*")
#: The columns of files without a header, by their number.
_BY_COUNT = {
    7: "N b a m s k S",
    9: "N b a m s k r V g",
    10: "N b a m s k r M V g",
    11: "N b a m s k r M S V g",
}
#: The names of servers and of CDXJ -> ours.
_NAMES = {
    "timestamp": "timestamp",
    "url": "url",
    "original": "url",
    "uri": "url",
    "mime": "mime",
    "mimetype": "mime",
    "status": "status",
    "statuscode": "status",
    "digest": "digest",
    "sha": "digest",
    "filename": "filename",
}
_SERVER = ("urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length")
_SHA1 = re.compile(r"[A-Z2-7]{32}")
_NOTHING = re.compile(r"-?|0+|A+|null|none", re.I)
_HEX_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_BASE32_LENGTHS = {"sha1": 32, "sha256": 52, "sha512": 103}


@dataclass(frozen=True, slots=True)
class IndexLine:
    """What a line states of a capture."""

    url: str | None
    at: Interval  #: both ends are known
    digest: str  #: as `archive.records.digest.compute` writes one
    mime: str | None = None
    status: int | None = None
    filename: str | None = None  #: the file of the holder that has the record

    @property
    def holder(self) -> str | None:
        """Who holds the capture, where the line names one of Common Crawl's files."""
        return COMMON_CRAWL if is_common_crawl(self.filename) else None


@dataclass(frozen=True, slots=True)
class NoWitness:
    """A line that states no capture with a digest: `kind` is `index-header`, `no-digest` or `weak-digest`."""

    kind: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be read, and why."""

    detail: str
    url: str | None = None
    date: str | None = None


Parsed = IndexLine | NoWitness | BadLine

#: The start of a line of CDXJ, and the digest in it; and a line of CDX. In a string of JSON a quote has a backslash in
#: front, so that this name is in none.
_CDXJ, _NAME, _VALUE = re.compile(rb"\S+ \d{14} \{"), b' "digest": "', re.compile(rb'(?:sha1:)?([A-Z2-7]{32})"')
_CDX = re.compile(rb"\S+ \d{14} \S+ \S+ \S+ ([A-Z2-7]{32}) \S+(?: \S+ \S+(?: \S+ \S+)?)?\r?\n?")
#: The first columns of nearly all files of CDX.
_USUAL = ["N", "b", "a", "m", "s", "k"]


@dataclass(frozen=True, slots=True)
class Glance:
    """A line of which only the digest was read."""

    digest: str
    letters: Sequence[str] | None  #: as the header in front of it names its columns

    def read(self, data: bytes) -> Parsed:
        """Read the rest of the line."""
        (parsed,) = IndexParser(self.letters).parse(data)
        return parsed


class IndexParser:
    """Reads the lines of one index. It remembers the columns that a header names."""

    def __init__(self, letters: Sequence[str] | None = None) -> None:
        self._letters = letters
        self._delimiter = " "
        self._names: Sequence[str] = _SERVER

    def glance(self, data: bytes) -> Glance | None:
        """Read only the digest of a line of a common form; None where all of the line must be read.

        Hardly any line of a large index has a digest of the lake, and to read all of it takes four times as long.
        """
        if _CDXJ.match(data):
            at = data.find(_NAME)
            found = _VALUE.match(data, at + len(_NAME)) if at >= 0 and data.rstrip().endswith(b"}") else None
        elif self._letters is None or self._is_usual(data):
            found = _CDX.fullmatch(data)
        else:
            found = None
        return Glance(f"sha1:{found[1].decode()}", self._letters) if found else None

    def _is_usual(self, data: bytes) -> bool:
        """Return whether a line has the columns that the header names, in the usual order."""
        letters = self._letters or ()
        return letters[:6] == _USUAL and self._delimiter == " " and data.count(b" ") == len(letters) - 1

    def parse(self, data: bytes) -> Iterator[Parsed]:
        """Yield what a line states: mostly one capture; several where an answer of JSON is all on one line."""
        raw = data.decode("utf-8-sig", "replace").rstrip("\r\n")
        text = raw.strip()
        if header := _HEADER.fullmatch(raw):
            self._delimiter, self._letters = header[1], header[2].split(header[1])[1:]
            yield NoWitness(HEADER)
        elif text[:1] in {"!", "@"}:  # CDXJ's own statements about the file
            yield NoWitness(HEADER)
        elif text[:1] == "[":
            yield from self._lists(text)
        elif text in {"]", "]]"}:
            yield NoWitness(HEADER)
        elif text[:1] == "{":
            yield _of_json(text, None)
        else:
            yield self._of_columns(text)

    def _of_columns(self, text: str) -> Parsed:
        parts = text.split(" ", 2)
        if len(parts) == 3 and parts[2].lstrip().startswith("{"):
            return _of_json(parts[2], parts[1])
        values = text.split(self._delimiter)
        letters = self._letters
        if letters is None or len(letters) != len(values):
            if letters is not None or len(values) not in _BY_COUNT:
                return BadLine(f"{len(values)} columns" + (f", the header names {len(letters)}" if letters else ""))
            letters = _BY_COUNT[len(values)].split()
        fields = {_LETTERS[letter]: value for letter, value in zip(letters, values, strict=True) if letter in _LETTERS}
        if "timestamp" not in fields or "digest" not in fields:
            return BadLine("the header names no column of dates (b), or of digests (k)")
        return _line(fields)

    def _lists(self, text: str) -> Iterator[Parsed]:
        """Read a list, or part of a list of lists that has one on each line."""
        text = text.rstrip(",")
        for candidate in (text, text[1:], text[:-1], text[1:-1]):
            try:
                value = json.loads(candidate)
            except (ValueError, RecursionError):
                continue
            break
        else:
            yield BadLine("a list that is no JSON")
            return
        rows = value if value and all(isinstance(each, list) for each in value) else [value]
        for row in rows:
            if not row:
                yield NoWitness(HEADER)
            elif not all(isinstance(each, str) for each in row):
                yield BadLine("a list of something else than strings")
            elif "timestamp" in row and "digest" in row:
                self._names = row
                yield NoWitness(HEADER)
            elif len(row) != len(self._names):
                yield BadLine(f"{len(row)} columns, not {len(self._names)}")
            else:
                yield _line(_renamed(dict(zip(self._names, row, strict=True))))


def _of_json(text: str, timestamp: str | None) -> Parsed:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return BadLine(f"no JSON: {str(error)[:100]}")
    if not isinstance(value, dict):
        return BadLine("no JSON object")
    fields = _renamed(value)
    if timestamp is not None:
        fields["timestamp"] = timestamp
    if "timestamp" not in fields:
        return BadLine("no timestamp")
    return _line(fields)


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {_NAMES[name]: value for name, value in reversed(fields.items()) if name in _NAMES}


def _line(fields: dict[str, Any]) -> Parsed:
    url, stamp, stated = (_text(fields.get(name)) for name in ("url", "timestamp", "digest"))
    at = interval(stamp)
    if at.start is None or at.end is None:
        return BadLine(f"no date: {(stamp or '')[:100]!r}", url, stamp)
    if stated is None or _NOTHING.fullmatch(stated):
        return NoWitness(NO_DIGEST)
    digest = normal_digest(stated)
    if digest is None:
        return BadLine(f"no digest: {stated[:100]!r}", url, stamp)
    if digest.startswith(digests.WEAK):
        return NoWitness(WEAK_DIGEST)
    status = _text(fields.get("status")) or ""
    return IndexLine(
        url,
        at,
        digest,
        _text(fields.get("mime")),
        int(status) if len(status) == 3 and status.isascii() and status.isdigit() else None,
        _text(fields.get("filename")),
    )


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value not in {"", "-"} else None


def normal_digest(stated: str) -> str | None:
    """Return the digest of an index as the lake writes one; None where it is none.

    Indexes leave out the algorithm: 32 letters of base32 are SHA-1, and hexadecimal tells it by its length.

    >>> normal_digest("B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A")
    'sha1:B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A'
    >>> normal_digest("0e973b59f476007fd10f87f347c3956065516fc0")
    'sha1:B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A'
    """
    stated = stated.strip()
    if _SHA1.fullmatch(stated):
        return f"sha1:{stated}"
    if ":" not in stated:
        algorithm = _HEX_ALGORITHMS.get(len(stated)) if re.fullmatch(r"[0-9a-fA-F]+", stated) else None
        stated = f"{algorithm or 'sha1'}:{stated}"
    found = digests.normal_form(stated)
    if found is None or found.startswith("md5:"):
        return found
    algorithm, _, value = found.partition(":")
    if len(value) != _BASE32_LENGTHS[algorithm]:
        return None
    try:
        base64.b32decode(value + "=" * (-len(value) % 8))
    except ValueError:
        return None
    return found


def is_index(data: bytes) -> bool:
    """Return whether some decompressed bytes from the start of a file are those of an index.

    One of its first lines must state a capture, or be a header of CDX.
    """
    parser = IndexParser()
    lines = data.split(b"\n")
    ended = lines if len(lines) == 1 else lines[:-1]
    for line in [line for line in ended if line.strip()][:20]:
        if any(shows_index(each, line) for each in parser.parse(line)):
            return True
    return False


def shows_index(parsed: Parsed, line: bytes) -> bool:
    """Return whether only an index has such a line."""
    if isinstance(parsed, IndexLine):
        return True
    if isinstance(parsed, BadLine):
        return False
    start = line.lstrip(b"\xef\xbb\xbf")
    return parsed != NoWitness(HEADER) or b"CDX" in start[:20] or b'"urlkey"' in start[:200]

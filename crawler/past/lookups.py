"""What a web archive answers to the question which mementos it has: CDX lines, and links (Memento, RFC 7089)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_NAMES = {"original": "url", "mimetype": "mime", "statuscode": "status"}
_LINK = re.compile(r"""<([^<>\s]+)>((?:\s*;\s*[\w-]+\s*=\s*(?:"[^"]*"|[^\s",;]+))*)""")
#: The one form of RFC 7089 (2.1.1.1), which is that of RFC 1123. A reader that is more lenient takes the first of two
#: dates, or a zone that it does not know for GMT.
_DATE = re.compile(r"[A-Za-z]{3}, (\d\d [A-Za-z]{3} \d{4} \d\d:\d\d:\d\d) GMT", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PARAMETER = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s",;]+))""")


#: What the JSON of somebody else may raise: no JSON, or nested too deeply.
_UNREADABLE = (ValueError, RecursionError)


@dataclass(slots=True)
class Line:
    """A capture that a CDX API names."""

    url: str
    stamp: str
    mime: str
    status: str
    digest: str  #: as it is stated; empty where none is
    text: str  #: as it came, in one line


@dataclass(slots=True)
class Lines:
    """An answer of a CDX API."""

    lines: list[Line] = field(default_factory=list)
    resume: str = ""  #: the key behind which the next answer begins
    cut: bool = False  #: it ends too early, or cannot be read


def lines_of(body: bytes) -> Lines:
    """Read an answer in JSON: an array of rows below their names (Wayback), or an object a line (pywb).

    >>> found = lines_of(b'[["timestamp","original"],["20190501000000","http://example.com/"],[],["com,example)/ 1"]]')
    >>> found.lines[0].url, found.resume
    ('http://example.com/', 'com,example)/ 1')
    """
    text = body.decode("utf-8", "replace").strip()
    if text.startswith("["):
        try:
            return _of_rows(json.loads(text))
        except _UNREADABLE:
            return Lines(cut=True)
    found = Lines()
    for line in text.splitlines():
        try:
            _add(found, json.loads(line), line)
        except _UNREADABLE:
            found.cut = True
    return found


def _of_rows(rows: list[Any]) -> Lines:
    found = Lines()
    if not all(isinstance(row, list) for row in rows) or not all(isinstance(name, str) for name in (rows or [[]])[0]):
        raise ValueError("no rows")
    if len(rows) > 2 and not rows[-2] and len(rows[-1]) == 1:
        found.resume = str(rows[-1][0])
        rows = rows[:-2]
    for row in rows[1:]:
        if row:
            _add(found, dict(zip(rows[0], row, strict=False)), json.dumps(row))
    return found


def _add(found: Lines, fields: Any, text: str) -> None:
    if not isinstance(fields, dict):
        raise ValueError("no object")
    named = {_NAMES.get(str(name), str(name)): str(value) for name, value in fields.items()}
    if not named.get("url") or not named.get("timestamp"):  # an error in JSON, or a row that lacks something
        found.cut = True
        return
    mime, status, digest = named.get("mime", ""), named.get("status", "-"), named.get("digest", "")
    found.lines.append(Line(named["url"], named["timestamp"], mime, status, digest, text))


@dataclass(slots=True)
class Link:
    """A link with its relations."""

    url: str
    relations: frozenset[str]
    at: datetime | None  #: of a memento


def links_in(text: str) -> Iterator[Link]:
    """Yield the links of a Link header, or of a TimeMap (RFC 6690, RFC 7089).

    >>> [each.url for each in links_in('<http://a/>; rel="first memento"; datetime="Mon, 01 Jan 2018 00:00:00 GMT"')]
    ['http://a/']
    """
    for found in _LINK.finditer(text):
        parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(found[2])}
        yield Link(
            found[1], frozenset(parameters.get("rel", "").lower().split()), http_date(parameters.get("datetime"))
        )


def http_date(text: str | None) -> datetime | None:
    """Return a date of HTTP, in UTC; None where it is none, or in any other form than that of RFC 7089.

    >>> http_date("Wed, 01 May 2019 00:00:00 GMT").isoformat(), http_date("Wed, 01 May 2019 00:00:00 PST")
    ('2019-05-01T00:00:00+00:00', None)
    """
    found = _DATE.fullmatch((text or "").strip(" \t"))
    if found is None:
        return None
    day, month, year, time = found[1].split(" ")
    hour, minute, second = map(int, time.split(":"))
    try:
        number = _MONTHS.index(month.lower()) + 1
        return datetime(int(year), number, int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None

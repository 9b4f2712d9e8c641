"""What a web archive answers to the question which mementos it has: CDX lines, and links (Memento, RFC 7089)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_NAMES = {"original": "url", "mimetype": "mime", "statuscode": "status"}
_LINK = re.compile(r"""<([^<>\s]+)>((?:\s*;\s*[\w-]+\s*=\s*(?:"[^"]*"|[^\s",;]+))*)""")
_PARAMETER = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s",;]+))""")


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
        except ValueError:
            return Lines(cut=True)
    found = Lines()
    for line in text.splitlines():
        try:
            _add(found, json.loads(line), line)
        except ValueError:
            found.cut = True
    return found


def _of_rows(rows: list[Any]) -> Lines:
    found = Lines()
    if not all(isinstance(row, list) for row in rows):
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
    if named.get("url") and named.get("timestamp"):
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
    """Return a date of HTTP, in UTC; None where it is none."""
    try:
        at = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

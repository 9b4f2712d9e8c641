"""Rows of data sets with a column of text (or HTML) and a column of dates.

The columns of Dolma, C4, FineWeb, CmonCrawl and of tables with WARC header names are known by their names. `Columns`
names any others. A date in any further column counts too: it may say that the row is younger than it seems.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from math import frexp
from struct import pack, unpack
from typing import Any

import pyarrow as pa

from archive.reasons import DATE_PROBLEMS

TEXT = ("text", "content", "raw_content", "raw_text")
HTML = ("html", "raw_html")
DATE = (
    "date",  # FineWeb, RedPajama
    "domain_record.timestamp",  # CmonCrawl
    "timestamp",  # C4
    "warc_date",
    "WARC-Date",
    "date_download",  # CCNet
    "metadata.date_download",  # Dolma made of CCNet
    "metadata.WARC-Date",
    "metadata.warc_date",
    "metadata.date",  # datatrove
    "metadata.timestamp",
    "meta.timestamp",  # RedPajama
    "warc_headers.warc-date",  # OSCAR …
    "meta.warc_headers.warc-date",
    "meta.headers.warc-date",
    "ts",  # HPLT
    "created",  # Dolma: when the page was captured …
    "added",  # … and when it was added to the data set
    "crawl_date",
    "metadata.crawl_date",
    "fetch_time",
    "metadata.fetch_time",
    "captured_at",  # exports of this project
)
URL = (
    "url",
    "domain_record.url",
    "metadata.url",
    "WARC-Target-URI",
    "metadata.WARC-Target-URI",
    "meta.url",
    "warc_headers.warc-target-uri",
    "meta.warc_headers.warc-target-uri",
    "meta.headers.warc-target-uri",
    "uri",
    "source_url",
    "u",  # HPLT
)
_CRAWL = (
    "dump",
    "file_path",
    "domain_record.filename",
    "metadata.cc_segment",
    "filename",
    "metadata.dump",
    "metadata.file_path",
    "collection",  # HPLT
)
#: Columns of which data sets write the inner ones as JSON.
_JSON = ("metadata", "meta", "warc_headers", "domain_record")
_TYPE = ("WARC-Identified-Payload-Type", "mime", "content_type")

#: What the names of columns with a date end with: `retrieved`, `scraped_at`, `download_date`, `lastModified`,
#: `crawldate`, `lastmod`, `date2`, `fetched at (UTC)`.
_DATE_NAME = re.compile(
    r"(?:^|[^a-z])(?:(?:last|crawl|fetch|scrap|creat|updat|modif|publish|pub|post|download|access|captur|archiv)?"
    r"(?:e|y|ed|ied|ion)?(?:date|dates|datetime|time|timestamp)|(?:date)?(?:created|modified|updated|published)|lastmod|"
    r"at|on|added|retrieved|fetched|crawled|"
    r"fetch|crawl|scraped|downloaded|captured|archived|accessed|collected|ingested|visited|harvested|posted|"
    r"seen|edited|revised|last[^a-z]?edit)(?:[^a-z]+(?:utc|gmt|iso|epoch|unix|s|ms|us|ns))?[^a-z]*$",
    re.I,
)
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONGEST_DATE = 40
#: How deep columns are inside of columns, at most, where a date is looked for.
_DEEPEST = 3
#: Numbers that are no date beyond any doubt are not written out.
_LEAST, _MOST = -(1 << 63), 1 << 63
#: The names in which MongoDB writes a date.
_MONGO = frozenset({"$date", "$numberLong"})
#: Bytes of JSON in a column that are read, at most.
_LONGEST_JSON = 1 << 20
#: What a number must be to count as a date in a further column: seconds since 1970, from 1991 on.
_SECONDS = range(662_688_000, 1 << 32)
_UNITS = (1, 1000, 1_000_000, 1_000_000_000)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that the user named; dots reach into nested ones. None: the first known name that the row has.

    Of dates there may be several, and all count: a column that the user names is read besides the known ones.
    """

    text: str | None = None
    html: str | None = None
    date: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a data set. `problem` is set where it cannot be used."""

    offset: int  #: in bytes, of the line or of its compressed member; for Parquet the number of the row
    skip: int
    length: int | None
    url: str = ""
    date: str | None = None
    text: str | None = None
    html: str | None = None
    body: bytes | None = None  #: in place of text or HTML, bytes that are not UTF-8 …
    body_type: str = ""  #: … and the media type that they have by their column
    mime: str = ""
    dates: tuple[tuple[str, str], ...] = ()  #: each column that is known to hold a date, and what it says
    further: tuple[tuple[str, str], ...] = ()  #: what may be dates in columns that are not known
    claims: tuple[tuple[str, str, str], ...] = ()  #: of an export of this project: kind, instant or `unreadable`, word
    doubt: str | None = None  #: why its date proves nothing, as the row itself states
    crawls: tuple[str, ...] = ()  #: names that may contain that of the crawl
    repeated: bool = False  #: it has two values for one column
    problem: str | None = None
    detail: str = ""
    columns: str = ""  #: the names of its columns, where it lacks a text or a date
    values: Mapping[str, Any] | None = None  #: all its columns, from `Reader.find`


def lookup(row: Mapping[str, Any], name: str) -> Any:
    """Return the value of a column; dots reach into nested ones. None where the row lacks the column."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


class Repeating(dict[str, Any]):
    """A row that states two values for one column; the last one is here."""


def _all(row: Mapping[str, Any], names: tuple[str, ...]) -> list[tuple[str, Any]]:
    return [(name, value) for name in names if (value := lookup(row, name)) not in (None, "")]


def is_repeating(row: Mapping[str, Any]) -> bool:
    """Return whether a row, or an object in it that the name of a column reaches, states two values for one name."""
    held = [row]
    while held:
        each = held.pop()
        if isinstance(each, Repeating):
            return True
        held += [value for value in each.values() if isinstance(value, Mapping)]
    return False


def _first(row: Mapping[str, Any], chosen: str | None, known: tuple[str, ...]) -> Any:
    for name in (chosen,) if chosen else known:
        if (value := lookup(row, name)) not in (None, ""):
            return value
    return None


def _as_date(value: Any) -> str | None:
    """Return a date value as a string, and a number as its digits. None for nothing."""
    if isinstance(value, Mapping) and len(value) == 1 and _MONGO.issuperset(value):
        return _as_date(next(iter(value.values())))
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return f"a bool: {value}"
    if isinstance(value, int | float | Decimal):
        if value != value:  # not a number: what a table has for nothing
            return None
        value = _late_end(value)
        return str(int(value)) if _LEAST < value < _MOST and value == int(value) else str(value)
    if isinstance(value, str):
        return value
    return None if value is None else f"a {type(value).__name__}: {str(value)[:40]}"


def further_dates(
    row: Mapping[str, Any], known: set[str], above: str = "", depth: int = 1
) -> Iterator[tuple[str, str]]:
    """Yield what may be dates in columns that are not known: in those with such a name, and those of that type.

    A number counts as seconds since 1970, or as thousandths, millionths or billionths of them; one of 8 or 14 digits
    as the digits of a date.

    Args:
        known: names of columns that are read otherwise.
    """
    for key, value in row.items():
        name = f"{above}{key}"
        if value is None or name in known:
            continue
        if isinstance(value, date):
            yield name, value.isoformat()
        elif isinstance(value, Mapping) and not (len(value) == 1 and _MONGO.issuperset(value)):
            if depth < _DEEPEST:
                yield from further_dates(value, known, f"{name}.", depth + 1)
        elif _is_date_name(name):
            if isinstance(value, int | float | Decimal) and (at := _since_1970(value)):
                yield name, at
            elif isinstance(raw := _as_date(value) if isinstance(value, Mapping) else value, str):
                if 4 <= len(raw) <= _LONGEST_DATE:
                    yield name, raw
            elif isinstance(value, int | float | Decimal) and len(digits := _as_date(value) or "") in {8, 14}:
                yield name, digits


@lru_cache(maxsize=4096)
def _is_date_name(name: str) -> bool:
    return _DATE_NAME.search(_WORD.sub("_", name)) is not None


def _since_1970(value: float | Decimal) -> str | None:
    if not 0 < value < 1 << 63:
        return None
    units = (int(_late_end(value)) // unit for unit in _UNITS)
    return next((datetime.fromtimestamp(each + 1, UTC).isoformat() for each in units if each in _SECONDS), None)


def _late_end(value: float | Decimal) -> float | Decimal:
    """Return the last moment since 1970 that a float may mean, which may have been rounded to single precision.

    A column of 32 bits keeps the seconds of today to the next multiple of 128.
    """
    if not isinstance(value, float) or not 0 < value < 1 << 63:
        return value
    if not any(int(value) // unit in _SECONDS for unit in _UNITS) or unpack("f", pack("f", value))[0] != value:
        return value
    _, exponent = frexp(value)
    return value + 2.0 ** (exponent - 25)


def opened(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of which the columns that hold JSON by their names are read, so that names reach into them."""
    for name in _JSON:
        value = row.get(name)
        if isinstance(value, str) and value.lstrip()[:1] == "{" and len(value) <= _LONGEST_JSON:
            try:
                inner = json.loads(value, object_pairs_hook=object_of)
            except (ValueError, RecursionError):
                continue
            row[name] = inner
    return row


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make the object of its fields. JSON allows a name twice; which value counts differs between readers."""
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else Repeating(fields)


def _is_exported(row: Mapping[str, Any]) -> bool:
    """Return whether a row has the columns of an export of this project."""
    return {"content_id", "captured_at", "evidence", "file"} <= row.keys()


def _claims_of(row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the claims of an exported row, which has them as `warc-date 2015-05-06T07:08:09Z agrees`."""
    evidence = row.get("evidence")
    for claim in evidence if isinstance(evidence, list) else ():
        if isinstance(claim, str) and len(parts := claim.split(" ")) in {2, 3}:
            yield parts[0], parts[1], "".join(parts[2:])


def _doubt_of(row: Mapping[str, Any]) -> str | None:
    """Return the problem that a row has by its own words: those of the table `captures` of a lake, or of an export."""
    problem = row.get("date_problem")
    if isinstance(problem, str) and problem in DATE_PROBLEMS:
        return problem
    return "conflict" if _is_exported(row) and row.get("grade") == "X" else None


def text_columns(columns: Columns) -> list[str]:
    """Return the outermost columns that may contain a text."""
    names = (columns.text,) if columns.text else TEXT
    return list(dict.fromkeys(part for name in names for part in (name, name.partition(".")[0])))


def text_of(row: Mapping[str, Any], columns: Columns) -> str | None:
    """Return the plain text of a row; empty where its column is empty, None where there is no column of text."""
    text = _first(row, columns.text, TEXT)
    if text is None and any(_has(row, name) for name in ((columns.text,) if columns.text else TEXT)):
        return ""
    return text if isinstance(text, str) else None


def row_of(row: Mapping[str, Any], columns: Columns, offset: int, skip: int, length: int | None) -> Row:
    """Return what an ingest takes from a row, with the row's address in the file."""
    html = _first(row, columns.html, HTML) if not columns.text else None
    text = _first(row, columns.text, TEXT) if not columns.html else None
    problem = detail = body_type = ""
    body = None
    if isinstance(text, bytes) or (text is None and isinstance(html, bytes)):
        body, body_type = (html, "text/html") if text is None else (text, "text/plain")
        text = html = ""
    if not isinstance(text, str | None) or not isinstance(html, str | None):
        problem, detail = "no-text-column", "the text is not a string"
        text = html = None
    elif text is None and html is None:
        known = any(_has(row, name) for name in (columns.text or columns.html,) if name) or (
            not (columns.text or columns.html) and any(_has(row, name) for name in TEXT + HTML)
        )
        problem = "empty-text" if known else "no-text-column"
        detail = "" if known else f"columns: {names_of(row)}"
    names = (columns.date, *DATE) if columns.date and columns.date not in DATE else DATE
    stated = [(name, raw) for name, value in _all(row, names) if (raw := _as_date(value)) is not None]
    first = next((raw for name, raw in stated if name == columns.date), None)
    date = first or (stated[0][1] if stated else None)
    own = _is_exported(row)
    others = {
        *names,
        *_TYPE,
        *((columns.text,) if columns.text else TEXT),
        *((columns.html,) if columns.html else HTML),
    }
    return Row(
        offset,
        skip,
        length,
        url=str(_first(row, columns.url, URL) or ""),
        date=date,
        text=text,
        html=html if text is None else None,
        body=body,
        body_type=body_type,
        mime=str(_first(row, None, _TYPE) or ""),
        dates=tuple(stated),
        further=tuple(further_dates(row, others)),
        claims=tuple(_claims_of(row)) if own else (),
        doubt=_doubt_of(row),
        crawls=tuple(value for _, value in _all(row, (*_CRAWL, "file") if own else _CRAWL) if isinstance(value, str)),
        repeated=is_repeating(row),
        problem=problem or None,
        detail=detail,
        columns=names_of(row) if date is None or problem == "no-text-column" else "",
    )


def names_of(row: Mapping[str, Any]) -> str:
    """Return the names of a row's columns, at most twenty, with commas."""
    names = [str(name) for name in row]
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")


def column_names(row: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the names of a row's columns, `a.b` for one inside of another."""
    for name, value in row.items():
        yield f"{above}{name}"
        if isinstance(value, Mapping):
            yield from column_names(value, f"{above}{name}.")


def _has(row: Mapping[str, Any], name: str) -> bool:
    if name in row:
        return True
    head, dot, tail = name.partition(".")
    return bool(dot) and isinstance(row.get(head), Mapping) and _has(row[head], tail)


def known_columns(schema: pa.Schema, columns: Columns) -> list[str]:
    """Return the outermost columns of a table that `row_of` may use; at least one."""
    chosen = {name for name in (columns.text, columns.html, columns.date, columns.url) if name}
    known = chosen | set(TEXT + HTML + DATE + URL + _CRAWL + _TYPE) | {"date_problem"}
    if _is_exported(dict.fromkeys(schema.names)):
        known |= {"content_id", "evidence", "file", "grade"}
    heads = {name.partition(".")[0] for name in known}
    return [
        field.name for field in schema if field.name in known or field.name in heads or _may_hold_dates(field)
    ] or schema.names[:1]


def _may_hold_dates(field: pa.Field) -> bool:
    types = pa.types
    if types.is_struct(field.type):
        return True
    return types.is_temporal(field.type) or _is_date_name(field.name)

"""Rows of data sets with a column of text (or HTML) and a column of dates.

The columns of Dolma, C4, FineWeb, CmonCrawl and of tables with WARC header names are known by their names. `Columns`
names any others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

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
    "created",  # Dolma: when the page was captured …
    "added",  # … and when it was added to the data set
    "crawl_date",
    "metadata.crawl_date",
    "fetch_time",
    "metadata.fetch_time",
    "captured_at",  # exports of this project
)
URL = ("url", "domain_record.url", "metadata.url", "WARC-Target-URI", "metadata.WARC-Target-URI", "uri", "source_url")
_CRAWL = ("dump", "file_path", "domain_record.filename", "metadata.cc_segment", "filename", "metadata.dump")
_TYPE = ("WARC-Identified-Payload-Type", "mime", "content_type")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that the user named; dots reach into nested ones. None: the first known name that the row has."""

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
    mime: str = ""
    dates: tuple[tuple[str, str], ...] = ()  #: each column with a date, and what it says
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


def _is_repeating(row: Mapping[str, Any]) -> bool:
    return isinstance(row, Repeating) or any(type(value) is Repeating for value in row.values())


def _first(row: Mapping[str, Any], chosen: str | None, known: tuple[str, ...]) -> Any:
    for name in (chosen,) if chosen else known:
        if (value := lookup(row, name)) not in (None, ""):
            return value
    return None


def _as_date(value: Any) -> str | None:
    """Return a date value as a string. A number is no date: it may be seconds, milliseconds or a year."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    return None if value is None else f"a {type(value).__name__}: {str(value)[:40]}"


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
    problem = detail = ""
    if not isinstance(text, str | None) or not isinstance(html, str | None):
        problem, detail = "no-text-column", "the text is not a string"
        text = html = None
    elif text is None and html is None:
        known = any(_has(row, name) for name in (columns.text or columns.html,) if name) or (
            not (columns.text or columns.html) and any(_has(row, name) for name in TEXT + HTML)
        )
        problem = "empty-text" if known else "no-text-column"
        detail = "" if known else f"columns: {names_of(row)}"
    stated = _all(row, (columns.date,) if columns.date else DATE)
    dates = [(name, raw) for name, value in stated if (raw := _as_date(value)) is not None]
    date = dates[0][1] if dates else None
    return Row(
        offset,
        skip,
        length,
        url=str(_first(row, columns.url, URL) or ""),
        date=date,
        text=text,
        html=html if text is None else None,
        mime=str(_first(row, None, _TYPE) or ""),
        dates=tuple(dates),
        crawls=tuple(value for _, value in _all(row, _CRAWL) if isinstance(value, str)),
        repeated=_is_repeating(row),
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
    known = chosen | set(TEXT + HTML + DATE + URL + _CRAWL + _TYPE)
    heads = {name.partition(".")[0] for name in known}
    return [name for name in schema.names if name in known or name in heads] or schema.names[:1]

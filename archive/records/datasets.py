"""Text data sets as sources: JSON lines and Parquet with a text (or HTML) and a date column.

The columns of Dolma, C4, FineWeb, CmonCrawl and of tables with WARC header names are known; others
are named by `Columns`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of

PARQUET_MAGIC = b"PAR1"

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
    "created",  # Dolma
    "crawl_date",
    "captured_at",  # exports of this project
)
URL = ("url", "domain_record.url", "metadata.url", "WARC-Target-URI", "metadata.WARC-Target-URI", "uri", "source_url")
_CRAWL = ("dump", "file_path", "domain_record.filename", "metadata.cc_segment", "filename", "metadata.dump")
_TYPE = ("WARC-Identified-Payload-Type", "mime", "content_type")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what; dots reach into nested ones. None means: whichever known name is there."""

    text: str | None = None
    html: str | None = None
    date: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a data set. `problem` is set where it cannot be used."""

    offset: int  #: of the line (or its compressed member) in bytes; for Parquet the number of the row
    skip: int
    length: int | None
    url: str = ""
    date: str | None = None
    text: str | None = None
    html: str | None = None
    mime: str = ""
    crawl: str | None = None  #: a name that may name the crawl
    problem: str | None = None
    detail: str = ""
    columns: str = ""  #: the names of its columns, where its text or its date was not found


def lookup(row: Mapping[str, Any], name: str) -> Any:
    """The value of a column; dots reach into nested ones. None where there is none."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _first(row: Mapping[str, Any], chosen: str | None, known: tuple[str, ...]) -> Any:
    for name in (chosen,) if chosen else known:
        if (value := lookup(row, name)) not in (None, ""):
            return value
    return None


def _as_date(value: Any) -> str | None:
    """A date value as a date string. Numbers are not dates: seconds, milliseconds or a year, nobody knows."""
    if isinstance(value, datetime):
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    return None if value is None else f"a {type(value).__name__}: {str(value)[:40]}"


def text_columns(columns: Columns) -> list[str]:
    """The outermost columns in which a text may stand."""
    names = (columns.text,) if columns.text else TEXT
    return list(dict.fromkeys(part for name in names for part in (name, name.partition(".")[0])))


def text_of(row: Mapping[str, Any], columns: Columns) -> str | None:
    """The plain text of a row, empty where its column holds nothing; None where there is no such column of text."""
    text = _first(row, columns.text, TEXT)
    if text is None and any(_has(row, name) for name in ((columns.text,) if columns.text else TEXT)):
        return ""
    return text if isinstance(text, str) else None


def row_of(row: Mapping[str, Any], columns: Columns, offset: int, skip: int, length: int | None) -> Row:
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
    crawl = _first(row, None, _CRAWL)
    date = _as_date(_first(row, columns.date, DATE))
    return Row(
        offset,
        skip,
        length,
        url=str(_first(row, columns.url, URL) or ""),
        date=date,
        text=text,
        html=html if text is None else None,
        mime=str(_first(row, None, _TYPE) or ""),
        crawl=crawl if isinstance(crawl, str) else None,
        problem=problem or None,
        detail=detail,
        columns=names_of(row) if date is None or problem == "no-text-column" else "",
    )


def names_of(row: Mapping[str, Any]) -> str:
    """The names of a row's columns, at most twenty."""
    names = [str(name) for name in row]
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")


def _has(row: Mapping[str, Any], name: str) -> bool:
    if name in row:
        return True
    head, dot, tail = name.partition(".")
    return bool(dot) and isinstance(row.get(head), Mapping) and _has(row[head], tail)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a JSON lines file with its line end, or what stands in the way of one."""

    offset: int
    skip: int
    length: int | None
    data: bytes = b""
    problem: str | None = None
    detail: str = ""


def read_lines(file: BinaryIO, max_line: int, start: int = 0) -> Iterator[Line]:
    """The lines of a file from a line or member on, plain, gzip, zstd or lz4, without blank ones."""
    file.seek(0)
    members = Members(file, compression_of(file.read(8)), start, lambda data: data.lstrip().startswith(b"{"))
    cursor = Cursor(members)
    while True:
        offset, skip = cursor.address() if cursor.fill(1) else (0, 0)
        if not cursor.available():
            fault = members.fault
            if fault is None:
                return
            yield Line(fault.member, 0, None, problem=fault.reason, detail=fault.detail)
            if not cursor.resync():
                return
            continue
        end = cursor.find(b"\n", max_line)
        if end < 0 and cursor.available() >= max_line:
            size = _skip_line(cursor)
            yield Line(offset, skip, None, problem="too-large", detail=f"a line of {size} bytes")
            continue
        line = cursor.take(end + 1 if end >= 0 else cursor.available())
        if line.strip(b" \t\r\n\0\xef\xbb\xbf"):
            yield Line(offset, skip, len(line) if not members.compression else None, line)


def read_jsonl(file: BinaryIO, columns: Columns, max_line: int) -> Iterator[Row]:
    """The rows of a JSON lines file, plain, gzip, zstd or lz4."""
    for line in read_lines(file, max_line):
        if line.problem:
            yield Row(line.offset, line.skip, line.length, problem=line.problem, detail=line.detail)
        else:
            yield _parse_line(line.data, columns, line.offset, line.skip, line.length)


def _skip_line(cursor: Cursor) -> int:
    size = 0
    while cursor.fill(1):
        end = cursor.find(b"\n", 1 << 20)
        step = end + 1 if end >= 0 else min(cursor.available(), 1 << 20)
        size += cursor.skip(step)
        if end >= 0:
            break
    return size


def _parse_line(line: bytes, columns: Columns, offset: int, skip: int, length: int | None) -> Row:
    row = parsed(line)
    if isinstance(row, str):
        return Row(offset, skip, length, problem="bad-row", detail=row)
    return row_of(row, columns, offset, skip, length)


def parsed(line: bytes) -> dict[str, Any] | str:
    """The object of a line of JSON, or what is wrong with the line."""
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return str(error)[:200]
    return value if isinstance(value, dict) else f"a JSON {type(value).__name__}, not an object"


def read_parquet(file: BinaryIO, columns: Columns) -> Iterator[Row]:
    """The rows of a Parquet file; only the columns that are used are read, a batch at a time."""
    try:
        parquet = pq.ParquetFile(file)
        wanted = known_columns(parquet.schema_arrow, columns)
        there = names_of(dict.fromkeys(parquet.schema_arrow.names))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # also a name of a column that is not UTF-8
        yield Row(0, 0, None, problem="bad-compression", detail=str(error)[:200])
        return
    number = 0
    try:
        for batch in parquet.iter_batches(batch_size=256, columns=wanted):
            for row in python_rows(batch):
                if isinstance(row, Exception):
                    yield Row(number, 0, None, problem="bad-row", detail=f"{type(row).__name__}: {row}"[:200])
                else:
                    made = row_of(row, columns, number, 0, None)
                    yield replace(made, columns=there) if made.columns else made  # not only the ones that were read
                number += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield Row(number, 0, None, problem="bad-compression", detail=str(error)[:200])


def python_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Exception]:
    """The rows of a batch as dictionaries; a row with a value that Python cannot hold costs itself."""
    for at, column in enumerate(batch.columns):
        if pa.types.is_timestamp(column.type):  # nanoseconds and unknown zones; the values are UTC
            plain = column.cast(pa.timestamp("us", "UTC" if column.type.tz else None), safe=False)
            batch = batch.set_column(at, batch.schema.names[at], plain)
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for at in range(batch.num_rows):
            try:
                yield from batch.slice(at, 1).to_pylist()
            except (ValueError, OverflowError) as error:
                yield error


def known_columns(schema: pa.Schema, columns: Columns) -> list[str]:
    """The outermost columns of a table in which something may stand that a row is made of; never none."""
    chosen = {name for name in (columns.text, columns.html, columns.date, columns.url) if name}
    known = chosen | set(TEXT + HTML + DATE + URL + _CRAWL + _TYPE)
    heads = {name.partition(".")[0] for name in known}
    return [name for name in schema.names if name in known or name in heads] or schema.names[:1]

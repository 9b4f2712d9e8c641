"""Write archives and data sets byte by byte, so that any of it can be wrong on purpose."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from archive.evidence.crawls import frozen

#: Names and values in their order; a name may be there twice.
Fields = list[tuple[str, str]]


def digest(data: bytes, algorithm: str = "sha1") -> str:
    """Return a digest as WARC files state it: SHA-1 in base32, others in hexadecimal."""
    made = hashlib.new(algorithm, data, usedforsecurity=False)
    return (
        f"sha1:{base64.b32encode(made.digest()).decode()}" if algorithm == "sha1" else f"{algorithm}:{made.hexdigest()}"
    )


def w3c(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(moment: datetime) -> str:
    """Return the fourteen digits of ARC, CDX and replay URLs."""
    return moment.strftime("%Y%m%d%H%M%S")


def http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def week(moment: datetime) -> str:
    """Return the name of the Common Crawl that ran then: as published, or else of this week, or of one near it."""
    for crawl in frozen().values():
        long = timedelta(days=4)  # of a file
        if crawl.start + long <= moment <= crawl.end - long and len(crawl.id) == len("CC-MAIN-2019-35"):
            return crawl.id
    names = []
    for days in (0, 7, 14, 21, -7, -14):
        year, number, _ = (moment + timedelta(days=days)).isocalendar()
        names.append(f"CC-MAIN-{year}-{number:02}")
    return next((name for name in names if name not in frozen()), names[0])


def record_id(name: str) -> str:
    return f"<urn:uuid:{UUID(bytes=hashlib.md5(name.encode(), usedforsecurity=False).digest())}>"


def _lines(fields: Fields) -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in fields)


def message(body: bytes, fields: Fields, status: str = "200 OK") -> bytes:
    """Return an HTTP response."""
    return f"HTTP/1.1 {status}\r\n".encode() + _lines(fields) + b"\r\n" + body


def warc(block: bytes, fields: Fields, version: str = "WARC/1.0", length: int | None = None) -> bytes:
    """Return one WARC record.

    Args:
        length: the Content-Length that it states, if that is not the right one.
    """
    length = len(block) if length is None else length
    head = version.encode() + b"\r\n" + _lines([*fields, ("Content-Length", str(length))])
    return head + b"\r\n" + block + b"\r\n\r\n"


def warcinfo(name: str, moment: datetime, info: Fields, more: Fields, off: int = 0) -> bytes:
    """Return a warcinfo record.

    Args:
        off: bytes that the stated length is off.
    """
    fields = [
        ("WARC-Type", "warcinfo"),
        ("WARC-Date", w3c(moment)),
        ("WARC-Record-ID", record_id(name)),
        ("Content-Type", "application/warc-fields"),
        *more,
    ]
    block = _lines(info) + b"\r\n"
    return warc(block, fields, length=len(block) + off)


def arc(block: bytes, url: str, date: str, mime: str = "text/html", length: int | None = None) -> bytes:
    """Return one record of ARC version 1."""
    length = len(block) if length is None else length
    return f"{url} 192.0.2.7 {date} {mime} {length}\n".encode() + block + b"\n"


def filedesc(name: str, moment: datetime, writer: str = "InternetArchive") -> bytes:
    """Return the first record of an ARC file."""
    block = f"1 0 {writer}\nURL IP-address Archive-date Content-type Archive-length\n\n".encode()
    return f"filedesc://{name} 0.0.0.0 {stamp(moment)} text/plain {len(block)}\n".encode() + block


def gz(*records: bytes) -> bytes:
    """Return records as gzip members."""
    return b"".join(_member(each, 6) for each in records)


def stored(record: bytes) -> bytes:
    """Return a gzip member that holds its bytes uncompressed, so that a search sees them."""
    return _member(record, 0)


def _member(data: bytes, level: int) -> bytes:
    engine = zlib.compressobj(level, zlib.DEFLATED, 31)
    return engine.compress(data) + engine.flush()


def zst(*records: bytes) -> bytes:
    engine = zstandard.ZstdCompressor()
    return b"".join(engine.compress(each) for each in records)


def wacz(entries: dict[str, bytes], hashed: dict[str, bytes] | None = None) -> bytes:
    """Return a WACZ.

    Args:
        hashed: the content that `datapackage.json` states the SHA-256 of, where it is not that of the entry.
    """
    resources = [
        {
            "name": name.rpartition("/")[2],
            "path": name,
            "hash": f"sha256:{hashlib.sha256((hashed or {}).get(name, data)).hexdigest()}",
            "bytes": len((hashed or {}).get(name, data)),
        }
        for name, data in entries.items()
    ]
    package = {"profile": "data-package", "wacz_version": "1.1.1", "resources": resources}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in entries.items():
            file.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data)
        file.writestr(zipfile.ZipInfo("datapackage.json", (2024, 1, 1, 0, 0, 0)), json.dumps(package))
    return out.getvalue()


#: A row of a data set: columns in their order. In JSON a name may be there twice.
Row = list[tuple[str, Any]]


def jsonl(rows: Sequence[Row]) -> bytes:
    return "".join(f"{_object(row)}\n" for row in rows).encode()


def _object(row: Row) -> str:
    """Return a row as JSON; a value that is a list of pairs is an object, too."""
    pairs = ((name, _object(value) if isinstance(value, list) else json.dumps(value)) for name, value in row)
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in pairs) + "}"


def parquet(rows: Sequence[Row]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name, _ in row))
    dicts = [dict(row) for row in rows]
    table = pa.table({name: [row.get(name) for row in dicts] for name in names})
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def gzip_file(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)

"""Writes the files of a small Common Crawl into a folder, at their real paths and in their real forms."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from publicsuffixlist import PublicSuffixList
from warcio.archiveiterator import ArchiveIterator

#: The columns of the index table that the real one has too, in its order.
TABLE = pa.schema(
    [
        ("url_surtkey", pa.string()),
        ("url", pa.string()),
        ("url_host_name", pa.string()),
        ("url_host_tld", pa.string()),
        ("url_host_2nd_last_part", pa.string()),
        ("url_host_registry_suffix", pa.string()),
        ("url_host_registered_domain", pa.string()),
        ("url_protocol", pa.string()),
        ("url_port", pa.int32()),
        ("url_path", pa.string()),
        ("url_query", pa.string()),
        ("fetch_time", pa.timestamp("ms")),
        ("fetch_status", pa.int16()),
        ("content_digest", pa.string()),
        ("content_mime_type", pa.string()),
        ("content_mime_detected", pa.string()),
        ("content_charset", pa.string()),
        ("content_languages", pa.string()),
        ("warc_filename", pa.string()),
        ("warc_record_offset", pa.int32()),
        ("warc_record_length", pa.int32()),
        ("warc_segment", pa.string()),
    ]
)
_SUFFIXES = PublicSuffixList()
#: The first crawl whose index names languages.
_LANGUAGES_SINCE = "CC-MAIN-2018-39"


@dataclass(frozen=True)
class Capture:
    """What the crawler got from a server, and when."""

    url: str
    at: datetime
    http: bytes  #: the head and the body of the answer
    status: int = 200
    mime: str = "text/html"
    languages: str | None = "eng"

    @property
    def body(self) -> bytes:
        return self.http.partition(b"\r\n\r\n")[2]

    @property
    def digest(self) -> str:
        return base64.b32encode(hashlib.sha1(self.body).digest()).decode()


def page(
    url: str,
    text: str,
    at: str | datetime = "2019-08-20T12:00:00",
    status: int = 200,
    mime: str = "text/html",
    languages: str | None = "eng",
) -> Capture:
    """Return the capture of a page with this text."""
    when = (datetime.fromisoformat(at) if isinstance(at, str) else at).replace(tzinfo=UTC)
    body = f"<html><head><title>{url}</title></head><body><p>{text}</p></body></html>".encode()
    date = format_datetime(when, usegmt=True)
    http = f"HTTP/1.1 {status} OK\r\nDate: {date}\r\nContent-Type: {mime}; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return Capture(url, when, http.encode() + body, status, mime, languages)


def captured(path: Path) -> list[Capture]:
    """Return the responses of a real WARC or ARC file."""
    found = []
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, arc2warc=True):
            url, date = record.rec_headers.get_header("WARC-Target-URI"), record.rec_headers.get_header("WARC-Date")
            if record.rec_type != "response" or record.http_headers is None or not date or not url:
                continue
            status = record.http_headers.get_statuscode()
            body = record.content_stream().read()
            kind = (record.http_headers.get_header("Content-Type") or "unk").partition(";")[0].strip()
            # the body is decoded, as in Common Crawl's files
            names = ("content-type", "date", "server", "last-modified")
            kept = [f"{name}: {value}" for name, value in record.http_headers.headers if name.lower() in names]
            head = "\r\n".join([f"HTTP/1.1 {status} OK", *kept, f"Content-Length: {len(body)}"]) + "\r\n\r\n"
            at = datetime.fromisoformat(date).astimezone(UTC)
            http = head.encode("utf-8", "surrogateescape") + body
            found.append(Capture(url, at, http, int(status) if str(status).isdigit() else 200, kind, None))
    return found


def surt(url: str) -> str:
    """Return the sort key of an address, for addresses without odd parts."""
    parts = urlsplit(url)
    host = re.sub(r"^www\d*\.", "", (parts.hostname or "").lower())
    path = parts.path.lower().rstrip("/") or "/"
    query = "?" + "&".join(sorted(parts.query.lower().split("&"))) if parts.query else ""
    return f"{','.join(reversed(host.split('.')))}){path}{query}"


@dataclass(frozen=True)
class _Row:
    capture: Capture
    path: str
    offset: int
    length: int


def _member(text: str, block: bytes) -> bytes:
    return gzip.compress(text.encode() + b"\r\n" + block + b"\r\n\r\n", 6, mtime=0)


def _fields(*pairs: tuple[str, object]) -> str:
    return "WARC/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs)


def _id(*of: object) -> str:
    return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, '|'.join(map(str, of)))}>"


def _stamp(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S")


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _warcinfo(name: str, crawl: str, at: datetime) -> bytes:
    writer, version = "Apache Nutch 1.16 (modified, https://github.com/commoncrawl/nutch/)", "1.1"
    if at.year < 2017:
        writer, version = "Nutch 1.6 (CC)/CC WarcExport 1.0", "1.0"
    block = (
        f"isPartOf: {crawl}\r\npublisher: Common Crawl\r\noperator: Common Crawl Admin (info@commoncrawl.org)\r\n"
        f"software: {writer}\r\nrobots: checked via crawler-commons\r\nformat: WARC File Format {version}\r\n"
    ).encode()
    head = _fields(
        ("WARC-Type", "warcinfo"),
        ("WARC-Date", _iso(at)),
        ("WARC-Filename", name),
        ("WARC-Record-ID", _id(name)),
        ("Content-Type", "application/warc-fields"),
        ("Content-Length", len(block)),
    )
    return _member(head, block)


def _write_warc(root: Path, path: str, crawl: str, captures: Sequence[Capture], all_records: bool = True) -> list[_Row]:
    """Write a WARC file: a warcinfo record, then for each capture the request, the response, and metadata."""
    rows, name = [], path.rpartition("/")[2]
    data = bytearray(_warcinfo(name, crawl, captures[0].at if captures else datetime(2019, 8, 20, tzinfo=UTC)))
    for each in captures:
        shared = (("WARC-Date", _iso(each.at)), ("WARC-Warcinfo-ID", _id(name)))
        parts = urlsplit(each.url)
        request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: CCBot/2.0\r\n\r\n".encode()
        metadata = b"fetchTimeMs: 120\r\n"
        if all_records:
            data += _member(
                _fields(
                    ("WARC-Type", "request"),
                    *shared,
                    ("WARC-Record-ID", _id(each.url, each.at, "request")),
                    ("Content-Length", len(request)),
                    ("Content-Type", "application/http; msgtype=request"),
                    ("WARC-Target-URI", each.url),
                ),
                request,
            )
        block = base64.b32encode(hashlib.sha1(each.http).digest()).decode()
        record = _member(
            _fields(
                ("WARC-Type", "response"),
                *shared,
                ("WARC-Record-ID", _id(each.url, each.at, "response")),
                ("Content-Length", len(each.http)),
                ("Content-Type", "application/http; msgtype=response"),
                ("WARC-Concurrent-To", _id(each.url, each.at, "request")),
                ("WARC-IP-Address", "192.0.2.7"),
                ("WARC-Target-URI", each.url),
                ("WARC-Payload-Digest", f"sha1:{each.digest}"),
                ("WARC-Block-Digest", f"sha1:{block}"),
                ("WARC-Identified-Payload-Type", each.mime),
            ),
            each.http,
        )
        rows.append(_Row(each, path, len(data), len(record)))
        data += record
        if all_records:
            data += _member(
                _fields(
                    ("WARC-Type", "metadata"),
                    *shared,
                    ("WARC-Record-ID", _id(each.url, each.at, "metadata")),
                    ("Content-Length", len(metadata)),
                    ("Content-Type", "application/warc-fields"),
                    ("WARC-Concurrent-To", _id(each.url, each.at, "response")),
                    ("WARC-Target-URI", each.url),
                ),
                metadata,
            )
    _write(root / path, bytes(data))
    return rows


def _write_wet(root: Path, path: str, crawl: str, captures: Sequence[Capture]) -> None:
    name = path.rpartition("/")[2]
    data = bytearray(_warcinfo(name, crawl, captures[0].at if captures else datetime(2019, 8, 20, tzinfo=UTC)))
    for each in captures:
        text = re.sub(rb"<[^>]*>", b" ", each.body)
        data += _member(
            _fields(
                ("WARC-Type", "conversion"),
                ("WARC-Target-URI", each.url),
                ("WARC-Date", _iso(each.at)),
                ("WARC-Record-ID", _id(each.url, each.at, "conversion")),
                ("WARC-Refers-To", _id(each.url, each.at, "response")),
                ("WARC-Block-Digest", f"sha1:{base64.b32encode(hashlib.sha1(text).digest()).decode()}"),
                ("Content-Type", "text/plain"),
                ("Content-Length", len(text)),
            ),
            text,
        )
    _write(root / path, bytes(data))


def _write_arc(root: Path, path: str, captures: Sequence[Capture]) -> list[_Row]:
    """Write an ARC file of 2008 to 2012: each line has the address, the server, the time in Pacific time, the type,
    and the length."""
    rows, name = [], path.rpartition("/")[2]
    block = b"1 0 CommonCrawl\nURL IP-address Archive-date Content-type Archive-length\n"
    head = f"filedesc://{name} 0.0.0.0 {_stamp(captures[0].at)} text/plain {len(block)}\n".encode()
    data = bytearray(gzip.compress(head + block + b"\n", 6, mtime=0))
    for each in captures:
        pacific = _stamp(each.at.astimezone(ZoneInfo("America/Los_Angeles")))
        line = f"{each.url} 192.0.2.7 {pacific} {each.mime} {len(each.http)}\n".encode()
        member = gzip.compress(line + each.http + b"\n", 6, mtime=0)
        rows.append(_Row(each, path, len(data), len(member)))
        data += member
    _write(root / path, bytes(data))
    return rows


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _paths(root: Path, path: str, lines: Iterable[str]) -> None:
    _write(root / path, gzip.compress("".join(f"{line}\n" for line in lines).encode(), 6, mtime=0))


def _json_of(crawl: str, row: _Row) -> str:
    each = row.capture
    fields: dict[str, Any] = {"url": each.url, "mime": each.mime}
    if crawl >= "CC-MAIN-2017-22" and not crawl[8:].startswith(("2008", "2009", "2012")):
        fields["mime-detected"] = each.mime
    fields |= {
        "status": str(each.status),
        "digest": each.digest,
        "length": str(row.length),
        "offset": str(row.offset),
        "filename": row.path,
    }
    if crawl >= _LANGUAGES_SINCE and each.languages:
        fields |= {"languages": each.languages, "encoding": "UTF-8"}
    return json.dumps(fields)


def _write_cluster(root: Path, crawl: str, rows: Sequence[_Row], shards: int, block: int) -> list[str]:
    """Write the sorted index in `shards` files of blocks of `block` lines, and the index of the blocks."""
    folder = f"cc-index/collections/{crawl}/indexes"
    lines = sorted(f"{surt(row.capture.url)} {_stamp(row.capture.at)} {_json_of(crawl, row)}\n" for row in rows)
    each, names, cluster, seq = -(-len(lines) // shards), [], [], 0
    for shard in range(shards):
        name, data = f"cdx-{shard:05}.gz", bytearray()
        of_shard = lines[shard * each : (shard + 1) * each]
        for at in range(0, len(of_shard), block):
            seq += 1
            member = gzip.compress("".join(of_shard[at : at + block]).encode(), 6, mtime=0)
            key = " ".join(of_shard[at].split(" ", 2)[:2])
            cluster.append(f"{key}\t{name}\t{len(data)}\t{len(member)}\t{seq}\n")
            data += member
        _write(root / folder / name, bytes(data))
        names.append(f"{folder}/{name}")
    _write(root / folder / "cluster.idx", "".join(cluster).encode())
    return [*names, f"{folder}/cluster.idx", f"cc-index/collections/{crawl}/metadata.yaml"]


def _table_row(crawl: str, row: _Row) -> dict[str, Any]:
    each, parts = row.capture, urlsplit(row.capture.url)
    host = (parts.hostname or "").lower()
    labels = host.split(".")
    segment = re.search(r"segments/([^/]+)/", row.path)
    return {
        "url_surtkey": surt(each.url),
        "url": each.url,
        "url_host_name": host,
        "url_host_tld": labels[-1],
        "url_host_2nd_last_part": labels[-2] if len(labels) > 1 else None,
        "url_host_registry_suffix": _SUFFIXES.publicsuffix(host),
        "url_host_registered_domain": _SUFFIXES.privatesuffix(host),
        "url_protocol": parts.scheme,
        "url_port": parts.port,
        "url_path": parts.path,
        "url_query": parts.query or None,
        "fetch_time": each.at.replace(tzinfo=None),
        "fetch_status": each.status,
        "content_digest": each.digest,
        "content_mime_type": each.mime,
        "content_mime_detected": each.mime if crawl >= "CC-MAIN-2017-22" else None,
        "content_charset": "UTF-8",
        "content_languages": each.languages if crawl >= _LANGUAGES_SINCE else None,
        "warc_filename": row.path,
        "warc_record_offset": row.offset,
        "warc_record_length": row.length,
        "warc_segment": segment[1] if segment else None,
    }


def _write_table(root: Path, crawl: str, subset: str, rows: Sequence[_Row], parts: int, group: int) -> list[str]:
    ordered = sorted(rows, key=lambda row: (surt(row.capture.url), row.capture.at))
    each, paths = -(-len(ordered) // parts), []
    run = uuid.uuid5(uuid.NAMESPACE_URL, f"{crawl}/{subset}")
    for number in range(parts):
        of_part = [_table_row(crawl, row) for row in ordered[number * each : (number + 1) * each]]
        if not of_part and number:
            break
        path = f"cc-index/table/cc-main/warc/crawl={crawl}/subset={subset}/part-{number:05}-{run}.c000.gz.parquet"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(of_part, schema=TABLE)
        pq.write_table(
            table, root / path, compression="gzip", row_group_size=group, use_deprecated_int96_timestamps=True
        )
        paths.append(path)
    return paths


def write_crawl(
    root: Path,
    crawl: str,
    captures: Sequence[Capture],
    files: int = 4,
    segments: int = 2,
    shards: int = 2,
    block: int = 50,
    parts: int = 2,
    group: int = 100,
) -> list[str]:
    """Write a crawl of 2013 or later. Captures with another status than 200 go where the real ones go.

    Args:
        files: WARC files, and WET files.
        shards: files of the sorted index, of blocks of `block` lines.
        parts: files of the index table, with row groups of `group` rows.

    Returns:
        The paths of the WARC files.
    """
    pages = [each for each in captures if each.status == 200]
    others = [each for each in captures if each.status != 200]
    first = min((each.at for each in captures), default=datetime(2019, 8, 20, tzinfo=UTC))
    begin, end = _stamp(first), _stamp(first + timedelta(hours=3))
    warcs, wets, rows = [], [], []
    for number in range(files):
        segment = f"crawl-data/{crawl}/segments/15660273135{number % segments:02}.{number % segments}"
        name = f"CC-MAIN-{begin}-{end}-{number:05}"
        of_file = pages[number::files]
        warcs.append(f"{segment}/warc/{name}.warc.gz")
        wets.append(f"{segment}/wet/{name}.warc.wet.gz")
        rows += _write_warc(root, warcs[-1], crawl, of_file)
        _write_wet(root, wets[-1], crawl, of_file)
    other_rows: list[_Row] = []
    if others:
        path = f"crawl-data/{crawl}/segments/1566027313500.0/crawldiagnostics/CC-MAIN-{begin}-{end}-00000.warc.gz"
        other_rows = _write_warc(root, path, crawl, others)
    _paths(root, f"crawl-data/{crawl}/warc.paths.gz", warcs)
    _paths(root, f"crawl-data/{crawl}/wet.paths.gz", wets)
    _paths(root, f"crawl-data/{crawl}/cc-index.paths.gz", _write_cluster(root, crawl, rows + other_rows, shards, block))
    table = _write_table(root, crawl, "warc", rows, parts, group)
    if other_rows:
        table += _write_table(root, crawl, "crawldiagnostics", other_rows, 1, group)
    _paths(root, f"crawl-data/{crawl}/cc-index-table.paths.gz", sorted(table))
    return warcs


#: Where the files of the crawls before 2013 are.
_ARC_PATHS = {
    "CC-MAIN-2008-2009": "crawl-001/{at:%Y/%m/%d/%H}/{epoch}_{number}.arc.gz",
    "CC-MAIN-2009-2010": "crawl-002/{at:%Y/%m/%d/%H}/{epoch}_{number}.arc.gz",
    "CC-MAIN-2012": "parse-output/segment/{segment}/{epoch}_{number}.arc.gz",
}


def write_arc_crawl(
    root: Path, crawl: str, captures: Sequence[Capture], files: int = 2, shards: int = 1, block: int = 50
) -> list[str]:
    """Write a crawl of 2008 to 2012: ARC files, and the sorted index; no list of files, and no index table.

    Returns:
        The paths of the ARC files.
    """
    rows, paths = [], []
    for number in range(files):
        of_file = sorted(captures[number::files], key=lambda each: each.at)
        if of_file:
            at = of_file[0].at
            path = _ARC_PATHS[crawl].format(
                at=at, epoch=int(at.timestamp() * 1000), number=number, segment=int(at.timestamp() * 1000) - 5000
            )
            rows += _write_arc(root, path, of_file)
            paths.append(path)
    _paths(root, f"crawl-data/{crawl}/cc-index.paths.gz", _write_cluster(root, crawl, rows, shards, block))
    return paths


def write_news(root: Path, month: str, captures: Sequence[Capture], files: int = 2) -> list[str]:
    """Write a month (`2019-08`) of the news crawl: WARC files and their list; it has no index.

    Returns:
        The paths of the WARC files.
    """
    year, _, number = month.partition("-")
    paths = []
    for at in range(files):
        of_file = captures[at::files]
        if of_file:
            path = f"crawl-data/CC-NEWS/{year}/{number}/CC-NEWS-{_stamp(of_file[0].at)}-{at:05}.warc.gz"
            _write_warc(root, path, f"CC-NEWS-{year}-{number}", of_file, all_records=False)
            paths.append(path)
    _paths(root, f"crawl-data/CC-NEWS/{year}/{number}/warc.paths.gz", paths)
    return paths


def write_collinfo(root: Path, crawls: dict[str, tuple[str, str]]) -> None:
    """Write the list of crawls, the newest first, each with the times of its first and last capture."""
    info = [
        {
            "id": crawl,
            "name": f"{crawl} Index",
            "timegate": f"https://index.commoncrawl.org/{crawl}/",
            "cdx-api": f"https://index.commoncrawl.org/{crawl}-index",
            "from": begin,
            "to": end,
        }
        for crawl, (begin, end) in sorted(crawls.items(), reverse=True)
    ]
    _write(root / "collinfo.json", json.dumps(info, indent=2).encode())

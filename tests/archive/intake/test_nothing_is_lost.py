"""No page is lost without a reason: packages, bodies in parts, segments, files that look alike, larger limits."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from conftest import members, record, rows, take

from archive.capture import Limits
from archive.intake import Settings
from archive.lake import Lake
from archive.records.http import dechunk, decompress

Write = Callable[[str, bytes], str]


def package(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return out.getvalue()


def page(number: int) -> bytes:
    return record(url=f"http://{number}.example/", body=f"<p>The page with number {number}.</p>")


def test_an_archive_in_a_package_is_read_whatever_its_name(lake: Lake, write: Write) -> None:
    wacz = package(
        {
            "datapackage.json": b"{}",
            "pages/pages.jsonl": b'{"format": "json-pages-1.0"}\n',
            "indexes/index.cdx.gz": gzip.compress(b"com,example)/ 2015 {}"),
            "archive/a.warc.gz": members(page(1)),
            "archive/b.warc.lz4": lz4.frame.compress(page(2)),
            "archive/c.warc.gz.open": members(page(3)),
            "archive/without-suffix": page(4),
            "data/x.jsonl": b'{"text": "Some words."}\n',
        }
    )
    summary = take(lake, write("a.wacz", wacz))
    assert summary.captures == 4
    assert dict(summary.rejects) == {"unknown-format": 1}
    ((file, detail),) = rows(lake, "SELECT file, detail FROM rejects")
    assert file.endswith("!/data/x.jsonl")
    assert detail


def test_an_archive_that_was_exchanged_in_its_package_proves_nothing(lake: Lake, write: Write) -> None:
    own = page(2)
    stated = {"resources": [{"path": "archive/a.warc.gz", "hash": f"sha256:{hashlib.sha256(own).hexdigest()}"}]}
    manifest = json.dumps(stated).encode()
    exchanged = package({"datapackage.json": manifest, "archive/a.warc.gz": page(1)})
    take(lake, write("a.wacz", exchanged))
    assert rows(lake, "SELECT date_problem, grade FROM captures") == [("altered", "X")]
    take(lake, write("b.wacz", package({"datapackage.json": manifest, "archive/a.warc.gz": own})))
    assert rows(lake, "SELECT date_problem FROM captures WHERE grade = 'D'") == [(None,)]


def test_a_package_without_archives_is_one_reject(lake: Lake, write: Write) -> None:
    summary = take(lake, write("a.zip", package({"a.txt": b"words", "b.png": b"\x89PNG"})))
    assert dict(summary.rejects) == {"unknown-format": 1}


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_all_members_of_a_body_are_decoded(name: str) -> None:
    pack = gzip.compress if name == "gzip" else zstandard.compress
    halves = b"<p>one</p>" * 20_000, b"<p>two</p>" * 20_000
    body = pack(halves[0]) + pack(halves[1])
    assert decompress(body, name, 1 << 20) == (halves[0] + halves[1], True)
    assert decompress(body + b"\r\n", name, 1 << 20) == (halves[0] + halves[1], True)
    cut, complete = decompress(body[:-30], name, 1 << 20)
    assert cut.startswith(halves[0])
    assert not complete


def test_a_number_above_a_text_is_no_size_of_a_chunk() -> None:
    assert dechunk(b"2021\r\nA diary.\r\n") == (b"2021\r\nA diary.\r\n", True)
    assert dechunk(b"2021\r\n<p>cut off") == (b"<p>cut off", False)


def test_a_page_in_segments_is_not_taken_for_a_whole_one(lake: Lake, write: Write) -> None:
    first = record(warc={"WARC-Segment-Number": "1", "WARC-Payload-Digest": "sha1:" + "A" * 32})
    assert take(lake, write("a.warc", first)).captures == 1
    assert rows(lake, "SELECT truncated, date_problem FROM captures") == [("segment", None)]


def test_files_that_only_look_alike_are_both_read(lake: Lake, write: Write) -> None:
    pages = b"".join(page(number) for number in range(1000))
    one = write("one.warc", pages)
    place = pages.index(b"number 333.") + 7
    assert place % 40_000  # not in a sample
    two = write("two.warc", pages[:place] + b"334" + pages[place + 3 :])
    for path in (one, two):
        os.utime(path, (1e9, 1e9))
    assert take(lake, one, two).files == 2
    again = take(lake, one, two)
    assert (again.files, again.files_skipped) == (0, 2)


def test_a_moved_file_is_known(lake: Lake, write: Write, tmp_path: Path) -> None:
    path = write("one.warc", b"".join(page(number) for number in range(1000)))
    take(lake, path)
    moved = str(tmp_path / "moved.warc")
    os.rename(path, moved)
    assert take(lake, moved).files_skipped == 1


def test_larger_limits_read_a_file_again(lake: Lake, write: Write) -> None:
    path = write("a.warc", page(1) + record(url="http://large.example/", body="<p>" + "many words " * 5000))
    small = Settings(limits=Limits(page=10_000))
    assert dict(take(lake, path, settings=small).rejects) == {"too-large": 1}
    assert take(lake, path, settings=small).files_skipped == 1
    assert take(lake, path).captures == 2
    assert rows(lake, "SELECT count(*) FROM captures") == [(2,)]
    assert rows(lake, "SELECT count(*) FROM rejects") == [(0,)]
    assert take(lake, path).files_skipped == 1


def warcinfo(crawl: str, record_id: str) -> bytes:
    fields = f"isPartOf: {crawl}\r\noperator: {record_id}\r\n"
    return (
        f"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2019-04-01T00:00:00Z\r\nWARC-Record-ID: <urn:x:{record_id}>\r\n"
        f"Content-Type: application/warc-fields\r\nContent-Length: {len(fields)}\r\n\r\n{fields}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("span", [1 << 30, 4_000, 9_000, 20_000])
@pytest.mark.parametrize("cites", [True, False])
def test_a_span_knows_of_the_file_what_a_whole_reading_does(
    lake: Lake, write: Write, tmp_path: Path, span: int, cites: bool
) -> None:
    def pages(date: str, record_id: str) -> list[bytes]:
        warc = {"WARC-Warcinfo-ID": f"<urn:x:{record_id}>"} if cites else {}
        return [record(url=f"http://{record_id}.example/{n}", date=date, warc=warc) for n in range(12)]

    joined = [
        *(warcinfo("CC-MAIN-2019-13", "one"), *pages("2019-03-20T00:00:00Z", "one")),
        *(warcinfo("CC-MAIN-2023-23", "two"), *pages("2023-06-01T00:00:00Z", "two")),
        *(warcinfo("CC-MAIN-2014-35", "three"), *pages("2023-06-01T00:00:00Z", "three")),
    ]
    asked = "SELECT url, date_problem, crawl, grade, captured_at FROM captures ORDER BY url"
    for name, content in {"a.warc": b"".join(joined), "b.warc.gz": members(*joined)}.items():
        here, there = Lake(str(tmp_path / name)), Lake(str(tmp_path / f"whole-{name}"))
        path = write(name, content)
        take(here, path, span=span)
        take(there, path, span=1 << 30)
        found = rows(here, asked)
        assert found == rows(there, asked)
        assert {problem for url, problem, *_ in found if "three" in url} == {"outside-crawl"}
        assert {problem for url, problem, *_ in found if "three" not in url} == {None}

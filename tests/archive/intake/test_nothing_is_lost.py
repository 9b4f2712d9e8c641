"""No page is lost without a reason: packages, bodies in parts, segments, files that look alike, larger limits."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import lz4.frame
import pytest
import zstandard
from conftest import members, record, rows, take

from archive.capture import Limits
from archive.intake import Settings
from archive.lake import Lake
from archive.records.chunks import dechunk
from archive.records.codings import BadEncoding, decompress

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


def test_what_a_package_holds_is_told_by_content_not_by_name(lake: Lake, write: Write) -> None:
    inner = package({"archive/i.warc.gz": members(page(5))})
    wacz = package(
        {
            "pages/extra.jsonl": members(page(1)),
            "fuzzydata": page(2),
            "more/nested.zip": inner,
            "archive/empty.warc.gz": b"",
            "archive/b.warc.br": brotli.compress(page(3)),
        }
    )
    summary = take(lake, write("a.wacz", wacz))
    assert summary.captures == 3
    assert dict(summary.rejects) == {"empty-file": 1, "unknown-format": 1}
    summary = take(lake, write("b.wacz", package({"archive/empty.warc.gz": b""})))
    assert (summary.records, dict(summary.rejects)) == (1, {"empty-file": 1})


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


_PAGE, _OTHER = b"<p>one</p>" * 3000, b"<p>two</p>" * 3000
_SKIPPED = b"\x52\x2a\x4d\x18\x04\0\0\0abcd"


def _raw(data: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize(
    ("body", "stated", "decoded", "complete"),
    [
        (gzip.compress(b"") + gzip.compress(_PAGE), "gzip", _PAGE, True),
        (gzip.compress(_PAGE) + bytes(8) + gzip.compress(_OTHER), "gzip", _PAGE + _OTHER, True),
        (gzip.compress(_PAGE) + b"more", "gzip", _PAGE, False),
        (zlib.compress(_PAGE) + zlib.compress(_OTHER), "deflate", _PAGE, False),
        (_raw(_PAGE) + _raw(_OTHER), "deflate", _PAGE, False),
        (brotli.compress(_PAGE) + b"\r\n", "br", _PAGE, True),
        (brotli.compress(_PAGE) + brotli.compress(_OTHER), "br", _PAGE, False),
        (_SKIPPED + zstandard.compress(_PAGE) + _SKIPPED + zstandard.compress(_OTHER), "zstd", _PAGE + _OTHER, True),
        (zstandard.compress(_PAGE) + b"more", "zstd", _PAGE, False),
        # another encoding than the one that is stated
        (zlib.compress(_PAGE), "gzip", _PAGE, True),
        (_raw(_PAGE), "gzip", _PAGE, True),
        (gzip.compress(_PAGE), "deflate", _PAGE, True),
        (gzip.compress(_PAGE), "br", _PAGE, True),
        (zstandard.compress(_PAGE), "gzip", _PAGE, True),
        # none
        (b"x^2 + y^2 = 1 is a circle", "gzip", b"x^2 + y^2 = 1 is a circle", True),
        ("Wörter".encode("utf-16"), "gzip", "Wörter".encode("utf-16"), True),
    ],
)
def test_a_body_is_decoded_as_its_bytes_say(body: bytes, stated: str, decoded: bytes, complete: bool) -> None:
    assert decompress(body, stated, 1 << 20) == (decoded, complete)


def test_a_body_that_nothing_here_decodes_is_rejected() -> None:
    with pytest.raises(BadEncoding):
        decompress(b"\x1f\x9d\x90abc", "compress", 1 << 20)


@pytest.mark.parametrize("size", [0, 5000, 300_000])
def test_brotli_that_breaks_off_or_goes_on_gives_what_is_in_front(size: int) -> None:
    page = b"".join(hashlib.sha256(b"%d" % number).hexdigest().encode() for number in range(size // 64 + 1))
    coded = brotli.compress(page)
    assert decompress(coded + b"and more" * 1000, "br", 1 << 20) == (page, False)
    cut, complete = decompress(coded[:-40] + b"\xff" * 900, "br", 1 << 20)
    assert not complete or size == 0
    assert len(cut) > len(page) // 2 or size == 0


@pytest.mark.parametrize(
    "text",
    [b"12\r\nA diary of twelve days.\r\n", b"beef\r\nis a meat.\r\n", b"0\r\nzero hour\r\n", b"5\r\nhello and more\r\n",
     b"7\r\nsamurai\r\nof Kurosawa, 1954\r\n"],
)  # fmt: skip
def test_the_first_line_of_a_text_is_no_size_of_a_chunk_that_nothing_follows(text: bytes) -> None:
    assert dechunk(text) == (text, True)


@pytest.mark.parametrize(
    ("body", "payload", "complete"),
    [
        (b"3;x=y\r\nabc\r\n2 \r\nde\r\n0\r\n\r\n", b"abcde", True),
        (b"3\nabc\n0\n\n", b"abc", True),
        (b"0003\r\nabc\r\n0\r\nTrailer: x\r\n\r\n", b"abc", True),
        (b"3\r\nabc\r\n\r\n3\r\ndef\r\n0\r\n\r\n", b"abcdef", True),
        (b"0\r\n\r\n", b"", True),
        (b"3\r\nabc\r\n", b"abc", False),
    ],
)
def test_chunks_are_joined(body: bytes, payload: bytes, complete: bool) -> None:
    assert dechunk(body) == (payload, complete)


def test_a_number_above_a_text_is_no_size_of_a_chunk() -> None:
    assert dechunk(b"2021\r\nA diary.\r\n") == (b"2021\r\nA diary.\r\n", True)
    assert dechunk(b"2021\r\n<p>cut off") == (b"<p>cut off", False)


def test_a_page_in_segments_is_not_taken_for_a_whole_one(lake: Lake, write: Write) -> None:
    first = record(warc={"WARC-Segment-Number": "1", "WARC-Payload-Digest": "sha1:" + "A" * 32})
    assert take(lake, write("a.warc", first)).captures == 1
    assert rows(lake, "SELECT truncated, date_problem FROM captures") == [("segment", None)]


@pytest.mark.parametrize("blank", [b"\0", b"\r\n", b" "])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("span", [5000, 1 << 25])
def test_an_archive_of_blank_bytes_is_one_reject(
    lake: Lake, write: Write, blank: bytes, packed: bool, span: int
) -> None:
    content = blank * 20_000
    path = write("a.warc.gz", gzip.compress(content)) if packed else write("a.warc", content)
    summary = take(lake, path, span=span)
    assert (summary.records, dict(summary.rejects)) == (1, {"bad-record": 1})
    assert rows(lake, 'SELECT "offset", detail FROM rejects') == [(0, f"{len(content)} blank bytes and no record")]


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


@pytest.mark.parametrize("late_first", [False, True])
def test_one_file_in_two_places_that_name_two_crawls_is_two_sources(lake: Lake, write: Write, late_first: bool) -> None:
    content = record(date="2019-03-20T00:00:00Z")
    paths = [write(f"crawl-data/{crawl}/a.warc", content) for crawl in ("CC-MAIN-2019-13", "CC-MAIN-2023-23")]
    paths.append(write("copy/a.warc", content))
    for path in paths[::-1] if late_first else paths:
        take(lake, path)
    asked = "SELECT date_problem FROM captures ORDER BY file"
    assert rows(lake, asked) == [(None,), (None,), ("outside-crawl",)]
    again = take(lake, *paths)
    assert (again.files, again.files_skipped) == (0, 3)


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

"""Lengths that are off by a few bytes: no record is lost, no URL is changed, and no date becomes doubtful."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.records.record import Record, Span
from archive.records.record_reader import RecordReader

FILEDESC = b"1 0 Made\nURL IP-address Archive-date Content-type Archive-length\n"


def page(number: int, eol: bytes = b"\r\n") -> bytes:
    words = f"<html><p>Page number {number}.</p></html>".encode()
    return eol.join([b"HTTP/1.0 200 OK", b"Content-Type: text/html", b"", b""]) + words


def arc(number: int, off: int = 0, end: bytes = b"\n", scheme: str = "http") -> bytes:
    block = page(number)
    line = f"{scheme}://site{number}.example/ 10.0.0.1 20040925001013 text/html {len(block) + off}\n"
    return line.encode() + block + end


def warc(number: int, off: int = 0, eol: bytes = b"\r\n", end: bytes = b"\r\n\r\n", lost: bool = False) -> bytes:
    block = page(number)
    length = len(block) + off
    block = block.replace(b"\r\n", eol) if lost else block
    lines = [
        b"WARC/1.0",
        b"WARC-Type: response",
        f"WARC-Target-URI: http://site{number}.example/".encode(),
        b"WARC-Date: 2016-05-04T03:02:01Z",
        f"Content-Length: {length}".encode(),
    ]
    return eol.join(lines) + eol * 2 + block + end


def filedesc() -> bytes:
    return b"filedesc://made.arc 0.0.0.0 20040101000000 text/plain %d\n" % len(FILEDESC) + FILEDESC + b"\n"


def read(content: bytes) -> list[Record]:
    return [each for each in RecordReader(io.BytesIO(content), Span()) if not each.uri.startswith("filedesc:")]


def assert_whole(records: list[Record], count: int, scheme: str = "http") -> None:
    assert [each.uri for each in records] == [f"{scheme}://site{n}.example/" for n in range(count)]
    for number, each in enumerate(records):
        assert each.problem is None
        assert not each.recovered
        assert each.block.rstrip(b"\r\n").endswith(f"Page number {number}.</p></html>".encode())


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"])
@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "gopher"])
@given(st.lists(st.integers(-2, 2), min_size=1, max_size=5))
def test_an_arc_whose_lengths_are_off_by_two(end: bytes, scheme: str, offs: list[int]) -> None:
    content = filedesc() + b"".join(arc(n, off, end, scheme) for n, off in enumerate(offs))
    if offs[-1] > len(end):
        return  # it seems to be cut off, which the next test looks at
    assert_whole(read(content), len(offs), scheme)


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=4))
def test_an_arc_of_members_whose_lengths_are_off_by_two(offs: list[int]) -> None:
    members = [filedesc(), *(arc(n, off) for n, off in enumerate(offs))]
    assert_whole(read(b"".join(gzip.compress(each, mtime=0) for each in members)), len(offs))


def test_the_last_record_of_an_arc_may_count_a_line_end_that_is_not_there() -> None:
    assert_whole(read(filedesc() + arc(0) + arc(1, 2)), 2)
    assert read(filedesc() + arc(0) + arc(1, 9))[-1].problem == "truncated"
    assert read(filedesc() + arc(0) + arc(1, 1, end=b""))[-1].problem == "truncated"


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=5))
def test_a_warc_whose_lengths_are_off_by_a_few(offs: list[int]) -> None:
    assert_whole(read(b"".join(warc(n, off) for n, off in enumerate(offs))), len(offs))
    assert_whole(read(b"".join(gzip.compress(warc(n, off), mtime=0) for n, off in enumerate(offs))), len(offs))


@pytest.mark.parametrize("off", [-9, 9, 40])
def test_a_length_that_is_off_by_more_makes_what_follows_doubtful(off: int) -> None:
    records = read(warc(0) + warc(1, off) + warc(2))
    assert records[-1].uri == "http://site2.example/"
    assert records[-1].recovered
    assert any(each.problem for each in records)


def test_a_warc_whose_line_ends_lost_their_cr_after_the_lengths_were_taken() -> None:
    content = b"".join(warc(n, eol=b"\n", end=b"\n\n", lost=True) for n in range(4))
    assert_whole(read(content), 4)
    cut = read(content[:-12])
    assert_whole(cut[:3], 3)
    assert cut[3].problem == "truncated"


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_page_that_holds_a_record_in_a_file_with_a_hole_dates_nothing(lines: int, hole: int) -> None:
    fake = warc(1, eol=b"\n", end=b"\n\n", lost=True)
    block = page(0, b"\n") + b"\n" * lines + b"\n\n" + fake + b"words " * hole
    real = b"WARC/1.0\nWARC-Type: response\nWARC-Target-URI: http://site0.example/\nContent-Length: %d\n\n" % (
        len(block) + 9
    )
    records = read(real + block + b"\n\n" + warc(2, eol=b"\n", end=b"\n\n", lost=True))
    assert not any(each.uri == "http://site1.example/" and not each.recovered for each in records)


def test_a_record_inside_of_a_length_is_no_lost_cr() -> None:
    inner = warc(1, eol=b"\n", end=b"\n\n", lost=True)
    records = read(
        warc(0, off=len(inner), eol=b"\n", end=b"\n\n", lost=True) + inner + warc(2, eol=b"\n", end=b"\n\n", lost=True)
    )
    assert not any(each.uri == "http://site1.example/" and not each.recovered for each in records)


def test_a_warc_header_with_a_uri_of_70_kb_costs_nothing() -> None:
    long = warc(0).replace(b"http://site0.example/", b"data:image/png;base64," + b"A" * 70_000)
    records = read(long + warc(1))
    assert [each.problem for each in records] == [None, None]
    assert not records[1].recovered


@pytest.mark.parametrize("blank", [b"\n\r\n", b"\r\n\n", b"\n\n", b"\r\n\r\n"])
def test_a_warc_header_ends_with_any_blank_line(blank: bytes) -> None:
    content = warc(0).replace(b"\r\n\r\n", b"\x00", 1).replace(b"\x00", blank, 1)
    assert_whole(read(content + warc(1)), 2)

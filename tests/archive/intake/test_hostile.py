"""Input made to harm: bounded time, bounded memory, a reason for each record, and the rest is read."""

from __future__ import annotations

import gzip
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import members, record, rows, take
from forked import forked
from isal import isal_zlib

from archive.capture import Limits
from archive.intake import Settings
from archive.lake import Lake
from archive.records import RecordReader

Write = Callable[[str, bytes], str]

GOOD = record(url="http://good.example/", body="<p>The good page behind it.</p>")
#: Bytes that no worker may use, whatever the input.
MEMORY = 700e6


def survive(lake: Lake, *sources: str, seconds: float = 60, **limits: float | str) -> dict[str, int]:
    """Ingest in a process of its own; returns the rejects by reason.

    Args:
        seconds: that it takes at the most; ten times as long, whatever else the machine does, is hanging.
    """
    options = [part for name, value in limits.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    done = forked(
        "ingest", *sources, "--lake", lake.location, "--workers", "1", "--json", *options, timeout=seconds * 10
    )
    summary = json.loads(done.stdout)
    assert summary["peak_worker_bytes"] < MEMORY
    assert summary["records"] == summary["captures"] + sum(summary["rejects"].values()) + sum(
        summary["skipped"].values()
    )
    assert not summary["files_failed"]
    rejects: dict[str, int] = summary["rejects"]
    return rejects


def good_page_is_there(lake: Lake) -> bool:
    return rows(lake, "SELECT text FROM documents WHERE url = 'http://good.example/'") == [
        ("The good page behind it.",)
    ]


def bomb(head: bytes, size: int) -> Iterator[bytes]:
    """A gzip member of `head` and `size` zero bytes, made without compressing them all."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 24)
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + engine.compress(head) + engine.flush(zlib.Z_FULL_FLUSH)
    piece = engine.compress(block) + engine.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(head)
    for _ in range(size >> 24):
        crc = isal_zlib.crc32(block, crc)  # of 10 GB, in a tenth of the time
        yield piece
    length = (len(head) + (size >> 24 << 24)) & 0xFFFFFFFF
    yield engine.flush() + crc.to_bytes(4, "little") + length.to_bytes(4, "little")


def test_a_gzip_bomb_of_10_gb_in_a_body_is_too_large(lake: Lake, write: Write) -> None:
    body = b"".join(bomb(b"<p>", 10 << 30))
    page = record(body=body, http={"Content-Encoding": "gzip"}, url="http://bomb.example/")
    assert survive(lake, write("bomb.warc.gz", members(page, GOOD))) == {"too-large": 1}
    assert good_page_is_there(lake)


def test_a_gzip_bomb_of_5_gb_as_a_record_is_read_over(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "bomb.warc.gz"
    head = record(url="http://bomb.example/", body="").replace(b"Content-Length: ", b"X-Was: ")
    head = (
        head.partition(b"\r\n\r\n")[0]
        + b"\r\nContent-Length: 5368709120\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    )
    with path.open("wb") as file:
        file.writelines(bomb(head, 5 << 30))
        file.write(gzip.compress(GOOD))
    assert survive(lake, str(path), seconds=90).keys() <= {"too-large", "bad-record"}
    assert good_page_is_there(lake)


def test_a_record_of_1_gb_is_too_large_and_is_not_held(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "large.warc"
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://large.example/\r\nWARC-Date: 2015-01-01T00:00:00Z\r\n"
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    with path.open("wb") as file:
        file.write(head + b"Content-Length: %d\r\n\r\n" % (1 << 30) + http)  # more than MEMORY
        file.truncate(file.tell() + (1 << 30) - len(http))
        file.seek(0, 2)
        file.write(b"\r\n\r\n" + GOOD)
    assert survive(lake, str(path)) == {"too-large": 1}
    assert good_page_is_there(lake)


NESTED = {
    "div": "<div>" * 490_000 + "deep",
    "b": "<b>" * 490_000 + "deep",
    "table": "<table><tr><td>" * 160_000 + "deep",
    "font in p": "<p><font>" * 200_000 + "deep",
    "a": "<a href=x>" * 490_000 + "deep",
    "list": "<ul><li>" * 240_000 + "deep",
    "quote": "<blockquote>" * 490_000 + "deep",
    "attributes": "<p " + " ".join(f"a{n}=1" for n in range(300_000)) + ">deep",
}


#: An extractor that takes minutes for nested elements.
SLOW = "resiliparse-main"


def test_a_page_of_half_a_million_nested_tags_costs_no_more_than_the_time_limit(lake: Lake, write: Write) -> None:
    deep = [record(body=body, url=f"http://deep.example/{number}") for number, body in enumerate(NESTED.values())]
    rejects = survive(lake, write("deep.warc.gz", members(*deep, GOOD)), page_timeout=1)
    assert rejects.keys() <= {"timeout", "crashed", "empty-text", "extractor-error"}
    assert good_page_is_there(lake)


@pytest.mark.parametrize("count", [1_000_000, 5_000_000])
def test_a_million_tags_are_too_large(lake: Lake, write: Write, count: int) -> None:
    deep = record(body="<i>" * count + "deep", url="http://deep.example/")
    assert survive(lake, write("deep.warc.gz", members(deep, GOOD)), seconds=15) == {"too-large": 1}
    assert good_page_is_there(lake)


@pytest.mark.parametrize("tag", ["<p>x", "<i>", "<a href=x>y", "<td>"])
def test_a_page_of_as_many_tags_as_are_read_fits_the_memory(lake: Lake, write: Write, tag: str) -> None:
    page = record(body=tag * 490_000, url="http://many.example/")
    assert survive(lake, write("many.warc.gz", members(page, GOOD)), page_timeout=5).keys() <= {"timeout", "empty-text"}
    assert good_page_is_there(lake)


def test_many_pages_that_hang_the_parser_cost_one_time_limit_each(lake: Lake, write: Write) -> None:
    pages = [record(body=NESTED["div"] + str(n), url=f"http://deep.example/{n}") for n in range(3)]
    between = [record(body=f"<p>Page {n}</p>", url=f"http://fine.example/{n}") for n in range(3)]
    mixed = [each for pair in zip(pages, between, strict=True) for each in pair]
    source = write("deep.warc.gz", members(*mixed, GOOD))
    assert survive(lake, source, page_timeout=1, extractor=SLOW) == {"timeout": 3}
    assert len(rows(lake, "SELECT * FROM documents")) == 4


def test_a_line_of_100_mb_is_too_large(lake: Lake, write: Write) -> None:
    page = record(body=b"<p>" + b"a b " * 25_000_000, url="http://line.example/")
    header = (
        b"WARC/1.0\r\nWARC-Type: response\r\nX-Long: " + b"x" * 100_000_000 + b"\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
    )
    rejects = survive(lake, write("line.warc.gz", members(page, header, GOOD)))
    assert rejects.pop("too-large") == 1
    assert rejects.keys() == {"bad-record"}
    assert good_page_is_there(lake)
    text = json.dumps({"text": "a b " * 25_000_000, "date": "2015-01-01"}) + "\n"
    fine = json.dumps({"text": "A fine line.", "date": "2015-01-01", "url": "http://good.example/"}) + "\n"
    assert survive(lake, write("lines.jsonl", (text + fine).encode())) == {"too-large": 1}


def test_a_page_of_the_largest_size_that_is_read_fits_the_memory(lake: Lake, write: Write) -> None:
    pages = [
        record(body=(b"<p>" + b"text here " * 6 + b"</p>") * 240_000, url="http://many.example/"),
        record(body=b"<p>" + "日本語 ".encode() * 1_600_000, url="http://wide.example/"),
    ]
    assert survive(lake, write("large.warc.gz", members(*pages, GOOD))) == {}
    assert good_page_is_there(lake)


def test_nul_bytes_and_odd_characters_leave_a_text_that_every_table_can_hold(lake: Lake, write: Write) -> None:
    odd = record(
        body=b"<title>a\0b</title><p>One\0two \xff\xfe\xf0\x9f\x98\x80 \xed\xa0\x80 three</p>",
        url="http://odd.example/\0",
    )
    nothing = record(body=b"\0" * 100_000 + b"<p>x</p>", url="http://nul.example/")
    assert survive(lake, write("odd.warc.gz", members(odd, nothing, GOOD))) == {"not-text": 1}
    ((text, title),) = rows(lake, "SELECT text, title FROM documents WHERE url LIKE '%odd%'")
    assert "\0" not in text + title
    assert text.startswith("One")


@pytest.mark.parametrize("change", [-10, 10, 4000, -100_000, 10**17])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_wrong_content_length_costs_at_most_its_own_record(
    lake: Lake, write: Write, change: int, compressed: bool
) -> None:
    wrong = record(url="http://wrong.example/", body="<p>" + "words " * 100 + "</p>")
    length = int(wrong.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    stated = max(length + change, 0)
    wrong = wrong.replace(b"Content-Length: %d" % length, b"Content-Length: %d" % stated, 1)
    records = [
        record(url="http://first.example/", body="<p>First</p>"),
        wrong,
        GOOD,
        record(url="http://last.example/"),
    ]
    content = members(*records) if compressed else b"".join(records)
    rejects = survive(lake, write("wrong.warc.gz" if compressed else "wrong.warc", content))
    found = {url for (url,) in rows(lake, "SELECT url FROM captures")}
    if compressed or change < 1000:
        assert {"http://first.example/", "http://good.example/", "http://last.example/"} <= found
    assert sum(rejects.values()) >= 1 or "http://wrong.example/" in found


def test_an_endless_chunked_body_ends_with_the_record(lake: Lake, write: Write) -> None:
    chunks = b"5\r\nhello\r\n" * 200_000
    endless = record(body=b"<p>" + chunks, http={"Transfer-Encoding": "chunked"}, url="http://plain.example/")
    real = record(body=b"3\r\n<p>\r\n" + chunks, http={"Transfer-Encoding": "chunked"}, url="http://endless.example/")
    huge = record(
        body=b"FFFFFFFFFFFFFFF\r\n<p>all there is</p>",
        http={"Transfer-Encoding": "chunked"},
        url="http://huge.example/",
    )
    assert survive(lake, write("endless.warc.gz", members(endless, real, huge, GOOD))) == {}
    assert rows(lake, "SELECT truncated, length(text) FROM documents JOIN captures USING (content_id) "
                      "WHERE captures.url = 'http://endless.example/'") == [("chunked", 1_000_000)]  # fmt: skip
    assert rows(lake, "SELECT text FROM documents WHERE url = 'http://huge.example/'") == [("all there is",)]


def test_a_wacz_with_names_that_lead_out_of_it_writes_nothing_and_says_so(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "evil.wacz"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("../../escaped.warc.gz", members(record(body="<p>Escaped</p>")))
        package.writestr("/absolute.warc.gz", members(record(body="<p>Absolute</p>")))
        package.writestr("archive/good.warc.gz", members(GOOD))
    before = {each for each in tmp_path.rglob("*") if "lake" not in each.parts}
    assert survive(lake, str(path)) == {"unsafe-name": 2}
    assert {each for each in tmp_path.rglob("*") if tmp_path / "lake" not in [each, *each.parents]} == before
    assert good_page_is_there(lake)


def test_a_wacz_with_a_zip_bomb_is_not_inflated(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "bomb.wacz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        with package.open("archive/bomb.warc", "w", force_zip64=True) as entry:
            for _ in range(64):
                entry.write(bytes(1 << 24))
        package.writestr("archive/good.warc.gz", members(GOOD))
    assert survive(lake, str(path), seconds=15) == {"zip-bomb": 1}
    assert good_page_is_there(lake)


def test_a_wacz_in_a_wacz_in_a_wacz_ends(lake: Lake, tmp_path: Path) -> None:
    content = members(GOOD)
    name = "archive/good.warc.gz"
    for depth in range(6):
        path = tmp_path / f"{depth}.wacz"
        with zipfile.ZipFile(path, "w") as package:
            package.writestr(name, content)
        content, name = path.read_bytes(), f"{depth}.wacz"
    assert survive(lake, str(tmp_path / "2.wacz")) == {}
    assert good_page_is_there(lake)
    assert survive(lake, str(tmp_path / "5.wacz")) == {"unknown-format": 1}


def test_a_zip_with_a_broken_directory_or_entry_is_a_reject(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "a.wacz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("archive/bad.warc", b"".join(record(url=f"http://e.example/{n}") for n in range(500)))
        package.writestr("archive/good.warc.gz", members(GOOD))
    content = bytearray(path.read_bytes())
    content[200:220] = b"\xff" * 20
    path.write_bytes(content)
    assert "bad-compression" in survive(lake, str(path))
    assert good_page_is_there(lake)
    (tmp_path / "b.wacz").write_bytes(bytes(content[: len(content) // 2]))
    assert survive(lake, str(tmp_path / "b.wacz")) == {"bad-compression": 1}


def test_a_damaged_member_costs_its_record_and_reading_goes_on(lake: Lake, write: Write) -> None:
    pages = [
        gzip.compress(record(url=f"http://e.example/{n}", body=f"<p>Page {n} of ten.</p>"), mtime=0) for n in range(10)
    ]
    damaged = bytearray(pages[4])
    damaged[len(damaged) // 2 : len(damaged) // 2 + 8] = b"\xff" * 8
    pages[4] = bytes(damaged)
    pages[7] = pages[7][:-8] + b"\0\0\0\0" + pages[7][-4:]  # a wrong checksum
    rejects = take(lake, write("damaged.warc.gz", b"".join(pages))).rejects
    assert rejects == {"bad-compression": 2}
    found = [url for (url,) in rows(lake, "SELECT url FROM captures ORDER BY url")]
    assert found == [f"http://e.example/{n}" for n in range(10) if n not in {4, 7}]
    listed = rows(lake, 'SELECT file, "offset" FROM rejects ORDER BY "offset"')
    assert [offset for _, offset in listed] == [sum(map(len, pages[:4])), sum(map(len, pages[:7]))]


def test_a_file_cut_at_any_byte_gives_all_records_before_the_cut(write: Write) -> None:
    pages = [gzip.compress(record(url=f"http://e.example/{n}"), mtime=0) for n in range(4)]
    content = b"".join(pages)
    ends = [sum(map(len, pages[: n + 1])) for n in range(4)]
    for cut in range(1, len(content), 7):
        path = write("cut.warc.gz", content[:cut])
        with open(path, "rb") as file:
            found = list(RecordReader(file))
        whole = [each for each in found if not each.problem]
        assert len(whole) == sum(end <= cut for end in ends)
        assert [each.length for each in whole] == [len(page) for page in pages[: len(whole)]]


def test_garbage_of_every_kind_ends_with_a_reason(lake: Lake, write: Write) -> None:
    import random

    dice = random.Random(7)
    garbage = {
        "empty.warc": b"",
        "noise.bin": dice.randbytes(200_000),
        "noise.warc.gz": b"\x1f\x8b\x08" + dice.randbytes(200_000),
        "magic.warc.gz": b"\x1f\x8b\x08\0" * 50_000,
        "zstd.warc.zst": b"\x28\xb5\x2f\xfd" + dice.randbytes(5000),
        "skip.zst": b"\x50\x2a\x4d\x18\xff\xff\xff\xff" + b"x" * 100,
        "zip.wacz": b"PK\x03\x04" + dice.randbytes(1000),
        "half.parquet": b"PAR1" + dice.randbytes(1000),
        "words.txt": b"only words\n" * 100,
        "start.warc": b"WARC/1.0\r\n" * 5000,
        "arc.arc": b"http://a/ 1.2.3.4 20100101000000 text/html 99999999999\nHTTP/1.1 200 OK\n",
        "brace.jsonl": b"{" * 100_000 + b"\n" + b"[1]\n" + b'{"text": 5, "date": "x"}\n' + b'{"text": "fine"}\n',
    }
    sources = [write(name, content) for name, content in garbage.items()]
    rejects = survive(lake, *sources, seconds=40)
    assert rejects["empty-file"] == 2
    files = {Path(file).name for (file,) in rows(lake, "SELECT DISTINCT file FROM rejects")}
    assert files == set(garbage)
    assert rows(lake, "SELECT text, date_problem FROM captures JOIN documents USING (content_id)") == [
        ("fine", "missing")
    ]


def test_values_that_a_table_cannot_hold_cost_themselves(lake: Lake, tmp_path: Path, write: Write) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines = [
        '{"text": "Good one", "date": "2020-01-01"}',
        '{"text": "Odd", "url": "http://a/\\ud800", "date": "2020-01-01"}',
    ]
    times = pa.array([1_577_836_800_123_456_789, -(2**62), None], pa.timestamp("ns", "America/Nowhere"))
    pq.write_table(pa.table({"text": ["Ns", "Long ago", "No date"], "date": times}), tmp_path / "ns.parquet")
    days = pa.array([18262, 2**31 - 1], pa.date32())
    pq.write_table(pa.table({"text": ["Day", "Day out of range"], "date": days}), tmp_path / "days.parquet")
    sources = [
        write("odd.jsonl", "\n".join(lines).encode()),
        str(tmp_path / "ns.parquet"),
        str(tmp_path / "days.parquet"),
    ]
    assert survive(lake, *sources) == {"bad-row": 1}
    found = dict(rows(lake, "SELECT text, date_problem FROM captures JOIN documents USING (content_id)"))
    assert found == {
        "Good one": None,
        "Odd": None,
        "Ns": None,
        "Long ago": "before-web",
        "No date": "missing",
        "Day": None,
    }


def test_patterns_in_a_page_cannot_keep_a_worker_busy(lake: Lake, write: Write) -> None:
    comments = record(body="<!---->" * 500 + "x", content_type="text/plain", url="http://comments.example/")
    folded = record(body="x", url="http://folded.example/").replace(
        b"\r\n\r\nx", b"\r\nX-A: b" + b"\r\n c" * 500_000, 1
    )
    head = folded.index(b"HTTP/1.1")
    folded = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % (len(folded) - head - 4), folded, count=1)
    survive(lake, write("a.warc.gz", members(comments, folded, GOOD)), seconds=15)
    assert good_page_is_there(lake)


def test_lengths_that_swallow_their_successors_do_not_make_reading_quadratic(lake: Lake, write: Write) -> None:
    one = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Date: 2015-01-01T00:00:00Z\r\nContent-Length: 30000000\r\n\r\nx\r\n"
    survive(lake, write("lies.warc", one * 300_000), seconds=90)


def test_a_record_that_is_too_large_and_lies_about_its_length_lends_no_text(lake: Lake, write: Write) -> None:
    forged = record(url="http://forged.example/", body="<p>forged</p>" + "y" * 200_000, date="1999-01-01T00:00:00Z")
    bait = record(url="http://large.example/", body=b"t\r\n\r\n" + forged + b"z" * 3_000_000, content_type="text/plain")
    lying = re.sub(rb"Content-Length: (\d+)", lambda m: b"Content-Length: %d" % (int(m[1]) - 1000), bait, count=1)
    first = record(url="http://first.example/", date="2014-01-01T00:00:00Z")
    survive(lake, write("a.warc", first + lying + GOOD), max_record=1_000_000)
    assert rows(lake, "SELECT count(*) FROM captures WHERE date_problem IS NULL AND captured_at < '2010-01-01'") == [
        (0,)
    ]
    # it is there; but it may have been in the forged page as well, and proves nothing
    good = "SELECT text, date_problem FROM captures JOIN documents USING (content_id) WHERE captures.url LIKE '%good%'"
    assert rows(lake, good) == [("The good page behind it.", "recovered")]


def test_a_zstd_dictionary_that_is_none_is_damage(lake: Lake, write: Write) -> None:
    frame = b"\x28\xb5\x2f\xfd" + b"\xff" * 60
    bad = b"\x5d\x2a\x4d\x18" + len(frame).to_bytes(4, "little") + frame + b"\x28\xb5\x2f\xfd" + b"\1" * 80
    survive(lake, write("bad.warc.zst", bad), write("good.warc", GOOD))
    assert good_page_is_there(lake)


def test_a_careful_worker_is_only_needed_where_a_page_ends_the_first(lake: Lake, write: Write) -> None:
    source = write("deep.warc.gz", members(record(body=NESTED["div"], url="http://deep.example/"), GOOD))
    summary = take(lake, source, settings=Settings(SLOW, Limits(seconds=1)))
    assert summary.rejects == {"timeout": 1}
    assert rows(lake, "SELECT reason, detail FROM rejects") == [("timeout", "more than 1 s")]


if sys.platform != "linux":
    pytest.skip("memory is measured as Linux counts it", allow_module_level=True)

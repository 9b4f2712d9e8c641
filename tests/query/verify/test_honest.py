"""Of honest rows none differs: from joined files, behind damage, of WACZ, ARC, replays and revisits, by any span."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from conftest import members, record, take
from world import digest_of, package, page

from archive.lake import Lake
from query.export.run import export
from query.verify.run import verify


def info(number: int, crawl: str, date: str) -> bytes:
    body = f"isPartOf: {crawl}\r\nsoftware: Nutch 1.6\r\noperator: Crawler {number}\r\n"
    return (
        f"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-00000000000{number}>\r\n"
        f"WARC-Date: {date}\r\nContent-Type: application/warc-fields\r\nContent-Length: {len(body)}\r\n\r\n{body}\r\n\r\n"
    ).encode()


def joined() -> list[bytes]:
    """Two files, one behind the other, each with its own warcinfo, and a page that cites neither."""
    made: list[bytes] = []
    for number, crawl, year in ((1, "CC-MAIN-2014-35", "2014-08-30"), (2, "CC-MAIN-2019-35", "2019-08-20")):
        made.append(info(number, crawl, f"{year}T00:00:00Z"))
        for n in range(6):
            warc = {"WARC-Warcinfo-ID": f"<urn:uuid:00000000-0000-0000-0000-00000000000{number}>"} if n % 2 else {}
            made.append(
                record(
                    f"http://j{number}{n}.org/", f"<p>Page {n} of crawl {number}.</p>", f"{year}T0{n}:00:00Z", warc=warc
                )
            )
    return made


def damaged() -> bytes:
    """A page whose length is too large, and honest ones behind it, dated earlier and later than it."""
    first = record("http://first.org/", "<p>First.</p>", "2012-01-01T00:00:00Z")
    noise = random.Random(1).randbytes(900).hex()
    broken = record("http://damaged.org/", f"<p>Damaged {noise}.</p>", "2018-01-01T00:00:00Z")
    length = int(broken.partition(b"Content-Length: ")[2].partition(b"\r")[0])
    broken = broken.replace(b"Content-Length: %d" % length, b"Content-Length: %d" % (length + 30), 1)
    behind = [record(f"http://b{n}.org/", f"<p>Behind {n}.</p>", f"201{4 + n}-01-01T00:00:00Z") for n in range(6)]
    return first + broken + b"".join(behind)


def arc() -> bytes:
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>A page of an ARC file, of long ago.</p>"
    head = b"1 0 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n"
    first = b"filedesc://a.arc 0.0.0.0 20080101000000 text/plain %d\n%s\n" % (len(head), head)
    return first + b"http://arc.org/ 1.2.3.4 20080102030405 text/html %d\n%s\n" % (len(body), body)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest") / "sources"
    folder.mkdir()
    pages = [page(n) for n in range(5)]
    revisit = record(
        "http://site3.org/", "", "2009-01-01T00:00:00Z", "revisit", warc={"WARC-Payload-Digest": digest_of(pages[3])}
    )
    entries = {f"archive/{n}.warc.gz": members(page(n, f"An entry {n} of a package.")) for n in (6, 7)}
    files = {
        "joined.warc.gz": members(*joined()),
        "joined.warc": b"".join(joined()).replace(b"Page ", b"Other "),
        "damaged.warc": damaged(),
        "damaged.warc.gz": gzip.compress(damaged().replace(b"Behind ", b"Further "), mtime=0),
        "pages.warc.gz": members(*pages, revisit),
        "a.wacz": package(entries, entries),
        "old.arc": arc(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(("span", "workers"), [(1 << 30, 1), (400, 1), (1500, 2)])
def test_none_differs_whatever_the_spans_and_workers(sources: Path, tmp_path: Path, span: int, workers: int) -> None:
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(sources), workers=workers, span=span)
    export(lake, tmp_path / "set", before="2022-01-01", grade="E", workers=1)
    result = verify(tmp_path / "set", all=True, workers=1, trusted=sources, again=lake, lake=lake)
    assert result.sound, (result.problems, result.findings)
    assert result.kinds["agrees"] == result.rows > 20
    assert verify(lake, all=True, workers=1).sound

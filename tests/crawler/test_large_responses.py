"""Large responses are kept in files while they come: the records are the same, and little memory is needed."""

from __future__ import annotations

import errno
import gzip
import os
import resource
import threading
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from conftest import peak_of
from crawls import check, crawled, of
from rawserver import Answer, missing, page, serving
from twisted.internet import tcp

from archive.errors import CrawlError
from crawler.run import status
from crawler.wire import spill
from crawler.wire.message import decoded, parse

_CODE = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from crawls import crawled
print(crawled(Path({out!r}), *{urls!r}, sitemaps=False, pages={pages}).done)
"""


def test_eight_responses_of_32_mb_at_once_need_less_than_100_mb(tmp_path: Path) -> None:
    noise = os.urandom(1_000_000)
    together = threading.Barrier(8)

    def answer(path: str, request: bytes) -> Answer:
        if path != "/":
            return missing()
        if b"Host: 127.0.0.9" in request:
            return page("small")
        together.wait(20)
        host = request.partition(b"Host: 127.0.0.")[2][:1]  # so that none is a revisit of another
        return Answer([b"HTTP/1.1 200 OK\r\nContent-Length: 31000001\r\n\r\n", *[noise] * 31, host], wait=0.0)

    def peak(hosts: range) -> int:
        urls = [f"http://127.0.0.{number}:{server.port}/" for number in hosts]
        folder, tests = str(tmp_path / str(len(hosts))), str(Path(__file__).parent)
        shown, peak = peak_of(_CODE.format(tests=tests, out=folder, urls=urls, pages=len(urls)))
        assert shown == str(len(urls))
        return peak

    with serving(answer, host="0.0.0.0") as server:
        base, most = peak(range(9, 10)), peak(range(1, 9))
    assert most - base < 100_000  # kB
    assert sum(path.stat().st_size for path in (tmp_path / "8").glob("*.warc.gz")) > 8 * 31_000_000


def _chunked(body: bytes) -> list[bytes]:
    parts = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


@pytest.mark.parametrize("longest", [1000, 1 << 30])
def test_records_and_links_are_the_same_whether_a_response_is_in_memory_or_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longest: int
) -> None:
    monkeypatch.setattr(spill, "LONGEST", longest)
    body = gzip.compress(os.urandom(300_000) + b"<a href=/b>", mtime=0)
    pieces = {"/": _chunked(body), "/b": [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"x" * 5000]}

    with serving(lambda path, _: Answer(pieces[path]) if path in pieces else missing()) as server:
        first = crawled(tmp_path, server.address + "/", batch=1, batch_seconds=0.0)
        crawled(tmp_path, server.address + "/", again=True)
    assert first.done == 2
    (response,) = of(tmp_path, "response", f":{server.port}/")
    assert response.block == b"".join(pieces["/"])
    assert len(of(tmp_path, "revisit", f":{server.port}/")) == 1
    cut = of(tmp_path, "response", "/b")
    assert {(each.block, each.headers["WARC-Truncated"]) for each in cut} == {(b"".join(pieces["/b"]), "disconnect")}
    check(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("tmp")]


def test_a_disk_that_is_full_while_a_response_comes_ends_the_run_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "LONGEST", 1000)
    original = spill.Spill.write

    def full(self: spill.Spill, data: bytes | bytearray) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spill.Spill, "write", full)
    with serving(lambda path, _: page("x" * 5000) if path == "/" else missing()) as server:
        with pytest.raises(OSError, match="No space"):
            crawled(tmp_path, server.address + "/")
        monkeypatch.setattr(spill.Spill, "write", original)
        assert crawled(tmp_path, server.address + "/").done == 1
    assert len(of(tmp_path, "response", f":{server.port}/")) == 1


def test_a_body_in_millions_of_chunks_is_joined_and_not_listed() -> None:
    many = 100_000
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    message = parse(head + b"1\r\nx\r\n" * many + b"0\r\n\r\n")
    assert message is not None
    assert (message.complete, message.length, message.body) == (True, many, b"x" * many)
    assert b"".join(message.parts()) == decoded(message, many) == message.body
    assert len(message.spans) < many
    cut = parse(head + b"1\r\nx\r\n" * many)
    assert cut is not None
    assert (cut.complete, cut.length) == (False, 6 * many)


def test_a_response_that_cannot_be_mapped_ends_the_run_and_is_no_fault_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: spill.Spill) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with serving(lambda path, _: page("x" * 5000) if path == "/" else missing()) as server:
        with monkeypatch.context() as patch:
            patch.setattr(spill, "LONGEST", 1000)
            patch.setattr(spill.Spill, "mapped", none)
            with pytest.raises(OSError, match="Too many open files"):
                crawled(tmp_path, server.address + "/")
        assert crawled(tmp_path, server.address + "/").done == 1
    assert len(of(tmp_path, "response", f":{server.port}/")) == 1


def test_a_limit_of_open_files_that_is_too_low_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    with pytest.raises(CrawlError, match=r"--connections 100: the process may open 256 files \(ulimit -n\)"):
        crawled(tmp_path, "http://127.0.0.1:9/", connections=100)


def test_a_process_without_room_for_a_connection_ends_the_run_and_no_url_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: tcp.Client) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with serving(lambda path, _: page("x") if path == "/" else missing()) as server:
        with monkeypatch.context() as patch:
            patch.setattr(tcp.Client, "createInternetSocket", none)
            with pytest.raises(OSError, match="ulimit -n"):
                crawled(tmp_path, server.address + "/")
        assert (status(tmp_path).failed, status(tmp_path).waiting) == (0, 1)
        assert crawled(tmp_path, server.address + "/").done == 1

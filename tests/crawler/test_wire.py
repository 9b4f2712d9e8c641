"""What the tee keeps is what was on the wire, byte for byte, whatever the server sends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("scrapy")

from odd import ODD
from rawserver import Answer, missing, serving
from scrapy import Request
from scrapy.utils.test import get_crawler

from crawler import loop
from crawler.wire.exchange import Exchange
from crawler.wire.message import chunks_of, decoded, parse


def fetch(urls: list[str], **settings: Any) -> list[tuple[int, Exchange]]:
    """Fetch some URLs at once; return the statuses and the exchanges."""
    from crawler.wire.handler import NoResponseError, WireHandler

    async def one(handler: WireHandler, url: str) -> tuple[int, Exchange]:
        request = Request(url, headers={"User-Agent": "a test", "Accept-Encoding": "gzip"})
        try:
            status = (await handler.download_request(request)).status
        except NoResponseError:
            status = -1
        return status, request.meta["exchange"]

    async def every() -> list[tuple[int, Exchange]]:
        handler = WireHandler(get_crawler(settings_dict={"CRAWL_ALLOW_PRIVATE": True, "CRAWL_IDLE": 1.0, **settings}))
        found = await asyncio.gather(*(one(handler, url) for url in urls))
        await handler.close()
        return found

    loop.loop()
    return loop.run(every())


def test_the_record_block_of_an_odd_response_is_what_the_server_sent() -> None:
    def answer(path: str, request: bytes) -> Answer:
        return ODD[path[1:]].answer if path[1:] in ODD else missing()

    with serving(answer) as server:
        found = dict(zip(ODD, fetch([f"{server.address}/{name}" for name in ODD]), strict=True))
        asked = {request.split(b" ", 2)[1].decode()[1:]: request for _, request in server.asked}
    assert len(ODD) > 25
    for name, odd in ODD.items():
        status, exchange = found[name]
        assert bytes(exchange.response) == odd.block, name
        assert bytes(exchange.request) == asked[name], name
        assert (status, exchange.truncated) == (odd.status, odd.truncated), (name, exchange.error)
        assert exchange.ip == "127.0.0.1"
        assert exchange.first is not None
        assert exchange.first <= exchange.seconds


def test_a_response_beyond_the_limit_is_cut_there_and_the_server_is_left() -> None:
    block = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000
    with serving(lambda *_: Answer([block])) as server:
        (status, exchange), = fetch([server.address + "/"], CRAWL_BYTES=1_000_000)  # fmt: skip
    assert (status, exchange.truncated, len(exchange.response)) == (200, "length", 1_000_000)
    assert bytes(exchange.response) == block[:1_000_000]


def test_a_drip_of_bytes_ends_by_rule() -> None:
    drip = Answer([b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 100], wait=0.1)
    with serving(lambda *_: drip) as server:
        (status, exchange), = fetch([server.address + "/"], CRAWL_TIMEOUT=0.6)  # fmt: skip
    assert (status, exchange.truncated) == (200, "time")
    assert exchange.seconds < 2


def test_no_response_at_all_is_an_error_that_keeps_the_request() -> None:
    with serving(lambda *_: Answer([])) as server:
        (status, exchange), = fetch([server.address + "/"])  # fmt: skip
    assert (status, bytes(exchange.response)) == (-1, b"")
    assert bytes(exchange.request) == server.asked[-1][1]
    assert exchange.error


def test_a_connection_that_the_server_closed_is_opened_again() -> None:
    answers = iter([*[Answer([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"], "keep")], Answer([]), Answer([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"])])  # fmt: skip
    from crawler.wire.handler import WireHandler

    async def twice(address: str) -> list[bytes]:
        handler = WireHandler(get_crawler(settings_dict={"CRAWL_ALLOW_PRIVATE": True, "CRAWL_IDLE": 1.0}))
        found = []
        for _ in range(2):
            request = Request(address + "/")
            await handler.download_request(request)
            found.append(bytes(request.meta["exchange"].response))
        await handler.close()
        return found

    with serving(lambda *_: next(answers)) as server:
        loop.loop()
        found = loop.run(twice(server.address))
    assert [each[-1:] for each in found] == [b"a", b"b"]
    assert found[1].count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("name", ODD)
def test_the_body_is_the_one_without_chunks(name: str) -> None:
    message = parse(ODD[name].block)
    if ODD[name].status == 0:
        assert message is None
        return
    assert message is not None
    assert message.status == ODD[name].status
    if message.status == 200:
        assert message.media_type == "text/html"
    if name in ("chunks", "trailers", "chunk-extension", "plain", "line-feeds"):
        assert message.body == ODD["plain"].block.partition(b"\r\n\r\n")[2]
    if name in ("gzip", "gzip-chunks", "deflate"):
        assert decoded(message, 1 << 20) == decoded(parse(ODD["plain"].block), 1 << 20)  # type: ignore[arg-type]
    if name in ("not-gzip",):
        assert decoded(message, 1 << 20) == b""


def test_chunks_end_where_one_has_no_size() -> None:
    assert chunks_of(b"2\r\nab\r\nx\r\n") == ([(3, 5)], None, False)
    assert chunks_of(b"") == ([], None, False)

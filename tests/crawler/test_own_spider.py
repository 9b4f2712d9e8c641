"""A spider and middlewares of the user's own have their pages, and no way around manners, records and the frontier."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scrapy")

from crawl_process import crawls
from crawls import check, crawled, of, pages, records
from rawserver import Answer, missing, page, serving

from archive.errors import CrawlError
from crawler.hosted.settings import settings_of
from crawler.run import crawl


def shop(path: str, request: bytes) -> Answer:
    """Lists of five things each."""
    name, _, rest = path[1:].partition("/")
    if path == "/" or name == "list":
        number = int(rest or 0)
        links = "".join(f"<a class=thing href=/thing/{each}>x</a>" for each in range(number * 5, number * 5 + 5))
        following = f"<a class=next href=/list/{number + 1}>x</a>" if number < 3 else ""
        body = f"<html>{links}{following}<a href=/elsewhere>not for the spider</a>".encode()
        return page(gzip.compress(body), "Content-Type: text/html", "Content-Encoding: gzip")
    if name == "thing":
        return page(f"<html><h1>thing {rest}</h1>")
    return missing()


def items(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]


def test_a_spider_follows_what_it_yields_and_its_items_name_their_records(tmp_path: Path) -> None:
    with serving(shop) as server:
        result = crawled(tmp_path, server.address + "/", spider="own_spiders:Shop")
        assert (result.ended, result.pages, result.waiting) == ("finished", 24, 0)
        assert "/elsewhere" not in server.paths()
    found = items(tmp_path)
    assert sorted(each["item"]["name"] for each in found) == sorted(f"thing {each}" for each in range(20))
    responses = {each.id: each.url for each in records(tmp_path) if each.kind == "response"}
    assert all(responses[f"<{each['record']}>"] == each["url"] for each in found)
    assert {each["item"]["number"] for each in found} == set(range(5))
    assert all(each["item"]["from"].startswith(server.address) for each in found)
    info = next(each for each in records(tmp_path) if each.kind == "warcinfo")
    assert b"spider: own_spiders:Shop\r\n" in info.block
    assert check(tmp_path) > 70


def test_a_spider_begins_with_its_own_urls_and_its_headers_are_sent(tmp_path: Path) -> None:
    with serving(shop) as server:
        settings = (("SHOP", server.address + "/list/3"),)
        result = crawled(tmp_path, spider="own_spiders:Starting", settings=settings)
        assert (result.ended, result.pages) == ("finished", 6)
        again = crawled(tmp_path, spider="own_spiders:Starting", settings=settings)
        assert (again.crawl, again.pages) == (1, 6)
    assert len(items(tmp_path)) == 5
    assert b"X-Shop: open\r\n" in of(tmp_path, "request", "/list/3")[0].block


def test_items_go_through_middlewares_and_pipelines(tmp_path: Path) -> None:
    settings = settings_of(
        [
            'SPIDER_MIDDLEWARES={"own_spiders.Doubling": 500}',
            'ITEM_PIPELINES={"own_spiders.Pricing": 1}',
            'EXTENSIONS={"own_spiders.Counting": 0}',
            f"COUNT={tmp_path / 'count'}",
        ]
    )
    with serving(shop) as server:
        crawled(tmp_path, server.address + "/", spider="own_spiders:Shop", settings=settings)
    found = items(tmp_path)
    assert len(found) == 38
    assert all(each["item"]["price"] == 2 for each in found)
    assert sum("second" in each["item"] for each in found) == 19
    assert (tmp_path / "count").read_text() == "26"


def test_a_spider_with_rules_works(tmp_path: Path) -> None:
    with serving(shop) as server:
        crawled(tmp_path, server.address + "/", spider="own_spiders:Rules")
    assert len(items(tmp_path)) == 20


def test_a_redirect_keeps_what_is_to_be_done(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/":
            return page("<a class=thing href=/thing/0>")
        if path == "/thing/0":
            return page("", "Location: /thing/100", status="302 Found")
        return shop(path, request)

    with serving(answer) as server:
        crawled(tmp_path, server.address + "/", spider="own_spiders:Shop")
    assert [each["item"]["name"] for each in items(tmp_path)] == ["thing 100"]


def test_after_kills_each_page_and_each_item_is_there_once(tmp_path: Path) -> None:
    dice = random.Random(2)
    with serving(shop) as server, crawls(tmp_path, f"spider {server.address}/") as runs:
        for _ in range(4):
            process = runs.begin()
            until = len(server.asked) + dice.randint(5, 9)
            while len(server.asked) < until:
                time.sleep(0.002)
            os.kill(process, signal.SIGKILL)
            assert runs.end() == signal.SIGKILL
        runs.begin()
        assert runs.end() == 0
    assert Counter(each["item"]["name"] for each in items(tmp_path)) == Counter(f"thing {each}" for each in range(20))
    assert Counter(pages(tmp_path)).most_common(1)[0][1] == 1
    responses = {each.id for each in records(tmp_path) if each.kind in ("response", "revisit")}
    assert {f"<{each['record']}>" for each in items(tmp_path)} <= responses


def test_a_spider_that_fails_at_a_page_loses_neither_the_page_nor_what_it_yielded(tmp_path: Path) -> None:
    with serving(lambda path, _: page(f"<p>{path}") if path in ("/", "/second") else missing()) as server:
        result = crawled(tmp_path, server.address + "/", spider="own_spiders:Failing")
    assert (result.pages, result.left_out["spider-error"]) == (2, 2)
    assert [each["item"]["url"].removeprefix(server.address) for each in items(tmp_path)] == ["/", "/second"]
    notes = [each.notes.get("spider-error") for each in of(tmp_path, "metadata", "/second")]
    assert notes == ["ValueError: the shop is closed"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("lambda", "no method of the spider"),
        ("post", "only GET is sent"),
        ("meta", "not JSON"),
        ("errback", "has an errback"),
        ("cookies", "has cookies"),
    ],
)
def test_a_request_that_would_not_survive_a_kill_ends_the_run(tmp_path: Path, how: str, words: str) -> None:
    with serving(lambda path, _: page("<p>") if path == "/" else missing()) as server:
        with pytest.raises(CrawlError, match=words):
            crawled(tmp_path, server.address + "/", spider="own_spiders:Unsupported", settings=(("HOW", how),))
        result = crawled(tmp_path, server.address + "/", spider="own_spiders:Unsupported")  # mended
    assert (result.ended, result.pages, pages(tmp_path)) == ("finished", 1, ["/"])


def test_robots_and_nofollow_hold_for_a_spider(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/robots.txt":
            return page("User-agent: *\nDisallow: /thing/0", "Content-Type: text/plain")
        if path == "/list/1":
            return page("<meta name=robots content=nofollow><a class=thing href=/thing/9>")
        return shop(path, request)

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", spider="own_spiders:Shop")
        assert "/thing/0" not in server.paths()
        assert "/thing/9" not in server.paths()
    assert result.reasons == {"robots": 1}
    assert result.left_out["nofollow"] == 1


def test_a_middleware_may_add_a_header_but_not_change_who_asks(tmp_path: Path) -> None:
    settings = settings_of(['DOWNLOADER_MIDDLEWARES={"own_spiders.Greeting": 500}'])
    with serving(lambda path, _: page("<p>") if path == "/" else missing()) as server:
        result = crawled(tmp_path, server.address + "/", settings=settings)
        assert result.pages == 1
        asked = [request for _, request in server.asked]
    assert all(b"X-Greeting: hello\r\n" in each for each in asked)
    assert all(b"\r\nUser-Agent: lowbackground/" in each and b"If-None-Match" not in each for each in asked)
    assert of(tmp_path, "request", "/")[0].block == next(each for each in asked if each.startswith(b"GET / "))
    info = next(each for each in records(tmp_path) if each.kind == "warcinfo")
    assert b"scrapy-settings: DOWNLOADER_MIDDLEWARES\r\n" in info.block


def test_what_a_middleware_makes_up_is_not_recorded_and_what_came_always_is(tmp_path: Path) -> None:
    names = ("ignored", "answered", "replaced", "other", "came", "instead", "broken")
    links = "".join(f"<a href=/{each}>" for each in names if each not in ("other", "instead"))
    settings = settings_of(['DOWNLOADER_MIDDLEWARES={"own_spiders.Choosy": 500}'])
    with serving(lambda path, _: page(f"{links}{path}") if path[1:] in ("", *names) else missing()) as server:
        result = crawled(tmp_path, server.address + "/", settings=settings)
    assert result.ended == "finished"
    assert result.reasons == {"middleware": 3}
    assert sorted(pages(tmp_path)) == ["/", "/broken", "/came", "/instead", "/other"]


def test_a_proxy_is_named_and_its_address_is_not_that_of_the_site(tmp_path: Path) -> None:
    settings = settings_of(['DOWNLOADER_MIDDLEWARES={"own_spiders.Proxied": 500}'])
    body = {"http://example.test:81/": page("<a href=/a>"), "http://example.test:81/a": page("<p>a")}
    with serving(lambda path, _: body.get(path, missing())) as proxy:
        where = (("THE_PROXY", proxy.address), *settings)
        result = crawled(tmp_path, "http://example.test:81/", settings=where, allow_private=False)
        assert set(proxy.paths()) >= set(body)
    assert result.pages == 2
    response, request = (of(tmp_path, kind, "/a")[0] for kind in ("response", "request"))
    assert "WARC-IP-Address" not in response.headers
    assert "WARC-IP-Address" not in request.headers
    assert request.block.startswith(b"GET http://example.test:81/a HTTP/1.1\r\n")
    assert of(tmp_path, "metadata", "/a")[0].notes["proxy"] == f"127.0.0.1:{proxy.port} (127.0.0.1)"
    assert of(tmp_path, "metadata", "/robots.txt")[0].notes["proxy"]


@contextlib.contextmanager
def tunnels() -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that connects everything to where it is asked for, on loopback; with what it was asked."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                request = b""
                while b"\r\n\r\n" not in request:
                    request += client.recv(65536)
                asked.append(request)
                port = int(request.split(b" ", 2)[1].rpartition(b":")[2])
                server = socket.create_connection(("127.0.0.1", port))
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1], asked
    listener.close()


def certified(folder: Path) -> ssl.SSLContext:
    """Return a server's context, with a certificate that it signed itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    words = ["req", "-x509", *curve, "-nodes", "-days", "2", "-subj", "/CN=example.test"]
    subprocess.run(["openssl", *words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_a_tunnel_through_a_proxy_has_the_bytes_of_the_site_and_no_password(tmp_path: Path) -> None:
    middlewares = {"own_spiders.Proxied": 1, "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": 2}
    with serving(lambda path, _: page("<p>secure") if path == "/" else missing(), tls=certified(tmp_path)) as server:
        with tunnels() as (port, asked):
            given = {"THE_PROXY": f"http://me:secret@127.0.0.1:{port}", "DOWNLOADER_MIDDLEWARES": middlewares}
            url = f"https://example.test:{server.port}/"
            result = crawled(tmp_path / "out", url, settings=settings_of(given), allow_private=False)
    assert (result.pages, result.statuses) == (1, {"200": 1})
    assert all(b"Proxy-Authorization: Basic bWU6c2VjcmV0" in each for each in asked)
    requests = [each for each in records(tmp_path / "out") if each.kind == "request"]
    assert len(requests) == 3
    assert not [each for each in requests if b"Authorization" in each.block or "WARC-IP-Address" in each.headers]
    response = of(tmp_path / "out", "response", f"{server.port}/")[0]
    assert response.protocols[0] == "http/1.1"
    assert response.protocols[1].startswith("tls/")


def test_through_a_proxy_private_addresses_are_refused_too(tmp_path: Path) -> None:
    settings = settings_of(['DOWNLOADER_MIDDLEWARES={"own_spiders.Proxied": 500}'])
    with serving(lambda *_: page("secret")) as proxy:
        where = (("THE_PROXY", proxy.address), *settings)
        crawled(tmp_path, "http://10.1.2.3/", settings=where, allow_private=False)
        assert proxy.asked == []


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("DOWNLOAD_DELAY=0", "use --delay"),
        ("ROBOTSTXT_OBEY=False", "robots.txt is obeyed"),
        ("SCHEDULER=mine.Scheduler", "crawl.sqlite"),
        ("DOWNLOAD_HANDLERS={}", "bytes of the wire"),
        ("CONCURRENT_REQUESTS_PER_DOMAIN=8", "one request at a time"),
        ("RETRY_TIMES=9", "asks again itself"),
        ("COOKIES_ENABLED=1", "no cookies"),
        ("USER_AGENT=Mozilla", "use --contact"),
        ("PLAYWRIGHT_ABORT_REQUEST=mine.f", "what the crawl fetches"),
        ('PLAYWRIGHT_LAUNCH_OPTIONS={"args": ["--proxy-server="]}', "args cannot be set"),
        ("FEEDS={}", "items.jsonl"),
        ("CRAWL_ALLOW_PRIVATE=1", "options of archive crawl"),
        ("DOWNLOADER_MIDDLEWARES_BASE={}", "fixed"),
        ('DOWNLOADER_MIDDLEWARES={"scrapy.downloadermiddlewares.retry.RetryMiddleware": 1}', "asks again itself"),
        ("DOWNLOADER_MIDDLEWARES=mine", "no JSON"),
        ("ITEM_PIPELINES={}", "needs --spider"),
        ("nothing", "NAME=VALUE"),
    ],
)
def test_a_setting_that_would_break_manners_or_records_is_refused(tmp_path: Path, setting: str, words: str) -> None:
    with pytest.raises(CrawlError, match=words):
        crawl("http://127.0.0.1:9/", out=tmp_path, contact="test@example.org", settings=[setting])


@pytest.mark.parametrize(
    ("spider", "words"),
    [
        ("own_spiders:Greedy", "use --delay"),
        ("own_spiders:Nothing", "Nothing"),
        ("nowhere:Shop", "nowhere"),
        ("own_spiders:Greeting", "no subclass"),
        ("own_spiders", "module:Class"),
    ],
)
def test_a_spider_that_is_none_is_refused(tmp_path: Path, spider: str, words: str) -> None:
    with pytest.raises(CrawlError, match=words):
        crawl(out=tmp_path, contact="test@example.org", spider=spider)


def test_the_spider_of_the_manual_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "crawl.md").read_text()
    module = manual.partition("```python\n")[2].partition("```")[0]
    assert len(module.splitlines()) <= 20
    with serving(shop) as server:
        (tmp_path / "shop.py").write_text(module.replace("https://shop.example", server.address))
        monkeypatch.chdir(tmp_path)
        out = tmp_path / "out"
        result = crawled(out, spider="shop:Shop")
        assert (result.ended, result.pages) == ("finished", 24)
        assert {each["item"]["list"].removeprefix(server.address) for each in items(out)} >= {"/", "/list/3"}


@pytest.mark.parametrize("how", ["engine", "meta", "clear"])
def test_what_a_spider_asks_of_the_engine_itself_is_not_sent_and_costs_no_page(tmp_path: Path, how: str) -> None:
    def answer(path: str, request: bytes) -> Answer:
        return page("User-agent: *\nDisallow: /private" if path == "/robots.txt" else f"<p>{path}")

    with serving(answer) as server:
        settings = (("HOW", how),)
        result = crawled(tmp_path, server.address + "/", spider="own_spiders:Direct", settings=settings, seconds=20)
        assert "/private" not in server.paths()
    assert (result.ended, result.pages, pages(tmp_path)) == ("finished", 1, ["/"])
    assert result.left_out == ({} if how == "clear" else {"spider-error": 1})
    assert len(items(tmp_path)) == (how == "clear")

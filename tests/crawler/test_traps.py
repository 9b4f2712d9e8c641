"""Endless sites end by rule, sitemaps are followed, and scope and depth are kept."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawls import crawled, of, pages
from rawserver import Answer, missing, page, serving

from crawler.driver import REDIRECTS
from crawler.wire.message import chunks_of, parse


def test_an_endless_calendar_ends_at_its_depth_and_at_the_pages_of_a_host(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        number = int(path.partition("=")[2] or 0)
        return page(f"<a href=/day?n={number + 1}>next</a> day {number}") if path[:2] in ("/", "/d") else missing()

    with serving(answer) as server:
        deep = crawled(tmp_path / "a", server.address + "/", depth=7)
        many = crawled(tmp_path / "b", server.address + "/", host_pages=5)
    assert (deep.done, deep.left_out) == (8, {"depth": 1})
    assert (many.done, many.reasons) == (5, {"host-budget": 1})


def test_session_ids_end_after_fifty_equal_pages(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/":
            return page("".join(f"<a href=/page?sid={number}>" for number in range(200)) + "<a href=/other>")
        return page("the same" if path.startswith("/page") else path)

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/")
    assert result.reasons == {"trap": 150}
    assert "/other" in pages(tmp_path)


def test_paths_that_grow_and_long_urls_are_left_out(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        return (
            page(f"<a href='{path.rstrip('/')}/deeper/'><a href='/{'x' * 2100}'>")
            if path != "/robots.txt"
            else missing()
        )

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/")
    assert result.done == 4
    assert result.left_out == {"repeated-segment": 1, "long-url": 1}


def test_a_bomb_and_a_page_of_a_million_links_are_bounded(tmp_path: Path) -> None:
    bomb = gzip.compress(b"<a href=/never>" * 100 + b" " * 50_000_000, 9)
    links = b"".join(b"<a href=/%d>" % number for number in range(1_000_000))

    def answer(path: str, request: bytes) -> Answer:
        if path == "/bomb":
            return page(bomb, "Content-Type: text/html", "Content-Encoding: gzip")
        if path == "/links":
            return page(links)
        return page("<a href=/bomb><a href=/links>") if path == "/" else missing()

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", pages=3)
    assert result.done == 3
    assert result.waiting == 10_001
    assert result.left_out == {"too-many-links": 1}
    assert of(tmp_path, "response", "/bomb")[0].block.endswith(bomb)


def test_sitemaps_of_robots_are_followed_and_recorded(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        here = server.address
        files = {
            "/robots.txt": page(f"Sitemap: {here}/index.xml\nSitemap: http://elsewhere.example/s.xml", "Content-Type: text/plain"),
            "/index.xml": page(f"<sitemapindex><sitemap><loc>{here}/one.xml.gz</loc></sitemap></sitemapindex>"),
            "/one.xml.gz": page(gzip.compress(f"<urlset><url><loc>{here}/hidden</loc></url><url><loc>http://elsewhere.example/</loc></url></urlset>".encode())),
            "/": page("no links"),
            "/hidden": page("found"),
        }  # fmt: skip
        return files.get(path, missing())

    with serving(answer) as server:
        result = crawled(tmp_path / "a", server.address + "/")
        assert sorted(pages(tmp_path / "a")) == ["/", "/hidden", "/index.xml", "/one.xml.gz"]
        assert result.left_out == {"scope": 2}
        assert of(tmp_path / "a", "metadata", "/hidden")[0].notes["via"] == server.address + "/one.xml.gz"
        assert crawled(tmp_path / "b", server.address + "/", sitemaps=False).done == 1


def test_where_a_seed_redirects_to_belongs_to_the_crawl(tmp_path: Path) -> None:
    with serving(lambda path, _: page("<a href=/b>") if path == "/" else page(path)) as there:
        with serving(lambda *_: page("", f"Location: {there.address}/", status="301 Moved Permanently")) as here:
            result = crawled(tmp_path / "a", here.address + "/")
            assert result.done == 3
            once = crawled(tmp_path / "b", here.address + "/", pages=2)
            assert (once.done, crawled(tmp_path / "b", here.address + "/").done) == (2, 3)


def test_the_prefix_and_the_expressions_bound_a_crawl(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        return page("<a href=/blog/1><a href=/blog/2.pdf><a href=/blog/3><a href=/shop><a href=http://other.example/>")

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/blog/", scope="prefix", include=("[0-9]",), exclude=(r"\.pdf$",))
    assert sorted(pages(tmp_path)) == ["/blog/", "/blog/1", "/blog/3"]
    assert set(result.left_out) == {"scope", "excluded"}


@pytest.mark.parametrize(
    ("fields", "markup", "count"),
    [
        (("Content-Type: text/html", "X-Robots-Tag: noindex, nofollow"), "<a href=/b>", 1),
        (("Content-Type: text/html",), "<meta name=robots content=nofollow><a href=/b>", 1),
        (("Content-Type: text/plain",), "<a href=/b>", 1),
        (("X-Nothing: 1",), "<a href=/b>", 2),
        (("Content-Type: application/xhtml+xml",), "<a href='/b'/>", 2),
    ],
)
def test_links_are_followed_in_pages_that_let_robots_do_so(
    tmp_path: Path, fields: tuple[str, ...], markup: str, count: int
) -> None:
    with serving(lambda path, _: missing() if path == "/robots.txt" else page(markup, *fields)) as server:
        assert crawled(tmp_path, server.address + "/").done == count


def test_no_header_of_a_server_ends_a_crawl(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/robots.txt":
            return page("Sitemap: http://[bad\nSitemap: \x00\nCrawl-delay: much\n", "Content-Type: text/plain")
        if path == "/":
            return page("<a href=/a><a href=/b><a href=/c><a href='http://[bad/'><base href='http://[bad/'>")
        if path == "/a":
            return page("", "Location: http://[bad/", status="302 Found")
        if path == "/b":
            return page(
                "text",
                "ETag: \x01\x02",
                "Last-Modified: \xfc",
                "Content-Type: text/html; charset=\x00",
                "X-Robots-Tag: ,,",
            )
        return page("busy", "Retry-After: \xff", status="200 OK")

    with serving(answer) as server:
        assert crawled(tmp_path, server.address + "/").done == 5  # the sitemap too
        assert crawled(tmp_path, server.address + "/", again=True).done == 5  # the sitemap too
    assert not any(b"If-None-Match" in request for _, request in server.asked)


def test_redirects_that_never_end_end_after_some_and_widen_nothing_further(tmp_path: Path) -> None:
    """Each leads to another host, by a name that all of them have: neither the scope nor the pages of a host end it."""

    def answer(path: str, request: bytes) -> Answer:
        if path != "/" and not path[1:].isdigit():
            return missing()
        number = int(path[1:] or 0) + 1
        return page("", f"Location: http://127.0.0.{number}:{server.port}/{number}", status="302 Found")

    with serving(answer, "0.0.0.0") as server:
        result = crawled(tmp_path, f"http://127.0.0.1:{server.port}/", scope="any")
        assert result.done == REDIRECTS + 1
        assert result.left_out == {"redirects": 1}


def test_a_sitemap_that_moves_to_another_host_is_not_followed_there(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/robots.txt":
            return page(f"Sitemap: /away\nSitemap: /near\nSitemap: /{'x' * 3000}")
        moved = {"/away": f"http://localhost:{server.port}/s.xml", "/near": "/t.xml"}.get(path)
        if moved:
            return page("", f"Location: {moved}", status="301 Moved Permanently")
        return page("<urlset><loc>/relative</loc></urlset>")

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/")
        assert sorted(set(server.paths())) == [
            "/",
            "/.well-known/tdmrep.json",
            "/away",
            "/near",
            "/robots.txt",
            "/t.xml",
        ]
    assert result.left_out == {"scope": 1}


def test_no_page_ends_a_crawl(tmp_path: Path) -> None:
    odd = {
        "/1": page("<a href='/\\ud800&#xd800;%'><a href=/x>", "Content-Type: text/html; charset=idna"),
        "/2": page(b"<a href='\x00/2\x00\xff\xed\xa0\x80'>", "Content-Type: text/html; charset=hex"),
        "/3": page(b"\xff\xfe<\x00", "Content-Type: text/html; charset=utf-16"),
        "/4": page(b"", "Content-Type: text/html", "Content-Encoding: gzip"),
        "/5": page("x", "Content-Type: " + "text/html;" * 9000),
        "/6": page("<a href='http://[::1%25eth0]/'><a href='http://1.2.3.4.5.6:99999/'><a href='http://a@b@c:d/'>"),
        "/7": page("", "Location: " + "/" * 100_000, status="302 Found"),
        "/8": page("", "Location: \xff\xfe//\x01", status="302 Found"),
        "/9": page("<meta charset=undefined><base href='//['><a href='//]'><a href=/y>"),
    }

    def answer(path: str, request: bytes) -> Answer:
        return page("".join(f"<a href={each}>" for each in odd)) if path == "/" else odd.get(path) or missing()

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/")
        assert {*odd, "/x", "/y"} <= set(server.paths())
    assert (result.ended, result.failed) == ("finished", 0)


def test_a_proxy_of_the_environment_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: missing()) as proxy, serving(lambda *_: missing()) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        assert crawled(tmp_path, server.address + "/").done == 1
        assert proxy.asked == []


def test_a_header_of_many_lines_and_a_body_of_many_chunks_take_no_time() -> None:
    started = time.process_time()
    header = b"HTTP/1.1 200 OK\r\nA: b\r\n" + b" a\n" * 300_000 + b"\r\n"
    found = parse(header)
    assert found is not None
    assert len(found.get(b"a")) == 600_001
    assert chunks_of(b"1\r\na\r\n" * 300_000 + b"0\r\n\r\n")[1:] == (b"a" * 300_000, True)
    assert time.process_time() - started < 2

"""Links are found as browsers find them, and no page takes long or much memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from crawler.links.html import MOST_LINKS, addresses_of, links_of
from crawler.links.leads import leads_of
from crawler.wire.message import Message, parse

URL = "http://example.com/folder/page?x=1"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<a href="b">', ["http://example.com/folder/b"]),
        ("<A HREF=b>", ["http://example.com/folder/b"]),
        ("<a title='x>y' href = '/b' >", ["http://example.com/b"]),
        ("<a\nhref=//other.example/c>", ["http://other.example/c"]),
        ('<a href="?y=1&amp;z=2#part">', ["http://example.com/folder/page?y=1&z=2#part"]),
        ('<a href="b"><a href="b"><a href="c">', ["http://example.com/folder/b", "http://example.com/folder/c"]),
        ('<a data-href="b" href>', []),
        ("<a href=mailto:a@b.example><a href='javascript:x()'><a href='data:,x'>", []),
        ("<!-- <a href=b> --><a href=c>", ["http://example.com/folder/c"]),
        ("<script>'<a href=b>'</script><a href=c>", ["http://example.com/folder/c"]),
        ("<style><a href=b></style ><title><a href=b></title><a href=c>", ["http://example.com/folder/c"]),
        ("<script><a href=b>", []),
        ("<abbr href=b><article href=c>", []),
        ("<iframe src=b></iframe><frame src=c><area href=d>", [f"http://example.com/folder/{each}" for each in "bcd"]),
        ("<link rel=stylesheet href=b><link rel='next' href=c>", ["http://example.com/folder/c"]),
        ("<meta http-equiv=Refresh content=\"0; URL='/b'\">", ["http://example.com/b"]),
        ("<base href='/other/'><a href=b>", ["http://example.com/other/b"]),
        ("<a href='http://[bad/'><a href=c>", ["http://example.com/folder/c"]),
        ("<a href='\n b\n c '>", ["http://example.com/folder/b c"]),
        ('<a href="unclosed><a href=c>', ["http://example.com/folder/c"]),  # a browser finds none
        ("<meta name=robots content='noindex, NoFollow'><a href=b>", []),
    ],
)
def test_links_are_those_of_the_standard(markup: str, expected: list[str]) -> None:
    assert links_of(markup.encode(), URL).urls == expected


def test_a_link_is_read_in_the_charset_of_its_page() -> None:
    assert links_of('<a href="/Zoë">'.encode("latin-1"), URL, "iso-8859-1").urls == ["http://example.com/Zoë"]
    page = '<meta charset="windows-1251"><a href="/мир">'.encode("cp1251")
    assert links_of(page, URL).urls == ["http://example.com/мир"]


@pytest.mark.parametrize(
    "part",
    [b"<a href=x ", b"<a ", b'<a x="', b"<a href=" + b"'" * 9, b"<!--", b"<script>", b"<a " + b"x=' " * 9, b'< a="'],
)
def test_no_page_takes_long(part: bytes) -> None:
    started = time.process_time()
    links_of(part * (4_000_000 // len(part)), URL)
    links_of(b"<meta http-equiv=refresh content='" + b" " * 60_000 + b"'>", URL)
    addresses_of(b"<loc>" + part * (1_000_000 // len(part)))
    addresses_of(b"<loc>" + b" " * 1_000_000)
    assert time.process_time() - started < 2


def test_of_a_page_with_too_many_links_only_the_first_are_followed() -> None:
    found = links_of(b"".join(b'<a href="/%d">' % number for number in range(50_000)), URL)
    assert found.more
    assert len(found.urls) == MOST_LINKS
    assert found.urls[-1] == f"http://example.com/{MOST_LINKS - 1}"


def test_a_sitemap_is_xml_or_lines() -> None:
    assert addresses_of(b"\xef\xbb\xbf<?xml version='1.0'?><urlset xmlns='x'><url><loc>\n http://a.example/?x&amp;y \n</loc></url>"
                        b"<url><loc><![CDATA[http://a.example/2]]></loc><lastmod>2020</lastmod></url></urlset>"
                        ) == (["http://a.example/?x&y", "http://a.example/2"], False)  # fmt: skip
    assert addresses_of(b"<sitemapindex><sitemap><loc>http://a.example/s.xml</loc></sitemap></sitemapindex>") == (
        ["http://a.example/s.xml"], True)  # fmt: skip
    assert addresses_of(b"http://a.example/1\nhttp://a.example/2\n\n") == (["http://a.example/1", "http://a.example/2"], False)  # fmt: skip
    assert addresses_of(b"") == ([], False)


@pytest.mark.parametrize(
    "charset", ["hex", "zlib", "rot13", "base64", "idna", "punycode", "undefined", "unicode_escape", "utf-16", "\x00", "x" * 999]
)  # fmt: skip
def test_a_charset_that_is_none_costs_no_links(charset: str) -> None:
    page = b'<a href="/a%ff\xff.b\\"><a href="/xn--b-.example">'
    assert links_of(page, URL, charset).urls
    assert links_of(page, URL, "hex").urls[-1] == "http://example.com/xn--b-.example"
    assert addresses_of(page) == ([], False)


def test_the_first_base_counts() -> None:
    assert links_of(b"<base target=x><base href=/one/><base href=http://other.example/><a href=b>", URL).urls == [
        "http://example.com/one/b"
    ]
    assert links_of(b"<base href=mailto:x><base href=/one/><a href=b>", URL).urls == ["http://example.com/one/b"]


def test_a_sitemap_of_millions_of_words_takes_little_memory() -> None:
    sitemap = b"a " * 4_000_000 + b"http://example.com/\xff/" + b"b" * 9000 + b"\nhttps://example.com/c"
    tracemalloc.start()
    found, _ = addresses_of(sitemap)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
    assert found[-1] == "https://example.com/c"


def message(*tags: str) -> Message:
    head = "".join(f"X-Robots-Tag: {tag}\r\n" for tag in tags)
    found = parse(f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{head}\r\n<a href=/b>".encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("tags", "is_followed"),
    [
        (("nofollow",), False),
        (("noindex, NONE",), False),
        (("lowbackground: nofollow",), False),
        (("LowBackground: noindex, nofollow",), False),
        (("robots: nofollow",), False),
        (("otherbot: nofollow",), True),
        (("otherbot: noindex, nofollow",), True),
        (("otherbot: noindex", "nofollow"), False),
        (("otherbot: noindex, lowbackground: nofollow",), False),
        (("lowbackground: noindex, otherbot: nofollow",), True),
        (("max-snippet: 5, nofollow",), False),
        (("unavailable_after: 25 Jun 2030 15:00:00 PST, nofollow",), False),
        (("unavailable_after: Tuesday, 25-Jun-30 15:00:00 UTC, nofollow",), False),
        (("", ",,:", ": nofollow"), False),
    ],
)
def test_rules_in_a_header_are_for_whom_they_name(tags: tuple[str, ...], is_followed: bool) -> None:
    assert bool(leads_of(message(*tags), "http://example.com/", "page", 0).urls) == is_followed

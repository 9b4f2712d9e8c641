"""Links are found as browsers find them, and no page takes long or much memory."""

from __future__ import annotations

import time

import pytest

from crawler.links.html import MOST_LINKS, addresses_of, links_of

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

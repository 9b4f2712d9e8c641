"""What belongs to a crawl, and what is a trap."""

from __future__ import annotations

import pytest

pytest.importorskip("scrapy")

from hypothesis import given
from hypothesis import strategies as st
from scrapy import Request

from crawler.links.scope import Repeats, Scope, domain_of, host_of, normal, origin_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Example.com", "http://example.com/"),
        ("https://example.com:443/a b#c", "https://example.com/a%20b"),
        ("http://example.com:8080/?q=ä", "http://example.com:8080/?q=%C3%A4"),
        ("http://user:word@example.com/", "http://example.com/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]/a"),
        ("http://example.com./a", "http://example.com/a"),
        ("http://example.com。/", "http://example.com/"),
        ("http://exam ple.com/", None),
        ("http://example.com%0d%0aX-A:1/", None),
        ("http://a..example/", None),
        ("http://example.com/a\r\nX: 1", "http://example.com/aX:%201"),
        ("ftp://example.com/", None),
        ("http:///a", None),
        ("http://example.com:99999/", None),
        ("http://[bad/", None),
        ("nothing", None),
    ],
)
def test_a_url_has_one_form(url: str, expected: str | None) -> None:
    assert normal(url) == expected
    if expected:
        assert normal(expected) == expected


def test_the_parts_of_a_url() -> None:
    assert host_of("http://example.com:81/a?b") == "example.com:81"
    assert origin_of("https://example.com/a?b") == "https://example.com"
    assert domain_of("http://www.shop.example.co.uk/") == "example.co.uk"
    assert domain_of("http://127.0.0.1:80/") == "127.0.0.1"


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        ("host", "http://www.example.com/x", "http://example.com/"),
        ("domain", "https://other.example.com/x", "http://example.org/"),
        ("prefix", "http://www.example.com/a/b/c", "http://www.example.com/b"),
        ("any", "http://example.org/", ""),
    ],
)
def test_a_scope_takes_what_is_inside_of_it(kind: str, inside: str, outside: str) -> None:
    scope = Scope(kind, ["http://www.example.com/a/b?c"])
    assert scope.takes(inside, 1)
    if outside:
        assert not scope.takes(outside, 1)
        assert scope.left_out == {"scope": 1}
        scope.add(outside)
        assert scope.takes(outside, 1)


def test_expressions_and_rules_leave_urls_out() -> None:
    scope = Scope("any", [], (r"/a", "/b"), (r"\.pdf$",), depth=3)
    for url, depth in [
        ("http://example.com/a", 4), ("http://example.com/c", 1), ("http://example.com/a.pdf", 1),
        ("http://example.com/a/x/a/x/a/x/a", 1), ("http://example.com/a" + "x" * 2100, 1),
    ]:  # fmt: skip
        assert not scope.takes(url, depth)
    assert scope.takes("http://example.com/a/x/a/x/a/x", 3)
    assert scope.left_out == {"depth": 1, "not-included": 1, "excluded": 1, "repeated-segment": 1, "long-url": 1}


def test_a_folder_of_equal_payloads_is_closed() -> None:
    repeats = Repeats(5)
    for number in range(20):
        assert not repeats.add(f"http://example.com/{number}", b"%d" % (number // 4)).closed
        found = repeats.add(f"http://example.com/c?{number}", b"same")
        assert (found.folder, found.count, found.closed) == ("http://example.com/c?", number + 1, number >= 4)
    assert repeats.is_closed("http://example.com/c?d")
    assert not repeats.is_closed("http://example.com/c")


@given(
    st.text(alphabet="ab/?#&=%.:;@[]{}|\\^`~!$'()*+,-_<>\" ä中\u00a0\x7f\x01。", max_size=14),
    st.sampled_from(["a.example", "A.ex:80", "bücher.de", "[::1]"]),
)
def test_the_form_of_a_url_is_stable_and_scrapy_asks_for_it(rest: str, host: str) -> None:
    url = normal(f"http://{host}/{rest}")
    if url is not None:
        assert normal(url) == url
        assert Request(url).url == url
        assert url.isascii()
        assert not set(url) & set(" \r\n\t\0")

"""robots.txt as RFC 9309 has it, and what it says of others."""

from __future__ import annotations

import pytest

pytest.importorskip("protego")

from crawler.robots.rules import Rules

TEXT = b"""\xef\xbb\xbf# a comment
User-agent: *
Disallow: /private
Allow: /private/open$
Crawl-delay: 7
Content-Usage: train-ai=n
Sitemap: http://example.com/s.xml

User-agent: GPTBot
User-agent: CCBot
Disallow: /

User-agent: lowbackground
Disallow: /no
Allow: /no/*/yes
content-signal: search=yes, ai-train=no
Crawl-delay: 2.5
"""


@pytest.mark.parametrize(
    ("path", "allowed", "rule"),
    [
        ("/", True, "no rule matches"),
        ("/private", True, "no rule matches"),
        ("/no", False, "disallow: /no (user-agent: lowbackground)"),
        ("/no?x", False, "disallow: /no (user-agent: lowbackground)"),
        ("/no/x/yes", True, "allow: /no/*/yes (user-agent: lowbackground)"),
        ("/n%6F", False, "disallow: /no (user-agent: lowbackground)"),
    ],
)
def test_the_longest_rule_of_our_group_decides(path: str, allowed: bool, rule: str) -> None:
    verdict = Rules(200, TEXT).verdict("http://example.com" + path)
    assert (verdict.allowed, verdict.rule) == (allowed, rule)
    assert verdict.shut_out[:2] == ("CCBot", "GPTBot") or "CCBot" in verdict.shut_out


def test_what_it_says_of_others_is_kept() -> None:
    rules = Rules(200, TEXT)
    assert rules.usage == ("Content-Usage: train-ai=n", "content-signal: search=yes, ai-train=no")
    assert rules.sitemaps == ("http://example.com/s.xml",)
    assert rules.crawl_delay == 2.5
    assert rules.verdict("http://example.com/a").shut_out == ("CCBot", "GPTBot")
    assert "Bytespider" in rules.verdict("http://example.com/private/a").shut_out
    assert "Bytespider" not in rules.verdict("http://example.com/private/open").shut_out


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(200, True), (404, True), (403, True), (429, False), (500, False), (503, False), (0, False), (301, True)],
)
def test_a_client_error_is_open_and_a_server_error_is_closed(status: int, allowed: bool) -> None:
    rules = Rules(status, b"")
    assert rules.verdict("http://example.com/a").allowed == allowed
    assert rules.is_closed != allowed
    assert rules.verdict("http://example.com/a").rule


def test_only_the_first_500_kib_are_read() -> None:
    body = b"User-agent: *\n" + b"# a comment\n" * 50_000 + b"Disallow: /\n"
    assert Rules(200, body).verdict("http://example.com/a").allowed
    assert not Rules(200, b"User-agent: *\nDisallow: /\n" + b"\xff" * 1000).verdict("http://example.com/a").allowed


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: lowbackground/1.0\nDisallow: /private",
        b"User-agent: LowBackground by somebody\nDisallow: /private",
        b"useragent lowbackground*\ndisallow /private",
        b"User-agent: other\nUser-agent: lowbackground/2\n\n\nDisallow: /private",
        b"User-agent: lowbackground\nDisallow: /a\nUser-agent: *\nAllow: /\nUser-agent: lowbackground/3\nDisallow: /private",
        b"User-agent: low\nAllow: /\nUser-agent: background\nAllow: /\nUser-agent: *\nDisallow: /private",
        b"User-agent: low-background\nUser-agent: lowbackground_2\nAllow: /\nUser-agent: *\nDisallow: /private",
        b"User-agent: lowbackground\nCrawl-delay: 2\nUser-agent: *\nDisallow: /private",
        b"User-agent: lowbackground\nNoindex: /\nSitemap: /s.xml\nUser-agent: *\nDisallow: /private",
        b"User-agent: * # all\rDisallow: /private",
        b"User-agent: * all\r\nDisallow: /private\r\n",
        b"\xef\xbb\xbfUser-agent: *\nDisallow: /private",
        "\ufeffUser-agent: *\nDisallow: /private".encode("utf-16-le"),
        "User-agent: *\nDisallow: /private".encode("utf-16"),
        b"User-agent: *\nDisallow: /a\x0cUser-agent: lowbackground\nDisallow: /private",
        b"User-agent: *\nDisallow: /private\nAllow: /" + b"x" * 20 + b"\n" + b"#" * 511_935 + b"\nAllow: /private/x/y",
        b"User-agent: *\nDisallow: /*/./x\nDisallow: /pr%69v*te/\xff*\nDisallow: *vate/x$",
    ],
)
def test_our_rules_are_found_however_a_file_is_written(body: bytes) -> None:
    """By the parser of Google: `lowbackground_2` is no name of ours, an unknown line ends no group."""
    rules = Rules(200, body)
    assert not rules.verdict("http://example.com/private/x").allowed
    assert rules.verdict("http://example.com/other").allowed


@pytest.mark.parametrize(
    ("text", "delay"),
    [("-1", 0.0), ("nan", 0.0), ("1e309", 0.0), ("5 seconds", 0.0), ("", 0.0), ("0x10", 0.0), ("1e3", 1000.0), ("2.5", 2.5)],
)  # fmt: skip
def test_a_delay_that_is_none_delays_nothing(text: str, delay: float) -> None:
    assert Rules(200, f"User-agent: *\nCrawl-delay: {text}\nDisallow: /a".encode()).crawl_delay == delay


def test_a_delay_between_agents_is_that_of_all_of_them() -> None:
    rules = Rules(
        200, b"User-agent: a\nDisallow: /\nCrawl-delay: 9\nUser-agent: b\nCrawl-delay: 3\nUser-agent: *\nAllow: /"
    )
    assert rules.crawl_delay == 3
    assert rules.verdict("http://example.com/a").allowed

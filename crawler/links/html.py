"""The links of a page, and the addresses of a sitemap, in bounded memory.

A tree of a page with millions of links takes gigabytes. Here the tags are read one after the other, as the tokenizer of
the HTML standard does: comments, scripts and quoted values hold no links, and where a tag never ends the page does.
"""

from __future__ import annotations

import codecs
import html
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin

#: Links of one page, and addresses of one sitemap, that are followed.
MOST_LINKS, MOST_ADDRESSES = 10_000, 50_000
#: Whom rules for robots in a page are for, if they are for us.
OURS = frozenset({"robots", "lowbackground"})
#: What begins something: a comment, an element whose content is text, or a tag with links.
_BEGIN = re.compile(
    rb"<(?:(?P<comment>!--)|(?P<text>script|style|textarea|title|xmp|noembed|noframes)(?=[\s/>])"
    rb"|(?P<tag>a|area|base|frame|iframe|link|meta)(?=[\s/]))",
    re.IGNORECASE,
)
#: As the standard reads them: a quote counts only behind `=`. Nothing is tried twice, so that no page takes long.
_VALUE = rb"""\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+))"""
_ATTRIBUTE = re.compile(rb"([^\s/>=][^\s/>=]*+)(?:" + _VALUE + rb")?+")
_ATTRIBUTES = re.compile(rb"(?:[\s/=]++|[^\s/>=]++(?:" + _VALUE + rb")?+)*+>")
_LONGEST_TAG = 1 << 16
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_REFRESH = re.compile(r"\s*+[\d.]*+\s*+[;,]\s*+url\s*+=\s*+(.+)", re.IGNORECASE | re.DOTALL)
_LOC = re.compile(rb"<(?:\w+:)?loc\s*+>\s*+(?:<!\[CDATA\[)?+([^<\]]{1,8192}+)(?:\]\]>)?+\s*+</", re.IGNORECASE)
_INDEX = re.compile(rb"<(?:\w+:)?sitemapindex[\s>]", re.IGNORECASE)
_WORDS = re.compile(r"[\s,]+")
_RELATIONS = {"next", "prev", "canonical", "alternate", "up", "first", "last", "index", "contents", "start"}
#: What may be a link on a line of a sitemap.
_ADDRESS = re.compile(rb"(?<!\S)https?://[^\s]{1,8192}", re.IGNORECASE)
_EVERY_BYTE = bytes(range(256))
_STRIPPED = re.compile(r"[\t\r\n]")


@dataclass(slots=True)
class Links:
    """The links of a page, absolute, each once, in their order."""

    urls: list[str] = field(default_factory=list)
    more: bool = False  #: there are more, which are not followed
    nofollow: bool = False  #: the page asks robots not to follow its links


def links_of(page: bytes, url: str, charset: str = "") -> Links:
    """Find the links of a page: `a`, `area`, `frame`, `iframe`, some of `link`, and a refresh.

    Args:
        charset: as the header states it.

    >>> links_of(b'<base href="/b/"><a href="c?x=1&amp;y=2">C</a><!-- <a href=d> -->', "http://example.com/").urls
    ['http://example.com/b/c?x=1&y=2']
    """
    found, seen = Links(), set[str]()
    encoding, base = _encoding(page, charset), None
    for name, attributes in _tags(page):
        values = {each.lower(): value for each, value in _attributes(attributes, encoding)}
        target = ""
        if name in (b"a", b"area"):
            target = values.get("href", "")
        elif name in (b"frame", b"iframe"):
            target = values.get("src", "")
        elif name == b"base":
            if base is None:  # the first one counts
                base = _joined(url, values["href"]) or None if "href" in values else None
        elif name == b"link" and _RELATIONS & set(values.get("rel", "").lower().split()):
            target = values.get("href", "")
        elif name == b"meta":
            if values.get("name", "").strip().lower() in OURS:
                content = set(_WORDS.split(values.get("content", "").lower()))
                found.nofollow |= bool(content & {"nofollow", "none"})
            elif values.get("http-equiv", "").strip().lower() == "refresh":
                refresh = _REFRESH.match(values.get("content", ""))
                target = refresh[1].strip("\"' \t\r\n") if refresh else ""
        if not target:
            continue
        joined = _joined(base or url, target)
        if joined and joined not in seen:
            if len(found.urls) >= MOST_LINKS:
                found.more = True
                break
            seen.add(joined)
            found.urls.append(joined)
    if found.nofollow:
        found.urls.clear()
    return found


def _tags(page: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names of the tags that may hold links, and their attributes."""
    at = 0
    while begin := _BEGIN.search(page, at):
        at = begin.end()
        if begin["comment"]:
            end = page.find(b"-->", at - 2)
            if end < 0:
                return
            at = end + 3
            continue
        tag = _ATTRIBUTES.match(page, at, at + _LONGEST_TAG)
        if tag is None:
            at += _LONGEST_TAG
            continue
        at = tag.end()
        if begin["text"]:
            ending = re.compile(rb"</" + begin["text"].lower() + rb"(?=[\s/>])", re.IGNORECASE).search(page, at)
            if ending is None:
                return
            at = ending.end()
        else:
            yield begin["tag"].lower(), tag[0][:-1]


def _attributes(text: bytes, encoding: str) -> Iterator[tuple[str, str]]:
    for attribute in _ATTRIBUTE.finditer(text):
        value = attribute[2] or attribute[3] or attribute[4] or b""
        yield attribute[1].decode("latin-1"), html.unescape(value.decode(encoding, "replace"))


def _encoding(page: bytes, charset: str) -> str:
    stated = _CHARSET.search(page, 0, 4096)
    for name in (charset, stated[1].decode("latin-1") if stated else ""):
        try:
            found = codecs.lookup(name.strip("\"' ")).name
            _EVERY_BYTE.decode(found, "replace")  # Python has codecs that are no charset (`hex`), or refuse some bytes
        except (LookupError, ValueError):
            continue
        return found
    return "utf-8"


def _joined(base: str, target: str) -> str:
    try:
        joined = urljoin(base, _STRIPPED.sub("", target).strip())
    except ValueError:
        return ""
    return joined if joined[:7].lower() == "http://" or joined[:8].lower() == "https://" else ""


def addresses_of(sitemap: bytes) -> tuple[list[str], bool]:
    """Return the addresses in a sitemap (XML, or a line for each), and whether they are of further sitemaps."""
    if b"<" not in sitemap[:1000]:
        lines = itertools.islice(_ADDRESS.finditer(sitemap), MOST_ADDRESSES)
        return [line[0].decode("utf-8", "replace") for line in lines], False
    found: list[str] = []
    for each in _LOC.finditer(sitemap):
        found.append(html.unescape(each[1].decode("utf-8", "replace")).strip())
        if len(found) >= MOST_ADDRESSES:
            break
    return found, _INDEX.search(sitemap, 0, 4096) is not None

"""From the bytes of a page to its text: what kind of page they are, which charset, and the extractor."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archive.capture import Limits
from archive.reasons import Unusable
from archive.records.media_types import essence, stated
from archive.text import Extractor, Page, sniff
from archive.text.charset import decode, is_own, is_unreadable
from archive.text.encoding.labels import guessed_encoding, stated_encoding
from archive.text.extract import from_plain
from archive.text.xhtml import as_html

HTML_TYPES = frozenset({"text/html"})
#: Types of XML whose documents are pages.
XHTML_TYPES = frozenset({"application/xhtml+xml", "application/vnd.wap.xhtml+xml", "text/vnd.wap.wml"})
#: Types of XML whose documents may be pages.
XML_TYPES = frozenset({"text/xml", "application/xml"})
#: Plain text, and texts that people write with little markup.
PLAIN_TYPES = frozenset(
    {
        *("text/plain", "text/ascii", "text/x-ascii", "text/markdown", "text/x-markdown", "text/x-web-markdown"),
        *("text/x-rst", "text/prs.fallenstein.rst", "text/asciidoc", "text/x-asciidoc", "text/x-org", "text/x-readme"),
    }
)
#: Types that state nothing, as none does (MIME Sniffing, 7): the bytes decide.
UNKNOWN_TYPES = frozenset({"", "unknown/unknown", "application/unknown", "x-unknown/x-unknown"})
#: Types that say how a server made a page or how a browser should take it, in place of what it is: HTML counts there.
_ODD_TYPE = re.compile(
    r"application/(?:octet-stream|(?:x-)?(?:httpd|http|php|cgi|asp|jsp|perl|coldfusion|unknown|html|htm|xhtml)[\w.+-]*)"
    r"|text/(?!css|javascript|ecmascript|json|calendar|vcard|csv|tab-separated|x-json|vtt|cache-manifest|event-stream"
    r"|x-javascript|typescript|rtf|richtext|xsl)[\w.+-]+"
    r"|(?:www|wwwserver|magnus-internal|httpd|x-httpd|server|html|unknown|x-unknown|none|null)/[\w.+-]+"
)
#: What a browser does not show. Only its bytes can show that it is a page.
DOWNLOAD = "application/octet-stream"
_PAGE_TYPES = HTML_TYPES | XHTML_TYPES | XML_TYPES | PLAIN_TYPES | UNKNOWN_TYPES


def content_type_of(values: Sequence[str], further: str = "") -> str:
    """Return the Content-Type that counts of all that are stated, as one value.

    The last valid one counts (Fetch Standard). If that is no page, but another one is HTML, neither counts.

    Args:
        values: of the Content-Type fields of the HTTP header.
        further: the type that the record states. It counts where HTTP states no valid one.
    """
    if len(values) == 1 and "," not in values[0] and essence(values):
        return values[0]
    joined = ", ".join(values)
    found = essence(values)
    charset = stated_encoding(joined) if found else guessed_encoding(joined)
    found = found or essence([further])
    if not found:
        return joined
    if not may_hold_page(found) and HTML_TYPES.intersection(stated(*values)):
        found = DOWNLOAD
    return f"{found}; charset={charset}" if charset else found


def may_hold_page(mime: str) -> bool:
    """Return whether there are bytes that make a page of this type; empty means no type."""
    return mime in _PAGE_TYPES or _ODD_TYPE.fullmatch(mime) is not None


def page_kind(mime: str, body: bytes) -> str | None:
    """Return `html`, `xhtml`, `plain`, or None for what is no page: by the stated type, else by the bytes."""
    if mime in HTML_TYPES:
        return None if sniff.is_feed(body) else "html"
    if mime in XHTML_TYPES:
        return "xhtml"
    if mime in PLAIN_TYPES:
        return "html" if sniff.begins_page(body) else "plain"
    if mime in XML_TYPES:
        return "xhtml" if sniff.begins_page(body) and sniff.is_xhtml(body) else None
    if mime in UNKNOWN_TYPES:
        if sniff.begins_markup(body):
            return "xhtml" if sniff.begins_xml(body) else "html"
        return None if sniff.begins_xml(body) else "plain"
    if _ODD_TYPE.fullmatch(mime) and sniff.begins_page(body):
        return "html"
    return None


def page_of(body: bytes, content_type: str, extract: Extractor, limits: Limits) -> tuple[Page, str, bool]:
    """Return the page of a decoded body, the charset that it was read with, and whether it is read so without a header.

    Args:
        content_type: one value, see `content_type_of`.

    Raises:
        Unusable: `not-text`, `empty-text`, `bad-charset`, `too-large`, or what the extractor raises.
    """
    mime = essence([content_type])
    kind = page_kind(mime, body)
    if kind is None:
        raise Unusable("not-text", mime or "no Content-Type")
    if not body or body.isspace():
        raise Unusable("empty-text", "the body is empty")
    if (binary := sniff.binary_type(body)) is not None:
        raise Unusable("not-text", f"{mime or 'no Content-Type'}, but the bytes are {binary}")
    html = kind != "plain"
    text, charset = decode(body, content_type, html)
    own = is_own(body, content_type, html, (text, charset))
    if sniff.has_controls(body) and sniff.is_no_text(text, html):
        raise Unusable("not-text", f"{mime or 'no Content-Type'}, but one character in 25 or more is a control")
    if html:
        if len(text) > limits.tags and text.count("<") > limits.tags:
            raise Unusable("too-large", f"more than {limits.tags} tags")
        page = extract(as_html(text) if kind == "xhtml" else text)
    else:
        page = from_plain(text)
    if not page.text:
        raise Unusable("empty-text")
    if is_unreadable(page.text):
        raise Unusable("bad-charset", f"read as {charset}")
    return page, charset, own

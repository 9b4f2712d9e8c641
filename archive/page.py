"""From the bytes of a page to its text: what kind of page they are, which charset, and the extractor."""

from __future__ import annotations

import re

from archive.capture import Limits
from archive.reasons import Unusable
from archive.records.http import media_type
from archive.text import Extractor, Page
from archive.text.charset import decode, is_own, is_unreadable
from archive.text.extract import from_plain

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
PLAIN_TYPES = frozenset({"text/plain"})
#: Media types that state nothing, so that the bytes decide.
NO_TYPE = frozenset(
    {"", "unk", "unknown", "no-type", "application/octet-stream", "application/unknown", "x-unknown/x-unknown"}
)
_COMMENT = re.compile(rb"\s*<!--.*?-->", re.S)
_HTML_START = re.compile(
    rb"\s*<(?:!doctype\s+html|html|head|body|title|meta|\?xml[^>]{0,500}>\s*<(?:!doctype\s+)?html)\b",
    re.I | re.S,
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
#: The first bytes of files that are not text, whatever their Content-Type.
_BINARY = re.compile(
    rb"%PDF-|\x89PNG\r\n|GIF8[79]a|\xff\xd8\xff|PK\x03\x04|\x1f\x8b|RIFF....WEBP|\x00\x00\x00.ftyp|OggS|ID3|\x7fELF|wOF[F2]|\xd0\xcf\x11\xe0",
    re.S,
)


def page_of(body: bytes, content_type: str, extract: Extractor, limits: Limits) -> tuple[Page, str, bool]:
    """Return the page of a decoded body, the charset that it was read with, and whether it is read so without a header.

    Raises:
        Unusable: `not-text`, `empty-text`, `bad-charset`, `too-large`, or what the extractor raises.
    """
    kind = page_kind(media_type(content_type), body)
    if kind is None:
        raise Unusable("not-text", media_type(content_type) or "no Content-Type")
    if not body or body.isspace():
        raise Unusable("empty-text", "the body is empty")
    if _BINARY.match(body):
        raise Unusable("not-text", f"{media_type(content_type)}, but the bytes are of another type")
    text, charset = decode(body, content_type, kind == "html")
    own = is_own(body, content_type, kind == "html", (text, charset))
    if b"\0" in body and text.count("\0") * 20 > len(text):
        raise Unusable("not-text", "one character in twenty or more is NUL")
    if kind == "html":
        if len(text) > limits.tags and text.count("<") > limits.tags:
            raise Unusable("too-large", f"more than {limits.tags} tags")
        page = extract(text)
    else:
        page = from_plain(text)
    if not page.text:
        raise Unusable("empty-text")
    if is_unreadable(page.text):
        raise Unusable("bad-charset", f"read as {charset}")
    return page, charset, own


def page_kind(mime: str, body: bytes) -> str | None:
    """Return `html`, `plain`, or None for what is no text: by the stated type, else by the bytes."""
    if mime in HTML_TYPES:
        return "html"
    if mime in PLAIN_TYPES:
        return "html" if _looks_like_html(body) else "plain"
    if mime in NO_TYPE:
        if _looks_like_html(body):
            return "html"
        if not mime and not _CONTROL.search(body[:4096]):
            return "plain"
    return None


def _looks_like_html(body: bytes) -> bool:
    head, at = body[:4096], 0
    while comment := _COMMENT.match(head, at):
        at = comment.end()
    return _HTML_START.match(head, at) is not None

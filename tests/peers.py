"""What warcio, an independent reader, finds in a file: the yardstick for the number of captures."""

from __future__ import annotations

import html
import re
from collections import Counter
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator

_INVISIBLE = re.compile(
    r"(?is)<(script|style|noscript|template|head|iframe|noframes|object|svg)\b.*?</\1\s*>|<!--.*?-->|<!doctype[^>]*>"
)
_TAG = re.compile(r"(?s)<[^>]*>")
#: As `_INVISIBLE` and `_TAG`; what is open at the end is invisible too.
_OPEN_INVISIBLE = re.compile(
    r"(?is)<(script|style|noscript|template|head|iframe|noframes|object|svg)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)|<!doctype[^>]*"
)
_OPEN_TAG = re.compile(r"(?s)<[^>]*(>|$)|&[#\w]*$")
_TITLE_ONLY = re.compile(r"(?is)<(script|style|noscript|template|noframes|svg)\b.*?(</\1\s*>|$)")


def _visible(body: bytes, mime: str) -> bool:
    if mime != "text/plain" and len(body) > 1 << 18:  # what is seen in the first pieces is seen in the whole
        start = _OPEN_TAG.sub(" ", _OPEN_INVISIBLE.sub(" ", body[: 1 << 16].decode("utf-8", "ignore")))
        if html.unescape(start).strip("\0 \t\r\n\xa0"):
            return True
    text = body.decode("utf-8", "replace")
    if mime != "text/plain":
        text = _TAG.sub(" ", _TITLE_ONLY.sub(" ", _INVISIBLE.sub(" ", text)))
    return bool(html.unescape(text).strip("\0 \t\r\n\xa0"))


def text_captures(path: Path) -> Counter[str]:
    """Text responses by record type, as warcio reads them.

    Raises whatever warcio raises where it cannot read the file.
    """
    counts: Counter[str] = Counter()
    with path.open("rb") as file:
        for record in ArchiveIterator(file, arc2warc=True):
            kind = record.rec_type
            headers, http = record.rec_headers, record.http_headers
            if http and not http.protocol.startswith("HTTP"):
                http = None  # warcio takes the first lines of any block for a header
            stated = (http.get_header("Content-Type") if http else "" if kind == "revisit" else
                      headers.get_header("Content-Type")) or ""  # fmt: skip
            mime = re.split(r"[;,\s]", stated.strip().lower())[0]
            is_text = mime in {"text/html", "text/plain", "application/xhtml+xml"}
            if kind == "revisit":
                seen = http is None or http.get_statuscode() in {"200", "203", "304"}
                counts[kind] += bool(headers.get_header("WARC-Payload-Digest")) and (is_text or not mime) and seen
            elif kind in {"response", "resource", "conversion"}:
                url = headers.get_header("WARC-Target-URI") or ""
                status = http.get_statuscode() if http else "200"
                body = record.content_stream().read()
                whole = int(headers.get_header("Content-Length") or 0) <= record.length
                if is_text and status in {"200", "203"} and url.startswith("http") and whole:
                    counts[kind] += _visible(body, mime)
    return counts

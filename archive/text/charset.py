"""Bytes to text by the right charset: BOM, HTTP header, meta element, then detection.

This is the order of the WHATWG encoding sniffing algorithm, with one exception: bytes that are valid UTF-8 are read as
UTF-8 whatever charset is declared.
"""

from __future__ import annotations

import codecs
import re

from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEADER = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_META = re.compile(rb"<(?:meta|\?xml)[^>]{0,500}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)

#: Bytes that the detection reads.
_DETECT = 1 << 18


def stated(content_type: str) -> str | None:
    """Return the charset that a Content-Type states; None where it states none that is known."""
    return _known(match[1]) if (match := _HEADER.search(content_type)) else None


def decode(body: bytes, content_type: str, html: bool = True) -> tuple[str, str]:
    """Decode a body. Returns the text and the charset. It raises nothing; bytes that fit no charset become U+FFFD."""
    for bom, name in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(name, "replace"), name
    declared = stated(content_type) or (_in_meta(body) if html else None)
    if declared in {None, "utf-8"} or not body.isascii():
        try:
            return body.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            pass
    if declared is None:
        declared = detect_encoding(body[:_DETECT], html5_compatible=True) or "windows-1252"
    if declared == "utf-8":
        return body.decode("utf-8", "replace"), declared
    return bytes_to_str(body, declared, fallback_encodings=("utf-8", "windows-1252")), declared


def is_own(body: bytes, content_type: str, html: bool, read: tuple[str, str]) -> bool:
    """Return whether a body can be read in this way without the charset of its header.

    That is as its own bytes say; or, where they do not, as windows-1252, which the HTML standard has for them.

    Args:
        read: what `decode` returned.
    """
    if stated(content_type) is None or decode(body, "", html)[0] == read[0]:
        return True
    return read[1] == _DEFAULT and not (html and _in_meta(body))


def _in_meta(body: bytes) -> str | None:
    if (meta := _META.search(body, 0, 4096)) is None:
        return None
    declared = _known(meta[1].decode("ascii", "replace"))
    # a meta that could be read is not UTF-16
    return "utf-8" if declared and declared.startswith("utf-16") else declared


def _known(label: str) -> str | None:
    """Return the charset that a browser uses for a label, or None where there is none."""
    try:
        codecs.lookup(label)
    except (LookupError, ValueError):
        return None
    return str(map_encoding_to_html5(label, fallback_utf8=False) or "") or None


#: What a page is read with that states nothing, by the HTML standard.
_DEFAULT = _known("windows-1252")

"""The encoding that a page declares in its first bytes, as the HTML standard finds it before it parses the page.

Source: https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding
"""

from __future__ import annotations

import re

from archive.text.encoding.labels import encoding_of

#: Bytes of a page that the standard's prescan reads.
PRESCAN = 1024
#: Bytes of a page that are searched for a meta element behind them.
_LATE = 1 << 18

_META = re.compile(rb"<meta[\t\n\f\r /]", re.I)
_TAG = re.compile(rb"</?[a-z][^\t\n\f\r >]*+(?=[\t\n\f\r >])", re.I)
#: “Get an attribute”: `>` ends the tag; where nothing matches, the bytes ended inside of the attribute.
_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*+
    (?: > | (?P<name>[^\t\n\f\r />][^\t\n\f\r />=]*+) (?:
        [\t\n\f\r ]*+ = [\t\n\f\r ]*+
        (?: "(?P<double>[^"]*+)" | '(?P<single>[^']*+)' | (?=>)
          | (?P<bare>[^\t\n\f\r >"'][^\t\n\f\r >]*+)(?=[\t\n\f\r >]) )
      | [\t\n\f\r ]*+ (?=[^\t\n\f\r =]) ) )""",
    re.X,
)
_CHARSET = re.compile(rb"charset[\t\n\f\r ]*=[\t\n\f\r ]*", re.I)
_VALUE = re.compile(rb"\"([^\"]*)\"|'([^']*)'|([^\t\n\f\r ;\"'][^\t\n\f\r ;]*)")
_XML = re.compile(
    rb"<\?xml(?=[^>]*>)(?:(?!encoding).)*+encoding[\x00-\x20]*=[\x00-\x20]*([\"'])([^\x00-\x20]*?)\1", re.S
)
#: A meta element, or the start of a part of a page in which no tag is a tag.
_LATE_META = re.compile(
    rb"<(?:meta(?=[\t\n\f\r /])|(!--)|(script|style|title|textarea|xmp|iframe|noembed|noframes)(?=[\t\n\f\r />]))",
    re.I,
)


def declared_encoding(body: bytes) -> str | None:
    """Return the encoding that the first 1,024 bytes of an HTML page declare; None where they declare none.

    It skips comments, and takes `content` only of a meta element with `http-equiv=Content-Type`. UTF-16 in a meta
    element means UTF-8, since the element could be read byte by byte; `x-user-defined` means windows-1252.
    """
    head = body[:PRESCAN]
    if head.startswith((b"<\0?\0x\0", b"\0<\0?\0x")):
        return "utf-16le" if head.startswith(b"<") else "utf-16be"
    at = head.find(b"<")
    while at >= 0:
        end = at
        if head.startswith(b"<!--", at):
            end = head.find(b"-->", at + 2) + 2
        elif meta := _META.match(head, at):
            attributes, end = _attributes(head, meta.end() - 1)
            if end >= 0 and (declared := _of_meta(attributes)):
                return declared
        elif tag := _TAG.match(head, at):
            _, end = _attributes(head, tag.end())
        elif head.startswith((b"<!", b"</", b"<?"), at):
            end = head.find(b">", at)
        if end < at:  # the bytes end inside of it
            break
        at = head.find(b"<", end + 1)
    return xml_encoding(head)


def xml_encoding(head: bytes) -> str | None:
    """Return the encoding of an XML declaration (“get an XML encoding” of the HTML standard); None without one."""
    match = _XML.match(head)
    return _as_bytes(encoding_of(match[2].decode("latin-1"))) if match else None


def late_encoding(body: bytes) -> str | None:
    """Return the encoding that a meta element behind the first 1,024 bytes declares; None where there is none.

    The HTML standard's parser changes to that encoding when it comes to the element (“change the encoding”).
    """
    body, at = body[:_LATE], 0
    while match := _LATE_META.search(body, at):
        at = match.end()
        if match[1] or match[2]:
            end = body.find(b"-->", at - 2) if match[1] else _find_end(body, at, match[2])
            if end < 0:
                break
            at = end
        else:
            attributes, end = _attributes(body[at : at + PRESCAN], 0)
            if end >= 0 and (declared := _of_meta(attributes)):
                return declared
            at += end if end >= 0 else PRESCAN
    return None


def _find_end(body: bytes, at: int, name: bytes) -> int:
    match = re.compile(rb"</" + name + rb"[\t\n\f\r />]", re.I).search(body, at)
    return match.end() if match else -1


def _attributes(head: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """Return the attributes of a tag, the first of each name, and where its `>` is; -1 if the bytes end before it."""
    found: dict[bytes, bytes] = {}
    while match := _ATTRIBUTE.match(head, at):
        if match["name"] is None:
            return found, match.end() - 1
        value = next((each for each in match.group("double", "single", "bare") if each is not None), b"")
        found.setdefault(match["name"].lower(), value)
        at = match.end()
    return found, -1


def _of_meta(attributes: dict[bytes, bytes]) -> str | None:
    """Return what a meta element declares. An attribute `charset` counts, and `content` only where there is none."""
    value = attributes.get(b"charset")
    if value is None and attributes.get(b"http-equiv", b"").lower() == b"content-type":
        content = attributes.get(b"content", b"")
        if (start := _CHARSET.search(content)) and (match := _VALUE.match(content, start.end())):
            value = next(each for each in match.groups() if each is not None)
    return _as_bytes(encoding_of(value.decode("latin-1"))) if value is not None else None


def _as_bytes(encoding: str | None) -> str | None:
    """Return the encoding that a declaration means which could be read as ASCII."""
    return {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": "windows-1252"}.get(encoding or "", encoding)

"""From the bytes of a page to its characters, as browsers read them, and the name of the encoding.

The order is that of the HTML standard: byte order mark, HTTP header, the first 1,024 bytes, a meta element behind them,
detection. For XHTML it is: byte order mark, HTTP header, XML declaration, UTF-8, and then the same.

A browser shows what a page declares, also where that is wrong, and its user could choose another encoding by hand. An
archive has nobody to ask, so it differs where the declared encoding loses the text:

1. Bytes that are valid UTF-8 and not ASCII are read as UTF-8, whatever is declared; so are bytes in which few sequences
   are broken. For a declared encoding of several bytes a character, one to three pairs are no evidence.
2. ASCII with whole escape sequences of ISO-2022-JP or ISO-2022-KR is read as that, whatever is declared.
3. A byte order mark of UTF-32, and UTF-16 without one, are recognised.
4. `hz-gb-2312` and `iso-2022-kr` are decoded. Browsers show one U+FFFD for such a page. Here only ISO-2022-CN becomes
   that, by its escape sequences; other bytes with such a label are read as if it were not there.
5. A declared encoding in which much comes out as U+FFFD or as C1 controls gives way to the detected one, if that is
   better. A few bad bytes never change the encoding.
6. A charset in the header that the standards do not see (`text/html charset='koi8-r'`) counts where nothing else is
   declared.
7. ASCII without a declaration is called `utf-8`. Detection is Firefox's, without the top-level domain.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from archive.text.encoding.decoders import BAD, decode_as, sound_bytes
from archive.text.encoding.detect import detect
from archive.text.encoding.labels import guessed_encoding, stated_encoding
from archive.text.encoding.prescan import PRESCAN, declared_encoding, late_encoding, xml_encoding

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32le"),
    (codecs.BOM_UTF32_BE, "utf-32be"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)
_XML_TYPES = ("application/xhtml+xml", "application/vnd.wap.xhtml+xml", "text/xml", "application/xml")
_SEVERAL_BYTES = frozenset({"gbk", "gb18030", "big5", "euc-jp", "shift_jis", "euc-kr"})
_ASCII = bytes(range(0x80))
_HIGH = bytes(range(0x80, 0x100))
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
#: U+FFFD, and the controls C1 but for U+0085, which is a line end.
_BAD = re.compile("[\x80-\x84\x86-\x9f\ufffd]")
#: One to three characters of two bytes that are UTF-8 by chance, outside of Latin-1, whose letters and signs are not.
_CHANCE = re.compile(rb"(?:[\xc4-\xdf][\x80-\xbf]){1,3}")
#: Bad runs, at least, that make a declared encoding doubtful.
_DOUBT = 4
#: Bytes in which UTF-16 without a byte order mark is looked for.
_HEAD = 4096


def decode(body: bytes, content_type: str, html: bool = True) -> tuple[str, str]:
    """Decode a body. Returns the text, and the name of the decoder that was used, in lower case.

    It raises nothing. Each sequence of bytes that cannot be decoded becomes one U+FFFD, as the standard says.

    >>> decode("①営業部".encode("cp932"), "text/html; charset=x-sjis")
    ('①営業部', 'shift_jis')
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return decode_as(body[len(bom) :], name), name
    text = _evident_utf8(body)
    if text is not None:
        return text, "utf-8"
    declared = _declared(body, content_type, html)
    if (b"\0" in body or declared in {"utf-16le", "utf-16be"}) and (utf16 := _utf16(body, declared)):
        return decode_as(body, utf16), utf16
    if declared in {"utf-16le", "utf-16be"}:
        declared = "utf-8"
    if body.isascii():
        return _decode_ascii(body, declared)
    if declared in _SEVERAL_BYTES and _is_chance(body, declared):
        return decode_as(body, declared), declared
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    return _decode_other(body, declared or (late_encoding(body) if html else None) or stated(content_type))


def _evident_utf8(body: bytes) -> str | None:
    """Return the text of bytes that are UTF-8 beyond doubt, which most pages are: they need no declaration."""
    if body.isascii() or b"\0" in body:
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if len(body) - len(text) > 3 else None  # up to three pairs may be another encoding


def stated(content_type: str) -> str | None:
    """Return the encoding that a Content-Type states, or seems to; None where it states none that is known."""
    found = stated_encoding(content_type) or guessed_encoding(content_type)
    return None if found == "replacement" else found


def is_own(body: bytes, content_type: str, html: bool, read: tuple[str, str]) -> bool:
    """Return whether a body can be read in this way without the charset of its header.

    That is as its own bytes say; or, where they do not, as windows-1252, which the HTML standard has for them.

    Args:
        read: what `decode` returned.
    """
    if stated(content_type) is None:
        return True
    media_type = re.split(r"[;,\s]", content_type.strip(), maxsplit=1)[0]
    if decode(body, media_type, html)[0] == read[0]:
        return True
    return read[1] == "windows-1252" and not (html and (declared_encoding(body) or late_encoding(body)))


def is_unreadable(text: str) -> bool:
    """Whether a text is mostly U+FFFD: no encoding fits its bytes, or it was broken before it was captured."""
    bad = text.count(BAD)
    return bad > 0 and bad * 2 > sum(map(len, text.split()))


@lru_cache(maxsize=1024)
def _header(content_type: str) -> tuple[str | None, bool]:
    """Return the encoding that a Content-Type states, and whether the type is XML."""
    return stated_encoding(content_type), content_type.strip().lower().startswith(_XML_TYPES)


def _declared(body: bytes, content_type: str, html: bool) -> str | None:
    stated, is_xml = _header(content_type)
    if stated is None and html:
        stated = (is_xml and xml_encoding(body[:PRESCAN])) or declared_encoding(body)
    return None if stated == "replacement" else stated


def _utf16(body: bytes, declared: str | None) -> str | None:
    """Return the UTF-16 that bytes are in: by where the NUL bytes are, else the declared one; None if it is none."""
    head = body[:_HEAD]
    half = len(head) // 2 or 1
    even, odd = head[::2].count(0) / half, head[1::2].count(0) / half
    if odd > 0.3 and even < 0.05:
        return "utf-16le"
    if even > 0.3 and odd < 0.05:
        return "utf-16be"
    if declared not in {"utf-16le", "utf-16be"}:
        return None
    try:  # text of one byte a character that is labelled UTF-16
        return None if body.decode("utf-8") and b"\0" not in body else declared
    except UnicodeDecodeError:
        return declared


def _decode_ascii(body: bytes, declared: str | None) -> tuple[str, str]:
    if b"\x1b$" in body:
        name = "iso-2022-kr" if b"\x1b$)C" in body else "iso-2022-jp"
        text = decode_as(body, name)
        if not text.isascii() and BAD not in text.rstrip(BAD):
            return text, name
        if re.search(rb"\x1b\$[)*][A-I].*\x0e", body, re.S):  # ISO-2022-CN, for which there is no decoder
            return BAD, "replacement"
    if declared in {"iso-2022-jp", "iso-2022-kr", "hz-gb-2312"}:
        return decode_as(body, declared), declared
    return body.decode("ascii"), declared or "utf-8"


def _is_chance(body: bytes, declared: str) -> bool:
    """Whether so few bytes of a declared encoding are valid UTF-8 that it says nothing."""
    high = body.translate(None, _ASCII)
    return len(high) <= 6 and bool(_CHANCE.fullmatch(high)) and BAD not in decode_as(body, declared)


def _decode_other(body: bytes, declared: str | None) -> tuple[str, str]:
    """Decode bytes that are not valid UTF-8."""
    good, bad = _utf8_sequences(body)
    if declared in {None, "utf-8"} and good > bad:
        return decode_as(body, "utf-8"), "utf-8"
    if good > 10 * bad:
        return decode_as(body, "utf-8"), "utf-8"
    if declared is None or (declared == "utf-8" and bad >= _DOUBT):
        declared = detect(body)
    text = decode_as(body, declared)
    if (doubt := _doubt(text, body, declared)) > (0.33 if declared in _SEVERAL_BYTES else 0.1):
        other = detect(body)
        if other != declared:
            by_other = decode_as(body, other)
            if _doubt(by_other, body, other) < doubt / 4:
                return by_other, other
    return text, declared


def _utf8_sequences(body: bytes) -> tuple[int, int]:
    """Return how many characters of a body are UTF-8 of several bytes, and how many errors there are.

    A character that is cut off at the end of the body is no error.
    """
    text = body.decode("utf-8", "replace")
    bad = text.count(BAD) - body.count(BAD.encode())
    good = len(text) - len(body.translate(None, _HIGH)) - bad
    try:
        body[-4:].decode("utf-8")
    except UnicodeDecodeError as error:
        bad -= error.reason == "unexpected end of data"
    return good, bad


def _doubt(text: str, body: bytes, encoding: str) -> float:
    """Return the share of the runs of characters other than ASCII in which something was not decoded.

    Runs are counted, not characters: behind a stray byte all may be wrong up to the next ASCII character, and that
    says nothing of the rest. It is 0 where fewer than four runs are bad.
    """
    if text.count(BAD) + len(body.translate(None, sound_bytes(encoding))) < _DOUBT:
        return 0.0
    runs = _NOT_ASCII.findall(text)
    bad = sum(map(bool, map(_BAD.search, runs)))
    return bad / len(runs) if bad >= _DOUBT else 0.0

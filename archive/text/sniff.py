"""What bytes are, whatever their Content-Type says (MIME Sniffing Standard): HTML, a feed, text, or something else.

The tables have the standard's patterns, and those of further files that servers call text. A pattern that a text could
begin with (`BM`, `MZ`; in some encoding two or three letters) counts only with bytes behind it that no text has.
"""

from __future__ import annotations

import re
from typing import TypeVar

_Sequence = TypeVar("_Sequence", bytes, str)
#: Bytes that are looked at for the beginning of markup, and in each sample for bytes that no text has: as many as the
#: standard takes for the header of a resource.
_HEAD, _SAMPLE = 4096, 1445
_COMMENT = re.compile(rb"\s*<!--.*?-->", re.S)
_INSTRUCTION = re.compile(rb"\s*<\?.*?>", re.S)
#: Markup that begins a page, whatever type is stated.
_PAGE = re.compile(rb"\s*<(?:!doctype\s+(?:html|wml)|html|head|body|title|meta|wml)\b", re.I)
#: Tags that begin a page of unknown type (MIME Sniffing, 7.1).
_TAG = re.compile(
    rb"\s*<(?:(?:!doctype\s+html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]|!--)", re.I
)
_XML = re.compile(rb"\s*<\?xml\b", re.I)
_DOCTYPE = re.compile(rb"\s*<![^>]*>")
_XHTML = re.compile(rb"http://www\.w3\.org/1999/xhtml|<!doctype\s+(?:html|wml)\b", re.I)
_FEED = re.compile(rb"\s*<(?:rss|feed|(rdf:RDF))[\s>]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_BOM = b"\xef\xbb\xbf"
#: Bytes that no text has (MIME Sniffing, 3): the controls but for tab, line feed, form feed, carriage return, escape.
_CONTROLS = bytes((*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)))
_CONTROL_CHARACTERS = dict.fromkeys(_CONTROLS)
#: A letter that is printed over another one or over a line, for bold letters on a printer.
_OVERSTRUCK = re.compile(".\x08")
#: A text in which one character in so many is a control, and at least so many are, is none.
_SHARE, _LEAST = 25, 4

_MAGIC: dict[str, bytes] = {
    # images
    "PNG": rb"\x89PNG\r\n",
    "GIF": rb"GIF8[79]a",
    "JPEG": rb"\xff\xd8\xff",
    "WebP": rb"RIFF.{4}WEBP",
    "BMP": rb"BM.{4}\0\0\0\0",
    "icon": rb"\0\0[\x01\x02]\0.\0",
    "TIFF": rb"II\*\0|MM\0\*",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "Photoshop": rb"8BPS\0\x01",
    "DjVu": rb"AT&TFORM",
    # sound and video
    "RIFF": rb"RIFF.{4}(?:WAVE|AVI |ACON)",
    "MPEG-4": rb"\0\0[\0\x01].ftyp",
    "Ogg": rb"OggS\0",
    "MP3": rb"ID3[\x02-\x04]",
    "MPEG": rb"\0\0\x01[\xb3\xba]",
    "AIFF": rb"FORM.{4}AIF[FC]",
    "AU": rb"\.snd\0",
    "MIDI": rb"MThd\0\0\0\x06",
    "Matroska": rb"\x1a\x45\xdf\xa3",
    "ASF": rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    "Flash": rb"[CFZ]WS[\x01-\x40].{3}\0",
    "FLV": rb"FLV\x01",
    "RealMedia": rb"\.RMF\0|\.ra\xfd\0",
    "FLAC": rb"fLaC\0",
    # fonts
    "font": rb"\0\x01\0\0\0|OTTO\0|ttcf\0|wOF[F2]",
    # archives
    "gzip": rb"\x1f\x8b",
    "compress": rb"\x1f[\x9d\xa0]",
    "bzip2": rb"BZh[1-9]1AY&SY",
    "xz": rb"\xfd7zXZ\0",
    "zstd": rb"\x28\xb5\x2f\xfd",
    "ZIP": rb"PK(?:\x03\x04|\x05\x06|\x07\x08)",
    "RAR": rb"Rar!? ?\x1a\x07",
    "7z": rb"7z\xbc\xaf\x27\x1c",
    "cabinet": rb"MSCF\0",
    "tar": rb".{257}ustar",
    "ar": rb"!<arch>\n",
    "RPM": rb"\xed\xab\xee\xdb[\x03\x04]",
    # documents and programs
    "PDF": rb"%PDF-",
    "PostScript": rb"%!PS|\xc5\xd0\xd3\xc6.{2}\0|\x04%!PS",
    "RTF": rb"\{\\rtf",
    "OLE (Word, Excel)": rb"\xd0\xcf\x11\xe0",
    "SQLite": rb"SQLite format 3\0",
    "ELF": rb"\x7fELF",
    "Windows program": rb"MZ.{0,6}\0",
    "Java class": rb"\xca\xfe\xba\xbe\0",
    "Mach-O": rb"\xfe\xed\xfa[\xce\xcf][\0\x01]|[\xce\xcf]\xfa\xed\xfe.{3}[\0\x01]",
    "WebAssembly": rb"\0asm",
}
_BINARY = re.compile(b"|".join(_MAGIC.values()), re.S)
_EACH = {name: re.compile(pattern, re.S) for name, pattern in _MAGIC.items()}


def binary_type(body: bytes) -> str | None:
    """Return the name of the kind of file that bytes are, where they begin as one that is no text; else None."""
    if not _BINARY.match(body):
        return None
    return next(name for name, pattern in _EACH.items() if pattern.match(body))


def has_controls(body: bytes) -> bool:
    """Return whether there are so many bytes that no text has that the bytes are doubtful.

    It looks at three samples, since a text may be in front of a program. Bytes in UTF-16 are doubtful too: see
    `is_no_text`.
    """
    return any(_are_many(len(each) - len(each.translate(None, _CONTROLS)), len(each)) for each in _samples(body))


def is_no_text(text: str, is_html: bool) -> bool:
    """Return whether decoded bytes are no text: one character in 25 is a control.

    Of HTML all of it or its start counts, of plain text any of the three samples. Zeros at the end are padding.
    """
    text = text.rstrip("\0")
    if "\x08" in text:
        text = _OVERSTRUCK.sub("", text)
    samples = [text, text[:_SAMPLE]] if is_html else _samples(text)
    return any(_are_many(len(each) - len(each.translate(_CONTROL_CHARACTERS)), len(each)) for each in samples)


def _are_many(controls: int, size: int) -> bool:
    return controls >= _LEAST and controls * _SHARE > size


def _samples(content: _Sequence) -> list[_Sequence]:
    """Return the beginning, the middle and the end."""
    if len(content) <= 2 * _SAMPLE:
        return [content]
    middle = len(content) // 2
    return [content[:_SAMPLE], content[middle : middle + _SAMPLE], content[-_SAMPLE:]]


def begins_page(body: bytes) -> bool:
    """Return whether bytes begin like an HTML page, behind comments and an XML declaration."""
    head, at = _head(body), 0
    while skipped := _COMMENT.match(head, at) or _INSTRUCTION.match(head, at):
        at = skipped.end()
    return _PAGE.match(head, at) is not None


def begins_markup(body: bytes) -> bool:
    """Return whether a browser takes bytes of unknown type for HTML."""
    return _TAG.match(_head(body)) is not None or begins_page(body)


def begins_xml(body: bytes) -> bool:
    """Return whether bytes begin with an XML declaration."""
    return _XML.match(_head(body)) is not None


def is_xhtml(body: bytes) -> bool:
    """Return whether an XML document that begins like a page is one: by the namespace, or a doctype of HTML."""
    return _XHTML.search(_head(body)) is not None


def is_feed(body: bytes) -> bool:
    """Return whether bytes are a feed, RSS or Atom, which servers often call `text/html` (MIME Sniffing, 7.3)."""
    head, at = _head(body), 0
    while skipped := _COMMENT.match(head, at) or _INSTRUCTION.match(head, at) or _DOCTYPE.match(head, at):
        at = skipped.end()
    match = _FEED.match(head, at)
    if match is None:
        return False
    return not match[1] or (b"http://purl.org/rss/1.0/" in head and b"22-rdf-syntax-ns#" in head)


def _head(body: bytes) -> bytes:
    head = body[:_HEAD]
    if head.startswith(_UTF8_BOM):
        return head[3:]
    if head.startswith(_UTF16):
        return head[: len(head) & ~1].decode("utf-16", "replace").encode("ascii", "replace")
    return head

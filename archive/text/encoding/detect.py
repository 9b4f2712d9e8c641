"""The encoding of bytes that declare none, by chardetng, the detector of Firefox."""

from __future__ import annotations

import re

from chardetng_py import EncodingDetector

from archive.text.encoding.labels import encoding_of

#: Bytes that the detection reads.
_SAMPLE = 1 << 18
#: The bytes that are no letters in windows-1252 beyond ASCII.
_NO_LETTERS = bytes(
    byte for byte in range(256) if byte < 0x80 or not bytes((byte,)).decode("cp1252", "ignore").isalpha()
)
#: Rows of signs, signs inside of words, and `¡¥±¶¹¼¾¿` at their ends, which are letters in Central Europe.
_ODD_SIGNS = re.compile(rb"[\xa1-\xff]{2}|[A-Za-z][\xa1-\xbf][A-Za-z]|[a-z][\xa1\xa5\xb1\xb6\xb9\xbc\xbe\xbf]")


def detect(body: bytes) -> str:
    """Return the encoding that bytes are most likely in, other than UTF-8, by its name in lower case.

    The detector is given no top-level domain. Without one it takes a lone `©` or `»` for a letter of ISO-8859-2, so a
    page whose only high bytes are such signs is windows-1252 here.
    """
    body = body[:_SAMPLE]
    if not body.translate(None, _NO_LETTERS) and not _ODD_SIGNS.search(body):
        return "windows-1252"
    detector = EncodingDetector()
    detector.feed(body, last=True)
    return encoding_of(detector.guess(tld=None, allow_utf8=False)) or "windows-1252"

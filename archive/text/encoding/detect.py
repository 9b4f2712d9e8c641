"""The encoding of bytes that declare none, by chardetng, the detector of Firefox."""

from __future__ import annotations

import re

from chardetng_py import EncodingDetector

from archive.text.encoding.labels import encoding_of

#: Bytes that the detection reads.
_SAMPLE = 1 << 18
#: What no page of windows-1252 with only signs has: its letters, rows of high bytes, signs inside of words.
_MORE_THAN_SIGNS = re.compile(
    rb"[\x83\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xaa\xb5\xba\xc0-\xd6\xd8-\xf6\xf8-\xff]"
    rb"|[\xa1-\xff]{2}|[A-Za-z][\xa1-\xbf][A-Za-z]"
)


def detect(body: bytes) -> str:
    """Return the encoding that bytes are most likely in, other than UTF-8, by its name in lower case.

    The detector is given no top-level domain. Without one it takes a lone `©` or `»` for a letter of ISO-8859-2, so a
    page whose only high bytes are such signs is windows-1252 here.
    """
    body = body[:_SAMPLE]
    if not _MORE_THAN_SIGNS.search(body):
        return "windows-1252"
    detector = EncodingDetector()
    detector.feed(body, last=True)
    return encoding_of(detector.guess(tld=None, allow_utf8=False)) or "windows-1252"

"""The normal form of a text, and its content id.

The stored text is in normal form, so that anybody can check an id with the row alone: it is the SHA-256 of the text in
UTF-8, in hexadecimal.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

_NEWLINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
#: Control characters but tab and newline, unpaired surrogates, non-characters, BOM, soft hyphen.
_DROPPED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufeff\ufffe\uffff\ud800-\udfff]+")
#: White space of any kind but newline and the plain space.
_ODD_SPACE = re.compile(r"[^\S\n ]+")
#: All characters that the three above match. Most texts have none of them, and one search takes less time than three.
_ODD = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\ufffe\uffff\ud800-\udfff]"
)


def normalise(text: str) -> str:
    """Return the normal form of a text.

    1. Line ends become `\\n`; control characters, unpaired surrogates and soft hyphens are removed.
    2. The text becomes Unicode NFC.
    3. Each run of white space in a line becomes one space; none is left at the ends of a line.
    4. Two or more blank lines become one; none is left at the ends of the text.

    Letters, case and punctuation stay. Texts that differ in them are different texts.

    >>> normalise("  Cafe\\u0301 \\r\\n\\r\\n\\r\\n\\r\\nbar\\t baz ")
    'Café\\n\\nbar baz'
    """
    text = text.replace("\xa0", " ").replace("\t", " ")  # the two most common ones
    if _ODD.search(text):
        text = _NEWLINE.sub("\n", text)
        text = _DROPPED.sub("", text)
        text = _ODD_SPACE.sub(" ", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)  # fast for a text that is in NFC
    while "  " in text:
        text = text.replace("  ", " ")
    text = text.replace(" \n", "\n").replace("\n ", "\n")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip(" \n")


def dropped_from(text: str) -> int:
    """Count the characters of a text that its normal form leaves out, white space not among them.

    >>> dropped_from("pass\\x08word\\ufeff")
    2
    """
    return sum(map(len, _DROPPED.findall(text)))


def content_id(text: str) -> str:
    """Return the SHA-256 of a normalised text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()

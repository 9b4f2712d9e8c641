"""The normal form of a text, and its content id.

The stored text is in normal form, so that anybody can check an id with the row alone: it is the SHA-256 of the text in
UTF-8, in hexadecimal.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

_NEWLINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
#: Control characters but tab and newline, unpaired surrogates, non-characters, BOM, soft hyphen.
_DROPPED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufeff\ufffe\uffff\ud800-\udfff]+")
#: White space of any kind but newline and the plain space.
_ODD_SPACE = re.compile(r"[^\S\n ]+")
#: All characters that the three above match. Most texts have none of them, and one search takes less time than three.
_ODD = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\ufffe\uffff\ud800-\udfff]"
)

#: Characters of a text in which a run of combining marks may cost much time.
_LONG = 4096


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
        if len(text) > _LONG and not unicodedata.is_normalized("NFC", text):
            text = _marks().sub(_in_order, text)
        text = unicodedata.normalize("NFC", text)  # fast for a text that is in NFC
    while "  " in text:
        text = text.replace("  ", " ")
    text = text.replace(" \n", "\n").replace("\n ", "\n")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip(" \n")


@lru_cache(maxsize=1)
def _marks() -> re.Pattern[str]:
    """Return a pattern of long runs of combining marks. More than thirty are no writing (Unicode, UAX 15, D4)."""
    marks = (each for each in map(chr, range(0x300, 0x20000)) if unicodedata.combining(_parts(each)[0]))
    return re.compile(f"[{''.join(marks)}]{{31,}}")


def _in_order(run: re.Match[str]) -> str:
    """Return a run of marks in canonical order. Python's own sort of them takes a time that grows with the square."""
    return "".join(sorted("".join(map(_parts, run[0])), key=unicodedata.combining))


def _parts(character: str) -> str:
    return unicodedata.normalize("NFD", character)


def dropped_from(text: str) -> int:
    """Count the characters of a text that its normal form leaves out, white space not among them.

    >>> dropped_from("pass\\x08word\\ufeff")
    2
    """
    return sum(map(len, _DROPPED.findall(text)))


def content_id(text: str) -> str:
    """Return the SHA-256 of a normalised text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()

"""The normal form of a text, and its content id.

What is stored *is* the normal form, so anybody can check an id with nothing but the row:
`content_id = sha256(text)`, in hexadecimal, of the UTF-8 bytes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

#: Control characters but tab and newline, unpaired surrogates, non-characters, BOM, soft hyphen.
_DROP = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\xad\ufeff\ufffe\uffff\ud800-\udfff]")
_NEWLINES = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
#: Any run of spaces inside a line that is not one plain space.
_SPACES = re.compile("[^\\S\n ]+ *| {2,}| +[^\\S\n ]+")
_EDGES = re.compile(r" *\n *")
_BLANK_LINES = re.compile(r"\n{3,}")


def normalise(text: str) -> str:
    """Bring a text to its normal form.

    1. line ends become `\\n`; control characters, unpaired surrogates and soft hyphens go;
    2. Unicode NFC;
    3. every run of white space inside a line becomes one space, none is left at the ends of a line;
    4. two or more blank lines become one, none is left at the ends of the text.

    Letters, case and punctuation stay: two texts that differ in them are two texts.

    >>> normalise("  Cafe\\u0301 \\r\\n\\r\\n\\r\\n\\r\\nbar\\t baz ")
    'Café\\n\\nbar baz'
    """
    text = _DROP.sub("", _NEWLINES.sub("\n", text))
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    text = _EDGES.sub("\n", _SPACES.sub(" ", text))
    return _BLANK_LINES.sub("\n\n", text).strip()


def content_id(text: str) -> str:
    """SHA-256 of a normalised text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()

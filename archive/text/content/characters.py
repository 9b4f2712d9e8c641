"""How many characters of each class each of many texts has: ends of sentences, commas, digits…"""

from __future__ import annotations

import codecs
from functools import cache

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_STOP, _COMMA, _DIGIT, _WIDE, _END, _BARE = (1 << at for at in range(6))


def _classes() -> NDArray[np.uint8]:
    """Return what each character of the first plane is: an end of a sentence in any script, a sign inside of one…"""
    table = np.zeros(0x10000, np.uint8)
    for kind, characters in (
        (_STOP, ".!?…。！？؟۔।॥፡።།။។"),
        (_COMMA, ",;:،、，；：؛"),
        (_DIGIT, "0123456789"),
        (_END, '.!?…。！？؟۔।॥።:"”’»」』)】'),
    ):
        for character in characters:
            table[ord(character)] |= kind
    for first, last in ((0x2E80, 0xA4CF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF)):
        table[first : last + 1] |= _WIDE
    table[0x0E00 : 0x0EFF + 1] |= _BARE
    return table


_CLASSES = _classes()
_COUNTED = (_STOP, _COMMA, _DIGIT, _WIDE, _BARE)
#: Bits of a count, several of which share an integer: where all segments are shorter than 2**12, and where not.
_NARROW, _BROAD = 12, 31
#: Python loads it when it is first asked for, and a process in a sandbox may have no right to read its files then.
_UTF_32 = codecs.getencoder("utf-32-le")


def counts(
    joined: str, size: NDArray[np.int64]
) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers, NDArray[np.bool_]]:
    """Return how many ends of sentences, commas, digits, ideograms and letters of Thai or Lao are in each segment.

    The last of the six is whether it ends as a sentence does.

    Args:
        joined: the texts of all segments.
        size: their lengths.
    """
    behind = np.cumsum(size)
    if joined.isascii():
        codes = np.frombuffer(joined.encode(), np.uint8)
    else:
        codes = np.minimum(np.frombuffer(_UTF_32(joined, "replace")[0], np.uint32), 0xFFFF)
    width = _NARROW if size.max() < 1 << _NARROW else _BROAD
    counted = [np.add.reduceat(table[codes], behind - size) for table in _packed(width)]
    at_once = 63 // width
    stops, commas, digits, wide, bare = (
        (counted[at // at_once] >> at % at_once * width & (1 << width) - 1).astype(np.float64) for at in range(5)
    )
    return stops, commas, digits, wide, bare, _CLASSES[codes[behind - 1]] & _END != 0


@cache
def _packed(width: int) -> list[NDArray[np.int64]]:
    """Return tables of characters whose sums are the counts of several classes, of so many bits each."""
    at_once = 63 // width
    tables = []
    for first in range(0, len(_COUNTED), at_once):
        table = np.zeros(len(_CLASSES), np.int64)
        for at, kind in enumerate(_COUNTED[first : first + at_once]):
            table |= ((_CLASSES & kind) != 0).astype(np.int64) << at * width
        tables.append(table)
    return tables

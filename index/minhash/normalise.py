"""The normal form of many texts at once: that of `archive.text.normalise`, eight times as fast.

Most texts consist of characters that Unicode's NFC cannot change (the quick check of UAX #15). Only the others are
composed, with Python's own tables.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive.text.normalise import normalise
from index.minhash.kernel import compiled, utf8

_PLAIN, _SPACE, _NEWLINE, _DROPPED, _UNSAFE = (np.uint8(number) for number in range(5))

#: Bytes that are tested together.
_STRIDE = np.uint64(16)


@lru_cache(maxsize=1)
def _classes() -> npt.NDArray[np.uint8]:
    """Return the class of each character. Beyond the basic plane, only common blocks count as safe from NFC."""
    seconds = {0x1161 + number for number in range(21)} | {0x11A7 + number for number in range(28)}
    unsafe = bytearray(0x110000)
    for point in range(0xA0, 0x10000):
        letter = chr(point)
        parts = unicodedata.decomposition(letter).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(int(parts[1], 16))
        if unicodedata.combining(letter) or not unicodedata.is_normalized("NFC", letter):
            unsafe[point] = 1
    for point in seconds:
        unsafe[point] = 1
    classes = np.full(0x110000, _UNSAFE, np.uint8)
    classes[:0x10000] = np.where(np.frombuffer(unsafe, np.uint8)[:0x10000], _UNSAFE, _PLAIN)
    for first, last in ((0x1F000, 0x1FAFF), (0x20000, 0x2A6DF)):  # symbols and emoji, Han
        classes[first : last + 1] = _PLAIN
    for kind, ranges in (
        (_DROPPED, ((0, 8), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD), (0xFEFF, 0xFEFF),
                    (0xFFFE, 0xFFFF))),
        (_SPACE, ((9, 9), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x202F, 0x202F),
                  (0x205F, 0x205F), (0x3000, 0x3000))),
        (_NEWLINE, ((10, 13), (0x85, 0x85), (0x2028, 0x2029))),
    ):  # fmt: skip
        for first, last in ranges:
            classes[first : last + 1] = kind
    return classes


@compiled
def _is_plain(data, at):  # type: ignore[no-untyped-def]
    """Return whether a stride is ASCII in its normal form, by itself and with the two bytes behind it.

    Compiled to vector instructions: the loop has the length of a vector.
    """
    bad = np.uint8(0)
    for position in range(at, at + _STRIDE):
        first, second, third = data[position], data[position + np.uint64(1)], data[position + np.uint64(2)]
        bad |= np.uint8(first < 32) & np.uint8(first != 10) | np.uint8(first > 126)
        # two blanks, a blank at an end of a line, or two empty lines
        blanks = np.uint8(first <= 32) & np.uint8(second <= 32)
        bad |= blanks & (np.uint8(first == 32) | np.uint8(second == 32) | np.uint8(third <= 32))
    return bad == 0


@compiled
def _normalise(data, offsets, classes, out, ends, odd):  # type: ignore
    """Write the normal form of each text into `out`, one after the other; mark those in `odd` that NFC may change.

    A blank is written at once, and removed if a line end follows.
    """
    one, two = np.uint64(1), np.uint64(2)
    to = np.uint64(0)
    for text in range(ends.size):
        at, end = np.uint64(offsets[text]), np.uint64(offsets[text + 1])
        begin = to
        look = at  # where the next stride may be tested
        before = np.uint8(10)  # the last byte that was written; at the start a line end
        while at < end:
            byte = data[at]
            if at >= look and at + _STRIDE + two <= end and (byte > 32 or before > 32):
                look = at + _STRIDE
                if not _is_plain(data, at):
                    continue
                for step in range(_STRIDE):
                    out[to + step] = data[at + step]
                at += _STRIDE
                to += _STRIDE
                before = data[at - one]
                continue
            if byte < 0x80:
                kind = classes[byte]
                if kind <= _SPACE:
                    # no branch on the end of a word, which no processor can predict
                    blank = kind == _SPACE
                    letter = np.uint8(32) if blank else byte
                    keep = (not blank) | ((before != 32) & (before != 10))
                    out[to] = letter
                    to += np.uint64(keep)
                    before = letter if keep else before
                    at += one
                    continue
                after = at + one
                if byte == 13 and after < end and data[after] == 10:
                    after += one
            else:
                size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                after = min(at + np.uint64(size), end)
                point = np.uint32(byte) & np.uint32(0x3F >> (size - 1))
                position = at + one
                while position < after:
                    point = (point << np.uint32(6)) | (np.uint32(data[position]) & np.uint32(0x3F))
                    position += one
                kind = classes[min(point, np.uint32(0x10FFFF))]
            if kind != _SPACE and kind != _NEWLINE and kind != _DROPPED:
                odd[text] |= kind == _UNSAFE
                while at < after:
                    out[to] = data[at]
                    to += one
                    at += one
                before = np.uint8(0)
            elif kind == _SPACE:
                if before != 32 and before != 10:
                    out[to] = 32
                    to += one
                    before = np.uint8(32)
            elif kind == _NEWLINE:
                if before == 32:
                    to -= one
                if to > begin and not (out[to - one] == 10 and to - one > begin and out[to - one - one] == 10):
                    out[to] = 10
                    to += one
                before = np.uint8(10)
            at = after
        while to > begin and (out[to - one] == 32 or out[to - one] == 10):
            to -= one
        ends[text] = to


def normal_forms(texts: list[str]) -> pa.Array:
    """Return the normal form of each text, as an Arrow array of large strings.

    >>> normal_forms(["  Cafe\\u0301 \\r\\n\\r\\n\\r\\nbar\\t baz ", "plain"]).to_pylist()
    ['Café\\n\\nbar baz', 'plain']
    """
    try:
        raw = pa.array(texts, pa.large_string())
    except UnicodeEncodeError:  # unpaired surrogates
        return pa.array([normalise(text) for text in texts], pa.large_string())
    data, offsets = utf8(raw)
    out = np.empty(len(data) + 1, np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    odd = np.zeros(len(texts), bool)
    _normalise(data, offsets, _classes(), out, ends[1:], odd)
    forms = pa.Array.from_buffers(pa.large_string(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(out)])
    if not odd.any():
        return forms
    before = forms.filter(pa.array(odd)).to_pylist()
    composed = [unicodedata.normalize("NFC", text) for text in before]
    if composed == before:  # as most are, and to replace them copies all
        return forms
    others = pa.array(composed, pa.large_string())
    return pc.replace_with_mask(forms, pa.array(odd), others)

"""The kernel for the CPU: computes shingles, signatures, band keys and exact similarities of texts in UTF-8.

`index.minhash.torch_kernel` has the same steps for the GPU, with the same bits; docs/minhash.md describes them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt

from index.minhash import characters, procedure
from index.minhash.procedure import Parameters

if TYPE_CHECKING:  # `sign_utf8` needs no Arrow
    import pyarrow as pa

_LETTER = np.uint64(procedure.LETTER)
_WORD = np.uint64(procedure.WORD)
_BAND = np.uint64(procedure.BAND)
ALONE = characters.ALONE
MARK = characters.MARK
POINT = np.uint32(0x1FFFFF)
_0, _1, _2, _3, _4 = (np.uint64(number) for number in range(5))
#: Bytes that are tested together, and of ASCII taken together at most; shingles hashed together.
_STRIDE, _RUN = np.uint64(32), 512
_POWERS, _INVERSES = (
    np.array([pow(base, number, 1 << 64) for number in range(_RUN)], np.uint64)
    for base in (procedure.LETTER, pow(procedure.LETTER, -1, 1 << 64))
)
#: Shingles that are permuted at a time: 16 KiB, which stay in the first-level cache for all permutations.
_BLOCK = 4096


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function to machine code at its first call, and keep it on disk. It runs without Python's lock."""
    kernel: Callable[..., Any]
    try:
        kernel = numba.njit(cache=True, nogil=True, boundscheck=False)(function)
    except RuntimeError:  # no folder for it can be written to: compile each time
        kernel = numba.njit(nogil=True, boundscheck=False)(function)
    return kernel


@lru_cache(maxsize=1)
def fold() -> npt.NDArray[np.uint32]:
    """Return the table of characters, read once."""
    return characters.table()


@compiled
def mix(value):  # type: ignore[no-untyped-def]
    """Mix the bits of a 64-bit number, as `procedure.mix`."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@compiled
def decode(data, at, end):  # type: ignore[no-untyped-def]
    """Return the character of several bytes that begins at a position, and where the next character begins."""
    letter = np.uint32(data[at])
    size = _2 if letter < 0xE0 else _3 if letter < 0xF0 else _4
    letter &= np.uint32(0x3F) >> np.uint32(size - _1)
    last = min(at + size, end)
    position = at + _1
    while position < last:
        letter = (letter << np.uint32(6)) | (np.uint32(data[position]) & np.uint32(0x3F))
        position += _1
    return (letter if letter < 0x110000 else np.uint32(0)), last


@compiled
def with_marks(word, data, at, end, fold):  # type: ignore[no-untyped-def]
    """Add the marks from a position on to a letter that is a word of its own; return the word, and where it ends."""
    while at < end and data[at] >= 0x80:
        letter, after = decode(data, at, end)
        flagged = fold[letter]
        if not flagged & MARK:
            break
        word = word * _LETTER + np.uint64(flagged & POINT)
        at = after
    return word, at


@compiled
def _beyond_ascii(data, at, end, fold, word, out, count):  # type: ignore[no-untyped-def]
    """Take the character of several bytes at a position; return where the next one begins, the word, and the count."""
    letter, at = decode(data, at, end)
    flagged = fold[letter]
    folded = np.uint64(flagged & POINT)
    if folded != _0 and not flagged & ALONE:  # a mark belongs to the character before it
        return at, word * _LETTER + folded, count
    out[count] = word
    count += np.uint64(word != _0)
    if folded != _0:  # a word of its own, with its marks
        word, at = with_marks(folded, data, at, end, fold)
        out[count] = word
        count += _1
    return at, _0, count


@compiled
def _ascii_until(data, at, end):  # type: ignore[no-untyped-def]
    """Return where the strides of ASCII end that begin at a position. Compiled to vector instructions."""
    while at + _STRIDE <= end:
        high = np.uint8(0)
        for position in range(_STRIDE):
            high |= data[at + position]
        if high >= 0x80:
            break
        at += _STRIDE
    return at


@compiled
def _ascii_words(data, at, size, word, out, count, terms, letters, ends):  # type: ignore[no-untyped-def]
    """Take `size` bytes of ASCII, at most `_RUN`; return the last word, if it goes on, and the count.

    The hash of a word is a polynomial: letter by letter, each step waits for the one before it. Here each letter is
    multiplied by a power of its own, all at once. Of the running sum, the difference between the ends of two words is
    the hash of the second one, but for a power. (Modulo 2^64 an odd number has an inverse, so that all is exact.)
    """
    for position in range(size):
        byte = data[at + position]
        lower = byte | np.uint8(0x20)
        alphabetic = np.uint8(lower - np.uint8(97)) < np.uint8(26)
        digit = np.uint8(byte - np.uint8(48)) < np.uint8(10)
        folded = lower if alphabetic else byte if digit else np.uint8(0)
        letters[position] = np.uint8(alphabetic | digit)
        terms[position] = np.uint64(folded) * _INVERSES[position]
    letters[size] = 1  # whether a word ends here, the next byte decides
    if letters[0] == 0:
        out[count] = word
        count += np.uint64(word != _0)
        word = _0
    first, found = count, _0
    total = word * _LETTER
    for position in range(size):
        # no branch on the end of a word, which no processor can predict
        total += terms[position]
        out[first + found] = total
        ends[found] = position
        found += np.uint64(letters[position] & (letters[position + _1] ^ np.uint8(1)))
    before = _0
    for number in range(found):
        after = out[first + number]
        word = (after - before) * _POWERS[ends[number]]
        before = after
        out[count] = word
        count += np.uint64(word != _0)
    last = size - _1
    return ((total - before) * _POWERS[last] if letters[last] else _0), count


@compiled
def _words(data, begin, stop, fold, out):  # type: ignore[no-untyped-def]
    """Write the hash of each word of data[begin:stop] into `out`; return how many these are.

    All positions are unsigned: for signed ones numba also tests whether they count from the end.
    """
    at, end = np.uint64(begin), np.uint64(stop)
    count = _0
    word = _0  # of the letters so far; 0 outside of words
    look = at if at + _STRIDE <= end else end  # where the next stride may be tested
    terms = np.empty(_RUN, np.uint64)
    letters = np.empty(_RUN + 1, np.uint8)
    ends = np.empty(_RUN, np.uint16)
    while at < end:
        if at >= look:
            size = _ascii_until(data, at, min(end, at + np.uint64(_RUN))) - at
            if size:
                word, count = _ascii_words(data, at, size, word, out, count, terms, letters, ends)
                at += size
            look = at if size else at + _STRIDE
            continue
        byte = data[at]
        if byte < 0x80:
            folded = np.uint64(fold[byte])
            outside = folded == _0
            out[count] = word
            count += np.uint64(outside & (word != _0))
            longer = word * _LETTER + folded
            word = _0 if outside else longer
            at += _1
        else:
            at, word, count = _beyond_ascii(data, at, end, fold, word, out, count)
    out[count] = word
    count += np.uint64(word != _0)
    for position in range(count):
        out[position] = mix(out[position])
    return count


@compiled
def shingles_into(data, begin, stop, fold, words, out):  # type: ignore[no-untyped-def]
    """Write the hash of each shingle of data[begin:stop] into `out`, in order; return how many these are.

    `out` has room for (stop - begin) // 2 + 2 hashes.
    """
    count = _words(data, begin, stop, fold, out)
    width = min(np.uint64(words), count)
    if width == _0:
        return 0
    shingles = count - width + _1
    block = np.empty(_RUN, np.uint64)
    for start in range(_0, shingles, np.uint64(_RUN)):
        size = min(np.uint64(_RUN), shingles - start)
        block[:size] = width
        for word in range(width):  # of many shingles at once: each step of one waits for the step before it
            for position in range(size):
                block[position] = block[position] * _WORD + out[start + word + position]
        for position in range(size):
            out[start + position] = mix(block[position])
    return np.int64(shingles)


@compiled
def _sign(shingles, count, factors, summands, low, signature):  # type: ignore[no-untyped-def]
    """Write the low 16 bits of the least value of each permutation over the upper halves of the shingles."""
    hashes = factors.size
    low[:] = np.uint32(0xFFFFFFFF)
    block = np.empty(_BLOCK, np.uint32)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        for position in range(size):
            block[position] = np.uint32(shingles[start + position] >> np.uint64(32))
        for number in range(hashes):
            factor, summand, least = factors[number], summands[number], low[number]
            for position in range(size):
                value = np.uint32(block[position] * factor + summand)
                least = min(least, value)
            low[number] = least
    for number in range(hashes):
        signature[number] = np.uint16(low[number] & np.uint32(0xFFFF))


@compiled
def _sign_all(data, offsets, fold, words, factors, summands, signatures, counts):  # type: ignore[no-untyped-def]
    longest = 0
    for text in range(counts.size):
        longest = max(longest, offsets[text + 1] - offsets[text])
    shingles = np.empty(longest // 2 + 2, np.uint64)
    low = np.empty(factors.size, np.uint32)
    for text in range(counts.size):
        count = shingles_into(data, offsets[text], offsets[text + 1], fold, words, shingles)
        counts[text] = count
        if count:
            _sign(shingles, count, factors, summands, low, signatures[text])
        else:
            signatures[text] = 0


@compiled
def _keys(signatures, counts, bands, rows, keys):  # type: ignore[no-untyped-def]
    for text in range(signatures.shape[0]):
        for band in range(bands):
            key = np.uint64(band + 1)
            for row in range(rows):
                key = key * _BAND + np.uint64(signatures[text, band * rows + row]) + np.uint64(1)
            keys[text, band] = mix(key) if counts[text] else np.uint64(0)


@compiled
def shared(left, right):  # type: ignore[no-untyped-def]
    """Count the numbers that two sorted sets have in common."""
    common = 0
    i = j = 0
    while i < left.size and j < right.size:
        a, b = left[i], right[j]
        common += a == b
        i += a <= b
        j += b <= a
    return common


def utf8(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the bytes of an Arrow array of strings, and the offsets where texts begin and end (length + 1).

    Raises:
        ValueError: a text is null.
    """
    texts = texts.cast("large_string")
    _, offsets, data = texts.buffers()
    positions = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1] if len(texts) else None
    if texts.null_count:
        raise ValueError("a text is null")
    return (
        np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8),
        positions if positions is not None else np.zeros(1, np.int64),
    )


def sign(
    texts: pa.Array, parameters: Parameters = Parameters()
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """Compute MinHash signatures of texts in the lake's normal form.

    Method: b-bit MinHash (Li & König, WWW 2010), b = 16.

    Args:
        texts: an Arrow array of strings without nulls.

    Returns:
        signatures, (texts, hashes), and how many shingles each text has, (texts,). A text without words has no
        shingle and a signature of zeros, and is similar to no other.
    """
    return sign_utf8(*utf8(texts), parameters)


def sign_utf8(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], parameters: Parameters = Parameters()
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """Compute what `sign` returns, of texts as `utf8` returns them."""
    signatures = np.empty((len(offsets) - 1, parameters.hashes), np.uint16)
    counts = np.empty(len(offsets) - 1, np.int32)
    factors, summands = (np.array(drawn, np.uint32) for drawn in procedure.permutations(parameters.hashes))
    _sign_all(data, offsets, fold(), parameters.words, factors, summands, signatures, counts)
    return signatures, counts


def band_keys(
    signatures: npt.NDArray[np.uint16], counts: npt.NDArray[np.int32], parameters: Parameters = Parameters()
) -> npt.NDArray[np.uint64]:
    """Return the key of each band of each signature, (texts, bands); 0 for a text without shingles."""
    keys = np.empty((len(signatures), parameters.bands), np.uint64)
    _keys(signatures, counts, parameters.bands, parameters.rows, keys)
    return keys


@compiled
def _sets(data, offsets, fold, words, out, starts):  # type: ignore[no-untyped-def]
    at = 0
    for text in range(offsets.size - 1):
        starts[text] = at
        at += shingles_into(data, offsets[text], offsets[text + 1], fold, words, out[at:])
    starts[offsets.size - 1] = at


@compiled
def _compact(values, starts):  # type: ignore[no-untyped-def]
    """Remove repeated values from each sorted part, and close the gaps between the parts."""
    to = 0
    for text in range(starts.size - 1):
        first, last = starts[text], starts[text + 1]
        starts[text] = to
        for position in range(first, last):
            if position == first or values[position] != values[to - 1]:
                values[to] = values[position]
                to += 1
    starts[starts.size - 1] = to


def shingle_sets(
    texts: pa.Array, parameters: Parameters = Parameters()
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the different shingles of each text, hashed to 64 bits and sorted, one text after the other.

    Returns:
        the hashes, and where each text begins and ends in them (texts + 1).
    """
    data, offsets = utf8(texts)
    out = np.empty((offsets[-1] - offsets[0]) // 2 + 2 * len(texts) + 2, np.uint64)
    starts = np.empty(len(texts) + 1, np.int64)
    _sets(data, offsets, fold(), parameters.words, out, starts)
    for first, last in pairwise(starts):
        out[first:last].sort()
    _compact(out, starts)
    return out[: starts[-1]], starts


def shingle_set(text: str, parameters: Parameters = Parameters()) -> npt.NDArray[np.uint64]:
    """Return the different shingles of one text, hashed to 64 bits and sorted."""
    import pyarrow as pa

    return shingle_sets(pa.array([text], pa.large_string()), parameters)[0]


def jaccard(left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64]) -> float:
    """Return the Jaccard similarity of two shingle sets: |A ∩ B| / |A ∪ B|; 0 for two empty sets."""
    common = int(shared(left, right))
    total = len(left) + len(right) - common
    return common / total if total else 0.0

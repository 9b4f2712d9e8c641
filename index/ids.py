"""Content ids as numbers: 64 hexadecimal digits are four unsigned 64-bit words, the highest word first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from index.minhash.kernel import compiled, utf8

Ids = npt.NDArray[np.uint64]  #: (texts, 4)


@compiled
def _parse(data, offsets, out):  # type: ignore[no-untyped-def]
    """Parse ids into `out`; return the number of the first that is none, or -1."""
    for text in range(out.shape[0]):
        at = offsets[text]
        if offsets[text + 1] - at != 64:
            return text
        for word in range(4):
            value = np.uint64(0)
            for _ in range(16):
                digit = np.uint64(data[at])
                digit = digit - np.uint64(48) if digit < 58 else digit - np.uint64(87)
                if digit > 15:
                    return text
                value = (value << np.uint64(4)) | digit
                at += 1
            out[text, word] = value
    return -1


def parse(content_ids: pa.Array | pa.ChunkedArray) -> Ids:
    """Return content ids as numbers.

    Raises:
        ValueError: one is not 64 lower-case hexadecimal digits.
    """
    if isinstance(content_ids, pa.ChunkedArray):
        content_ids = content_ids.combine_chunks()
    out = np.empty((len(content_ids), 4), np.uint64)
    wrong = _parse(*utf8(content_ids), out)
    if wrong >= 0:
        raise ValueError(f"{content_ids[wrong].as_py()!r} is no content id")
    return out


@compiled
def _write(ids, out):  # type: ignore[no-untyped-def]
    for text in range(ids.shape[0]):
        for word in range(4):
            for number in range(16):
                digit = np.uint8((ids[text, word] >> np.uint64(60 - 4 * number)) & np.uint64(15))
                out[text, 16 * word + number] = digit + (48 if digit < 10 else 87)


def text(ids: Ids) -> pa.Array:
    """Return numbers as content ids.

    >>> text(parse(pa.array(["0123456789abcdef" * 4]))).to_pylist() == ["0123456789abcdef" * 4]
    True
    """
    digits = np.empty((len(ids), 64), np.uint8)
    _write(ids, digits)
    offsets = np.arange(len(ids) + 1, dtype=np.int64) * 64
    return pa.Array.from_buffers(pa.large_string(), len(ids), [None, pa.py_buffer(offsets), pa.py_buffer(digits)])


def sort(ids: Ids) -> npt.NDArray[np.int64]:
    """Return the order that sorts ids; equal ids keep theirs. Only the upper 128 bits are compared."""
    return np.lexsort((ids[:, 1], ids[:, 0]))


@compiled
def find(ordered, wanted, out):  # type: ignore[no-untyped-def]
    """Write the first position of each wanted id in the sorted ids into `out`, or -1.

    Ids are spread evenly, so the value of an id gives its approximate position. The search begins around that.
    """
    size = ordered.shape[0]
    reach = int(2 * np.sqrt(size)) + 16
    for number in range(wanted.shape[0]):
        high, low = wanted[number, 0], wanted[number, 1]
        guess = int(float(high) / 2.0**64 * size)
        first, last = max(guess - reach, 0), min(guess + reach, size)
        if first > 0 and (first >= size or ordered[first, 0] >= high):
            first = 0
        if last < size and ordered[last, 0] <= high:
            last = size
        while first < last:
            middle = (first + last) // 2
            if ordered[middle, 0] < high or (ordered[middle, 0] == high and ordered[middle, 1] < low):
                first = middle + 1
            else:
                last = middle
        equal = first < ordered.shape[0] and ordered[first, 0] == high and ordered[first, 1] == low
        out[number] = first if equal else -1


def positions(ordered: Ids, wanted: Ids) -> npt.NDArray[np.int64]:
    """Return the first position of each wanted id in the sorted ids, or -1."""
    out = np.empty(len(wanted), np.int64)
    find(ordered, wanted, out)
    return out


@compiled
def locate(ids_, order, wanted, out, before):  # type: ignore[no-untyped-def]
    """Write the number of each wanted id into `out`, or -1; and into `before` how many ids are less, if it has room.

    Ids are spread evenly, so the value of an id gives its approximate position. The search begins around that.
    """
    size = order.size
    reach = int(2 * np.sqrt(size)) + 16
    least = float(ids_[order[0], 0]) if size else 0.0
    spread = float(ids_[order[size - 1], 0]) - least if size else 0.0
    for number in range(wanted.shape[0]):
        high, low = wanted[number, 0], wanted[number, 1]
        share = (float(high) - least) / spread if spread > 0 else 0.0
        guess = int(min(max(share, 0.0), 1.0) * size)
        first, last = max(guess - reach, 0), min(guess + reach, size)
        if first > 0 and ids_[order[first - 1], 0] >= high:
            first = 0
        if last < size and ids_[order[last], 0] <= high:
            last = size
        while first < last:
            middle = (first + last) // 2
            at = order[middle]
            if ids_[at, 0] < high or (ids_[at, 0] == high and ids_[at, 1] < low):
                first = middle + 1
            else:
                last = middle
        out[number] = -1
        if first < size:
            at = order[first]
            if ids_[at, 0] == high and ids_[at, 1] == low:
                out[number] = at
        if before.size:
            before[number] = first


def located(ids: Ids, order: npt.NDArray[np.int64], wanted: Ids) -> npt.NDArray[np.int64]:
    """Return the rows of wanted ids among ids that an order sorts, or -1. Of equal ids the first counts."""
    out = np.empty(len(wanted), np.int64)
    locate(ids, order, wanted, out, np.empty(0, np.int64))
    return out

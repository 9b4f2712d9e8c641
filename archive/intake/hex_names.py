"""Names that are hexadecimal digits, as numbers: 16 bytes for each in place of a Python string."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Words = npt.NDArray[np.uint64]
#: The first 128 bits of names: the upper and the lower words.
Pairs = tuple[Words, Words]

#: Digits of a pair.
WIDTH = 32
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16, dtype=np.uint8)


def digits_of(names: pa.Array | pa.ChunkedArray, width: int) -> npt.NDArray[np.uint8] | None:
    """Return the values of the first 32 digits of names, (number of names, 32); 255 for what is no digit.

    Returns:
        None where a name is null, or has another width.
    """
    if isinstance(names, pa.ChunkedArray):
        names = names.combine_chunks()
    fixed = names.cast(pa.large_binary())
    if fixed.null_count or pc.all(pc.equal(pc.binary_length(fixed), width)).as_py() is False:
        return None
    if not len(fixed):
        return np.empty((0, WIDTH), np.uint8)
    _, offsets, data = fixed.buffers()
    first = int(np.frombuffer(offsets, np.int64, 1, fixed.offset * 8)[0])
    return _DIGITS[np.frombuffer(data, np.uint8, len(fixed) * width, first).reshape(-1, width)[:, :WIDTH]]


def pairs_of(digits: npt.NDArray[np.uint8]) -> Pairs:
    """Return what `digits_of` gave as numbers."""
    words = ((digits[:, 0::2] << 4) | digits[:, 1::2]).view(">u8")
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


def are_in(highs: Words, lows: Words, high: Words, low: Words) -> npt.NDArray[np.bool_]:
    """Tell which of some pairs are among others, which are in the order of their upper words."""
    found = np.zeros(len(high), np.bool_)
    if not len(highs):
        return found
    at = np.searchsorted(highs, high)
    left = np.arange(len(high))
    while len(left):  # more than once where different names have the same upper word
        left = left[at[left] < len(highs)]
        left = left[highs[at[left]] == high[left]]
        found[left] = lows[at[left]] == low[left]
        left = left[~found[left]]
        at[left] += 1
    return found


class HexNames:
    """A set of names. Those of 32 lower-case hexadecimal digits, as units and batches have, take 16 bytes each.

    Args:
        parts: arrays of strings.
    """

    def __init__(self, parts: Iterable[pa.Array | pa.ChunkedArray]) -> None:
        self._others: set[str] = set()
        highs, lows = [], []
        for part in parts:
            (high, low), is_hex = split(part)
            highs.append(high)
            lows.append(low)
            self._others.update(part.filter(pa.array(~is_hex)).to_pylist() if not is_hex.all() else ())
        high = np.concatenate(highs) if highs else np.empty(0, np.uint64)
        low = np.concatenate(lows) if lows else np.empty(0, np.uint64)
        order = np.argsort(high, kind="stable")
        self._high, self._low = high[order], low[order]

    def __len__(self) -> int:
        return len(self._high) + len(self._others)

    def __contains__(self, name: str) -> bool:
        if name in self._others:
            return True
        return bool(self.has(pa.array([name]))[0])

    def has(self, names: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Tell which names are here; one that is null is not."""
        (high, low), is_hex = split(names)
        found = np.zeros(len(names), np.bool_)
        found[is_hex] = are_in(self._high, self._low, high, low)
        for at in np.flatnonzero(~is_hex).tolist():
            found[at] = names[at].as_py() in self._others
        return found


def split(names: pa.Array | pa.ChunkedArray) -> tuple[Pairs, npt.NDArray[np.bool_]]:
    """Return those of names that have 32 digits as numbers, and which these are."""
    fits = pc.fill_null(pc.equal(pc.binary_length(names.cast(pa.large_binary())), WIDTH), False)
    is_hex = np.asarray(fits.to_numpy(zero_copy_only=False) if isinstance(fits, pa.Array) else fits.to_numpy()).copy()
    digits = digits_of(names.filter(pa.array(is_hex)), WIDTH)
    assert digits is not None
    right = (digits <= 15).all(axis=1)
    is_hex[np.flatnonzero(is_hex)[~right]] = False
    return pairs_of(np.ascontiguousarray(digits[right])), is_hex

"""A filter of 64-bit hashes: one bit for each. It saves the search for most hashes that are not among them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled


def bits_of(hashes: npt.NDArray[np.uint64], least: int = 64) -> npt.NDArray[np.uint8]:
    """Return a filter of some hashes, with 16 to 32 bits for each.

    Args:
        least: bytes; a power of 2.
    """
    bits = np.zeros(max(least, 1 << int(2 * hashes.size).bit_length()), np.uint8)
    _set(hashes, bits)
    return bits


@compiled
def has(bits, value):  # type: ignore[no-untyped-def]
    """Return whether a hash may be among those of a filter. To be called by compiled functions."""
    bit = value & np.uint64(bits.size * 8 - 1)
    return bits[bit >> np.uint64(3)] & (np.uint8(1) << np.uint8(bit & np.uint64(7)))


@compiled
def _set(hashes, bits):  # type: ignore[no-untyped-def]
    mask = np.uint64(bits.size * 8 - 1)
    for value in hashes:
        bit = value & mask
        bits[bit >> np.uint64(3)] |= np.uint8(1) << np.uint8(bit & np.uint64(7))

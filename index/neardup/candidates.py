"""Candidates for near-duplicates: texts that share a band value with one of the earliest texts that have it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled
from index.neardup.bands import Bands
from index.neardup.texts import Texts

#: Rows of bands in memory at a time: 16 bytes each, and as many again while they are sorted.
_ROWS = 1 << 24
#: Pairs collected before those that several bands gave are reduced to one.
_PAIRS = 1 << 26

PairCodes = npt.NDArray[np.uint64]  #: a pair of text numbers: the lesser << 32 | the greater


@compiled
def earliest(texts, first, last, rank, leaders):  # type: ignore[no-untyped-def]
    """Write the earliest texts of a bucket into `leaders`, in order of their rank; return how many they are."""
    held = 0
    for position in range(first, last):
        text = texts[position]
        if held == leaders.size and rank[text] > rank[leaders[held - 1]]:
            continue
        at = held if held < leaders.size else held - 1
        while at > 0 and rank[leaders[at - 1]] > rank[text]:
            leaders[at] = leaders[at - 1]
            at -= 1
        leaders[at] = text
        held = min(held + 1, leaders.size)
    return held


@compiled
def _pairs(keys, texts, rank, most, codes):  # type: ignore[no-untyped-def]
    """Pair each text of a bucket with the leaders of the bucket that are earlier; return how many pairs these are.

    If `codes` is empty, the pairs are only counted.
    """
    leaders = np.empty(most, np.int64)
    count = 0
    first = 0
    while first < keys.size:
        last = first + 1
        while last < keys.size and keys[last] == keys[first]:
            last += 1
        size = last - first
        if size > 1:
            held = min(size, most)
            if codes.size == 0:
                count += held * (held - 1) // 2 + (size - held) * held
            else:
                held = earliest(texts, first, last, rank, leaders)
                for position in range(first, last):
                    text = texts[position]
                    for leader in leaders[:held]:
                        if rank[leader] >= rank[text]:
                            break
                        low, high = min(text, leader), max(text, leader)
                        codes[count] = (np.uint64(low) << np.uint64(32)) | np.uint64(high)
                        count += 1
        first = last
    return count


def candidates(texts: Texts, bands: Bands, leaders: int) -> PairCodes:
    """Return the pairs that share a band value, if one of the two is among the `leaders` earliest texts that have it.

    So a value that a million texts share gives a million times `leaders` pairs, and not 10¹².

    Returns:
        the pairs, sorted, each once.

    Raises:
        ValueError: there are more texts than a code can hold.
    """
    if len(texts) >= 1 << 32:
        raise ValueError("more than 2^32 texts")
    parts: list[PairCodes] = [np.empty(0, np.uint64)]
    held = 0  # pairs since the last reduction
    for keys, numbers in bands.ranges(_ROWS):
        live = texts.live[numbers]
        if not live.all():
            keys, numbers = keys[live], numbers[live]
        count = _pairs(keys, numbers, texts.rank, leaders, np.empty(0, np.uint64))
        if not count:
            continue
        codes = np.empty(count, np.uint64)
        count = _pairs(keys, numbers, texts.rank, leaders, codes)
        parts.append(np.unique(codes[:count]))
        held += len(parts[-1])
        if held > _PAIRS:
            parts = [np.unique(np.concatenate(parts))]
            held = 0
    return np.unique(np.concatenate(parts))


def split(codes: PairCodes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the two text numbers of each pair: the upper and the lower half of its code."""
    return (codes >> np.uint64(32)).astype(np.int64), (codes & np.uint64(0xFFFFFFFF)).astype(np.int64)


def join(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> PairCodes:
    """Return the codes of pairs of text numbers; the order within a pair is free."""
    low, high = np.minimum(left, right).astype(np.uint64), np.maximum(left, right).astype(np.uint64)
    return (low << np.uint64(32)) | high

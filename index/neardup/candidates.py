"""Texts that share a band value, each with the few earliest that have it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled
from index.neardup.bands import Bands
from index.neardup.texts import Texts

#: Rows of bands held at a time, 16 bytes each and again as many while they are sorted.
_ROWS = 1 << 24
#: Pairs collected before the ones that came from several bands are thrown together.
_PAIRS = 1 << 26

Codes = npt.NDArray[np.uint64]  #: a pair of text numbers: the lesser << 32 | the greater


@compiled
def earliest(texts, first, last, rank, leaders):  # type: ignore[no-untyped-def]
    """The earliest texts of a bucket into `leaders`, in order; returns how many."""
    held = 0
    for place in range(first, last):
        text = texts[place]
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
    """Each text of a bucket with each of its earliest that is earlier; returns how many pairs.

    Counts only, where `codes` is empty.
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
                for place in range(first, last):
                    text = texts[place]
                    for leader in leaders[:held]:
                        if rank[leader] >= rank[text]:
                            break
                        low, high = min(text, leader), max(text, leader)
                        codes[count] = (np.uint64(low) << np.uint64(32)) | np.uint64(high)
                        count += 1
        first = last
    return count


def candidates(texts: Texts, bands: Bands, leaders: int) -> Codes:
    """All pairs of which one is among the `leaders` earliest texts of a band value that both have.

    So a value that a million texts share makes a million times `leaders` pairs, and not 10¹².

    Returns:
        the pairs, sorted, each once.
    """
    if len(texts) >= 1 << 32:
        raise ValueError("more than 2^32 texts")
    found: list[Codes] = [np.empty(0, np.uint64)]
    held = 0
    for keys, numbers in bands.ranges(_ROWS):
        alive = texts.live[numbers]
        if not alive.all():
            keys, numbers = keys[alive], numbers[alive]
        count = _pairs(keys, numbers, texts.rank, leaders, np.empty(0, np.uint64))
        if not count:
            continue
        codes = np.empty(count, np.uint64)
        made = _pairs(keys, numbers, texts.rank, leaders, codes)
        found.append(np.unique(codes[:made]))
        held += len(found[-1])
        if held > _PAIRS:
            found = [np.unique(np.concatenate(found))]
            held = 0  # counts what has come since
    return np.unique(np.concatenate(found))


def split(codes: Codes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The two text numbers of each pair."""
    return (codes >> np.uint64(32)).astype(np.int64), (codes & np.uint64(0xFFFFFFFF)).astype(np.int64)


def join(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> Codes:
    """Pairs of text numbers as codes, whichever comes first."""
    low, high = np.minimum(left, right).astype(np.uint64), np.maximum(left, right).astype(np.uint64)
    return (low << np.uint64(32)) | high

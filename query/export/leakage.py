"""Texts that may be near-duplicates of each other, found more widely than the index does.

The index looks for witnesses, and misses some pairs at its threshold (docs/near-duplicates.md). Here the texts of a set
are compared again, so that no pair is divided between two splits. Short bands miss fewer than one pair in a million at
the threshold. Texts are not read: a pair counts if its signatures are similar, with a margin.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.lake import Lake
from index import ids, tables
from index.tables import SIGNATURES

#: Least chance that a pair at the threshold shares a band.
_CERTAIN = 1 - 1e-6
#: How far below the threshold an estimate may be: five standard deviations of one from 112 hashes.
_MARGIN = 0.2
#: The most texts of one band value of which all pairs are compared. Of more, each is compared with the next one and
#: the first.
_CROWD = 32
#: Pairs compared at a time.
_PAIRS = 1 << 18


def similar_pairs(lake: Lake, chosen: pa.Array, scratch: Path) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the pairs of the chosen texts whose signatures are similar, by number: arrays of shape (pairs, 2).

    Args:
        chosen: content ids, different ones.
        scratch: a folder for the signatures, 224 bytes for each text.
    """
    parameters = tables.parameters_of(lake)
    width = parameters.bands * parameters.rows
    rows = _rows(parameters.threshold, width)
    least = int((parameters.threshold - _MARGIN) * width)
    signatures, have = _signatures(lake, chosen, width, scratch)
    for band in range(width // rows):
        part = np.ascontiguousarray(signatures[:, band * rows : band * rows + rows]).astype(np.uint64)
        keys = np.zeros(len(part), np.uint64)
        for at in range(rows):
            keys = (keys << np.uint64(16)) | part[:, at]
        order = have[np.argsort(keys[have], kind="stable")]
        for left, right in _candidates(order, keys[order]):
            close = (signatures[left] == signatures[right]).sum(axis=1) >= least
            if close.any():
                yield np.stack([left[close], right[close]], axis=1)


def _rows(threshold: float, width: int) -> int:
    """Return how many hashes a band has: the most that miss hardly a pair at the threshold. Four fit in a key."""
    for rows in (4, 3, 2):
        if 1 - (1 - threshold**rows) ** (width // rows) >= _CERTAIN:
            return rows
    return 1


def _signatures(
    lake: Lake, chosen: pa.Array, width: int, scratch: Path
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Return the signatures of the chosen texts, in a file that is mapped, and the numbers of the texts with words."""
    parsed = ids.parse(chosen)
    order = ids.sort(parsed)
    ordered = parsed[order]
    signatures = np.lib.format.open_memmap(scratch / "signatures.npy", "w+", np.uint16, (len(chosen), width))
    have = np.zeros(len(chosen), np.bool_)
    for table in lake.read_files(SIGNATURES.name, lake.files(SIGNATURES.name), SIGNATURES.schema.names):
        positions = ids.positions(ordered, ids.parse(table["content_id"]))
        rows = np.flatnonzero((positions >= 0) & (table["shingles"].to_numpy() > 0))
        if not len(rows):
            continue
        data = b"".join(table["signature"].take(pa.array(rows)).to_pylist())
        numbers = order[positions[rows]]
        signatures[numbers] = np.frombuffer(data, "<u2").reshape(len(rows), width)
        have[numbers] = True
    return signatures, np.flatnonzero(have)


def _candidates(
    order: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield pairs of texts that share a band value, some at a time."""
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, np.int64)
    sizes = np.diff(np.append(starts, len(keys)))
    first = np.repeat(starts, sizes)
    positions = np.arange(len(keys))
    small = np.repeat(sizes <= _CROWD, sizes)
    for distance in range(1, _CROWD):
        right = positions[distance:]
        same = right[first[distance:] == first[: len(keys) - distance]]
        if not len(same):
            break
        kept = same if distance == 1 else same[small[same]]
        yield from _in_pieces(order, kept - distance, kept)
    crowded = positions[~small & (positions != first)]
    yield from _in_pieces(order, first[crowded], crowded)


def _in_pieces(
    order: npt.NDArray[np.int64], left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    for at in range(0, len(left), _PAIRS):
        yield order[left[at : at + _PAIRS]], order[right[at : at + _PAIRS]]

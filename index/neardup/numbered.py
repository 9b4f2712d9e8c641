"""The texts of an index with numbers that stay: a text that comes later gets the next one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.lake import Lake
from index import ids
from index.ids import Ids
from index.neardup.kept import Kept, release
from index.neardup.pages import Column
from index.neardup.parts import parts_of
from index.neardup.shingle_sets import allocate
from index.neardup.texts import NEVER
from index.tables import SIGNATURES

Numbers = npt.NDArray[np.int64]
#: With more texts than this, what is known of each is in mapped files.
_MAPPED = 1 << 22


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of signatures. Its rows are texts with successive numbers, or with the numbers that an array names."""

    name: str
    rows: int
    first: int
    numbers: Numbers | None = None

    def of(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.int32]) -> Numbers:
        """Return the numbers of the texts in some rows."""
        numbers: Numbers = rows + np.int64(self.first) if self.numbers is None else self.numbers[rows]
        return numbers


@dataclass(slots=True)
class Numbered:
    """The texts that were ever signed, by number. Of many, each takes 52 bytes in mapped files, and 2 in memory."""

    ids: Ids
    shingles: npt.NDArray[np.int32]
    order: Numbers  #: sorts the ids; without numbers that no text has, since two files had the same one
    first_seen: npt.NDArray[np.int64]  #: microseconds since 1970, or NEVER
    captured: npt.NDArray[np.bool_]  #: there is a capture: the text was not forgotten
    live: npt.NDArray[np.bool_]  #: there is a signature too
    segments: list[Segment] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.shingles)

    def find(self, wanted: Ids) -> Numbers:
        """Return the numbers of texts; -1 for an id that no text has."""
        return ids.located(self.ids, self.order, wanted)

    @property
    def repeats(self) -> bool:
        """Whether a text may be in more than one row of the signatures."""
        return any(segment.numbers is not None for segment in self.segments)

    def rank(self, numbers: Numbers) -> Numbers:
        """Return the position of each of some different texts in the order of (first_seen, content id)."""
        seen = self.first_seen[numbers]
        order = np.argsort(seen, kind="stable")
        ordered = seen[order]
        same = np.zeros(len(order), bool)  # the dates that several have
        same[1:] = ordered[1:] == ordered[:-1]
        same[:-1] |= same[1:]
        at = np.flatnonzero(same)
        some = self.ids[numbers[order[at]]]
        order[at] = order[at][np.lexsort((some[:, 1], some[:, 0], ordered[at]))]
        rank = np.empty(len(numbers), np.int64)
        rank[order] = np.arange(len(numbers))
        return rank

    def signatures(self, lake: Lake, wanted: Numbers, hashes: int) -> Iterator[tuple[Numbers, npt.NDArray[np.uint16]]]:
        """Yield some numbers and the signatures of these, by row group. One without a signature is left out.

        Args:
            wanted: sorted, each once.
        """
        return signatures(lake, self.segments, wanted, hashes)


def signatures(
    lake: Lake, segments: list[Segment], wanted: Numbers, hashes: int
) -> Iterator[tuple[Numbers, npt.NDArray[np.uint16]]]:
    """Yield the same from some segments."""
    for segment in segments:
        if segment.numbers is None:
            first, last = np.searchsorted(wanted, [segment.first, segment.first + segment.rows])
            rows = wanted[first:last] - segment.first
            numbers = wanted[first:last]
        else:
            at = np.searchsorted(wanted, segment.numbers)
            at[at == len(wanted)] = 0
            rows = np.flatnonzero(wanted[at] == segment.numbers) if len(wanted) else np.empty(0, np.int64)
            numbers = segment.numbers[rows]
        if not len(rows):
            continue
        with Column(
            lake.filesystem, f"{lake.table_path(SIGNATURES.name)}/{segment.name}", "signature", 2 * hashes
        ) as file:
            for first, last, found in file.read(rows):
                yield numbers[first:last], found.view("<u2")


def _rows(lake: Lake, names: set[str]) -> int:
    """Return the rows of some files of signatures, from the log."""
    files = pa.table(lake.delta(SIGNATURES.name).get_add_actions(flatten=True))
    rows = zip(files["path"].to_pylist(), files["num_records"].to_pylist(), strict=True) if files.num_rows else []
    return sum(count for name, count in rows if name in names)


def sorted_order(all_ids: Ids, folder: str, room: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return the order that sorts ids, without those that are there already. Ranges of ids bound the memory.

    Args:
        folder: scratch.
        room: for the order.

    Returns:
        the order, the positions of the ids that are there already, and that of the first equal one of each.
    """
    parts = parts_of(all_ids, folder)
    size, again, first = 0, [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for part in range(len(parts)):
        rows = parts.take(part)
        rows = rows[ids.sort(rows)]
        positions, same = rows[:, 2].astype(np.int64), np.zeros(len(rows), bool)
        same[1:] = (rows[1:, :2] == rows[:-1, :2]).all(axis=1)
        leader = np.maximum.accumulate(np.where(same, 0, np.arange(len(rows))))
        again.append(positions[same])
        first.append(positions[leader[same]])
        following = size + len(rows) - len(again[-1])
        room[size:following] = positions[~same]
        size = following
    return room[:size], np.concatenate(again), np.concatenate(first)


def _room(kept: Kept, name: str, kind: npt.DTypeLike, *shape: int) -> npt.NDArray[Any]:
    """Return room for an array: in memory, or for many texts in a mapped file of the scratch folder."""
    if shape[0] <= _MAPPED:
        return np.empty(shape, kind)
    path = Path(kept.scratch(), name)
    path.unlink(missing_ok=True)  # of a derivation that was given up
    allocate(str(path), int(np.prod(shape)) * np.dtype(kind).itemsize)
    return np.memmap(path, kind, "r+", shape=shape)


def number_texts(lake: Lake, old: Numbered | None, kept: Kept) -> Numbered:
    """Give numbers to the texts of the files of signatures that are new. Dates are those of before.

    Returns:
        the texts; `live` only tells which of them are signed.

    Args:
        lake: a snapshot.
        old: as it was kept.
    """
    known = {segment.name: segment for segment in old.segments} if old else {}
    start = len(old) if old else 0
    begun: list[Segment] = []
    names = sorted(lake.files(SIGNATURES.name))
    room = _rows(lake, set(names) - known.keys())
    new_ids: Ids = _room(kept, "ids", np.uint64, room, 4)
    new_shingles = _room(kept, "shingles", np.int32, room)
    following = start
    for name in names:
        if name in known:
            begun.append(known[name])
            continue
        numbers = []
        first, rows = following, 0
        with pq.ParquetFile(f"{lake.table_path(SIGNATURES.name)}/{name}", filesystem=lake.filesystem) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["content_id", "shingles"])
                parsed = ids.parse(table["content_id"])
                found = old.find(parsed) if old else np.full(len(parsed), -1)
                fresh = found < 0
                begin, following = following, following + int(fresh.sum())
                found[fresh] = np.arange(begin, following)
                rows += len(found)
                new_ids[begin - start : following - start] = parsed[fresh]
                new_shingles[begin - start : following - start] = table["shingles"].to_numpy()[fresh]
                numbers.append(found)
        together = np.concatenate(numbers) if numbers else np.empty(0, np.int64)
        successive = len(together) == following - first
        begun.append(Segment(name, rows, first, None if successive else together))
        release(new_ids, new_shingles)
    new_ids, new_shingles = new_ids[: following - start], new_shingles[: following - start]
    room_of_order = _room(kept, "order", np.int64, len(new_ids))
    added, again, leaders = sorted_order(new_ids, kept.scratch(), room_of_order)
    added += start
    if len(again):  # texts that an earlier one of these is
        same = np.arange(start, start + len(new_ids))
        same[again] = leaders + start
        begun = [_renumbered(segment, start, same) for segment in begun]
    if old is None:
        all_ids, shingles, order = new_ids, new_shingles, added
    else:
        all_ids, shingles = kept.grown("ids", new_ids), kept.grown("shingles", new_shingles)
        order = old.order
        if len(added):
            before = np.empty(len(added), np.int64)
            ids.locate(old.ids, old.order, all_ids[added], np.empty(len(added), np.int64), before)
            order = np.insert(old.order, before, added)
    first_seen = _room(kept, "first-seen", np.int64, following)
    first_seen[start:] = NEVER
    captured = np.zeros(following, bool)
    if old:
        first_seen[:start], captured[:start] = old.first_seen, old.captured
    return Numbered(all_ids, shingles, order, first_seen, captured, signed(begun, following), begun)


def signed(segments: list[Segment], size: int) -> npt.NDArray[np.bool_]:
    """Return which of so many texts have a signature."""
    out = np.zeros(size, bool)
    for segment in segments:
        if segment.numbers is None:
            out[segment.first : segment.first + segment.rows] = True
        else:
            out[segment.numbers] = True
    return out


def _renumbered(segment: Segment, start: int, same: Numbers) -> Segment:
    """Return a segment whose texts that are others of it, or of another segment, have the numbers of these."""
    numbers = segment.of(np.arange(segment.rows)).copy()
    new = numbers >= start
    changed = same[numbers[new] - start]
    if (changed == numbers[new]).all():
        return segment
    numbers[new] = changed
    return Segment(segment.name, segment.rows, segment.first, numbers)


def segments_kept(segments: list[Segment]) -> tuple[list[list[object]], Numbers]:
    """Return segments as JSON, and all numbers that they name."""
    rows = [[s.name, s.rows, s.first, s.numbers is not None] for s in segments]
    named = [s.numbers for s in segments if s.numbers is not None]
    return rows, np.concatenate([np.empty(0, np.int64), *named])


def segments_restored(rows: list[list[object]], numbers: Numbers) -> list[Segment]:
    """Return the same segments."""
    segments, at = [], 0
    for name, count, first, named in rows:
        own = None
        if named:
            own = numbers[at : at + int(count)]  # type: ignore[call-overload]
            at += int(count)  # type: ignore[call-overload]
        segments.append(Segment(str(name), int(count), int(first), own))  # type: ignore[call-overload]
    return segments

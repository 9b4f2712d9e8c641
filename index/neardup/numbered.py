"""The texts of an index with numbers that stay: a text that comes later gets the next one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.lake import Lake
from index import ids
from index.ids import Ids
from index.minhash.kernel import compiled
from index.neardup.kept import Kept, release
from index.neardup.pages import Column
from index.neardup.shingle_sets import allocate
from index.neardup.texts import NEVER
from index.tables import SIGNATURES

Numbers = npt.NDArray[np.int64]
#: Texts whose ids are sorted at a time.
_SORTED = 1 << 22


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
    """The texts that were ever signed, by number. A text takes 36 bytes in mapped files, and 18 in memory."""

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
        out = np.empty(len(wanted), np.int64)
        _find(self.ids, self.order, wanted, out, np.empty(0, np.int64))
        return out

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


@compiled
def _find(ids_, order, wanted, out, before):  # type: ignore[no-untyped-def]
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


def _rows(lake: Lake, names: set[str]) -> int:
    """Return the rows of some files of signatures, from the log."""
    files = pa.table(lake.delta(SIGNATURES.name).get_add_actions(flatten=True))
    rows = zip(files["path"].to_pylist(), files["num_records"].to_pylist(), strict=True) if files.num_rows else []
    return sum(count for name, count in rows if name in names)


def sorted_order(all_ids: Ids) -> Numbers:
    """Return the order that sorts ids; equal ones keep theirs. Ranges of ids bound the memory."""
    count = len(all_ids)
    parts = max(1, -(-count // _SORTED))
    if parts == 1:
        return ids.sort(all_ids)
    high = np.ascontiguousarray(all_ids[:, 0])
    sample = np.sort(high[:: max(count // 65_536, 1)])
    limits = [np.uint64(0), *sample[len(sample) * np.arange(1, parts) // parts]]
    found = []
    for at, low in enumerate(limits):
        inside = high >= low
        if at + 1 < parts:
            inside &= high < limits[at + 1]
        numbers = np.flatnonzero(inside)
        found.append(numbers[ids.sort(all_ids[numbers])])
        release(all_ids)
    return np.concatenate(found)


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
    new_ids: Ids = np.empty((room, 4), np.uint64)
    if room > _SORTED:
        allocate(f"{kept.scratch()}/ids", 32 * room)
        new_ids = np.memmap(f"{kept.scratch()}/ids", np.uint64, "r+", shape=(room, 4))
    new_shingles = np.empty(room, np.int32)
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
    new_ids, new_shingles = new_ids[: following - start], new_shingles[: following - start]
    added = sorted_order(new_ids)
    release(new_ids)
    ordered = new_ids[added, :2]
    again = np.zeros(len(added), bool)  # a text that an earlier one of these is
    again[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
    del ordered
    if again.any():
        leader = np.maximum.accumulate(np.where(again, 0, np.arange(len(added))))
        same = np.arange(start, start + len(added))
        same[added] = added[leader] + start
        begun = [_renumbered(segment, start, same) for segment in begun]
    added = added[~again] + start
    if old is None:
        all_ids, shingles, order = new_ids, new_shingles, added
    else:
        all_ids, shingles = kept.grown("ids", new_ids), kept.grown("shingles", new_shingles)
        order = old.order
        if len(added):
            before = np.empty(len(added), np.int64)
            _find(old.ids, old.order, all_ids[added], np.empty(len(added), np.int64), before)
            order = np.insert(old.order, before, added)
    first_seen = np.full(following, NEVER)
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

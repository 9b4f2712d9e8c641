"""The bands of all signatures, sorted by key: the stored index in which similar texts meet.

A segment is the bands of the texts of one file of signatures.
"""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import CommitFailedError
from pyarrow.fs import LocalFileSystem

from archive.damage import error_of
from archive.engine import Context, Engine, Failed
from archive.errors import LakeError
from archive.files import sql_literal, write_parquet
from archive.lake import MAX_TRIES, Lake, NewFile
from index.minhash.kernel import band_keys, compiled
from index.minhash.procedure import Parameters
from index.neardup.kept import release
from index.neardup.pages import Bytes, OtherLayoutError, bare
from index.neardup.texts import as_matrix
from index.tables import BANDS, SIGNATURES

_log = logging.getLogger(__name__)

#: A row group is one page, whose numbers are bare: keys are searched in the file as it is. Sorted keys that are encoded
#: by their differences take two thirds of the bytes, but every search must decode all of them.
_OPTIONS: dict[str, Any] = {
    "use_dictionary": False,
    "write_statistics": ["key"],
    "row_group_size": 1 << 17,  # a range of keys, or a few keys, are read without much else
    "data_page_size": 1 << 21,
    "compression": "none",
}
if (
    "max_rows_per_page" in signature(pq.ParquetWriter.__init__).parameters
):  # older versions of pyarrow have no such bound
    _OPTIONS["max_rows_per_page"] = _OPTIONS["row_group_size"]
#: Of a lake that is handed out, whose bytes count: keys by their differences.
_COMPACT: dict[str, Any] = {
    "use_dictionary": False,
    "column_encoding": {"key": "DELTA_BINARY_PACKED", "row": "PLAIN"},
    "write_statistics": ["key"],
    "row_group_size": 1 << 17,
    "compression": "zstd",
}
#: Rows of the row groups that are held from one question to the next, of 12 bytes each.
_LATELY = 1 << 25
_LEAST, _ALL = -(1 << 63), 1 << 64


@dataclass(frozen=True, slots=True)
class BandsTask:
    """A file of signatures that has no bands yet."""

    location: str
    segment: str
    parameters: Parameters
    compact: bool = False


def work(task: BandsTask, ctx: Context) -> NewFile:
    """Write the bands of a segment. Runs on any machine."""
    lake = Lake(task.location)
    keys, rows = compute(lake, task.segment, task.parameters)
    table = pa.table({"key": keys, "row": rows})
    return write_parquet(
        lake, BANDS, table, "bands", {"segment": task.segment}, **(_COMPACT if task.compact else _OPTIONS)
    )


def compute(lake: Lake, segment: str, parameters: Parameters) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Compute the bands of a segment from its signatures. Rows without shingles have none.

    Returns:
        keys, sorted, and the row in the file of signatures that each is of.
    """
    (table,) = lake.read_files(SIGNATURES.name, [segment], ["signature", "shingles"])
    counts = table["shingles"].to_numpy().astype(np.int32)
    keys = band_keys(as_matrix(table["signature"], parameters.hashes), counts, parameters)
    rows = np.repeat(np.flatnonzero(counts).astype(np.int32), parameters.bands)
    flat = keys[counts > 0].reshape(-1).view(np.int64)
    order = np.argsort(flat, kind="stable")
    return flat[order], rows[order]


def write_bands(lake: Lake, parameters: Parameters, engine: Engine, compact: bool = False) -> None:
    """Write the bands of every file of signatures that has none, and remove those of files that were merged.

    Args:
        compact: in a third fewer bytes, which take longer to search.
    """
    written = set(segment_files(lake))  # read first: a segment that is gone from the signatures does not come back
    segments = set(lake.files(SIGNATURES.name))
    tasks = (BandsTask(lake.location, segment, parameters, compact) for segment in sorted(segments - written))
    for end in engine.run(work, tasks):
        if isinstance(end, Failed):
            raise error_of(lake, SIGNATURES, end.task.segment, end.error)
        # if another process does the same, a segment has two equal files, and one of them is read
        if not any(lake.commit(BANDS, [end.result], []) for _ in range(MAX_TRIES)):
            raise LakeError(f"{lake.location}: too many others are writing; run the same command again")
        _log.debug("bands of %s", end.task.segment)
    merged = sorted(written - segments)
    if merged:
        names = ", ".join(sql_literal(name) for name in merged)
        with contextlib.suppress(CommitFailedError):  # another process removed them too
            lake.delta(BANDS.name).delete(f"segment IN ({names})")


def segment_files(lake: Lake) -> dict[str, str]:
    """Return the file of bands of each segment that has one."""
    files = pa.table(lake.delta(BANDS.name).get_add_actions(flatten=True))
    if not files.num_rows:
        return {}
    return dict(zip(files["partition.segment"].to_pylist(), files["path"].to_pylist(), strict=True))


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group of a segment, and the range of its keys."""

    number: int
    least: int
    most: int


class Bands:
    """The sorted bands of all segments, read a range of keys at a time.

    Args:
        starts: the number of the first text of each segment; None for rows in place of numbers.
        files: as `segment_files` returns them; read from the lake by default.
    """

    def __init__(
        self,
        lake: Lake,
        segments: list[str],
        starts: npt.NDArray[np.int64] | None,
        parameters: Parameters,
        files: dict[str, str] | None = None,
    ) -> None:
        self._lake = lake
        self._starts = np.zeros(len(segments), np.int64) if starts is None else starts
        self._segments: list[tuple[str, list[_Group]]] = []
        self._held: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]] = {}
        self._lately: OrderedDict[tuple[int, int], tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]] = OrderedDict()
        self.size = 0  #: rows of all segments
        #: the file of each segment
        self.files = files = segment_files(lake) if files is None else files
        for number, segment in enumerate(segments):
            if segment in files:
                path = f"{lake.table_path(BANDS.name)}/{files[segment]}"
                metadata = pq.read_metadata(path, filesystem=lake.filesystem)
                self._segments.append((path, _groups(metadata)))
                self.size += metadata.num_rows
            else:  # another process has just merged it into another segment
                self._segments.append(("", []))
                self._held[number] = compute(lake, segment, parameters)
                self.size += len(self._held[number][0])

    def ranges(self, rows: int) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Yield all bands, about `rows` at a time: sorted keys, and the number of the text of each.

        All texts of one key are in the same range. Keys spread evenly, so the ranges have about the same size, unless
        one key has very many texts.
        """
        parts = max(1, -(-self.size // rows))
        for part in range(parts):
            low = _LEAST + _ALL * part // parts
            high = _LEAST + _ALL * (part + 1) // parts
            pieces = [self._slice(number, low, high) for number in range(len(self._segments))]
            keys = np.concatenate([piece[0] for piece in pieces]) if pieces else np.empty(0, np.int64)
            texts = np.concatenate([piece[1] for piece in pieces]) if pieces else np.empty(0, np.int64)
            order = np.argsort(keys, kind="stable")  # merges the runs, which are sorted
            yield keys[order], texts[order]

    def find(self, wanted: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the bands that have one of some keys: their keys, and the number of the text of each.

        Reads the row groups that may have one of them, and holds those that were read last.

        Args:
            wanted: keys, sorted.
        """
        keys, texts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for number, (_, groups) in enumerate(self._segments):
            ranges = [(group.least, group.most, group.number) for group in groups] or [(_LEAST, -(_LEAST + 1), -1)]
            for least, most, group in ranges:
                first, last = np.searchsorted(wanted, least), np.searchsorted(wanted, most, "right")
                if first == last or (group < 0 and number not in self._held):
                    continue
                stored, rows = self._held[number] if number in self._held else self._group(number, group)
                for key in wanted[first:last].tolist():
                    begin, end = np.searchsorted(stored, key), np.searchsorted(stored, key, "right")
                    keys.append(stored[begin:end])
                    texts.append(rows[begin:end] + self._starts[number])
        return np.concatenate(keys), np.concatenate(texts)

    def _group(self, number: int, group: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Return a row group, from memory where it was read lately."""
        if (number, group) in self._lately:
            self._lately.move_to_end((number, group))
        else:
            with pq.ParquetFile(self._segments[number][0], filesystem=self._lake.filesystem) as file:
                table = file.read_row_group(group, columns=["key", "row"])
            self._lately[number, group] = table["key"].to_numpy(), table["row"].to_numpy()
            while len(self._lately) > 1 and sum(len(keys) for keys, _ in self._lately.values()) > _LATELY:
                self._lately.popitem(last=False)
        return self._lately[number, group]

    def within(
        self, number: int, low: int, high: int, wanted: npt.NDArray[np.int64] | None = None
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]]:
        """Yield the keys in [low, high) of one segment, and the row of each, a row group at a time.

        Args:
            wanted: only these keys, sorted, each once. The rows of a group that has none of them are not read.
        """
        path, groups = self._segments[number]
        if number in self._held:
            keys, rows = self._held[number]
            chosen = _chosen(keys, low, high, wanted)
            yield keys[chosen], rows[chosen]
            return
        groups = [group for group in groups if group.most >= low and group.least < high]
        if not groups:
            return
        with pq.ParquetFile(path, filesystem=self._lake.filesystem) as file:
            data = np.memmap(path, np.uint8, "r") if isinstance(self._lake.filesystem, LocalFileSystem) else None
            for group in groups:
                keys = _numbers(file, data, group.number, "key", "<i8")
                is_inside = group.least >= low and group.most < high
                chosen = _matching(keys, wanted) if is_inside else _chosen(keys, low, high, wanted)
                if isinstance(chosen, slice) or len(chosen):
                    yield keys[chosen].copy(), _numbers(file, data, group.number, "row", "<i4")[chosen].copy()
                if data is not None:
                    release(data)

    def _slice(self, number: int, low: int, high: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Read the rows of one segment with keys in [low, high)."""
        parts = list(self.within(number, low, high))
        keys = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
        return keys, np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)]) + self._starts[number]


def _chosen(
    keys: npt.NDArray[np.int64], low: int, high: int, wanted: npt.NDArray[np.int64] | None
) -> slice | npt.NDArray[np.int64]:
    """Return the positions of the keys in [low, high), or of those of them that are wanted. Both are sorted."""
    first = int(np.searchsorted(keys, low))
    last = int(np.searchsorted(keys, high)) if high < 1 << 63 else len(keys)
    found = _matching(keys[first:last], wanted)
    return slice(first, last) if isinstance(found, slice) else first + found


def _matching(keys: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64] | None) -> slice | npt.NDArray[np.int64]:
    """Return the positions of all keys, or of those that are wanted. Both are sorted."""
    if wanted is None or not len(keys):
        return slice(0, len(keys))
    some = wanted[np.searchsorted(wanted, keys[0]) : np.searchsorted(wanted, keys[-1], "right")]
    begin, counts = np.empty(len(some), np.int64), np.empty(len(some), np.int64)
    _search(keys, some, begin, counts)
    has = counts > 0
    begin, counts = begin[has], counts[has]
    ends = np.cumsum(counts)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    chosen: npt.NDArray[np.int64] = np.repeat(begin, counts) + within
    return chosen


@compiled
def _search(keys, wanted, begin, counts):  # type: ignore[no-untyped-def]
    """Write where each wanted key begins among sorted keys, and how many of it there are. Both are sorted."""
    at, last = 0, keys.size
    for number in range(wanted.size):
        key, width = wanted[number], 1
        high = at
        while high < last and keys[high] < key:  # in steps that double: the next one is near
            at = high + 1
            high = at + width
            width *= 2
        high = min(high, last)
        while at < high:
            middle = (at + high) // 2
            if keys[middle] < key:
                at = middle + 1
            else:
                high = middle
        end = at
        while end < last and keys[end] == key:
            end += 1
        begin[number], counts[number] = at, end - at
        at = end


def _numbers(file: pq.ParquetFile, data: Bytes | None, group: int, name: str, kind: str) -> npt.NDArray[Any]:
    """Return a column of a row group: as it is in the file where it is bare there, and the file is on this machine."""
    if data is not None:
        with contextlib.suppress(OtherLayoutError):
            return bare(data, file.metadata, group, file.schema_arrow.names.index(name), kind)
    numbers: npt.NDArray[Any] = file.read_row_group(group, columns=[name])[name].to_numpy()
    return numbers


def _groups(metadata: pq.FileMetaData) -> list[_Group]:
    groups = []
    for number in range(metadata.num_row_groups):
        statistics = metadata.row_group(number).column(0).statistics
        if statistics is not None:  # a group without rows has none
            groups.append(_Group(number, statistics.min, statistics.max))
    return groups

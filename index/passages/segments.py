"""The segments of the index of passages: files of sorted fingerprints, which are merged as they become many.

A segment is a file of the table `passages`. Its first rows are its texts, the others are fingerprints: sorted keys,
each with the number of the text that has it. Keys spread evenly, so that a question reads a row group of a segment for
each of its keys, however large the segment is.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from archive.lake import Lake, NewFile, statistics
from index import ids
from index.ids import Ids
from index.passages.kernel import KEY_BITS
from index.tables import PASSAGES

_log = logging.getLogger(__name__)

#: Fingerprints in a row group, which is what a question reads for a key.
_GROUP = 1 << 12
#: Row groups that are read together.
_AT_ONCE = 256
#: Rows in memory while segments are merged, of all together.
_ROWS = 1 << 22
#: So many segments of about one size are merged, into one of the next size.
_CROWD = 8
#: Bytes; smaller segments count as of one size.
_SMALL = 1 << 20

Keys = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]
Run = tuple[Keys, Rows]  #: sorted keys, and the number of the text of each


def write(lake: Lake, texts: pa.Array | pa.ChunkedArray, runs: Sequence[Run]) -> NewFile:
    """Write a segment.

    Args:
        texts: content ids.
        runs: fingerprints of these texts, with their numbers.
    """
    size = sum(len(keys) for keys, _ in runs)

    def merged() -> Iterator[Run]:
        for low, high in _ranges(size):
            yield merge([_between(keys, rows, low, high) for keys, rows in runs])

    return _write(lake, texts, merged())


def _write(lake: Lake, texts: pa.Array | pa.ChunkedArray, runs: Iterator[Run]) -> NewFile:
    name = uuid.uuid4().hex[:12]
    path = f"segment={name}/{PASSAGES.name}-{name}.parquet"
    full = f"{lake.table_path(PASSAGES.name)}/{path}"
    if isinstance(lake.filesystem, pafs.LocalFileSystem):
        lake.filesystem.create_dir(full.rpartition("/")[0], recursive=True)
    schema, count = PASSAGES.file_schema, len(texts)
    nothing = pa.nulls(count, pa.int64()), pa.nulls(count, pa.int32())
    with lake.filesystem.open_output_stream(full) as sink:
        with pq.ParquetWriter(
            sink,
            schema,
            use_dictionary=False,
            column_encoding={"key": "DELTA_BINARY_PACKED", "row": "BYTE_STREAM_SPLIT", "content_id": "PLAIN"},
            write_statistics=["key"],
            compression="zstd",
            compression_level=3,
        ) as writer:
            if count:
                writer.write_table(pa.table([pa.chunked_array([texts]) if isinstance(texts, pa.Array) else texts,
                                             *nothing], names=schema.names).cast(schema))  # fmt: skip
            for keys, rows in runs:
                count += len(keys)
                table = pa.table([pa.nulls(len(keys), pa.string()), keys, rows], schema=schema)
                writer.write_table(table, row_group_size=_GROUP)
        size = sink.tell()
    return NewFile(PASSAGES.name, path, size, {"segment": name}, statistics(count))


def _ranges(size: int) -> Iterator[tuple[int, int]]:
    """Yield ranges [low, high) of keys that have about _ROWS of `size` rows each."""
    parts, all_ = max(1, -(-size // _ROWS)), 1 << KEY_BITS
    for part in range(parts):
        yield all_ * part // parts, all_ * (part + 1) // parts


def _between(keys: Keys, rows: Rows, low: int, high: int) -> Run:
    first, last = np.searchsorted(keys, [low, high])
    return keys[first:last], rows[first:last]


def merge(runs: Sequence[Run]) -> Run:
    """Merge sorted runs into one."""
    if len(runs) == 1:
        return runs[0]
    keys, rows = np.concatenate([run[0] for run in runs]), np.concatenate([run[1] for run in runs])
    order = np.argsort(keys, kind="stable")
    return keys[order], rows[order]


@dataclass(frozen=True, slots=True)
class _Groups:
    """The row groups of fingerprints of a segment, and the ranges of their keys."""

    numbers: npt.NDArray[np.int64]
    least: Keys
    most: Keys


class Segment:
    """A segment, opened for reading."""

    def __init__(self, lake: Lake, path: str) -> None:
        self.path = path
        self._file = pq.ParquetFile(f"{lake.table_path(PASSAGES.name)}/{path}", filesystem=lake.filesystem)
        metadata = self._file.metadata
        self.rows = metadata.num_rows
        numbers, least, most, texts = [], [], [], []
        for number in range(metadata.num_row_groups):
            of_keys = metadata.row_group(number).column(1).statistics
            if of_keys is None or not of_keys.has_min_max:
                texts.append(number)
            else:
                numbers.append(number)
                least.append(of_keys.min)
                most.append(of_keys.max)
        self._texts = texts
        self._groups = _Groups(*(np.array(column, np.int64) for column in (numbers, least, most)))
        self.texts = sum(metadata.row_group(number).num_rows for number in texts)

    def close(self) -> None:
        self._file.close()

    def content_ids(self) -> pa.ChunkedArray:
        """Return the content ids of its texts."""
        return self._file.read_row_groups(self._texts, columns=["content_id"]).column(0)

    def between(self, low: int, high: int) -> Run:
        """Return the fingerprints with keys in [low, high)."""
        groups = self._groups
        first, last = np.searchsorted(groups.most, low), np.searchsorted(groups.least, high)
        return _between(*self._read(groups.numbers[first:last]), low, high)

    def find(self, wanted: Keys) -> Iterator[Run]:
        """Yield the fingerprints that have one of some keys, which are sorted. Reads the row groups that may have
        any."""
        groups = self._groups
        first, last = np.searchsorted(wanted, groups.least), np.searchsorted(wanted, groups.most, "right")
        numbers = groups.numbers[first < last]
        for start in range(0, len(numbers), _AT_ONCE):
            keys, rows = self._read(numbers[start : start + _AT_ONCE])
            first, last = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, "right")
            counts = last - first
            at = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
            yield keys[at], rows[at]

    def _read(self, groups: npt.NDArray[np.int64]) -> Run:
        if not len(groups):
            return np.empty(0, np.int64), np.empty(0, np.int32)
        table = self._file.read_row_groups(groups.tolist(), columns=["key", "row"])
        return table["key"].to_numpy(), table["row"].to_numpy()


def without(lake: Lake, file: NewFile, texts: Ids) -> NewFile | None:
    """Write a segment once more, without some texts; None where none is left.

    Args:
        texts: their content ids, sorted.
    """
    with contextlib.closing(Segment(lake, file.path)) as segment:
        content_ids = segment.content_ids()
        left = ids.positions(texts, ids.parse(content_ids)) < 0
        number = (np.cumsum(left) - 1).astype(np.int32)

        def runs() -> Iterator[Run]:
            for low, high in _ranges(segment.rows):
                keys, rows = segment.between(low, high)
                yield keys[left[rows]], number[rows[left[rows]]]

        return _write(lake, content_ids.filter(pa.array(left)), runs()) if left.any() else None


def files(lake: Lake) -> list[NewFile]:
    """Return the files of all segments, by size."""
    stated = pa.table(lake.delta(PASSAGES.name).get_add_actions(flatten=True))
    if not stated.num_rows:
        return []
    columns = (stated[name].to_pylist() for name in ("size_bytes", "path", "partition.segment", "num_records"))
    return [
        NewFile(PASSAGES.name, path, size, {"segment": name}, statistics(rows))
        for size, path, name, rows in sorted(zip(*columns, strict=True))
    ]


def compact(lake: Lake) -> None:
    """Merge segments of about one size where there are many. Each merge is one transaction, and two processes that
    merge the same segments do so once. Memory is bounded, whatever their size."""
    while some := crowd(lake):
        delta = lake.delta(PASSAGES.name)
        if not {file.path for file in some} <= set(lake.files_of(delta)):
            return  # another process is at it
        started = time.monotonic()
        merged = _merged(lake, [file.path for file in some])
        names = [f"merged {file.path}" for file in some]
        if not lake.commit_to(delta, PASSAGES, [merged], names, replaced=some, same_rows=True):
            lake.discard([merged])
            return
        _log.info("%d segments of passages merged in %.1f s", len(some), time.monotonic() - started)


def crowd(lake: Lake) -> list[NewFile]:
    """Return some segments to be merged: those of the least size that many have; none where no size has many."""
    by_size: dict[int, list[NewFile]] = {}
    for file in files(lake):
        by_size.setdefault(max(file.size, _SMALL).bit_length() // 3, []).append(file)
    return next((some[: 4 * _CROWD] for _, some in sorted(by_size.items()) if len(some) >= _CROWD), [])


def _merged(lake: Lake, paths: Sequence[str]) -> NewFile:
    with contextlib.ExitStack() as stack:
        segments = [stack.enter_context(contextlib.closing(Segment(lake, path))) for path in paths]
        chunks = [chunk for segment in segments for chunk in segment.content_ids().chunks]
        starts = np.cumsum([0, *(segment.texts for segment in segments)])

        def runs() -> Iterator[Run]:
            for low, high in _ranges(sum(segment.rows for segment in segments)):
                parts = []
                for segment, start in zip(segments, starts, strict=False):
                    keys, rows = segment.between(low, high)
                    parts.append((keys, rows + np.int32(start)))
                yield merge(parts)

        return _write(lake, pa.chunked_array(chunks, pa.string()), runs())

"""The index table of a crawl: Parquet files with a row for each record, which select by language, domain, type or date.

Of each file the footer is read first, and kept for good. It shows which row groups can hold wanted rows, and where
their columns are. What is needed of them is read by exact ranges, near ones in one request.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.listings import table_files
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import Selected
from archive.commoncrawl.selection import Selection
from archive.errors import SourceError
from archive.sources.seekable import SeekableFile
from archive.sources.take import GAP, NEVER, joined

#: Bytes of the first request for a footer, of which most have less.
_TAIL = 1 << 18
_MAGIC = b"PAR1"
#: What a plan keeps of each record.
_KEPT = ("warc_filename", "warc_record_offset", "warc_record_length", "content_digest", "fetch_time")
#: Columns in which the same values come again and again.
_FEW_VALUES = frozenset({"warc_filename", "content_languages", "content_mime_type", "content_mime_detected"})
#: Rows that are looked at together.
_ROWS = 1 << 15
#: Bytes of one request, at most.
_MOST = 64 << 20


@dataclass(frozen=True, slots=True)
class Group:
    """A row group that may hold wanted rows, with the ranges of the file that its columns are in."""

    path: str
    number: int
    rows: int
    ranges: tuple[tuple[int, int], ...]

    @property
    def bytes(self) -> int:
        """That are asked for."""
        return sum(stop - start for start, stop in self.ranges)


@dataclass
class Table:
    """The index table of one crawl.

    Attributes:
        paths: its Parquet files; none where the crawl is in no table.
    """

    reach: Reach
    crawl: Crawl
    paths: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.paths = table_files(self.reach, self.crawl)

    def footer(self, path: str) -> pq.FileMetaData:
        """Return the footer of a file, with one request, or two where it is large; once.

        Raises:
            SourceError: the file cannot be read, or is no Parquet file.
        """
        return _parsed(path, self.reach.cache.kept(f"{path}.footer", lambda: self._fetch(path)))

    def has_footer(self, path: str) -> bool:
        """Return whether a footer is kept on this machine."""
        return self.reach.cache.has(f"{path}.footer")

    def _fetch(self, path: str) -> bytes:
        data, size = self.reach.mirror.tail(path, _TAIL)
        if len(data) < 12 or data[-4:] != _MAGIC:
            raise SourceError(f"{path}: is no Parquet file")
        length = int.from_bytes(data[-8:-4], "little") + 8
        if length > size:
            raise SourceError(f"{path}: is no Parquet file")
        if length > len(data):
            data = self.reach.mirror.read(path, size - length, size - len(data)) + data
        footer = data[-length:]
        _parsed(path, footer)  # nothing is kept that cannot be read
        return footer

    def groups(self, selection: Selection, paths: Sequence[str] | None = None) -> Iterator[Group]:
        """Yield the row groups that may hold wanted rows.

        Args:
            paths: of the files; by default all.

        Raises:
            SourceError: a footer cannot be read.
        """
        for path in self.paths if paths is None else paths:
            footer = self.footer(path)
            columns = _columns(footer, selection)
            for number in range(footer.num_row_groups):
                group = footer.row_group(number)
                if group.num_rows and _may_hold(group, selection):
                    ranges = _ranges(group, columns, max(GAP, min(self.reach.worth, _MOST // 4)))
                    yield Group(path, number, group.num_rows, ranges)

    def rows(self, group: Group, selection: Selection) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a row group in batches, with the columns that the selection and a plan need.

        Raises:
            SourceError: they cannot be read.
        """
        footer = self.footer(group.path)
        parts = {start: self.reach.mirror.read(group.path, start, stop) for start, stop in group.ranges}
        columns = _columns(footer, selection)
        file = _Parts(group.path, parts, self.reach.cache.get(f"{group.path}.footer") or b"")
        try:
            opened = pq.ParquetFile(
                pa.PythonFile(file, mode="r"),  # closes with it
                metadata=footer,
                read_dictionary=[name for name in columns if name in _FEW_VALUES],  # Arrow takes no missing ones
                pre_buffer=False,
            )
            # threads of their own keep memory, each for itself
            for batch in opened.iter_batches(_ROWS, [group.number], columns=columns, use_threads=False):
                yield _as_text(batch)
                pa.default_memory_pool().release_unused()  # it would keep twice as much as it needs
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{group.path}: row group {group.number} cannot be read ({error})") from None


def select(reach: Reach, crawl: Crawl, selection: Selection, into: Selected) -> None:
    """Add the records that the index table of a crawl has of a selection.

    Raises:
        SourceError: the table cannot be read.
    """
    table = Table(reach, crawl)
    for group in table.groups(selection):
        select_group(table, group, selection, into)


def select_group(table: Table, group: Group, selection: Selection, into: Selected) -> None:
    """Add the records that a row group has of a selection.

    Raises:
        SourceError: it cannot be read.
    """
    for batch in table.rows(group, selection):
        try:
            mask = selection.mask(batch)
            _add(batch if mask is None else batch.filter(mask), into)
        except (pa.ArrowException, ValueError) as error:  # a text that is no UTF-8, a number too large
            raise SourceError(f"{group.path}: row group {group.number} cannot be read ({error})") from None


def _add(batch: pa.RecordBatch, into: Selected) -> None:
    if not batch.num_rows:
        return
    names = batch.column("warc_filename")
    if not pa.types.is_dictionary(names.type):
        names = names.dictionary_encode()
    offsets, lengths = batch.column("warc_record_offset"), batch.column("warc_record_length")
    broken = pc.or_(pc.or_(pc.is_null(names.indices), pc.is_null(offsets)), pc.is_null(lengths))
    if count := pc.sum(broken).as_py() or 0:
        into.dropped += count
        batch = batch.filter(pc.invert(broken))
        _add(batch, into)
        return
    used, of = np.unique(names.indices.to_numpy(zero_copy_only=False).astype(np.int64), return_inverse=True)
    into.add(
        names.dictionary.take(pa.array(used)).to_pylist(),
        of.astype(np.int64),
        _int64(offsets),
        _int64(lengths),
        batch.column("content_digest").to_pylist() if "content_digest" in batch.schema.names else [None] * len(of),
        _seconds(batch.column("fetch_time")),
    )


def _int64(column: pa.Array) -> npt.NDArray[np.int64]:
    return column.cast(pa.int64()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _seconds(column: pa.Array) -> npt.NDArray[np.int64]:
    at = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    return pc.fill_null(at, NEVER).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with its bytes as texts: some writers do not say that they are."""
    for number, each in enumerate(batch.schema):
        kind = each.type.value_type if pa.types.is_dictionary(each.type) else each.type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            batch = batch.set_column(number, each.name, batch.column(number).cast(pa.string()))
    return batch


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in _TEXTS)


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
_TYPES = {
    "fetch_time": _is_time,
    "fetch_status": pa.types.is_integer,
    "warc_record_offset": pa.types.is_integer,
    "warc_record_length": pa.types.is_integer,
}


def _columns(footer: pq.FileMetaData, selection: Selection) -> list[str]:
    """Return the columns that are needed.

    Raises:
        SourceError: the table has not all of them, or one of another type: it would be taken for something else.
    """
    schema = footer.schema.to_arrow_schema()
    there = {each.name: each.type for each in schema}
    wanted = list(dict.fromkeys([*selection.columns, *_KEPT]))
    missing = [name for name in wanted if name not in there and name not in {"content_digest", "content_mime_detected"}]
    if missing:
        raise SourceError(f"the index table has no column {', '.join(missing)}")
    found = [name for name in wanted if name in there]
    if wrong := [f"{name} ({there[name]})" for name in found if not _TYPES.get(name, _is_text)(there[name])]:
        raise SourceError(f"the index table has a column of another type: {', '.join(wrong)}")
    return found


def _parsed(path: str, footer: bytes) -> pq.FileMetaData:
    try:
        return pq.read_metadata(io.BytesIO(_MAGIC + footer))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: its footer cannot be read ({error})") from None


def _may_hold(group: pq.RowGroupMetaData, selection: Selection) -> bool:
    """Return whether a row group can hold wanted rows, by the least and the greatest value of each column."""
    columns = (group.column(number) for number in range(group.num_columns))
    return not any(_excludes(column, selection) for column in columns)


def _excludes(column: pq.ColumnChunkMetaData, selection: Selection) -> bool:
    name, stated = column.path_in_schema, _statistics(column)
    if stated is None:
        return False
    if name == "url_surtkey" and selection.by_key:
        first, last = _edges(stated)
        return not any(low.rstrip(b" ") <= last and first < high for low, high in selection.key_ranges)
    if name == "fetch_status" and selection.statuses:
        return not any(stated[0] <= each <= stated[1] for each in selection.statuses)
    if name == "fetch_time" and isinstance(stated[0], datetime):
        begin, end = (each.replace(tzinfo=None) for each in stated)
        after, before = (each and each.replace(tzinfo=None) for each in (selection.after, selection.before))
        return bool((after and end < after) or (before and begin >= before))
    return False


def _statistics(column: pq.ColumnChunkMetaData) -> tuple[Any, Any] | None:
    found = column.statistics
    return (found.min, found.max) if found is not None and found.has_min_max else None


def _edges(stated: tuple[Any, Any]) -> tuple[bytes, bytes]:
    """Return the least and the greatest text. Writers may cut both: then the greatest is open at its end."""
    low, high = (each.encode() if isinstance(each, str) else bytes(each) for each in stated)
    return low, high + b"\xff"


def _ranges(group: pq.RowGroupMetaData, columns: Sequence[str], gap: int) -> tuple[tuple[int, int], ...]:
    edges = []
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema in columns:
            start = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset:
                start = min(start, column.dictionary_page_offset)
            edges.append((start, start + column.total_compressed_size))
    edges.sort()
    starts, stops = (np.asarray(each, np.int64) for each in zip(*edges, strict=True))
    first = joined(starts, stops, gap, _MOST).tolist()
    return tuple(
        (int(starts[begin]), int(stops[begin:stop].max()))
        for begin, stop in zip(first, [*first[1:], len(edges)], strict=True)
    )


class _Parts(SeekableFile):
    """The fetched parts of a Parquet file at their offsets. Nothing else of it is read.

    Args:
        parts: by their offsets.
    """

    def __init__(self, path: str, parts: dict[int, bytes], footer: bytes) -> None:
        super().__init__(max((start + len(data) for start, data in parts.items()), default=0) + len(footer))
        self._path, self._parts = path, parts

    def read_buffer(self, size: int | None = -1) -> pa.Buffer:
        """Read without a copy; Arrow prefers this."""
        return pa.py_buffer(self.read(size))

    def read(self, size: int | None = -1) -> memoryview | bytes:
        count = (self._size or 0) - self._at if size is None or size < 0 else size
        for start, data in self._parts.items():
            if start <= self._at < start + len(data):
                found = memoryview(data)[self._at - start : self._at - start + count]
                self._at += len(found)
                return found
        if not count:
            return b""
        raise OSError(f"byte {self._at:,} was not asked for")

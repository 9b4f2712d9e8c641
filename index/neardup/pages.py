"""Reads some values of a Parquet column without a look at the others: numbers, or byte strings of one length.

A reader of Parquet decodes whole row groups. For a few rows of each that is nearly all of its work. Here the headers of
the pages say where a row is: a plain page has its values one after the other, byte strings behind 4 bytes with their
length. What is written in another way is left to the reader of Parquet.
See https://parquet.apache.org/docs/file-format/data-pages/ and the compact protocol of Thrift.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from index.neardup.kept import release

Bytes = npt.NDArray[np.uint8]

#: Numbers of the format: the type of a data page, plain encoding, and the header of a data page in that of a page.
_DATA_PAGE, _PLAIN, _DATA_PAGE_HEADER = 0, 0, 5
#: Types of the compact protocol.
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
#: No header of a data page is longer, but for one with very long statistics.
_LONGEST = 4096


class OtherLayoutError(Exception):
    """A column is not laid out as this reader expects it."""


@dataclass(frozen=True, slots=True)
class _Page:
    rows: int
    begin: int  #: of its bytes
    stored: int  #: bytes
    size: int  #: bytes when it is decompressed


class _Header:
    """Reads a Thrift structure: the numbers of its fields, and the values of those that are integers or structures."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def structure(self) -> dict[int, object]:
        fields: dict[int, object] = {}
        number = 0
        while (byte := self._byte()) != 0:
            number = number + (byte >> 4) if byte >> 4 else self._integer()
            fields[number] = self._value(byte & 15)
        return fields

    def _value(self, kind: int) -> object:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _STRUCT:
            return self.structure()
        if kind in (_BINARY, _DOUBLE, _BYTE):
            size = {_DOUBLE: 8, _BYTE: 1}.get(kind) or self._varint()
            self.at += size
            return None
        if kind in (_LIST, _SET) or kind > _STRUCT or kind == 0:
            raise OtherLayoutError(f"a field of type {kind} in the header of a page")
        return self._integer()

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise OtherLayoutError("a header of a page that does not end")
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _pages(data: Bytes, column: pq.ColumnChunkMetaData) -> Iterator[_Page]:
    """Yield the pages of a column in a row group."""
    at, end = column.data_page_offset, column.data_page_offset + column.total_compressed_size
    while at < end:
        header = _Header(data[at : min(at + _LONGEST, end)].tobytes())
        fields = header.structure()
        about = fields.get(_DATA_PAGE_HEADER)
        if fields.get(1) != _DATA_PAGE or not isinstance(about, dict) or about.get(2) != _PLAIN:
            raise OtherLayoutError("a page that is not a plain data page")
        size, stored, rows = fields.get(2), fields.get(3), about.get(1)
        if not (isinstance(size, int) and isinstance(stored, int) and isinstance(rows, int)) or min(stored, rows) < 1:
            raise OtherLayoutError("a header of a page without its sizes")
        at += header.at
        yield _Page(rows, at, stored, size)
        at += stored
    if at != end:
        raise OtherLayoutError("pages that do not fill their column")


def _read_rows(
    data: Bytes, metadata: pq.FileMetaData, group: int, column: int, rows: npt.NDArray[np.int64], width: int
) -> Bytes:
    """Return the values of some rows of a row group: (rows, width).

    Args:
        data: the file.
        rows: sorted, counted from the first row of the group.
        width: bytes of each value.

    Raises:
        OtherLayoutError: the column is written in another way; nothing is wrong with it.
    """
    chunk = metadata.row_group(group).column(column)
    if chunk.has_dictionary_page or chunk.compression not in ("UNCOMPRESSED", "ZSTD"):
        raise OtherLayoutError(f"a column with a dictionary, or of {chunk.compression}")
    codec = pa.Codec("zstd") if chunk.compression == "ZSTD" else None
    out, first, stride = np.empty((len(rows), width), np.uint8), 0, 4 + width
    length = np.frombuffer(np.array([width], "<u4").tobytes(), np.uint8)
    for page in _pages(data, chunk):
        low, high = np.searchsorted(rows, [first, first + page.rows])
        if low < high:
            stored = data[page.begin : page.begin + page.stored]
            if codec:
                stored = np.frombuffer(codec.decompress(pa.py_buffer(stored), page.size), np.uint8)
            levels = page.size - stride * page.rows  # whether each value is there: these come first
            if levels < 0 or len(stored) != page.size:
                raise OtherLayoutError("a page with nulls, or with values of other lengths")
            found = stored[levels:].reshape(page.rows, stride)[rows[low:high] - first]
            if (found[:, :4] != length).any():
                raise OtherLayoutError("values of other lengths")
            out[low:high] = found[:, 4:]
        first += page.rows
    if first != metadata.row_group(group).num_rows:
        raise OtherLayoutError("pages with other rows than their row group")
    return out


def bare(data: Bytes, metadata: pq.FileMetaData, group: int, column: int, kind: str) -> npt.NDArray[Any]:
    """Return the numbers of a row group as they are in the file.

    Args:
        data: the file.
        kind: of the numbers, as numpy names it.

    Raises:
        OtherLayoutError: they are compressed, encoded, or in several pages; nothing is wrong with them.
    """
    chunk = metadata.row_group(group).column(column)
    if chunk.has_dictionary_page or chunk.compression != "UNCOMPRESSED":
        raise OtherLayoutError(f"a column with a dictionary, or of {chunk.compression}")
    pages = list(_pages(data, chunk))
    if len(pages) != 1 or pages[0].rows != metadata.row_group(group).num_rows:
        raise OtherLayoutError("a row group of several pages")
    (page,) = pages
    levels = page.size - page.rows * np.dtype(kind).itemsize
    if levels < 0 or page.size != page.stored:
        raise OtherLayoutError("a page with nulls")
    return data[page.begin + levels : page.begin + page.size].view(kind)


class Column:
    """A column of byte strings of one length, in a Parquet file that is open.

    Args:
        path: as the file system has it.
        width: bytes of each value.
    """

    def __init__(self, filesystem: pafs.FileSystem, path: str, name: str, width: int) -> None:
        self._file = pq.ParquetFile(path, filesystem=filesystem)
        self._name, self._width = name, width
        self._number = self._file.schema_arrow.names.index(name)
        is_local = isinstance(filesystem, pafs.LocalFileSystem)
        self._data: Bytes | None = np.memmap(path, np.uint8, "r") if is_local else None

    def __enter__(self) -> Column:
        return self

    def __exit__(self, *_: object) -> None:
        self._data = None
        self._file.close()

    def read(self, wanted: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, Bytes]]:
        """Yield the values of some rows, by row group: the first and the last of them in `wanted`, and their values.

        Args:
            wanted: rows of the file, sorted.
        """
        begin = 0
        for group in range(self._file.num_row_groups):
            end = begin + self._file.metadata.row_group(group).num_rows
            first, last = (int(at) for at in np.searchsorted(wanted, [begin, end]))
            if first < last:
                yield first, last, self._of(group, wanted[first:last] - begin)
            begin = end

    def _of(self, group: int, rows: npt.NDArray[np.int64]) -> Bytes:
        if self._data is not None:
            with contextlib.suppress(OtherLayoutError):
                found = _read_rows(self._data, self._file.metadata, group, self._number, rows, self._width)
                release(self._data)
                return found
        column = self._file.read_row_group(group, columns=[self._name]).column(0).combine_chunks()
        column = column.cast(pa.large_binary())
        _, offsets, values = column.buffers()
        start = int(np.frombuffer(offsets, np.int64)[column.offset]) if len(column) else 0
        values = np.frombuffer(values, np.uint8)[start : start + len(column) * self._width]
        return values.reshape(-1, self._width)[rows]

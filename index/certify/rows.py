"""Reads the rows of a data set as they were written, in chunks, and writes them with what is proven about each.

A file is cut into parts that workers read, each its own: bytes of plain JSON lines, row groups of Parquet. Where it is
cut depends on the file alone, so that the result does too. Compressed JSON lines cannot be cut, since a member is
decompressed from its beginning: one process reads the lines of such a file, and hands them out.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO, cast

import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from archive.errors import SourceError
from archive.records import kind_of as kind_of_file
from archive.records.jsonl import read_lines
from archive.records.members import compression_of
from archive.records.parquet import python_rows
from archive.records.rows import Columns, is_repeating, object_of, text_columns, text_of
from archive.sources import open_bytes
from index.certify.card import Kind, kind_of, merged
from index.certify.verdict import SCHEMA, Verdict

#: Most rows and bytes of a chunk. Of plain JSON lines the rows are not bounded.
_ROWS, _BYTES = 1000, 8 << 20
#: Bytes of a part of plain JSON lines: a chunk.
_PART = 4 << 20
#: Most rows and bytes of a part of a row group, if that is larger: it is decompressed from its beginning for each part.
_SLICE_ROWS, _SLICE_BYTES = 50_000, 1 << 28
_NAMED = re.compile(r"\.(jsonl|ndjson|json)(\.(gz|zst|lz4))?$")
#: Bytes; a longer line is no row.
_LINE = 1 << 28


@dataclass(frozen=True, slots=True)
class Problem:
    """A row without text, or a part of the file without rows."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file that a worker reads: the lines that begin in some bytes, or some rows of some row groups."""

    uri: str
    kind: str  #: jsonl or parquet
    start: int  #: byte or row group
    end: int  #: the one behind
    size: int  #: in bytes, decompressed
    first: int = 0  #: row of these row groups …
    rows: int = 0  #: … and how many there are; 0 for JSON lines, of which that is not known


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows of a JSON lines file, as they were written."""

    lines: list[bytes]
    compression: str | None
    unreadable: list[Problem]  #: parts of the file after the last line that hold no line

    def __len__(self) -> int:
        return len(self.lines)

    def texts(self, columns: Columns, kinds: dict[str, Kind]) -> Iterator[str | Problem]:
        """Yield the text of each row, or why it has none.

        Args:
            kinds: gets the type of each column.
        """
        for line in self.lines:
            row = _parsed(line)
            if isinstance(row, Problem):
                yield row
                continue
            for name, value in row.items():
                known = kinds.get(name)
                if known is None or not (value is None or (known == "string" and isinstance(value, str))):
                    kinds[name] = merged("null" if known is None else known, kind_of(value))
            if taken := sorted(row.keys() & set(SCHEMA.names)):
                raise SourceError(f"the data set has a column {taken[0]} already; certify one without")
            yield _checked(text_of(row, columns), row)

    def with_verdicts(self, verdicts: list[Verdict], broken: set[int]) -> bytes:
        """Return the same lines, byte for byte, with further members at their ends; compressed as the file was.

        Args:
            broken: numbers of lines that are no JSON objects, or state a column twice, and stay as they are.
        """
        out = []
        for number, (line, verdict) in enumerate(zip(self.lines, verdicts, strict=True)):
            body = line.strip(b" \t\r\n\0")
            if number in broken:
                out.append(body + b"\n")
                continue
            head = body[:-1].rstrip()
            more = json.dumps(verdict.as_json(), ensure_ascii=False).encode("utf-8", "replace")
            end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
            out.append(head + (b"" if head.endswith(b"{") else b", ") + more[1:] + end)
        content = b"".join(out)
        if self.compression == "gzip":
            return gzip.compress(content, 6, mtime=0)
        if self.compression == "zstd":
            return zstandard.compress(content, 3)
        return cast(bytes, lz4.frame.compress(content)) if self.compression == "lz4" else content


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a Parquet file."""

    batch: pa.RecordBatch
    unreadable: list[Problem]

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def texts(self, columns: Columns, _kinds: dict[str, Kind]) -> Iterator[str | Problem]:
        """Yield the text of each row, or why it has none. The file itself states the types of its columns."""
        names = [name for name in text_columns(columns) if self.batch.schema.get_field_index(name) >= 0]
        if not names:
            yield from [Problem("no-text-column", f"columns: {', '.join(self.batch.schema.names[:20])}")] * len(self)
            return
        for row in python_rows(self.batch.select(names)):
            if isinstance(row, Exception):
                yield Problem("bad-row", f"{type(row).__name__}: {row}"[:200])
            else:
                yield _checked(text_of(row, columns), row)

    def with_verdicts(self, verdicts: list[Verdict], broken: set[int]) -> pa.Table:
        """Return the same rows with further columns."""
        table = pa.Table.from_batches([self.batch])
        proofs = pa.Table.from_pylist([verdict.as_row() for verdict in verdicts], schema=SCHEMA)
        for field in SCHEMA:
            table = table.append_column(field, proofs[field.name])
        return table


def _parsed(line: bytes) -> dict[str, Any] | Problem:
    try:
        row = json.loads(line.strip(b" \t\r\n\0").decode("utf-8-sig"), object_pairs_hook=object_of)
    except (ValueError, RecursionError) as error:
        return Problem("bad-row", str(error)[:200])
    if not isinstance(row, dict):
        return Problem("bad-row", f"a JSON {type(row).__name__}, not an object")
    if is_repeating(row):  # readers differ in which text it has, and what proves one does not prove the other
        return Problem("bad-row", "states a column twice")
    return row


def _checked(text: str | None, row: dict[str, Any]) -> str | Problem:
    if text is None:
        return Problem("no-text-column", f"columns: {', '.join(map(str, list(row)[:20]))}"[:200])
    return text


def format_of(uri: str) -> str:
    """Return `jsonl`, `parquet`, `empty` or `unknown`: by the content, or by the name where that begins with a broken
    line."""
    with open_bytes(uri) as file:
        kind = kind_of_file(file, uri)
        if kind in {"jsonl", "parquet", "empty"}:
            return kind
        if _NAMED.search(uri.lower()):
            return "jsonl"
        file.seek(0)
        return "unknown" if file.read(_LINE).strip() else "empty"


def cut(uri: str, size: int | None) -> Iterator[Part | Lines]:
    """Yield the parts of a JSON lines or Parquet file, in order; of compressed lines, the chunks themselves.

    Args:
        size: bytes of the file, if known.

    Raises:
        SourceError: the file is neither, or cannot be read.
    """
    kind = format_of(uri)
    with open_bytes(uri) as file:
        if kind == "jsonl":
            file.seek(0)
            compression = compression_of(file.read(8))
            if compression is not None or size is None:
                yield from _lines(file, compression)
                return
            for start in range(0, size, _PART):
                end = min(start + _PART, size)
                yield Part(uri, kind, start, end, end - start)
        elif kind == "parquet":
            yield from _groups(file, uri)
        elif kind != "empty":
            raise SourceError(f"{uri}: neither JSON lines nor Parquet")


def _groups(file: BinaryIO, uri: str) -> Iterator[Part]:
    """Yield row groups, small ones together, and large ones in slices."""
    try:
        metadata = pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{uri}: {str(error).splitlines()[0]}") from None
    at_once = _rows_at_once(metadata)
    first = rows = size = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        rows, size = rows + group.num_rows, size + group.total_byte_size
        if rows < at_once and number + 1 < metadata.num_row_groups:
            continue
        slices = max(-(-rows // _SLICE_ROWS), -(-size // _SLICE_BYTES), 1)
        step = -(-rows // (slices * at_once)) * at_once  # chunks are the same as without a cut
        for begin, end in pairwise([*range(0, rows, max(step, 1)), rows]):
            yield Part(uri, "parquet", first, number + 1, size * (end - begin) // rows, begin, end - begin)
        first, rows, size = number + 1, 0, 0


def read(part: Part) -> Iterator[Lines | Batch]:
    """Yield the rows of a part, in chunks.

    Raises:
        SourceError: it cannot be read.
    """
    with open_bytes(part.uri) as file:
        if part.kind == "jsonl":
            yield _lines_between(file, part.start, part.end)
        else:
            yield from _batches(file, part)


def _lines_between(file: BinaryIO, start: int, end: int) -> Lines:
    """Return the lines that begin in these bytes of a plain file."""
    lines: list[bytes] = []
    unreadable: list[Problem] = []
    begin = _line_start(file, start, end)
    if begin < end:
        for line in read_lines(file, _LINE, begin):
            if line.offset >= end:
                break
            if line.problem:
                unreadable.append(Problem(line.problem, line.detail))
            else:
                lines.append(line.data)
    return Lines(lines, None, unreadable)


def _line_start(file: BinaryIO, start: int, end: int) -> int:
    """Return where the first line begins that begins in these bytes; `end` if none does."""
    if start == 0:
        return 0
    at = start - 1
    file.seek(at)
    while at < end and (data := file.read(min(end - at, 1 << 16))):
        if (found := data.find(b"\n")) >= 0:
            return at + found + 1
        at += len(data)
    return end


def _lines(file: BinaryIO, compression: str | None) -> Iterator[Lines]:
    lines: list[bytes] = []
    unreadable: list[Problem] = []
    size = 0
    for line in read_lines(file, _LINE):
        if line.problem:
            unreadable.append(Problem(line.problem, line.detail))
            continue
        lines.append(line.data)
        size += len(line.data)
        if len(lines) >= _ROWS or size >= _BYTES:
            yield Lines(lines, compression, unreadable)
            lines, unreadable, size = [], [], 0
    if lines or unreadable:
        yield Lines(lines, compression, unreadable)


def _batches(file: BinaryIO, part: Part) -> Iterator[Batch]:
    try:
        parquet = pq.ParquetFile(file)
        if taken := sorted(set(parquet.schema_arrow.names) & set(SCHEMA.names)):
            raise SourceError(f"{part.uri}: the data set has a column {taken[0]} already; certify one without")
        names = parquet.schema_arrow.names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SourceError(f"{part.uri}: has two columns {twice[0]}; certify one where each has a name of its own")
        at, end = 0, part.first + part.rows
        groups = range(part.start, part.end)
        for batch in parquet.iter_batches(batch_size=_rows_at_once(parquet.metadata), row_groups=groups):
            if at >= part.first:
                yield Batch(batch.slice(0, end - at), [])
            at += len(batch)
            if at >= end:
                return
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{part.uri}: {str(error).splitlines()[0]}") from None


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Return how many rows of the widest row group make a chunk."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    widest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return max(1, min(_ROWS, int(_BYTES / max(widest, 1.0))))


def parquet_schema(uri: str) -> pa.Schema | None:
    """Return the schema of a Parquet file with the columns of the verdict; None for a file of another kind."""
    if format_of(uri) != "parquet":
        return None
    with open_bytes(uri) as file:
        schema = pq.read_schema(file)
    return pa.schema([*schema, *SCHEMA], schema.metadata)

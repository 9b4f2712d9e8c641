"""Rows as JSON, for formats without nulls, lists and times; and JSON as rows."""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import accumulate
from json.encoder import encode_basestring
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from archive.errors import ExportError
from query.rows import COLUMNS, schema_of

Row = dict[str, Any]

#: Rows whose evidence is written as JSON in a go.
_DUMPED = 4096
#: Rows and characters of text of a table that is read.
_ROWS, _CHARACTERS = 10_000, 16 << 20


def samples_of(table: pa.Table) -> Iterator[tuple[str, str, str]]:
    """Yield content id, text and, as JSON, all other columns of each row: one row at a time, as a text may be long."""
    for batch in table.to_batches(max_chunksize=_DUMPED):
        others = batch.select([name for name in batch.schema.names if name not in ("content_id", "text")])
        for row in zip(batch.column("content_id"), batch.column("text"), dump(others), strict=True):
            key, text, evidence = (value.as_py() for value in row)
            yield key, text, evidence


def tables_of(rows: Iterable[Row]) -> Iterator[pa.Table]:
    """Yield tables of a bounded size, with the columns in the order of `query.rows`."""
    held: list[Row] = []
    characters = 0
    for row in rows:
        held.append(row)
        characters += len(row.get("text") or "")
        if len(held) >= _ROWS or characters >= _CHARACTERS:
            yield _table(held)
            held, characters = [], 0
    if held:
        yield _table(held)


def _table(rows: list[Row]) -> pa.Table:
    if any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError("the rows have different columns")
    return pa.Table.from_pylist(rows, schema=schema_of(in_order(rows[0])))


def in_order(names: Iterable[str]) -> list[str]:
    """Return the names in the order of `query.rows`.

    Raises:
        KeyError: there is no such column.
    """
    order = list(COLUMNS)
    wanted = set(names)
    if unknown := wanted.difference(order):
        raise KeyError(f"no such column: {', '.join(sorted(unknown))}")
    return [name for name in order if name in wanted]


def dump(rows: pa.RecordBatch) -> pa.Array:
    """Return each row as a JSON object, as `json.dumps(row, ensure_ascii=False)` writes it; times are ISO 8601 in UTC.

    Works column by column, which takes a fifth of the time of `json.dumps` row by row.
    """
    if not rows.num_columns:
        return pa.array(["{}"] * len(rows), pa.large_string())
    parts: list[Any] = []
    for name in rows.schema.names:
        parts += f"{',' if parts else '{'}{json.dumps(name)}:", _values(rows.column(name))
    return _join(*parts, "}")


def _values(column: pa.Array) -> pa.Array:
    """Return each value as JSON."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        plain = pc.replace_substring(column.cast(pa.timestamp("us")).cast(pa.large_string()), " ", "T")
        values = _join('"', pc.replace_substring_regex(plain, r"\.000000$", ""), 'Z"')
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        values = column.cast(pa.large_string())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = _strings(column.cast(pa.large_string()))
    elif pa.types.is_list(kind) or pa.types.is_floating(kind):
        encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        values = pa.array([encode(value) for value in column.to_pylist()], pa.large_string())
    else:
        raise TypeError(str(kind))
    return pc.fill_null(values, "null")


def _strings(column: pa.Array) -> pa.Array:
    special = pc.fill_null(pc.match_substring_regex(column, r'["\\\x00-\x1f]'), False)
    quoted = [encode_basestring(value) for value in column.filter(special).to_pylist()]
    return pc.replace_with_mask(_join('"', column, '"'), special, pa.array(quoted, pa.large_string()))


def _join(*parts: pa.Array | str) -> pa.Array:
    given = (pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in parts)
    return pc.binary_join_element_wise(*given, pa.scalar("", pa.large_string()))


def load(text: str | bytes, without: Sequence[str] = ()) -> Row:
    """Read the columns that `dump` wrote.

    Nothing else is accepted, since another reader might take it for the value: no column twice, no unknown column, and
    none of those that are stored elsewhere.

    Args:
        without: the columns that are stored elsewhere.

    Raises:
        ValueError: this is not what `dump` writes.
    """
    row = json.loads(text, object_pairs_hook=_once)
    if not isinstance(row, dict) or row.keys() - (COLUMNS.keys() - set(without)):
        raise ValueError("it is not a row of an export")
    for name, value in row.items():
        if value is not None and pa.types.is_timestamp(COLUMNS[name][0]):
            row[name] = datetime.fromisoformat(value)
    return row


def _once(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a row has a name twice")
    return row


#: The offsets inside a shard of samples are of 32 bits.
_LARGEST = (1 << 32) - 1


def write_samples(path: Path, samples: Iterable[bytes], header: bytes = b"") -> None:
    """Write an MDS shard or a LitData chunk: the number of samples, all offsets, a header, and the samples.

    The libraries' own writers hold all of it in memory several times. Here the samples go to a temporary file first.

    Raises:
        ExportError: it is too large for its offsets.
    """
    with TemporaryFile(dir=path.parent) as held:
        sizes = [held.write(sample) for sample in samples]
        begin = 4 + 4 * (len(sizes) + 1) + len(header)
        if begin + sum(sizes) > _LARGEST:
            raise ExportError(f"{path}: a shard of this format cannot hold more than 4 GiB")
        with open(path, "wb") as out:
            out.write(struct.pack(f"<{len(sizes) + 2}I", len(sizes), *accumulate(sizes, initial=begin)))
            out.write(header)
            held.seek(0)
            copyfileobj(held, out, 1 << 20)


def bounds(data: mmap.mmap, header: bytes = b"") -> Iterator[tuple[int, int]]:
    """Yield begin and end of each sample of an MDS shard or LitData chunk, from the offsets at its start.

    Raises:
        ValueError, struct.error: it has another header, bytes that belong to no sample, or a sample without bytes.
    """
    (count,) = struct.unpack_from("<I", data)
    begin, end = struct.unpack_from("<I", data, 4)[0], struct.unpack_from("<I", data, 4 + 4 * count)[0]
    if end != len(data):
        raise ValueError(f"has {len(data)} bytes where its header says {end}")
    if data[4 + 4 * (count + 1) : begin] != header:
        raise ValueError("its header is not the one of an export")
    for n in range(count):
        begin, end = struct.unpack_from("<2I", data, 4 + 4 * n)
        if end <= begin:
            raise ValueError(f"sample {n} has no bytes")
        yield begin, end


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise whatever makes a file unreadable as an ExportError that names it."""
    try:
        yield
    except FileNotFoundError:
        raise ExportError(f"{path}: there is no such file") from None
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, struct.error, pa.ArrowException) as error:
        line = (str(error) or type(error).__name__).splitlines()[0]
        raise ExportError(f"{path}: {line}") from None


def not_empty(rows: pa.Table, name: str) -> None:
    """Refuse a shard without rows in a format whose own library cannot open one.

    Raises:
        ExportError: there are no rows.
    """
    if not rows.num_rows:
        raise ExportError(f"{name}: no rows to write; a shard of this format cannot be empty")

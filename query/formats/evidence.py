"""Rows as JSON, for formats that know neither nulls nor lists nor times; and rows of a table again."""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from archive.errors import ExportError
from query.rows import COLUMNS, schema_of

Row = dict[str, Any]

#: Rows that are Python objects at a time: few, because a text may be of many megabytes.
_HELD = 64
#: Rows and characters of text of a table that is read.
_ROWS, _CHARACTERS = 10_000, 16 << 20


def rows_of(table: pa.Table) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=_HELD):
        yield from batch.to_pylist()


def tables_of(rows: Iterable[Row]) -> Iterator[pa.Table]:
    """Tables of a bounded size, with the columns in the order of `query.rows`."""
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
    """The names in the order of `query.rows`.

    Raises:
        KeyError: there is no such column.
    """
    order = list(COLUMNS)
    wanted = set(names)
    if unknown := wanted.difference(order):
        raise KeyError(f"no such column: {', '.join(sorted(unknown))}")
    return [name for name in order if name in wanted]


def dump(row: Row, without: Sequence[str] = ()) -> str:
    """The columns as one JSON object; times as ISO 8601 in UTC."""
    kept = {name: value for name, value in row.items() if name not in without}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), default=_plain)


def load(text: str | bytes, without: Sequence[str] = ()) -> Row:
    """The columns that `dump` wrote.

    Nothing else is let through, since another reader might take it for the value: no column twice, none that there is
    not, none of those that stand elsewhere.

    Raises:
        ValueError: this is not what `dump` writes.
    """
    row = json.loads(text, object_pairs_hook=_once)
    if not isinstance(row, dict) or row.keys() - (COLUMNS.keys() - set(without)):
        raise ValueError("it is no row of an export")
    for name, value in row.items():
        if value is not None and pa.types.is_timestamp(COLUMNS[name][0]):
            row[name] = datetime.fromisoformat(value)
    return row


def _once(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a name stands twice in a row")
    return row


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(type(value).__name__)


def bounds(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Where each sample of an MDS shard or a LitData chunk lies: their number, then all offsets, is how both begin."""
    (count,) = struct.unpack_from("<I", data)
    begin, end = struct.unpack_from("<I", data, 4)[0], struct.unpack_from("<I", data, 4 + 4 * count)[0]
    if end != len(data):
        raise ValueError(f"has {len(data)} bytes where its header says {end}")
    for n in range(count):
        begin, end = struct.unpack_from("<2I", data, 4 + 4 * n)
        if end <= begin:
            raise ValueError(f"sample {n} has no bytes")
        yield begin, end


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Every way in which a file can be unreadable, as an ExportError that names it."""
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

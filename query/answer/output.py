"""Writes the rows of a query for people and for programs, a batch at a time."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO, TextIO, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import sqltypes
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from archive.errors import visible

#: The most rows that a table for people has, and the most characters of a cell.
_ROWS, _CELL = 100, 300
#: The fewest characters to which a column of text is folded. Where that is not enough, each field gets a line.
_NARROW = 20
#: Rows in memory at a time: texts may have megabytes.
_BATCH = 200
#: Bytes of a row group of Parquet, before compression.
_GROUP = 64 << 20


def write(result: duckdb.DuckDBPyConnection, format_: str, out: TextIO) -> None:
    """Write the rows of the last `execute` of a connection as `table`, `csv`, `json` or `jsonl`."""
    names = different([column[0] for column in result.description or []])
    if format_ == "table":
        _table(result, names, out)
    elif format_ == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for row in _rows(result):
            writer.writerow(["" if value is None else _cell_of_csv(value) for value in row])
    else:
        opening, between, closing = ("[\n", ",\n", "\n]\n") if format_ == "json" else ("", "\n", "\n")
        wrote = False
        for row in _rows(result):
            values = {name: _plain(value) for name, value in zip(names, row, strict=True)}
            out.write((between if wrote else opening) + json.dumps(values, ensure_ascii=False, allow_nan=False))
            wrote = True
        out.write(closing if wrote else "[]\n" if format_ == "json" else "")


def different(names: Sequence[str]) -> list[str]:
    """Return the names of columns, each once: the second `a` is `a_2`.

    >>> different(["a", "b", "a"])
    ['a', 'b', 'a_2']
    """
    unique: list[str] = []
    for name in names:
        number, own = 2, name
        while own in unique or (own != name and own in names):
            own, number = f"{name}_{number}", number + 1
        unique.append(own)
    return unique


#: Types whose values cannot be held where the rows go to, by the format: Python makes 30 days of a month, and
#: microseconds of nanoseconds; Arrow drops the zone of a time, and has bytes of DuckDB's own for others.
_OF_PYTHON = frozenset({"interval", "time_ns", "timestamp_ns", "timestamptz_ns", "timestamp_ns with time zone"})
_OF_ARROW = frozenset({"time with time zone", "bit", "bignum", "variant"})
_INEXACT = {"parquet": _OF_ARROW | {"interval", "union"}, "arrow": _OF_ARROW}


def exact(names: Sequence[str], kinds: Sequence[sqltypes.DuckDBPyType], format_: str) -> str | None:
    """Return columns of SQL for a question whose values the format cannot hold all: with DuckDB's own text of each such
    value. None where it can.

    Args:
        names: of the columns of the question.
        kinds: their types.

    >>> relation = duckdb.sql("SELECT 1 AS a, INTERVAL 1 MONTH AS a, [INTERVAL 1 DAY] AS b")
    >>> exact(relation.columns, relation.types, "json")
    '#1 AS "a", CAST(#2 AS VARCHAR) AS "a_2", CAST(#3 AS VARCHAR[]) AS "b"'
    >>> exact(relation.columns[:1], relation.types[:1], "json")
    """
    inexact = _INEXACT.get(format_, _OF_PYTHON)
    types = [_exact_type(kind, inexact) for kind in kinds]
    if not any(types):
        return None
    columns = []
    for at, (name, kind) in enumerate(zip(different(names), types, strict=True), 1):
        value = f"CAST(#{at} AS {kind})" if kind else f"#{at}"
        columns.append(f"{value} AS {_quoted(name)}")
    return ", ".join(columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _exact_type(kind: sqltypes.DuckDBPyType, inexact: Collection[str]) -> str | None:
    """Return the type in which all values of a column can be held, as SQL; None where that is its own."""
    if kind.id in inexact:
        return "VARCHAR"
    if kind.id not in {"list", "array", "struct", "map", "union", "tuple"}:
        return None
    parts = [(name, part) for name, part in kind.children if isinstance(part, sqltypes.DuckDBPyType)]
    inner = [_exact_type(part, inexact) for _, part in parts]
    if not any(inner):
        return None
    types = [exact or str(part) for exact, (_, part) in zip(inner, parts, strict=True)]
    if kind.id == "list":
        return f"{types[0]}[]"
    if kind.id == "array":
        return f"{types[0]}[{dict(kind.children)['size']}]"
    if kind.id == "map":
        return f"MAP({', '.join(types)})"
    if kind.id == "struct":
        return f"STRUCT({', '.join(f'{_quoted(name)} {of}' for (name, _), of in zip(parts, types, strict=True))})"
    return "VARCHAR"  # a union or tuple as a whole


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := result.fetchmany(_BATCH):
        yield from rows


def write_arrow(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    """Write the rows of a question as a stream of Arrow IPC."""
    schema, batches = _batches(relation)
    with pa.ipc.new_stream(out, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _batches(relation: duckdb.DuckDBPyRelation) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the rows of a question, with different names. (After `execute`, DuckDB 2.0 would first copy all rows.)"""
    reader = cast("pa.RecordBatchReader", relation.to_arrow_reader(_BATCH))
    names = different(reader.schema.names)
    schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
    return schema, (pa.RecordBatch.from_arrays(each.columns, schema=schema) for each in reader)


def write_parquet(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    """Write the rows of a question as Parquet."""
    schema, batches = _batches(relation)
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        group: list[pa.RecordBatch] = []
        size = 0
        for batch in batches:
            group.append(batch)
            size += batch.nbytes
            if size >= _GROUP:
                writer.write_table(pa.Table.from_batches(group))
                group, size = [], 0
        if group:
            writer.write_table(pa.Table.from_batches(group))


def _cell_of_csv(value: Any) -> Any:
    """Return lists and structs as JSON, which a reader can parse."""
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else plain


def _plain(value: Any) -> Any:
    """Return a value as JSON and CSV can represent it; times as ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)  # JSON has no such numbers
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)


def _table(result: duckdb.DuckDBPyConnection, names: list[str], out: TextIO) -> None:
    names, rows = [*map(visible, names)], result.fetchmany(_ROWS + 1)
    cells = [[_cell(value) for value in row] for row in rows[:_ROWS]]
    numeric = [
        bool(rows) and all(isinstance(row[at], _NUMBERS) for row in rows if row[at] is not None)
        for at in range(len(names))
    ]
    least = [_least(name, [row[at] for row in cells]) for at, name in enumerate(names)]
    console = _Console(file=out)
    if cells and sum(least) + 3 * len(names) > console.width:
        _fields(console, names, cells)
    else:
        table = Table(box=box.SIMPLE, pad_edge=False)
        for name, right, width in zip(names, numeric, least, strict=True):
            table.add_column(Text(name), justify="right" if right else "left", overflow="fold", min_width=width)
        for row in cells:
            table.add_row(*map(Text, row))
        console.print(table)
    if len(rows) > _ROWS:
        console.print(f"… more than {_ROWS} rows; --format csv or jsonl gives all")


def _fields(console: Console, names: list[str], cells: list[list[str]]) -> None:
    """Print each row with one field a line, as psql's `\\x` does."""
    for number, row in enumerate(cells, 1):
        console.print(f"row {number} ".ljust(min(console.width, 40), "─"), style="dim")
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", overflow="fold")
        table.add_column(overflow="fold")
        for name, cell in zip(names, row, strict=True):
            table.add_row(Text(name), Text(cell))
        console.print(table)


_NUMBERS = (int, float, Decimal)


def _least(name: str, cells: list[str]) -> int:
    """Return the least width of a column. Short cells, such as dates and numbers, are not folded."""
    widest = max(map(cell_len, [name, *cells]))
    return min(widest, max(_NARROW, cell_len(name)))


class _Console(Console):
    """Raises BrokenPipeError when the reader closes its pipe; rich would end the program."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _cell(value: Any) -> str:
    """Return a value for people. Numbers have no separators, since they may be years."""
    if value is None:
        return "—"
    if isinstance(value, float) and math.isfinite(value):
        exact = 1e-4 <= abs(value) < 1e15 or value == 0
        return f"{value:.4f}".rstrip("0").rstrip(".") if exact else f"{value:.4g}"
    text = visible(str(value if isinstance(value, float) else _plain(value)).replace("\n", " "))
    return text if len(text) <= _CELL else text[:_CELL] + "…"

"""Writes the rows of a query for people and for programs, a batch at a time."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, TextIO, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Rows that a table for people shows at most, and characters of a cell.
_ROWS, _CELL = 100, 300
#: Rows that are held at once: texts may have megabytes.
_BATCH = 200
#: Bytes of a row group of Parquet, before compression.
_GROUP = 64 << 20


def write(result: duckdb.DuckDBPyConnection, form: str, out: TextIO) -> None:
    """Write what `execute` has left in a connection as `table`, `csv`, `json` or `jsonl`."""
    names = [column[0] for column in result.description or []]
    if form == "table":
        _table(result, names, out)
    elif form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for row in _rows(result):
            writer.writerow(["" if value is None else _cell_of_csv(value) for value in row])
    else:
        opening, between, closing = ("[\n", ",\n", "\n]\n") if form == "json" else ("", "\n", "\n")
        wrote = False
        for row in _rows(result):
            values = {name: _plain(value) for name, value in zip(names, row, strict=True)}
            out.write((between if wrote else opening) + json.dumps(values, ensure_ascii=False, allow_nan=False))
            wrote = True
        out.write(closing if wrote else "[]\n" if form == "json" else "")


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := result.fetchmany(_BATCH):
        yield from rows


def write_parquet(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    """Write the rows of a question as Parquet. (Of what `execute` has left, DuckDB 2.0 would copy all rows first.)"""
    reader = cast("pa.RecordBatchReader", relation.to_arrow_reader(_BATCH))
    with pq.ParquetWriter(out, reader.schema, compression="zstd") as writer:
        held: list[pa.RecordBatch] = []
        size = 0
        for batch in reader:
            held.append(batch)
            size += batch.nbytes
            if size >= _GROUP:
                writer.write_table(pa.Table.from_batches(held))
                held, size = [], 0
        if held:
            writer.write_table(pa.Table.from_batches(held))


def _cell_of_csv(value: Any) -> Any:
    """Lists and structs as JSON: a reader can take them apart again."""
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else plain


def _plain(value: Any) -> Any:
    """A value as JSON and CSV can hold it; times as ISO 8601 in UTC."""
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
    rows = result.fetchmany(_ROWS + 1)
    table = Table(box=box.SIMPLE, pad_edge=False)
    for at, name in enumerate(names):
        numeric = bool(rows) and all(isinstance(row[at], int | float) for row in rows if row[at] is not None)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows[:_ROWS]:
        table.add_row(*(Text(_cell(value)) for value in row))
    console = Console(file=out)
    console.print(table)
    if len(rows) > _ROWS:
        console.print(f"… more than {_ROWS} rows; --format csv or jsonl gives all")


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = str(_plain(value)).replace("\n", " ")
        return text if len(text) <= _CELL else text[:_CELL] + "…"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"

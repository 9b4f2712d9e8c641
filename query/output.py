"""Writes the rows of a query for people and for programs, a batch at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TextIO

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

FORMATS = ("table", "csv", "jsonl")
#: Rows that a table for people shows at most, and characters of a cell.
_ROWS, _CELL = 100, 300


def write(result: duckdb.DuckDBPyConnection, form: str, out: TextIO) -> None:
    """Write what `execute` has left in a connection as `table`, `csv` or `jsonl`."""
    names = [column[0] for column in result.description or []]
    if form == "table":
        _table(result, names, out)
    elif form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for row in _rows(result):
            writer.writerow(["" if value is None else _plain(value) for value in row])
    else:
        for row in _rows(result):
            values = {name: _plain(value) for name, value in zip(names, row, strict=True)}
            out.write(json.dumps(values, ensure_ascii=False) + "\n")


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := result.fetchmany(1000):
        yield from rows


def _plain(value: Any) -> Any:
    """A value as JSON and CSV can hold it; times as ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if value is None or isinstance(value, str | int | float | bool):
        return value
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
        console.print(f"… more than {_ROWS} rows; -f csv or -f jsonl gives all")


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = str(_plain(value)).replace("\n", " ")
        return text if len(text) <= _CELL else text[:_CELL] + "…"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"

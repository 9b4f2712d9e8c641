"""Rows of data sets: JSON lines, JSON documents, Parquet and CSV, each row as a dictionary."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from archive.dates import parse
from archive.errors import CollapseError
from archive.records.jsonl import parsed, read_lines
from archive.records.parquet import python_rows
from archive.records.rows import Columns, known_columns, lookup, row_of
from collapse.corpus.document import Document
from collapse.corpus.plain import lines, opened
from collapse.corpus.tally import Damage, Tally
from query.domain import registered_domain

#: Bytes of the longest line, field or JSON document that is read.
_LONGEST = 1 << 26
_BATCH = 256

Row = Mapping[str, Any]


def json_lines(file: BinaryIO, tally: Tally) -> Iterator[Row]:
    """Yield the rows of JSON lines."""
    for line in read_lines(file, _LONGEST):
        row = line.detail if line.problem else parsed(line.data)
        if isinstance(row, str):
            tally.reject(line.problem or "bad-row", row)
        else:
            yield row


def json_document(file: BinaryIO, tally: Tally) -> Iterator[Row]:
    """Yield the rows of one JSON value, a list of objects or an object of columns; if it is none, read JSON lines."""
    try:
        value = json.loads(opened(file).peek(_LONGEST))
    except (ValueError, RecursionError):
        yield from json_lines(file, tally)
        return
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        value = [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=False)]
    for row in value if isinstance(value, list) else [value]:
        if isinstance(row, dict):
            yield row
        else:
            tally.reject("bad-row", f"a JSON {type(row).__name__}, not an object")


def parquet(file: BinaryIO, columns: Columns, where: Row, tally: Tally) -> Iterator[Row]:
    """Yield the rows of a Parquet file, with the columns that are used.

    Raises:
        Damage: it cannot be read, or not to its end.
    """
    try:
        table = pq.ParquetFile(file)
        asked = {name.partition(".")[0] for name in where} | where.keys()
        names = dict.fromkeys([*known_columns(table.schema_arrow, columns), *sorted(asked)])
        wanted = [name for name in names if name in table.schema_arrow.names]
        for batch in table.iter_batches(_BATCH, columns=wanted):
            for row in python_rows(batch):
                if isinstance(row, Exception):
                    tally.reject("bad-row", f"{type(row).__name__}: {row}")
                else:
                    yield row
    except (pa.ArrowException, OSError) as error:
        raise Damage("bad-compression", str(error)) from None


def csv_rows(file: BinaryIO, tally: Tally) -> Iterator[Row]:
    """Yield the rows of a CSV file with a header; the separator is that of `,`, `;` and tab which the header has most.

    Raises:
        Damage: it cannot be read to its end.
    """
    # bytes that are not UTF-8 are escaped, so that only their rows are rejected
    text = (line.decode("utf-8", "surrogateescape") for line in lines(opened(file), _LONGEST))
    first = next(text, "")
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST))
    table = csv.reader(chain([first], text), delimiter=max(",;\t", key=first.count))
    header: list[str] = []
    while True:
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            tally.reject("bad-row", str(error))
            continue
        if header and row:
            yield dict(zip(header, row, strict=False))
        header = header or row


def documents(rows: Iterable[Row], columns: Columns, where: Mapping[str, str], tally: Tally) -> Iterator[Document]:
    """Yield the rows that `where` asks for as documents, with any text."""
    for row in rows:
        if not matches(row, where):
            tally.reject("not-asked-for", f"columns: {', '.join(row)}")
            continue
        fields = row_of(row, columns, 0, 0, None)
        if fields.text is None:
            tally.reject(fields.problem or "no-text-column", fields.detail or "only HTML")
        else:
            domain = registered_domain(fields.url)  # may contain halves of surrogate pairs, as JSON may
            yield Document(fields.text, domain and domain.encode(errors="replace").decode(), _day(fields.date))


def conditions(values: str | Iterable[str], option: str = "--where") -> dict[str, str]:
    """Return the columns and values of options such as `label=0`.

    Raises:
        CollapseError: a value has no `=`.
    """
    values = (values,) if isinstance(values, str) else tuple(values)
    if wrong := next((value for value in values if "=" not in value), None):
        raise CollapseError(f"{option} {wrong}: write it as column=value")
    return dict(value.split("=", 1) for value in values)


def matches(row: Row, where: Mapping[str, str]) -> bool:
    """Return whether the columns have these values, as JSON writes them; strings without quotes."""
    return all(_written(lookup(row, name)) == value for name, value in where.items())


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _day(date: str | None) -> str | None:
    moment, _ = parse(date)
    return moment.date().isoformat() if moment else None

"""Parquet files of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import SourceError, error_line
from archive.records.base import Address, Item, Look, Reader, Reading
from archive.records.rows import Row, known_columns, names_of, row_of

PARQUET_MAGIC = b"PAR1"
_ROWS = 256
#: What Arrow raises for a file that is damaged; the last for a column's name that is not UTF-8.
_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError)


class Parquet(Reader):
    """Parquet. An item's offset is the number of its row."""

    label = "Parquet"
    has_columns = True

    def recognises(self, look: Look) -> bool:
        return look.head.startswith(PARQUET_MAGIC)

    def read(self, file: BinaryIO, reading: Reading) -> Iterator[tuple[str, Item]]:
        for row in _rows(file, reading):
            yield reading.name, row

    def find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[Iterable[tuple[Address | None, Item]]]:
        yield _find(file, addresses)

    def column_names(self, file: BinaryIO) -> list[str]:
        file.seek(0)
        try:
            return list(dict.fromkeys(_names(pq.ParquetFile(file).schema_arrow)))
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise SourceError(f"its columns cannot be read ({error_line(error)})") from None

    def values(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        try:
            for batch in pq.ParquetFile(file).iter_batches(_ROWS):
                for row in python_rows(batch):
                    if isinstance(row, Exception):
                        raise SourceError(f"{type(row).__name__}: {row}")
                    yield row
        except _ERRORS as error:
            raise SourceError(error_line(error)) from None


def _rows(file: BinaryIO, reading: Reading) -> Iterator[Row]:
    """Yield the rows, of which only the columns that are used are read."""
    number = 0
    try:
        parquet = pq.ParquetFile(file)
        wanted = known_columns(parquet.schema_arrow, reading.columns)
        names = names_of(dict.fromkeys(parquet.schema_arrow.names))
        for batch in parquet.iter_batches(batch_size=_ROWS, columns=wanted):
            for values in python_rows(batch):
                if isinstance(values, Exception):
                    detail = f"{type(values).__name__}: {values}"[:200]
                    yield Row(number, 0, None, problem="bad-row", detail=detail)
                else:
                    row = row_of(values, reading.columns, number, 0, None)
                    yield replace(row, columns=names) if row.columns else row  # not only the ones that were read
                number += 1
    except _ERRORS as error:
        yield Row(number, 0, None, problem="bad-compression", detail=str(error)[:200])


def _find(file: BinaryIO, addresses: Collection[Address]) -> Iterator[tuple[Address | None, Item]]:
    parquet = pq.ParquetFile(file)
    first, group = 0, 0
    table: pa.Table | None = None
    for address in addresses:
        number = address[0]
        while group < parquet.num_row_groups and number >= first + parquet.metadata.row_group(group).num_rows:
            first, table = first + parquet.metadata.row_group(group).num_rows, None
            group += 1
        if group == parquet.num_row_groups:
            return
        table = parquet.read_row_group(group) if table is None else table
        (values,) = python_rows(table.slice(number - first, 1).combine_chunks().to_batches()[0])
        if isinstance(values, dict):
            yield address, Row(*address, None, values=values)


def _names(schema: Any, above: str = "") -> Iterator[str]:
    for field in schema:
        yield f"{above}{field.name}"
        if pa.types.is_struct(field.type):
            inner = [field.type.field(number) for number in range(field.type.num_fields)]
            yield from _names(inner, f"{above}{field.name}.")


def python_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Exception]:
    """Yield the rows of a batch as dictionaries; for a row with a value that Python cannot hold, the exception."""
    for at, column in enumerate(batch.columns):
        if pa.types.is_timestamp(column.type):  # nanoseconds and unknown zones; the values are UTC
            plain = column.cast(pa.timestamp("us", "UTC" if column.type.tz else None), safe=False)
            batch = batch.set_column(at, batch.schema.names[at], plain)
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for at in range(batch.num_rows):
            try:
                yield from batch.slice(at, 1).to_pylist()
            except (ValueError, OverflowError) as error:
                yield error


READER = Parquet()

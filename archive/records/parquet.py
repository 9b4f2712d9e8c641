"""Parquet files of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import SourceError, error_line
from archive.records.base import Address, Item, Look, Reader, Reading
from archive.records.rows import Repeating, Row, known_columns, names_of, object_of, opened, row_of

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
    """Yield the rows of a batch as dictionaries; for a row with a value that Python cannot hold, the exception.

    Bytes that are UTF-8 are strings: many writers leave the annotation out.
    """
    for at, column in enumerate(batch.columns):
        if (plain := _plain_type(column.type)) != column.type:
            batch = batch.set_column(at, batch.schema.names[at], _cast(column, plain))
    inner = [name for name, each in zip(batch.schema.names, batch.schema.types, strict=True) if _has_bytes(each)]
    is_repeating = len(set(batch.schema.names)) < batch.num_columns
    for row in _dictionaries(batch):
        if isinstance(row, dict):
            for name in inner:
                row[name] = _readable(row[name])
            row = opened(Repeating(row) if is_repeating else row)
        yield row


def _dictionaries(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Exception]:
    if len(set(batch.schema.names)) < batch.num_columns:  # of two columns of one name the last is taken
        last = {name: at for at, name in enumerate(batch.schema.names)}
        batch = batch.select(list(last.values()))
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for at in range(batch.num_rows):
            try:
                yield from batch.slice(at, 1).to_pylist()
            except (ValueError, OverflowError) as error:
                yield error


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type to read a column as: Python has no nanoseconds, and not each zone; the values are UTC."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_struct(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        return pa.struct([each.with_type(_plain_type(each.type)) for each in fields])
    return kind


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return column.cast(kind, safe=False)
    except pa.ArrowException:  # a kind that Arrow does not convert is read as it is
        return column


def _has_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_has_bytes(kind.field(at).type) for at in range(kind.num_fields))
    if pa.types.is_map(kind):
        return True
    is_view = getattr(pa.types, "is_binary_view", lambda _: False)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or is_view(kind)
                or pa.types.is_fixed_size_binary(kind))  # fmt: skip


def _readable(value: Any) -> Any:
    """Return bytes that are UTF-8 as a string, and a map as a dictionary."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8-sig")
        except UnicodeDecodeError:
            return value
    if isinstance(value, list) and value and all(isinstance(each, tuple) for each in value):  # Arrow's form of a map
        return object_of([(str(_readable(key)), _readable(inner)) for key, inner in value])
    if isinstance(value, dict):
        return {name: _readable(inner) for name, inner in value.items()}
    return value


READER = Parquet()

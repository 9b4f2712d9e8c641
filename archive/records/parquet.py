"""Parquet: the rows of a file, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from archive.records.rows import Columns, Row, known_columns, names_of, row_of

PARQUET_MAGIC = b"PAR1"


def read_parquet(file: BinaryIO, columns: Columns) -> Iterator[Row]:
    """The rows of a Parquet file; only the columns that are used are read, a batch at a time."""
    try:
        parquet = pq.ParquetFile(file)
        wanted = known_columns(parquet.schema_arrow, columns)
        there = names_of(dict.fromkeys(parquet.schema_arrow.names))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # also a name of a column that is not UTF-8
        yield Row(0, 0, None, problem="bad-compression", detail=str(error)[:200])
        return
    number = 0
    try:
        for batch in parquet.iter_batches(batch_size=256, columns=wanted):
            for row in python_rows(batch):
                if isinstance(row, Exception):
                    yield Row(number, 0, None, problem="bad-row", detail=f"{type(row).__name__}: {row}"[:200])
                else:
                    made = row_of(row, columns, number, 0, None)
                    yield replace(made, columns=there) if made.columns else made  # not only the ones that were read
                number += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield Row(number, 0, None, problem="bad-compression", detail=str(error)[:200])


def python_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Exception]:
    """The rows of a batch as dictionaries; a row with a value that Python cannot hold costs itself."""
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

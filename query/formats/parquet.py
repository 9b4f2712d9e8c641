"""Parquet: read by `datasets`, DuckDB, Polars, Spark, Ray."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import ExportError
from query.formats.format import Written

#: Rows of a group: what a reader that streams holds at a time.
_GROUP = 1000


class Parquet:
    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        name = f"{stem}.parquet"
        pq.write_table(
            rows,
            folder / name,
            row_group_size=_GROUP,
            compression="zstd",
            compression_level=3,
            use_dictionary=[field.name for field in rows.schema if field.name in _REPEATED],
            write_statistics=["captured_at", "language"],
        )
        return Written((name,), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        try:
            with pq.ParquetFile(folder / files[0]) as file:
                for batch in file.iter_batches(10_000):
                    yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowInvalid) as error:
            raise ExportError(f"{folder / files[0]}: {str(error).splitlines()[0]}") from None

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        return []


_REPEATED = {"language", "date_source", "record_type", "file", "extractor", "domain", "robots"}

FORMAT = Parquet()

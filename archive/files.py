"""Writing the Parquet files of a lake."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable
from inspect import signature
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from archive.lake import Lake, NewFile, statistics
from archive.tables import Table

#: Level 6 saves 7 % of the bytes and takes twice the time, measured on web text.
_COMPRESSION_LEVEL = 3


def sql_literal(value: str | os.PathLike[str]) -> str:
    """Return a text or a path as a string literal of SQL.

    >>> sql_literal("it's")
    "'it''s'"
    """
    return "'" + os.fspath(value).replace("'", "''") + "'"


def write_parquet(
    lake: Lake, table: Table, data: pa.Table, name: str, partition: dict[str, str] | None = None, **options: Any
) -> NewFile:
    """Write one Parquet file into a table's folder, under a new name that begins with `name`.

    The file is not part of the table before it is committed.

    Args:
        partition: the column by which the table is partitioned, with its value.
        options: of `pyarrow.parquet.write_table`, in place of `parquet_options(table)`.
    """
    full, path = _new_path(lake, table, name, partition)
    with lake.filesystem.open_output_stream(full) as sink:
        pq.write_table(data.cast(table.file_schema), sink, **(options or parquet_options(table) | _filters(data)))
        size = sink.tell()
    return NewFile(table.name, path, size, partition or {}, statistics(data.num_rows))


def _filters(data: pa.Table) -> dict[str, Any]:
    """Return the option by which a file gets Bloom filters of what is looked for by value.

    A reader passes over the row groups that do not have it. The filters take about 2 bytes for each row and column. Not
    every version of pyarrow writes them.
    """
    if not _WRITES_FILTERS or not data.num_rows:
        return {}
    names = [name for name in data.column_names if name in _LOOKED_FOR and data[name].null_count < data.num_rows]
    return {"bloom_filter_options": {name: {"ndv": data.num_rows, "fpp": 0.01} for name in names}} if names else {}


def write_parts(
    lake: Lake,
    table: Table,
    parts: Iterable[pa.Table],
    name: str,
    partition: dict[str, str] | None = None,
    *,
    row_group_size: int,
    **options: Any,
) -> NewFile | None:
    """Do as `write_parquet` with rows that come in parts, and need not all be in memory. None where there is no row.

    Args:
        row_group_size: of each row group but the last; so many rows are in memory.
        options: of `pyarrow.parquet.ParquetWriter`.
    """
    full, path = _new_path(lake, table, name, partition)
    count, waiting = 0, table.file_schema.empty_table()
    with contextlib.ExitStack() as stack:
        writer = None
        for part in chain(parts, [None]):
            if part is not None:
                waiting = pa.concat_tables([waiting, part.cast(table.file_schema)])
            ready = waiting.num_rows if part is None else waiting.num_rows // row_group_size * row_group_size
            if not ready:
                continue
            if writer is None:
                sink = stack.enter_context(lake.filesystem.open_output_stream(full))
                writer = stack.enter_context(pq.ParquetWriter(sink, table.file_schema, **options))
            writer.write_table(waiting.slice(0, ready), row_group_size)
            count, waiting = count + ready, waiting.slice(ready).combine_chunks()
        if writer is None:
            return None
        writer.close()
        size = sink.tell()
    return NewFile(table.name, path, size, partition or {}, statistics(count))


def _new_path(lake: Lake, table: Table, name: str, partition: dict[str, str] | None) -> tuple[str, str]:
    """Return a new name as the file system of the lake has it, and inside the table; the folder of it is there then."""
    sub = "".join(f"{key}={value}/" for key, value in (partition or {}).items())
    path = f"{sub}{name}-{uuid.uuid4().hex[:12]}.parquet"
    full = f"{lake.table_path(table.name)}/{path}"
    if sub and isinstance(lake.filesystem, pafs.LocalFileSystem):
        lake.filesystem.create_dir(full.rpartition("/")[0], recursive=True)
    return full, path


def parquet_options(table: Table) -> dict[str, Any]:
    """Return the options of `pyarrow.parquet.write_table` for a table: zstd, and which columns get dictionaries."""
    dictionary = [
        name
        for name in table.file_schema.names
        if name not in _UNIQUE and pa.types.is_string(table.file_schema.field(name).type)
    ]
    return {
        "compression": "zstd",
        "compression_level": _COMPRESSION_LEVEL,
        "use_dictionary": dictionary,
        "write_statistics": [name for name in table.file_schema.names if name in _STATISTICS],
    }


_LOOKED_FOR = frozenset({"content_id", "payload_digest", "transfer_digest"})
_WRITES_FILTERS = "bloom_filter_options" in signature(pq.ParquetWriter.__init__).parameters
#: The columns that hardly repeat a value: a dictionary would not shorten them.
_UNIQUE = frozenset(
    {
        "content_id",
        "text",
        "url",
        "title",
        "payload_digest",
        "transfer_digest",
        "record_id",
        "detail",
        "refers_to_url",
        "rules_text",
    }
)
#: The columns whose statistics let readers skip row groups.
_STATISTICS = frozenset(
    {"captured_at", "content_id", "url", "reason", "language", "record_type", "date_problem", "transfer_digest"}
)

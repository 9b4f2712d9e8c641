"""Files that a lake's tables name and that are gone or damaged: looked for where reading the lake has failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from archive.errors import ArchiveError, LakeError, QueryError
from archive.lake import Lake
from archive.tables import Table

#: What the libraries raise where a file cannot be read: DuckDB calls one that is gone forbidden.
_UNREADABLE = (
    duckdb.IOException,
    duckdb.PermissionException,
    duckdb.InvalidInputException,
    pa.ArrowException,
    OSError,
    QueryError,  # of DuckDB's, in a connection that is not made
)


@contextlib.contextmanager
def naming_broken_files(lake: Lake, *tables: Table) -> Iterator[None]:
    """Where a read of the lake fails, and a file of these tables is the reason, say which.

    Raises:
        LakeError: a file is gone or damaged.
    """
    try:
        yield
    except _UNREADABLE:
        why = None
        with contextlib.suppress(ArchiveError):  # also the log may be broken
            why = next(_broken(lake, tables), None)
        if why is not None:
            raise LakeError(why) from None
        raise


def _broken(lake: Lake, tables: tuple[Table, ...]) -> Iterator[str]:
    for table in tables:
        if not lake.has(table):
            continue
        for name in sorted(lake.files(table.name)):
            path = f"{lake.table_path(table.name)}/{name}"
            if lake.filesystem.get_file_info(path).type != pafs.FileType.File:
                yield f"{path}: this file of the lake is gone; bring it back from a copy, or make the lake anew"
                continue
            try:
                pq.read_metadata(path, filesystem=lake.filesystem)
            except (pa.ArrowException, OSError) as error:
                what = str(error).splitlines()[0]
                yield (
                    f"{path}: this file of the lake is damaged ({what}); bring it back from a copy, or make the lake "
                    "anew"
                )

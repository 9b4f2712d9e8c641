"""Names the file where a lake has lost one, or holds a broken one; and the row of a ledger that nobody wrote."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from archive import ledger, storage
from archive.errors import LakeError, QueryError, error_line, store_line
from archive.lake import Lake
from archive.tables import Table

#: The numbers of errors of a lost or broken file; errors of Parquet have none.
_OF_A_FILE = {None, errno.ENOENT, errno.EIO, errno.EACCES}
#: What Python raises for a value that nobody expects.
_UNFORESEEN = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_WHAT_TO_DO = "bring it back from a copy, or ingest the sources into a new lake"
#: What DuckDB raises for a file that is lost, or whose beginning is broken.
_OF_FILES = (duckdb.IOException, duckdb.InvalidInputException, duckdb.PermissionException)


@contextlib.contextmanager
def naming_damage(lake: Lake, files: Iterable[str] | None = None) -> Iterator[None]:
    """Raise an error that names the file when something inside fails because one is lost or broken, or the row of the
    ledger whose values no version of this program writes.

    Args:
        files: the lake's files, as its filesystem names them, if they are known.

    Raises:
        LakeError: a file is lost or broken, or a row of the ledger is.
    """
    try:
        yield
    except (OSError, pa.ArrowException, duckdb.Error, QueryError) as error:
        # the context of a QueryError is DuckDB's own error
        reason = error.__context__ if isinstance(error, QueryError) else error
        if (bodies := _may_be_damage(reason)) is None:
            raise
        line = damage(lake, _files(lake) if files is None else files, bodies)
        if line is None and (line := _fault(lake)) is None:
            raise
        raise LakeError(line) from None
    except _UNFORESEEN:
        if (line := _fault(lake)) is None:
            raise
        raise LakeError(line) from None


def _fault(lake: Lake) -> str | None:
    with contextlib.suppress(LakeError, OSError, pa.ArrowException):  # the first error is the one to tell
        return ledger.fault(lake)
    return None


def _may_be_damage(error: BaseException | None) -> bool | None:
    """Whether all of the files must be read to find the broken one; None if the error has another cause."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in _OF_A_FILE):
        return None
    if isinstance(error, _OF_FILES):
        return isinstance(error, duckdb.IOException) if ".parquet" in str(error) else None
    if type(error) is duckdb.Error or isinstance(error, OSError | pa.ArrowException | duckdb.InternalException):
        return True
    return None


def _files(lake: Lake) -> Iterator[str]:
    """Yield the files of every table, whatever room made it."""
    for table in lake.tables():
        yield from (f"{lake.table_path(table)}/{path}" for path in lake.files(table))


def damage(lake: Lake, files: Iterable[str], bodies: bool) -> str | None:
    """Return one line: the first file that is lost or broken, and what to do. None if there is no such file.

    Args:
        bodies: read all of each file, not only its footer.
    """
    paths = list(files)
    for read_all in (False, True) if bodies else (False,):
        for path in paths:
            try:
                if read_all:
                    with lake.filesystem.open_input_file(path) as file:
                        for _ in pq.ParquetFile(file).iter_batches(1024):
                            pass
                else:
                    pq.read_metadata(path, filesystem=lake.filesystem)
            except FileNotFoundError:
                is_named = _is_named(lake, path)
                if is_named is False:
                    return f"{lake.location}: was changed and vacuumed meanwhile; run the same command again"
                first = "" if is_named else "run the same command again; if it stays so, "
                return f"{path}: this file of the lake is lost; {first}{_WHAT_TO_DO}"
            except (OSError, pa.ArrowException) as error:
                if isinstance(error, OSError) and (error.errno is not None or storage.is_s3(lake.location)):
                    return f"{path}: {store_line(error) if storage.is_s3(lake.location) else error_line(error)}"
                return f"{path}: this file of the lake is broken; {_WHAT_TO_DO}"
    return None


def error_of(lake: Lake, table: Table, file: str, error: str) -> LakeError:
    """Return what a worker's failure at a file of the lake means: that the file is lost or broken, or what it said.

    Args:
        file: as the table names it.
    """
    line = damage(lake, [f"{lake.table_path(table.name)}/{file}"], bodies=True)
    return LakeError(line or f"{lake.table_uri(table.name)}/{file}: {error}")


def _is_named(lake: Lake, path: str) -> bool | None:
    """Whether the newest version of a table names a file; None if the log cannot be read, as in a locked process."""
    root = lake.table_path("")
    table = path.removeprefix(root).partition("/")[0]
    try:
        return path in {f"{lake.table_path(table)}/{each}" for each in lake.files(table)}
    except (LakeError, OSError):
        return None

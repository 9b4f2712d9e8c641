"""Names the file where a lake has lost one, or holds a broken one."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from archive import storage
from archive.errors import LakeError, QueryError, error_line, store_line
from archive.lake import Lake

#: What a lost or a broken file is to the system; Parquet's own errors have no number.
_OF_A_FILE = {None, errno.ENOENT, errno.EIO, errno.EACCES}
_WHAT_TO_DO = "bring it back from a copy, or ingest the sources into a new lake"
#: What DuckDB raises of a file that is lost, or where it begins to read one.
_OF_FILES = (duckdb.IOException, duckdb.InvalidInputException, duckdb.PermissionException)


@contextlib.contextmanager
def naming_damage(lake: Lake, files: Iterable[str] | None = None) -> Iterator[None]:
    """Where something inside fails because of a lost or broken file, raise an error that says which.

    Args:
        files: those of the lake, as its filesystem names them, if they are known.

    Raises:
        LakeError: a file is lost or broken.
    """
    try:
        yield
    except (OSError, pa.ArrowException, duckdb.Error, QueryError) as error:
        # an error of DuckDB's in words has the error itself behind it
        reason = error.__context__ if isinstance(error, QueryError) else error
        if (bodies := _may_be_damage(reason)) is None:
            raise
        said = damage(lake, _files(lake) if files is None else files, bodies)
        if said is None:
            raise
        raise LakeError(said) from None


def _may_be_damage(error: BaseException | None) -> bool | None:
    """Whether an error is such that files must be read whole to find the broken one; None for errors of other kinds."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in _OF_A_FILE):
        return None
    if isinstance(error, _OF_FILES):
        return isinstance(error, duckdb.IOException) if ".parquet" in str(error) else None
    if type(error) is duckdb.Error or isinstance(error, OSError | pa.ArrowException | duckdb.InternalException):
        return True
    return None


def _files(lake: Lake) -> Iterator[str]:
    """Those of every table, of any room."""
    for table in lake.tables():
        yield from (f"{lake.table_path(table)}/{path}" for path in lake.files(table))


def damage(lake: Lake, files: Iterable[str], bodies: bool) -> str | None:
    """The first file that is lost or broken, and what to do; None where all are there and whole.

    Args:
        bodies: read all of each file, not only its foot.
    """
    there = list(files)
    for whole in (False, True) if bodies else (False,):
        for path in there:
            try:
                if whole:
                    with lake.filesystem.open_input_file(path) as file:
                        for _ in pq.ParquetFile(file).iter_batches(1024):
                            pass
                else:
                    pq.read_metadata(path, filesystem=lake.filesystem)
            except FileNotFoundError:
                named = _is_named(lake, path)
                if named is False:
                    return f"{lake.location}: was changed and swept meanwhile; run the same command again"
                first = "" if named else "run the same command again; if it stays so, "
                return f"{path}: this file of the lake is lost; {first}{_WHAT_TO_DO}"
            except (OSError, pa.ArrowException) as error:
                if isinstance(error, OSError) and (error.errno is not None or storage.is_s3(lake.location)):
                    return f"{path}: {store_line(error) if storage.is_s3(lake.location) else error_line(error)}"
                return f"{path}: this file of the lake is broken; {_WHAT_TO_DO}"
    return None


def _is_named(lake: Lake, path: str) -> bool | None:
    """Whether the newest version of a table names a file. None: a process that is locked cannot tell."""
    root = lake.table_path("")
    table = path.removeprefix(root).partition("/")[0]
    try:
        return path in {f"{lake.table_path(table)}/{each}" for each in lake.files(table)}
    except (LakeError, OSError):
        return None

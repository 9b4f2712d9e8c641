"""The process that answers: it opens the lake, locks itself, and then runs SQL that anybody wrote."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import duckdb
import pytz  # type: ignore[import-untyped]  # noqa: F401  DuckDB loads it for times with a zone: before the lock

from archive import storage
from archive.damage import naming_damage
from archive.engine.sandbox import Service
from archive.errors import ArchiveError, QueryError
from archive.lake import Lake
from query import domain  # noqa: F401  loaded before the lock
from query.answer import lock
from query.answer.output import exact, write, write_arrow, write_parquet
from query.sql import answer, connect, query_error, stream

#: Where DuckDB reads how many processors and how much memory it may have; without that it crashes.
_MACHINE = ("/proc/self/cgroup", "/sys/fs/cgroup")
#: Bytes beyond what DuckDB may use: the program itself, Arrow, rows on their way out.
_OTHER = 1 << 30
_UNITS = {"bytes": 0, "kib": 10, "mib": 20, "gib": 30, "tib": 40}
_STDOUT = 1


def serve(location: str, memory: str, spill: str, out: int) -> Service:
    """Open a lake, lock this process, and answer questions: the service of a `Sandbox`.

    A request is `{"sql": …, "format": …}`. The rows are written to the descriptor `out`; the answer is null. From the
    lock on this process reads the lake's files and Python's, writes the folder for temporary files, and has no network.
    For a lake on S3 the network stays open and files may be read, since its library needs both.

    Args:
        memory: how much DuckDB may use (`4GB`).
        spill: an empty folder for temporary files.

    Raises:
        LakeError: there is no lake, or it cannot be opened.
        QueryError: `memory` is no size.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)  # opened before the lock
    files: list[str] = []

    def close(found: list[str]) -> None:
        files.extend(found)
        remote = storage.is_s3(lake.location)
        lock.lock(["/"] if remote else [*files, *_MACHINE], spill, network=remote)

    try:
        lake = Lake(location)
        db = connect(lake, memory=memory, spill=spill, opened=close)
    except ArchiveError:
        raise
    except Exception as error:
        raise QueryError(f"{location}: {_line(error)}") from None

    def ask(question: dict[str, Any]) -> None:
        try:
            with naming_damage(lake, files):
                _write(db, question["sql"], question["format"], out)
        except BrokenPipeError:
            os.dup2(nowhere, _STDOUT)  # what Python still buffers for it
            raise
        except OSError as error:
            os.dup2(nowhere, _STDOUT)
            raise QueryError(f"the answer cannot be written: {(error.strerror or str(error)).lower()}") from None
        except ArchiveError:
            raise
        except Exception as error:
            raise QueryError(f"this question failed: {_line(error)}") from None

    return Service(ask, _bound(db))


def _bound(db: duckdb.DuckDBPyConnection) -> int | None:
    """Return the bytes that this process may allocate: `repeat('a', 4e9)`, `range(1e9)` and the like take more memory
    than `memory_limit` (DuckDB 2.0)."""
    (limit,) = db.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
    found = re.fullmatch(r"([\d.]+) (\w+)", limit)
    return _OTHER + int(float(found[1]) * (1 << _UNITS.get(found[2].lower(), 0))) if found else None


def _write(db: duckdb.DuckDBPyConnection, sql: str, format_: str, out: int) -> None:
    """Write the rows of one question.

    Raises:
        QueryError: it cannot be answered.
        OSError: the rows cannot be written.
    """
    try:
        with _target(out) as target:
            if format_ in ("parquet", "arrow"):
                relation = stream(db, sql)
                if columns := exact(relation.columns, relation.types, format_):
                    relation = relation.select(columns)
                (write_parquet if format_ == "parquet" else write_arrow)(relation, target.buffer)
            else:
                result = answer(db, sql)
                described = result.description or []
                if columns := exact([each[0] for each in described], [each[1] for each in described], format_):
                    result.abort()
                    result = answer(db, sql, columns)
                write(result, format_, target)
            target.flush()
    except (duckdb.Error, MemoryError) as error:
        raise query_error(error) from None


@contextlib.contextmanager
def _target(out: int) -> Iterator[TextIO]:
    if out == _STDOUT:
        yield sys.stdout
    else:
        with open(out, "w", encoding="utf-8", newline="", closefd=False) as file:
            yield file


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"

"""What runs in the process that answers: the lake is opened, the process locked, the questions answered."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

import duckdb
import pytz  # type: ignore[import-untyped]  # noqa: F401  DuckDB loads it for times with a zone: before the lock

from archive import storage
from archive.damage import naming_damage
from archive.lake import Lake
from query import domain  # noqa: F401  the domain of a URL is asked for late
from query.answer import sandbox
from query.answer.limits import bound_memory
from query.answer.output import write, write_parquet
from query.sql import answer, connect, said, stream

#: Where DuckDB reads how many processors and how much memory it may have; without that it crashes.
_MACHINE = ("/proc/self/cgroup", "/sys/fs/cgroup")


def open_lake(location: str, memory: str, spill: str) -> Callable[[str, str, int], None]:
    """Open the lake and lock this process; returns what answers a question to a descriptor, in a format.

    From then on it reads the lake's files and Python's, writes the folder for temporary files, and has no
    network. For a lake on S3 the network stays open and files may be read, since its library needs both.

    Raises:
        LakeError: there is no lake, or it cannot be opened.
        QueryError: `memory` is no size.
    """
    lake = Lake(location)

    files: list[str] = []

    def lock(found: list[str]) -> None:
        files.extend(found)
        remote = storage.is_s3(lake.location)
        sandbox.lock(["/"] if remote else [*files, *_MACHINE], spill, network=remote)

    with contextlib.ExitStack() as held:
        status = None
        with contextlib.suppress(OSError):  # no /proc: the limit is what it is
            status = held.enter_context(open("/proc/self/status"))
        db = connect(lake, memory, spill, lock)
        bound_memory(db, status)

    def ask(sql: str, form: str, out: int) -> None:
        with naming_damage(lake, files):
            _write(db, sql, form, out)

    return ask


def _write(db: duckdb.DuckDBPyConnection, sql: str, form: str, out: int) -> None:
    """Write the rows of one question.

    Raises:
        QueryError: it cannot be answered.
        OSError: the rows cannot be written.
    """
    try:
        with _target(out) as target:
            if form == "parquet":
                write_parquet(stream(db, sql), target.buffer)
            else:
                write(answer(db, sql), form, target)
            target.flush()
    except (duckdb.Error, MemoryError) as error:
        raise said(error) from None


@contextlib.contextmanager
def _target(out: int) -> Iterator[TextIO]:
    if out == 1:
        yield sys.stdout
    else:
        with open(out, "w", encoding="utf-8", newline="", closefd=False) as file:
            yield file

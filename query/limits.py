"""How much a question may take: the last lines of defence, behind DuckDB's own limit."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb

from archive.errors import QueryError

#: Beyond what DuckDB may use: the program itself, Arrow, rows on their way out.
_OTHER = 1 << 30
#: Seconds in which DuckDB must stop after it was told to; some functions never look up.
_GRACE = 5
_UNITS = {"bytes": 0, "kib": 10, "mib": 20, "gib": 30, "tib": 40}


def bound_memory(db: duckdb.DuckDBPyConnection) -> None:
    """Let the system refuse what goes far beyond DuckDB's limit.

    `repeat('a', 4e9)`, `range(1e9)` and the like take their memory past `memory_limit` (DuckDB 2.0); with this limit
    they fail as others do.
    """
    (said,) = db.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
    found = re.fullmatch(r"([\d.]+) (\w+)", said)
    if not found:
        return
    now = 0
    with contextlib.suppress(OSError, IndexError, ValueError):  # no /proc: the limit is what it is
        now = int(Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]) << 10
    limit = now + _OTHER + int(float(found[1]) * (1 << _UNITS.get(found[2].lower(), 0)))
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


@contextlib.contextmanager
def within(seconds: float | None, db: duckdb.DuckDBPyConnection, spill: str) -> Iterator[None]:
    """Stop what runs inside after so many seconds; the program too, where DuckDB does not listen.

    Raises:
        QueryError: it took longer.
    """
    if not seconds:
        yield
        return
    message = f"this question took longer than {seconds:g} s; narrow it, or --timeout"
    late = threading.Event()

    def interrupt() -> None:
        late.set()
        db.interrupt()

    def kill() -> None:
        print(f"archive: {message}", file=sys.stderr, flush=True)
        shutil.rmtree(spill, ignore_errors=True)
        os._exit(2)

    timers = [threading.Timer(seconds, interrupt), threading.Timer(seconds + _GRACE, kill)]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield
    except (QueryError, duckdb.Error) as error:
        raise (QueryError(message) if late.is_set() else error) from None
    finally:
        for timer in timers:
            timer.cancel()

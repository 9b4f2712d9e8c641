"""How much memory the process that answers may take: the last line of defence, behind DuckDB's own limit."""

from __future__ import annotations

import contextlib
import re
import resource
from typing import TextIO

import duckdb

#: Beyond what DuckDB may use: the program itself, Arrow, rows on their way out.
_OTHER = 1 << 30
_UNITS = {"bytes": 0, "kib": 10, "mib": 20, "gib": 30, "tib": 40}


def bound_memory(db: duckdb.DuckDBPyConnection, status: TextIO | None) -> None:
    """Let the system refuse what goes far beyond DuckDB's limit.

    `repeat('a', 4e9)`, `range(1e9)` and the like take their memory past `memory_limit` (DuckDB 2.0); with this limit
    they fail as others do.

    Args:
        status: `/proc/self/status`, opened while that could be.
    """
    (said,) = db.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
    found = re.fullmatch(r"([\d.]+) (\w+)", said)
    if not found:
        return
    now = int(status.read().partition("VmData:")[2].split()[0]) << 10 if status else 0
    limit = now + _OTHER + int(float(found[1]) * (1 << _UNITS.get(found[2].lower(), 0)))
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

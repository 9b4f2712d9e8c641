"""Databases of DuckDB for the steps of an export or a verification: in bounded memory, the rest on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from archive.errors import QueryError

#: What DuckDB may hold of a step, unless somebody says otherwise: a process needs some hundred megabytes more.
MEMORY = "1GB"


def memory_limit(memory: str) -> str:
    """Return a size for DuckDB, which takes one below zero for no limit at all.

    Raises:
        QueryError: it is below zero.
    """
    if memory.strip().startswith("-"):
        raise QueryError(f"--memory {memory}: not below zero")
    return memory


def scratch_database(folder: Path, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a database in memory; what does not fit is written to a folder. Times are in UTC.

    To start DuckDB takes 20 ms. While a connection for the same folder is open, others belong to the same database, and
    take no time. Each has its own temporary tables.
    """
    config: dict[str, Any] = {"memory_limit": memory_limit(memory), "temp_directory": str(folder)}
    db = duckdb.connect(f":memory:{folder}:{memory}", config=config)
    db.execute("SET TimeZone = 'UTC'")
    return db

"""`ask_apart`: a question of anybody's to a lake, answered in another process that is locked."""

from __future__ import annotations

import io
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import QueryError


def ask_apart(location: str, sql: str, memory: str = "4GB", timeout: float | None = None) -> pa.Table:
    """Run one SQL question of anybody's in a process of its own, as `archive query` does; returns its rows.

    Args:
        location: of the lake.
        memory: how much it may use; up to 32 GB more go to disk.
        timeout: seconds after which it is ended.

    Raises:
        QueryError: there is no lake, or the question is not answered.
    """
    words = ["query", "-", "--lake", location, "--format", "parquet", "--memory", memory]
    words += ["--timeout", str(timeout)] if timeout else []
    done = subprocess.run([sys.executable, "-m", "archive", *words], input=sql.encode(), capture_output=True)
    if done.returncode:
        raise QueryError(done.stderr.decode(errors="replace").strip().removeprefix("archive: "))
    return pq.read_table(io.BytesIO(done.stdout))

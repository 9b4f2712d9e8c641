"""`query`: ask a lake in SQL."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from archive.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

    from archive.lake import Lake


def query(
    lake: Lake | str | os.PathLike[str], sql: str, *, memory: str = "4GB", timeout: float | None = None
) -> pa.Table:
    """Answer one SQL question, as `archive query` does: in a child process that is locked and bounded.

    The SQL may come from anybody: it can only read, and only the lake. This process is not changed, and the call is
    safe where it has other threads. The child takes about a second to start; for many questions of your own, use
    `query.connect`.

    Args:
        lake: a lake, or its location.
        sql: one SELECT of DuckDB's.
        memory: how much DuckDB may use; up to 32 GB more go to disk.
        timeout: seconds after which the question is given up; None for no limit.

    Returns:
        The rows. Where two columns have the same name, the second `a` is `a_2`.

    Raises:
        QueryError: there is no lake, or the question cannot be answered.
    """
    import pyarrow as pa

    from archive.lake import open_lake
    from query.answer.answerer import Answerer

    location = open_lake(lake).location
    with (
        tempfile.TemporaryDirectory(prefix="lowbackground-") as folder,
        tempfile.TemporaryFile() as rows,
        Answerer(location, memory, folder, rows.fileno()) as answerer,
    ):
        try:
            answerer.ask(sql, "arrow", timeout)
        except BrokenPipeError as error:  # a file is none
            raise QueryError(str(error)) from None
        rows.seek(0)
        table = pa.ipc.open_stream(rows).read_all()
    table.validate(full=True)  # it comes from a process that ran SQL of anybody's
    return table

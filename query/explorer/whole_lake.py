"""Questions about the whole lake: asked in the background, one after the other, and their answers kept.

They need the captures with the texts that revisits prove, which DuckDB would join again for each of them. So the few
columns that they count are put into a table once, under the names of the views: the same SQL reads less.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from archive import bounds
from archive.damage import naming_damage
from archive.errors import ArchiveError, QueryError, error_line
from archive.lake import Lake
from query.explorer.behind import step_back
from query.explorer.kept import KeptAnswers
from query.sql import connect, query_error

_log = logging.getLogger(__name__)

#: The columns of captures and of moments that can be counted, and those of documents.
_COLUMNS = 'month, grade, record_type, file, "offset", skip, host, content_id, captured_at, date_problem'
_TEXTS = "content_id, language"
#: Seconds for which the tables stay, so that a page can ask one question after the other.
_LINGER = 5.0
#: Seconds after which what failed is tried again.
_AGAIN = 60.0
#: Seconds that the end of a server waits.
_END = 5.0

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Failed:
    problem: ArchiveError
    at: float


class WholeLake:
    """What is asked of one version of a lake as a whole. Any number of threads may ask.

    Args:
        lake: with tables that have these marks, see `Lake.mark`.
        memory: what DuckDB may use; the rest goes to the folder `spill`.
        patience: seconds, from the first question on, for which whoever asks waits.
    """

    def __init__(self, lake: Lake, marks: Mapping[str, str | None], memory: str, spill: str, patience: float) -> None:
        self._lake, self._memory, self._spill = lake, memory, spill
        self._kept = KeptAnswers(lake.location, marks)
        self._patience = patience
        self._until: float | None = None  #: to this moment whoever asks waits
        self._changed = threading.Condition()
        self._found: dict[str, Rows] = {}
        self._failed: dict[str, _Failed] = {}
        self._asked: dict[str, bool] = {}  #: what is worked on → whether it counts the narrow columns alone
        self._waiting: deque[str] = deque()
        self._thread: threading.Thread | None = None
        self._connections: dict[bool, duckdb.DuckDBPyConnection] = {}
        self._is_ended = False

    def rows(self, sql: str, is_narrow: bool = True) -> Rows | None:
        """Return the rows of an answer; None where they are not there yet.

        Args:
            is_narrow: it asks for no other columns than those that the tables hold.

        Raises:
            ArchiveError: it cannot be answered.
        """
        with self._changed:
            if self._until is None:
                self._until = time.monotonic() + self._patience
            until = self._until
            while sql not in self._found and not self._is_ended:
                if failed := self._failed.get(sql):
                    if time.monotonic() - failed.at < _AGAIN:
                        raise failed.problem
                    del self._failed[sql]
                self._ask(sql, is_narrow)
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
            return self._found.get(sql)

    def close(self) -> None:
        """End what is going on."""
        with self._changed:
            self._is_ended = True
            self._waiting.clear()
            for db in self._connections.values():
                db.interrupt()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(_END)

    def _ask(self, sql: str, is_narrow: bool) -> None:
        if sql in self._asked:
            return
        self._asked[sql] = is_narrow
        self._waiting.append(sql)
        self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="whole lake", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        step_back()
        while (sql := self._next()) is not None:
            found: Rows = []
            problem: ArchiveError | None = None
            try:
                found = self._kept.rows(sql, lambda sql=sql: self._answer(sql))  # type: ignore[misc]
            except ArchiveError as error:
                problem = error
            except Exception as error:
                _log.exception("%s: a question about the whole lake failed", self._lake.location)
                problem = QueryError(error_line(error))
            with self._changed:
                if problem is None:
                    self._found[sql] = found
                else:
                    self._failed[sql] = _Failed(problem, time.monotonic())
                del self._asked[sql]
                self._changed.notify_all()

    def _next(self) -> str | None:
        """Return the next question; None where for a while nobody asks one."""
        with self._changed:
            if not self._waiting and not self._is_ended and self._connections:
                self._changed.wait(_LINGER)
            if self._waiting and not self._is_ended:
                return self._waiting.popleft()
            self._thread = None
            for db in self._connections.values():
                db.close()
            self._connections = {}
            return None

    def _answer(self, sql: str) -> pa.Table:
        try:
            with naming_damage(self._lake):
                return self._connected(self._asked[sql]).sql(sql).to_arrow_table()
        except (duckdb.Error, MemoryError) as error:
            raise query_error(error) from None

    def _connected(self, is_narrow: bool) -> duckdb.DuckDBPyConnection:
        """Return a connection to the lake, with the narrow tables or with all columns."""
        if is_narrow in self._connections:
            return self._connections[is_narrow]
        with contextlib.ExitStack() as stack:
            db = stack.enter_context(contextlib.closing(connect(self._lake, memory=self._memory, spill=self._spill)))
            with self._changed:
                if self._is_ended:
                    raise QueryError("this server ends")
                self._connections[is_narrow] = db
            stack.pop_all()
        if is_narrow:
            try:
                _narrow(db, self._lake)
            except duckdb.Error:
                with self._changed:
                    del self._connections[is_narrow]
                db.close()
                raise
        return db


def _narrow(db: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Put few columns of the views that are counted into tables, which take their names."""
    db.execute(f"CREATE TEMP TABLE narrow_captures AS SELECT {_COLUMNS} FROM captures")
    moments = "narrow_captures"
    known = bounds.of_units(lake)
    if known.stored or known.attested or known.published:  # else the captures are all moments
        moments = "narrow_moments"
        db.execute(f"CREATE TEMP TABLE {moments} AS SELECT {_COLUMNS} FROM moments")
    for name, source in (
        ("captures", "SELECT * FROM narrow_captures"),
        ("moments", f"SELECT * FROM {moments}"),
        ("documents", f"SELECT {_TEXTS} FROM stored_documents"),  # a row for each there too
    ):
        db.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {source}")

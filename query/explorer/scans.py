"""Questions that read much, each for a bounded time: one after the other, behind all other pages."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from query.explorer.behind import step_back
from query.explorer.bounds import interrupted_after
from query.explorer.busy import Busy

#: Lends a connection.
Lend = Callable[[], contextlib.AbstractContextManager[duckdb.DuckDBPyConnection]]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was found in time."""

    rows: list[tuple[Any, ...]]
    is_all: bool  #: false: it was stopped
    seconds: float  #: after which it is stopped


class Scans:
    """Any number of threads may ask. The more wait, the less time each question has, so that nobody waits long."""

    def __init__(self) -> None:
        self._counting, self._turn = threading.Lock(), threading.Lock()
        self._asked = 0
        self._is_ended = False

    def rows(self, lend: Lend, sql: str, seconds: float) -> Scanned:
        """Return the rows that are found in a time.

        Args:
            lend: lends the connection that is asked. It is opened by a thread that steps back, and steps back with it.
            sql: without an order, so that rows come as they are found.
            seconds: the most that it may take.

        Raises:
            Busy: the server ends.
            Exception: what `lend` raises, or DuckDB.
        """
        found: list[Scanned | BaseException] = []

        def work() -> None:
            step_back()
            try:
                found.append(self._answer(lend, sql, seconds))
            except BaseException as problem:
                found.append(problem)

        with self._counted(), self._turn:
            if self._is_ended:
                raise Busy("this server ends")
            thread = threading.Thread(target=work, name="scan", daemon=True)
            thread.start()
            thread.join()
        (answer,) = found
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """Answer nobody any more; the caller interrupts what is being asked."""
        self._is_ended = True

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """Count who waits, or is answered."""
        with self._counting:
            self._asked += 1
        try:
            yield
        finally:
            with self._counting:
                self._asked -= 1

    def _answer(self, lend: Lend, sql: str, seconds: float) -> Scanned:
        seconds = round(seconds / self._asked, 1)
        found: list[tuple[Any, ...]] = []
        with lend() as db:
            try:
                with interrupted_after(seconds, db.interrupt):
                    answer = db.execute(sql)
                    while row := answer.fetchone():
                        found.append(row)
            except duckdb.InterruptException:
                return Scanned(found, False, seconds)
        return Scanned(found, True, seconds)

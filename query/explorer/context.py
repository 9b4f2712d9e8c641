"""The lake, opened read-only: what one request sees of it, and what the server keeps between requests."""

from __future__ import annotations

import contextlib
import math
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from archive.damage import naming_damage
from archive.errors import ArchiveError
from archive.lake import Lake, open_lake
from archive.tables import EVIDENCE_TABLES, TABLES
from index import tables as index_tables
from query.explorer.cube.counting import Counting
from query.sql import connect, query_error

#: Seconds for one page, memory of DuckDB for it, and how many are worked on at once.
SECONDS, MEMORY, AT_ONCE = 20.0, "400MB", 4
#: For so many seconds nobody looks whether the lake has changed.
_FRESH = 1.0
#: So many answers are kept.
_KEPT = 200

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Question:
    """A question in SQL that a page asked."""

    about: str  #: what it answers
    sql: str


class Busy(ArchiveError):
    """The server has too much to do, or a page takes too long."""


@dataclass
class _Kept:
    """A value that is computed by the first who asks."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    is_there: bool = False
    value: Any = None


class Context:
    """What one request sees of the lake: one version of each table, and the questions that it asks."""

    def __init__(
        self,
        lake: Lake,
        versions: Mapping[str, int | None],
        counting: Counting,
        connection: Callable[[], duckdb.DuckDBPyConnection],
    ) -> None:
        self.lake = lake  #: its tables stay as they were when the request began
        self.versions = versions  #: of the tables; None: the lake does not have it
        self.counting = counting  #: counts clean sets without asking the lake
        self._connection = connection
        self._db: duckdb.DuckDBPyConnection | None = None
        self._asked: list[Question] = []

    def rows(self, about: str, sql: str) -> list[tuple[Any, ...]]:
        """Ask the lake in SQL, which the page then shows.

        Args:
            about: what the question answers, for who reads the SQL.
            sql: complete, so that it can be copied; put values in by `archive.files.sql_literal`.

        Raises:
            QueryError: DuckDB cannot answer it within its memory.
            Busy: it takes too long.
        """
        self._asked.append(Question(about, _tidy(sql)))
        self._db = self._db or self._connection()
        with _errors():
            return self._db.execute(sql).fetchall()

    def batches(self, about: str, sql: str, size: int) -> Iterator[pa.RecordBatch]:
        """Ask the same where the answer is large: yield so many rows at a time.

        Raises:
            QueryError, Busy: as `rows` does.
        """
        question = Question(about, _tidy(sql))
        if question not in self._asked:
            self._asked.append(question)
        self._db = self._db or self._connection()
        with _errors():
            yield from self._db.sql(sql).to_arrow_reader(size)

    def row(self, about: str, sql: str) -> tuple[Any, ...] | None:
        """Ask the same where there is one row, or none."""
        return next(iter(self.rows(about, sql)), None)

    @property
    def asked(self) -> tuple[Question, ...]:
        """The questions that were asked."""
        return tuple(self._asked)


class OpenLake:
    """A lake that a server shows: connections that can be used again, and answers, for its present version.

    Any number of threads may ask. Nothing is written into the lake.

    Args:
        seconds: the most that one page may take.
        memory: the most that DuckDB may use for one page.
        at_once: how many pages are worked on at one time.
        is_pinned: the lake is shown as it is now, whatever is written into it later.

    Raises:
        LakeError: there is no lake, or it cannot be opened.
    """

    def __init__(
        self,
        location: str,
        *,
        seconds: float = SECONDS,
        memory: str = MEMORY,
        at_once: int = AT_ONCE,
        is_pinned: bool = False,
    ) -> None:
        self._lake = open_lake(location)
        self._lake.require()
        self.location = self._lake.location
        self._seconds, self._memory = seconds, memory
        self._fresh = math.inf if is_pinned else _FRESH
        self._slots = threading.BoundedSemaphore(at_once)
        self._spill = tempfile.TemporaryDirectory(prefix="lowbackground-")
        self._lock = threading.Lock()
        self._looked = -math.inf
        self._versions: Mapping[str, int | None] = {}
        self._free: list[duckdb.DuckDBPyConnection] = []
        self._answers: OrderedDict[object, _Kept] = OrderedDict()
        self._counting = Counting()
        self._now()

    def __enter__(self) -> OpenLake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            free, self._free, self._answers = self._free, [], OrderedDict()
        self._counting.close()
        for db in free:
            db.close()
        self._spill.cleanup()

    @property
    def versions(self) -> dict[str, int]:
        """The versions of the tables that the lake has now."""
        return {name: number for name, number in sorted(self._now().items()) if number is not None}

    def answer(
        self, key: object, ask: Callable[[Context], Value], is_final: Callable[[Value], bool] = lambda _: True
    ) -> Value:
        """Return what a function finds in the lake as it is now; the same question is worked on once.

        Args:
            key: what tells this question from others; None: the answer is not kept.
            is_final: whether an answer may be kept, and given to whoever asks the same of the same lake.

        Raises:
            Busy: there is too much to do, or it took too long.
            ArchiveError: what `ask` raises.
        """
        versions = self._now()
        if key is None:
            with self._context(versions) as context:
                return ask(context)
        with self._lock:
            kept = self._answers.setdefault(key, _Kept())
            self._answers.move_to_end(key)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        if not kept.lock.acquire(timeout=self._seconds):
            raise Busy("somebody asked for this page before, and it takes long; try again")
        try:
            if not kept.is_there:
                with self._context(versions) as context:
                    kept.value = ask(context)
                kept.is_there = is_final(kept.value)
            value: Value = kept.value
            return value
        finally:
            kept.lock.release()

    def _now(self) -> Mapping[str, int | None]:
        """Return the versions of all tables. What belongs to another version is dropped."""
        with self._lock:
            if time.monotonic() - self._looked < self._fresh:
                return self._versions
            held = set(self._lake.tables())
            known = {*TABLES, *EVIDENCE_TABLES, *index_tables.TABLES}
            versions = {name: self._lake.delta(name).version() if name in held else None for name in sorted(known)}
            self._looked = time.monotonic()
            if versions != self._versions:
                for db in self._free:
                    db.close()
                self._versions, self._free, self._answers = versions, [], OrderedDict()
            return self._versions

    @contextlib.contextmanager
    def _context(self, versions: Mapping[str, int | None]) -> Iterator[Context]:
        """Open the lake in these versions for one request. It is connected to when it is first asked."""
        lake = self._lake.at(versions)
        with contextlib.ExitStack() as stack, naming_damage(lake):
            yield Context(lake, versions, self._counting, lambda: stack.enter_context(self._connected(lake, versions)))

    @contextlib.contextmanager
    def _connected(self, lake: Lake, versions: Mapping[str, int | None]) -> Iterator[duckdb.DuckDBPyConnection]:
        """Connect to the lake, with a bound on time, and on how many do so at once."""
        if not self._slots.acquire(timeout=self._seconds):
            raise Busy("too many pages are asked for at once; try again")
        try:
            db = self._connection(lake, versions)
            is_late = threading.Event()

            def stop() -> None:
                is_late.set()
                db.interrupt()

            timer = threading.Timer(self._seconds, stop)
            timer.daemon = True
            timer.start()
            try:
                yield db
            finally:
                timer.cancel()
                self._give_back(db, versions, is_late.is_set())
        finally:
            self._slots.release()

    def _connection(self, lake: Lake, versions: Mapping[str, int | None]) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._free and versions is self._versions:
                return self._free.pop()
        return connect(lake, memory=self._memory, spill=self._spill.name)

    def _give_back(self, db: duckdb.DuckDBPyConnection, versions: Mapping[str, int | None], is_late: bool) -> None:
        with self._lock:
            if versions is self._versions and not is_late:
                self._free.append(db)
                return
        db.close()


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raise what DuckDB says as an error of ours."""
    try:
        yield
    except duckdb.InterruptException:
        raise Busy("this page took longer than it may; ask for less, or use the command") from None
    except (duckdb.Error, MemoryError, pa.ArrowException) as error:
        if "interrupt" in str(error).lower():
            raise Busy("this page took longer than it may; ask for less, or use the command") from None
        raise query_error(error) from None


def _tidy(sql: str) -> str:
    """Return SQL without the indentation that it has in a program."""
    return "\n".join(line.strip() for line in sql.strip().splitlines() if line.strip())

"""Counts clean sets for the pages: from the cube at once, and from the lake itself in the background."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from typing import Any

import duckdb

from archive.damage import naming_damage
from archive.engine import open_engine, succeed
from archive.errors import QueryError
from archive.lake import Lake
from query.explorer.background import Background, Waiting
from query.explorer.cube import exact
from query.explorer.cube.controls import Controls
from query.explorer.cube.counts import Counts
from query.explorer.cube.cube import Cube
from query.explorer.cube.stored import Unit, counted, read, work
from query.sql import connect, query_error

Versions = Mapping[str, int | None]
Marks = Mapping[str, str | None]

#: What DuckDB may use to make a cube, and to count one set in the lake.
_TO_MAKE, _TO_COUNT = "1GB", "600MB"
#: Seconds that the lake is asked for one set.
_SECONDS = 600.0
#: Seconds between two looks at what another process makes.
_LOOK = 0.5
#: So many sets are remembered. Of cubes two: one request may be older than the next.
_SETS, _CUBES = 200, 2


class Counting:
    """What a server knows of the clean sets of a lake. Any number of threads may ask.

    Args:
        to_make: what DuckDB may use to make a cube.
        seconds: the most that the lake is asked for one set.
    """

    def __init__(self, to_make: str = _TO_MAKE, seconds: float = _SECONDS) -> None:
        self._to_make, self._seconds = to_make, seconds
        self._cubes: Background[str, Cube] = Background(_CUBES, steps_back=False)
        self._sets: Background[tuple[str, Controls], Counts] = Background(_SETS)
        self._asked = _Asked()

    def close(self) -> None:
        """End what is going on."""
        self._cubes.stop()
        self._sets.stop()
        self._asked.interrupt()
        self._sets.join()
        self._asked.close()

    def cube(self, location: str, versions: Versions, marks: Marks) -> Cube | Waiting:
        """Return the cube of a lake with these versions of its tables; it is made where it is not there yet."""
        unit = self._unit(location, versions, marks)
        return self._cubes.of(unit.key, lambda: _opened(unit))

    def cube_now(self, location: str, versions: Versions, marks: Marks) -> Cube:
        """Return the same, and wait for it.

        Raises:
            ArchiveError: it cannot be made.
        """
        unit = self._unit(location, versions, marks)
        return self._cubes.wait(unit.key, lambda: _opened(unit))

    def counted(
        self,
        lake: Lake,
        versions: Versions,
        marks: Mapping[str, str | None],
        cube: Cube,
        asked: Controls,
    ) -> Counts | Waiting:
        """Return the counts of a set from the lake itself, as an export selects it; they are made in the background.

        Args:
            lake: in these versions, of which the cube is.
        """
        key = self._unit(lake.location, versions, marks).key

        def make() -> Counts:
            (rows,) = self._asked.rows(lake, key, self._seconds, exact.sql(asked))
            return exact.counts(rows, cube.about.bytes_a_character)

        return self._sets.of((key, asked), make)

    def _unit(self, location: str, versions: Versions, marks: Marks) -> Unit:
        return Unit(location, counted(versions), counted(marks), self._to_make)


def _opened(unit: Unit) -> Cube:
    """Return a cube, made by a process of its own, so that its memory goes with it."""
    while (kept := read(unit)) is None:
        ((_, is_made),) = succeed(open_engine(1).run(work, [unit], isolated=True))
        if not is_made:
            time.sleep(_LOOK)
    return Cube(*kept)


class _Asked:
    """A connection to a lake, for one thread; another may interrupt it. It is kept while the lake stays the same."""

    def __init__(self) -> None:
        self._spill = tempfile.TemporaryDirectory(prefix="lowbackground-")
        self._key = ""
        self._is_ended = False
        self._db: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._spill.cleanup()

    def interrupt(self) -> None:
        self._is_ended = True
        if self._db is not None:
            self._db.interrupt()

    def rows(self, lake: Lake, key: str, seconds: float, *questions: str) -> list[list[tuple[Any, ...]]]:
        """Return the rows that answer some questions.

        Args:
            key: what tells this lake and its versions from others.

        Raises:
            LakeError: a file of the lake is lost or broken.
            QueryError: DuckDB cannot answer in this time and memory.
        """
        end = time.monotonic() + seconds
        try:
            with naming_damage(lake):
                if key != self._key or self._db is None:
                    if self._db is not None:
                        self._db.close()
                    self._db, self._key = connect(lake, memory=_TO_COUNT, spill=self._spill.name), key
                return [self._answer(each, end) for each in questions]
        except duckdb.InterruptException:
            raise QueryError(f"this takes longer than {seconds:g} seconds; an export takes all that it needs") from None
        except duckdb.Error as error:
            raise query_error(error) from None

    def _answer(self, question: str, end: float) -> list[tuple[Any, ...]]:
        """
        Raises:
            duckdb.InterruptException: it is not answered at the end.
        """
        assert self._db is not None
        left = end - time.monotonic()
        if left <= 0 or self._is_ended:  # an interruption before a question begins is lost
            raise duckdb.InterruptException
        timer = threading.Timer(left, self._db.interrupt)
        timer.daemon = True
        timer.start()
        try:
            return self._db.execute(question).fetchall()
        finally:
            timer.cancel()

"""Counts clean sets for the pages: from the cube at once, and from the lake itself in the background."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping

import duckdb

from archive.damage import naming_damage
from archive.engine import open_engine, succeed
from archive.errors import QueryError
from archive.lake import Lake
from query.explorer.cube import exact
from query.explorer.cube.background import Background, Waiting
from query.explorer.cube.controls import Controls
from query.explorer.cube.counts import Counts
from query.explorer.cube.cube import Cube
from query.explorer.cube.stored import Unit, counted, read, work
from query.sql import connect, query_error

#: What DuckDB may use to make a cube, and to count one set in the lake.
_TO_MAKE, _TO_COUNT = "1GB", "400MB"
#: Seconds that the lake is asked for one set.
_SECONDS = 120.0
#: Seconds between two looks at what another process makes.
_LOOK = 0.5
#: So many sets are remembered that were counted in the lake. Of cubes two: one request may be older than the next.
_SETS, _CUBES = 200, 2


class Counting:
    """What a server knows of the clean sets of a lake. Any number of threads may ask.

    Args:
        to_make: what DuckDB may use to make a cube.
        seconds: the most that the lake is asked for one set.
    """

    def __init__(self, to_make: str = _TO_MAKE, seconds: float = _SECONDS) -> None:
        self._to_make, self._seconds = to_make, seconds
        self._cubes: Background[str, Cube] = Background(_CUBES)
        self._sets: Background[tuple[str, Controls], Counts] = Background(_SETS)

    def cube(self, location: str, versions: Mapping[str, int | None]) -> Cube | Waiting:
        """Return the cube of a lake with these versions of its tables; it is made where it is not there yet."""
        unit = self._unit(location, versions)
        return self._cubes.of(unit.key, lambda: _made(unit))

    def cube_now(self, location: str, versions: Mapping[str, int | None]) -> Cube:
        """Return the same, and wait for it.

        Raises:
            ArchiveError: it cannot be made.
        """
        unit = self._unit(location, versions)
        return self._cubes.wait(unit.key, lambda: _made(unit))

    def counted(self, lake: Lake, versions: Mapping[str, int | None], cube: Cube, asked: Controls) -> Counts | Waiting:
        """Return the counts of a set from the lake itself, as an export selects it; they are made in the background.

        Args:
            lake: in these versions, of which the cube is.
        """
        key = self._unit(lake.location, versions).key, asked
        return self._sets.of(key, lambda: _recounted(lake, cube, asked, self._seconds))

    def _unit(self, location: str, versions: Mapping[str, int | None]) -> Unit:
        return Unit(location, counted(versions), self._to_make)


def _made(unit: Unit) -> Cube:
    """Return a cube, made by a process of its own, so that its memory goes with it."""
    while (kept := read(unit)) is None:
        ((_, is_made),) = succeed(open_engine(1).run(work, [unit], isolated=True))
        if not is_made:
            time.sleep(_LOOK)
    return Cube(*kept)


def _recounted(lake: Lake, cube: Cube, asked: Controls, seconds: float) -> Counts:
    """Count a set in the lake.

    Raises:
        LakeError: a file of the lake is lost or broken.
        QueryError: DuckDB cannot do it in this time and memory.
    """
    try:
        with (
            tempfile.TemporaryDirectory(prefix="lowbackground-") as spill,
            naming_damage(lake),
            connect(lake, memory=_TO_COUNT, spill=spill) as db,
        ):
            timer = threading.Timer(seconds, db.interrupt)
            timer.daemon = True
            timer.start()
            try:
                rows = db.execute(exact.sql(asked)).fetchall()
            finally:
                timer.cancel()
    except duckdb.InterruptException:
        raise QueryError(
            f"the lake was asked for {seconds:g} seconds; `archive export` takes as long as it needs"
        ) from None
    except duckdb.Error as error:
        raise query_error(error) from None
    return exact.counts(rows, cube.about.bytes_a_character)

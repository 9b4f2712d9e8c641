"""Makes the cube of a lake while pages are answered: in a process of its own, so that its memory goes with it."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from archive.engine import open_engine, succeed
from archive.errors import ArchiveError, error_line
from query.explorer.cube.cube import Cube
from query.explorer.cube.stored import Unit, read, work

_log = logging.getLogger(__name__)

#: What DuckDB may use while it counts: it may work long, and leaves memory to the pages.
MEMORY = "1GB"
#: Seconds between two looks at what another process makes, and after which what failed is tried again.
_LOOK, _AGAIN = 0.5, 60.0


@dataclass(frozen=True, slots=True)
class Building:
    """There is no cube yet."""

    seconds: float  #: since it was begun
    problem: str | None  #: why it failed the last time


class Cubes:
    """The cube of one lake, in its newest version that somebody asked for. Any number of threads may ask."""

    def __init__(self, memory: str = MEMORY) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._made: tuple[Unit, Cube] | None = None
        self._begun: tuple[Unit, float] | None = None
        self._failed: tuple[Unit, float, str] | None = None

    def of(self, location: str, versions: dict[str, int | None]) -> Cube | Building:
        """Return the cube of a lake in these versions. Where it is not there, it is made in the background.

        Args:
            versions: of the tables, as `stored.counted` returns them.
        """
        unit = Unit(location, versions, self._memory)
        with self._lock:
            if self._made and self._made[0] == unit:
                return self._made[1]
            problem = self._failed[2] if self._failed and self._failed[0] == unit else None
            if problem and self._failed and time.monotonic() - self._failed[1] < _AGAIN:
                return Building(0.0, problem)
            if self._begun is None:
                self._begun = unit, time.monotonic()
                threading.Thread(target=self._make, args=(unit,), daemon=True, name="cube").start()
            return Building(time.monotonic() - self._begun[1], problem)

    def wait(self, location: str, versions: dict[str, int | None]) -> Cube:
        """Return the same, and wait until it is there.

        Raises:
            ArchiveError: it cannot be made.
        """
        while isinstance(cube := self.of(location, versions), Building):
            if cube.problem:
                raise ArchiveError(cube.problem)
            time.sleep(_LOOK / 10)
        return cube

    def _make(self, unit: Unit) -> None:
        problem, cube = None, None
        try:
            while (kept := read(unit)) is None:
                ((_, is_made),) = succeed(open_engine(1).run(work, [unit], isolated=True))
                if not is_made:
                    time.sleep(_LOOK)
            cube = Cube(*kept)
        except ArchiveError as error:
            problem = str(error)
        except Exception as error:
            _log.exception("the cube of %s failed", unit.location)
            problem = f"the texts cannot be counted: {type(error).__name__}: {error_line(error)}"
        with self._lock:
            self._begun = None
            if cube is not None:
                self._made, self._failed = (unit, cube), None
            else:
                self._failed = unit, time.monotonic(), problem or ""

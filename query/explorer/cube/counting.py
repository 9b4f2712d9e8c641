"""Counts clean sets for the pages: from the cube at once, and from the lake itself in the background."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from archive.damage import naming_damage
from archive.engine import open_engine, succeed
from archive.errors import QueryError
from archive.files import sql_literal
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
#: So many sets and examples are remembered. Of cubes two: one request may be older than the next.
_SETS, _EXAMPLES, _CUBES = 200, 200, 2
#: Characters of an example.
_BEGINNING = 240
#: Only the columns that are asked for are read: neither the captures nor the near-duplicates.
_TEXTS = "SELECT content_id, language, left(text, {most}) FROM documents WHERE content_id IN ({ids})"
_ADDRESSES = """
SELECT content_id, min({{'at': captured_at, 'url': url, 'title': title}})
FROM captures WHERE content_id IN ({ids}) AND date_problem IS NULL GROUP BY content_id
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A text of a set."""

    content_id: str
    language: str | None
    beginning: str
    url: str | None  #: of its first capture with a date that counts
    title: str | None


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
        self._examples: Background[tuple[str, tuple[str, ...]], tuple[Example, ...]] = Background(_EXAMPLES)

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

    def examples(
        self, lake: Lake, versions: Mapping[str, int | None], ids: tuple[str, ...]
    ) -> tuple[Example, ...] | Waiting:
        """Return some texts by their content ids; they are read in the background."""
        if not ids:
            return ()
        return self._examples.of((self._unit(lake.location, versions).key, ids), lambda: _read(lake, ids))

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
    with _connected(lake, seconds) as db:
        rows = db.execute(exact.sql(asked)).fetchall()
    return exact.counts(rows, cube.about.bytes_a_character)


def _read(lake: Lake, ids: tuple[str, ...]) -> tuple[Example, ...]:
    """Read the beginnings of texts, in the order of their content ids.

    Raises:
        LakeError, QueryError: as for `_recounted`.
    """
    listed = ", ".join(map(sql_literal, ids))
    with _connected(lake, _SECONDS) as db:
        texts = db.execute(_TEXTS.format(most=_BEGINNING, ids=listed)).fetchall()
        first = dict(db.execute(_ADDRESSES.format(ids=listed)).fetchall())
    return tuple(
        Example(id_, language, text or "", first.get(id_, {}).get("url"), first.get(id_, {}).get("title"))
        for id_, language, text in sorted(texts)
    )


@contextmanager
def _connected(lake: Lake, seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to a lake, for so many seconds.

    Raises:
        LakeError: a file of the lake is lost or broken.
        QueryError: DuckDB cannot answer in this time and memory.
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
                yield db
            finally:
                timer.cancel()
    except duckdb.InterruptException:
        raise QueryError(f"this takes longer than {seconds:g} seconds; an export takes as long as it needs") from None
    except duckdb.Error as error:
        raise query_error(error) from None

"""Keeps cubes in the folder of caches, outside the lake. They can be deleted at any time, and are made again then.

A file is there whole or not at all; a sum behind its bytes shows damage. One process at a time makes the cube of a
lake.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import atomic_file, disk_error_line, folder_lock
from archive.commoncrawl.cache import of_lake
from archive.engine import Context
from archive.errors import ArchiveError
from archive.lake import Lake
from archive.program import program_version
from archive.tables import SOURCES
from index.vectors.table import LIKENESSES
from query.explorer.behind import step_back
from query.explorer.cube.build import About, about_of, build
from query.explorer.kept import folder_of
from query.export.select import TABLES

Value = TypeVar("Value")

_log = logging.getLogger(__name__)

#: To be raised when the same lake gives another cube, or the cube is written in another way.
_FORMAT = 1
#: Bytes of the sum behind a cube.
_SUM = 16
#: What a cube is made of.
_TABLES = (*TABLES, SOURCES, LIKENESSES)


@dataclass(frozen=True, slots=True)
class Unit:
    """The cube that is to be made."""

    location: str
    versions: dict[str, int | None]  #: of the tables that `counted` names
    marks: dict[str, str | None]  #: what tells these from all other versions, see `Lake.mark`
    memory: str  #: what DuckDB may use

    @property
    def key(self) -> str:
        """What tells this cube from all others."""
        of = {**asdict(self), "format": _FORMAT, "program": program_version()}
        return hashlib.sha256(json.dumps({**of, "memory": None}, sort_keys=True).encode()).hexdigest()[:32]


def counted(of: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """Return the versions, or the marks, of the tables that a cube is made of. None: the lake has no such table.

    Args:
        of: those of all tables.
    """
    return {table.name: of.get(table.name) for table in _TABLES}


def read(unit: Unit) -> tuple[pa.Table, About] | None:
    """Return the cells of a cube that is kept, and what it knows of its lake. None: it is not there, or damaged."""
    path = _path(unit)
    try:
        data = path.read_bytes()
        if _sum(data[:-_SUM]) != data[-_SUM:]:
            raise ValueError("is damaged")
        cells = pq.read_table(pa.BufferReader(data[:-_SUM]))
        return cells, about_of(cells)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        _log.info("%s: %s; it is made again", path, error)
        return None


def work(unit: Unit, _: Context) -> bool:
    """Make a cube, unless it is there. Returns False where another process makes one of this lake now.

    Raises:
        ArchiveError: it cannot be made.
    """
    step_back()
    path = _path(unit)
    if (lock := folder_lock(path.parent)) is None:
        return False
    try:
        with lock:
            if read(unit) is None:
                of_lake(path.parent, unit.location)
                for other in path.parent.glob("cube-*"):  # of earlier versions, and parts that killed processes left
                    other.unlink(missing_ok=True)
                _make(unit, path)
    except OSError as error:
        raise ArchiveError(disk_error_line(error, path)) from None
    return True


def _make(unit: Unit, path: Path) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    with tempfile.TemporaryDirectory(prefix="lowbackground-") as spill, atomic_file(path, part):
        build(Lake(unit.location).at(unit.versions), unit.versions, unit.memory, spill, part)
        with part.open("r+b") as file:
            data = file.read()
            file.write(_sum(data))


def _path(unit: Unit) -> Path:
    return folder_of(unit.location) / f"cube-{unit.key}.parquet"


def _sum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_SUM]

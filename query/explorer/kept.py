"""What the explorer keeps of a lake, outside the lake: to be deleted at any time, made again where it is damaged."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import atomic_file
from archive.commoncrawl.cache import cache_folder, of_lake, temporary_folder
from archive.program import program_version

_log = logging.getLogger(__name__)

#: The name of this kind of cache, see `archive.leftovers`.
KIND = "explorer"
#: The ending of the file with the sum of another one.
_SUM = ".sum"
#: To be raised when answers are written in another way.
_FORMAT = 1


def folder_of(location: str) -> Path:
    """Return the folder of what is kept of a lake; where nobody may write into the caches, a temporary one."""
    return _base() / KIND / hashlib.sha256(location.encode()).hexdigest()[:32]


def _base() -> Path:
    with contextlib.suppress(OSError):
        base = cache_folder()
        (base / KIND).mkdir(parents=True, exist_ok=True)
        if os.access(base / KIND, os.W_OK):
            return base
    return temporary_folder()


def is_whole(path: Path) -> bool:
    """Return whether a file is there, as `write` wrote it."""
    try:
        with path.open("rb") as file:
            return Path(f"{path}{_SUM}").read_text() == hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return False


def write(path: Path, location: str, make: Callable[[Path], None]) -> None:
    """Write a file, whole or not at all, and its sum.

    Args:
        location: of the lake that it is of.
        make: writes it to the path that it is given.

    Raises:
        OSError: it cannot be written.
    """
    of_lake(path.parent, location)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    with atomic_file(path, part):
        make(part)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        Path(f"{path}{_SUM}").write_text(found)  # where this process ends now, the sum fits no file: it is made again


def drop_others(path: Path, pattern: str) -> None:
    """Delete what is kept of other versions of the lake."""
    for other in path.parent.glob(pattern):
        if not other.name.startswith(path.name):
            other.unlink(missing_ok=True)


class KeptAnswers:
    """Answers to questions about one version of a lake.

    Args:
        marks: of its tables, see `Lake.mark`.
    """

    def __init__(self, location: str, marks: Mapping[str, str | None]) -> None:
        self._location = location
        of = json.dumps([dict(sorted(marks.items())), _FORMAT, program_version(), version("duckdb")])
        self._of = hashlib.sha256(of.encode()).hexdigest()[:32]
        self._folder = folder_of(location)

    def rows(self, sql: str, ask: Callable[[], pa.Table]) -> list[tuple[Any, ...]]:
        """Return the rows of an answer.

        Args:
            ask: gives it, where it is not there yet.
        """
        path = self._folder / f"answers-{self._of}-{hashlib.sha256(sql.encode()).hexdigest()[:32]}.parquet"
        if is_whole(path):
            found = pq.read_table(path)
        else:
            found = ask()
            try:
                write(path, self._location, lambda part: pq.write_table(found, part))
                drop_others(self._folder / f"answers-{self._of}", "answers-*")
            except OSError as error:
                _log.info("%s: what was counted cannot be kept: %s", path, error)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

"""Chooses the texts that are counted, in a process of its own: what DuckDB takes of memory goes back when it ends."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

import duckdb
import pyarrow.parquet as pq

from archive.engine import Context, Engine, succeed
from archive.errors import CollapseError, error_line
from archive.lake import Lake, lake_at
from archive.sources.base import scheme_of
from collapse.share.counting.candidates import Candidates, Part
from collapse.share.counting.draw import draw
from collapse.share.counting.lake_texts import of_lake
from collapse.share.counting.set_texts import of_set, open_set
from collapse.share.periods import By
from query.dataset import MANIFEST
from query.set_files import SetFiles

#: The file of scratch that has the drawn texts: `content_id`, `month`, `stratum` and `host`, sorted by the content id.
DRAWN = "drawn.parquet"
Source = Lake | str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be chosen."""

    source: Lake | str  #: a lake, or the location of a set
    grade: str
    each: int  #: the most texts of a month and stratum
    by: By
    memory: str  #: what DuckDB may use

    @property
    def name(self) -> str:
        return location_of(self.source)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen, but for the texts, which are in scratch."""

    parts: tuple[Part, ...]  #: where the texts are
    each: int  #: the most texts of a month and stratum
    left_out: dict[str, int]
    warnings: tuple[str, ...]
    versions: dict[str, int]


def location_of(source: Source) -> str:
    """Return where a lake or a set is."""
    return source.location if isinstance(source, Lake) else os.fspath(source)


def opened(source: Source) -> Lake | str:
    """Return the lake that a source is, or the location of the set.

    Raises:
        CollapseError: it is neither, or a set of tokens.
        LakeError, ExportError: it is damaged.
    """
    if isinstance(source, Lake):
        source.require()
        return source
    location = location_of(source)
    if scheme_of(location) in {"file", "s3"}:
        if _is_set(location):
            open_set(location)
            return location
        if (lake := lake_at(location)) is not None:
            return lake
    raise CollapseError(
        f"{location}: is neither a lake nor a set that `archive export` wrote; the dates of other data are not proven: "
        "`archive ingest` brings captures into a lake"
    )


def _is_set(location: str) -> bool:
    try:
        SetFiles.of(location).read(MANIFEST)
    except (OSError, ValueError):
        return False
    return True


def choose(task: Task, engine: Engine, scratch: str) -> Chosen:
    """Choose the texts that are counted, and write which they are to scratch.

    Raises:
        ArchiveError: a file of the lake or the set is missing or damaged, or the memory is no size.
    """
    ((_, chosen),) = succeed(engine.run(work, [task], scratch=scratch, isolated=True))
    return chosen


def work(task: Task, ctx: Context) -> Chosen:
    """Choose, in any process."""
    with tempfile.TemporaryDirectory(dir=ctx.folder) as spill:  # in scratch, which goes even if this process is killed
        try:
            found = _candidates(task, spill)
            try:
                drawn = draw(found, task.each, task.by)
            finally:
                found.db.close()
        except duckdb.Error as error:
            raise CollapseError(f"{task.name}: {error_line(error)}") from None
    pq.write_table(drawn.texts, ctx.write(DRAWN), compression="lz4")
    return Chosen(tuple(found.parts), drawn.each, found.left_out, tuple(found.warnings), found.versions)


def _candidates(task: Task, spill: str) -> Candidates:
    if isinstance(task.source, Lake):
        return of_lake(task.source, task.grade, task.memory, spill)
    return of_set(task.source, task.grade, task.memory, spill)

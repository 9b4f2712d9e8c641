"""`maintain --regrade`: reads the records of an older lake again, by the rules of this version.

A lake from before there were grades has captures without one: what their columns support is known, no more. So their
files are read again, as an ingest reads them. What comes of a file replaces what the lake had of it in one commit
(`Committer.replace`), and until then nothing changes: a file that cannot be read any more keeps what it has.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from archive.capture import Limits
from archive.engine import Engine
from archive.errors import ArchiveError, SourceError, error_line
from archive.intake.commit import Committer
from archive.intake.done import LIMITED
from archive.intake.in_order import InOrder
from archive.intake.part import Part
from archive.intake.plan import SPAN, Unreadable, plan, versions_of
from archive.intake.result import MaintainResult
from archive.intake.unit import Batch, Settings, SpanEnd, Unit
from archive.intake.work import Job
from archive.lake import Lake
from archive.progress import Reporter
from archive.records import READERS, open_reader
from archive.sources import Listed, list_files
from archive.tables import CAPTURES

#: What is read before it is committed: bytes of files, and units. A commit reads narrow columns of the whole lake.
_BYTES, _UNITS = 4 << 30, 4096


@dataclass(frozen=True, slots=True)
class _Old:
    """What the lake has of one file, read with one extractor."""

    file: str
    version: str
    extractor: str
    size: int | None
    limits: Limits
    units: dict[str, int]  #: with the numbers of their transactions
    limited: int  #: records that limits rejected
    captures: dict[str, int]  #: by unit


def regrade(lake: Lake, committer: Committer, engine: Engine, reporter: Reporter, result: MaintainResult) -> None:
    """Read the files again whose captures have no grade, and add what came of it to `result`.

    Raises:
        LakeError: the lake cannot be written.
    """
    found = list(_older(lake))
    groups: dict[tuple[str, Limits], list[tuple[_Old, Listed]]] = {}
    for old in found:
        try:
            groups.setdefault((old.extractor, old.limits), []).append((old, _listed(old)))
        except (ArchiveError, OSError) as error:
            result.files_kept[old.file] = error_line(error)
    for (extractor, limits), files in groups.items():
        settings = Settings(extractor, limits)
        try:
            settings.check()
        except ArchiveError as error:
            result.files_kept |= {old.file: error_line(error) for old, _ in files}
            continue
        _Regrade(lake, committer, settings, reporter, result).run(files, engine)
    with _captures(lake) as db:
        ((result.captures_kept,),) = db.execute("SELECT count(*) FROM captures WHERE grade IS NULL").fetchall()


@contextlib.contextmanager
def _captures(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as db:
        db.register("captures", lake.dataset(CAPTURES.name))
        yield db


def _older(lake: Lake) -> Iterator[_Old]:
    """Yield the files with captures that have no grade."""
    with _captures(lake) as db:
        ungraded = {unit for (unit,) in db.execute("SELECT DISTINCT unit FROM captures WHERE grade IS NULL").fetchall()}
    if not ungraded:
        return
    ledger = lake.delta("sources")
    names = ["unit", "file", "version", "extractor", "size", "limits", "rejects", "captures"]
    of_file: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in lake.dataset_of(ledger, "sources").to_table(columns=names).to_pylist():
        of_file.setdefault((row["version"], row["extractor"]), []).append(row)
    for (version, extractor), rows in of_file.items():
        if not any(row["unit"] in ungraded for row in rows):
            continue
        yield _Old(
            rows[0]["file"],
            version,
            extractor,
            rows[0]["size"],
            Limits(**json.loads(rows[0]["limits"] or "{}")),
            {row["unit"]: ledger.transaction_version(row["unit"]) or 0 for row in rows},
            sum(count for row in rows for reason, count in row["rejects"] or () if reason in LIMITED),
            {row["unit"]: row["captures"] or 0 for row in rows},
        )


def _listed(old: _Old) -> Listed:
    """Return the file as a source lists it now.

    Raises:
        SourceError, OSError: it is not there, cannot be read, or is another one now.
    """
    for listed in list_files(old.file):
        if listed.uri == old.file and old.version in versions_of(listed):
            return replace(listed, version=old.version)
    raise SourceError(f"{old.file}: is not the file any more that was ingested")


class _Regrade(InOrder):
    """Reads the files of one extractor and one set of limits. What came of them is committed together."""

    def __init__(
        self, lake: Lake, committer: Committer, settings: Settings, reporter: Reporter, result: MaintainResult
    ) -> None:
        super().__init__(lake, settings, reporter, SPAN)
        self._committer = committer
        self._done_so_far = result
        self._old: dict[str, _Old] = {}  # by version
        self._versions: dict[str, str] = {}  # by file
        self._given_up: set[str] = set()  # versions
        self._pending: dict[str, list[tuple[Batch, Part]]] = {}  # spans of files that are not done, by version
        self._ready: list[tuple[Batch, Part]] = []

    def run(self, files: list[tuple[_Old, Listed]], engine: Engine) -> None:
        self._old = {old.version: old for old, _ in files}
        self._versions = {each.uri: old.version for old, each in files}
        listed = [each for _, each in files]
        self._files_to_do = len(listed)
        self._reporter.stage("regrade", size=sum(file.size or 0 for file in listed))
        self._note()
        self._work(self._plan(listed), engine)
        self._flush()
        left = [part for parts in self._pending.values() for _, part in parts]
        left += [part for opened in self._open.values() for _, part in opened.waiting.values()]
        for part in left:  # of files of which another span failed
            self._lake.discard(part.files)

    def _plan(self, listed: list[Listed]) -> Iterator[Job]:
        for item in plan(None, listed, self._settings, self._span):
            if isinstance(item, Unreadable):
                self._give_up(item.file, item.error)
            elif isinstance(item, Batch):
                units = [unit for unit in item.units if self._is_same_work(unit)]
                if units:
                    yield self._opened(Batch(tuple(units)), SpanEnd())

    def _is_same_work(self, unit: Unit) -> bool:
        """Return whether a file was read with the columns that are known by their names. Others were named then."""
        old = self._old[unit.version]
        if unit.kind not in READERS or not open_reader(unit.kind).has_columns:
            return True
        if unit.key not in old.units:
            self._give_up(unit.file, "its columns were named; `archive ingest --again` with their names reads it anew")
            return False
        self._old[unit.version] = replace(old, units={unit.key: old.units[unit.key]})
        return True

    def _give_up(self, file: str, error: str) -> None:
        self._done_so_far.files_kept[file] = error
        version = self._versions[file]
        self._given_up.add(version)
        for _, part in self._pending.pop(version, []):
            self._lake.discard(part.files)

    def _commit(self, batch: Batch, part: Part) -> None:
        if batch.units[0].version in self._given_up:  # another span of it failed
            self._lake.discard(part.files)
            return
        parts = [*self._pending.pop(batch.units[0].version, []), (batch, part)]
        if not batch.units[-1].last:
            self._pending[batch.units[0].version] = parts
            return
        if limited := self._limited(parts):
            for _, each in parts:
                self._lake.discard(each.files)
            for version in limited:
                self._give_up(self._old[version].file, "it was read with larger limits; `archive ingest --again` with "
                              "these reads it anew")  # fmt: skip
            if left := tuple(unit for unit in batch.units if unit.version not in limited):
                self._tasks.submit(self._job(Batch(left)))
            return
        self._ready += parts
        units = [unit for batch, _ in self._ready for unit in batch.units]
        self._files_done += sum(unit.last for unit in batch.units)
        self._note()
        if len(units) >= _UNITS or sum(unit.size or 0 for unit in units if unit.last) >= _BYTES:
            self._flush()

    def _limited(self, parts: Iterable[tuple[Batch, Part]]) -> set[str]:
        """Return the files of which limits reject more records than they did when the file was ingested."""
        rejects: Counter[str] = Counter()
        for batch, part in parts:
            for unit, tally in zip(batch.units, part.tallies, strict=True):
                rejects[unit.version] += sum(tally.rejects[reason] for reason in LIMITED)
        return {version for version, count in rejects.items() if count > self._old[version].limited}

    def _flush(self) -> None:
        """Commit what is ready; where another process changed a file meanwhile, what is left of it."""
        ready, self._ready = self._ready, []
        if not ready or self._replace(ready):
            return
        by_file: dict[str, list[tuple[Batch, Part]]] = {}
        for batch, part in ready:
            by_file.setdefault(batch.units[0].version, []).append((batch, part))
        for parts in by_file.values():
            if not self._replace(parts):
                for batch, part in parts:
                    self._lake.discard(part.files)
                    for unit in batch.units:
                        self._done_so_far.files_kept[unit.file] = (
                            "another process changed the lake meanwhile; run it again"
                        )

    def _replace(self, parts: list[tuple[Batch, Part]]) -> bool:
        versions = {unit.version for batch, _ in parts for unit in batch.units}
        old = {unit: number for version in versions for unit, number in self._old[version].units.items()}
        if not self._committer.replace(old, parts):
            return False
        result = self._done_so_far
        result.files += len(versions)
        result.replaced += sum(
            self._old[version].captures[unit] for version in versions for unit in self._old[version].units
        )
        for _, part in parts:
            for tally in part.tallies:
                result.captures += tally.captures
                result.grades += tally.grades
                result.bytes += tally.bytes
        return True

"""Plan, work, commit: brings sources into a lake."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow.dataset as pads

from archive.damage import naming_damage
from archive.engine import Engine, Failed
from archive.intake.commit import Committer, TakenOut
from archive.intake.decisions import take_out
from archive.intake.forget import forget_files
from archive.intake.part import Part, Tally
from archive.intake.plan import SPAN, DoneUnit, Known, Unreadable, plan, torn_units
from archive.intake.unit import Batch, Settings
from archive.intake.work import Job, work
from archive.intake.yields import Yield
from archive.lake import Lake
from archive.sources import Listed, Sources, list_files, source_names
from archive.tables import TABLES


@dataclass(slots=True)
class Summary:
    """What an ingest did. records = captures + sum(rejects) + sum(skipped)."""

    files: int = 0
    files_known: int = 0
    records: int = 0
    captures: int = 0
    new_texts: int = 0
    known_texts: int = 0
    bytes: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)  #: file -> why it could not be read
    useless: dict[str, str] = field(default_factory=dict)  #: source -> why nothing of it can prove anything
    forgotten: int = 0  #: files that were taken out first, to be read again
    lost: list[str] = field(default_factory=list)  #: sources that must be named again, since somebody deleted files
    recovered: int = 0  #: commits of an earlier ingest that were carried out first
    peak_worker: int = 0  #: bytes of memory that the largest worker used

    def add(self, tally: Tally) -> None:
        self.records += tally.records
        self.captures += tally.captures
        self.bytes += tally.bytes
        self.rejects.update(tally.rejects)
        self.skipped.update(tally.skipped)
        self.peak_worker = max(self.peak_worker, tally.peak)


class Watcher:
    """Hears how an ingest goes on; the command line shows it. This one keeps silent."""

    def listed(self, files: int, size: int) -> None:
        """The sources are so many files of so many bytes, as far as their size is known."""

    def known(self, size: int) -> None:
        """A file of so many bytes is in the lake already."""

    def progress(self, records: int, size: int) -> None:
        """So many more records and bytes of input are done (less, where a worker died and starts again)."""

    def committed(self, batch: Batch, part: Part) -> None:
        """A batch is in the lake."""

    def failed(self, file: str, error: str) -> None:
        """A file could not be read; it will be tried again by the next ingest."""


def ingest(
    lake: Lake,
    sources: Sources,
    settings: Settings = Settings(),
    workers: int | None = None,
    watcher: Watcher | None = None,
    span: int = SPAN,
    again: bool = False,
) -> Summary:
    """Bring sources into a lake; what is there already is passed over.

    A file that cannot be read is in `Summary.failed`, and the others are brought in. A source of which nothing can
    prove anything, since it has no text or no date, is in `Summary.useless`.

    Args:
        sources: files, folders, patterns, `s3://…`, `https://…`; one or several.
        workers: processes that read and extract; by default one for each core.
        span: bytes of a large file that one worker does at a time.
        again: take out first what the lake has of these files, as `archive.intake.forget` does.

    Raises:
        SourceError: a source does not exist.
        LakeError: the lake cannot be written.
    """
    run = _Ingest(lake, settings, watcher or Watcher(), span, again)
    with naming_damage(lake):
        return run.run(source_names(sources), workers or os.cpu_count() or 1)


@dataclass(slots=True)
class _Chain:
    """The spans of one file, which are committed in their order."""

    index: int  #: of the next span to commit
    position: int | None = None  #: where the span before it ended, which is where it must begin
    recovered: bool = False  #: whether that lies behind damage …
    floor: datetime | None = None  #: … and the earliest date that was believed in front of it
    waiting: dict[int, tuple[Batch, Part]] = field(default_factory=dict)


class _Ingest:
    def __init__(self, lake: Lake, settings: Settings, watcher: Watcher, span: int, again: bool) -> None:
        self._lake = lake
        self._settings = settings
        self._watcher = watcher
        self._span = span
        self._again = again
        self._yields: dict[str, Yield] = {}  #: by source
        self._sources_of: dict[str, set[str]] = {}  #: by file
        self._known: list[Known] = []
        self._now = datetime.now(UTC)
        self._summary = Summary()
        self._chains: dict[str, _Chain] = {}

    def run(self, sources: list[str], workers: int) -> Summary:
        self._engine: Engine[Job, Part] = Engine(work, workers, self._watcher.progress)
        listed = [file for source in sources for file in self._list(source)]
        self._watcher.listed(len(listed), sum(file.size or 0 for file in listed))
        self._lake.create()
        self._committer = Committer(self._lake)
        try:
            carried = self._committer.recover()
            self._summary.recovered = carried.decisions
            self._summary.lost = [file for file in carried.lost if file not in self._sources_of]
            if self._again:
                self._summary.forgotten = forget_files(self._lake, self._readable(listed))
            for end in self._engine.run(self._jobs(listed)):
                if isinstance(end, Failed):
                    self._fail(end.task.batch, end.error)
                else:
                    self._arrived(end.task.batch, end.result)
            self._weigh()
            for table in TABLES.values():
                self._lake.compact(table)
        finally:
            self._committer.close()
        for source, given in self._yields.items():
            if why := given.useless():
                self._summary.useless[source] = why
        return self._summary

    def _list(self, source: str) -> Iterator[Listed]:
        inside = f"{self._lake.location}/"  # a folder may hold the lake that goes into it
        given = self._yields.setdefault(source, Yield())

        def unreadable(place: str, why: str) -> None:
            given.failed += 1
            self._give_up(place, why)

        for file in list_files(source, unreadable):
            if not file.uri.startswith(inside):
                given.files += 1
                self._sources_of.setdefault(file.uri, set()).add(source)
                yield file

    def _readable(self, listed: list[Listed]) -> list[Listed]:
        """The files that can be planned: what cannot be read again is not taken out."""
        wrong = {item.file for item in plan({}, listed, self._settings, self._span) if isinstance(item, Unreadable)}
        return [file for file in listed if file.uri not in wrong]

    def _jobs(self, listed: list[Listed]) -> Iterator[Job]:
        done = self._done()
        versions = {file.version for file in listed}
        if torn := [unit for unit in torn_units(done) if done[unit].version in versions]:
            take_out(self._lake, torn)  # what a file lacks in the middle is read with the rest of it
            done = self._done()
        for item in plan(done, listed, self._settings, self._span):
            if isinstance(item, Known):
                self._summary.files_known += 1
                self._known.append(item)
                self._watcher.known(item.size)
            elif isinstance(item, Unreadable):
                self._give_up(item.file, item.error)
            else:
                first = item.units[0]
                if first.after or not first.last:
                    before = done.get(first.after or "")
                    chain = _Chain(first.index)
                    if before:
                        chain = _Chain(first.index, before.next_offset, before.recovered, before.floor)
                    self._chains.setdefault(first.version, chain)
                yield self._job(item)

    def _done(self) -> dict[str, DoneUnit]:
        columns = [field.name for field in fields(DoneUnit)]
        ledger = self._lake.read("sources", ["unit", *columns]).to_pylist()
        return {row.pop("unit"): DoneUnit(**row) for row in ledger}

    def _yields_of(self, file: str) -> list[Yield]:
        return [self._yields[source] for source in self._sources_of.get(file, ())]

    def _weigh(self) -> None:
        """What the files that are in the lake already gave when they came in."""
        if not self._known:
            return
        columns = ["version", "records", "captures", "dated", "rejects"]
        given: dict[str, list[dict[str, Any]]] = {}
        wanted = pads.field("version").isin([item.version for item in self._known])
        for row in self._lake.dataset("sources").to_table(columns=columns, filter=wanted).to_pylist():
            given.setdefault(row["version"], []).append(row)
        for item in self._known:
            for given_to in self._yields_of(item.file):
                for row in given.get(item.version, []):
                    given_to.add_known(row)

    def _job(self, batch: Batch) -> Job:
        return Job(self._lake.location, batch, self._now)

    def _fail(self, batch: Batch, error: str) -> None:
        if len(batch.units) > 1:  # one bad file must not hold up the others
            for unit in batch.units:
                self._engine.submit(self._job(Batch((unit,))))
        else:
            self._give_up(batch.units[0].file, error)

    def _give_up(self, file: str, error: str) -> None:
        self._summary.failed[file.encode("utf-8", "backslashreplace").decode()] = error
        for given in self._yields_of(file):
            given.failed += 1
        self._watcher.failed(file, error)

    def _arrived(self, batch: Batch, part: Part) -> None:
        unit = batch.units[0]
        chain = self._chains.get(unit.version)
        if chain is None:
            self._commit(batch, part)
            return
        chain.waiting[unit.index] = (batch, part)
        while chain.index in chain.waiting:
            if not self._advance(chain, *chain.waiting.pop(chain.index)):
                return

    def _advance(self, chain: _Chain, batch: Batch, part: Part) -> bool:
        """Commit the next span of a file, if it begins where the one before it ended.

        A span that begins in the middle searched for its first record, and may have found the
        content of another one. Then it is done again, from where it must begin.
        """
        unit, tally = batch.units[0], part.tallies[0]
        again = replace(unit, begin=chain.position, recovered=chain.recovered, floor=chain.floor)
        fits = tally.first_offset == chain.position and unit.recovered == chain.recovered
        if unit.index and not fits and unit != again:
            self._lake.discard(part.files)
            end = unit.span.end
            if chain.position is not None and (end is None or chain.position < end):
                self._engine.submit(self._job(Batch((again,))))
                return False
            # the span before it reached over this one
            tally = Tally(unit.key, next_offset=chain.position, recovered=chain.recovered, floor=chain.floor)
            part = Part(part.batch, [tally], [])
        tally.floor = min((date for date in (chain.floor, tally.floor) if date), default=None)
        self._commit(batch, part)
        chain.index += 1
        chain.position, chain.recovered, chain.floor = tally.next_offset, tally.recovered, tally.floor
        return True

    def _commit(self, batch: Batch, part: Part) -> None:
        try:
            committed = self._committer.commit(batch, part)
        except TakenOut as error:
            self._lake.discard(part.files)
            self._give_up(batch.units[0].file, str(error))
            return
        if committed is None:  # another ingest was faster with some of these units
            self._lake.discard(part.files)
            done = set(self._lake.read("sources", ["unit"])["unit"].to_pylist())
            left = tuple(unit for unit in batch.units if unit.key not in done)
            if left:
                self._engine.submit(self._job(Batch(left)))
            for unit in batch.units:
                if unit.key in done:
                    self._summary.files_known += unit.last
                    for given in self._yields_of(unit.file):
                        given.elsewhere += 1
            return
        for unit, tally in zip(batch.units, part.tallies, strict=True):
            self._summary.add(tally)
            for given in self._yields_of(unit.file):
                given.add(tally)
        self._summary.files += sum(unit.last for unit in batch.units)
        self._summary.new_texts += committed.new_texts
        self._summary.known_texts += committed.known_texts
        self._watcher.committed(batch, part)

"""Plan, work, commit: brings sources into a lake."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow.dataset as pads

from archive.capture import Limits
from archive.damage import naming_damage
from archive.engine import Engine, Failed, Tasks, Workers, open_engine
from archive.intake.commit import Committer, TakenOut
from archive.intake.decisions import take_out
from archive.intake.forget import forget_files
from archive.intake.part import Part, Tally
from archive.intake.plan import SPAN, AlreadyIngested, DoneUnit, Unreadable, plan, torn_units
from archive.intake.unit import Batch, Settings
from archive.intake.work import Job, work
from archive.intake.yields import Yield
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.records.rows import Columns
from archive.sources import Listed, Sources, list_files, source_names
from archive.tables import TABLES
from archive.text import extractor as find_extractor

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class IngestResult:
    """What an ingest did. `records` = `captures` + all `rejects` + all `skipped`."""

    files: int = 0  #: brought in
    files_skipped: int = 0  #: the lake had them already
    files_failed: dict[str, str] = field(default_factory=dict)  #: file -> why it could not be read
    files_forgotten: int = 0  #: taken out first, to be read again
    sources_useless: dict[str, str] = field(default_factory=dict)  #: source -> why none of it can prove anything
    sources_lost: list[str] = field(default_factory=list)  #: must be ingested again: somebody deleted files of the lake
    records: int = 0
    captures: int = 0
    rejects: Counter[str] = field(default_factory=Counter)  #: reason -> records that could not be used
    skipped: Counter[str] = field(default_factory=Counter)  #: kind -> records that hold no page
    new_texts: int = 0
    known_texts: int = 0  #: texts that the lake had already
    captures_by_month: Counter[str] = field(default_factory=Counter)
    bytes: int = 0  #: of input
    seconds: float = 0.0
    recovered: int = 0  #: commits of an earlier command that were finished first
    peak_worker_bytes: int = 0  #: memory of the largest worker

    def add(self, tally: Tally) -> None:
        """Add the counts of a unit that was committed."""
        self.records += tally.records
        self.captures += tally.captures
        self.bytes += tally.bytes
        self.rejects.update(tally.rejects)
        self.skipped.update(tally.skipped)
        self.captures_by_month.update(tally.months)
        self.peak_worker_bytes = max(self.peak_worker_bytes, tally.peak)

    def sort(self) -> None:
        """Put the months in order, and the commonest reasons and kinds first."""
        self.rejects, self.skipped = (Counter(dict(each.most_common())) for each in (self.rejects, self.skipped))
        self.captures_by_month = Counter(dict(sorted(self.captures_by_month.items())))
        self.seconds = round(self.seconds, 3)


def ingest(
    lake: Lake | str | os.PathLike[str],
    sources: Sources,
    *,
    again: bool = False,
    workers: Workers = None,
    extractor: str = "resiliparse",
    text_column: str | None = None,
    html_column: str | None = None,
    date_column: str | None = None,
    url_column: str | None = None,
    max_record: int = 32 << 20,
    max_page: int = 16 << 20,
    page_timeout: float = 20.0,
    span: int = SPAN,
    reporter: Reporter | None = None,
) -> IngestResult:
    """Bring web archives or data sets into a lake. What the lake has already is skipped.

    One file that cannot be read holds up no other (`files_failed`). A source of which nothing can prove anything,
    because it has no text or no date, is in `sources_useless`.

    Args:
        sources: files, folders, patterns, `s3://…`, `https://…`; one or several.
        again: first take out what the lake has of these files, as `forget` does.
        workers: processes that read and extract (by default one for each core), or an engine.
        extractor: takes text from HTML: a name of `archive.text.EXTRACTORS`.
        text_column: column of a data set that holds plain text; `a.b` reaches into `a`.
        html_column: column that holds HTML.
        date_column: column that holds the date of capture.
        url_column: column that holds the URL.
        max_record: bytes; a larger record is rejected.
        max_page: bytes; a larger decoded page is rejected.
        page_timeout: seconds; a page that takes longer to extract is rejected.
        span: bytes of a large file that one worker does at a time.
        reporter: receives the progress.

    Raises:
        SourceError: a source does not exist.
        LakeError: the lake cannot be written.
        ArchiveError: there is no such extractor or engine.
    """
    find_extractor(extractor)  # raises before any work begins
    settings = Settings(
        extractor,
        Limits(max_record, max_page, page_timeout),
        Columns(text_column, html_column, date_column, url_column),
    )
    return ingest_with(lake, sources, settings, workers, reporter, span, again)


def ingest_with(
    lake: Lake | str | os.PathLike[str],
    sources: Sources,
    settings: Settings = Settings(),
    workers: Workers = None,
    reporter: Reporter | None = None,
    span: int = SPAN,
    again: bool = False,
) -> IngestResult:
    """Do what `ingest` does, with settings that are put together already."""
    lake, engine = open_lake(lake), open_engine(workers)
    started = time.monotonic()
    run = _Ingest(lake, settings, reporter or Reporter(), span, again)
    with naming_damage(lake):
        result = run.run(source_names(sources), engine)
    result.seconds = time.monotonic() - started
    result.sort()
    return result


@dataclass(slots=True)
class _Chain:
    """The spans of one file, which are committed in their order."""

    index: int  #: of the next span to commit
    position: int | None = None  #: where the span before it ended, which is where it must begin
    recovered: bool = False  #: whether that lies behind damage …
    floor: datetime | None = None  #: … and the earliest date that was believed in front of it
    waiting: dict[int, tuple[Batch, Part]] = field(default_factory=dict)


class _Ingest:
    def __init__(self, lake: Lake, settings: Settings, reporter: Reporter, span: int, again: bool) -> None:
        self._lake = lake
        self._settings = settings
        self._reporter = reporter
        self._todo = 0  # files that are not in the lake …
        self._finished = 0  # … and those of them that are there by now
        self._span = span
        self._again = again
        self._yields: dict[str, Yield] = {}  #: by source
        self._sources_of: dict[str, set[str]] = {}  #: by file
        self._skipped: list[AlreadyIngested] = []
        self._now = datetime.now(UTC)
        self._result = IngestResult()
        self._chains: dict[str, _Chain] = {}

    def run(self, sources: list[str], engine: Engine) -> IngestResult:
        listed = [file for source in sources for file in self._list(source)]
        self._todo = len(listed)
        self._reporter.stage("ingest", size=sum(file.size or 0 for file in listed))
        self._note()
        self._lake.create()
        self._committer = Committer(self._lake)
        try:
            carried = self._committer.recover()
            self._result.recovered = carried.decisions
            self._result.sources_lost = [file for file in carried.lost if file not in self._sources_of]
            if self._again:
                self._result.files_forgotten = forget_files(self._lake, self._readable(listed))
            self._tasks = Tasks(self._jobs(listed))
            # isolated: a page may crash the process that extracts it
            for end in engine.run(work, self._tasks, progress=self._reporter.advance, isolated=True):
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
                self._result.sources_useless[source] = why
        return self._result

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
            if isinstance(item, AlreadyIngested):
                self._result.files_skipped += 1
                self._skipped.append(item)
                self._todo -= 1
                self._reporter.skip(0, item.size)
                self._note()
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
        if not self._skipped:
            return
        columns = ["version", "records", "captures", "dated", "rejects"]
        given: dict[str, list[dict[str, Any]]] = {}
        wanted = pads.field("version").isin([item.version for item in self._skipped])
        for row in self._lake.dataset("sources").to_table(columns=columns, filter=wanted).to_pylist():
            given.setdefault(row["version"], []).append(row)
        for item in self._skipped:
            for given_to in self._yields_of(item.file):
                for row in given.get(item.version, []):
                    given_to.add_known(row)

    def _job(self, batch: Batch) -> Job:
        return Job(self._lake.location, batch, self._now)

    def _fail(self, batch: Batch, error: str) -> None:
        if len(batch.units) > 1:  # one bad file must not hold up the others
            for unit in batch.units:
                self._tasks.submit(self._job(Batch((unit,))))
        else:
            self._give_up(batch.units[0].file, error)

    def _give_up(self, file: str, error: str) -> None:
        self._result.files_failed[file.encode("utf-8", "backslashreplace").decode()] = error
        for given in self._yields_of(file):
            given.failed += 1
        _log.warning("not read: %s: %s", file, error)

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
                self._tasks.submit(self._job(Batch((again,))))
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
                self._tasks.submit(self._job(Batch(left)))
            for unit in batch.units:
                if unit.key in done:
                    self._result.files_skipped += unit.last
                    for given in self._yields_of(unit.file):
                        given.elsewhere += 1
            return
        for unit, tally in zip(batch.units, part.tallies, strict=True):
            self._result.add(tally)
            for given in self._yields_of(unit.file):
                given.add(tally)
        self._result.files += sum(unit.last for unit in batch.units)
        self._result.new_texts += committed.new_texts
        self._result.known_texts += committed.known_texts
        self._finished += sum(unit.last for unit in batch.units)
        self._note()

    def _note(self) -> None:
        self._reporter.note(f"{self._finished}/{self._todo} files")

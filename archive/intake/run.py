"""Ingest: plan, work, commit. Brings sources into a lake."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from archive.capture import Limits
from archive.commoncrawl.gate import refusing_host
from archive.commoncrawl.mirror import RATE
from archive.commoncrawl.paths import OWN
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.source import is_crawl, list_named
from archive.compact import compact
from archive.damage import naming_damage
from archive.engine import Engine, Workers, open_engine
from archive.evidence.operators import operator_name
from archive.intake.commit import Committed, Committer, TakenOut
from archive.intake.crawl_progress import CrawlProgress, crawl_of
from archive.intake.crawled import Crawled
from archive.intake.decisions import take_out
from archive.intake.done import done_units
from archive.intake.forget import forget_files
from archive.intake.in_order import InOrder
from archive.intake.part import Part
from archive.intake.plan import (
    SPAN,
    AlreadyIngested,
    Unreadable,
    next_piece,
    plan,
)
from archive.intake.published import Published, attest_files
from archive.intake.result import IngestResult, OfCrawl
from archive.intake.taken import read_taken
from archive.intake.unit import Batch, Settings, SpanEnd, Unit
from archive.intake.work import Job
from archive.intake.yields import Yield
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.records.rows import Columns
from archive.sources import Listed, Sources, source_names
from archive.tables import SOURCES, TABLES
from archive.text.base import keeping, names_of

_log = logging.getLogger(__name__)

#: Seconds between commits, of parts that come faster. They are committed earlier if they are so many, or have so many
#: captures.
_PAUSE = 1.0
_PARTS = 64
_CAPTURES = 100_000


def ingest(
    lake: Lake | str | os.PathLike[str],
    sources: Sources,
    *,
    again: bool = False,
    workers: Workers = None,
    extractor: str = "resiliparse",
    keep: str | Iterable[str] = (),
    text_column: str | None = None,
    html_column: str | None = None,
    date_column: str | None = None,
    url_column: str | None = None,
    operator: str | None = None,
    max_record: int = 32 << 20,
    max_page: int = 16 << 20,
    page_timeout: float = 20.0,
    span: int = SPAN,
    published: str | None = None,
    attest: str | Iterable[str] | None = None,
    subset: str = "warc",
    url: str | Iterable[str] = (),
    host: str | Iterable[str] = (),
    domain: str | Iterable[str] = (),
    tld: str | Iterable[str] = (),
    language: str | Iterable[str] = (),
    mime: str | Iterable[str] = (),
    status: int | Iterable[int] = (),
    after: str | None = None,
    before: str | None = None,
    sample: float | None = None,
    files: int | None = None,
    part: str | None = None,
    mirror: str = OWN,
    rate: float = RATE,
    contact: str | None = None,
    reporter: Reporter | None = None,
) -> IngestResult:
    """Bring web archives or data sets into a lake. What the lake has already is skipped.

    One file that cannot be read holds up no other (`files_failed`). A source of which nothing can prove anything,
    because it has no text or no date, is in `sources_useless`. A web archive that could be read and holds no page, but
    errors or images, is in `sources_without_page`.

    Args:
        sources: files, folders, patterns, `s3://…`, `https://…`; one or several.
        again: first take out what the lake has of these files, as `forget` does.
        workers: processes that read and extract (by default one for each core), or an engine.
        extractor: takes text from HTML: a name of `archive.text.EXTRACTORS`.
        keep: parts of a page that are cut otherwise, by their names: `archive.text.content.parts.PARTS`. A file that
            the lake has with others is read again.
        text_column: column of a data set that holds plain text; `a.b` reaches into `a`.
        html_column: column that holds HTML.
        date_column: column that holds the date of capture.
        url_column: column that holds the URL.
        operator: who made the archives, where they do not name anybody (warcinfo `operator`), or somebody else. What
            was fetched from a replay, and Common Crawl's own files, keep their name. A file that the lake has with
            another operator is read again.
        max_record: bytes; a larger record is rejected.
        max_page: bytes; a larger decoded page is rejected.
        page_timeout: seconds; a page that takes longer to extract is rejected.
        span: bytes of a large file that one worker does at a time at most; towards the end of an ingest they get fewer.
        published: when the files were published, whatever their dates say; the last instant of a date. Needs `attest`.
        attest: where that can be looked up (a DOI, an address); and, for grade D, also `sha256:…` of a file or the path
            of a list of checksums as `sha256sum` writes it. Without a checksum it is a claim, of grade E.
        subset: of the files of Common Crawl, as of a source `cc:…`: `warc`, or `wet`. The options from here to
            `contact` are for such sources only.
        url: addresses of pages, or all below one with `*` at its end. This and the next three add up.
        host: hosts; `www.` in front does not count.
        domain: hosts with all below them.
        tld: top-level domains.
        language: three letters each (ISO 639-3), since CC-MAIN-2018-39. This and what follows narrow the selection.
        mime: types of pages, or patterns.
        status: of HTTP.
        after: pages fetched on this date or later.
        before: pages fetched before this date.
        sample: a part of the records, as 0.001; the same ones in each run.
        files: so many files of each crawl; the same ones in each run.
        part: `3/16` for the third of sixteen parts: machines share the work without talking.
        mirror: `https://…`, `s3://…` or a folder with the files of Common Crawl.
        rate: requests a second, of all parts together.
        contact: an address of yours, for the people who run the server.
        reporter: receives the progress.

    Raises:
        SourceError: a source does not exist.
        LakeError: the lake cannot be written.
        ArchiveError: there is no such extractor or engine.
    """
    columns = Columns(text=text_column, html=html_column, date=date_column, url=url_column)
    limits = Limits(record=max_record, page=max_page, seconds=page_timeout)
    settings = Settings(keeping(extractor, names_of(keep)), limits, columns, operator_name(operator))
    settings.check()  # raises before any work begins
    stated = Published.of(published, attest)
    crawled = Crawled.of(
        subset=subset,
        url=url,
        host=host,
        domain=domain,
        tld=tld,
        language=language,
        mime=mime,
        status=status,
        after=after,
        before=before,
        sample=sample,
        files=files,
        part=part,
        mirror=mirror,
        rate=rate,
        contact=contact,
    )
    return ingest_with(lake, sources, settings, workers, reporter, span, again, stated, crawled)


def ingest_with(
    lake: Lake | str | os.PathLike[str],
    sources: Sources,
    settings: Settings = Settings(),
    workers: Workers = None,
    reporter: Reporter | None = None,
    span: int = SPAN,
    again: bool = False,
    published: Published | None = None,
    crawled: Crawled | None = None,
) -> IngestResult:
    """Do what `ingest` does, with settings that are put together already."""
    names = source_names(sources)
    crawled = crawled or Crawled()
    crawled.check(names, again)
    lake, engine = open_lake(lake), open_engine(workers)
    started = time.monotonic()
    run = _Ingest(lake, settings, reporter or Reporter(), span, again, published, crawled)
    with naming_damage(lake):
        result = run.run(names, engine)
    result.seconds = time.monotonic() - started
    result.sort()
    return result


class _Ingest(InOrder):
    def __init__(
        self,
        lake: Lake,
        settings: Settings,
        reporter: Reporter,
        span: int,
        again: bool,
        published: Published | None,
        crawled: Crawled,
    ) -> None:
        super().__init__(lake, settings, reporter, span)
        self._again, self._published, self._crawled = again, published, crawled
        self._crawling = CrawlProgress(crawled.access, reporter)
        self._refused = ""  # what a server said that takes no more requests
        self._versions: dict[str, str] = {}  # by file
        self._result = IngestResult()
        self._yields: dict[str, Yield] = {}  # by source
        self._sources_of: dict[str, set[str]] = {}  # by file
        self._skipped: list[AlreadyIngested] = []
        self._waiting: list[tuple[Batch, Part]] = []
        self._committed_at = 0.0

    def run(self, sources: list[str], engine: Engine) -> IngestResult:
        crawls = [source for source in sources if is_crawl(source)]
        listed = [file for source in sources if not is_crawl(source) for file in self._list(source)]
        sizes: list[int | None] = [file.size or 0 for file in listed]
        if crawls:
            listed += self._list_crawls(crawls)
            sizes.append(self._crawling.listed(listed))
        self._listed, self._workers = listed, engine.workers
        self._files_to_do = len(listed)
        self._reporter.stage("ingest", size=None if None in sizes else sum(size or 0 for size in sizes))
        self._note()
        self._lake.create()
        compact(self._lake, SOURCES)  # a killed run leaves a file for each commit, and each is read more than once
        self._committer = Committer(self._lake)
        try:
            carried = self._committer.recover()
            self._result.recovered = carried.decisions
            self._result.sources_lost = [file for file in carried.lost if file not in self._sources_of]
            if self._again:
                self._result.files_forgotten = forget_files(self._lake, self._readable(listed))
            self._work(self._plan(listed), engine)
            self._count_skipped()
            self._look_for_revisited()
            if self._published:
                files = {file: of for file, of in self._versions.items() if file not in self._result.files_failed}
                refused = self._result.files_unpublished = attest_files(self._lake, self._published, files)
                self._result.files_published = len(files) - len(refused)
            for table in TABLES.values():
                compact(self._lake, table)
        finally:
            self._committer.close()
        for source, given in self._yields.items():
            if why := given.useless():
                self._result.sources_useless[source] = why
            elif what := given.without_page():
                self._result.sources_without_page[source] = what
        return self._result

    # -- planning ----------------------------------------------------------------------------------

    def _list(self, source: str) -> Iterator[Listed]:
        """List the files of a source, without the lake, which may be in the folder that is ingested."""
        given = self._yields.setdefault(source, Yield())

        def unreadable(place: str, why: str) -> None:
            given.failed += 1
            self._give_up(place, why)

        for file in list_named(source, unreadable):
            if not file.uri.startswith(f"{self._lake.location}/"):
                given.files += 1
                self._sources_of.setdefault(file.uri, set()).add(source)
                yield file

    def _list_crawls(self, sources: list[str]) -> Iterator[Listed]:
        """List the files of crawls, of all sources at once: no file comes twice."""
        self._reporter.stage("plan")
        reach = Reach(self._crawled.access, watch=self._crawling)

        def unreadable(what: str, why: str) -> None:
            for source in sources:
                self._yields.setdefault(source, Yield()).failed += 1
            self._give_up(what, why)

        for file in self._crawled.files(sources, unreadable, reach):
            self._reporter.advance(1, 0)
            for source in sources:
                self._yields.setdefault(source, Yield()).files += 1
                self._sources_of.setdefault(file.uri, set()).add(source)
            yield file
        self._result.index_requests = reach.mirror.spent().requests

    def _readable(self, listed: list[Listed]) -> list[Listed]:
        """Return the files that can be planned. What cannot be read again must not be taken out."""
        wrong = {item.file for item in plan(None, listed, self._settings, self._span) if isinstance(item, Unreadable)}
        return [file for file in listed if file.uri not in wrong]

    def _plan(self, listed: list[Listed]) -> Iterator[Job]:
        self._committer.begin()
        done, taken = done_units(self._lake), read_taken(self._lake)
        # only what is read as a whole comes back as a whole: a selection would lose the rest of the file
        complete = [file for file in listed if file.take is None or file.take.records is None]
        versions, files = {file.version for file in complete}, {file.uri for file in complete}
        again = dict.fromkeys([*done.torn(taken), *done.outgrown(self._settings, taken)])
        if unfit := [unit for unit in again if done[unit].version in versions or done[unit].file in files]:
            take_out(self._lake, unfit)  # the file is read again
            done, taken = done_units(self._lake), read_taken(self._lake)
        for item in plan(done, listed, self._settings, self._span, taken, self._workers):
            if self._refused:
                return
            if isinstance(item, AlreadyIngested):
                self._versions[item.file] = item.version
                self._skip(item)
            elif isinstance(item, Unreadable):
                self._give_up(item.file, item.error)
            else:
                if item.units[0].version in self._left and len(item.units) == 1:
                    continue
                self._versions |= {unit.file: unit.version for unit in item.units}
                self._crawling.begun(item.units[0])
                before = done.get(item.units[0].after or "")
                yield self._opened(item, before.reached if before else SpanEnd())

    def _skip(self, item: AlreadyIngested) -> None:
        self._result.files_skipped += 1
        self._skipped.append(item)
        self._files_to_do -= 1
        self._reporter.skip(0, item.size)
        self._crawling.skipped(item.file)
        self._note()

    def _advance(self, records: int, size: int) -> None:
        if self._crawling.has_files:
            self._crawling.came(size)
            self._crawling.work()
        super()._advance(records, size)
        if self._is_due():
            self._commit_waiting()

    # -- results of tasks --------------------------------------------------------------------------

    def _failed(self, batch: Batch, error: str) -> None:
        if (host := refusing_host(error)) is None:
            super()._failed(batch, error)
        elif not self._refused:  # nobody asks it again, and one line says it
            self._refused = error
            self._give_up(host, error)

    def _give_up(self, file: str, error: str) -> None:
        self._result.files_failed[file.encode("utf-8", "backslashreplace").decode()] = error
        for given in self._yields_of(file):
            given.failed += 1
        _log.warning("not read: %s: %s", file, error)

    def _commit(self, batch: Batch, part: Part) -> None:
        """Commit a part: together with others, where they come faster than one in `_PAUSE`."""
        self._waiting.append((batch, part))
        # of a file of unknown length, the commit of a piece finds out the next one
        if self._is_due() or any(unit.is_piece for unit in batch.units):
            self._commit_waiting()

    def _is_due(self) -> bool:
        captures = sum(tally.captures for _, part in self._waiting for tally in part.tallies)
        late = time.monotonic() - self._committed_at >= _PAUSE
        return bool(self._waiting) and (late or len(self._waiting) >= _PARTS or captures >= _CAPTURES)

    def _finish(self) -> bool:
        if self._waiting:
            self._commit_waiting()
            return True
        left, self._left = self._left, set()
        if left:
            for job in self._plan([file for file in self._listed if self._versions.get(file.uri) in left]):
                self._tasks.submit(job)
        return bool(left)

    def _commit_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        ends = self._committer.commit_all(waiting)
        self._committed_at = time.monotonic()
        for (batch, part), end in zip(waiting, ends, strict=True):
            if isinstance(end, Committed):
                self._count(batch, part, end)
                continue
            self._lake.discard(part.files)
            if batch.units[0].version in self._left and batch.units[0].take is None:
                continue
            if isinstance(end, TakenOut):
                self._give_up(batch.units[0].file, str(end))
            else:
                self._drop_committed(batch)

    def _count(self, batch: Batch, part: Part, committed: Committed) -> None:
        """Count what a part brought, and submit the piece of its file that comes next."""
        for unit, tally in zip(batch.units, part.tallies, strict=True):
            self._result.add(tally)
            for given in self._yields_of(unit.file):
                given.add(tally)
        files = 0
        for unit, tally in zip(batch.units, part.tallies, strict=True):
            is_complete = False
            if unit.is_piece and tally.reached.offset is not None:
                self._tasks.submit(self._job(Batch((next_piece(unit, tally.reached),))))
            else:
                is_complete = (unit.last or unit.is_piece) and not unit.more
            files += is_complete
            if unit.take is not None:
                self._crawling.committed(unit, tally, is_complete)
                of_crawl = self._result.crawls.setdefault(crawl_of(unit.file), OfCrawl())
                of_crawl.add(tally)
                of_crawl.files += is_complete
        self._result.files += files
        self._result.new_texts += committed.new_texts
        self._result.known_texts += committed.known_texts
        _log.info("committed %d files, %d new texts", files, committed.new_texts)
        self._files_done += files
        self._note()

    def _look_for_revisited(self) -> None:
        """Leave of the files that revisits refer to those that the lake has not: these captures have no text."""
        apart = self._result.revisits_apart
        apart.pop("", None)  # of a file with revisits of too many others
        if not apart:
            return
        files = set(self._lake.read("sources", ["file"])["file"].to_pylist())
        if any(file.endswith(".wacz") for file in files):  # whose captures name the files inside
            files.update(self._lake.read("captures", ["file"])["file"].unique().to_pylist())
        for name in {file.rpartition("/")[2] for file in files}.intersection(apart):
            del apart[name]

    def _drop_committed(self, batch: Batch) -> None:
        """Do again what is left of a batch: another ingest has committed some of its units, or records, meanwhile."""
        done = done_units(self._lake)
        taken = read_taken(self._lake, {unit.version for unit in batch.units if unit.take is not None})
        left: list[Unit] = []
        for unit in batch.units:
            if unit.is_piece and unit.key in done:  # whoever committed it may not go on
                reached = done[unit.key].reached
                if reached.offset is not None:
                    left.append(next_piece(unit, reached))
                    continue
            has_others = bool(done.edges_of(unit.version, unit.settings.extractor, set()))
            if unit.take is None and unit.key not in done and has_others:
                self._leave(unit.version)  # another ingest cuts the file in other spans
                continue
            rest = None if unit.key in done else unit if unit.take is None else taken.left(unit)
            if rest is not None:
                left.append(rest)
                continue
            self._result.files_skipped += unit.last or unit.is_piece
            for given in self._yields_of(unit.file):
                given.elsewhere += 1
        if left:
            self._tasks.submit(self._job(Batch(tuple(left))))

    # -- counting ----------------------------------------------------------------------------------

    def _yields_of(self, file: str) -> list[Yield]:
        return [self._yields[source] for source in self._sources_of.get(file, ())]

    def _count_skipped(self) -> None:
        """Count for each source what its skipped files gave when they were ingested."""
        if not self._skipped:
            return
        columns = ["version", "records", "captures", "dated", "rejects"]
        rows_of: dict[str, list[dict[str, Any]]] = {}
        # no filter of the scan: Arrow compares it with the statistics of the files, and delta-rs gives the files that
        # it rewrites (`forget`) another type of string
        ledger = self._lake.read("sources", columns)
        wanted = pa.array([item.version for item in self._skipped])
        for row in ledger.filter(pc.is_in(ledger["version"], wanted)).to_pylist():
            rows_of.setdefault(row["version"], []).append(row)
        for item in self._skipped:
            for given in self._yields_of(item.file):
                for row in rows_of.get(item.version, []):
                    given.add_skipped(row)

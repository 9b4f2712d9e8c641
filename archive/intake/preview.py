"""`ingest --dry-run`: shows how sources would be read. Nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import BinaryIO

from rich import box
from rich.table import Table
from rich.text import Text

from archive.capture import Capture, Limits, Reject
from archive.commoncrawl.cost import Cost, lines_of, rows_of
from archive.commoncrawl.mirror import RATE
from archive.commoncrawl.paths import OWN
from archive.commoncrawl.source import is_crawl, list_named
from archive.damage import naming_damage
from archive.errors import ArchiveError, SourceError, error_line
from archive.intake.crawl_progress import CrawlProgress
from archive.intake.crawled import Crawled
from archive.intake.extraction import Isolated
from archive.intake.part import Tally
from archive.intake.unit import Settings, Unit
from archive.intake.work import outcomes
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.records import READERS, columns, kind_of, open_reader
from archive.records.rows import Columns
from archive.show import OutConsole, bytes_text, count_of
from archive.sources import Listed, Sources, is_text, open_bytes, source_names
from archive.sources.take import Take
from archive.text.base import address_of, keeping, names_of

#: Files that are opened, and rows that are shown of each.
FILES, ROWS = 5, 5
#: Characters of a text.
_TEXT = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """A record as it would be ingested: a capture with its date, or a reject with its reason."""

    url: str | None
    captured_at: str | None
    problem: str | None  #: why the date proves nothing, or why there is no text
    text: str


@dataclass(slots=True)
class Look:
    """One file."""

    file: str
    size: int | None
    format: str
    columns: list[str] = field(default_factory=list)  #: of a data set
    taken: dict[str, str] = field(default_factory=dict)  #: text, html, date, url -> the column that it is taken from
    rows: list[Sample] = field(default_factory=list)


@dataclass(slots=True)
class Preview:
    """What an ingest would read."""

    files: int = 0
    bytes: int = 0
    files_skipped: int = 0  #: the lake has them already, whole or in part
    files_failed: dict[str, str] = field(default_factory=dict)  #: file -> why it cannot be read
    looks: list[Look] = field(default_factory=list)  #: of the first files, those first that the lake has not
    cost: Cost | None = None  #: of what is left to do of Common Crawl

    @property
    def is_usable(self) -> bool:
        """Whether every file can be read, and every data set has a text and a date column."""
        data_sets = [look for look in self.looks if look.columns]
        return not self.files_failed and all(
            "date" in look.taken and look.taken.keys() & {"text", "html"} for look in data_sets
        )


def preview(
    lake: Lake | str | os.PathLike[str],
    sources: Sources,
    *,
    extractor: str = "resiliparse",
    keep: str | Iterable[str] = (),
    text_column: str | None = None,
    html_column: str | None = None,
    date_column: str | None = None,
    url_column: str | None = None,
    max_record: int = 32 << 20,
    max_page: int = 16 << 20,
    page_timeout: float = 20.0,
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
    dollars_per_hour: float | None = None,
    reporter: Reporter | None = None,
) -> Preview:
    """Look at sources as `ingest` would read them. Nothing is written.

    Args:
        sources: as of `ingest`, and so are all options but one. A reporter hears of the indexes that are read.
        dollars_per_hour: what an hour of this machine costs, for sources of Common Crawl.

    Raises:
        SourceError: a source does not exist.
        ArchiveError: there is no such extractor.
    """
    columns = Columns(text=text_column, html=html_column, date=date_column, url=url_column)
    limits = Limits(record=max_record, page=max_page, seconds=page_timeout)
    settings = Settings(keeping(extractor, names_of(keep)), limits, columns)
    settings.check()  # raises before any work begins
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
    names = source_names(sources)
    crawled.check(names, False)
    lake = open_lake(lake)
    seen = Preview()
    if crawls := [source for source in names if is_crawl(source)]:
        reporter = reporter or Reporter()
        reporter.stage("plan")
        watch = CrawlProgress(crawled.access, reporter)
        with naming_damage(lake):
            seen.cost = crawled.cost(lake, crawls, settings.extractor, dollars_per_hour, watch)
        seen.files, seen.bytes = seen.cost.total.files, seen.cost.total.bytes
    versions = set(lake.read("sources", ["version"])["version"].to_pylist()) if lake.exists() else set()
    fresh: list[Listed] = []
    old: list[Listed] = []
    for source in names:
        if is_crawl(source):
            continue
        for file in list_named(source, lambda place, why: seen.files_failed.update({place: why})):
            if file.uri.startswith(f"{lake.location}/"):
                continue
            seen.files += 1
            seen.bytes += file.size or 0
            if file.version in versions:
                seen.files_skipped += 1
                old.append(file)
            else:
                fresh.append(file)
    for file in [*fresh, *old][:FILES]:
        try:
            seen.looks.append(_look(file, settings))
        except (ArchiveError, OSError) as error:
            seen.files_failed[file.uri] = error_line(error)
    return seen


def _look(file: Listed, settings: Settings) -> Look:
    if not is_text(file.uri):
        raise SourceError("a file whose name is not UTF-8 cannot be cited; rename it")
    with file.through.open(file.uri, Take()) if file.through else open_bytes(file.uri) as opened:
        kind = kind_of(opened, file.uri)
        reader = open_reader(kind) if kind in READERS else None
        look = Look(file.uri, file.size, reader.label if reader else kind)
        if reader and reader.has_columns:
            look.columns = reader.column_names(opened)
            columns.require(look.columns, settings.columns)
            look.taken = columns.taken(look.columns, settings.columns)
        unit = Unit(file.uri, file.version, file.size, kind, settings)
        look.rows = list(dict.fromkeys(islice(_samples(unit, opened), ROWS)))  # equal rejects once
    return look


def _samples(unit: Unit, file: BinaryIO) -> Iterator[Sample]:
    extract = Isolated(address_of(unit.settings.extractor), unit.settings.limits.seconds)
    try:
        for _, outcome in outcomes(unit, file, extract, datetime.now(UTC), Tally(unit.key)):
            if isinstance(outcome, Capture):
                dated = outcome.dated
                at = dated.captured_at.isoformat().replace("+00:00", "Z") if dated.captured_at else None
                text = "(a revisit: the text of another record)" if outcome.text is None else outcome.text
                yield Sample(outcome.url, at, dated.problem, " ".join(text[: 4 * _TEXT].split())[:_TEXT])
            elif isinstance(outcome, Reject):
                yield Sample(outcome.url, outcome.date, outcome.reason, outcome.detail[:_TEXT])
    finally:
        extract.close()


def show(seen: Preview) -> None:
    """Print a preview for people."""
    console = OutConsole()
    if seen.cost is not None:
        _show_cost(console, seen.cost)
        if not seen.looks and not seen.files_failed:
            return
    known = f", {seen.files_skipped:,} of them known already" if seen.files_skipped else ""
    console.print(f"{count_of(seen.files, 'file')}, {bytes_text(seen.bytes)}{known}. Nothing was ingested.")
    for look in seen.looks:
        size = f", {bytes_text(look.size)}" if look.size is not None else ""
        console.print(f"\n{look.file}: {look.format}{size}", markup=False, highlight=False)
        if look.columns:
            console.print(f"columns: {', '.join(look.columns)}", markup=False, highlight=False)
            taken = [f"{role} from {name}" for role, name in look.taken.items()]
            absent = [] if look.taken.keys() & {"text", "html"} else ["no text column found (--text-column names it)"]
            absent += [] if "date" in look.taken else ["no date column found (--date-column names it)"]
            console.print(f"taken: {', '.join([*taken, *absent])}", markup=False, highlight=False)
        console.print(_table(look.rows))
    left = seen.files - min(seen.files, FILES)
    if left > 0:
        console.print(f"{count_of(left, 'more file')}, not looked into")
    for file, why in seen.files_failed.items():
        console.print(f"cannot be read: {why if file in why else f'{file}: {why}'}", markup=False, highlight=False)


def _show_cost(console: OutConsole, cost: Cost) -> None:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("crawl")
    for name in ("files", "records", "requests", "bytes"):
        table.add_column(name, justify="right")
    for row in rows_of(cost):
        table.add_row(*row, style="bold" if row[0] == "all" else None)
    console.print(table)
    for line in lines_of(cost):
        console.print(line, markup=False, highlight=False)


def _table(rows: list[Sample]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("captured at", "url", "text"):
        table.add_column(name, overflow="fold")
    for row in rows:
        when = f"{row.captured_at or '—'}{f' ({row.problem})' if row.problem else ''}"
        table.add_row(Text(when), Text(row.url or "—"), Text(row.text))
    return table

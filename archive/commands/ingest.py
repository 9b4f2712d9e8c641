"""`archive ingest`: the command line of `archive.intake`."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from archive.capture import Limits
from archive.cli import lake_option
from archive.intake import Summary, Watcher, ingest
from archive.lake import Lake
from archive.part import Part
from archive.plan import SPAN
from archive.reasons import DAMAGE
from archive.records.datasets import Columns
from archive.show import bytes_text, counts_table, months_table
from archive.text.extract import EXTRACTORS, extractor
from archive.unit import Batch, Settings

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        if not match or not float(match[1]):
            self.fail(f"{value!r} is no size; write 16M or 1.5G", param, ctx)
        return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))


@click.command("ingest")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@lake_option
@click.option("--workers", type=click.IntRange(1), help="Processes that read and extract.  [default: one per core]")
@click.option("--extractor", "name", type=click.Choice(EXTRACTORS), default=EXTRACTORS[0], show_default=True,
              help="What takes the text from HTML. trafilatura is an extra, and ten times slower.")  # fmt: skip
@click.option("--text-column", metavar="NAME", help="Column of a data set that holds plain text; a.b reaches into a.")
@click.option("--html-column", metavar="NAME", help="Column that holds HTML.")
@click.option("--date-column", metavar="NAME", help="Column that holds the date of capture.")
@click.option("--url-column", metavar="NAME", help="Column that holds the URL.")
@click.option("--max-record", type=_Size(), default="32M", show_default=True, help="Larger records are rejected.")
@click.option("--max-page", type=_Size(), default="16M", show_default=True, help="Larger decoded pages are rejected.")
@click.option("--page-timeout", type=click.FloatRange(0.1), default=20.0, show_default=True, metavar="SECONDS",
              help="A page that takes longer to extract is rejected.")  # fmt: skip
@click.option("--span", type=_Size(), default=SPAN, show_default="32M",
              help="Bytes of a large file that one worker does at a time.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    sources: tuple[str, ...],
    location: str,
    workers: int | None,
    name: str,
    text_column: str | None,
    html_column: str | None,
    date_column: str | None,
    url_column: str | None,
    max_record: int,
    max_page: int,
    page_timeout: float,
    span: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Bring web archives or data sets into the lake.

    SOURCE is a file, a folder, a pattern, an s3:// object or prefix, or an https:// address of WARC, ARC,
    WET or WACZ files, or of JSON lines or Parquet with a text and a date column. What a file is is found
    from its content. Each text is kept once, each capture of it with its date and where its record lies.

    A source that is in the lake already is passed over, so the same command, run again after a crash,
    goes on where it was. Several ingests into one lake may run at once.

    \b
    Examples:
      archive ingest crawl/                            all files of a folder
      archive ingest 'CC-MAIN-2019-35/*.warc.gz' --lake s3://bucket/lake
      archive ingest https://example.org/a.warc.gz     streamed, not stored
      archive ingest pages.jsonl.gz --text-column body --date-column seen.at

    \b
    Exit status: 0 all done; 1 done, but some input was damaged or could not be read
    (`archive query "SELECT * FROM rejects"` lists it); 2 wrong usage.
    """
    extractor(name)  # says what is missing before any work begins
    settings = Settings(name, Limits(max_record, max_page, page_timeout),
                        Columns(text_column, html_column, date_column, url_column))  # fmt: skip
    started = time.monotonic()
    with _Display(quiet or as_json) as display:
        summary = ingest(Lake(location), sources, settings, workers, display, span)
    seconds = time.monotonic() - started
    if as_json:
        click.echo(json.dumps(_as_json(summary, display.months, seconds), indent=2))
    else:
        _show(Console(soft_wrap=True), summary, display.months, seconds)
    damage = sum(count for reason, count in summary.rejects.items() if reason in DAMAGE)
    sys.exit(1 if summary.failed or damage else 0)


class _Display(Watcher):
    """A progress bar on a terminal; elsewhere a plain line every ten seconds."""

    def __init__(self, silent: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.fields[files]} files"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[records]} records  {task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=silent or not console.is_terminal,
        )
        self._lines = not silent and not console.is_terminal
        self._console = console
        self._task = self._bar.add_task("ingest", total=0, files="0/0", records="0", rate="")
        self._started = self._told = time.monotonic()
        self._records = self._bytes = self._total = self._files = self._done = 0
        self.months: Counter[str] = Counter()

    def __enter__(self) -> _Display:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def found(self, batch: Batch) -> None:
        self._total += batch.bytes
        self._files += sum(unit.last for unit in batch.units)
        self._update()

    def progress(self, records: int, size: int) -> None:
        self._records += records
        self._bytes += size
        self._update()
        if self._lines and time.monotonic() - self._told > 10:
            self._told = time.monotonic()
            self._console.print(f"{self._done}/{self._files} files, {self._records} records, {self._rate()}")

    def committed(self, batch: Batch, part: Part) -> None:
        self._done += sum(unit.last for unit in batch.units)
        for tally in part.tallies:
            self.months.update(tally.months)
        self._update()

    def failed(self, file: str, error: str) -> None:
        self._bar.console.print(f"[red]cannot read[/red] {error}", highlight=False)

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        return f"{self._records / seconds:,.0f} records/s  {self._bytes / seconds / 1e6:,.1f} MB/s"

    def _update(self) -> None:
        self._bar.update(
            self._task,
            total=max(self._total, self._bytes),
            completed=self._bytes,
            files=f"{self._done}/{self._files}",
            records=f"{self._records:,}",
            rate=self._rate(),
        )


def _as_json(summary: Summary, months: Counter[str], seconds: float) -> dict[str, Any]:
    return {
        "files": summary.files,
        "files_known": summary.files_known,
        "files_failed": summary.failed,
        "records": summary.records,
        "captures": summary.captures,
        "rejects": dict(summary.rejects.most_common()),
        "skipped": dict(summary.skipped.most_common()),
        "new_texts": summary.new_texts,
        "known_texts": summary.known_texts,
        "captures_by_month": dict(sorted(months.items())),
        "bytes": summary.bytes,
        "seconds": round(seconds, 3),
        "recovered": summary.recovered,
        "peak_worker_mb": round(summary.peak_worker / 1e6, 1),
    }


def _show(console: Console, summary: Summary, months: Counter[str], seconds: float) -> None:
    if summary.recovered:
        console.print(f"Finished {summary.recovered} commits that an earlier ingest had begun.")
    known = f", {summary.files_known:,} known already" if summary.files_known else ""
    console.print(
        f"{summary.files:,} files ingested{known}: {bytes_text(summary.bytes)} in {seconds:.1f} s "
        f"({summary.records / max(seconds, 1e-9):,.0f} records/s)"
    )
    if summary.records:
        console.print(counts_table(summary.records, summary.captures, summary.rejects, summary.skipped))
        console.print(f"{summary.new_texts:,} new texts, {summary.known_texts:,} texts already known")
        console.print(months_table(months))
    for file, error in summary.failed.items():
        console.print(f"[red]not read:[/red] {error if file in error else f'{file}: {error}'}", highlight=False)

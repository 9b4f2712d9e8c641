"""What `archive ingest` shows: progress while it works, and the sum at the end."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from archive.intake.part import Part
from archive.intake.run import Summary, Watcher
from archive.intake.unit import Batch
from archive.progress import times
from archive.reasons import DAMAGE
from archive.show import OutConsole, bytes_text, count_of, counts_table, months_table


class Display(Watcher):
    """A progress bar on a terminal; elsewhere a plain line every ten seconds."""

    def __init__(self, silent: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.fields[files]} files"),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[records]} records  {task.fields[rate]}"),
            *times(),
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

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def listed(self, files: int, size: int) -> None:
        self._files, self._total = files, size
        self._update()

    def known(self, size: int) -> None:
        self._files -= 1
        self._total -= size
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


def as_json(summary: Summary, months: Counter[str], seconds: float) -> dict[str, Any]:
    """The same for programs."""
    return {
        "files": summary.files,
        "files_known": summary.files_known,
        "files_failed": summary.failed,
        "sources_useless": summary.useless,
        "sources_lost": summary.lost,
        "files_forgotten": summary.forgotten,
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


def damage(summary: Summary) -> Counter[str]:
    """The rejects that mean damage: the input should have held more."""
    return Counter({reason: count for reason, count in summary.rejects.items() if reason in DAMAGE})


def show(summary: Summary, months: Counter[str], seconds: float) -> None:
    """Print the sum of an ingest for people."""
    console = OutConsole()
    if summary.recovered:
        console.print(f"Finished {count_of(summary.recovered, 'commit')} that an earlier command had begun.")
    if summary.forgotten:
        console.print(f"Took out what the lake had of {count_of(summary.forgotten, 'file')}.")
    known = f", {summary.files_known:,} known already" if summary.files_known else ""
    console.print(
        f"{count_of(summary.files, 'file')} ingested{known}: {bytes_text(summary.bytes)} in {seconds:.1f} s "
        f"({summary.records / max(seconds, 1e-9):,.0f} records/s)"
    )
    if summary.records:
        console.print(counts_table(summary.records, summary.captures, summary.rejects, summary.skipped))
        console.print(f"{summary.new_texts:,} new texts, {summary.known_texts:,} texts already known")
        if months:
            console.print(months_table(months))
    for line in complaints(summary):
        console.print(line, markup=False, highlight=False)


def complaints(summary: Summary) -> list[str]:
    """What makes the exit status 1, a line for each."""
    lines = [f"not read: {error if file in error else f'{file}: {error}'}" for file, error in summary.failed.items()]
    lines += [f"files of an earlier ingest were deleted, ingest it again: {file}" for file in summary.lost]
    lines += [f"of no use: {source}: {why}" for source, why in summary.useless.items()]
    if damaged := damage(summary):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in damaged.most_common())
        lines.append(f"damaged: {reasons}; SELECT * FROM rejects says where")
    return [*lines, "exit status 1: some input was unusable"] if lines else []

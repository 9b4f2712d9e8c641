"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from rich import progress
from rich.console import Console
from rich.table import Column

#: Seconds between two plain lines.
_EVERY = 10


class Reporter:
    """Receives the progress of long work, one stage after the other. `Reporter` itself shows nothing.

    A program that wants to show progress in its own way overrides what it needs.
    """

    def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
        """Begin a stage of `total` items, or of `size` bytes; None where that is not known."""

    def advance(self, items: int, size: int) -> None:
        """Report that so many more items, of so many bytes, are done. Negative where they must be done again."""

    def skip(self, items: int, size: int) -> None:
        """Report that so many items, of so many bytes, need no work."""

    def note(self, text: str) -> None:
        """Show a few words next to the name of the stage, in place of those before."""


class RichReporter(Reporter):
    """Shows the stages: a bar on a terminal, elsewhere a plain line every ten seconds.

    Args:
        silent: show nothing.
    """

    def __init__(self, silent: bool = False) -> None:
        self._console = Console(stderr=True)
        fixed = Column(no_wrap=True, min_width=7)  # no narrow terminal cuts the times off
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None, table_column=Column(ratio=1)),
            progress.TextColumn("{task.fields[state]}"),
            progress.TimeElapsedColumn(table_column=fixed),
            progress.TextColumn("ETA"),
            progress.TimeRemainingColumn(table_column=fixed.copy()),
            console=self._console,
            transient=True,
            disable=silent or not self._console.is_terminal,
        )
        self._lines = not silent and not self._console.is_terminal
        self._task: progress.TaskID | None = None
        self._name = self._note = ""
        self._items = self._bytes = 0
        self._total: int | None = None
        self._size: int | None = None
        self._started = self._printed = time.monotonic()

    def __enter__(self) -> RichReporter:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._name, self._note, self._total, self._size = name, "", total, size
        self._items = self._bytes = 0
        self._started = time.monotonic()
        self._task = self._bar.add_task(name, total=total if size is None else size, state="")

    def advance(self, items: int, size: int) -> None:
        self._items += items
        self._bytes += size
        self._show()
        if self._lines and time.monotonic() - self._printed > _EVERY:
            self._printed = time.monotonic()
            of = f" of {self._total:,}" if self._total else ""
            note = f" {self._note}," if self._note else ""
            self._console.print(f"{self._name}:{note} {self._items:,}{of}, {self._rate()}")

    def skip(self, items: int, size: int) -> None:
        if self._total is not None:
            self._total -= items
        if self._size is not None:
            self._size -= size
        self._show()

    def note(self, text: str) -> None:
        self._note = text
        self._show()

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        size = f"  {self._bytes / seconds / 1e6:,.1f} MB/s" if self._size is not None else ""
        return f"{self._items / seconds:,.0f}/s{size}"

    def _show(self) -> None:
        if self._task is None:
            return
        # more may be done than was known of: a compressed file is read twice where it is damaged
        done, total = (self._items, self._total) if self._size is None else (self._bytes, max(self._size, self._bytes))
        state = f"{self._note}  {self._items:,}  {self._rate()}".strip()
        self._bar.update(self._task, completed=done, total=total, state=state)

"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

from rich import progress
from rich.console import Console, RenderableType
from rich.table import Column
from rich.text import Text

from archive.show import bytes_text

#: Seconds between two plain lines.
_EVERY = 10
#: What the items of a stage are, where its name does not say it.
_ITEMS = {"ingest": " records", "plan": " files"}
#: What the items of a stage are, where its note has the count of them.
_NOTED = {"crawl": "pages"}


class Reporter:
    """Receives the progress of long work, one stage after the other. `Reporter` itself shows nothing.

    A program that wants to show progress in its own way overrides what it needs.
    """

    def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
        """Begin a stage of `total` items, or of `size` bytes; None where that is not known."""

    def advance(self, items: int, size: int) -> None:
        """Report that so many more items, of so many bytes, are done. Negative where they must be done again.

        Zeros are reported too, twice a second while the work goes on and nothing is done.
        """

    def skip(self, items: int, size: int) -> None:
        """Report that so many items, of so many bytes, need no work."""

    def note(self, text: str) -> None:
        """Show a few words next to the name of the stage, in place of those before."""

    def detail(self, text: str) -> None:
        """Show a line below the stage, in place of the one before: what the work is at, and what it waits for."""

    def remaining(self, seconds: float | None) -> None:
        """Tell how long the rest of the stage takes, where that is known better than by what is done; None if not."""


class RichReporter(Reporter):
    """Shows the stages: a bar on a terminal, elsewhere a plain line every ten seconds.

    Args:
        silent: show nothing.
    """

    def __init__(self, silent: bool = False) -> None:
        self._console = Console(stderr=True)
        fixed = Column(no_wrap=True, min_width=7)  # no narrow terminal cuts the times off
        self._bar = _Bar(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None, table_column=Column(ratio=1)),
            progress.TextColumn("{task.fields[state]}"),
            progress.TimeElapsedColumn(table_column=fixed),
            _Remaining(table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
            disable=silent or not self._console.is_terminal,
        )
        self._lines = not silent and not self._console.is_terminal
        self._task: progress.TaskID | None = None
        self._name = self._note = self._detail = ""
        self._seconds: float | None = None
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
        self._detail = self._bar.below = ""
        self._seconds = None
        self._items = self._bytes = 0
        self._started = time.monotonic()
        self._task = self._bar.add_task(name, total=total if size is None else size, state="")

    def advance(self, items: int, size: int) -> None:
        self._items += items
        self._bytes += size
        self._show()
        if self._lines and time.monotonic() - self._printed > _EVERY:
            self._printed = time.monotonic()
            self._console.print(self._line(), markup=False, highlight=False, soft_wrap=True)

    def skip(self, items: int, size: int) -> None:
        if self._total is not None:
            self._total -= items
        if self._size is not None:
            self._size -= size
        self._show()

    def note(self, text: str) -> None:
        self._note = text
        self._show()

    def detail(self, text: str) -> None:
        self._detail = self._bar.below = text
        self._show()

    def remaining(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._show()

    def _line(self) -> str:
        of = f" of {self._total:,}" if self._total else ""
        parts = [self._note, f"{self._items:,}{of}{_ITEMS.get(self._name, '')}", self._rate(), self._detail]
        if self._name in _NOTED:
            parts = [self._state(), self._detail]
        if self._seconds is not None:
            parts.append(f"ETA {_clock(self._seconds)}")
        return f"{self._name}: {', '.join(part for part in parts if part)}"

    def _state(self) -> str:
        """Return what is done, next to a bar."""
        if self._name not in _NOTED:
            return f"{self._note}  {self._items:,}{_ITEMS.get(self._name, '')}  {self._rate()}".strip()
        seconds = max(time.monotonic() - self._started, 1e-3)
        return f"{self._note}, {self._items / seconds:,.1f} {_NOTED[self._name]}/s" if self._note else ""

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        size = f"  {bytes_text(self._bytes / seconds)}/s" if self._size is not None or self._bytes else ""
        rate = self._items / seconds
        return f"{rate:,.1f}/s{size}" if 0 < rate < 10 else f"{rate:,.0f}/s{size}"

    def _show(self) -> None:
        if self._task is None:
            return
        # more may be done than was known of: a compressed file is read twice where it is damaged
        done, total = (self._items, self._total) if self._size is None else (self._bytes, max(self._size, self._bytes))
        self._bar.update(self._task, completed=done, total=total, state=self._state(), seconds=self._seconds)


class _Bar(progress.Progress):
    """A bar with a line below it."""

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.below:
            yield Text(self.below, style="dim")


class _Remaining(progress.TimeRemainingColumn):
    """How long the rest takes, as the work says, or else by what is done; empty where nobody knows how much it is."""

    def render(self, task: progress.Task) -> Text:
        seconds = task.fields.get("seconds")
        if seconds is None and task.total is None:
            return Text("")
        rest = super().render(task) if seconds is None else Text(_clock(seconds), style="progress.remaining")
        return Text("ETA ") + rest


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))

"""How long work goes on: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from rich import progress
from rich.console import Console
from rich.table import Column


def times() -> list[progress.ProgressColumn]:
    """The columns for the time that went by, and that is left, which no narrow terminal cuts off."""
    whole = Column(no_wrap=True, min_width=7)
    return [
        progress.TimeElapsedColumn(table_column=whole),
        progress.TextColumn("ETA"),
        progress.TimeRemainingColumn(table_column=whole.copy()),
    ]


class Stages:
    """Hears how long work goes on; `Progress` shows it. This one keeps silent."""

    def stage(self, name: str, total: int | None) -> None:
        """A stage begins, of so many items."""

    def progress(self, done: int, size: int) -> None:
        """So many more items of it are done, of so many bytes."""


class Progress(Stages):
    """Shows stages: a bar on a terminal; elsewhere a plain line every ten seconds."""

    def __init__(self, silent: bool) -> None:
        self._console = Console(stderr=True)
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None, table_column=Column(ratio=1)),
            progress.TextColumn("{task.fields[done]}  {task.fields[rate]}"),
            *times(),
            console=self._console,
            transient=True,
            disable=silent or not self._console.is_terminal,
        )
        self._lines = not silent and not self._console.is_terminal
        self._task: progress.TaskID | None = None
        self._name, self._done, self._total = "", 0, None  # type: str, int, int | None
        self._started = self._told = time.monotonic()

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def stage(self, name: str, total: int | None) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._name, self._done, self._total, self._started = name, 0, total, time.monotonic()
        self._task = self._bar.add_task(name, total=total, done="", rate="")

    def progress(self, done: int, size: int) -> None:
        self._done += done
        rate = f"{self._done / max(time.monotonic() - self._started, 1e-3):,.0f}/s"
        if self._task is not None:
            self._bar.update(self._task, completed=self._done, done=f"{self._done:,}", rate=rate)
        if self._lines and time.monotonic() - self._told > 10:
            self._told = time.monotonic()
            of = f" of {self._total:,}" if self._total else ""
            self._console.print(f"{self._name}: {self._done:,}{of}, {rate}")

"""The progress of a run, and signals that end it."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

from archive import interrupt
from archive.progress import Reporter
from archive.show import bytes_text, count_of
from crawler.frontier.frontier import Frontier
from crawler.options import Options


class Watch:
    """Shows the progress."""

    def __init__(self, reporter: Reporter | None, options: Options, frontier: Frontier) -> None:
        self._reporter, self._frontier = reporter, frontier
        self._noted = 0.0
        if reporter is not None:
            left = None if options.pages is None else max(options.pages - frontier.crawl.pages, 0)
            size = None if options.bytes is None else max(options.bytes - frontier.crawl.bytes, 0)
            reporter.stage("crawl", total=left, size=size)
            self.advance(0, 0)

    def advance(self, pages: int, size: int) -> None:
        if self._reporter is None:
            return
        now = time.monotonic()
        if now - self._noted > 0.5:
            self._noted = now
            front = self._frontier
            note = f"{count_of(front.crawl.pages, 'page')}, {front.waiting:,} URL"
            note += f"{' waits' if front.waiting == 1 else 's wait'} at {count_of(front.active_hosts, 'host')}"
            if resting := front.resting:
                note += f" ({resting:,} of them {'rests' if resting == 1 else 'rest'})"
            if failed := front.states["failed"]:
                note += f", {count_of(failed, 'URL')} failed"
            self._reporter.note(f"{note}, {bytes_text(front.crawl.bytes)}")
        self._reporter.advance(pages, size)


@contextlib.contextmanager
def signals(run: object) -> Iterator[None]:
    """End a run cleanly at the first SIGINT or SIGTERM, and the process at once at the second."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            interrupt.end_at_once()
        asked = True
        run.stop()  # type: ignore[attr-defined]

    pipe = signal.set_wakeup_fd(-1)
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(pipe, warn_on_full_buffer=False)

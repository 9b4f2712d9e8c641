"""Extraction that cannot hang a worker or take it down for good.

The parser is native code: a page that keeps it busy for ever, or crashes it, can only be stopped by ending
the process. So a worker sets an alarm that ends itself, and the engine gives its batch to another
worker, which is `careful`: it extracts each page in a child process that may die.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection

from archive.reasons import Unusable
from archive.text import Page, extractor

#: Address space that the child of a careful worker may use beyond what it starts with.
_CHILD_MEMORY = 2 << 30
#: Seconds that the child may take to start.
_START = 300
_READY = "ready"
Extract = Callable[[str], Page]


def guarded(name: str, seconds: float) -> Extract:
    """Extraction in this process, which ends itself by SIGALRM when a page takes longer than `seconds`."""
    extract = extractor(name)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def run(html: str) -> Page:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return extract(html)
        except Exception as error:  # whatever the extractor trips over is the page's fault
            raise Unusable("extractor-error", f"{type(error).__name__}: {error}") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return run


class Isolated:
    """Extraction in a child process that is replaced when it dies or takes too long."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._context = multiprocessing.get_context("spawn")
        self._child: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def __call__(self, html: str) -> Page:
        try:
            pipe = self._start()
            pipe.send_bytes(html.encode("utf-8", "surrogatepass"))
            if not pipe.poll(self._seconds):
                self.close()
                raise Unusable("timeout", f"more than {self._seconds:g} s")
            answer = pipe.recv()
        except (EOFError, OSError):
            self.close()
            raise Unusable("crashed", "the extractor's process died") from None
        if isinstance(answer, str):
            raise Unusable("extractor-error", answer)
        page: Page = answer
        return page

    def _start(self) -> Connection:
        if self._pipe is None:
            self._pipe, theirs = self._context.Pipe()
            self._child = self._context.Process(target=_serve, args=(theirs, self._name), daemon=True)
            self._child.start()
            theirs.close()
            # importing is not part of a page's time; without this answer the next ones would be off by one
            if not self._pipe.poll(_START) or self._pipe.recv() != _READY:
                raise EOFError
        return self._pipe

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.join()
        if self._pipe is not None:
            self._pipe.close()
        self._child = self._pipe = None


def _serve(pipe: Connection, name: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    extract = extractor(name)
    extract("<p>warm</p>")
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _CHILD_MEMORY, used + _CHILD_MEMORY))
    pipe.send(_READY)
    with contextlib.suppress(EOFError, OSError):
        while True:
            html = pipe.recv_bytes().decode("utf-8", "surrogatepass")
            try:
                pipe.send(extract(html))
            except Exception as error:
                pipe.send(f"{type(error).__name__}: {error}"[:500])

"""Extraction that cannot hang a worker or end it for good.

The parser is native code: a page that keeps it busy for ever, or crashes it, can only be stopped by ending the process.
So a worker first extracts by itself and sets an alarm that ends it (`guarded`): that costs 1 ms a page less than a
child does. Where a worker dies, the engine gives its batch to another one, with `Context.attempt` 2, which extracts
each page in a child that may die (`Isolated`).
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from archive.engine.sandbox import ChildDied, ChildRaised, ChildTooLate, Sandbox, Service
from archive.reasons import Unusable
from archive.text import Page, extractor

#: Bytes that a child may allocate for a page.
_CHILD_MEMORY = 2 << 30
Extract = Callable[[str], Page]


def guarded(name: str, seconds: float) -> Extract:
    """Return extraction in this process, which SIGALRM ends when a page takes longer than `seconds`.

    Only for a process that may end: a worker of an engine.
    """
    extract = extractor(name)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def run(html: str) -> Page:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return extract(html)
        except Exception as error:  # whatever the extractor fails at is the page's fault
            raise Unusable("extractor-error", f"{type(error).__name__}: {error}") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return run


class Isolated:
    """Extraction in a child process, which is replaced when it dies or takes longer than `seconds` for a page.

    Calling it raises `Unusable` where a page gives no text: `timeout`, `crashed` or `extractor-error`.
    """

    def __init__(self, name: str, seconds: float) -> None:
        self._seconds = seconds
        self._child = Sandbox("archive.intake.extraction:serve", name)

    def __call__(self, html: str) -> Page:
        try:
            return Page(*self._child.call(html, self._seconds))
        except ChildTooLate:
            raise Unusable("timeout", f"more than {self._seconds:g} s") from None
        except ChildDied:
            raise Unusable("crashed", "the extractor's process died") from None
        except ChildRaised as error:
            raise Unusable("extractor-error", str(error)[:500]) from None

    def close(self) -> None:
        """End the child."""
        self._child.stop()


def serve(name: str) -> Service:
    """Extract pages in a `Sandbox`: a request is HTML, the answer the fields of a `Page`."""
    extract = extractor(name)
    extract("<p>warm</p>")  # imports are not part of a page's time

    def answer(html: str) -> tuple[Any, ...]:
        return astuple(extract(html))

    return Service(answer, _CHILD_MEMORY)

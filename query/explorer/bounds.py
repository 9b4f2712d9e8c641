"""Bounds on time: for a connection, which can be interrupted, and for work that cannot."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from query.explorer.busy import Busy

#: Seconds between two interruptions: one that comes between two questions is lost.
_AGAIN = 0.2
#: How many things that cannot be interrupted are done at once, and how many may wait.
_AT_ONCE, _WAITING = 2, 8

Value = TypeVar("Value")


@contextlib.contextmanager
def interrupted_after(seconds: float, interrupt: Callable[[], None]) -> Iterator[threading.Event]:
    """Interrupt what is done within, again and again, once the time is over. Yields whether that is so."""
    is_late, is_done, turn = threading.Event(), threading.Event(), threading.Lock()

    def watch() -> None:
        wait = min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        while not is_done.wait(wait):
            is_late.set()
            with turn:  # nothing that begins after the end is interrupted
                if not is_done.is_set():
                    interrupt()
            wait = _AGAIN

    threading.Thread(target=watch, name="bound", daemon=True).start()
    try:
        yield is_late
    finally:
        with turn:
            is_done.set()


@dataclass
class _Answer:
    """What a function returned or raised, once it is there."""

    is_there: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: BaseException | None = None


class Patience:
    """Does what cannot be interrupted, in threads of its own: whoever waits too long gets `Busy`, and the work goes on.

    Args:
        seconds: the most that somebody waits for an answer.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._asking = threading.BoundedSemaphore(_AT_ONCE + _WAITING)

    def run(self, do: Callable[[], Value]) -> Value:
        """Return what a function returns.

        Raises:
            Busy: there is too much to do, or it takes too long.
            Exception: what the function raises.
        """
        if not self._asking.acquire(blocking=False):
            raise Busy("too many texts are looked up at once; try again")
        try:
            until = time.monotonic() + self._seconds
            if not self._slots.acquire(timeout=self._seconds):
                raise Busy("other texts are being looked up, and it takes long; try again")
            answer = _Answer()
            threading.Thread(target=self._work, args=(do, answer), name="look up", daemon=True).start()
            if not answer.is_there.wait(max(until - time.monotonic(), 0)):
                raise Busy("this text takes longer to look up than a page may; try again, or use the command")
            if answer.error is not None:
                raise answer.error
            value: Value = answer.value
            return value
        finally:
            self._asking.release()

    def _work(self, do: Callable[[], object], answer: _Answer) -> None:
        try:
            answer.value = do()
        except BaseException as error:
            answer.error = error
        finally:
            self._slots.release()
            answer.is_there.set()

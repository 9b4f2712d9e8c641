"""Makes values in the background, one after the other, while pages are answered."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from archive.errors import ArchiveError, error_line
from query.explorer.behind import step_back

_log = logging.getLogger(__name__)

#: Seconds after which what failed is tried again.
_AGAIN = 60.0
#: Seconds that the end of a server waits.
_END = 5.0
#: So many wait; of more, those that were asked for first are forgotten, until somebody asks again.
_WAITING = 32

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Waiting:
    """There is no value yet."""

    seconds: float  #: since it was asked for
    problem: str | None = None  #: why it cannot be made


@dataclass(slots=True)
class _Failed:
    problem: str
    at: float


class Background(Generic[Key, Value]):
    """Values by key, made by a thread when they are first asked for: what was asked for last comes first.

    Any number of threads may ask.

    Args:
        kept: so many values are remembered.
        steps_back: they are made behind the pages; not where pages use what the thread opens.
    """

    def __init__(self, kept: int, steps_back: bool = True) -> None:
        self._kept, self._steps_back = kept, steps_back
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._failed: OrderedDict[Key, _Failed] = OrderedDict()
        self._waiting: OrderedDict[Key, Callable[[], Value]] = OrderedDict()
        self._since: dict[Key, float] = {}
        self._thread: threading.Thread | None = None
        self._is_ended = False

    def stop(self) -> None:
        """Make nothing more than what is being made."""
        with self._lock:
            self._is_ended = True
            self._waiting.clear()

    def join(self) -> None:
        """Wait a moment for what is being made, which the caller has interrupted."""
        thread = self._thread
        if thread is not None:
            thread.join(_END)

    def of(self, key: Key, make: Callable[[], Value]) -> Value | Waiting:
        """Return a value, or that it is not there yet."""
        now = time.monotonic()
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            if (failed := self._failed.get(key)) and now - failed.at < _AGAIN:
                return Waiting(0.0, failed.problem)
            if key not in self._since and not self._is_ended:
                self._since[key], self._waiting[key] = now, make
                while len(self._waiting) > _WAITING:
                    forgotten, _ = self._waiting.popitem(last=False)
                    del self._since[forgotten]
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, daemon=True, name="explorer")
                    self._thread.start()
            return Waiting(now - self._since.get(key, now))

    def wait(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return a value when it is there.

        Raises:
            ArchiveError: it cannot be made.
        """
        while isinstance(value := self.of(key, make), Waiting):
            if value.problem:
                raise ArchiveError(value.problem)
            time.sleep(0.02)
        return value

    def _work(self) -> None:
        if self._steps_back:
            step_back()
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                key, make = self._waiting.popitem()
            try:
                value = make()
            except Exception as error:
                if not isinstance(error, ArchiveError):
                    _log.exception("what pages need failed")
                problem = str(error) if isinstance(error, ArchiveError) else f"it failed: {error_line(error)}"
                with self._lock:
                    _keep(self._failed, key, _Failed(problem, time.monotonic()), self._kept)
                    del self._since[key]
            else:
                with self._lock:
                    _keep(self._values, key, value, self._kept)
                    self._failed.pop(key, None)
                    del self._since[key]


Any_ = TypeVar("Any_")


def _keep(values: OrderedDict[Key, Any_], key: Key, value: Any_, most: int) -> None:
    values[key] = value
    while len(values) > most:
        values.popitem(last=False)

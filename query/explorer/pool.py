"""Connections to one version of a lake, each used by one request at a time, for a bounded time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from query.explorer.bounds import interrupted_after


class Connection(Protocol):
    """What a pool holds."""

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=Connection)


class Pool(Generic[Opened]):
    """Connections that are free. Any number of threads may take one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_ended = False
        self._free: list[Opened] = []
        self._lent: list[Opened] = []

    def close(self) -> None:
        """Close what is free now, and what is lent once it comes back."""
        with self._lock:
            free, self._free, self._is_ended = self._free, [], True
        for each in free:
            each.close()

    def interrupt(self) -> None:
        """Interrupt whoever uses one."""
        with self._lock:
            for each in self._lent:
                each.interrupt()

    @contextlib.contextmanager
    def take(self, make: Callable[[], Opened], seconds: float) -> Iterator[Opened]:
        """Lend a connection; one is made where none is free.

        Args:
            seconds: after these it is interrupted, and not used again.
        """
        with self._lock:
            taken = self._free.pop() if self._free else None
        taken = taken or make()
        with self._lock:
            self._lent.append(taken)
        try:
            with interrupted_after(seconds, taken.interrupt) as is_late:
                yield taken
        finally:
            with self._lock:
                self._lent.remove(taken)
                is_kept = not self._is_ended and not is_late.is_set()
                if is_kept:
                    self._free.append(taken)
            if not is_kept:
                taken.close()
